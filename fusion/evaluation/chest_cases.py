"""Patients of chest disease whose diagnosis is known, diagnosed one by one: ``whydx eval chest``."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import InputError, WhydxError
from fusion.calibration import expected_calibration_error
from fusion.intake import Patient

if TYPE_CHECKING:
    from fusion.pipeline import Pipeline

Progress = Callable[[str, int, int], None]
SHOWN = 5  # diagnoses whose evidence is weighed, as a user would see them
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
_DEPTHS = (1, 3, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestCase:
    """A patient: ``accept`` matches the names of the right diagnoses (case ignored); with ``group`` accuracy is also
    given as a mean over groups."""

    case_id: str
    patient: Patient
    accept: re.Pattern[str]
    group: str | None = None


def read_cases(path: Path) -> list[ChestCase]:
    """The cases of a JSON lines file: {id, note?, image? (a path beside the file), age?, sex?, accept, group?}.

    Raises InputError naming file and line when a row cannot be read, an id comes twice, an image is not there, or there
    is no row at all.
    """
    found: dict[str, ChestCase] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the cases", value=path, expected="JSON lines") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            case = _case(line, path.parent, f"{path.name}, line {number}")
            if case.case_id in found:
                raise InputError(f"{path.name}, line {number}: an id that was used", value=case.case_id)
            found[case.case_id] = case
    if not found:
        raise InputError("no case in the file", value=path, expected="JSON lines with id, note or image, and accept")
    return list(found.values())


def _case(line: str, folder: Path, where: str) -> ChestCase:
    try:
        row = json.loads(line)
        accept = re.compile(row["accept"], re.IGNORECASE)
        image = folder / row["image"] if row.get("image") else None
        age = row.get("age")
        patient = Patient(
            images=() if image is None else (image,),
            note=row.get("note") or None,
            age=None if age in (None, "") else float(age),
            sex=_SEXES.get(str(row.get("sex") or "").lower()),
        )
        case = ChestCase(case_id=str(row["id"]), patient=patient, accept=accept, group=row.get("group"))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, re.error) as error:
        raise InputError(
            f"{where}: not a case", value=error, expected="{id, note or image, accept, age?, sex?, group?}"
        ) from error
    if image is not None and not image.is_file():
        raise InputError(f"{where}: no such image", value=image)
    return case


def prediction(pipeline: Pipeline, case: ChestCase) -> dict[str, Any]:
    """{id, ranking: [{name, curie, probability, with_kinds}] best first, none_of_these, set: names that cannot be ruled
    out, abstained, seconds}. ``seconds`` is what a user waits for a report with evidence. A patient that cannot be
    diagnosed (an image that is refused) has an empty ranking, is abstained from, and says why ("error")."""
    started = time.perf_counter()
    try:
        gathered = pipeline.intake.gather(case.patient)
    except WhydxError as error:
        return {
            "id": case.case_id,
            "ranking": [],
            "none_of_these": 1.0,
            "set": [],
            "abstained": True,
            "error": str(error),
        }
    workup, found = pipeline.lay_out(gathered.case, gathered.embedding)
    now = pipeline.standing(workup)
    pipeline.report(workup, found, gathered.findings, SHOWN, gathered.warnings)
    names = [c.name for c in workup.candidates]
    ranking = [
        {
            "name": names[i],
            "curie": workup.candidates[i].curie,
            "probability": float(now.probabilities[i]),
            "with_kinds": pipeline.with_kinds(workup, now.probabilities, i),
        }
        for i in now.ranked
    ]
    return {
        "id": case.case_id,
        "ranking": ranking,
        "none_of_these": float(now.probabilities[-1]),
        "set": [names[i] for i in now.ranked if now.members[i]]
        + [pipeline.graph.name(pipeline.graph.node(curie)) for curie in now.others],
        "abstained": now.abstention is not None,
        "seconds": round(time.perf_counter() - started, 3),
    }


def predictions(
    pipeline: Pipeline,
    cases: Sequence[ChestCase],
    done: Mapping[str, dict[str, Any]],
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """One prediction a case, in order; those in ``done`` (by id) are taken from there."""
    for number, case in enumerate(cases, 1):
        yield done.get(case.case_id) or prediction(pipeline, case)
        if progress:
            progress("diagnose", number, len(cases))


def metrics(cases: Sequence[ChestCase], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `whydx eval chest` reports; cases and rows in the same order.

    "top1" … "top10": the right diagnosis is among the first k. "p_right": mean of the probability given to it, the
    larger of its own and that of it with its kinds. "abstained". "ece": expected calibration error of the first.
    "coverage": the conformal set holds it; "set_size". "macro_top5" over groups when every case has one.
    """
    ranks, right, first, groups = [], [], [], defaultdict(list)
    for case, row in zip(cases, rows, strict=True):
        fits = [bool(case.accept.search(d["name"])) for d in row["ranking"]]
        ranks.append(fits.index(True) + 1 if any(fits) else None)
        right.append(max((_shown(d) for d, fit in zip(row["ranking"], fits, strict=True) if fit), default=0.0))
        if row["ranking"]:
            first.append((_shown(row["ranking"][0]), ranks[-1] == 1))
        groups[case.group].append(ranks[-1] is not None and ranks[-1] <= 5)
    n = len(cases)
    out: dict[str, Any] = {"n": n}
    out |= {f"top{k}": round(sum(r is not None and r <= k for r in ranks) / n, 4) for k in _DEPTHS}
    confidence, correct = (np.array([pair[i] for pair in first], float) for i in (0, 1))
    out |= {
        "p_right": round(float(np.mean(right)), 4),
        "abstained": round(sum(bool(r["abstained"]) for r in rows) / n, 4),
        "ece": round(expected_calibration_error(confidence, correct) * len(first) / n, 4),
        "coverage": round(
            sum(any(c.accept.search(m) for m in r["set"]) for c, r in zip(cases, rows, strict=True)) / n, 4
        ),
        "set_size": round(sum(len(r["set"]) for r in rows) / n, 2),
    }
    if None not in groups:
        out["macro_top5"] = round(sum(sum(g) / len(g) for g in groups.values()) / len(groups), 4)
    return out


def _shown(row: Mapping[str, Any]) -> float:
    return max(row.get("probability") or 0.0, row.get("with_kinds") or 0.0)
