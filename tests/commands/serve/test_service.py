"""``whydx serve`` as a process: it bears load, hostile files and a broken worker, and finishes what it began."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage  # type: ignore[attr-defined]

from benchmarks.service import load as benchmark
from tests.commands.serve.conftest import Process, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NOTE = {"note": "A 70-year-old man with fever and a productive cough."}
NO_FILE = {"image": ("", b"")}
Start = Callable[..., Process]


def ask(url: str, layout: str = "json", **given: Any) -> httpx.Response:
    return httpx.post(f"{url}/report?format={layout}", timeout=600, **({"data": NOTE, "files": NO_FILE} | given))


def workers(one: Process) -> list[int]:
    """The processes that diagnose: the children of the child."""

    def children(process: int) -> list[int]:
        return [int(c) for c in Path(f"/proc/{process}/task/{process}/children").read_text().split()]

    (mother,) = children(one.process.pid)
    return children(mother)


def gone(processes: list[int], within: float = 30.0) -> bool:
    """Whether they all end in so many seconds."""
    until = time.monotonic() + within
    while any(Path(f"/proc/{one}").exists() for one in processes) and time.monotonic() < until:
        time.sleep(0.2)
    return not any(Path(f"/proc/{one}").exists() for one in processes)


def test_sigterm_lets_it_finish(started: Start) -> None:
    service = started("--workers", "1", "--queue", "4")
    with httpx.Client() as idle:
        assert idle.get(f"{service.url}/healthz").json() == {"status": "ok", "workers": 1}
        answers: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(service.url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        processes = [*workers(service), service.process.pid]
        assert service.end() == 0
        for thread in threads:
            thread.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert service.said().rstrip().endswith("INFO done")
    assert gone(processes[:-1])
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.url)


def test_nothing_is_left_when_it_is_killed(started: Start) -> None:
    service = started("--workers", "2")
    processes = workers(service)
    assert len(processes) == 2
    service.end(signal.SIGKILL)
    assert gone(processes)


def test_a_worker_that_dies_or_takes_too_long_is_replaced(started: Start) -> None:
    service = started("--workers", "1", "--timeout", "60")
    (first,) = workers(service)
    os.kill(first, signal.SIGKILL)
    answer = ask(service.url)
    assert answer.status_code == 503
    assert "ended" in answer.json()["detail"]
    assert ask(service.url).status_code == 200
    (second,) = workers(service)
    assert second != first
    os.kill(second, signal.SIGSTOP)  # it takes for ever
    answer = ask(service.url)
    assert (answer.status_code, answer.json()["detail"]) == (503, "no answer: it took longer than 60 s")
    assert ask(service.url).status_code == 200
    assert "whydx_jobs_given_up_total 2.0" in httpx.get(f"{service.url}/metrics").text
    assert service.end() == 0


def _film(syntax: str, pixels: bytes, rows: int = 256, *, encapsulated: bool = False) -> bytes:
    film = pydicom.Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = syntax
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    film.StudyInstanceUID, film.SeriesInstanceUID, film.Modality = "1.2.4", "1.2.5", "CR"
    film.Rows, film.Columns, film.SamplesPerPixel, film.PixelRepresentation = rows, rows, 1, 0
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PhotometricInterpretation = 8, 8, 7, "MONOCHROME2"
    film.PixelData = encapsulate([pixels]) if encapsulated else pixels
    film["PixelData"].is_undefined_length = encapsulated
    file = BytesIO()
    film.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _zeros(megabytes: int, bits: int = zlib.MAX_WBITS, before: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return b"".join(
        [packer.compress(before), *(packer.compress(bytes(1 << 20)) for _ in range(megabytes)), packer.flush()]
    )


def _png(side: int, packed: bytes, more: tuple[bytes, bytes] | None = None) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + (chunk(*more) if more else b"") + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Small files that stand for much."""
    from PIL import Image

    small = zlib.compress(bytes(257 * 256))
    deflated = _film(DeflatedExplicitVRLittleEndian, bytes(65536))
    start = 144 + struct.unpack("<I", deflated[140:144])[0]
    header = struct.pack("<HH2sHI", 0x7FE1, 0x10, b"OB", 0, 400 << 20)
    picture = BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8)
    Image.fromarray(noise).save(picture, format="JPEG2000", no_jp2=True)
    huge = bytearray(picture.getvalue())
    for offset in (6, 10, 22, 26):
        at = huge.find(b"\xff\x51") + offset
        huge[at : at + 4] = struct.pack(">I", 60000)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("film.dcm", bytes(64 << 20))
    runs = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * (4 << 20)
    return {
        "zip": archive.getvalue(),
        "gzip": _zeros(64, 31),
        "png of 900 million pixels": _png(30000, _zeros(1)),
        "png with more than its size": _png(256, _zeros(128)),
        "png with text": _png(256, small, (b"zTXt", b"a\0\0" + _zeros(128))),
        "png with a profile": _png(256, small, (b"iCCP", b"a\0\0" + _zeros(128))),
        "deflated dicom": deflated[:start] + _zeros(400, -zlib.MAX_WBITS, header),
        "dicom with a huge picture": _film(JPEG2000Lossless, bytes(huge), encapsulated=True),
        "dicom of runs": _film(RLELossless, runs, encapsulated=True),
        "dicom of a huge size": _film(ExplicitVRLittleEndian, bytes(100), 65000),
    }


