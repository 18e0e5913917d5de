"""Published patients, read from JSON lines or GA4GH phenopackets, as cases of the graph."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import InputError
from fusion.workup import Case, Observed
from kg.graph import KnowledgeGraph
from ontologies.concept import Presence
from ontologies.prefix import written_curie


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCase:
    """A row of a cases file: findings observed and excluded (any CURIEs), the disease's CURIE, the publication's PMID
    CURIE."""

    case_id: str
    disease: str
    observed: tuple[str, ...]
    excluded: tuple[str, ...]
    age: float | None
    sex: str | None
    pmid: str


def in_validation(disease: str) -> bool:
    """The split by disease: one disease in five, by hash."""
    return int(hashlib.sha256(disease.encode()).hexdigest()[:8], 16) % 5 == 0


def _years(age: str | None) -> float | None:
    """Years of an ISO 8601 duration ("P34Y6M"), None when it is not one."""
    match = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?", age or "")
    if not match or not any(match.groups()):
        return None
    years, months, weeks, days = (int(x or 0) for x in match.groups())
    return years + months / 12 + weeks / 52.18 + days / 365.25


def read_cases(path: Path) -> Iterator[PublishedCase]:
    """Cases of a JSON lines file (id, observed, excluded, sex, age, disease_id, pmid), or of a folder of GA4GH
    phenopackets.

    Raises InputError naming file and line when a row cannot be read; an empty file is an error, not no cases.
    """
    if not path.exists():
        raise InputError("no such cases file", value=path, expected="a JSON lines file or a folder of phenopackets")
    rows = (_phenopacket(p) for p in sorted(path.glob("*.json"))) if path.is_dir() else _json_lines(path)
    count = 0
    for where, row in rows:
        count += 1
        try:
            yield PublishedCase(
                case_id=str(row["id"]),
                disease=written_curie(str(row["disease_id"])) or str(row["disease_id"]),
                observed=tuple(row["observed"]),
                excluded=tuple(row.get("excluded") or ()),
                age=_years(row.get("age")),
                sex={"MALE": "M", "FEMALE": "F", "M": "M", "F": "F"}.get(str(row.get("sex") or "").upper()),
                pmid=str(row.get("pmid") or ""),
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                "a case cannot be read", value=where, expected="id, disease_id, observed, excluded, sex, age, pmid"
            ) from error
    if not count:
        raise InputError("no cases", value=path, expected="at least one case")


def _json_lines(path: Path) -> Iterator[tuple[str, dict]]:
    with path.open("rb") as lines:  # as bytes, so that a byte order mark is seen
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield f"{path.name}:{number}", json.loads(line)
                except ValueError as error:
                    raise InputError(
                        "not a JSON line", value=f"{path.name}:{number}", expected="one JSON object a line, in UTF-8"
                    ) from error


def _phenopacket(path: Path) -> tuple[str, dict]:
    """A GA4GH phenopacket as a row of a cases file: schema 2 ("excluded") or 1 ("negated"), fields in camelCase or, as
    Protocol Buffers also write them, in snake_case."""
    try:
        packet = _camel(json.loads(path.read_bytes()))
        features = packet.get("phenotypicFeatures", [])
        subject = packet.get("subject", {})
        diseases = [i["diagnosis"]["disease"]["id"] for i in packet.get("interpretations", []) if "diagnosis" in i]
        diseases += [d["term"]["id"] for d in packet.get("diseases", []) if not _denied(d)]
        references = [
            r["id"]
            for r in packet.get("metaData", {}).get("externalReferences", [])
            if r.get("id", "").startswith("PMID:")
        ]
        return path.name, {
            "id": packet["id"],
            "disease_id": diseases[0],
            "observed": [f["type"]["id"] for f in features if not _denied(f)],
            "excluded": [f["type"]["id"] for f in features if _denied(f)],
            "sex": subject.get("sex"),
            "age": subject.get("timeAtLastEncounter", {}).get("age", {}).get("iso8601duration")
            or subject.get("ageAtCollection", {}).get("age"),
            "pmid": references[0] if references else "",
        }
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            "not a phenopacket with a diagnosis",
            value=path.name,
            expected="a GA4GH phenopacket of schema 1 or 2 as JSON",
        ) from error


def _denied(feature: dict) -> bool:
    return bool(feature.get("excluded") or feature.get("negated"))


def _camel(value: Any) -> Any:
    """JSON whose field names are in camelCase."""
    if isinstance(value, dict):
        return {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), str(name)): _camel(v) for name, v in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def to_case(published: PublishedCase, graph: KnowledgeGraph) -> tuple[Case, tuple[str, ...]]:
    """The case in the graph's concepts, and the findings the graph does not know, as they are written. Ids may be in
    any usual spelling. A finding both observed and excluded is observed."""
    known = {written: graph.written(written) for written in (*published.observed, *published.excluded)}
    unknown = tuple(written for written, curie in known.items() if curie is None)
    presence: dict[str, Presence] = {c: "absent" for w in published.excluded if (c := known[w]) is not None}
    presence |= {c: "present" for w in published.observed if (c := known[w]) is not None}
    observed = tuple(Observed(curie=c, presence=p) for c, p in sorted(presence.items()))
    return Case(observed=observed, age=published.age, sex=published.sex), unknown
