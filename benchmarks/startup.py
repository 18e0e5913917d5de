"""How long `whydx --help` and its like take, best and median of ten runs: ``python -m benchmarks.startup``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.machine import stamp

COMMANDS = (("--help",), ("diagnose", "--help"), ("--version",))
RUNS = 10


def seconds(arguments: tuple[str, ...], runs: int = RUNS) -> list[float]:
    """Wall-clock seconds of each of ``runs`` fresh processes."""
    command = [sys.executable, "-c", "from cli import main; main()", *arguments]
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    print(f"{stamp()}\n\n| command | best, s | median, s |\n|---|---|---|")
    for arguments in COMMANDS:
        taken = seconds(arguments)
        print(f"| `whydx {' '.join(arguments)}` | {min(taken):.2f} | {statistics.median(taken):.2f} |")


if __name__ == "__main__":
    main()
