"""What is said of the findings of radiology reports: ``python -m benchmarks.assertion [--home DIR] [--json]``.

Three measures; ``--peer`` adds negspacy's NegEx rules to the first:

- the invented sentences of tests/ontologies/linking/context/assertions.tsv: expected × given presence;
- Open-i's reports that its readers indexed "normal" and nothing else: the share of the mentions of findings and
  diseases that are asserted present (``--list`` shows which);
- Open-i's other reports: recall of the readers' codes, by tests/ontologies/linking/openi_mesh.tsv, in findings and
  impression.
  A code is recalled when one of its concepts, or one below it, is asserted present; codes for which no concept is in
  the table are counted apart, not left out in silence.

``--negex FILE`` adds the annotated sentences of NegEx: whether each finding is denied or not, by the two halves that
the hash of an identifier makes; ``--list`` shows the misses of the first.

Mentions of "No acute cardiopulmonary disease", the name of a normal image, and of the patient's context (age, exposure)
are no findings and are not counted in the second measure.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from benchmarks.machine import stamp
from errors import DependencyError, InputError
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.concept import Presence
from ontologies.linking.context.assertion import assertions
from ontologies.linking.linker import ConceptMatch, Linker
from ontologies.sources.store import member_path
from retrieval import openi

TESTS = Path(__file__).resolve().parent.parent / "tests" / "ontologies" / "linking"
SENTENCES = TESTS / "context" / "assertions.tsv"
MESH = TESTS / "openi_mesh.tsv"
CODES: dict[str, Presence] = {"p": "present", "a": "absent", "u": "uncertain", "n": "not assessed"}
_BEST_FIRST: tuple[Presence, ...] = ("present", "uncertain", "not assessed", "absent")
NORMAL = "CHEST:normal-chest-radiograph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """An invented sentence: its mentions and what is expected of each."""

    text: str
    spans: tuple[tuple[int, int], ...]
    expected: tuple[Presence, ...]


def sentences(path: Path = SENTENCES) -> list[Sentence]:
    """The table: a letter of CODES for each bracketed mention, a tab, the sentence ("\\n" is a line break)."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        letters, marked = line.split("\t")
        text, spans, at = "", [], 0
        marked = marked.replace("\\n", "\n")
        for match in re.finditer(r"\[([^\]]+)\]", marked):
            text += marked[at : match.start()]
            spans.append((len(text), len(text) + len(match[1])))
            text, at = text + match[1], match.end()
        if len(spans) != len(letters):
            raise InputError(f"{path.name}: as many letters as mentions", value=line)
        found.append(
            Sentence(text=text + marked[at:], spans=tuple(spans), expected=tuple(CODES[letter] for letter in letters))
        )
    return found


def confusion(table: Iterable[Sentence]) -> dict[Presence, dict[Presence, int]]:
    """Expected presence → given presence → mentions."""
    counts: Counter[tuple[Presence, Presence]] = Counter()
    for sentence in table:
        given = [said.presence for said in assertions(sentence.text, sentence.spans)]
        counts.update(zip(sentence.expected, given, strict=True))
    return {e: {g: counts[e, g] for g in get_args(Presence)} for e in get_args(Presence)}


def negspacy_right(table: Sequence[Sentence]) -> dict[str, int]:
    """Of the mentions, those for which "absent or not" is right: by our rules, by negspacy's for clinical English with
    the same mentions and spaCy's sentence splitter. DependencyError when negspacy is not installed."""
    try:
        import negspacy.negation  # noqa: F401
        import spacy
    except ImportError as error:
        raise DependencyError("negspacy is not installed", run="pip install negspacy") from error
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("negex")
    negex = nlp.get_pipe("negex")
    right = Counter[str]()
    for sentence in table:
        doc = nlp.get_pipe("sentencizer")(nlp.make_doc(sentence.text))
        spans = [doc.char_span(*span, label="FINDING", alignment_mode="expand") for span in sentence.spans]
        doc.set_ents([span for span in spans if span is not None])
        negex(doc)
        ours = assertions(sentence.text, sentence.spans)
        for span, said, expected in zip(spans, ours, sentence.expected, strict=True):
            denied = expected == "absent"
            right["mentions"] += 1
            right["whydx"] += (said.presence == "absent") == denied
            right["negspacy"] += (span is not None and bool(span._.negex)) == denied
    return dict(right)


