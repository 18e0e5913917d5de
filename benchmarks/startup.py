"""How long short commands take in a process of their own, best and median of ten runs: ``python -m benchmarks.startup
[--home HOME]``. Wall clock, and the best processor time, which other work on the machine stretches less. `whydx link`
reads the dictionary of a built home."""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import stamp

COMMANDS = (
    ("--help",),
    ("diagnose", "--help"),
    ("--version",),
    ("link", "small left pleural effusion, no pneumothorax"),
)
RUNS = 10


def seconds(arguments: tuple[str, ...], runs: int = RUNS) -> list[tuple[float, float]]:
    """Wall-clock and processor seconds of each of ``runs`` fresh processes."""
    command = [sys.executable, "-c", "from cli import main; main()", *arguments]
    taken = []
    for _ in range(runs):
        started, before = time.perf_counter(), _processor()
        subprocess.run(command, check=True, capture_output=True)
        taken.append((time.perf_counter() - started, _processor() - before))
    return taken


def _processor() -> float:
    """Seconds of processor time of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path)
    home = parser.parse_args().home
    print(f"{stamp()}\n\n| command | best, s | median, s | processor, s |\n|---|---|---|---|")
    for arguments in COMMANDS:
        own = ("--home", str(home)) if home is not None and arguments[0] == "link" else ()
        wall, processor = zip(*seconds((*arguments, *own)), strict=True)
        row = (min(wall), statistics.median(wall), min(processor))
        print(f"| `whydx {' '.join(arguments)}` | {' | '.join(f'{value:.2f}' for value in row)} |")


if __name__ == "__main__":
    main()
