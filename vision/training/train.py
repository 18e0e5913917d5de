"""``whydx train detector``: fit, then calibrate, set thresholds and write the artifact that Detector.open loads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from errors import InputError
from tracking.tracker import Track
from vision.folds import FOLDS
from vision.training.fit import Progress, Settings, fit
from vision.training.release import SIDE, published, release

MEMBERS = FOLDS


def train_detector(
    data: Sequence[Path | str],
    out: Path,
    *,
    epochs: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    members: int = MEMBERS,
    resume: bool = True,
    threads: int | None = None,
    settings: Settings | None = None,
    backbone: str | None = None,
    track: Track = "tensorboard",
    side: int = SIDE,
    date: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on annotated folders ("nih:PATH" or PATH) and write detector.* and cases.* into ``out``; returns the
    manifest.

    ``members`` networks, at most 5, are trained one after the other, from the seeds ``seed``, ``seed`` + 1, …, each
    without the patients of its own fold, 0, 1, …; the checkpoint and scalars (see ``tracking``) of each go to its own
    folder in ``out``. A run that was stopped continues where it was, unless ``resume`` is false, which starts over.
    ``side`` is the size of the detector's input. ``backbone``: see ``Settings``. ``limit`` takes the first images of
    each set only. Raises InputError for folders without training images, a number below 1, more members than folds, a
    backbone that cannot be used, or a checkpoint made with other settings, and DependencyError without what ``track``
    needs.
    """
    for name, value in (("epochs", epochs), ("limit", limit), ("threads", threads), ("members", members)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be positive", value=value, expected="1 or more")
    if members > FOLDS:
        raise InputError("too many members", value=members, expected=f"at most {FOLDS}, one for each fold of patients")
    chosen = replace(settings or Settings(), seed=seed, limit=limit)
    if backbone is not None:
        chosen = replace(chosen, backbone=backbone)
    if epochs is not None:
        chosen = replace(chosen, epochs=epochs)
    trained = []
    for i in range(members):
        folder = out / f"member_{i}"
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        trained.append(
            fit(data, folder, replace(chosen, seed=seed + i, fold=i), threads=threads, track=track, progress=progress)
        )
    named = " ".join(f"--data nih:{Path(str(where).removeprefix('nih:')).name}" for where in data)
    command = f"whydx train detector {named} --epochs {chosen.epochs} --members {members} --seed {seed}" + (
        f" --limit {limit}" if limit else ""
    )
    if backbone is not None:
        command += f" --backbone {published(backbone)}"
    return release(trained, data, out, command=command, side=side, date=date, progress=progress)
