"""A collection whose texts and images Ray worked on is the same, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from home import collect
from vision.phantom.radiograph import write_phantom


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_on_and_off_give_the_same_bytes(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    own = tmp_path / "home"
    own.mkdir()
    for part in ("graph", "linker"):
        (own / part).symlink_to(home / part)
    films = tmp_path / "films"
    films.mkdir()
    for number in range(3):
        write_phantom(films / f"{number}.dcm", seed=number)
        (films / f"{number}.txt").write_text(f"Pleural effusion number {number}, no pneumothorax.", encoding="utf-8")
    collect(own, "ours", [films])
    here = (own / "collections" / "ours" / "manifest.json").read_bytes()
    built = collect(own, "ours", anew=True, ray="local")
    assert built.documents == 3
    assert (own / "collections" / "ours" / "manifest.json").read_bytes() == here
    shutil.rmtree(own / "collections")
