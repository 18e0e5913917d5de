"""``whydx detect`` on a CT series: nodules with place and size, a picture, refusals."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vision.ct.patches import Nodules
from vision.ct.reading import read_nodules
from vision.ct.volume import Volume
from vision.phantom.radiograph import write_phantom
from vision.phantom.scan import NODULES, scan, write_scan

Whydx = Callable[..., Any]


@pytest.fixture(scope="module")
def volume() -> Volume:
    return scan()


@pytest.fixture(scope="module")
def series(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("scan") / "series", volume)


def test_the_placed_nodules_are_found(whydx: Whydx, series: Path, tmp_path: Path) -> None:
    picture = tmp_path / "nodules.png"
    ran = whydx("detect", series, "--overlay", picture, "--format", "json", "--home", tmp_path)
    assert ran.status == 0, ran.err
    (row,) = json.loads(ran.out)
    assert row["refused"] is None
    assert any("PHANTOM" in line for line in row["warnings"])
    assert any("nothing else" in line for line in row["warnings"])
    for ball in NODULES:
        near = min(row["nodules"], key=lambda n: math.dist(n["centre_mm"], ball.centre_mm))
        assert math.dist(near["centre_mm"], ball.centre_mm) < 2
        assert near["diameter_mm"] == pytest.approx(ball.diameter_mm, abs=1)
        assert near["present"]
        assert near["side"] == ("left" if ball.centre_mm[0] > 0 else "right")
        assert near["slice"] == pytest.approx(ball.centre_mm[2] / 2 + 1, abs=1)
    likeliest = row["nodules"][: len(NODULES)]
    for ball in NODULES:
        assert any(math.dist(n["centre_mm"], ball.centre_mm) < 2 for n in likeliest), "before any vessel"
    assert sum(n["present"] for n in row["nodules"]) <= len(NODULES) + 3, "few false marks"
    first = row["findings"][0]
    assert (first["label"], first["presence"]) == ("Nodule", "present")
    assert first["box"]["width"] == pytest.approx(row["nodules"][0]["diameter_mm"], abs=0.6)  # a pixel is a millimetre
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_table_of_a_scan_among_other_images(whydx: Whydx, series: Path, tmp_path: Path) -> None:
    place = tmp_path / "study"
    shutil.copytree(series, place / "ct")
    for path in (place / "ct").iterdir():
        path.rename(path.with_suffix(""))  # exports have no suffixes
    write_phantom(place / "film.dcm")
    ran = whydx("detect", place, "--home", tmp_path)
    assert ran.status == 0, ran.err
    assert "left lung, middle third" in ran.out or "left lung, lower third" in ran.out
    assert "cardiothoracic ratio" in ran.out
    ran = whydx("detect", place, "--format", "jsonl", "--home", tmp_path)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [("nodules" in row, Path(row["image"]).name) for row in rows] == [(False, "film.dcm"), (True, "ct")]


def test_what_is_no_chest_is_refused(whydx: Whydx, volume: Volume, tmp_path: Path) -> None:
    body = np.where(volume.voxels > -500, volume.voxels, np.float32(40))
    body[:, :10] = body[:, -10:] = -1000
    head = write_scan(tmp_path / "head", replace(volume, voxels=body, body_part=""))
    ran = whydx("detect", head, "--home", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert "not_a_chest_ct" in ran.err
    assert "a CT series of the chest" in ran.err
    both = whydx("detect", head, head, "--format", "jsonl", "--home", tmp_path)
    assert [json.loads(line)["refused"] for line in both.out.splitlines()] == ["not_a_chest_ct"] * 2


def test_one_slice_is_refused_with_what_to_give_instead(whydx: Whydx, series: Path, tmp_path: Path) -> None:
    ran = whydx("detect", series / "0050.dcm", "--home", tmp_path)
    assert ran.status == 1
    assert "wrong_modality" in ran.err
    assert "the folder of a CT series" in ran.err


def test_a_missing_slice_is_said(whydx: Whydx, series: Path, tmp_path: Path) -> None:
    place = tmp_path / "gap"
    shutil.copytree(series, place)
    (place / "0050.dcm").unlink()
    ran = whydx("detect", place, "--home", tmp_path)
    assert ran.status == 1
    assert "slices are missing or doubled" in ran.err


def test_lungs_without_a_nodule_have_none(volume: Volume) -> None:
    seen = read_nodules(scan(()), Nodules.open())
    assert sum(n.present for n in seen.nodules) <= 3
    assert seen.candidates > 20
    nothing = read_nodules(scan((), vessels=False), Nodules.open())
    assert nothing.nodules == ()
    assert [(f.label, f.presence) for f in nothing.findings] == [("Nodule", "absent")]
