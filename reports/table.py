"""A diagnostic report for the terminal: what was found, what it may be, and what moved each diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, EvidenceKind, LeftOut, NextStep
from fusion.why.figures import percent, weight
from ontologies.concept import Concept
from ontologies.linking.unread import Span
from reports.cleaning import without_controls
from retrieval.document import SearchHit
from vision.anatomy.measures import Measurement
from vision.finding import Finding, in_words

DISCLAIMER = "Decision support, not a medical device: a physician decides."
_BAR_WIDTH = 20
_LONGEST_JOURNAL = 60
_LONGEST_HIT = 160
UNREAD_SHOWN = 12
MOVES_SHOWN = 5
NOT_WHY = "not why; where one moves a score, it says by how much"
_SYSTEMS = {
    "UMLS": "UMLS",
    "SNOMEDCT": "SNOMED CT",
    "ICD10CM": "ICD-10-CM",
    "HP": "HPO",
    "OMIM": "OMIM",
    "ORPHA": "Orphanet",
}
KINDS = {
    "finding": "finding",
    "person": "person",
    "words": "words",
    "kg_path": "knowledge",
    "literature": "paper",
    "case": "case",
    "image_region": "image region",
}
SIGNS = {"present": ("+", "green"), "uncertain": ("?", "yellow"), "absent": ("−", "dim"), "not assessed": ("·", "dim")}


def render(report: DiagnosticReport, console: Console) -> None:
    """Print ``report`` on ``console``; empty sections are left out, a missing answer is said in words."""
    note, report = getattr(report, "note", None), without_controls(report, on_one_line=True)
    console.print(Text(DISCLAIMER, style="dim"))
    for line in report.warnings:
        console.print(Text(f"! {line}", style="bold yellow"))
    _findings(report.findings, console)
    measurements(report.measurements, console)
    _unread(report, note, console)
    _differential(report, console)
    for diagnosis in report.diagnoses:
        evidence(diagnosis, console)
    read_more("Read more", report.literature, moves(report.diagnoses, "literature"), console)
    read_more("Similar cases", report.cases, moves(report.diagnoses, "case"), console)
    _next_steps(report, console)
    _provenance(report.provenance, console)


def codes(concept: Concept, systems: Sequence[str] = ("SNOMEDCT", "ICD10CM", "UMLS", "HP", "OMIM", "ORPHA")) -> str:
    """The concept's first code in each system it has, e.g. "SNOMED CT 60046008 · UMLS C0032227"."""
    known = [(system, concept.code(system)) for system in systems]
    return " · ".join(f"{_SYSTEMS.get(system, system)} {code}" for system, code in known if code)


def bar(probability: float, width: int = _BAR_WIDTH) -> str:
    """A bar of ``width`` cells, filled to the nearest half cell."""
    halves = round(2 * width * min(max(probability, 0.0), 1.0))
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(width)


def scores(parts: Mapping[str, float]) -> str:
    """The parts of a hit's score by name, e.g. "bm25 7.21 · dense 0.64"."""
    return " · ".join(f"{name} {parts[name]:.3g}" for name in sorted(parts))


def heading(text: str, console: Console, note: str = "") -> None:
    """A blank line, then a bold heading, with a dim note after it."""
    console.print()
    console.print(Text.assemble((text, "bold"), (f"  {note}" if note else "", "dim")))


def grid(*columns: tuple[str, str]) -> Table:
    """A borderless table; each column is (header, "left" | "right" | "wrap")."""
    table = Table(
        box=box.SIMPLE_HEAD if any(name for name, _ in columns) else None,
        pad_edge=False,
        show_edge=False,
        header_style="dim",
    )
    table.show_header = any(name for name, _ in columns)
    for name, kind in columns:
        table.add_column(name, justify="right" if kind == "right" else "left", no_wrap=kind != "wrap", overflow="fold")
    return table