def negex(path: Path) -> dict[str, Any]:
    """Of NegEx's annotated sentences (JSON lines of "id", "text", "concept", "negation"), by half: mentions, those of
    which it is said rightly that they are denied or not, mentions that are not in their sentence (counted as wrong);
    and the misses of the first half. Raises InputError when the file cannot be read."""
    counts = {half: Counter[str]() for half in (0, 1)}
    missed = []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError("cannot read the sentences", value=path, expected="JSON lines") from error
    for row in rows:
        half = int(sha256(row["id"].encode()).hexdigest(), 16) % 2
        words = r"\s+".join(map(re.escape, row["concept"].split()))
        place = re.search(words, row["text"], re.IGNORECASE)
        counts[half]["mentions"] += 1
        if place is None:
            counts[half]["not in the sentence"] += 1
            continue
        said = assertions(row["text"], [place.span()])[0].presence
        right = (said == "absent") == (row["negation"] == "Negated")
        counts[half]["right"] += right
        if not right and not half:
            missed.append(f"{row['negation']}, read as {said}: {row['concept']} | {' '.join(row['text'].split())}")
    return {"halves": [dict(counts[half]) for half in (0, 1)], "missed": missed}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRow:
    """A row of openi_mesh.tsv: ``concepts`` is empty when no concept means the code."""

    heading: str
    qualifier: str
    concepts: tuple[str, ...]
    note: str


