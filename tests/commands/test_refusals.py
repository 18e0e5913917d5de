"""What is refused, in one line: bad input, bad images, damaged homes and weights."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Whydx = Callable[..., Any]  # see tests/conftest.py: a run has status, out and err


def one_line(ran: Any) -> str:
    """The message of a run that failed as it should: exit 1, nothing on stdout, one line on stderr."""
    assert ran.status == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1, ran.err
    return ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diagnose", "--note", ""), "the note is empty"),
        (("diagnose", "--note", " \n"), "the note is empty"),
        (("diagnose", "--note", "@missing.txt"), "cannot read the note"),
        (("diagnose", "--finding", "HP:1", "--absent", "HP:1"), "present and absent"),
        (("diagnose", "missing.dcm"), "no such file"),
        (("diagnose", "."), "no images in this folder"),
        (("detect", "missing.dcm"), "no such file"),
        (("link", ""), "the text is empty"),
        (("link", "cough", "--home", "nowhere"), "nowhere"),
        (("search", "cough", "--home", "nowhere"), "nowhere"),
        (("paths", "HP:1", "HP:2", "--home", "nowhere"), "nowhere"),
        (("index", "verify", "--home", "nowhere"), "whydx index build"),
        (("eval", "link", "missing.pubtator"), "no such file"),
        (("data", "fetch", "nothing", "--home", "nowhere"), "unknown source"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input(
    whydx: Whydx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in one_line(whydx(*arguments))


def _text_as_dicom(path: Path, phantom: Path) -> None:
    path.write_text("This is no DICOM file.\n" * 50, encoding="utf-8")


def _truncated(path: Path, phantom: Path) -> None:
    data = phantom.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _cut_in_the_header(path: Path, phantom: Path) -> None:
    path.write_bytes(phantom.read_bytes()[:300])


def _photograph(path: Path, phantom: Path) -> None:
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:480, 0:640]
    colours = np.stack([x * 255 // 640, y * 255 // 480, 255 - x * 255 // 640], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(path, "PNG")


def _empty(path: Path, phantom: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [_text_as_dicom, _truncated, _cut_in_the_header, _photograph, _empty])
@pytest.mark.parametrize("verb", ["diagnose", "detect"])
def test_bad_images(
    whydx: Whydx, home: Path, phantom: Path, tmp_path: Path, verb: str, make: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "image.dcm"
    make(path, phantom)
    one_line(whydx(verb, path, "--home", home))


@pytest.mark.parametrize("flag", ["--finding", "--absent"])
@pytest.mark.parametrize("curie", ["HP:9999999", "no such finding"])
def test_unknown_curie(whydx: Whydx, home: Path, flag: str, curie: str) -> None:
    assert curie in one_line(whydx("diagnose", "--note", "cough", flag, curie, "--home", home))


def _damaged_home(home: Path, target: Path, part: str) -> Path:
    """A home like ``home`` in which the largest file of ``part`` has one bit flipped."""
    for folder in ("sources", "graph", "linker", "indexes/literature", "indexes/cases", "indexes/images"):
        if not (home / folder).exists():
            continue
        (target / folder).parent.mkdir(parents=True, exist_ok=True)
        if folder == part:
            shutil.copytree(home / folder, target / folder)
        else:
            (target / folder).symlink_to(home / folder)
    victim = max((p for p in (target / part).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    _flip(victim)
    return target


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ("graph", ("paths", "HP:0002202", "ICD10CM:J18.9")),
        ("linker", ("link", "cough")),
        ("indexes/literature", ("search", "cough")),
        ("indexes/cases", ("cases", "--text", "cough")),
        ("indexes/literature", ("diagnose", "--note", "cough")),
        ("indexes/images", ("index", "verify")),
        ("linker", ("index", "verify")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_damaged_files(whydx: Whydx, home: Path, tmp_path: Path, part: str, arguments: tuple[str, ...]) -> None:
    message = one_line(whydx(*arguments, "--home", _damaged_home(home, tmp_path, part)))
    assert "run: whydx" in message


def _shipped(package: str, constant: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy shipped weights to ``target`` and have the program read them there."""
    module = importlib.import_module(package)
    shutil.copytree(getattr(module, constant), target)
    monkeypatch.setattr(module, constant, target)
    return target


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_detector_that_does_not_match(
    whydx: Whydx, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = _shipped("vision.detector", "WEIGHTS", tmp_path / "weights", monkeypatch)
    assert whydx("detect", phantom, "--home", tmp_path).status == 0
    _flip(weights / "detector.safetensors")
    assert "do not match" in one_line(whydx("detect", phantom, "--home", tmp_path))
    shutil.copy(weights.parent / "weights" / "cases.safetensors", weights / "detector.safetensors")
    one_line(whydx("detect", phantom, "--home", tmp_path))


def test_a_reasoner_that_does_not_match(
    whydx: Whydx, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = _shipped("fusion.checkpoint", "PACKAGED_WEIGHTS", tmp_path / "weights", monkeypatch)
    assert whydx("diagnose", "--note", "cough", "--home", home).status == 0
    _flip(weights / "reasoner.safetensors")
    one_line(whydx("diagnose", "--note", "cough", "--home", home))


@pytest.mark.slow
def test_index_build_mends_what_is_damaged(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    damaged = _damaged_home(home, tmp_path, "indexes/images")
    shutil.copy(home / "built.json", damaged)
    one_line(whydx("index", "verify", "--home", damaged))
    ran = whydx("index", "build", "images", "--home", damaged)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("built images in ")
    assert whydx("index", "verify", "--home", damaged).status == 0
    assert whydx("index", "build", "--home", damaged).err == ""
