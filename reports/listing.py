"""Answers smaller than a report, drawn as tables: detections, matches, walks, hits, records, concepts, metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from kg.triple import KGPath
from ontologies.concept import Concept
from reports.table import SIGNS, codes, grid, heading, hit_text, measured_words, percent, unassessed
from retrieval.document import CaseHit, SearchHit
from vision.anatomy.measures import Measurement
from vision.finding import NO_FINDING, Finding, in_words

if TYPE_CHECKING:
    from kg.rivals import Rival
    from ontologies.linking.linker import ConceptMatch
    from ontologies.sources.store import SourceStatus

NOTHING = "nothing found"


def detections(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """One table an image: ``rows`` are {"image", "refused", "warnings", "findings"} and, where they apply,
    "no_finding", "measurements" and "explanations"; findings by falling probability. A CT scan's have "nodules"."""
    for row in rows:
        heading(row["image"], console)
        for line in row["warnings"]:
            console.print(Text(f"! {line}", style="bold yellow"))
        if row["refused"]:
            console.print(Text(f"refused: {row['refused']}", style="bold yellow"))
        if "nodules" in row:
            _nodules(row["nodules"], console)
            continue
        found: Iterable[Finding] = row["findings"]
        table = grid(
            ("", "left"),
            ("finding", "left"),
            ("p", "right"),
            ("cut-off", "right"),
            ("side", "left"),
            ("box x y w h", "left"),
            ("codes", "wrap"),
        )
        for finding in sorted(found, key=lambda f: (-(f.probability or 0.0), f.label)):
            if finding.presence == "not assessed":
                continue
            sign, style = SIGNS[finding.presence] if finding.presence != "absent" else ("", "dim")
            box = finding.box
            table.add_row(
                Text(sign, style=style),
                Text(in_words(finding.label), style="dim" if finding.presence == "absent" else ""),
                "" if finding.probability is None else f"{finding.probability:.3f}",
                "" if finding.threshold is None else f"{finding.threshold:.3f}",
                finding.laterality or "",
                f"{box.x:.0f} {box.y:.0f} {box.width:.0f} {box.height:.0f}" if box else "",
                Text(codes(finding.concept, ("SNOMEDCT", "UMLS", "HP")) if finding.concept else "", style="dim"),
            )
        if table.row_count:
            table.add_row("", Text(in_words(NO_FINDING), style="dim"), f"{row['no_finding']:.3f}")
            console.print(table)
        if line := unassessed(found):
            console.print(Text(line, style="dim"))
        for measured in row.get("measurements", ()):
            said = Measurement(**{k: v for k, v in measured.items() if k != "usual"})
            console.print(Text(measured_words(said), style="" if said.usual else "bold"))


