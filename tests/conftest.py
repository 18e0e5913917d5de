"""Fixtures shared by the whole suite: the development data and a built home."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from errors import SourceError

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the repository (WHYDX_SHARED overrides); tests skip with a reason without it."""
    folder = Path(os.environ.get("WHYDX_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("development data not found: set WHYDX_SHARED to a folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def home() -> Path:
    """A home whose sources are fetched and whose graph, linker and indexes are built from them by this code.

    WHYDX_TEST_HOME, or ``.cache/test-home`` in the repository; never the user's own, which may hold other ontologies.
    Only what is missing or out of date is fetched and built, by one process at a time. Tests skip with the reason when
    the sources cannot be had.
    """
    import torch
    from filelock import FileLock

    from home import build
    from ontologies.sources.store import fetch

    folder = Path(os.environ.get("WHYDX_TEST_HOME") or REPOSITORY / ".cache" / "test-home")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        try:
            fetch(folder)
        except SourceError as error:
            pytest.skip(f"no home to test with: {error}")
        own = torch.get_num_threads()
        torch.set_num_threads(os.cpu_count() or 1)  # the other test process waits for this home
        build(folder)
        torch.set_num_threads(own)
    return folder


@dataclass(frozen=True)
class Ran:
    """What a run of the command line left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str


@pytest.fixture
def whydx(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Call ``cli.main`` in this process as ``whydx ARGUMENT…`` would; an exception that gets through fails the test."""
    from cli import main

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr("sys.argv", ["whydx", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        code = end.value.code
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, out, err)

    return run
