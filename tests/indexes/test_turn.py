"""Two builders of one home: the second waits, and says for whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from indexes.turn import only_one

HOLD = "import sys, time; from pathlib import Path; from indexes.turn import only_one\n"
HOLD += "with only_one(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"


def test_a_second_builder_waits_and_says_for_whom(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / ".build")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    told: list[str] = []
    threading.Timer(1.2, other.communicate).start()
    with only_one(tmp_path / ".build", told.append):
        assert other.wait(5) == 0
    assert len(told) == 1
    assert told[0].startswith(f"waiting for process {other.pid} on ")


def test_a_builder_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    with only_one(tmp_path / ".build"):
        (tmp_path / "copy.json").write_bytes((tmp_path / ".build.json").read_bytes())
        assert str(os.getpid()) in (tmp_path / "copy.json").read_text()
    assert not (tmp_path / ".build.json").exists()
    (tmp_path / ".build.json").write_text("left behind")
    told: list[str] = []
    with only_one(tmp_path / ".build", told.append):
        pass
    assert told == []