def test_files_that_stand_for_much_are_refused(started: Start) -> None:
    service = started("--workers", "1", "--memory", "1500", "--timeout", "600")
    (worker,) = workers(service)
    for name, data in bombs().items():
        assert len(data) < 16 << 20
        answer = ask(service.url, files={"image": (name, data)})
        assert answer.status_code == 400, (name, answer.text)
    assert workers(service) == [worker]  # none of them ended it
    assert ask(service.url).status_code == 200
    peak = Path(f"/proc/{worker}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(peak) < 3 << 20  # kB
    assert httpx.post(f"{service.url}/report", content=bytes(65 << 20), timeout=60).status_code == 413


def test_under_load_it_answers_or_says_when_to_come_back(started: Start, phantom: Path) -> None:
    service = started("--workers", "1", "--queue", "4")
    watched = benchmark.Service.__new__(benchmark.Service)
    watched.url, watched.process = service.url, service.process
    tally = asyncio.run(benchmark.load(watched, 30, 20, phantom.read_bytes()))
    row = tally.row()
    assert set(row["answers"]) <= {"200", "429", "503"}
    assert row["answers"]["200"] >= 3
    assert row["memory_mb"]["highest"] < 6000
    assert service.end() == 0


def test_generated_requests_find_no_failure(started: Start) -> None:
    pytest.importorskip("schemathesis", reason="not installed: pip install 'whydx[dev]'")
    service = started("--workers", "1")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    options = [
        "--checks",
        checks,
        "--max-examples",
        "25",
        "--seed",
        "1",
        "--workers",
        "1",
        "--generation-database=none",
    ]
    ran = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=800)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert 'status="500"' not in httpx.get(f"{service.url}/metrics").text


def test_a_report_to_an_archive_names_the_patient_when_asked_to(started: Start, phantom: Path) -> None:
    archive, came, port, own = AE(ae_title="PACS"), [], free_port(), free_port()
    archive.add_supported_context(Comprehensive3DSRStorage)

    def store(event: Any) -> int:
        came.append(event.dataset)
        return 0

    server = archive.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    film = pydicom.dcmread(phantom)
    film.PatientName, film.PatientID = "Zweifel^Konrad", "PID-77441"
    node = ["--dicom-port", str(own), "--dicom-to", f"PACS@127.0.0.1:{port}", "--identified"]
    service = started("--workers", "1", *node)
    modality = AE(ae_title="MODALITY")
    modality.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
    association = modality.associate("127.0.0.1", own, ae_title="WHYDX")
    for _ in range(60):  # HTTP answers before the listener does
        if association.is_established:
            break
        time.sleep(1)
        association = modality.associate("127.0.0.1", own, ae_title="WHYDX")
    assert association.send_c_store(film).Status == 0
    association.release()
    assert service.end() == 0  # what was taken is answered first
    server.shutdown()
    (document,) = came
    assert (document.PatientName, document.PatientID) == (film.PatientName, film.PatientID)
    assert "Zweifel" not in service.said()
