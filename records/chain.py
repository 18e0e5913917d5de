"""A log whose lines are chained by hashes, so that a changed, removed, reordered or cut-off line is found.

Each line is a JSON object with ``sequence`` (from 1), ``previous`` (the hash of the line before, zeros for the first)
and ``hash``, the SHA-256 of the object without it (`lines.canonical`): a hash chain after Haber and Stornetta (1991).
A chain alone cannot show that its end is missing; a head file beside it (NAME.head) holds sequence and hash of the last
line.

Whoever can write to the folder can forge the whole chain with its head. A head that was noted elsewhere shows that, too
(``expected`` of `verify`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from errors import InputError
from records.lines import append, canonical, last_line, locked, replace

FIRST = "0" * 64
Kind = Literal["damaged", "changed", "removed", "reordered", "truncated", "head", "another chain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Where the chain is broken: ``line`` of the file (from 1; None at its end), and what is wrong there."""

    line: int | None
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """``records`` lines were read, the last of them with ``sequence`` and ``head`` (its hash)."""

    records: int
    sequence: int
    head: str
    problems: tuple[Problem, ...]


def head_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def digest(row: Mapping[str, Any]) -> str:
    """The hash that a row without its own ``hash`` has."""
    return hashlib.sha256(canonical({k: v for k, v in row.items() if k != "hash"}).encode("utf-8")).hexdigest()


def add(path: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """Append ``row`` with its place in the chain, and move the head; returns it as it was written. Raises OSError when
    it cannot be written.

    A process that died between line and head left a line that the head does not know; the chain goes on from it. Where
    the last line is no record, or the log is gone, it goes on from the head, so that `verify` finds the gap.
    """
    with locked(path):
        sequence, previous = _head(path) or (0, FIRST)
        last = _parsed(last_line(path))
        if last is not None and last["hash"] == digest(last) and last["sequence"] > sequence:
            sequence, previous = last["sequence"], last["hash"]
        whole = {**row, "sequence": sequence + 1, "previous": previous}
        whole["hash"] = digest(whole)
        append(path, canonical(whole) + "\n")
        replace(head_path(path), canonical({"sequence": whole["sequence"], "hash": whole["hash"]}) + "\n")
    return whole


def records(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line, record) of each line; None for one that is no record. Nothing when there is no log."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            yield number, _parsed(line) if line.endswith("\n") else None


def verify(path: Path, expected: str | None = None) -> Verified:
    """Read the whole chain; ``expected`` is the hash of a record that was noted elsewhere and must be part of it."""
    problems: list[Problem] = []
    sequence, previous, count, hashes = 0, FIRST, 0, {FIRST: 0}
    seen: set[int] = set()
    gaps: dict[int, Problem] = {}
    for line, row in records(path):
        if row is None:
            problems.append(Problem(line=line, kind="damaged", text="not a whole record"))
            continue
        count += 1
        number = row["sequence"]
        if row["hash"] != digest(row):
            problems.append(Problem(line=line, kind="changed", text=f"record {number} is not what was written"))
        elif number in seen or number <= sequence:
            problems.append(
                Problem(line=line, kind="reordered", text=f"record {number} stands after record {sequence}")
            )
        elif number > sequence + 1:
            missing = _range(sequence + 1, number - 1)
            gap = Problem(line=line, kind="removed", text=f"{missing} missing before record {number}")
            gaps |= dict.fromkeys(range(sequence + 1, number), gap)
            problems.append(gap)
        elif row["previous"] != previous:
            text = f"record {number} does not continue record {sequence}: one of them was written anew"
            problems.append(Problem(line=line, kind="changed", text=text))
        seen.add(number)
        hashes[row["hash"]] = line
        if number >= sequence:
            sequence, previous = number, row["hash"]
    later = [
        gaps[number] for number in sorted(gaps.keys() & seen)
    ]  # not missing: they stand elsewhere, and that is said
    gone = [gaps[number] for number in sorted(gaps.keys() - seen)]
    problems = [p for p in problems if p not in later or p in gone]
    problems += _at_the_end(path, sequence, previous, hashes)
    if expected is not None and expected not in hashes:
        problems.append(Problem(line=None, kind="another chain", text=f"no record has the hash {expected[:16]}…"))
    return Verified(records=count, sequence=sequence, head=previous, problems=tuple(problems))


def _at_the_end(path: Path, sequence: int, last: str, hashes: Mapping[str, int]) -> Iterator[Problem]:
    try:
        head = _head(path)
    except InputError as error:
        yield Problem(line=None, kind="head", text=error.what)
        return
    if head is None:
        if sequence:
            yield Problem(
                line=None, kind="head", text="the head file is missing, so that the end cannot be vouched for"
            )
    elif head[0] > sequence:
        yield Problem(line=None, kind="truncated", text=f"{_range(sequence + 1, head[0])} missing at the end")
    elif head[1] not in hashes or (head[0] == sequence and head[1] != last):
        yield Problem(line=None, kind="head", text=f"the head names another record {head[0]} than the log has")
    elif head[0] < sequence:
        text = f"{_range(head[0] + 1, sequence)} later than the head: a run was cut off, or a line added by hand"
        yield Problem(line=None, kind="head", text=text)


def _range(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _head(path: Path) -> tuple[int, str] | None:
    """(sequence, hash) of the head file, or None without one. Raises InputError when it is damaged."""
    try:
        stated = json.loads(head_path(path).read_text(encoding="utf-8"))
        return int(stated["sequence"]), str(stated["hash"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("the head file is damaged", value=head_path(path).name, run="whydx audit verify") from error


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and isinstance(row.get("sequence"), int)
    return row if whole and isinstance(row.get("hash"), str) and isinstance(row.get("previous"), str) else None
