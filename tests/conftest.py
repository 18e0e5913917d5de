"""Fixtures shared by the whole suite: the development data and a built home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from errors import ArtifactError, SourceError

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the repository (WHYDX_SHARED overrides); tests skip with a reason when it is missing."""
    folder = Path(os.environ.get("WHYDX_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("development data not found: set WHYDX_SHARED to a folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def home() -> Path:
    """A home whose sources are fetched and whose graph, linker and indexes are built from them.

    WHYDX_TEST_HOME when it is set, else the user's own home when it is whole and up to date, else ``.cache/test-home`` in the
    repository, which is fetched and built when need be. Tests skip with the reason when the sources cannot be had.
    """
    from cli.terminal import home_folder

    if chosen := os.environ.get("WHYDX_TEST_HOME"):
        return _built(Path(chosen))
    own = home_folder(None)
    return own if _is_whole(own) else _built(REPOSITORY / ".cache" / "test-home")


def _is_whole(home: Path) -> bool:
    from fusion.pipeline import Pipeline
    from ontologies.sources import status

    try:
        if any(source.state != "ready" for source in status(home)):
            return False
        Pipeline.open(home)
    except ArtifactError:
        return False
    return True


def _built(home: Path) -> Path:
    from fusion.pipeline import build
    from ontologies.sources import fetch

    try:
        fetch(home)
    except SourceError as error:
        pytest.skip(f"no home to test with: {error}")
    build(home)
    return home
