"""The audit trail: a hash-chained record of every diagnosis, and of every report that was ranked anew with facts
confirmed or denied, without anything that identifies a patient.

A record holds when, a digest of what was given, the SHA-256 of the report's JSON, what the answer depends on, and in
coarse steps what is watched for drift (`watched`). The digest is salted anew each time, so that nobody can tell from
two records that a patient came twice, nor look a note up among digests made beforehand; who has the inputs can prove
that they are those. The steps are too wide to tell a film from others by, but the same film given twice has the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from errors import InputError, WhydxError
from fusion.diagnosis import DiagnosticReport
from fusion.intake import Patient
from records import chain
from records.lines import canonical

NAME = "audit.jsonl"
_SOFTWARE = ("torch", "numpy")
STEP = 0.5  # of log odds
_NOT_VERSIONS = ("setting",)  # of the report's provenance: an input, not a version


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a diagnosis was asked with, as `whydx.Whydx.diagnose` takes it; or what a review was (`whydx.Whydx.review`):
    with ``reviewed``, the JSON of a report, ``confirmed`` and ``denied`` findings of it, images and note."""

    images: Sequence[Path] = ()
    note: str | None = None
    present: Sequence[str] = ()
    absent: Sequence[str] = ()
    age: float | None = None
    sex: str | None = None
    setting: str = "neutral"
    k: int = 5
    reviewed: str | None = None
    confirmed: Sequence[str] = ()
    denied: Sequence[str] = ()

    @classmethod
    def of(cls, patient: Patient, k: int) -> Inputs:
        given = {field.name: getattr(patient, field.name) for field in fields(patient)}
        return cls(**given, k=k)

    @classmethod
    def of_review(
        cls, report: str, confirmed: Sequence[str], denied: Sequence[str], images: Sequence[Path], note: str | None
    ) -> Inputs:
        """``report``: its JSON, as `reports.json.dumps` writes it."""
        return cls(images=images, note=note, reviewed=report, confirmed=tuple(confirmed), denied=tuple(denied))

    def digest(self, salt: str) -> str:
        """SHA-256 of the salt and all of it, images by the SHA-256 of their bytes. Raises OSError when one cannot be
        read."""
        images = []
        for path in self.images:
            with path.open("rb") as file:
                images.append(hashlib.file_digest(file, "sha256").hexdigest())
        given = {
            "images": images,
            "note": self.note,
            "present": list(self.present),
            "absent": list(self.absent),
            "age": self.age,
            "sex": self.sex,
            "setting": self.setting,
            "k": self.k,
        }
        if self.reviewed is not None:
            report = answer_digest(self.reviewed)
            given |= {"reviewed": report, "confirmed": list(self.confirmed), "denied": list(self.denied)}
        return hashlib.sha256(f"{salt}\n{canonical(given)}".encode()).hexdigest()

    @property
    def event(self) -> str:
        """What was done: "diagnose" or "review"."""
        return "diagnose" if self.reviewed is None else "review"

    @property
    def shape(self) -> dict[str, int]:
        """How much of each kind was given."""
        findings = len(self.present) + len(self.absent) + len(self.confirmed) + len(self.denied)
        counted = {"images": len(self.images), "notes": int(self.note is not None), "findings": findings}
        return counted if self.reviewed is None else {"reports": 1, **counted}


def answer_digest(text: str) -> str:
    """SHA-256 of a report's JSON."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def versions(provenance: Mapping[str, str]) -> dict[str, str]:
    """What an answer depends on: the fingerprints of its report, the software, and what decides the last bits of its
    sums: the number of ``threads`` and the processor's kind (``cpu``)."""
    from importlib.metadata import version

    found = {name: value for name, value in provenance.items() if name not in _NOT_VERSIONS}
    software = {name: str(sys.modules[name].__version__) for name in _SOFTWARE if name in sys.modules}
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        software |= {"threads": str(torch.get_num_threads()), "cpu": torch.backends.cpu.get_cpu_capability()}
    return found | software | {"whydx": version("whydx"), "python": sys.version.split()[0]}


def watched(report: DiagnosticReport, looks: Sequence[Mapping[str, int]] = ()) -> dict[str, int]:
    """What is kept of an answer to see a drift: of the first of its images what `vision.films.levels` watches
    (``looks``), and, in steps, log odds of the first diagnosis, of none of these and of the share of words that were
    not read, how many diagnoses cannot be ruled out, how many findings the note gave, and whether no diagnosis is
    named."""
    steps = dict(looks[0]) if looks else {}
    steps["none"] = _step(report.none_of_these)
    steps["abstained"] = int(report.abstention is not None)
    if report.diagnoses:
        steps["first"] = _step(report.diagnoses[0].probability)
    if report.set_size is not None:
        steps["undecided"] = report.set_size
    if report.understood is not None:
        steps["unread"] = _step(1 - report.understood)
        steps["said"] = sum(f.origin == "note" for f in report.findings)
    return steps


def _step(share: float) -> int:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return round(math.log(share / (1 - share)) / STEP)


def leave(
    home: Path,
    inputs: Inputs,
    report_json: str,
    report: DiagnosticReport,
    looks: Sequence[Mapping[str, int]] = (),
) -> None:
    """Leave a record of a diagnosis or a review in the home. A home that cannot be written to gets none: it is logged,
    and the answer stands. ``looks``: of each image what is watched of it; a review is not watched, since its patient
    was seen before."""
    try:
        salt = secrets.token_hex(16)
        record = {
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "event": inputs.event,
            "given": inputs.shape,
            "salt": salt,
            "inputs": inputs.digest(salt),
            "answer": answer_digest(report_json),
            "versions": versions(report.provenance),
        }
        if inputs.reviewed is None:
            record["watched"] = watched(report, looks)
        chain.add(home / NAME, record)
    except (OSError, WhydxError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        logging.getLogger("whydx").warning("no audit record is left: %s", reason)


def find(home: Path, sequence: int) -> dict[str, Any]:
    """The record with this number. Raises InputError when there is none."""
    found = next((row for _, row in chain.records(home / NAME) if row and row["sequence"] == sequence), None)
    if found is None:
        raise InputError("no such audit record", value=sequence, run="whydx audit show")
    return found


@contextlib.contextmanager
def threads_of(record: Mapping[str, Any]) -> Iterator[None]:
    """On as many threads as the record was made; as many as now where it does not say."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(int(record["versions"].get("threads", before)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def differing(record: Mapping[str, Any], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Name → (then, now) of what an answer depends on and is not what it was."""
    then: Mapping[str, str] = record["versions"]
    names = sorted({*then, *now})
    return {n: (then.get(n, "none"), now.get(n, "none")) for n in names if then.get(n) != now.get(n)}
