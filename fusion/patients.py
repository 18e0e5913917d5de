"""Patients to learn from: simulated from annotations, or read from published cases."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import InputError
from fusion.prior import NORMAL
from fusion.workup import Case, Observed
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel
from ontologies.concept import Presence

# A detector with the separation d' has an AUROC of Φ(d'/√2) and gives log likelihood ratios ~ N(±d'²/2, d'²) (signal
# detection theory, Green and Swets 1966). This one has .80.
_DETECTOR_D = 1.2
_LEAST_IMPRECISE_INFORMATION = 2.0
_MOST_FINDINGS = 12


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
                disease=str(row["disease_id"]),
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
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield f"{path.name}:{number}", json.loads(line)
                except json.JSONDecodeError as error:
                    raise InputError(
                        "not a JSON line", value=f"{path.name}:{number}", expected="one JSON object a line"
                    ) from error


def _phenopacket(path: Path) -> tuple[str, dict]:
    """A GA4GH phenopacket (schema 2) as a row of a cases file."""
    try:
        packet = json.loads(path.read_text(encoding="utf-8"))
        features = packet.get("phenotypicFeatures", [])
        subject = packet.get("subject", {})
        diseases = [i["diagnosis"]["disease"]["id"] for i in packet.get("interpretations", [])]
        diseases += [d["term"]["id"] for d in packet.get("diseases", []) if not d.get("excluded")]
        references = [
            r["id"]
            for r in packet.get("metaData", {}).get("externalReferences", [])
            if r.get("id", "").startswith("PMID:")
        ]
        return path.name, {
            "id": packet["id"],
            "disease_id": diseases[0],
            "observed": [f["type"]["id"] for f in features if not f.get("excluded")],
            "excluded": [f["type"]["id"] for f in features if f.get("excluded")],
            "sex": subject.get("sex"),
            "age": subject.get("timeAtLastEncounter", {}).get("age", {}).get("iso8601duration"),
            "pmid": references[0] if references else "",
        }
    except (json.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            "not a phenopacket with a diagnosis", value=path.name, expected="GA4GH phenopacket schema 2 as JSON"
        ) from error


def to_case(published: PublishedCase, graph: KnowledgeGraph) -> tuple[Case, tuple[str, ...]]:
    """The case in the graph's concepts, and the findings the graph does not know. A finding both observed and
    excluded is observed."""
    unknown = tuple(c for c in (*published.observed, *published.excluded) if c not in graph)
    presence: dict[str, Presence] = {graph.resolve(c): "absent" for c in published.excluded if c in graph}
    presence |= {graph.resolve(c): "present" for c in published.observed if c in graph}
    observed = tuple(Observed(curie=c, presence=p) for c, p in sorted(presence.items()))
    return Case(observed=observed, age=published.age, sex=published.sex), unknown


class PatientSimulator:
    """Draws patients of a disease from its annotations: each finding with its frequency, some named less precisely,
    some that have nothing to do with it, some looked for and absent.

    ``imaging`` maps the nodes that a detector reports to region embeddings (float32 (n, R)) of images that show them:
    in an imaged patient these findings come with a detector's odds and a region instead of certainty. ``separation``
    maps them to the detector's d' for them.
    """

    def __init__(
        self,
        likelihood: LikelihoodModel,
        imaging: Mapping[int, np.ndarray] | None = None,
        separation: Mapping[int, float] | None = None,
    ) -> None:
        self.likelihood, self.graph, self.imaging = likelihood, likelihood.graph, dict(imaging or {})
        self.separation = dict(separation or {})

    def draw(
        self, row: int, rng: np.random.Generator, *, imaged: bool = False, others: np.ndarray | None = None
    ) -> Case:
        """One patient of ``annotations.disease[row]``; ``others`` (rows) are diseases from which noise and absent
        findings come."""
        annotations, graph = self.likelihood.annotations, self.graph
        pool = np.arange(len(annotations.disease)) if others is None else others
        terms, frequencies = self._direct(row)
        shown = terms[rng.random(len(terms)) < frequencies]
        if not len(shown) and len(terms):
            shown = terms[[rng.choice(len(terms), p=frequencies / frequencies.sum())]]
        if len(shown) > _MOST_FINDINGS:
            shown = rng.choice(shown, int(rng.integers(3, _MOST_FINDINGS + 1)), replace=False)
        present: set[int] = set()
        for term in shown.tolist():
            if rng.random() < 0.15:
                vague = [
                    p
                    for p in graph.neighbours(term, "is_a").tolist()
                    if graph.information[p] >= _LEAST_IMPRECISE_INFORMATION
                ]
                term = int(rng.choice(vague)) if vague else term
            present.add(term)
        for _ in range(int(rng.poisson(0.4))):
            stray, _ = self._direct(int(rng.choice(pool)))
            if len(stray):
                present.add(int(rng.choice(stray)))
        absent: set[int] = set()
        for _ in range(int(rng.integers(0, 4))):
            looked_for, _ = self._direct(int(rng.choice(pool)))
            if len(looked_for):
                term = int(rng.choice(looked_for))
                if term not in present and rng.random() >= annotations.frequency_of(row, term):
                    absent.add(term)
        observed: list[Observed] = []
        for node in sorted(present | absent):
            if imaged and node in self.imaging:
                continue
            observed.append(Observed(curie=graph.curie(node), presence="present" if node in present else "absent"))
        worded = bool(observed)
        if imaged:
            closure = {int(a) for n in present for a in graph.ancestor_nodes(n)}
            seen = closure & self.imaging.keys() or {graph.node(NORMAL)}
            observed += [self.detect(node, node in seen, rng) for node in sorted(self.imaging)]
        age = float(rng.integers(18, 90)) if imaged and rng.random() < 0.7 else None
        sex = str(rng.choice(["F", "M"])) if rng.random() < 0.7 else None
        return Case(observed=tuple(observed), age=age, sex=sex, worded=worded)

    def detect(self, node: int, shown: bool, rng: np.random.Generator) -> Observed:
        """What a detector would say of a finding that is, or is not, on the image."""
        d = self.separation.get(node, _DETECTOR_D)
        log_odds = rng.normal(d**2 / 2 * (1 if shown else -1), d)
        presence: Presence = "present" if log_odds > 1 else "uncertain" if log_odds > 0.3 else "absent"
        regions = self.imaging[node]
        region = regions[int(rng.integers(len(regions)))] if presence == "present" and len(regions) else None
        return Observed(
            curie=self.graph.curie(node),
            presence=presence,
            odds_ratio=float(np.exp(log_odds)),
            region=region,
            region_ref=f"{self.graph.name(node)}@simulated",
        )

    def _direct(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        annotations = self.likelihood.annotations
        part = slice(annotations.direct_indptr[row], annotations.direct_indptr[row + 1])
        return annotations.direct_term[part], annotations.direct_frequency[part].astype(np.float64)
