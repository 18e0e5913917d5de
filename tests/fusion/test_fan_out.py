"""A collection whose texts and images Ray worked on is the same, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fusion.collecting.seen import Eyes
from home import collect
from kg.graph import KnowledgeGraph
from vision.phantom.radiograph import write_phantom


def test_what_is_seen_does_not_depend_on_the_number_of_threads(home: Path, tmp_path: Path) -> None:
    import torch

    film = tmp_path / "film.dcm"
    write_phantom(film, seed=0)
    eyes, own, seen = Eyes(KnowledgeGraph.open(home / "graph"), "cpu"), torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found = eyes.look(film).embedding
        assert found is not None
        seen.append(found.tobytes())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(own)
    assert seen[0] == seen[1]


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
