"""``whydx detect``: one image, a folder, explanations, devices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vision.phantom.radiograph import write_phantom

Whydx = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom, noise, a broken file, and one that is no image."""
    place = tmp_path_factory.mktemp("films")
    write_phantom(place / "a.dcm")
    (place / "more").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    Image.fromarray(noise).save(place / "more" / "b.png")
    (place / "c.jpg").write_bytes(b"\xff\xd8\xff broken")
    (place / "notes.txt").write_text("not an image")
    return place


def test_a_folder_gives_a_line_an_image(whydx: Whydx, folder: Path, tmp_path: Path) -> None:
    ran = whydx("detect", folder, "--format", "jsonl", "--home", tmp_path)
    assert ran.status == 0, ran.err
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(row["image"]).name for row in rows] == ["a.dcm", "c.jpg", "b.png"]
    assert [row["refused"] for row in rows] == [None, "unreadable", "not_a_chest_radiograph"]
    assert len(rows[0]["findings"]) == 14
    assert rows[1]["findings"] == rows[2]["findings"] == []


def test_an_explanation_carries_its_faithfulness(whydx: Whydx, folder: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "o.png"
    ran = whydx("detect", folder / "a.dcm", "--overlay", overlay, "--format", "json", "--home", tmp_path)
    assert ran.status == 0, ran.err
    (row,) = json.loads(ran.out)
    present = {f["label"] for f in row["findings"] if f["presence"] == "present"}
    assert {e["label"] for e in row["explanations"]} == present
    for e in row["explanations"]:
        beats_chance = e["deletion"] < e["random_deletion"] and e["insertion"] > e["random_insertion"]
        assert e["shown"] == beats_chance
        assert e["shown"] != any(f"no map shown for {e['label']}:" in w for w in row["warnings"])
    assert overlay.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(whydx: Whydx, folder: Path, tmp_path: Path, device: str) -> None:
    import torch

    if {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[device]:
        pytest.skip("this machine has one")
    ran = whydx("detect", folder / "a.dcm", "--device", device, "--home", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert "this device is not there" in ran.err


def test_a_folder_without_images(whydx: Whydx, tmp_path: Path) -> None:
    ran = whydx("detect", tmp_path, "--home", tmp_path)
    assert ran.status == 1
    assert "no images in this folder" in ran.err


def test_measurements_stand_in_the_table_and_in_json(whydx: Whydx, folder: Path, tmp_path: Path) -> None:
    ran = whydx("detect", folder / "a.dcm", "--format", "json", "--home", tmp_path)
    (row,) = json.loads(ran.out)
    ratio = next(m for m in row["measurements"] if m["name"] == "cardiothoracic ratio")
    assert 0.3 < ratio["value"] < 0.7
    assert ratio["usual"] == (ratio["value"] <= ratio["high"])
    table = whydx("detect", folder / "a.dcm", "--home", tmp_path).out
    assert f"cardiothoracic ratio {ratio['value']:.2f} (usual: at most {ratio['high']:.2f}" in table


def test_a_lateral_film_beside_a_frontal_one(whydx: Whydx, folder: Path, tmp_path: Path) -> None:
    lateral = _said_to_be_lateral(folder / "a.dcm", tmp_path / "lateral.dcm")
    ran = whydx("detect", folder / "a.dcm", lateral, "--format", "json", "--home", tmp_path)
    assert ran.status == 0, ran.err
    assert [row["refused"] for row in json.loads(ran.out)] == [None, "lateral_view"]
    alone = whydx("detect", lateral, lateral, "--format", "json", "--home", tmp_path)
    assert alone.status == 1
    assert "lateral_view" in alone.err


def test_exports_have_no_suffixes(whydx: Whydx, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "cd" / "S1"
    place.mkdir(parents=True)
    (place / "IM0001").write_bytes((folder / "a.dcm").read_bytes())
    (place / "IM0002.IMA").write_bytes((folder / "a.dcm").read_bytes())
    (place / ".hidden").write_bytes((folder / "a.dcm").read_bytes())
    (place / "readme").write_text("of the CD")
    ran = whydx("detect", tmp_path / "cd", "--format", "jsonl", "--home", tmp_path)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(row["image"]).name for row in rows] == ["IM0001", "IM0002.IMA"]
    assert not any(row["refused"] for row in rows)


def _said_to_be_lateral(source: Path, path: Path) -> Path:
    import pydicom

    data = pydicom.dcmread(source)
    data.ViewPosition, data.SOPInstanceUID = "LEFT LATERAL", "1.2.3.9"
    data.save_as(path)
    return path
