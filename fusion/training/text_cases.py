"""Real patients in words whose diagnosis is known, from several sources: what weights and probabilities are fitted on,
one source left out in turn.

Sources are given in families, a file or a folder of files each: textbook notes, real reports, patients ill elsewhere. A
source is a JSON lines file of {id, note (or text), accept, age?, sex?, licence?, named?}. The right diagnoses of a
case are those whose names ``accept`` matches. Without ``accept``, or with "none of these", the patient is ill elsewhere
than in the chest. Rows under a non-commercial licence, and those whose note names the diagnosis, are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
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

    family: str
    source: str
    case_id: str
    case: Case
    right: np.ndarray
    outside: bool


def text_cases(
    families: Sequence[Path], intake: Intake, graph: KnowledgeGraph, disease: np.ndarray
) -> Iterator[TextCase]:
    """The patients whose note says something, by family (a JSON lines file, or a folder of them) and file;
    ``disease`` int (D,): nodes of the candidates.

    Raises InputError naming file and line when a row is no case, or when there is no file.
    """
    names = [graph.name(int(node)) for node in disease]
    files = [(family, file) for family in families for file in _files(family)]
    for family, file in files:
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
            yield TextCase(
                family=family.stem,
                source=f"{family.stem}/{file.stem}",
                case_id=str(row["id"]),
                case=case,
                right=right,
                outside=outside,
            )


def _files(family: Path) -> list[Path]:
    found = sorted(family.rglob("*.jsonl")) if family.is_dir() else [family] if family.is_file() else []
    if not found:
        raise InputError("no patients in words there", value=family, expected="JSON lines, or a folder of them")
    return found


def _age(said: object) -> float | None:
    try:
        years = float(str(said))
    except ValueError:
        return None
    return years if 0 <= years <= 130 else None