def _findings(findings: Sequence[Finding], console: Console) -> None:
    shown = [f for f in findings if f.presence not in ("absent", "not assessed") or f.origin != "image"]
    unseen = [f for f in findings if f.presence == "absent" and f.origin == "image"]
    heading("Findings", console, "" if findings else "none")
    if shown:
        table = grid(
            ("", "left"),
            ("finding", "wrap"),
            ("p", "right"),
            ("cut-off", "right"),
            ("side", "left"),
            ("from", "left"),
            ("codes", "wrap"),
        )
        for finding in sorted(shown, key=lambda f: (f.origin != "image", -(f.probability or 0.0), f.label)):
            sign, style = SIGNS[finding.presence]
            label = in_words(finding.label)
            name = label if finding.presence == "present" else f"{label} ({finding.presence})"
            table.add_row(
                Text(sign, style=style),
                Text(name),
                "" if finding.probability is None else f"{finding.probability:.2f}",
                "" if finding.threshold is None else f"{finding.threshold:.2f}",
                finding.laterality or "",
                finding.origin,
                Text(codes(finding.concept, ("SNOMEDCT", "UMLS", "HP")) if finding.concept else "", style="dim"),
            )
        console.print(table)
    if unseen:
        named = [(in_words(f.label), f.probability) for f in unseen]
        names = ", ".join(label if p is None else f"{label} {p:.2f}" for label, p in named)
        console.print(Text(f"Below the cut-off on the image: {names}", style="dim"))
    if line := unassessed(findings):
        console.print(Text(line, style="dim"))


def unassessed(findings: Iterable[Finding]) -> str:
    """What is not assessed on the image, with the reasons, in one line; "" when all is."""
    why = {in_words(f.label): f.reason for f in findings if f.presence == "not assessed" and f.origin == "image"}
    named = [name if reason is None else f"{name} ({reason})" for name, reason in sorted(why.items())]
    return f"Not assessed on the image: {'; '.join(named)}" if named else ""


def measurements(measured: Sequence[Measurement], console: Console) -> None:
    """What is not as usual, a line each, and the rest in one."""
    for one in measured:
        if not one.usual:
            console.print(Text(f"! {measured_words(one)}", style="bold"))
    rest = "; ".join(f"{m.name} {_number(m.value, m.unit)}" for m in measured if m.usual)
    if rest:
        console.print(Text(f"Measured, as usual: {rest}", style="dim"))


def measured_words(measured: Measurement) -> str:
    """ "cardiothoracic ratio 0.58 (usual: at most 0.50, PA films of adults)"."""
    low, high = (None if v is None else _number(v, measured.unit) for v in (measured.low, measured.high))
    limits = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""
    basis = ", ".join(filter(None, (limits, measured.basis)))
    return f"{measured.name} {_number(measured.value, measured.unit)}" + (f" (usual: {basis})" if basis else "")


def _number(value: float, unit: str) -> str:
    return f"{value:.0f}{unit}" if unit else f"{value:.2f}"


def _unread(report: DiagnosticReport, note: str | None, console: Console) -> None:
    """What of the note was not understood: the phrases where the note is at hand, else how many there are."""
    if line := understanding(report, note):
        console.print(Text(without_controls(line, on_one_line=True), style="dim"))


def understanding(report: DiagnosticReport, note: str | None = None) -> str:
    """The same in words, "" where there was no note. Without ``note`` no word of the patient's is in it."""
    if report.understood is None:
        return ""
    line = f"Of the note's words {percent(report.understood)} were understood"
    if report.unread and note is None:
        line += f"; {len(report.unread)} phrase{'s were' if len(report.unread) > 1 else ' was'} not"
    elif report.unread:
        line += f". Not understood: {not_understood(note or '', report.unread)}"
    return line


def not_understood(note: str, unread: Sequence[Span]) -> str:
    """The phrases of a note in its order, at most UNREAD_SHOWN of them."""
    more = len(unread) - UNREAD_SHOWN
    shown = ", ".join(span.of(note) for span in unread[:UNREAD_SHOWN])
    return f"{shown} … and {more} more" if more > 0 else shown


