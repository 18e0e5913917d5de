"""How long a note takes and what memory: ``python -m benchmarks.chest.speed --home HOME [--against CODE HOME]``.

Each code in a process of its own, one after the other: the first diagnosis from nothing ("cold": the process, its
imports, the home's files, the models), then the short notes and the long ones of tests/fusion/vignettes/unread in wall
clock and processor seconds, median and most, and the largest memory. ``--against``: another checkout of whydx and a
home built with it, measured in the same run. ``--json``: as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import stamp

NOTES = Path(__file__).parents[2] / "tests" / "fusion" / "vignettes" / "unread"
SHORT, LONG = 40, 20  # notes of each kind

# Only what `whydx.py` has had since there is one, so that earlier code can be asked too.
_ASK = """
import json, resource, statistics, sys, time
import whydx
home, short, long = sys.argv[1], *(json.loads(a) for a in sys.argv[2:])
opened = whydx.open(home)
opened.diagnose(note=short[0])
print(json.dumps({"cold": time.time()}), flush=True)
found = {}
for name, notes in (("short", short[1:]), ("long", long)):
    wall, processor = [], []
    for note in notes:
        started, used = time.perf_counter(), time.process_time()
        opened.diagnose(note=note)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    found[name] = {"notes": len(notes), "median": statistics.median(wall), "most": max(wall),
                   "processor, median": statistics.median(processor), "processor, most": max(processor)}
found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


def notes(name: str, most: int) -> list[str]:
    """The first ``most`` notes of an unread file."""
    lines = (NOTES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:most]
    return [json.loads(line)["note"] for line in lines]


def measured(code: Path, home: Path) -> dict[str, Any]:
    """Seconds and megabytes of the code in a folder with a home of its own."""
    asked = [json.dumps(notes("d", SHORT + 1)), json.dumps(notes("long", LONG))]
    environment = os.environ | {"PYTHONPATH": str(code.resolve())}
    started = time.time()
    ran = subprocess.run(
        [sys.executable, "-c", _ASK, str(home.resolve()), *asked],
        cwd=code, env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    first, rest = (json.loads(line) for line in ran.stdout.splitlines()[-2:])
    return {"cold": first["cold"] - started} | rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--against", nargs=2, type=Path, metavar=("CODE", "HOME"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {"this": measured(Path(__file__).parents[2], asked.home)}
    if asked.against:
        found["against"] = measured(*asked.against)
    if asked.json:
        print(json.dumps({"machine": stamp()} | found, indent=1))
        return
    print(stamp())
    for name, figures in found.items():
        print(f"{name}: cold {figures['cold']:.1f} s, at most {figures['memory']:.0f} MB")
        for kind in ("short", "long"):
            row = figures[kind]
            print(
                f"  {row['notes']} {kind} notes: median {row['median']:.2f} s, most {row['most']:.2f} s; "
                f"processor {row['processor, median']:.2f} s, most {row['processor, most']:.2f} s"
            )


if __name__ == "__main__":
    main()
