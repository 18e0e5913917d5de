"""Reading the tables of a data set: rows as dictionaries, columns checked, errors with file and line."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from errors import InputError

Row = dict[str, str]


def rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """(line number, row) of a CSV file, gzipped when it ends in .gz. Raises InputError when it is missing or damaged,
    or lacks one of ``columns``.
    """
    try:
        with (
            gzip.open(file, "rt", encoding="utf-8-sig")
            if file.suffix == ".gz"
            else file.open(encoding="utf-8-sig", newline="") as stream
        ):
            reader = csv.DictReader(stream)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{file.name} lacks the column {missing[0]}", value=file, expected=", ".join(columns))
            for row in reader:
                yield reader.line_num, {k: (v or "").strip() for k, v in row.items() if isinstance(k, str)}
    except FileNotFoundError as error:
        raise InputError(
            f"{file.name} is missing", value=file.parent, expected="the data set as distributed"
        ) from error
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file.name} ({error})", value=file, expected="a CSV file") from error


def number(text: str, file: Path, line: int) -> float:
    """A number, or InputError with file and line."""
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{file.name} line {line}: not a number", value=text, expected="a number") from error


def age(text: str) -> float | None:
    """Years: "58", "058Y", "058"; months and days are fractions of a year; None for anything else or past 130."""
    unit = {"Y": 1.0, "M": 12.0, "D": 365.25}.get(text[-1:].upper(), 0.0)
    digits = text[:-1] if unit else text
    if not digits.replace(".", "", 1).isdigit():
        return None
    years = float(digits) / (unit or 1.0)
    return years if years <= 130 else None


def sex(text: str) -> str | None:
    """ "F" or "M" from F, M, Female, Male; None for anything else."""
    return {"F": "F", "M": "M"}.get(text[:1].upper())
