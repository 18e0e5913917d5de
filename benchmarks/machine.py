"""What a figure was measured on: when, on which machine, and where the development data lies."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def stamp() -> str:
    """ "2026-11-22, 2 cores (x86_64, Intel Xeon …), Python 3.11.7"."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        )
        model = next(lines, "")
    machine = ", ".join(part for part in (platform.machine(), model) if part)
    count = f"{cores} core{'' if cores == 1 else 's'}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {count} ({machine}), Python {platform.python_version()}"


def shared_data() -> Path:
    """The folder of development data: ``data`` in WHYDX_SHARED, else in the folder ``shared`` beside the repository."""
    return Path(os.environ.get("WHYDX_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "data"
