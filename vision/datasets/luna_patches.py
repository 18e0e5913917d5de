"""Patches of LUNA16's candidates (Setio et al. 2017, arXiv 1612.08012): ``NAME.npy`` (n, 50, 50) uint8, −1000 to 400 HU
as 0 to 255, beside ``NAME.jsonl`` with scan_block and nodule. A block holds whole scans, so that folds of blocks keep
patients apart. LUNA16: CC BY 4.0; LIDC-IDRI (Armato et al. 2011), whose scans these are: CC BY 3.0.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError

SIDE = 50
LOWEST_HU, HIGHEST_HU = -1000.0, 400.0
FOLDS = 5


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
        raise InputError("cannot read the patches", value=folder / name, expected="NAME.npy and NAME.jsonl") from error
    if pixels.shape != (len(rows), SIDE, SIDE) or pixels.dtype != np.uint8:
        raise InputError(
            "the patches do not fit their rows", value=pixels.shape, expected=f"({len(rows)}, 50, 50) uint8"
        )
    return found
