"""Fixtures shared by the whole suite: the development data and a built home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the repository (WHYDX_SHARED overrides); tests skip with a reason when it is missing."""
    folder = Path(os.environ.get("WHYDX_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("development data not found: set WHYDX_SHARED to a folder that holds data/")
    return folder
