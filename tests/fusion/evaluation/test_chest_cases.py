"""eval chest: its files, its figures, and a run that goes on where it was stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from fusion.evaluation.chest_cases import metrics, predictions, read_cases
from reports.file import UnfinishedLines

CASES = [
    {"id": "1", "note": "croupy", "accept": "croup", "group": "child", "age": 2, "sex": "male"},
    {"id": "2", "note": "wheeze", "accept": "asthma", "group": "airway"},
    {"id": "3", "note": "fever", "accept": "^pneumonia$|lobar", "group": "airway"},
    {"id": "4", "note": "pain", "accept": "none of these", "group": "none"},
]


def row(identifier: str, *names: str, set_: tuple[str, ...] = (), abstained: bool = False) -> dict[str, Any]:
    ranking = [
        {"name": name, "probability": p, "with_kinds": None} for name, p in zip(names, (0.6, 0.2, 0.1), strict=False)
    ]
    return {"id": identifier, "ranking": ranking, "none_of_these": 0.1, "set": list(set_), "abstained": abstained}


ROWS = [
    row("1", "Croup", "Asthma", set_=("Croup",)),
    row("2", "Bronchitis", "Asthma", set_=("Bronchitis", "Asthma")),
    row("3", "Influenza", "Viral pneumonia", abstained=True),
    row("4", abstained=True),
]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def test_the_figures_are_those_of_the_scorer(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ROWS[1]["ranking"][1]["with_kinds"] = 0.3
    cases = read_cases(written(tmp_path, CASES))
    found = metrics(cases, ROWS)
    assert found == {
        "n": 4,
        "top1": 0.25,
        "top3": 0.5,
        "top5": 0.5,
        "top10": 0.5,
        "p_right": pytest.approx((0.6 + 0.3) / 4, abs=1e-4),
        "abstained": 0.5,
        "ece": pytest.approx(abs(3 * 0.6 - 1) / 4, abs=1e-4),
        "coverage": 0.5,
        "set_size": 0.75,
        "macro_top5": pytest.approx((1 + 0.5 + 0) / 3, abs=1e-4),
    }
    scorer = Path(__file__).resolve().parents[3] / "shared" / "score" / "chest.py"
    if not scorer.is_file():
        pytest.skip("the development data's scorer is not there")
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    said = subprocess.run(
        [sys.executable, scorer, tmp_path / "cases.jsonl", predictions], capture_output=True, text=True, check=True
    )
    theirs = json.loads(said.stdout)
    assert {k: theirs[k] for k in found} == found


def test_a_case_holds_what_the_file_says(tmp_path: Path) -> None:
    case = read_cases(written(tmp_path, CASES))[0]
    assert (case.patient.note, case.patient.age, case.patient.sex) == ("croupy", 2.0, "M")
    assert case.accept.search("Viral CROUP")
    assert case.group == "child"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not a case"),
        ('{"id": "1", "note": "x"}', "line 1: not a case"),
        ('{"id": "1", "note": "x", "accept": "("}', "line 1: not a case"),
        ('{"id": "1", "image": "gone.png", "accept": "x"}', "line 1: no such image"),
        ('{"id": "1", "note": "x", "accept": "x"}\n{"id": "1", "note": "y", "accept": "x"}', "line 2: an id that was"),
        ("", "no case in the file"),
    ],
)
def test_what_is_no_case_is_said_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(line)
    with pytest.raises(InputError, match=said):
        read_cases(path)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    first = UnfinishedLines(target, "key")
    first.add(ROWS[0])
    first.add(ROWS[1])
    beside = tmp_path / ".out.jsonl.unfinished"
    beside.write_text(beside.read_text() + '{"id": "3", "rank')  # killed while it wrote
    again = UnfinishedLines(target, "key")
    assert list(again.done) == ["1", "2"]
    cases = read_cases(written(tmp_path, CASES[:2]))
    assert list(predictions(None, cases, again.done)) == ROWS[:2]  # type: ignore[arg-type]
    assert UnfinishedLines(target, "another key").done == {}
    again.forget()
    assert not beside.exists()
    assert not target.exists()
