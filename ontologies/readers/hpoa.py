"""HPO annotations of diseases (phenotype.hpoa) → diseases and their phenotypes with frequencies.

Format: https://hpo-annotation-qc.readthedocs.io (phenotype.hpoa, twelve tab-separated columns).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from errors import InputError
from ontologies.concept import DISEASE, Concept, Relation, Statement, Term
from ontologies.prefix import canonical_curie
from ontologies.problem import Problem, Report, stop, text_lines
from ontologies.sources.archive import Member, member

COLUMNS = (
    "database_id",
    "disease_name",
    "qualifier",
    "hpo_id",
    "reference",
    "evidence",
    "onset",
    "frequency",
    "sex",
    "modifier",
    "aspect",
    "biocuration",
)

# Midpoints of the intervals that HPO defines for its frequency terms: obligate 100 %, very frequent 80–99 %, frequent
# 30–79 %, occasional 5–29 %, very rare 1–4 %, excluded 0 %.
FREQUENCY_TERMS = {
    "HP:0040280": 1.0,
    "HP:0040281": 0.895,
    "HP:0040282": 0.545,
    "HP:0040283": 0.17,
    "HP:0040284": 0.025,
    "HP:0040285": 0.0,
}

_EXCLUDED = "HP:0040285"
_ASPECTS = {"P": "has_phenotype", "I": "related_to", "C": "related_to", "M": "related_to", "H": "related_to"}

_COUNT = re.compile(r"(\d+)\s*/\s*(\d+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def read(path: Path | Member, *, report: Report = stop) -> Iterator[Statement]:
    """Stream phenotype.hpoa: each disease at its first row (Concept), each of its names once (Term; the first is
    "preferred", others "exact"), and one Relation for each row.

    - aspect P (phenotypic abnormality): "has_phenotype", or "excludes_phenotype" when the qualifier is NOT;
    - aspects I (inheritance), C (onset and course), M (modifier), H (past medical history): "related_to"; with NOT,
      nothing.
    - ``frequency`` from "n/m" (then ``count`` is (n, m)), from a percentage, or the midpoint of an HPO frequency term
      (FREQUENCY_TERMS); None when the column is empty. A phenotype that the frequency term calls excluded is
      "excludes_phenotype"; one that none of m patients had stays "has_phenotype" with count (0, m), because other rows
      may count patients who do have it (``ontologies.merging.merge`` decides on the pooled count).
    - ``reference``: the row's references, sorted, joined by ";".
    The onset, sex and modifier columns of a row (1.0 %, 0.2 % and 0.3 % of the rows) are not kept. Several rows may
    say the
    same of a disease and a phenotype; ``ontologies.merging.merge`` pools them.

    Raises InputError when the file is missing, has no header line, or (by default) at a malformed row; with ``report``
    such a row is reported, with its line, and left out.
    """
    yield from _Annotations(member(path), report).statements()


def parse_frequency(text: str) -> tuple[float | None, tuple[int, int] | None]:
    """(share in [0, 1] or None, (n, m) or None) of a frequency column. Raises ValueError when it is none of the
    three forms."""
    if not text:
        return None, None
    if text in FREQUENCY_TERMS:
        return FREQUENCY_TERMS[text], None
    if counted := _COUNT.fullmatch(text):
        shown, examined = int(counted[1]), int(counted[2])
        if examined == 0 or shown > examined:
            raise ValueError(text)
        return shown / examined, (shown, examined)
    if percent := _PERCENT.fullmatch(text):
        share = float(percent[1]) / 100
        if share > 1:
            raise ValueError(text)
        return share, None
    raise ValueError(text)


class _Malformed(ValueError):
    """(what is wrong with a row, the value, what was expected)."""


@dataclass(slots=True)
class _Annotations:
    file: Member
    report: Report
    source: str = "HPOA"
    names: dict[str, set[str]] = field(default_factory=dict)  # disease → the names it had so far

    def statements(self) -> Iterator[Statement]:
        header = False
        for number, line in text_lines(self.file, self.report):
            if not header and line.startswith("#") and not line.lower().startswith("#databaseid"):
                if line.lower().startswith(("#version:", "#date:")):
                    self.source = f"HPOA {line.partition(':')[2].strip()}"
            elif line:
                cells = line.split("\t")
                if header:
                    try:
                        yield from self._row(cells)
                    except _Malformed as error:
                        reason, value, expected = error.args
                        name = self.file.base
                        self.report(Problem(file=name, line=number, reason=reason, value=value, expected=expected))
                elif len(cells) != len(COLUMNS) or cells[0].lstrip("#").lower().replace("_", "") != "databaseid":
                    expected = "\t".join(COLUMNS)
                    raise Problem(
                        file=self.file.base, line=number, reason="no HPOA header", value=line, expected=expected
                    ).error()
                else:
                    header = True
        if not header:
            raise InputError(f"{self.file.base} has no HPOA header", expected="\t".join(COLUMNS))

    def _row(self, cells: list[str]) -> list[Statement]:
        if len(cells) != len(COLUMNS):
            raise _Malformed(f"{len(cells)} columns", "\t".join(cells), f"{len(COLUMNS)} columns")
        disease, phenotype = canonical_curie(cells[0]), canonical_curie(cells[3])
        if disease is None or phenotype is None or not cells[1]:
            bad = cells[0] if disease is None else cells[3] if phenotype is None else "no disease name"
            raise _Malformed("not an annotation", bad, "known CURIEs and a name")
        try:
            frequency, count = parse_frequency(cells[7].strip())
        except ValueError as error:
            raise _Malformed("not a frequency", cells[7], "n/m, a percentage, or an HP term") from error
        if cells[10] not in _ASPECTS or cells[2] not in ("", "NOT"):
            expected = "aspect P, I, C, M or H; qualifier empty or NOT"
            raise _Malformed("not an aspect or qualifier", f"{cells[10]} {cells[2]}", expected)
        found = self._disease(disease, cells[1])
        predicate = _ASPECTS[cells[10]]
        if cells[2] == "NOT" or cells[7].strip() == _EXCLUDED:
            if predicate != "has_phenotype":
                return found
            predicate = "excludes_phenotype"
            frequency, count = (None, None) if cells[2] == "NOT" else (frequency, count)
        relation = Relation(
            subject=disease,
            predicate=predicate,
            object=phenotype,
            source=self.source,
            frequency=frequency,
            reference=";".join(sorted({part.strip() for part in cells[4].split(";") if part.strip()})),
            count=count,
        )
        return [*found, relation]

    def _disease(self, curie: str, name: str) -> list[Statement]:
        """What the row is the first to say of its disease: that there is one, and this name of it."""
        found: list[Statement] = []
        if curie not in self.names:
            system, _, code = curie.partition(":")
            found.append(Concept(curie=curie, name=name, semantic_types=(DISEASE,), codes={system: (code,)}))
        known = self.names.setdefault(curie, set())
        if name not in known:
            found.append(Term(curie=curie, text=name, kind="exact" if known else "preferred", source=self.source))
            known.add(name)
        return found
