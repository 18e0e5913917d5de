"""Radiographs with outlined organs: a folder with annotations.jsonl whose rows name a ``mask`` beside the image.

A mask is a grey PNG of the image's size: 1 right lung (the patient's), 2 left lung, 3 heart, 0 else. JSRT (Shiraishi et
al. 2000) with the outlines of the SCR set (van Ginneken et al. 2006), and the Extended Wingspan set (Dong et al. 2018),
come in this layout from the repository eveningdong/cardiothoracic_ratio_estimation_dataset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.datasets.folder import load_grey
from vision.datasets.jsonl import TABLE
from vision.folds import fold_of

CODES = (1, 2, 3)
"""What stands in a mask for right lung, left lung and heart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """One film and where its outlines are. ``ratio`` is the cardiothoracic ratio that the source states, or None."""

    path: Path
    mask: Path
    source: str
    patient_id: str
    ratio: float | None

    @property
    def fold(self) -> int:
        return fold_of(self.patient_id)

    def pixels(self) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1]."""
        return load_grey(self.path).astype(np.float32) / 255

    def organs(self) -> NDArray[np.bool_]:
        """(3, H, W): right lung, left lung, heart."""
        codes = load_grey(self.mask)
        return np.stack([codes == code for code in CODES])


def read(folder: Path | str) -> tuple[Outlined, ...]:
    """The outlined films of a folder, in its own order. Raises InputError when there are none, or the table is
    damaged."""
    root = Path(folder)
    try:
        lines = (root / TABLE).read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, filter(str.strip, lines)) if row.get("mask")]
        found = tuple(
            Outlined(
                path=root / row["image"],
                mask=root / row["mask"],
                source=root.name,
                patient_id=str(row["patient_id"]),
                ratio=None if row.get("ctr") is None else float(row["ctr"]),
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("cannot read the outlined films", value=root, expected=f"a folder with {TABLE}") from error
    if not found:
        raise InputError("no outlined films here", value=root, expected=f"rows of {TABLE} that name a mask")
    return found