def mesh_rows(path: Path = MESH) -> dict[str, list[MeshRow]]:
    """Heading → its rows, those with a qualifier first."""
    rows: dict[str, list[MeshRow]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            heading, qualifier, concepts, note = line.split("\t")
            row = MeshRow(
                heading=heading,
                qualifier=qualifier,
                concepts=() if concepts == "-" else tuple(concepts.split("|")),
                note=note,
            )
            rows.setdefault(heading, []).append(row)
    return {heading: sorted(listed, key=lambda r: not r.qualifier) for heading, listed in rows.items()}


def mesh_row(code: str, rows: dict[str, list[MeshRow]]) -> MeshRow | None:
    """The row that decides for a code such as "Opacity/lung/base/left", or None when the table does not know it."""
    heading, *qualifiers = code.split("/")
    return next((row for row in rows.get(heading, ()) if not row.qualifier or row.qualifier in qualifiers), None)


def text_of(report: openi.Report) -> str:
    """Findings and impression: what the readers of Open-i indexed."""
    return "\n".join(filter(None, (report.findings, report.impression)))


def normals(reports: Sequence[openi.Report], linker: Linker, leave_out: frozenset[str]) -> dict[str, Any]:
    """The presence of what is mentioned in reports indexed as normal, and what is asserted present in them."""
    counts: Counter[Presence] = Counter()
    present: Counter[str] = Counter()
    examples: dict[str, str] = {}
    texts = [text_of(report) for report in reports]
    for text, matches in zip(texts, linker.link_all(texts), strict=True):
        for match in matches:
            if match.concept.curie in leave_out:
                continue
            counts[match.presence] += 1
            if match.presence == "present":
                present[match.concept.name] += 1
                examples.setdefault(match.concept.name, _around(text, match))
    total = sum(counts.values())
    return {
        "reports": len(reports),
        "mentions": total,
        **{presence: counts[presence] for presence in get_args(Presence)},
        "asserted_present": round(counts["present"] / max(total, 1), 4),
        "concepts": {name: {"mentions": n, "example": examples[name]} for name, n in present.most_common()},
    }


def recall(reports: Sequence[openi.Report], linker: Linker, graph: KnowledgeGraph) -> dict[str, Any]:
    """Recall of the readers' codes, and by heading what was missed and how."""
    rows = mesh_rows()
    wanted = {c: graph.resolve(c) for listed in rows.values() for row in listed for c in row.concepts}
    counts: Counter[str] = Counter()
    by_heading: dict[str, Counter[str]] = {}
    missed: dict[str, list[str]] = {}
    texts = [text_of(report) for report in reports]
    for report, text, matches in zip(reports, texts, linker.link_all(texts), strict=True):
        said: dict[Presence, set[str]] = {presence: set() for presence in get_args(Presence)}
        for match in matches:
            said[match.presence] |= (
                graph.ancestors(match.concept.curie) if match.concept.curie in graph else {match.concept.curie}
            )
        for code in report.abnormal:
            row = mesh_row(code, rows)
            if row is None or not row.concepts:
                counts["without a concept"] += 1
                continue
            accepted = {wanted[c] for c in row.concepts}
            outcome = next((p for p in _BEST_FIRST if accepted & said[p]), "not found")
            counts[outcome] += 1
            by_heading.setdefault(row.heading, Counter())[outcome] += 1
            if outcome != "present":
                missed.setdefault(row.heading, []).append(f"{report.report_id} {outcome}: {code} | {text}")
    total = sum(n for name, n in counts.items() if name != "without a concept")
    return {
        "reports": len(reports),
        "codes": total,
        "codes_without_a_concept": counts["without a concept"],
        "present": round(counts["present"] / max(total, 1), 4),
        "present_or_uncertain": round((counts["present"] + counts["uncertain"]) / max(total, 1), 4),
        "outcomes": {name: counts[name] for name in ("present", "uncertain", "not assessed", "absent", "not found")},
        "headings": {h: dict(c) for h, c in sorted(by_heading.items(), key=lambda item: -item[1].total())},
        "missed": missed,
    }


def _around(text: str, match: ConceptMatch) -> str:
    return " ".join(text[max(0, match.start - 50) : match.end + 30].split())


def measure(home: Path) -> dict[str, Any]:
    """All three measures. SourceError when Open-i is not fetched, ArtifactError when the home is not built."""
    linker, graph = Linker.open(home / "linker"), KnowledgeGraph.open(home / "graph")
    reports = list(openi.read(member_path(home, "openi", "NLMCXR_reports.tgz")))
    # That something is as it should be is present in a normal report, and so it should.
    context = {graph.resolve(row.id) for row in chest.load().findings if row.kind in ("context", "course", "normal")}
    table = confusion(sentences())
    mentions = sum(n for row in table.values() for n in row.values())
    return {
        "measured": stamp(),
        "sentences": {
            "mentions": mentions,
            "right": sum(table[presence][presence] for presence in table),
            "confusion": table,
        },
        "openi_normal": normals(
            [r for r in reports if r.mesh == ("normal",)], linker, frozenset({*context, graph.resolve(NORMAL)})
        ),
        "openi_findings": recall([r for r in reports if r.abnormal], linker, graph),
    }


def _print(figures: dict[str, Any], listed: int) -> None:
    print(figures["measured"])
    sentences_, normal, found = (figures[name] for name in ("sentences", "openi_normal", "openi_findings"))
    print(f"\nInvented sentences: {sentences_['right']} of {sentences_['mentions']} mentions\n")
    names = get_args(Presence)
    print(f"{'expected':<14}" + "".join(f"{name:>14}" for name in names))
    for name in names:
        print(f"{name:<14}" + "".join(f"{sentences_['confusion'][name][given]:>14}" for given in names))
    if "negex" in figures:
        for half, counts in zip(("looked at", "not"), figures["negex"]["halves"], strict=True):
            print(f"\nNegEx, half {half}: {counts['right']} of {counts['mentions']} denied or not, rightly")
        print("\n".join(figures["negex"]["missed"][:listed]))
    if "absent_or_not" in figures:
        print("\nAbsent or not: " + ", ".join(f"{name} {n}" for name, n in figures["absent_or_not"].items()))
    print(f"\nOpen-i, {normal['reports']} normal reports, {normal['mentions']} mentions:")
    print(
        ", ".join(f"{name} {normal[name]}" for name in names) + f"; {normal['asserted_present']:.1%} asserted present"
    )
    for name, row in list(normal["concepts"].items())[:listed]:
        print(f"  {row['mentions']:4} {name}: … {row['example']} …")
    print(
        f"\nOpen-i, {found['reports']} abnormal reports, {found['codes']} codes with a concept "
        f"(and {found['codes_without_a_concept']} without): recall {found['present']:.3f} asserted present, "
        f"{found['present_or_uncertain']:.3f} present or uncertain"
    )
    columns = ("present", "uncertain", "not assessed", "absent", "not found")
    print(f"{'heading':<40}" + "".join(f"{name:>14}" for name in columns))
    for heading, row in list(found["headings"].items())[: listed or 40]:
        print(f"{heading:<40}" + "".join(f"{row.get(name, 0):>14}" for name in columns))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assertion", description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--json", action="store_true", help="one object; no report text in it")
    parser.add_argument("--peer", action="store_true", help="also negspacy's rules")
    parser.add_argument("--negex", type=Path, metavar="FILE", help="also NegEx's annotated sentences")
    parser.add_argument("--list", type=int, default=20, help="how many concepts of normal reports to show")
    parser.add_argument("--missed", metavar="HEADING", help="show the reports in which a heading was missed")
    arguments = parser.parse_args()
    from home import home_folder

    figures = measure(home_folder(arguments.home))
    if arguments.peer:
        figures["absent_or_not"] = negspacy_right(sentences())
    if arguments.negex:
        figures["negex"] = negex(arguments.negex)
    missed = figures["openi_findings"].pop("missed")
    if arguments.missed:
        print("\n".join(missed.get(arguments.missed, ())))
    elif arguments.json:
        figures.get("negex", {}).pop("missed", None)
        figures["openi_normal"]["concepts"] = {n: r["mentions"] for n, r in figures["openi_normal"]["concepts"].items()}
        print(json.dumps(figures))
    else:
        _print(figures, arguments.list)


if __name__ == "__main__":
    main()