def _nodules(nodules: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A line a nodule of a CT scan, as they come."""
    table = grid(
        ("", "left"),
        ("nodule", "left"),
        ("p", "right"),
        ("mm", "right"),
        ("slice", "right"),
        ("centre x y z mm", "left"),
    )
    for nodule in nodules:
        sign, style = SIGNS["present" if nodule["present"] else "uncertain"]
        x, y, z = nodule["centre_mm"]
        place = f"{nodule['side']} lung, {nodule['zone']} third"
        table.add_row(
            Text(sign, style=style),
            place,
            f"{nodule['probability']:.3f}",
            f"{nodule['diameter_mm']:.1f}",
            str(nodule["slice"]),
            f"{x:.1f} {y:.1f} {z:.1f}",
        )
    console.print(table if nodules else Text("no nodule is seen", style="dim"))


def matches(found: Sequence[ConceptMatch], console: Console) -> None:
    """A row a mention, in the order of the text; under it where it is, how large, how changed."""
    table = grid(
        ("mention", "wrap"),
        ("at", "left"),
        ("presence", "left"),
        ("concept", "wrap"),
        ("CURIE", "left"),
        ("score", "right"),
        ("codes", "wrap"),
    )
    for match in found:
        mention = Text(match.mention)
        if said := modifiers(match):
            mention.append(f"\n{said}", style="dim")
        table.add_row(
            mention,
            f"{match.start}–{match.end}",
            Text(match.presence, style={"present": "green", "absent": "red"}.get(match.presence, "yellow")),
            Text(match.concept.name),
            match.concept.curie,
            f"{match.score:.2f}",
            Text(codes(match.concept, ("SNOMEDCT", "ICD10CM", "HP", "UMLS")), style="dim"),
        )
    _table(table, console)


def modifiers(match: ConceptMatch) -> str:
    """What is said of a mention, in words: "small, 12 mm, right upper lobe, new; indication"."""
    size = " × ".join(f"{diameter:g}" for diameter in match.size_mm)
    side = match.laterality if not any((match.laterality or "") in place for place in match.locations) else None
    said = (match.extent, size and f"{size} mm", side, *match.locations, match.change)
    return "; ".join(filter(None, (", ".join(filter(None, said)), match.context)))


def texts(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The mentions of several texts: ``rows`` are {"id", "matches"} and, where it was asked, "nil"; of a note also
    "understood" and "unread"."""
    for row in rows:
        heading(row["id"], console)
        text(row, console)


def text(row: Mapping[str, Any], console: Console) -> None:
    """The mentions of one text, as `texts` has them."""
    matches(row["matches"], console)
    for nil in row.get("nil", ()):
        nearest = "" if nil.nearest is None else f": {nil.nearest} ({nil.similarity:.2f})"
        console.print(Text(f"not linked: {nil.phrase} – {nil.reason}{nearest}", style="dim"))
    if row.get("understood") is not None:
        phrases = ", ".join(span["phrase"] for span in row["unread"]) or "nothing"
        console.print(Text(f"understood: {percent(row['understood'])}; not understood: {phrases}", style="dim"))


def walks(found: Sequence[KGPath], console: Console) -> None:
    """A row a path: score, the walk in words, the source of each edge."""
    table = grid(("", "right"), ("score", "right"), ("path", "wrap"))
    for rank, path in enumerate(found, 1):
        text = Text(path.text)
        sources = []
        for triple in path.triples:
            frequency = "" if triple.frequency is None else f", in {percent(triple.frequency)}"
            sources.append(triple.source + frequency + (f", {triple.reference}" if triple.reference else ""))
        text.append(f"\n[{'; '.join(dict.fromkeys(sources))}]", style="dim")
        table.add_row(str(rank), f"{path.score:.3f}", text)
    _table(table, console)


def hits(found: Sequence[SearchHit], console: Console) -> None:
    """A row a document: rank, score, id, title and the parts of the score."""
    table = grid(("", "right"), ("score", "right"), ("id", "left"), ("", "wrap"))
    for hit in found:
        text = hit_text(hit, longest=240)
        if isinstance(hit, CaseHit):
            for word, concepts in (("shares", hit.shares), ("lacks", hit.lacks)):
                text.append(f"\n{word} {', '.join(concepts)}" if concepts else "", style="dim")
        table.add_row(str(hit.rank), f"{hit.score:.4g}", hit.document.source_curie, text)
    _table(table, console)


def records(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Rows of the same keys as a table; the keys are the headers."""
    table = grid(*((name, "wrap" if index else "left") for index, name in enumerate(rows[0] if rows else ())))
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    _table(table, console)


def sources(found: Sequence[SourceStatus], console: Console) -> None:
    """Name, state, version and hash of each source, then its licence and citation, indented."""
    for source in found:
        style = {"ready": "green", "damaged": "red"}.get(source.state, "yellow")
        head = Text.assemble((f"{source.name:<14}", "bold"), (f"{source.state:<9}", style), source.version)
        head.append(f"  {source.package}  sha256 {source.sha256[:12]}", style="dim")
        console.print(head)
        for line in (source.detail, source.licence, source.citation):
            if line:
                console.print(Padding(Text(line), (0, 0, 0, 2)))


def concept(value: Mapping[str, Any], console: Console) -> None:
    """A concept with its names and edges: {"concept": Concept, "information_content", "triples": (Triple, …)}."""
    shown: Concept = value["concept"]
    console.print(Text.assemble((shown.name, "bold"), f"  {shown.curie}"))
    for line in ("; ".join(shown.semantic_types), shown.definition):
        if line:
            console.print(Text(line))
    table = grid(("", "left"), ("", "wrap"))
    for system in sorted(shown.codes):
        table.add_row(system, ", ".join(shown.codes[system]))
    table.add_row("information", f"{value['information_content']:.2f}")
    console.print(table)
    heading("Edges", console, "" if value["triples"] else "none")
    edges = grid(("subject", "wrap"), ("", "left"), ("object", "wrap"), ("in", "right"), ("source", "wrap"))
    for triple in value["triples"]:
        source = f"{triple.source} {triple.reference}".strip()
        frequency = "" if triple.frequency is None else percent(triple.frequency)
        edges.add_row(triple.subject_name, triple.predicate, triple.object_name, frequency, Text(source, style="dim"))
    if edges.row_count:
        console.print(edges)


def rivals(found: Sequence[Rival], console: Console) -> None:
    """The rivals of a disease, each with what speaks for the one and for the other."""
    if not found:
        console.print("no rival")
    for rival in found:
        console.print(Text.assemble((rival.concept.name, "bold"), f"  {rival.distance:.1f} nats away on average"))
        for title, told in (("speaks against it", rival.for_it), ("speaks for it", rival.for_rival)):
            said = "; ".join(f"{t.name} ({t.frequency:.0%} : {t.frequency_in_rival:.0%})" for t in told)
            console.print(Text(f"  {title}: {said or 'nothing of its own'}"))


def conflicts(value: Mapping[str, Any], console: Console) -> None:
    """How many of each kind, then the first of them."""
    records([{"kind": kind, "number": number} for kind, number in value["counts"].items()], console)
    if value["conflicts"]:
        console.print()
        records(value["conflicts"], console)


def answer(value: Mapping[str, Any], console: Console) -> None:
    """What SPARQL answers: rows, true or false, or Turtle."""
    if "rows" in value:
        records(value["rows"], console)
    else:
        console.print(Text(str(value.get("turtle", value.get("answer"))).strip()))


def difference(value: Mapping[str, Any], console: Console) -> None:
    """The counts, the first of each list, and the diagnoses that moved: {"counts", "concepts_added", …, "cases"}."""
    records([{"what": name.replace("_", " "), "number": n} for name, n in value["counts"].items()], console)
    for name, n in value["counts"].items():
        if n:
            heading(name.replace("_", " ").capitalize(), console)
            records([_plain_edge(row) for row in value[name]], console)
            if n > len(value[name]):
                console.print(Text(f"… and {n - len(value[name])} more", style="dim"))
    if "cases" in value:
        cases = value["cases"]
        heading(f"{cases['moved_cases']} of {cases['cases']} cases moved", console)
        records([_plain_move(row) for row in cases["moves"]], console)


def _plain_edge(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if "predicate" not in row:
        return row
    frequency = " → ".join(
        "not stated" if row[key] is None else percent(row[key]) for key in ("old_frequency", "frequency") if key in row
    )
    edge = f"{row['subject_name']} {row['predicate']} {row['object_name']}"
    source = " ".join(filter(None, (row["source"], row["reference"])))
    return {"edge": edge, "frequency": frequency, "source": source}


def _plain_move(row: Mapping[str, Any]) -> Mapping[str, Any]:
    edge = row["edge"]
    why = "" if edge is None else f"{edge['change']}: {_plain_edge(edge)['edge']} ({edge['share']:.0%})"
    rank = f"{row['old_rank'] or '–'} → {row['new_rank'] or '–'}"
    return {"case": row["case"], "diagnosis": row["name"], "rank": rank, "score": row["score_change"], "edge": why}


def metrics(values: Mapping[str, Any], console: Console) -> None:
    """Nested metrics, one a line, names joined by dots."""
    table = grid(("metric", "wrap"), ("", "right"))
    for name, value in _flat(values):
        table.add_row(name, _cell(value))
    _table(table, console)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value)


def _table(table: Any, console: Console) -> None:
    console.print(table if table.row_count else Text(NOTHING, style="dim"))
