"""Films of a place with what is known of them: a folder in the layout of a public data set, or a folder and a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import InputError
from vision.datasets import folder as datasets
from vision.datasets.record import Record
from vision.finding import LABELS, NO_FINDING

_NAMES = {name.replace("_", " ").lower(): name for name in (*LABELS, NO_FINDING)} | {"normal": NO_FINDING}
_EXPECTED = "columns image, labels (names separated by |), and perhaps patient and unknown"


def read(folder: Path, table: Path | None = None) -> tuple[Record, ...]:
    """The labelled films, in order: of ``folder`` by its own tables, or of a CSV or TSV ``table`` with a row a film:
    ``image`` (a path below the folder), ``labels`` (ChestX-ray14 names, "No Finding" or "normal", in any case,
    separated by |), ``patient`` (default: each film its own), ``unknown`` (labels that nobody looked for). A row
    without labels is left out. Raises InputError naming the row for what cannot be read."""
    if not folder.is_dir():
        raise InputError("no such folder", value=folder, expected="a folder of films")
    if table is None:
        return tuple(r for r in datasets.read(folder) if r.labels or r.abnormal is not None)
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the labels", value=table, expected=_EXPECTED) from error
    lines = text.splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t" if lines and "\t" in lines[0] else ","))
    if not rows or not {"image", "labels"} <= set(rows[0]):
        raise InputError("no table of labels", value=table.name, expected=_EXPECTED)
    found = (_record(folder, table, number, row) for number, row in enumerate(rows, 2))
    return tuple(record for record in found if record is not None)


def _record(folder: Path, table: Path, number: int, row: Mapping[str, str | None]) -> Record | None:
    where = f"{table.name}, line {number}"
    labels = _labels(row.get("labels"), where)
    if not labels:
        return None
    path = folder / (row.get("image") or "")
    if not path.is_file():
        raise InputError(f"{where}: no such image", value=path)
    if NO_FINDING in labels and len(labels) > 1:
        raise InputError(f"{where}: no finding beside a finding", value=row.get("labels"), expected="one or the other")
    return Record.of_file(
        path,
        folder,
        patient_id=row.get("patient") or path.name,
        age=None,
        sex=None,
        view=None,
        labels=labels,
        unknown=_labels(row.get("unknown"), where),
    )


def _labels(said: str | None, where: str) -> tuple[str, ...]:
    found = []
    for name in (part.strip() for part in (said or "").split("|")):
        if not name:
            continue
        known = _NAMES.get(name.replace("_", " ").lower())
        if known is None:
            raise InputError(f"{where}: not a label", value=name, expected=", ".join((*LABELS, NO_FINDING)))
        found.append(known)
    return tuple(dict.fromkeys(found))


def paths(records: Sequence[Record]) -> list[Path]:
    """The records' files, in their order."""
    return [record.path for record in records]
