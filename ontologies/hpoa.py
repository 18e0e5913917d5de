"""HPO annotations of diseases (phenotype.hpoa) → diseases and their phenotypes with frequencies.

Format: https://hpo-annotation-qc.readthedocs.io (phenotype.hpoa, twelve tab-separated columns).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from errors import InputError
from ontologies.concept import DISEASE, Concept, Relation, Statement, Term
from ontologies.prefix import canonical_curie

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


def read(path: Path) -> Iterator[Statement]:
    """Stream phenotype.hpoa: each disease at its first row (Concept), each of its names once (Term; the first is
    "preferred", others "exact"), and one Relation for each row.

    - aspect P (phenotypic abnormality): "has_phenotype", or "excludes_phenotype" when the qualifier is NOT;
    - aspects I (inheritance), C (onset and course), M (modifier), H (past medical history): "related_to"; with NOT,
      nothing.
    - ``frequency`` from "n/m" (then ``count`` is (n, m)), from a percentage, or the midpoint of an HPO frequency term
      (FREQUENCY_TERMS); None when the column is empty. A phenotype that the frequency term calls excluded is
      "excludes_phenotype"; one that none of m patients had stays "has_phenotype" with count (0, m), because other rows
      may count patients who do have it (``ontologies.merge`` decides on the pooled count).
    - ``reference``: the row's references, sorted, joined by ";".
    The onset, sex and modifier columns of a row (1.0 %, 0.2 % and 0.3 % of the rows) are not kept. Several rows may
    say the
    same of a disease and a phenotype; ``ontologies.merge`` pools them.

    Raises InputError when the file is missing, has no header line, or a row is malformed; the message gives the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such HPOA file", value=path)
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            yield from _rows(lines, path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path.name}", value=error, expected="UTF-8 text") from error


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


def _rows(lines: Iterator[str], path: Path) -> Iterator[Statement]:
    source, header = "HPOA", False
    names: dict[str, set[str]] = {}
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if line.startswith("#") and not header:
            if line.lower().startswith(("#version:", "#date:")):
                source = f"HPOA {line.partition(':')[2].strip()}"
            if not line.lower().startswith("#databaseid"):
                continue
        if not line:
            continue
        cells = line.split("\t")
        if not header:
            if len(cells) != len(COLUMNS) or cells[0].lstrip("#").lower().replace("_", "") != "databaseid":
                raise InputError(f"{path.name}, line {number}: no HPOA header", value=line, expected="\t".join(COLUMNS))
            header = True
            continue
        if len(cells) != len(COLUMNS):
            raise InputError(
                f"{path.name}, line {number}: {len(cells)} columns", value=line, expected=f"{len(COLUMNS)} columns"
            )
        disease = canonical_curie(cells[0])
        phenotype = canonical_curie(cells[3])
        if disease is None or phenotype is None or not cells[1]:
            bad = cells[0] if disease is None else cells[3] if phenotype is None else "no disease name"
            raise InputError(
                f"{path.name}, line {number}: not an annotation", value=bad, expected="known CURIEs and a name"
            )
        if disease not in names:
            system, _, code = disease.partition(":")
            yield Concept(curie=disease, name=cells[1], semantic_types=(DISEASE,), codes={system: (code,)})
        known = names.setdefault(disease, set())
        if cells[1] not in known:
            yield Term(curie=disease, text=cells[1], kind="exact" if known else "preferred", source=source)
            known.add(cells[1])
        try:
            frequency, count = parse_frequency(cells[7].strip())
        except ValueError as error:
            raise InputError(
                f"{path.name}, line {number}: not a frequency",
                value=cells[7],
                expected="n/m, a percentage, or an HP term",
            ) from error
        if cells[10] not in _ASPECTS or cells[2] not in ("", "NOT"):
            raise InputError(
                f"{path.name}, line {number}: not an aspect or qualifier",
                value=f"{cells[10]} {cells[2]}",
                expected="aspect P, I, C, M or H; qualifier empty or NOT",
            )
        excluded = cells[2] == "NOT" or cells[7].strip() == _EXCLUDED
        predicate = _ASPECTS[cells[10]]
        if excluded:
            if predicate != "has_phenotype":
                continue
            predicate = "excludes_phenotype"
            frequency, count = (None, None) if cells[2] == "NOT" else (frequency, count)
        yield Relation(
            subject=disease,
            predicate=predicate,
            object=phenotype,
            source=source,
            frequency=frequency,
            reference=";".join(sorted({part.strip() for part in cells[4].split(";") if part.strip()})),
            count=count,
        )
    if not header:
        raise InputError(f"{path.name} has no HPOA header", value=path, expected="\t".join(COLUMNS))
