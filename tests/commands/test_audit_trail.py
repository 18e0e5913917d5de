"""Twenty runs are replayed byte for byte in a new process; a trail that was meddled with is found out, and where."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fusion.diagnosis import DiagnosticReport
from records import audit, chain
from vision.phantom.radiograph import write_phantom

Whydx = Callable[..., Any]
RUNS = 20
# As `whydx` would run each line, in one process, so that the home is opened once.
RUNNER = """
import functools, json, sys, whydx
from cli import main
whydx.open = functools.cache(whydx.open)
for words in json.loads(sys.argv[1]):
    sys.argv = ["whydx", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"status {end.code}: {words}")
"""
NOTES = (
    "61-year-old woman with fever and productive cough, no haemoptysis. Penicillin allergy.",
    "Sudden dyspnoea and pleuritic chest pain after a long flight. D-dimer raised, SpO2 88 % on room air.",
    "70M, orthopnoea, ankle oedema, raised JVP. Known hypertension. No fever.",
    "Weight loss, night sweats and cough for three months; grandfather had tuberculosis.",
    "34-year-old woman, dry cough, bilateral hilar lymphadenopathy, erythema nodosum.",
    "Heavy smoker with haemoptysis and clubbing. Blorbing in the left toe.",
)


def lines(folder: Path) -> list[list[str]]:
    """What is asked in 20 runs: films, notes, both, stated findings, and two reviews of what was answered before."""
    films = [str(write_phantom(folder / f"film{seed}.dcm", seed=seed)) for seed in range(4)]
    asked = [["diagnose", film] for film in films]
    asked += [["diagnose", "--note", note] for note in NOTES]
    asked += [["diagnose", film, "--note", note, "--age", "61"] for film, note in zip(films, NOTES, strict=False)]
    asked += [
        ["diagnose", films[1], "--note", NOTES[5], "-k", "3"],
        ["diagnose", "--finding", "HP:0002202", "--absent", "fever", "--sex", "F"],
        ["diagnose", "--note", NOTES[2], "--setting", "emergency", "-k", "9"],
        ["diagnose", "--note", NOTES[1], "--finding", "HP:0002204"],
    ]
    asked.append(["report", str(folder / "5.json"), "--deny", "fever", "--note", NOTES[0]])
    asked.append(["report", str(folder / "11.json"), "--confirm", "cough", "--note", NOTES[0], "--image", films[0]])
    return asked


def again(number: int, words: Sequence[str]) -> list[str]:
    """The line that replays the run with this number."""
    kind, *rest = words
    if kind == "report":
        case, *rest = rest
        rest = [*(word for word in rest if word != "--image"), "--report", case]
    return ["audit", "replay", str(number), *rest]


def process(home: Path, cwd: Path, asked: Sequence[Sequence[str]], seed: str, threads: str) -> str:
    """Run them in a process of its own; returns what it said on stderr."""
    repository = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "PYTHONPATH": repository,
        "PYTHONHASHSEED": seed,
        "OMP_NUM_THREADS": threads,
        "WHYDX_HOME": str(home),
    }
    command = [sys.executable, "-c", RUNNER, json.dumps(asked)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_runs_are_replayed_byte_for_byte_in_a_new_process(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    own = tmp_path / "home"
    own.mkdir()
    for part in ("graph", "linker", "indexes", "readings"):
        (own / part).symlink_to(home / part)
    asked = lines(tmp_path)
    assert len(asked) == RUNS
    saved = [[*words, "--format", "json", "-o", str(tmp_path / f"{n}.json")] for n, words in enumerate(asked, 1)]
    process(own, tmp_path, saved, seed="1", threads="1")
    rows = [row for _, row in chain.records(own / audit.NAME) if row]
    given = [hashlib.sha256((tmp_path / f"{n}.json").read_bytes()).hexdigest() for n in range(1, RUNS + 1)]
    assert [row["answer"] for row in rows] == given  # the record vouches for the file that the user has
    assert len(set(given)) == RUNS
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = process(own, elsewhere, [again(n, words) for n, words in enumerate(asked, 1)], seed="2", threads="2")
    assert [line for line in said.splitlines() if line.startswith("record")] == [
        f"record {n}: the same answer, byte for byte" for n in range(1, RUNS + 1)
    ]
    assert len([row for _, row in chain.records(own / audit.NAME) if row]) == RUNS
    assert whydx("audit", "verify", "--home", own).status == 0


def changed(rows: list[str]) -> list[str]:
    return [row.replace('"notes":1', '"notes":0') if n == 11 else row for n, row in enumerate(rows)]


def rewritten(rows: list[str]) -> list[str]:
    """Changed, with a hash that fits."""
    row = json.loads(rows[11]) | {"answer": "0" * 64}
    return [*rows[:11], json.dumps(row | {"hash": chain.digest(row)}, sort_keys=True) + "\n", *rows[12:]]


@pytest.mark.parametrize(
    ("meddle", "place", "said"),
    [
        (changed, "line 12", "changed: record 12 is not what was written"),
        (rewritten, "line 13", "changed: record 13 does not continue record 12"),
        (lambda rows: rows[:11] + rows[12:], "line 12", "removed: record 12 is missing before record 13"),
        (lambda rows: rows[:4] + rows[9:], "line 5", "removed: records 5 to 9 are missing before record 10"),
        (lambda rows: [*rows[:6], rows[7], rows[6], *rows[8:]], "line 8", "reordered: record 7 stands after record 8"),
        (lambda rows: rows[-1:] + rows[:-1], "line 2", "reordered: record 1 stands after record 20"),
        (lambda rows: rows[:17], "its end", "truncated: records 18 to 20 are missing at the end"),
        (lambda rows: [*rows[:-1], rows[-1][:40]], "line 20", "damaged: not a whole record"),
        (lambda rows: [], "its end", "truncated: records 1 to 20 are missing at the end"),
    ],
)
def test_a_trail_that_was_meddled_with_is_found_out_and_where(
    whydx: Whydx, tmp_path: Path, meddle: Callable[[list[str]], list[str]], place: str, said: str
) -> None:
    report = DiagnosticReport(findings=(), diagnoses=(), none_of_these=0.3, provenance={"graph": "abc"})
    for number in range(RUNS):
        audit.leave(tmp_path, audit.Inputs(note=f"note {number}"), f"{{{number}}}\n", report)
    whole = whydx("audit", "verify", "--home", tmp_path)
    assert (whole.status, f"{RUNS} records, the chain is whole" in whole.out) == (0, True)
    trail = tmp_path / audit.NAME
    trail.write_text("".join(meddle(trail.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    ran = whydx("audit", "verify", "--home", tmp_path)
    assert ran.status == 1
    assert f"the audit trail is broken at {place}" in ran.err
    assert said in ran.err
