"""Real patients in words whose diagnosis is known, from several sources: what weights and probabilities are fitted on,
one source left out in turn.

A source is a JSON lines file of {id, note (or text), accept, age?, sex?, licence?, named?}. The right diagnoses of a
case are those whose names ``accept`` matches. Without ``accept``, or with "none of these", the patient is ill elsewhere
than in the chest. Rows under a non-commercial licence, and those whose note names the diagnosis, are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import InputError
from fusion.intake import Intake, Patient
from fusion.workup import Case
from kg.graph import KnowledgeGraph

_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCase:
    """A patient as read: ``right`` bool (D,), the diseases that are a right answer, none where the graph lacks it;
    ``outside``: his disease is not one of the chest."""

    source: str
    case_id: str
    case: Case
    right: np.ndarray
    outside: bool


def sources(paths: Iterable[Path]) -> list[Path]:
    """The JSON lines files among ``paths`` and in the folders among them, sorted by name."""
    found = {file for path in paths for file in (path.rglob("*.jsonl") if path.is_dir() else (path,))}
    return sorted(found, key=lambda file: file.stem)


def text_cases(files: Sequence[Path], intake: Intake, graph: KnowledgeGraph, disease: np.ndarray) -> Iterator[TextCase]:
    """The patients of the files whose note says something, in order; ``disease`` int (D,): nodes of the candidates.

    Raises InputError naming file and line when a row is no case.
    """
    names = [graph.name(int(node)) for node in disease]
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                note, accept = row.get("note") or row["text"], row.get("accept")
                pattern = re.compile(accept, re.IGNORECASE) if accept else None
            except (json.JSONDecodeError, KeyError, TypeError, re.error) as error:
                raise InputError(
                    f"{file.name}, line {number}: not a case", value=error, expected="{id, note, accept}"
                ) from error
            if row.get("named") or "NC" in str(row.get("licence", "")):
                continue
            patient = Patient(note=note, age=_age(row.get("age")), sex=_SEXES.get(str(row.get("sex") or "").lower()))
            case = intake.gather(patient).case
            if not case.worded:
                continue
            right = np.array([pattern is not None and bool(pattern.search(name)) for name in names])
            outside = accept in (None, "none of these")
            yield TextCase(source=file.stem, case_id=str(row["id"]), case=case, right=right, outside=outside)


def _age(said: object) -> float | None:
    try:
        years = float(str(said))
    except ValueError:
        return None
    return years if 0 <= years <= 130 else None
