"""The manifest of an artifact folder, and the only way to write one: beside, then renamed.

``manifest.json`` lists every file of the folder with its size and sha256, the hashes of the inputs it was built from,
and the settings. It carries a sha256 of itself, so a changed digit in a setting is noticed too. It holds no date and no
path: the same build gives the same bytes.

What is checked when:

* ``verify="open"`` (the default, on every open): the manifest itself, the presence and size of every file, and the
  sha256 of the smaller files, up to 32 MB together; of the larger ones, the sha256 of a sample (beginning, middle and
  end). This costs at most about a tenth of a second, whatever the size of the artifact.
* ``verify="size"``: the manifest, presence and sizes only.
* ``verify="sha256"``: everything, whatever its size (``whydx index verify``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from errors import ArtifactError

MANIFEST = "manifest.json"
HASHED_ON_OPEN = 32 * 1024 * 1024
_SAMPLE = 1 << 16
REBUILD = "whydx index build"
CREATED_BY = "whydx"

Verify = Literal["open", "size", "sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of the folder: sha256 in hex, size in bytes, and the sha256 of its sample ("" in older manifests)."""

    sha256: str
    size: int
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact folder holds and what it was built from.

    ``version`` is the layout's version, a new one whenever older code could not read the files. ``inputs`` maps the
    name of an input to its sha256 (or another fingerprint). ``files`` maps a path relative to the folder, with "/", to
    its entry. ``settings`` is JSON: parameters, counts, measured recall.
    """

    kind: str
    version: int
    created_by: str = CREATED_BY
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The manifest as JSON values, without its own hash."""
        return {
            "kind": self.kind,
            "version": self.version,
            "created_by": self.created_by,
            "inputs": dict(self.inputs),
            "files": {
                name: {"sha256": entry.sha256, "size": entry.size} | ({"sample": entry.sample} if entry.sample else {})
                for name, entry in self.files.items()
            },
            "settings": dict(self.settings),
        }

    @property
    def sha256(self) -> str:
        """The hash that stands for the whole artifact, since it covers the hash of every file."""
        return hashlib.sha256(_canonical(self.to_json())).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hex, read in one-megabyte blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sample_sha256(path: Path) -> str:
    """The sha256, in hex, of 64 KiB each at the beginning, in the middle and at the end."""
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as stream:
        for start in (0, size // 2, max(size - _SAMPLE, 0)):
            stream.seek(start)
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


def write(
    folder: Path,
    *,
    kind: str,
    version: int,
    inputs: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Manifest:
    """Hash every file below ``folder``, in sorted order, and write its manifest: the last act in `atomic_directory`."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {
        name: FileEntry(
            sha256=file_sha256(folder / name),
            size=(folder / name).stat().st_size,
            sample=_sample_sha256(folder / name),
        )
        for name in names
        if name != MANIFEST
    }
    # a round trip through JSON, so that what is written equals what is read (tuples become lists, keys strings)
    stored = json.loads(_canonical({"inputs": dict(inputs or {}), "settings": dict(settings or {})}))
    manifest = Manifest(kind=kind, version=version, files=files, inputs=stored["inputs"], settings=stored["settings"])
    text = json.dumps(manifest.to_json() | {"sha256": manifest.sha256}, indent=1, sort_keys=True, ensure_ascii=False)
    part = folder / f"{MANIFEST}.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / MANIFEST)
    return manifest


def read(
    folder: Path, *, kind: str, version: int | None = None, verify: Verify = "open", run: str = REBUILD
) -> Manifest:
    """Read and check the manifest of ``folder``; see the module's text for what each ``verify`` checks.

    Raises ArtifactError, naming the file at fault and the command ``run`` that repairs it, when the folder or the
    manifest is missing, the manifest is not of ``kind`` (and ``version``, when given), or a file is missing or damaged.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"no {kind} here", value=folder, expected=f"a folder with {MANIFEST}", run=run) from None
    except OSError as error:
        raise ArtifactError(f"cannot read ({error.strerror})", value=path, run=run) from error
    manifest = _parse(text, path, run)
    if manifest.kind != kind:
        raise ArtifactError("another kind of artifact", value=manifest.kind, expected=kind, run=run)
    if version is not None and manifest.version != version:
        raise ArtifactError(
            f"{kind} of another layout version", value=manifest.version, expected=f"version {version}", run=run
        )
    hashed = 0
    for name, entry in sorted(manifest.files.items(), key=lambda item: (item[1].size, item[0])):
        hashed += entry.size
        whole = verify == "sha256" or (verify == "open" and hashed <= HASHED_ON_OPEN)
        _check(folder / name, entry, "whole" if whole else "sample" if verify == "open" else "size", run)
    return manifest


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; on success, rename it over ``path``. On failure remove it.

    A reader sees the old folder or the new one (for an instant between two renames, none). Folders that a killed build
    left beside are removed. A full disk or a missing permission becomes an ArtifactError.
    """
    path = path.absolute()
    building = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.building"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        building.mkdir()
        yield building
        if path.exists():
            old = building.with_suffix(".old")
            path.rename(old)
            building.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            building.rename(path)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise ArtifactError(f"cannot write ({error.strerror})", value=path, expected="space and permission") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR})


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _parse(text: bytes, path: Path, run: str) -> Manifest:
    try:
        raw = json.loads(text)
        claimed = raw.pop("sha256")
        manifest = Manifest(
            kind=raw["kind"],
            version=raw["version"],
            created_by=raw["created_by"],
            inputs=raw["inputs"],
            files={
                name: FileEntry(sha256=entry["sha256"], size=entry["size"], sample=entry.get("sample", ""))
                for name, entry in raw["files"].items()
            },
            settings=raw["settings"],
        )
        whole = manifest.sha256 == claimed and not any(_escapes(name) for name in manifest.files)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ArtifactError("damaged file", value=path, expected="an unchanged manifest", run=run)
    return manifest


def _escapes(name: str) -> bool:
    parts = PurePosixPath(name)
    return parts.is_absolute() or ".." in parts.parts


def _check(path: Path, entry: FileEntry, content: Literal["whole", "sample", "size"], run: str) -> None:
    try:
        size = path.stat().st_size
        if size != entry.size:
            raise ArtifactError("damaged file", value=path, expected=f"{entry.size} bytes, not {size}", run=run)
        damaged = content == "whole" and file_sha256(path) != entry.sha256
        if content == "sample" and entry.sample:
            damaged = _sample_sha256(path) != entry.sample
        if damaged:
            raise ArtifactError("damaged file", value=path, expected="the sha256 in the manifest", run=run)
    except FileNotFoundError:
        raise ArtifactError("missing file", value=path, run=run) from None
    except OSError as error:
        raise ArtifactError(f"cannot read ({error.strerror})", value=path, run=run) from error


def _sweep(path: Path) -> None:
    """Remove what builds of ``path`` by processes that no longer live left behind."""
    for left in sorted(path.parent.glob(f".{path.name}.*")):
        parts = left.name.removeprefix(f".{path.name}.").split(".")
        if len(parts) == 3 and parts[2] in ("building", "old") and parts[0].isdigit() and not _alive(int(parts[0])):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name != "posix":  # signal 0 is a POSIX notion; elsewhere leave the folder alone
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
