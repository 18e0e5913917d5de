"""A phrase that notes repeat and nobody reads is suggested, accepted by a person, read, and forgotten again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pytest

from fusion.local import open_linker
from indexes import versions

Whydx = Callable[..., Any]
NOTES = ["Cough. Zwickel sign seen.", "zwickel sign again, no fever", "Known zwickel sign.", "Mrs Quuxley coughs."]


@pytest.fixture
def place(home: Path, tmp_path: Path) -> Path:
    """A home of its own with the graph and the linker of the tests' home, and notes beside it."""
    (tmp_path / "home").mkdir()
    for part in ("graph", "linker", "built.json"):
        (tmp_path / "home" / part).symlink_to(home / part)
    (tmp_path / "notes").mkdir()
    for i, note in enumerate(NOTES):
        (tmp_path / "notes" / f"{i}.txt").write_text(note, encoding="utf-8")
    return tmp_path


class Letters:
    """In place of the encoder, which takes seconds: what letters a text has."""

    def encode(self, texts: list[str], progress: object = None) -> np.ndarray:
        rows = np.array([[text.lower().count(letter) for letter in ascii_lowercase] for text in texts], float)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def test_words_are_suggested_accepted_read_and_left(whydx: Whydx, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.encoder.Encoder.load", Letters)
    table = place / "words.tsv"
    ran = whydx("adapt", "--notes", place / "notes", "-o", table, "--home", place / "home")
    assert ran.status == 0, ran.err
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    assert head == "phrase\tnotes\tmeans\tsimilarity\taccept"
    assert [row.split("\t")[:2] for row in rows] == [["zwickel", "3"]]  # a name, in one note, does not come up
    ran = whydx("adapt", "--words", table, "--home", place / "home")
    assert (ran.status, ran.out) == (1, "")
    assert "nothing is accepted" in ran.err
    table.write_text(f"{head}\nzwickel\t3\tPleural effusion\t0.3\tx\n", encoding="utf-8")
    assert whydx("adapt", "--words", table, "--home", place / "home").status == 0
    (match,) = open_linker(place / "home").link("No Zwickel today.", note=True)
    assert (match.concept.name, match.method, match.presence) == ("Pleural effusion", "local", "absent")
    assert match.mention == "Zwickel"
    assert "local words" in whydx("adapt", "--list", "--home", place / "home").out
    versions.back(place / "home" / "local")
    assert open_linker(place / "home").link("No Zwickel today.", note=True) == ()


@pytest.mark.parametrize(
    ("row", "said"), [("zwickel sign\t3\tno such thing\t0\tx", "line 2: no concept"), ("\t3\tCough\t0\tx", "line 2")]
)
def test_a_row_that_cannot_be_used_is_named(whydx: Whydx, place: Path, row: str, said: str) -> None:
    (place / "words.tsv").write_text(f"phrase\tnotes\tmeans\tsimilarity\taccept\n{row}\n", encoding="utf-8")
    ran = whydx("adapt", "--words", place / "words.tsv", "--home", place / "home")
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
