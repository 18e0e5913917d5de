"""What is watched: `drift.watch` over a home's audit trail, over its feedback, over folders of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from learning import agreement as agreeing
from learning.drift import LEAST_REFERENCE, Drift, Row, watch
from records import audit, chain, feedback
from records.lines import replace
from vision.films.levels import coarse

if TYPE_CHECKING:
    from collections.abc import Callable

    from vision.films.looks import Looks

BASELINE = 300
LIMIT = 100_000
# Verdicts are fewer than films: one false alarm in a tenth as many.
VERDICTS_OF_RATE = 10
FROM = "monitor.from"  # in the home: the number of the audit record from which on the baseline is taken


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """``of``: what was watched ("diagnoses", "feedback", "images"). ``left_out``: records of before such things were
    kept, or images that cannot be read. ``times``: of each watched row, when (a day) or what (a file name)."""

    of: str
    drift: Drift
    left_out: int
    times: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: tuple[Row, ...]


def images(
    looks: Looks,
    reference: Sequence[Path],
    new: Sequence[Path],
    *,
    limit: float = LIMIT,
    progress: Callable[[str, int, int], None] | None = None,
) -> Watched:
    """Watch image files in the order given against those of ``reference``. Refusals are watched, too. Raises InputError
    for a reference of fewer than LEAST_REFERENCE images that can be read."""
    known = [row for _, row in _seen(looks, reference, progress)]
    if len(known) < LEAST_REFERENCE:
        raise InputError(
            "too few images to compare with", value=len(known), expected=f"{LEAST_REFERENCE} readable images or more"
        )
    found = list(_seen(looks, new, progress))
    return Watched(
        of="images",
        drift=watch(known, [row for _, row in found], limit=limit),
        left_out=len(reference) + len(new) - len(known) - len(found),
        times=tuple(name for name, _ in found),
        rows=tuple(row for _, row in found),
        reference=tuple(known),
    )


def _seen(
    looks: Looks, paths: Sequence[Path], progress: Callable[[str, int, int], None] | None
) -> Iterator[tuple[str, Row]]:
    for path, look in zip(paths, looks.at(paths, progress=progress), strict=True):
        if look.measures:
            yield path.name, {**coarse(look.measures), "refused": int(look.refused is not None)}


def diagnoses(home: Path, *, baseline: int = BASELINE, limit: float = LIMIT) -> Watched:
    """Watch the home's audit trail, from the record that ``rebase`` named on: the first ``baseline`` records are what
    is compared with. Raises InputError when there are not more than that, or the trail has a damaged line."""
    first = _first(home)
    rows, times, left_out = list[Row](), list[str](), 0
    for line, record in chain.records(home / audit.NAME):
        if record is None:
            raise InputError("the audit trail is damaged", value=f"line {line}", run="whydx audit verify")
        if record["sequence"] < first or record.get("event") != "diagnose":
            continue
        if watched := record.get("watched"):
            rows.append({str(k): int(v) for k, v in watched.items()})
            times.append(str(record.get("time", ""))[:10])
        else:
            left_out += 1
    if len(rows) <= baseline:
        raise InputError(
            "too few diagnoses to compare with",
            value=len(rows),
            expected=f"more than {baseline} records with what is watched",
            run="whydx monitor --baseline N, or whydx monitor IMAGES --reference FOLDER",
        )
    return Watched(
        of="diagnoses",
        drift=watch(rows[:baseline], rows[baseline:], limit=limit),
        left_out=left_out,
        times=tuple(times[baseline:]),
        rows=tuple(rows[baseline:]),
        reference=tuple(rows[:baseline]),
    )


def agreement(home: Path, *, baseline: int = LEAST_REFERENCE, limit: float = LIMIT) -> Watched | None:
    """Watch whether clinicians accept the first diagnosis less than in the first ``baseline`` verdicts, in the order in
    which they said so (`learning.agreement`), to a limit of ``limit`` / VERDICTS_OF_RATE; None with no more than
    ``baseline`` verdicts."""
    said = [e for e in feedback.kept(home) if e.verdict != "none" and e.first is not None and not e.abstained]
    if len(said) <= baseline:
        return None
    answers = [e.verdict == "accepted" for e in said]
    found = agreeing.watch(answers[:baseline], answers[baseline:], limit=limit / VERDICTS_OF_RATE)
    rows = [{agreeing.NAME: int(yes)} for yes in answers]
    return Watched(
        of="feedback",
        drift=found,
        left_out=0,
        times=tuple(e.day for e in said[baseline:]),
        rows=tuple(rows[baseline:]),
        reference=tuple(rows[:baseline]),
    )


def rebase(home: Path) -> int:
    """Take what comes from now on as the new baseline, after a change that is meant; returns the number of the first
    record that will count. Raises InputError when there is no audit trail."""
    last = max((row["sequence"] for _, row in chain.records(home / audit.NAME) if row), default=None)
    if last is None:
        raise InputError("there is no audit trail yet", value=home / audit.NAME, run="whydx diagnose")
    replace(home / FROM, f"{last + 1}\n")
    return int(last) + 1


def _first(home: Path) -> int:
    try:
        return int((home / FROM).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 1
    except ValueError as error:
        raise InputError("not the number of a record", value=home / FROM, run="whydx monitor --rebase") from error
