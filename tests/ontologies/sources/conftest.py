"""A package index on a shelf: archives that hold one source, and pip told to look nowhere else."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from errors import WhydxError
from ontologies.sources import store
from ontologies.sources.pinned import Member, Source

INSIDE = "sample/data/notes.txt"
TEXT = b"HP:0002202\tPleural effusion\n" * 400


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def sdist(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


def sample(
    archive: bytes, filename: str = "sample-1.0-py3-none-any.whl", inside: str = INSIDE, data: bytes = TEXT
) -> Source:
    return Source(
        name="sample",
        version="2026",
        package="sample",
        release="1.0",
        filename=filename,
        size=len(archive),
        sha256=sha256(archive),
        licence="CC0",
        citation="Nobody 2026",
        members=(Member(name="notes.txt", inside=inside, size=len(data), sha256=sha256(data)),),
    )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def copied(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is copied from the shelf without pip, which takes a second to start: for what happens afterwards."""
    monkeypatch.setattr(
        store, "_download", lambda known, target, progress: target.write_bytes((shelf / known.filename).read_bytes())
    )


def offer(monkeypatch: pytest.MonkeyPatch, shelf: Path, archive: bytes, known: Source) -> None:
    (shelf / known.filename).write_bytes(archive)
    monkeypatch.setattr(store, "SOURCES", (known,))


def nothing_kept(home: Path) -> bool:
    return {p.name for p in (home / "sources").iterdir()} <= {".lock"}


def one_line(error: WhydxError) -> str:
    assert "\n" not in str(error)
    return str(error)
