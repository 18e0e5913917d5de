"""What a new term of one's own costs: ``python -m benchmarks.scale.new_term --home HOME --folder SCRATCH``.

HOME, which is up to date, is copied to SCRATCH without what is only evaluated. An OBO file of one term is added and the
home is built, so that what is kept is of this code; then another term is added, and that build is measured: seconds by
the clock and of the processor, in all and by part. At last a third term is added, and two processes build at once: what
each said, and when it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic, process_time

from benchmarks.machine import stamp
from home import Part, build
from ontologies.merging import registry

_PART_OF = {
    "learn word families": "linker",
    "compile names": "linker",
    "sort names": "linker",
    "read MEDLINE": "literature",
    "read reports": "cases",
}


def add(home: Path, number: int) -> None:
    """A term whose words stand in reports, but not together."""
    name = ("Sandstorm lung sign", "Kettle pleura sign", "Marmalade hilum sign")[number]
    term = f"[Term]\nid: OWN{number}:0000001\nname: {name}\nis_a: HP:0002088\n"
    path = home.parent / f"own{number}.obo"
    path.write_text(f"format-version: 1.2\nontology: own{number}\n\n{term}", encoding="utf-8")
    registry.add(home, path)


def measured(home: Path) -> dict[str, object]:
    """Seconds of a build, by the clock and of the processor; of the processor for graph, linker and indexes."""
    parts: dict[str, float] = {}
    at, last = "graph", process_time()

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal at, last
        now = process_time()
        parts[at] = parts.get(at, 0.0) + now - last
        at, last = _PART_OF.get(stage, at), now

    begun, spent = monotonic(), process_time()
    built = build(home, progress=progress)
    progress("", 0, 0)
    assert built == tuple(part.value for part in Part), built
    return {
        "seconds": round(monotonic() - begun, 1),
        "of the processor": round(process_time() - spent, 1),
        "by part (what opens the next is the part before's)": {name: round(s, 1) for name, s in parts.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for the copy; what is in it is deleted")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    home = given.folder / "home"
    shutil.copytree(given.home, home, ignore=shutil.ignore_patterns("beir", "names", "collections"))
    add(home, 0)
    build(home)
    add(home, 1)
    found = measured(home)
    add(home, 2)
    command = [sys.executable, "-c", "from cli import main; main()", "index", "build", "--home", str(home)]
    begun, two = monotonic(), []
    for _ in range(2):
        two.append(subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, text=True))
    said = []
    for process in two:
        _, stderr = process.communicate()
        lines = [line for line in stderr.splitlines() if line.startswith(("waiting", "built", "error"))]
        said.append({"exit": process.returncode, "said": lines, "after seconds": round(monotonic() - begun, 1)})
    print(stamp())
    print(json.dumps({"a new term": found, "two at once": said}, indent=1))


if __name__ == "__main__":
    main()
