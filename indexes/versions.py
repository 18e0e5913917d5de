"""Numbered versions of a few small files in a folder, one of them in use; version 0 is nothing, what was shipped.

    0001/           the files, and card.json, which says what they are
    current.json    the numbers that were in use, the last of them now

A version is written beside and then renamed; none is ever changed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import InputError

_POINTER, _CARD = "current.json", "card.json"


def used(folder: Path) -> list[int]:
    """The numbers that were in use, in their order, the last of them now; [0] when nothing was ever added. Raises
    InputError when the record of them is damaged."""
    try:
        numbers = json.loads((folder / _POINTER).read_text(encoding="utf-8"))
        return [int(number) for number in numbers] or [0]
    except FileNotFoundError:
        return [0]
    except (ValueError, TypeError) as error:
        raise InputError(
            "which version is in use cannot be read", value=folder / _POINTER, run="whydx adapt --use 0"
        ) from error


def current(folder: Path) -> Path | None:
    """The folder of the version in use; None for version 0. Raises InputError when it is gone."""
    number = used(folder)[-1]
    if number == 0:
        return None
    if not (place := _place(folder, number)).is_dir():
        raise InputError("the version in use is gone", value=place, run="whydx adapt --use 0")
    return place


def listed(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """(number, card) of the versions there are, in order; [] for none. "files" of a card are the version's own."""
    found = []
    for place in sorted(folder.glob("[0-9]" * 4)):
        card = json.loads((place / _CARD).read_text(encoding="utf-8"))
        files = sorted(p.name for p in place.iterdir() if p.name != _CARD)
        found.append((int(place.name), card | {"files": files}))
    return found


def add(folder: Path, files: Mapping[str, str], card: Mapping[str, Any]) -> int:
    """Write a version, and use it; returns its number. Files (name → text) of the version in use so far that are not
    given anew are kept in it."""
    folder.mkdir(parents=True, exist_ok=True)
    before = current(folder)
    number = max((n for n, _ in listed(folder)), default=0) + 1
    part = folder / f".{number:04d}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    kept = {p.name: p.read_text(encoding="utf-8") for p in before.iterdir()} if before is not None else {}
    for name, text in {**kept, **files, _CARD: json.dumps(dict(card), indent=1, sort_keys=True) + "\n"}.items():
        (part / name).write_text(text, encoding="utf-8")
    os.replace(part, _place(folder, number))
    use(folder, number)
    return number


def use(folder: Path, number: int) -> None:
    """Use a version from now on. Raises InputError when there is none of this number."""
    if number and not _place(folder, number).is_dir():
        have = ", ".join(str(n) for n, _ in listed(folder)) or "none"
        raise InputError("no such version", value=number, expected=f"0, or one of: {have}", run="whydx adapt --list")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        history = used(folder)
    except InputError:
        history = []
    beside = folder / f".{_POINTER}.part"
    beside.write_text(json.dumps([*history, number]) + "\n", encoding="utf-8")
    os.replace(beside, folder / _POINTER)


def back(folder: Path) -> int:
    """Use again what was in use before; returns its number. Raises InputError when nothing was."""
    history = used(folder)
    if len(history) < 2:
        raise InputError("there is nothing to go back to", value=history[-1], run="whydx adapt --list")
    beside = folder / f".{_POINTER}.part"
    beside.write_text(json.dumps(history[:-1]) + "\n", encoding="utf-8")
    os.replace(beside, folder / _POINTER)
    return history[-2]


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}"
