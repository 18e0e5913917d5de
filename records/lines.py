"""Lines of JSON that are appended for good, by one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PATIENCE = 5.0  # seconds to wait for another process; it holds the lock for milliseconds
_TAIL = 1 << 16


def canonical(row: Mapping[str, Any]) -> str:
    """The one way in which a row is written: sorted keys, no blanks, so that equal rows have equal bytes."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with ``path`` among those that ask. Raises OSError when the folder cannot be written to, or another process
    does not let go."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(f"{path}.lock", timeout=_PATIENCE):
            yield
    except Timeout as error:
        raise TimeoutError(f"{path.name} is locked by another process") from error


def append(path: Path, lines: str) -> None:
    """Add whole ``lines`` and see that they are on the disk. A last line that was cut short stays what it is: the new
    ones begin on their own line."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                lines = "\n" + lines
        file.write(lines.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def last_line(path: Path) -> str:
    """The last whole line, "" when there is none."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        whole = file.read().decode("utf-8", errors="replace").rpartition("\n")[0]
        return whole.rpartition("\n")[2]
    return ""


def replace(path: Path, text: str) -> None:
    """Write ``text`` to a file beside ``path``, then rename it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