def _differential(report: DiagnosticReport, console: Console) -> None:
    heading("Differential", console)
    if report.abstention:
        console.print(Text(f"No diagnosis is named: {report.abstention}", style="bold yellow"))
    if not report.diagnoses:
        return
    families = any(d.with_kinds is not None for d in report.diagnoses)
    table = grid(
        ("", "right"),
        ("diagnosis", "wrap"),
        ("p", "right"),
        ("with kinds" if families else "", "right"),
        ("", "left"),
        ("codes", "wrap"),
    )
    for diagnosis in report.diagnoses:
        mark = " ◂" if diagnosis.conformal_member else ""
        table.add_row(
            str(diagnosis.rank),
            Text(diagnosis.concept.name + mark, style="bold" if diagnosis.rank == 1 else ""),
            percent(diagnosis.probability),
            "" if diagnosis.with_kinds is None else percent(diagnosis.with_kinds),
            Text(bar(diagnosis.probability), style="cyan"),
            Text(codes(diagnosis.concept), style="dim"),
        )
    none = report.none_of_these
    table.add_row("", "none of these", percent(none), "", Text(bar(none), style="dim"), "")
    console.print(table)
    if any(diagnosis.conformal_member for diagnosis in report.diagnoses):
        several = report.set_size is not None and report.set_size > 1
        which = f"one of {report.set_size} candidates that cannot" if several else "cannot"
        console.print(Text(f"◂ {which} be ruled out at 90 % coverage", style="dim"))


def evidence(diagnosis: Diagnosis, console: Console) -> None:
    """Why a diagnosis: its pieces of evidence, the heaviest first, each finding with the paths that carry it under it:
    they weigh the same thing twice, once gone from the patient and once from the graph."""
    heading(f"Why {diagnosis.rank}: {diagnosis.concept.name}", console, "what each piece adds to its score")
    if not diagnosis.why:
        console.print(Text(" no single piece changes its score", style="dim"))
        return
    table = grid(("", "right"), ("", "left"), ("", "wrap"))
    ordered = sorted(diagnosis.why, key=lambda e: (-abs(e.weight), e.kind, e.reference))
    paths_of: dict[str, list[Evidence]] = {e.reference: [] for e in ordered if e.kind == "finding"}
    own_rows: list[Evidence] = []
    for piece in ordered:
        start = piece.reference.partition(" → ")[0]
        (paths_of[start] if piece.kind == "kg_path" and start in paths_of else own_rows).append(piece)
    for piece in own_rows:
        for one in (piece, *(paths_of[piece.reference] if piece.kind == "finding" else ())):
            style = "green" if one.stance == "supports" else "red"
            kind = KINDS[one.kind] if one is piece else f"↳ {KINDS[one.kind]}"
            table.add_row(Text(weight(one.weight), style=style), kind, _evidence_text(one))
    console.print(Padding(table, (0, 0, 0, 1)))


def _evidence_text(evidence: Evidence) -> Text:
    text = Text(evidence.text)
    notes = (
        []
        if evidence.kind in ("kg_path", "person", "words") or evidence.reference in evidence.text
        else [evidence.reference]
    )
    if evidence.path is not None:
        for triple in evidence.path.triples:
            frequency = "" if triple.frequency is None else f", in {percent(triple.frequency)}"
            reference = f", {triple.reference}" if triple.reference else ""
            notes.append(f"{triple.source}{frequency}{reference}")
    if notes:
        text.append(f"  [{'; '.join(dict.fromkeys(notes))}]", style="dim")
    return text


@dataclass(frozen=True, slots=True)
class Move:
    """What the network read of a paper or a case, and by how much that moves the score of which diagnoses."""

    text: str
    by: tuple[tuple[str, float], ...]

    @property
    def said(self) -> str:
        """ "moves Bacterial pneumonia by +0.031"."""
        return "moves " + ", ".join(f"{name} by {weight(value)}" for name, value in self.by)


