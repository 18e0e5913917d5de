"""One builder at a time: a second waits, and says for whom."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Tell = Callable[[str], None]
_LOOK = 0.5  # seconds between two looks whether the other is done


@contextlib.contextmanager
def only_one(path: Path, tell: Tell | None = None) -> Iterator[None]:
    """Hold the lock ``path``.lock, waiting for whoever has it; ``path``.json says who that is: process, machine, since
    when; ``tell`` is told once. A process that is killed leaves the lock free. Not reentrant."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(path.with_name(f"{path.name}.lock")), path.with_name(f"{path.name}.json")
    while True:
        try:
            lock.acquire(timeout=_LOOK)
            break
        except Timeout:
            if tell:
                tell(f"waiting for {_who(holder)}")
                tell = None
    try:
        own = {"process": os.getpid(), "machine": socket.gethostname(), "since": time.strftime("%H:%M:%S")}
        holder.write_text(json.dumps(own), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        other = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {other['process']} on {other['machine']}, which builds here since {other['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which builds here"
