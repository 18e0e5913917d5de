"""Versions are numbered, kept whole, used and left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errors import InputError
from indexes import versions


def test_nothing_is_version_0(tmp_path: Path) -> None:
    assert versions.used(tmp_path / "none") == [0]
    assert versions.current(tmp_path / "none") is None
    assert versions.listed(tmp_path / "none") == []


def test_a_version_keeps_what_it_does_not_replace(tmp_path: Path) -> None:
    assert versions.add(tmp_path, {"a": "1", "b": "1"}, {"what": "first"}) == 1
    assert versions.add(tmp_path, {"b": "2"}, {"what": "second"}) == 2
    now = versions.current(tmp_path)
    assert now is not None
    assert ((now / "a").read_text(), (now / "b").read_text()) == ("1", "2")
    assert [(n, card["what"], card["files"]) for n, card in versions.listed(tmp_path)] == [
        (1, "first", ["a", "b"]),
        (2, "second", ["a", "b"]),
    ]
    assert (tmp_path / "0001" / "b").read_text() == "1"


def test_back_goes_step_by_step_and_a_number_is_never_used_twice(tmp_path: Path) -> None:
    versions.add(tmp_path, {"a": "1"}, {})
    versions.add(tmp_path, {"a": "2"}, {})
    assert versions.back(tmp_path) == 1
    assert versions.add(tmp_path, {"c": "3"}, {}) == 3  # from 1, not from 2
    assert (tmp_path / "0003" / "a").read_text() == "1"
    assert [versions.back(tmp_path), versions.back(tmp_path)] == [1, 0]
    with pytest.raises(InputError, match="nothing to go back to"):
        versions.back(tmp_path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such version"):
        versions.use(tmp_path, 4)
    versions.add(tmp_path, {"a": "1"}, {})
    (tmp_path / "current.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        versions.current(tmp_path)
    versions.use(tmp_path, 0)  # what the message says to run
    assert versions.current(tmp_path) is None


def test_a_version_that_was_begun_and_not_finished_is_none(tmp_path: Path) -> None:
    part = tmp_path / ".0001.part"
    part.mkdir(parents=True)
    (part / "card.json").write_text(json.dumps({}), encoding="utf-8")
    assert versions.listed(tmp_path) == []
    assert versions.add(tmp_path, {"a": "1"}, {}) == 1
