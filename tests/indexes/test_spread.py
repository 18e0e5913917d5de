"""Work that Ray fans out has the answers of one process, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import InputError, SourceError
from indexes.spread import OnRay, Work


@pytest.fixture(scope="module")
def ray() -> Iterator[OnRay]:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    started = OnRay()
    yield started
    started.close()


def squaring(folder: Path) -> Work:
    """Squares; the first worker that is given 50 is killed."""

    def work(number: int) -> int:
        if number == 50 and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number < 0:
            raise InputError("below zero", value=number)
        return number * number

    return work


@pytest.mark.slow  # starting Ray takes seconds
def test_a_killed_worker_loses_nothing(ray: OnRay, tmp_path: Path) -> None:
    found = list(ray.map(squaring, (tmp_path,), range(100), chunk=10))
    assert (tmp_path / "killed").exists()
    assert found == [number * number for number in range(100)]


@pytest.mark.slow
def test_what_goes_wrong_is_said_here(ray: OnRay, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="below zero: '-1'"):
        list(ray.map(squaring, (tmp_path,), [1, -1]))
    assert list(ray.map(squaring, (tmp_path,), [])) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no Ray cluster answers: '127.0.0.1:1'"), ("nowhere", "no address of Ray: 'nowhere'")],
)
def test_nobody_at_the_address(address: str, said: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    with pytest.raises(SourceError, match=said):
        OnRay(address)
