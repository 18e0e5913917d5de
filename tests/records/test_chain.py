"""A changed, removed, reordered or cut-off line of a chained log is found, and where."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from errors import InputError
from records import chain
from records.lines import canonical

COUNT = 6


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    for number in range(COUNT):
        chain.add(path, {"event": f"run {number}"})
    return path


def found(path: Path) -> list[tuple[int | None, str]]:
    return [(p.line, p.kind) for p in chain.verify(path).problems]


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(change(lines)), encoding="utf-8")


def test_a_chain_is_whole_and_its_hash_is_that_of_the_canonical_line(log: Path) -> None:
    verified = chain.verify(log)
    assert (verified.records, verified.sequence, verified.problems) == (COUNT, COUNT, ())
    row = json.loads(log.read_text(encoding="utf-8").splitlines()[0])
    own = row.pop("hash")
    assert row["previous"] == "0" * 64
    assert own == hashlib.sha256(json.dumps(row, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_each_changed_line_is_found(log: Path, number: int) -> None:
    edit(log, lambda lines: [s.replace("run", "ran") if i == number else s for i, s in enumerate(lines, 1)])
    assert found(log) == [(number, "changed")]


@pytest.mark.parametrize("number", range(1, COUNT))
def test_a_line_written_anew_with_its_hash_does_not_fit_the_next(log: Path, number: int) -> None:
    def change(lines: list[str]) -> list[str]:
        row = json.loads(lines[number - 1]) | {"event": "forged"}
        row["hash"] = chain.digest(row)
        return [*lines[: number - 1], canonical(row) + "\n", *lines[number:]]

    edit(log, change)
    assert found(log) == [(number + 1, "changed")]


@pytest.mark.parametrize("number", range(1, COUNT))
def test_each_removed_line_is_found(log: Path, number: int) -> None:
    edit(log, lambda lines: lines[: number - 1] + lines[number:])
    assert found(log) == [(number, "removed")]


@pytest.mark.parametrize("number", range(1, COUNT))
def test_two_lines_in_the_other_order_are_found(log: Path, number: int) -> None:
    edit(log, lambda lines: [*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]])
    assert found(log) == [(number + 1, "reordered")]


@pytest.mark.parametrize("kept", range(COUNT))
def test_an_end_that_is_cut_off_is_found_by_the_head(log: Path, kept: int) -> None:
    edit(log, lambda lines: lines[:kept])
    assert found(log) == [(None, "truncated")]
    first = f"record {kept + 1}" if kept == COUNT - 1 else f"records {kept + 1} to {COUNT}"
    assert chain.verify(log).problems[0].text.startswith(first)


def test_a_log_that_is_gone_is_found_by_the_head(log: Path) -> None:
    log.unlink()
    assert found(log) == [(None, "truncated")]
    chain.add(log, {"event": "later"})
    assert found(log) == [(1, "removed")]


def test_a_line_cut_in_the_middle_is_found_and_the_next_run_goes_on(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-20])
    assert found(log) == [(COUNT, "damaged"), (None, "truncated")]
    chain.add(log, {"event": "later"})
    assert found(log) == [(COUNT, "damaged"), (COUNT + 1, "removed")]


def test_a_run_cut_off_before_its_head_was_moved_is_told_and_goes_on(log: Path) -> None:
    head = chain.head_path(log).read_text(encoding="utf-8")
    chain.add(log, {"event": "cut off"})
    chain.head_path(log).write_text(head, encoding="utf-8")
    assert found(log) == [(None, "head")]
    chain.add(log, {"event": "later"})
    assert found(log) == []


def test_a_doubled_line_and_a_missing_or_damaged_head_are_found(log: Path) -> None:
    edit(log, lambda lines: [*lines[:3], lines[2], *lines[3:]])
    assert found(log) == [(4, "reordered")]
    chain.head_path(log).unlink()
    assert (None, "head") in found(log)
    chain.head_path(log).write_text("{", encoding="utf-8")
    assert (None, "head") in found(log)
    with pytest.raises(InputError, match="head file is damaged"):
        chain.add(log, {"event": "later"})


def test_a_chain_forged_with_its_head_is_found_by_a_head_noted_elsewhere(log: Path, tmp_path: Path) -> None:
    noted = chain.verify(log).head
    assert chain.verify(log, noted).problems == ()
    other = tmp_path / "other.jsonl"
    for number in range(COUNT):
        chain.add(other, {"event": f"forged {number}"})
    assert chain.verify(other).problems == ()
    assert [p.kind for p in chain.verify(other, noted).problems] == ["another chain"]


def test_many_writers_leave_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    threads = [threading.Thread(target=lambda: [chain.add(path, {"event": "x"}) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (chain.verify(path).records, found(path)) == (20, [])
