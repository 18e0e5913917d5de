"""Fitting how sure to be to a place, on its patients in words whose diagnosis is known.

Three numbers beside the shipped calibration, pulled towards it, so that few patients move little: the temperature times
e^a, and the log odds of "none of these" times c, plus b; then the probability from which on a diagnosis cannot be
ruled out. The order of the diseases is what it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import InputError, UnknownConceptError
from fusion.calibration import (
    COVERAGE,
    Calibration,
    conformal_threshold,
    expected_calibration_error,
)
from fusion.intake import Patient
from fusion.local import SURENESS, Sureness
from fusion.scorer import Parts, questions
from fusion.training import words_fit
from fusion.training.text_cases import TextCase
from fusion.workup import Workup
from learning import kept
from learning.adapt import LOCAL

if TYPE_CHECKING:
    from fusion.pipeline import Pipeline
    from fusion.training.words_fit import Listed

LEAST_PATIENTS = 30
NONE_OF_THESE = "none of these"
# Patients that the shipped numbers are worth.
STRENGTH = 10.0
_FOLDS = 10
_LEAST_COVERED = 0.85
_EXPECTED = '{"note": "…", "diagnosis": "a name, a CURIE, or none of these", "age": …, "sex": "F" or "M"}'
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The numbers for the place, and how they do on patients that took no part in them, before (as shipped) and after:
    mean -ln p of what was right, expected calibration error of the first diagnosis, the share of patients whose
    diagnosis was not ruled out, and how many diagnoses were not, on average. ``outside``: so many of the ``n`` have a
    disease that is none of the chest; ``left_out``: diagnoses that the graph does not know."""

    sureness: Sureness
    n: int
    outside: int
    loss: tuple[float, float]
    calibration: tuple[float, float]
    coverage: tuple[float, float]
    set_size: tuple[float, float]
    left_out: tuple[str, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it is worse; () when it may be used."""
        said = []
        if self.loss[1] >= self.loss[0]:
            said.append(f"right diagnoses are no likelier (mean -ln p {self.loss[0]:.3f} → {self.loss[1]:.3f})")
        if self.coverage[1] < min(self.coverage[0], _LEAST_COVERED):
            said.append(f"more right diagnoses are ruled out (covered {self.coverage[0]:.2f} → {self.coverage[1]:.2f})")
        return tuple(said)


def patients(
    path: Path, pipeline: Pipeline, left_out: list[str], progress: Progress | None = None
) -> Iterator[TextCase]:
    """The patients of a JSON lines file, a row each: ``note``; ``diagnosis`` (a name or CURIE; "none of these": no
    disease of the chest) or ``accept`` (a pattern of names that are right); perhaps ``age`` and ``sex``. A kind of the
    diagnosis is right, too. One that the graph does not know is added to ``left_out``. Raises InputError naming the
    line."""
    graph, disease = pipeline.graph, pipeline.room.disease
    names = [graph.name(int(node)) for node in disease]
    try:
        lines = [line for line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1) if line[1].strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the patients", value=path, expected=f"JSON lines: {_EXPECTED}") from error
    for done, (number, line) in enumerate(lines, 1):
        try:
            row = json.loads(line)
            note, said = row["note"], str(row.get("diagnosis") or "").strip()
            pattern = re.compile(row["accept"], re.IGNORECASE) if row.get("accept") else None
            age, sex = row.get("age"), row.get("sex")
            whole = isinstance(note, str) and bool(said or pattern)
            patient = Patient(note=note, age=None if age is None else float(age), sex=sex)
        except (ValueError, KeyError, TypeError, AttributeError, re.error):
            whole = False
        if not whole:
            raise InputError(f"{path.name}, line {number}: not a patient", value=line[:60], expected=_EXPECTED)
        outside = (said or row["accept"]).lower() == NONE_OF_THESE
        if outside:
            right = np.zeros(len(disease), bool)
        elif pattern is not None:
            right = np.array([bool(pattern.search(name)) for name in names])
        else:
            try:
                node = graph.node(graph.find(said))
            except (UnknownConceptError, InputError):
                left_out.append(said)
                continue
            right = np.array([node in graph.ancestor_nodes(int(own)) for own in disease])
        if progress:
            progress("reading patients", done, len(lines))
        case = pipeline.intake.gather(patient).case
        if case.worded:
            yield TextCase(
                family=path.stem,
                source=path.name,
                case_id=str(number),
                case=case,
                right=right,
                outside=outside,
            )


def fit(cases: Sequence[Listed], shipped: Calibration, reasoner: str, *, left_out: Sequence[str] = ()) -> Fitted:
    """The numbers on all ``cases``, judged on each by those of the others (ten parts). Raises InputError when there are
    too few of whom something right can be said."""
    told = [c for c in cases if c.outside or c.right.any()]
    if len(told) < LEAST_PATIENTS or not any(c.right.any() for c in told):
        raise InputError(
            "too few patients with a diagnosis",
            value=len(told),
            expected=f"{LEAST_PATIENTS} or more whose diagnosis the graph knows",
        )
    part = np.random.default_rng(0).permutation(len(told)) % _FOLDS
    before = [judged(c, shipped) for c in told]
    after: list[tuple[float, float, bool, bool, int]] = []
    order: list[int] = []
    for held in range(_FOLDS):
        calibration = fitted([c for c, p in zip(told, part, strict=True) if p != held], shipped)
        for i in np.flatnonzero(part == held).tolist():
            after.append(judged(told[i], calibration))
            order.append(i)
    final = fitted(told, shipped)
    inside = np.array([not c.outside for c in told])
    figures = [_figures(rows, inside[at]) for rows, at in ((before, np.arange(len(told))), (after, np.array(order)))]
    loss, error, covered, size = zip(*figures, strict=True)
    return Fitted(
        sureness=Sureness(
            reasoner=reasoner,
            temperature=final.temperature,
            none=final.none,
            conformal_threshold=final.conformal_threshold,
            n=len(told),
        ),
        n=len(told),
        outside=int((~inside).sum()),
        loss=loss,
        calibration=error,
        coverage=covered,
        set_size=size,
        left_out=tuple(sorted(set(left_out))),
    )


def _figures(rows: Sequence[tuple[float, float, bool, bool, int]], inside: np.ndarray) -> tuple[float, ...]:
    loss, first, right, covered, size = (np.array(column) for column in zip(*rows, strict=True))
    return (
        round(float(-loss.mean()), 4),
        round(expected_calibration_error(first, right.astype(float)), 4),
        round(float(covered[inside].mean()), 4),
        round(float(size.mean()), 1),
    )


def judged(case: Listed, calibration: Calibration) -> tuple[float, float, bool, bool, int]:
    """ln p of what is right; the probability of the first diagnosis, and whether it is right; whether a right one is
    not ruled out; and how many are not."""
    p = _probabilities(case, calibration)
    kept = float(p[-1] if case.outside else p[:-1][case.right].sum())
    members, first = p >= calibration.conformal_threshold, int(np.argmax(p[:-1]))
    covered = bool(members[:-1][case.right].any())
    return float(np.log(max(kept, 1e-12))), float(p[first]), bool(case.right[first]), covered, int(members[:-1].sum())


def _probabilities(case: Listed, calibration: Calibration) -> np.ndarray:
    """float64 (K + R + 1,), "none of these" last."""
    return calibration.with_rest(np.append(case.scores(calibration.gate), 0.0), case.known)


def fitted(cases: Sequence[Listed], shipped: Calibration) -> Calibration:
    """The calibration of the least mean -ln p of what is right over the cases and STRENGTH more that want what was
    shipped."""
    from scipy.optimize import minimize

    def moved(x: np.ndarray) -> Calibration:
        none = np.array(shipped.none) * x[2]
        if len(none):
            none[0] += x[1]
        return replace(shipped, temperature=float(shipped.temperature * np.exp(x[0])), none=tuple(none.tolist()))

    def loss(x: np.ndarray) -> float:
        calibration = moved(x)
        total = -sum(judged(case, calibration)[0] for case in cases)
        return total / len(cases) + STRENGTH / len(cases) * float(x[0] ** 2 + x[1] ** 2 + (x[2] - 1) ** 2)

    bounds = [(-2.0, 2.0), (-5.0, 5.0), (0.0, 3.0)]
    best = moved(minimize(loss, np.array([0.0, 0.0, 1.0]), method="L-BFGS-B", bounds=bounds).x)
    told = [_probabilities(c, best)[:-1][c.right].max() for c in cases if c.right.any() and not c.outside]
    return replace(
        best,
        temperature=round(best.temperature, 4),
        none=tuple(round(w, 4) for w in best.none),
        conformal_threshold=round(conformal_threshold(np.array(told), COVERAGE), 6),
    )


def fit_file(path: Path, pipeline: Pipeline, *, progress: Progress | None = None) -> Fitted:
    """`fit` on a file of patients (`patients`), who are judged by what was shipped, whatever is in use."""
    left_out: list[str] = []
    read = list(patients(path, pipeline, left_out, progress))
    shipped = pipeline.checkpoint.calibration["chest"].words
    ask = partial(_ask, pipeline) if shipped.gate else None
    told = [
        # What the graph has, but not among the diseases of the chest, is "none of these".
        replace(own, outside=own.outside or (bool(text.right.any()) and not own.right.any()))
        for text, own in zip(read, words_fit.listed(read, pipeline.room, ask), strict=True)
    ]
    return fit(told, shipped, pipeline.checkpoint.fingerprint, left_out=left_out)


def _ask(pipeline: Pipeline, text: TextCase) -> tuple[Workup, Parts]:
    workup, _ = pipeline.lay_out(text.case)
    return workup, pipeline.scorer.parts(questions(workup))


def card(found: Fitted) -> dict[str, Any]:
    """What a reader of the version needs."""
    pairs = (
        ("mean -ln p of what was right", found.loss, ".3f"),
        ("calibration error of the first diagnosis", found.calibration, ".3f"),
        ("diagnosis not ruled out, share of the patients", found.coverage, ".3f"),
        ("diagnoses that are not ruled out", found.set_size, ".1f"),
    )
    lines = [f"{found.n} patients, {found.outside} of them with a disease that is none of the chest"]
    lines += [f"{name}: {before:{how}} → {after:{how}}" for name, (before, after), how in pairs]
    if found.left_out:
        lines.append(f"left out, the graph does not know: {', '.join(found.left_out[:5])}")
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    held_out = "each patient by numbers that were fitted without"
    return {"made": made, "what": "calibration of the reasoner", "held_out": held_out, "lines": lines}


def keep(home: Path, found: Fitted, *, said: dict[str, Any] | None = None) -> int:
    """Write it as a new version of the home, and use it; returns its number. Raises ArtifactError when it is worse than
    what is shipped."""
    return kept.keep(
        home / LOCAL,
        {SURENESS: found.sureness.text()},
        card(found) | (said or {}),
        what="the local calibration",
        refusals=found.refusals,
        expected="right diagnoses likelier on held-out patients, and covered",
    )
