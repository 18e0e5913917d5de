"""Writing a file whole or not at all, also over several runs."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from errors import InputError


def write_file(parts: Iterable[bytes], path: Path) -> None:
    """Write ``parts`` one after the other to ``path``: to a file beside it, renamed when all of them are written.

    Whatever goes wrong, also while the parts are made, leaves the folder as it was. Raises InputError when the file
    cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _cannot_write(path), beside.open("wb") as file:
            for part in parts:
                file.write(part)
        with _cannot_write(path):
            beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def check_new_folder(path: Path) -> None:
    """Raises InputError when a folder cannot be written at ``path``: something is there, or nothing to put it in."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError("there is something already", value=path, expected="a folder that is new or empty")
    if not path.absolute().parent.is_dir():
        raise InputError("cannot write the folder", value=path, expected="a name in a folder that is there")


def write_folder(files: Mapping[str, bytes], path: Path) -> None:
    """Write ``files`` (name → content) to a new folder ``path``: to one beside it, renamed when all are written.

    Raises InputError when there is something at ``path`` that is not an empty folder, or it cannot be written; it is
    then as it was.
    """
    check_new_folder(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _cannot_write(path):
            beside.mkdir()
            for name, data in files.items():
                (beside / name).write_bytes(data)
            if path.exists():
                path.rmdir()
            beside.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class UnfinishedLines:
    """JSON lines that are kept beside ``path``, as NAME.unfinished, while they are made, so that a killed run goes on.

    Its first line is ``key``, which says what the rows were made from; rows of another key, and a last line that was
    cut short, are thrown away. ``done`` holds those of the run before by their "id". Raises InputError when the file
    cannot be written.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._beside = path.with_name(f".{path.name}.unfinished")
        first = json.dumps({"key": key})
        self.done: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(OSError, UnicodeDecodeError):
            head, *lines = self._beside.read_text(encoding="utf-8").split("\n")
            if head == first:
                self.done = {row["id"]: row for line in lines[:-1] for row in (json.loads(line),)}
        with _cannot_write(path):
            self._file = self._beside.open("w", encoding="utf-8")
            self._file.write(first + "\n" + "".join(json.dumps(row) + "\n" for row in self.done.values()))
            self._file.flush()

    def add(self, row: dict[str, Any]) -> None:
        """Keep one more row; one that is kept already is not kept twice."""
        if self.done.setdefault(row["id"], row) is row:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def forget(self) -> None:
        """The rows have been written where they belong."""
        self._file.close()
        self._beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", value=path, expected="a file in a folder that can be written"
        ) from error
