"""adapt, worklist and monitor from the command line, on films whose looks are kept already."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from learning.head_fit import shipped
from vision.detector import Detector
from vision.films.levels import STEPS
from vision.finding import LABELS

Whydx = Callable[..., Any]
FILMS, LABELLED = 110, 70


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``home`` and ``films``: 110 little pictures, 70 of them with labels in labels.csv. What a detector
    would make of them is in the home already; Pneumonia shows in the embedding alone. The last 30 are brighter."""
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "films").mkdir()
    detector, base, rng = Detector.open(), shipped(), np.random.default_rng(7)
    back = np.linalg.pinv(base.axes)
    lines, rows = [], []
    for i in range(FILMS):
        path = folder / "films" / f"{i:03d}.png"
        Image.fromarray(rng.integers(0, 255, (16, 16)).astype(np.uint8)).save(path)
        sick = bool(rng.random() < 0.5)
        phi = rng.normal(0, 0.5, len(back))
        phi[[0, 3]] += 4.0, 1.2 if sick else -1.2
        embedding = (base.mean + phi @ back).astype("<f2")
        measures = {name: float(step * rng.normal(0, 4)) for name, step in STEPS.items()}
        measures["brightness"] += 10 * STEPS["brightness"] if i >= FILMS - 30 else 0
        lines.append(
            {
                "key": hashlib.sha256(path.read_bytes()).hexdigest(),
                "by": f"{detector.fingerprint} {detector.anatomy_fingerprint}",
                "refused": None,
                "low": False,
                "measures": measures,
                "logits": rng.normal(-1, 1, len(LABELS) + 1).tolist(),
                "embedding": base64.b64encode(embedding.tobytes()).decode(),
            }
        )
        rows.append([path.name, "Pneumonia" if sick else "normal", f"p{i}"])
    (folder / "home" / "local").mkdir(parents=True)
    kept = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "home" / "local" / "looks.jsonl").write_text(kept + '{"key": "cut off', encoding="utf-8")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["image", "labels", "patient"], *rows[:LABELLED]])
    return folder


def test_adapt_keeps_a_version_says_how_it_does_and_goes_back(whydx: Whydx, clinic: Path) -> None:
    home = ("--home", clinic / "home")
    asked = ("adapt", "--cases", clinic / "films", "--labels", clinic / "labels.csv", "--only", "Pneumonia", *home)
    ran = whydx(*asked, "--try", "--track", "none", "--format", "json")
    assert ran.status == 0, ran.err
    (judged,) = json.loads(ran.out)["judged"]
    assert judged["auroc"][1] > judged["auroc"][0] + 0.2
    assert whydx("adapt", "--list", *home, "--format", "json").out.count('"version"') == 1
    ran = whydx(*asked)
    assert ran.status == 0, ran.err
    assert "version 1 is in use" in ran.err
    rows = json.loads(whydx("adapt", "--list", *home, "--format", "json").out)
    assert [(row["version"], row["in_use"]) for row in rows] == [(0, False), (1, True)]
    assert "detector head" in whydx("adapt", "--list", *home).out
    runs = json.loads(whydx("runs", "list", *home, "--format", "json").out)
    assert [run["state"] for run in runs] == ["tried", "finished"]
    assert [sorted(run["data"]) for run in runs] == [["films", "labels.csv"]] * 2
    assert runs[0]["data"] == runs[1]["data"]
    assert list((clinic / "home" / "runs").rglob("events.out.tfevents.*"))
    assert "version 0 is in use" in whydx("adapt", "--back", *home).err
    ran = whydx("adapt", "--use", "9", *home)
    assert (ran.status, ran.out) == (1, "")


def test_the_worklist_is_of_films_without_labels_and_can_be_filled_in(whydx: Whydx, clinic: Path) -> None:
    asked = ("worklist", clinic / "films", "--labels", clinic / "labels.csv", "--home", clinic / "home", "-k", "5")
    ran = whydx(*asked, "--format", "json")
    assert ran.status == 0, ran.err
    wanted = [row["image"] for row in json.loads(ran.out)]
    assert len(set(wanted)) == 5
    assert all(int(name[:3]) >= LABELLED for name in wanted)
    assert "Films whose labels" in whydx(*asked).out
    table = whydx(*asked, "--format", "csv").out
    assert table.splitlines()[0] == "image,labels,unknown"
    assert [line.split(",")[0] for line in table.splitlines()[1:]] == wanted


def test_monitor_watches_a_folder(whydx: Whydx, clinic: Path, tmp_path: Path) -> None:
    for part, numbers in (("before", range(60)), ("same", range(60, 80)), ("brighter", range(80, FILMS))):
        (tmp_path / part).mkdir()
        for i in numbers:
            (tmp_path / part / f"{i:03d}.png").symlink_to(clinic / "films" / f"{i:03d}.png")
    home = ("--home", clinic / "home")
    ran = whydx("monitor", tmp_path / "same", "--reference", tmp_path / "before", *home)
    assert (ran.status, ran.err) == (0, "")
    plot = tmp_path / "plot.png"
    ran = whydx("monitor", tmp_path / "brighter", "--reference", tmp_path / "before", "--plot", plot, *home)
    assert ran.status == 3
    assert "mostly brightness" in ran.out
    assert plot.read_bytes().startswith(b"\x89PNG")
    ran = whydx("monitor", tmp_path / "same", "--reference", tmp_path / "same", *home)
    assert (ran.status, ran.out) == (1, "")
    assert "too few images" in ran.err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("000.png,Cough,", "line 2: not a label: 'Cough'"),
        ("none.png,Pneumonia,", "line 2: no such image"),
        ("000.png,Pneumonia|normal,", "line 2: no finding beside a finding"),
        ("000.png,,", "no labelled films"),
    ],
)
def test_labels_that_cannot_be_read_are_named(whydx: Whydx, clinic: Path, tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "labels.csv").write_text(f"image,labels,unknown\n{row}\n", encoding="utf-8")
    ran = whydx("adapt", "--cases", clinic / "films", "--labels", tmp_path / "labels.csv", "--home", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("adapt",), ("adapt", "--list", "--back"), ("monitor", "a.png"), ("runs", "compare", "a")]
)
def test_usage(whydx: Whydx, arguments: tuple[str, ...]) -> None:
    ran = whydx(*arguments)
    assert (ran.status, ran.out) == (2, "")


def test_a_diagnosis_leaves_what_is_watched(whydx: Whydx, home: Path, phantom: Path) -> None:
    ran = whydx("diagnose", phantom, "--note", "fever and cough", "--home", home, "-k", "1")
    assert ran.status == 0, ran.err
    record = json.loads((home / "audit.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert {"brightness", "noise", "look 1", "normal", "first", "none", "unread", "said"} <= record["watched"].keys()
    assert all(isinstance(value, int) for value in record["watched"].values())