def moves(diagnoses: Iterable[Diagnosis], kind: EvidenceKind) -> dict[str, Move]:
    """Papers, or cases, by reference (a PMID, the id of a case), the one that moves a score most first."""
    found: dict[str, list[tuple[str, Evidence]]] = {}
    for diagnosis in diagnoses:
        for piece in diagnosis.read_more:
            if piece.kind == kind:
                found.setdefault(piece.reference, []).append((diagnosis.concept.name, piece))
    ordered = sorted(found.items(), key=lambda item: (-max(abs(p.weight) for _, p in item[1]), item[0]))
    return {
        reference: Move(pieces[0][1].text, tuple((name, piece.weight) for name, piece in pieces))
        for reference, pieces in ordered
    }


def read_more(title: str, hits: Sequence[SearchHit], moved: Mapping[str, Move], console: Console) -> None:
    """The hits, then at most MOVES_SHOWN of what else the network read beside a diagnosis; behind each what it
    moves."""
    if not hits and not moved:
        return
    heading(title, console, NOT_WHY if moved else "")
    table = grid(("", "right"), ("", "left"), ("", "wrap"))
    rest = dict(moved)
    for hit in hits:
        text = hit_text(hit)
        if move := rest.pop(hit.document.source_curie, None) or rest.pop(hit.document.doc_id, None):
            text.append(f"  {move.said}")
        table.add_row(str(hit.rank), Text(hit.document.source_curie), text)
    for reference, move in list(rest.items())[:MOVES_SHOWN]:
        table.add_row("·", Text(reference), Text(f"{_shorten(move.text, _LONGEST_HIT)}  {move.said}"))
    console.print(table)


def hit_text(hit: SearchHit, longest: int = _LONGEST_HIT) -> Text:
    """A paper's title with journal and year, or a case's title with its impression (or the beginning of its text); then
    the parts of the score. In front, what became of the paper ("RETRACTED"), and behind it where that is said."""
    document = hit.document
    said = document.metadata.get("impression") or document.text if document.kind == "case" else ""
    body = _shorten(": ".join(filter(None, (document.title, said))) or document.text, longest)
    known = (_shorten(document.metadata.get("journal", ""), _LONGEST_JOURNAL), document.metadata.get("year", ""))
    origin = ", ".join(filter(None, known))
    text = Text(body)
    if status := document.metadata.get("status"):
        text = Text.assemble((f"{status.upper()}: ", "bold red"), text)
    if origin:
        text.append(f" ({origin})")
    if notices := document.metadata.get("notices"):
        text.append(f" see {notices}")
    if hit.explanation:
        text.append(f"  [{scores(hit.explanation)}]", style="dim")
    return text


def _shorten(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _next_steps(report: DiagnosticReport, console: Console) -> None:
    suggested: list[tuple[str, NextStep | LeftOut]] = [(step.text, step) for step in report.next_steps]
    left_out: list[tuple[str, NextStep | LeftOut]] = [(left.objection, left) for left in report.left_out]
    for title, lines in (("Next steps to consider", suggested), ("Not suggested to this patient", left_out)):
        if lines:
            heading(title, console)
            table = grid(("", "left"), ("", "wrap"))
            for said, of in lines:
                text = Text(said)
                text.append(f"  [{of.disease}; {of.reference}]", style="dim")
                table.add_row("·", text)
            console.print(table)


def _provenance(provenance: Mapping[str, str], console: Console) -> None:
    if provenance:
        console.print()
        parts = " · ".join(f"{name} {short(value)}" for name, value in sorted(provenance.items()))
        console.print(Text(f"Made with {parts}", style="dim"))


def short(value: str) -> str:
    """A hash shortened to its first 8 digits; anything else as it is."""
    digits = value.removeprefix("sha256:")
    return digits[:8] if len(digits) >= 32 and all(c in "0123456789abcdef" for c in digits) else value
