"""A report in plain words for the patient: fixed sentences filled with names, each with its source in brackets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from fusion.diagnosis import Diagnosis, DiagnosticReport
from reports.table import percent, understanding
from vision.finding import Finding, in_words

_INTRODUCTION = (
    "This text was made by a computer. It can be wrong. Your doctor decides what it means for you. "
    "Do not start or stop any treatment because of it."
)
_SAID = {
    "present": {"image": "We saw this on your picture", "note": "We read this", "user": "We were told this"},
    "absent": {
        "image": "We did not see this on your picture",
        "note": "We read that you do not have this",
        "user": "We were told that you do not have this",
    },
    "uncertain": {"image": "We may see this on your picture", "note": "You may have this", "user": "You may have this"},
}
_MOST_REASONS = 3


class PlainReporter:
    """``names`` maps CURIEs to the words of a layperson; a concept without goes by its own name."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = names or {}

    def render(self, report: DiagnosticReport) -> str:
        """The text, a sentence a line, sections with a heading; empty sections are left out. What was looked for on the
        image and not seen is left out too, unless nothing else was found."""
        parts = (
            ("What this text is", [_INTRODUCTION, *(f"Please note: {line}" for line in report.warnings)]),
            ("What we know about you", [*self._findings(report)]),
            ("What it could be", [*self._differential(report)]),
            (
                "What you can ask your doctor",
                _for_doctors([f"{s.text} [{s.disease}; {s.reference}]" for s in report.next_steps]),
            ),
            (
                "What is not right for you, as far as we know",
                _for_doctors([f"{left.objection} [{left.disease}; {left.reference}]" for left in report.left_out]),
            ),
            ("What we did not understand", [f"{line}." for line in (understanding(report),) if line]),
        )
        sections = ("\n".join([f"# {title}", *map(printable, lines)]) for title, lines in parts if lines)
        return "\n\n".join(sections) + "\n"

    def _findings(self, report: DiagnosticReport) -> Iterator[str]:
        told = [f for f in report.findings if f.presence in _SAID and (f.origin, f.presence) != ("image", "absent")]
        for finding in told or [f for f in report.findings if f.presence in _SAID]:
            sides = {"left": " (left side)", "right": " (right side)", "bilateral": " (both sides)"}
            side = sides.get(finding.laterality or "", "")
            source = f" [{finding.concept.curie}]" if finding.concept else ""
            yield f"{_SAID[finding.presence][finding.origin]}: {self._name(finding)}{side}.{source}"

    def _differential(self, report: DiagnosticReport) -> Iterator[str]:
        if report.abstention:
            yield f"We cannot name an illness: {report.abstention}."
        stated = {f.concept.curie: self._name(f) for f in report.findings if f.concept}
        for d in report.diagnoses:
            name = self._names.get(d.concept.curie, d.concept.name)
            other = "" if name == d.concept.name else f" Doctors call it: {d.concept.name}."
            yield f"{d.rank}. {name}. The chance is {percent(d.probability)}.{other} [{d.concept.curie}]"
            for stance, words in (("supports", "This fits with it"), ("contradicts", "This speaks against it")):
                if reasons := _reasons(d, stance, stated):
                    yield f"   {words}: {'; '.join(reasons)}."
        yield f"It may be none of these. The chance of that is {percent(report.none_of_these)}."

    def _name(self, finding: Finding) -> str:
        own = in_words(finding.label)
        return self._names.get(finding.concept.curie, own) if finding.concept else own


def _for_doctors(lines: list[str]) -> list[str]:
    return ["This is in doctors' words. Ask what it means.", *lines] if lines else []


def grade(text: str) -> float:
    """The Flesch-Kincaid grade of ``text`` (Kincaid 1975): the school year in which it can be read. Headings, sources
    in brackets and numbering are left out; syllables are groups of vowels, a silent e at the end left out, at least one
    a word."""
    text = re.sub(r"\[[^]]*\]|^#.*$|^\d+\. ", "", text, flags=re.M)
    words = re.findall(r"[A-Za-z]+", text)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower())))) for word in words)
    sentences = len(re.findall(r"[.:;!?](?:\s|$)", text))
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def _reasons(diagnosis: Diagnosis, stance: str, stated: Mapping[str, str]) -> list[str]:
    """The heaviest findings and words of a stance, by falling weight, each once."""
    pieces = [e for e in diagnosis.evidence if e.stance == stance and e.kind in ("finding", "words")]
    ordered = sorted(pieces, key=lambda e: (-abs(e.weight), e.kind, e.reference))
    said = (f"{stated.get(e.reference, e.text)} [{e.reference}]" for e in ordered)
    return list(dict.fromkeys(said))[:_MOST_REASONS]


def printable(line: str) -> str:
    """``line`` as one line: what is not printed (line ends, escapes of a terminal, marks of direction) is a blank."""
    return "".join(c if c.isprintable() else " " for c in line).rstrip()


def concepts_of(report: DiagnosticReport) -> frozenset[str]:
    """The CURIEs that the plain text names."""
    found: Iterable[str] = (f.concept.curie for f in report.findings if f.concept)
    return frozenset((*found, *(d.concept.curie for d in report.diagnoses)))


def lay_names(terms: Path, curies: Collection[str]) -> dict[str, str]:
    """The shortest layperson name of each concept that has one (ties by the alphabet), from the graph's terms.parquet.

    Empty when there is no such file: the plain text then uses the concepts' own names.
    """
    from pyarrow import parquet

    if not terms.is_file() or not curies:
        return {}
    rules = [("kind", "=", "layperson"), ("curie", "in", sorted(curies))]
    rows = parquet.read_table(terms, columns=["curie", "text"], filters=rules).to_pylist()
    best: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (len(row["text"]), row["text"])):
        best.setdefault(row["curie"], row["text"])
    return best
