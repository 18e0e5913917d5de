"""The DICOM listener: a stored film comes back to the configured node as a report, and to no other."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, Verification  # type: ignore[attr-defined]

from commands.serve.listener import listening
from commands.serve.metrics import Metrics
from commands.serve.settings import DicomSettings, Node, Settings
from tests.commands.serve.conftest import Here, free_port


@pytest.fixture
def archive() -> Iterator[tuple[Node, list[pydicom.Dataset]]]:
    """A node that takes reports, and what it took."""
    came: list[pydicom.Dataset] = []

    def store(event: Any) -> int:
        came.append(event.dataset)
        return 0

    entity, port = AE(ae_title="PACS"), free_port()
    entity.add_supported_context(Comprehensive3DSRStorage)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    yield Node(title="PACS", host="127.0.0.1", port=port), came
    server.shutdown()


@pytest.fixture
def film(phantom: Path) -> pydicom.Dataset:
    film = pydicom.dcmread(phantom)
    film.PatientName, film.PatientID = "Zweifel^Konrad", "PID-77441"
    return film


def send(film: pydicom.Dataset, port: int, title: str = "MODALITY") -> int | None:
    """The status of a C-STORE; None without an association or an answer."""
    entity = AE(ae_title=title)
    entity.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port, ae_title="WHYDX")
    if not association.is_established:
        return None
    status = association.send_c_store(film)
    association.release()
    return int(status.Status) if status else None


def served(
    own: Path, dx: Any, node: Node, ask: Callable[[int], Any], taken: int = 0, **given: Any
) -> tuple[Any, Here, str]:
    """What ``ask`` (given the listener's port) says, while ``taken`` places are taken; the pool; the figures."""
    dicom = DicomSettings(port=free_port(), title="WHYDX", node=node, peers=("MODALITY",))
    settings = Settings(home=own, dicom=dicom, **given)
    pool, metrics = Here(settings, dx), Metrics()
    pool._taken = taken

    async def run() -> Any:
        async with listening(settings, pool, metrics):
            return await asyncio.to_thread(ask, dicom.port)

    before = set(Path(tempfile.gettempdir()).glob("whydx-dicom-*"))
    said = asyncio.run(run())
    assert set(Path(tempfile.gettempdir()).glob("whydx-dicom-*")) <= before  # nothing is left
    return said, pool, metrics.text(pool).decode()


def test_a_film_comes_back_as_a_report(
    own: Path, dx: Any, film: pydicom.Dataset, archive: tuple[Node, list[pydicom.Dataset]]
) -> None:
    node, came = archive
    said, _, figures = served(own, dx, node, lambda port: send(film, port))
    assert said == 0
    (document,) = came
    assert document.StudyInstanceUID == film.StudyInstanceUID
    assert not [name for name in ("Zweifel", "PID-77441") if name in document.to_json()]
    assert 'whydx_dicom_total{what="report sent"} 1.0' in figures


def test_others_may_not_send(own: Path, film: pydicom.Dataset, archive: tuple[Node, list[pydicom.Dataset]]) -> None:
    said, pool, _ = served(own, None, archive[0], lambda port: send(film, port, "STRANGER"))
    assert (said, pool.jobs, archive[1]) == (None, [], [])


def test_what_is_too_large_is_cut_off(
    own: Path, film: pydicom.Dataset, archive: tuple[Node, list[pydicom.Dataset]]
) -> None:
    said, pool, figures = served(own, None, archive[0], lambda port: send(film, port), megabytes=1)
    assert (said, pool.jobs) == (None, [])
    assert 'whydx_dicom_total{what="too large"} 1.0' in figures


def test_who_sends_when_all_are_busy_is_told_so(
    own: Path, film: pydicom.Dataset, archive: tuple[Node, list[pydicom.Dataset]]
) -> None:
    said, pool, _ = served(own, None, archive[0], lambda port: send(film, port), taken=1, workers=1, queue=0)
    assert (said, pool.jobs) == (0xA700, [])
