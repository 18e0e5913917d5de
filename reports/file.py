"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

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


@contextlib.contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", value=path, expected="a file in a folder that can be written"
        ) from error
