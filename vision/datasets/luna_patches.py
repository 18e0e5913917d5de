"""Patches of LUNA16's candidates (Setio et al. 2017, arXiv 1612.08012), as a table or cut from the official tree.

A table is ``NAME.npy`` (n, 50, 50) uint8, −1000 to 400 HU as 0 to 255, beside ``NAME.jsonl`` with scan_block and
nodule. A block holds whole scans, so that folds of blocks keep patients apart. LUNA16: CC BY 4.0; LIDC-IDRI (Armato et
al. 2011), whose scans these are: CC BY 3.0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.ct.patches import SIDE, patch
from vision.ct.volume import read_metaimage
from vision.datasets import luna
from vision.folds import FOLDS

LAYOUTS = ("luna", "patches")
_OTHERS = 7  # candidates without a nodule that are taken of a scan
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patches:
    """``pixels`` (n, 50, 50) uint8, ``nodule`` (n,) bool, ``block`` (n,) int64."""

    pixels: NDArray[np.uint8]
    nodule: NDArray[np.bool_]
    block: NDArray[np.int64]

    @property
    def fold(self) -> NDArray[np.int64]:
        """(n,) 0 to 4, by the block's hash."""
        names = np.unique(self.block)
        number = {b: int(hashlib.sha256(f"luna:{b}".encode()).hexdigest()[:8], 16) % FOLDS for b in names.tolist()}
        return np.array([number[b] for b in self.block.tolist()], np.int64)

    def take(self, rows: NDArray[np.bool_]) -> Patches:
        return Patches(pixels=self.pixels[rows], nodule=self.nodule[rows], block=self.block[rows])


def load(where: str, *, seed: int = 0, progress: Progress | None = None) -> Patches:
    """``luna:FOLDER`` (the official tree), ``patches:FOLDER`` (its train.npy) or ``patches:FOLDER/NAME.npy``. Raises
    InputError for another layout, and for what cannot be read.
    """
    layout, colon, path = where.partition(":")
    if not colon or layout not in LAYOUTS:
        raise InputError("no such layout", value=where, expected=" or ".join(f"{name}:FOLDER" for name in LAYOUTS))
    place = Path(path)
    if layout == "luna":
        return from_tree(place, seed=seed, progress=progress)
    return read(place.parent, place.stem) if place.suffix == ".npy" else read(place, "train")


def read(folder: Path, name: str) -> Patches:
    """The patches ``name`` ("train", "val") of a folder. Raises InputError when they cannot be read or do not agree."""
    try:
        pixels = np.load(folder / f"{name}.npy", allow_pickle=False)
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        found = Patches(
            pixels=pixels,
            nodule=np.array([bool(row["nodule"]) for row in rows]),
            block=np.array([int(row["scan_block"]) for row in rows], np.int64),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        expected = f"{name}.npy and {name}.jsonl"
        raise InputError("cannot read the patches", value=folder, expected=expected) from error
    if pixels.shape != (len(rows), SIDE, SIDE) or pixels.dtype != np.uint8:
        raise InputError("the patches do not fit their rows", value=pixels.shape, expected=f"({len(rows)}, 50, 50)")
    return found


def from_tree(root: Path, *, seed: int = 0, progress: Progress | None = None) -> Patches:
    """The patches of every scan that is there: around each candidate with a nodule, and around seven others of each
    scan, drawn by ``seed``. A scan is a block. Raises InputError without scans, and for files that cannot be read.
    """
    known = luna.candidates(root)
    scans = [path for path, _ in luna.read(root)]
    if not scans:
        raise InputError("no scans here", value=root, expected="subset0/*.mhd … subset9/*.mhd of LUNA16")
    pixels, nodule, block = [], [], []
    for number, path in enumerate(scans, 1):
        mine = known.get(path.stem, ())
        rng = np.random.default_rng((seed, _number(path.stem)))
        others = [c for c in mine if not c.nodule]
        drawn = sorted(rng.permutation(len(others))[:_OTHERS].tolist())
        chosen = [c for c in mine if c.nodule] + [others[i] for i in drawn]
        volume = read_metaimage(path) if chosen else None
        for one in chosen:
            assert volume is not None
            pixels.append(patch(volume, one.centre_mm))
            nodule.append(one.nodule)
            block.append(_number(path.stem))
        if progress:
            progress("cutting patches", number, len(scans))
    if not any(nodule) or all(nodule):
        raise InputError("the scans have no nodules, or nothing else", value=root, expected="candidates of both kinds")
    return Patches(pixels=np.stack(pixels), nodule=np.array(nodule), block=np.array(block, np.int64))


def _number(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
