"""A folder of labelled radiographs, in the layout of any of the public data sets or of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.datasets import chexpert, jsonl, nih, rsna, vindr
from vision.datasets.record import Record, Split
from vision.finding import LABELS

OPACITIES = ("Pneumonia", "Infiltration", "Consolidation", "Edema")

_OUTPUTS = len(LABELS) + 1

Reader = Callable[[Path], tuple[Record, ...]]
READERS: dict[str, Reader] = {
    "nih": nih.read,
    "rsna": rsna.read,
    "chexpert": chexpert.read,
    "vindr": vindr.read,
    "mimic": chexpert.read_mimic,
}
"""Name before the colon in ``--data rsna:PATH`` → its reader."""


def read(folder: Path | str, *, split: Split | None = None) -> tuple[Record, ...]:
    """The records of a data set in its own order, restricted to a split when one is given.

    ``folder`` may name its layout ("rsna:PATH", a key of READERS); otherwise the layout is told by the files in it. A
    folder with annotations.jsonl is read as such under any name. Raises InputError when the folder is none of these or
    its tables cannot be read.
    """
    name, root = _named(folder)
    records = _reader(name, root)(root)
    return tuple(r for r in records if split is None or r.split == split)


def _named(folder: Path | str) -> tuple[str | None, Path]:
    name, colon, path = str(folder).partition(":")
    return (name, Path(path)) if colon and name in READERS else (None, Path(folder))


def _reader(name: str | None, root: Path) -> Reader:
    if (root / jsonl.TABLE).is_file():
        return jsonl.read
    if name is not None and root.is_dir():
        return READERS[name]
    if nih.table(root):
        return nih.read
    if (root / rsna.TABLE).is_file():
        return rsna.read
    if (root / chexpert.MIMIC_TABLE).is_file():
        return chexpert.read_mimic
    if vindr.present(root):
        return vindr.read
    if (root / "train.csv").is_file():
        return chexpert.read
    layouts = ", ".join(READERS)
    raise InputError("no annotated images here", value=root, expected=f"a folder with {jsonl.TABLE}, or {layouts}")


def load_grey(path: Path) -> NDArray[np.uint8]:
    """A grey image (H, W) uint8; a DICOM file as it is shown. Raises InputError when it is missing or unreadable."""
    from PIL import Image

    if path.suffix.lower() in (".dcm", ".dicom"):
        from vision.image import load_image

        return (load_image(path).pixels * 255).round().astype(np.uint8)
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError("cannot read the image", value=path, expected="a JPEG or PNG file") from error


def targets(record: Record) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(values, known), each (15,) float32: the 14 labels in LABELS order, then "any finding". known is 1 or 0.

    Text-mined labels err: positives are smoothed to 0.95, negatives to 0.03. A Pneumonia that the RSNA's radiologists
    read as normal counts 0.7.
    """
    values = np.full(_OUTPUTS, 0.03, dtype=np.float32)
    known = np.ones(_OUTPUTS, dtype=np.float32)
    for i, label in enumerate(LABELS):
        if label in record.labels:
            values[i] = 0.7 if record.doubted and label == "Pneumonia" else 0.95
        if label in record.unknown:
            known[i] = 0
    if record.any_finding:
        values[-1] = 0.8 if record.doubted and record.labels == ("Pneumonia",) else 0.95
    known[-1] = record.any_finding is not None
    return values, known


def truth(records: Iterable[Record]) -> NDArray[np.bool_]:
    """(n, 15) hard labels: LABELS order, then "any finding"; False where ``assessed`` is."""
    return np.array([[x in r.labels for x in LABELS] + [bool(r.any_finding)] for r in records]).reshape(-1, _OUTPUTS)


def assessed(records: Iterable[Record]) -> NDArray[np.bool_]:
    """(n, 15), as ``truth``: whether the source says anything about the label, so that it may be judged by it."""
    said = [[x not in r.unknown for x in LABELS] + [r.any_finding is not None] for r in records]
    return np.array(said, dtype=bool).reshape(-1, _OUTPUTS)


def box_labels(name: str, labels: Iterable[str]) -> tuple[str, ...]:
    """Which findings a source's box name marks: an RSNA opacity box marks every opacity the image is labelled with."""
    if name.startswith("Lung Opacity"):
        return tuple(x for x in OPACITIES if x in set(labels))
    name = "Infiltration" if name == "Infiltrate" else name
    return (name,) if name in LABELS else ()


def fingerprint(folder: Path | str) -> str:
    """sha256 over the tables of a data set and its images' names and bytes, in name order: the data hash of a run
    card.
    """
    _, root = _named(folder)
    digest = hashlib.sha256()
    for table in sorted(p for p in root.rglob("*") if p.name.endswith((".jsonl", ".csv", ".csv.gz")) and p.is_file()):
        digest.update(table.read_bytes())
    for record in sorted(read(folder), key=lambda r: r.image):
        digest.update(record.image.encode() + hashlib.sha256(record.path.read_bytes()).digest())
    return digest.hexdigest()
