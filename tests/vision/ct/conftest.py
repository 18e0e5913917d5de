"""A computed chest CT, once a session."""

from __future__ import annotations

import pytest

from vision.ct.candidates import Candidate, find_candidates
from vision.ct.lungs import Lungs, find_lungs
from vision.ct.volume import Volume
from vision.phantom.scan import scan


@pytest.fixture(scope="session")
def volume() -> Volume:
    return scan()


@pytest.fixture(scope="session")
def lungs(volume: Volume) -> Lungs:
    found = find_lungs(volume)
    assert isinstance(found, Lungs)
    return found


@pytest.fixture(scope="session")
def candidates(volume: Volume, lungs: Lungs) -> tuple[Candidate, ...]:
    return find_candidates(volume, lungs)
