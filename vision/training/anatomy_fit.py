"""Fitting the anatomy model (``whydx train anatomy``): a member without each fold of patients, and the usual traits.

The members are fitted on outlined films. What is usual is fitted on frontal films of another hospital, which no member
saw: from its training patients, so that its validation patients can tell how many are lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.anatomy import large_heart
from vision.anatomy.large_heart import LABEL as LARGE_HEART
from vision.anatomy.measures import ratio
from vision.anatomy.organs import ORGANS
from vision.anatomy.outliner import FORMAT, NAME, TRAITS, members_shares, networks, traits
from vision.datasets import outlines
from vision.datasets.folder import load_grey, read
from vision.datasets.outlines import Outlined
from vision.datasets.record import Record
from vision.folds import FOLDS
from vision.manifest import resolution
from vision.quality import LOW_RESOLUTION
from vision.training.outlining_fit import Progress, Settings, fit
from vision.weights_pair import write_pair

if TYPE_CHECKING:
    from torch import Tensor

_RIDGE = 0.05  # of the traits' covariance; from 0.001 to 0.3 told lateral films from frontal ones alike
_TRUSTED = 0.99  # of the frontal films' distances: the limit of trust is 5 % above
_MARGIN = 1.05
_REFUSED_BEYOND = 1.5  # times the limit of trust: no film of the calibrating hospital's training patients is so far
_USUAL = (5, 95)  # percent


def train_anatomy(
    outlined: Sequence[Path],
    films: Sequence[Path | str],
    out: Path,
    *,
    settings: Settings | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit five members on the folders ``outlined`` and the usual traits on the training patients of ``films``; write
    anatomy.safetensors (float16) and anatomy.json into ``out`` and return the manifest.

    Each member's checkpoint is in ``out``/fold_K; a run that was stopped goes on from there. Raises InputError for
    folders without films, or a checkpoint made with other settings.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    chosen = settings or Settings()
    known = [film for folder in outlined for film in outlines.read(folder)]
    tensors: dict[str, Tensor] = {}
    for fold in range(FOLDS):
        name = f"fold_{fold}"
        some = [film for film in known if film.fold != fold]
        average = fit(some, out / name, replace(chosen, seed=chosen.seed + fold), name=name, progress=progress)
        tensors |= {f"{fold}/{k}": (v.half() if v.is_floating_point() else v).contiguous() for k, v in average.items()}
    return release(tensors, known, films, out, asdict(chosen), progress)


def release(
    tensors: dict[str, Tensor],
    known: Sequence[Outlined],
    films: Sequence[Path | str],
    out: Path,
    settings: dict[str, Any],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit what is usual with the members of ``tensors``, and write weights and manifest; returns the manifest."""
    import torch
    from safetensors.torch import save

    members = networks(tensors, FOLDS)
    records = [r for where in films for r in read(where, split="train")]
    if not records:
        raise InputError("no frontal films", value=", ".join(map(str, films)), expected="annotated radiographs")
    rows: list[NDArray[np.float32]] = []
    ratios: list[float] = []
    low: list[bool] = []
    for start in range(0, len(records), 16):
        pictures = [load_grey(r.path).astype(np.float32) / 255 for r in records[start : start + 16]]
        shares = members_shares(members, pictures)
        rows += [traits(each) for each in shares]
        values = [ratio(each.mean(0)) for each in shares]
        ratios += [np.nan if value is None else value for value in values]
        low += [min(picture.shape) < LOW_RESOLUTION for picture in pictures]
        if progress:
            progress("what is usual", len(rows), len(records))
    x = np.stack(rows).astype(np.float64)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    z = (x - mean) / spread
    precision = np.linalg.inv(np.cov(z.T) + _RIDGE * np.eye(TRAITS)) / np.outer(spread, spread)
    distance = np.sqrt(np.einsum("ni,ij,nj->n", x - mean, precision, x - mean) / TRAITS)
    trusted = round(float(np.quantile(distance, _TRUSTED)) * _MARGIN, 4)
    usual = {"mean": torch.from_numpy(mean).float(), "precision": torch.from_numpy(precision).float()}
    payload = save({**tensors, **usual})
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "organs": list(ORGANS),
        "members": FOLDS,
        "most_distance": trusted,
        "refused_beyond": _REFUSED_BEYOND,
        "usual": {"left lung share": _left_share(known)},
        "films": {name: sum(f.source == name for f in known) for name in sorted({f.source for f in known})},
        "usual_from": {Path(str(w).partition(":")[2] or str(w)).name: len(read(w, split="train")) for w in films},
        "large_heart": large_hearts(records, np.where(distance <= trusted, ratios, np.nan), np.array(low)),
        "settings": settings,
    }
    write_pair(out, NAME, payload, manifest)
    return manifest


def large_hearts(
    records: Sequence[Record], ratios: NDArray[np.float64], low: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """How a large heart is told by the ratio (n,; NaN: not measured), for films of each resolution that have readers'
    labels with and without it: `vision.anatomy.large_heart.fit`."""
    label = np.array([LARGE_HEART in r.labels for r in records])
    judged = np.array([LARGE_HEART not in r.unknown for r in records])
    views = np.array([(r.view or "").upper() for r in records])
    found = {}
    for is_low in (False, True):
        mine = judged & (low == is_low) & ~np.isnan(ratios)
        if len(set(label[mine])) == 2:
            found[resolution(is_low)] = large_heart.fit(ratios[mine], label[mine], views[mine].tolist())
    return found


def _left_share(known: Sequence[Outlined]) -> list[float]:
    """The range of the left lung's part of both lungs' area on films whose heart is not large, as outlined."""
    shares = []
    for film in known:
        organs = film.organs().astype(np.float32)
        value = ratio(organs)
        if value is not None and value <= 0.5:
            right, left = float(organs[0].sum()), float(organs[1].sum())
            shares.append(left / (right + left))
    return [round(float(v), 3) for v in np.percentile(shares or [0.0, 1.0], _USUAL)]
