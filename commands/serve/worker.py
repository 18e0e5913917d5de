"""The processes that diagnose: one opens the model, and forks the workers, which share its memory.

``python -m commands.serve.worker FD SETTINGS`` is the first of them. Its socket takes one file descriptor at a time,
forks a worker that listens on it, and answers with the worker's process id. A worker takes jobs one after the other: a
line of JSON and nothing else comes in; a line of JSON with the ``length`` of what follows it, and that, go out. It ends
when its socket is closed, so that nothing is left when the service dies.

A worker that takes too long is killed, and a file that makes it take too much memory ends that job alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from errors import InputError, WhydxError

if TYPE_CHECKING:
    from reports.report import Report
    from whydx import Whydx

Job = dict[str, Any]
Answer = tuple[dict[str, Any], bytes]
_LOG = logging.getLogger("whydx")
_WARM_UP = "A 60-year-old man with fever and a productive cough."
TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "fhir": "application/fhir+json",
    "plain": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "dicom-sr": "application/dicom",
    "cds": "application/json",
}


def main() -> None:
    """Open the model, say that it is there, and fork workers until the socket is closed."""
    logging.basicConfig(format="%(levelname)s %(message)s")
    control = socket.socket(fileno=int(sys.argv[1]))
    given = json.loads(sys.argv[2])
    try:
        dx = _opened(Path(given["home"]), given["device"])
    except WhydxError as error:
        control.sendall(_line({"error": str(error)}))
        return
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    control.sendall(_line({"versions": dx.pipeline.fingerprints}))
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            os._exit(0)  # at once: there is nothing to tidy up
        process = os.fork()
        if process == 0:
            control.close()
            _work(dx, socket.socket(fileno=descriptors[0]), given)
            os._exit(0)
        os.close(descriptors[0])
        control.sendall(_line({"process": process}))


def _opened(home: Path, device: str) -> Whydx:
    """Everything opened and used once, on one thread: a pool of threads would not live through the fork."""
    import torch

    import whydx
    from reports.dicom import source, sr
    from reports.reporter import FORMATS, reporter
    from vision.phantom.radiograph import write_phantom

    torch.set_num_threads(1)
    dx = whydx.open(home, device=device)
    with TemporaryDirectory() as folder:
        film = Path(folder) / "phantom.dcm"
        write_phantom(film)
        report = dx.diagnose(film, note=_WARM_UP, audited=False)
        sr.DicomSrReporter([source.read_source(film)]).render(report)
    for name in FORMATS:
        reporter(name).render(report)
    return dx


def _work(dx: Whydx, channel: socket.socket, given: Mapping[str, Any]) -> None:
    import torch

    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    torch.set_num_threads(given["threads"])
    _limit(given["memory"])
    with channel, channel.makefile("rwb") as stream:
        while line := stream.readline():
            head, body = answer(dx, json.loads(line))
            try:
                stream.write(_line({**head, "length": len(body)}) + body)
                stream.flush()
            except OSError:  # the service is gone
                return
            if head.get("fatal"):
                return


def _limit(megabytes: int) -> None:
    """Let this process allocate so much more than it has now (Linux counts private writable memory)."""
    pages = int(Path("/proc/self/statm").read_text().split()[5]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def answer(dx: Whydx, job: Job) -> Answer:
    """What comes of a job: {"status": an HTTP status, "type" or "detail"} and the document.

    What the user can act on is 400; a job for which the memory does not suffice 413. For everything else the worker is
    not trusted any more ("fatal"), and only the kind and place of the error are logged: its text may be a patient's.
    """
    try:
        with contextlib.chdir(job["folder"]):  # names without a path, also in messages
            return _answered(dx, job)
    except InputError as error:
        return {"status": 400, "detail": said(error)}, b""
    except WhydxError as error:
        _LOG.error("%s", error)
        return {"status": 503, "detail": said(error)}, b""
    except MemoryError:
        return {"status": 413, "detail": "there is not enough memory for this"}, b""
    except Exception as error:
        if "alloc" in str(error).lower() and isinstance(error, RuntimeError):  # torch's own
            return {"status": 413, "detail": "there is not enough memory for this"}, b""
        place = traceback.extract_tb(error.__traceback__)[-1]
        _LOG.error("%s at %s:%s", type(error).__name__, Path(place.filename).name, place.lineno)
        return {"status": 500, "detail": "the diagnosis failed", "fatal": True}, b""


def said(error: WhydxError) -> str:
    """The error in one line, without the command to run next: who asks has no shell here."""
    return str(type(error)(error.what, value=error.value, expected=error.expected))


def _answered(dx: Whydx, job: Job) -> Answer:
    images = tuple(Path(name) for name in job.get("images", ()))
    report = dx.diagnose(
        images,
        note=job.get("note"),
        present=job.get("present", ()),
        absent=job.get("absent", ()),
        age=job.get("age"),
        sex=job.get("sex"),
        setting=job.get("setting", "neutral"),
        k=job.get("k", 5),
    )
    layout = job["format"]
    head: dict[str, Any] = {"status": 200, "type": TYPES[layout]}
    if layout == "cds":
        from commands.serve.cds import card

        one, entries = card(report, report.to_json(), dx.graph)
        return head | {"entries": entries}, json.dumps(one, ensure_ascii=False).encode("utf-8")
    return head, _WRITERS.get(layout, _document)(dx, report, job, images)


def _json(dx: Whydx, report: Report, job: Job, images: tuple[Path, ...]) -> bytes:
    return report.to_json().encode("utf-8")


def _document(dx: Whydx, report: Report, job: Job, images: tuple[Path, ...]) -> bytes:
    from reports.reporter import reporter

    names = None
    if job["format"] == "plain":
        from home import Part, part_folder
        from reports.plain import concepts_of, lay_names

        names = lay_names(part_folder(dx.home, Part.graph) / "terms.parquet", concepts_of(report))
    document = reporter(job["format"], names).render(report)
    return document.encode("utf-8") if isinstance(document, str) else document


def _sr(dx: Whydx, report: Report, job: Job, images: tuple[Path, ...]) -> bytes:
    from reports.dicom.source import read_source
    from reports.dicom.sr import DicomSrReporter

    identified = job.get("identified", False)
    day = date.fromisoformat(job["day"]) if job.get("day") else None
    sources = [read_source(image, identified=identified) for image in images]
    return DicomSrReporter(sources, day=day, identified=identified).render(report)


_WRITERS: dict[str, Callable[..., bytes]] = {"json": _json, "dicom-sr": _sr}


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode("utf-8") + b"\n"


if __name__ == "__main__":
    main()
