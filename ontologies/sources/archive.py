"""Files read where they are: alone, in a folder, in .gz, .zip, .tar or .tar.gz, in the .nlm archives of a UMLS release.

What holds a file is told by its first bytes, not by its name. Nothing is unpacked to disk. An archive is refused when
it could do harm if it were unpacked (a member that is absolute, climbs with "..", or is a link, a device or sparse), or
when it unpacks to more than ``Limits`` allow; that is checked on the bytes that come out.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Literal, cast

from errors import InputError

_ZIP, _EMPTY_ZIP, _GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257
_DRIVE = re.compile(r"[A-Za-z]:")
# A UMLS release splits its largest files: MRCONSO.RRF.aa.gz, MRCONSO.RRF.ab.gz, …
_PIECE = re.compile(r"(.+\.RRF)\.([a-z]{2})")
_DAMAGE = (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may unpack to. Text compresses 5 to 20 times; deflate can reach 1,032 times.

    ``ratio``: bytes out for each byte in, beyond the first ``spare`` bytes out; ``size``: bytes out of one file, about
    ten times the largest file of UMLS; ``members``: files in one archive.
    """

    ratio: int = 200
    spare: int = 64 << 20
    size: int = 100 << 30
    members: int = 100_000


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file to read: ``name`` is its path inside what the user named ("/" between folders, without ".gz"),
    ``containers`` are the files on disk that hold its bytes, ``plain`` is that file when it is the bytes as they are;
    otherwise ``openers`` open the streams that make it up, in order.
    """

    name: str
    containers: tuple[Path, ...]
    plain: Path | None = None
    openers: tuple[Callable[[], BinaryIO], ...] = ()

    @property
    def base(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    def open(self) -> IO[bytes]:
        """The bytes, streamed. Opening and reading raise InputError when they are damaged or beyond the limits."""
        if self.plain is not None:
            try:
                return open(self.plain, "rb")
            except OSError as error:
                raise InputError(f"cannot read {self.base}", value=error.strerror or error) from error
        return io.BufferedReader(_Joined(self.base, self.openers), buffer_size=1 << 20)


def members(path: Path, *, limits: Limits = LIMITS) -> tuple[Member, ...]:
    """The files of ``path``, sorted by name: those below a folder (also inside its .nlm archives), those in an archive,
    or the one file itself. Pieces of one UMLS file are joined.

    Raises InputError when there is nothing there, or an archive is damaged or refused.
    """
    path = Path(path)
    if path.is_dir():
        found = list(_below(path, limits))
    elif path.is_file():
        found = list(_within(path, path.name, limits))
    else:
        raise InputError("no such file", value=path)
    return tuple(sorted(_joined(found), key=lambda member: member.name))


def member(path: Path | Member, *, limits: Limits = LIMITS) -> Member:
    """The only file of ``path``. Raises InputError when there is none or several."""
    if isinstance(path, Member):
        return path
    found = members(path, limits=limits)
    if len(found) != 1:
        names = ", ".join(m.name for m in found[:3]) or "nothing"
        raise InputError(f"{Path(path).name} is not one file", value=names, expected="a file or an archive of one")
    return found[0]


def fingerprint(files: tuple[Member, ...]) -> str:
    """sha256 over what holds ``files``: of the file itself when it is one, else of the (name, sha256) of each."""
    containers = sorted({container for file in files for container in file.containers})
    digests = [_sha256(container) for container in containers]
    if len(digests) == 1:
        return digests[0]
    listed = "".join(f"{container.name}\t{digest}\n" for container, digest in zip(containers, digests, strict=True))
    return hashlib.sha256(listed.encode()).hexdigest()


def stamp(files: tuple[Member, ...]) -> str:
    """sha256 over names, sizes and modification times of what holds ``files``: as long as it is the same, nobody has
    written to them, and they need not be read again to know that."""
    containers = sorted({container for file in files for container in file.containers})
    with _readable("the files"):
        stats = [(container, container.stat()) for container in containers]
    listed = "".join(f"{path}\t{found.st_size}\t{found.st_mtime_ns}\n" for path, found in stats)
    return hashlib.sha256(listed.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with _readable(path.name), open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _below(folder: Path, limits: Limits) -> Iterator[Member]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            path = Path(root, file)
            name = path.relative_to(folder).as_posix()
            if not path.is_file():
                continue
            if path.suffix == ".nlm":
                yield from _within(path, name, limits)
            elif path.suffix == ".gz":
                yield _gzipped(path, name, limits)
            else:
                yield Member(name=name, containers=(path,), plain=path)


def _within(path: Path, name: str, limits: Limits) -> Iterator[Member]:
    """The files in one file, which is an archive or not."""
    kind = _kind(path, limits)
    if kind == "zip":
        yield from _zipped(path, limits)
    elif kind in ("tar", "tar.gz"):
        yield from _tarred(path, kind == "tar.gz", limits)
    elif kind == "gz":
        yield _gzipped(path, name, limits)
    else:
        yield Member(name=name, containers=(path,), plain=path)


def _kind(path: Path, limits: Limits) -> Literal["zip", "gz", "tar", "tar.gz", "plain"]:
    with _readable(path.name), open(path, "rb") as stream:
        head = stream.read(512)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return "zip"
    if head[_TAR_OFFSET:].startswith(_TAR_MAGIC):
        return "tar"
    if not head.startswith(_GZIP):
        return "plain"
    with _gzipped(path, path.name, limits).open() as stream:
        return "tar.gz" if stream.read(512)[_TAR_OFFSET:].startswith(_TAR_MAGIC) else "gz"


def _gzipped(path: Path, name: str, limits: Limits) -> Member:
    def start() -> BinaryIO:
        raw = open(path, "rb")  # noqa: SIM115 (closed by the reader)
        return cast(BinaryIO, _Bounded(cast(BinaryIO, gzip.GzipFile(fileobj=raw)), raw.tell, path.name, limits, raw))

    return Member(name=name.removesuffix(".gz"), containers=(path,), openers=(start,))


def _zipped(path: Path, limits: Limits) -> Iterator[Member]:
    with _readable(path.name), zipfile.ZipFile(path) as opened:
        items = opened.infolist()
    packed = path.stat().st_size
    if len(items) > limits.members:
        raise InputError(f"{path.name} is refused: too many files", value=len(items), expected=f"≤ {limits.members}")
    # All together, because entries of a bomb may share their bytes.
    _check(path.name, sum(item.file_size for item in items), packed, limits, most=limits.size * 10)
    for item in items:
        _safe(path.name, item.filename, link=stat.S_ISLNK(item.external_attr >> 16))
        if item.flag_bits & 1:
            raise InputError(f"{path.name} is encrypted", value=item.filename, expected="an archive without a password")
        if not item.is_dir():
            _check(item.filename, item.file_size, item.compress_size, limits)
            yield _zip_member(path, item.filename, limits)


def _zip_member(path: Path, name: str, limits: Limits) -> Member:
    def start() -> BinaryIO:
        archive = zipfile.ZipFile(path)
        item = archive.getinfo(name)
        stream: Any = archive.open(item)
        used = item.compress_size
        if name.endswith(".gz"):
            stream = gzip.GzipFile(fileobj=stream)
        return cast(BinaryIO, _Bounded(stream, lambda: used, name, limits, archive))

    return Member(name=name.removesuffix(".gz"), containers=(path,), openers=(start,))


def _tarred(path: Path, zipped: bool, limits: Limits) -> Iterator[Member]:
    count = 0
    with _readable(path.name), _tar(path, zipped, limits) as opened:
        for item in opened:
            count += 1
            if count > limits.members:
                raise InputError(f"{path.name} is refused: too many files", expected=f"≤ {limits.members}")
            if item.isdir():
                continue
            _safe(path.name, item.name, link=not item.isreg() or item.issparse())
            yield _tar_member(path, item.name, zipped, limits)


@contextlib.contextmanager
def _tar(path: Path, zipped: bool, limits: Limits) -> Iterator[tarfile.TarFile]:
    plain = Member(name=path.name, containers=(path,), plain=path)
    with (
        (_gzipped(path, path.name, limits) if zipped else plain).open() as source,
        tarfile.open(fileobj=source, mode="r|") as opened,
    ):
        yield opened


def _tar_member(path: Path, name: str, zipped: bool, limits: Limits) -> Member:
    def start() -> BinaryIO:
        stack = contextlib.ExitStack()
        opened = stack.enter_context(_tar(path, zipped, limits))
        for item in opened:
            if item.name == name and (stream := opened.extractfile(item)) is not None:
                if name.endswith(".gz"):
                    stream = cast(IO[bytes], gzip.GzipFile(fileobj=stream))
                return cast(
                    BinaryIO, _Bounded(cast(BinaryIO, stream), functools.partial(int, item.size), name, limits, stack)
                )
        raise InputError(f"{path.name} has changed", value=name, expected="the file that was in it")

    return Member(name=name.removesuffix(".gz"), containers=(path,), openers=(start,))


def _joined(found: list[Member]) -> Iterator[Member]:
    pieces: dict[str, list[Member]] = {}
    for file in found:
        if (piece := _PIECE.fullmatch(file.name)) is None:
            yield file
        else:
            pieces.setdefault(piece[1], []).append(file)
    for name, parts in pieces.items():
        parts.sort(key=lambda part: part.base)
        yield Member(
            name=name,
            containers=tuple(dict.fromkeys(path for part in parts for path in part.containers)),
            openers=tuple(cast(Callable[[], BinaryIO], part.open) for part in parts),
        )


def _safe(archive: str, name: str, *, link: bool) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name or _DRIVE.match(name):
        raise InputError(f"{archive} is refused: a member leaves its folder", value=name, expected="relative paths")
    if link:
        raise InputError(f"{archive} is refused: a member is a link, a device or sparse", value=name, expected="files")


def _check(name: str, out: int, packed: int, limits: Limits, *, most: int | None = None) -> None:
    most = limits.size if most is None else most
    if out > most:
        raise InputError(f"{name} is refused: it unpacks to too much", value=f"{out:,} bytes", expected=f"≤ {most:,}")
    if out > limits.spare and out > limits.ratio * max(packed, 1):
        raise InputError(
            f"{name} is refused: it unpacks to too many times its size",
            value=f"{out // max(packed, 1):,} times",
            expected=f"≤ {limits.ratio}",
        )


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what a damaged archive or an unreadable file raises into an InputError."""
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{name} is damaged", value=error, expected="a whole archive") from error
    except (OSError, RuntimeError, ValueError, UnicodeError) as error:  # RuntimeError: zipfile's word for a password
        raise InputError(f"cannot read {name}", value=error) from error


class _Bounded(io.RawIOBase):
    """A decompressor's output, counted against what went in; ``owner`` is closed with it."""

    def __init__(self, stream: BinaryIO, used: Callable[[], int], name: str, limits: Limits, owner: Any) -> None:
        self._stream, self._used, self._name, self._limits, self._owner = stream, used, name, limits, owner
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _readable(self._name):
            data = self._stream.read(len(buffer))
        self._out += len(data)
        if self._out > self._limits.spare:
            _check(self._name, self._out, self._used(), self._limits)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError, zlib.error):
                self._stream.close()
            self._owner.close()
        super().close()


class _Joined(io.RawIOBase):
    """Several streams, one after another."""

    def __init__(self, name: str, openers: tuple[Callable[[], BinaryIO], ...]) -> None:
        self._name, self._waiting, self._stream = name, list(openers), cast(BinaryIO | None, None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._stream is None:
                if not self._waiting:
                    return 0
                with _readable(self._name):
                    self._stream = self._waiting.pop(0)()
            if count := self._stream.readinto(buffer):  # type: ignore[attr-defined]
                return int(count)
            self._stream.close()
            self._stream = None

    def close(self) -> None:
        if self._stream is not None and not self.closed:
            self._stream.close()
        super().close()
