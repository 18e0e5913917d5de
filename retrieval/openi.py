"""Open-i chest radiograph reports (Indiana University; Demner-Fushman et al. 2016, JAMIA 23:304), read from their
archive.

The licence is CC BY-NC-ND 4.0: the reports are indexed on the user's machine and never redistributed. "XXXX" stands
where a word was removed to protect the patient.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import InputError

LICENCE = "CC BY-NC-ND 4.0"
REMOVED = "XXXX"
_LARGEST = 1 << 20  # bytes of one report; the largest has 24 kB
_NOT_FINDINGS = frozenset({"normal", "No Indexing", "Technical Quality of Image Unsatisfactory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report. ``mesh`` are the annotators' codes ("Opacity/lung/base/left"); ``automatic`` those found by a
    machine."""

    report_id: str
    indication: str
    findings: str
    impression: str
    mesh: tuple[str, ...]
    automatic: tuple[str, ...]

    @property
    def abnormal(self) -> tuple[str, ...]:
        """The annotators' codes that name an abnormality."""
        return tuple(code for code in self.mesh if code not in _NOT_FINDINGS)


def read(path: Path) -> Iterator[Report]:
    """The reports of the archive (tgz of XML), in its order. Raises InputError when it cannot be read."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".xml") and member.size <= _LARGEST:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        yield _report(stream.read(), member.name)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read the reports ({error})", value=path) from error


def _report(content: bytes, name: str) -> Report:
    from lxml import etree

    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise InputError("a report is not XML", value=name) from error
    identity = root.find("uId")
    if identity is None or not identity.get("id"):
        raise InputError("a report has no id", value=name)
    parts = {part.get("Label", ""): _text(part) for part in root.iter("AbstractText")}
    return Report(
        report_id=identity.get("id"),
        indication=parts.get("INDICATION", ""),
        findings=parts.get("FINDINGS", ""),
        impression=parts.get("IMPRESSION", ""),
        mesh=tuple(filter(None, (_text(code) for code in root.iter("major")))),
        automatic=tuple(filter(None, (_text(code) for code in root.iter("automatic")))),
    )


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
