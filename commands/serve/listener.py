"""The DICOM listener: images that a node stores come back to a node as a Structured Report.

The images of one association are taken by Study Instance UID, and each study is diagnosed when it is released. Nothing
of them is kept: their folder is removed when the report is sent, or cannot be.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.serve.metrics import Metrics
from commands.serve.pool import Busy, Failed, Pool
from commands.serve.settings import DicomSettings, Settings
from errors import DependencyError, InputError

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.events import Event

_LOG = logging.getLogger("whydx")
_ASSOCIATIONS = 4
_TIMEOUT = 30  # seconds without a word
_SENDING = (0.0, 5.0, 30.0)  # seconds to wait before each try
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _SUCCESS = 0xA700, 0xC000, 0x0000
_IMAGES = (
    "ComputedRadiographyImageStorage",
    "DigitalXRayImageStorageForPresentation",
    "DigitalXRayImageStorageForProcessing",
    "SecondaryCaptureImageStorage",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage",
)
_ECHO = "Verification"
# No deflated one: what it unpacks to is not bounded.
_SYNTAXES = (
    "ExplicitVRLittleEndian",
    "ImplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "JPEGBaseline8Bit",
    "JPEGExtended12Bit",
    "JPEGLosslessSV1",
    "JPEGLossless",
    "JPEGLSLossless",
    "JPEGLSNearLossless",
    "JPEG2000Lossless",
    "JPEG2000",
    "RLELossless",
)


@dataclass
class _Incoming:
    """One association: its folder, its files by study, the bytes since the last of them; whether it was cut off."""

    folder: Path
    studies: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seen: int = 0
    count: int = 0
    cut: bool = False


@asynccontextmanager
async def listening(settings: Settings, pool: Pool, metrics: Metrics) -> AsyncIterator[None]:
    """While it lasts, images are taken; at its end those that were taken are still answered. Does nothing when
    ``settings`` name no listener. Raises DependencyError without pynetdicom, InputError for a port that is taken."""
    if settings.dicom is None:
        yield
        return
    listener = Listener(settings, settings.dicom, pool, metrics)
    try:
        server = await asyncio.to_thread(listener.start)
    except OSError as error:
        where = f"{settings.host}:{settings.dicom.port}"
        raise InputError(f"cannot listen ({error.strerror})", value=where, expected="a free port") from error
    _LOG.info("DICOM: %s listens on %s:%s", settings.dicom.title, settings.host, settings.dicom.port)
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        await listener.drain()


class Listener:
    """``start`` listens in threads of pynetdicom; the diagnoses run in the loop that made the listener."""

    def __init__(self, settings: Settings, dicom: DicomSettings, pool: Pool, metrics: Metrics) -> None:
        try:
            import pynetdicom
        except ImportError as error:
            raise DependencyError(
                "the DICOM listener needs pynetdicom", expected="the extra serve", run="pip install 'whydx[serve]'"
            ) from error
        pynetdicom._config.STORE_RECV_CHUNKED_DATASET = True  # to a file as it comes, not to memory
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it shows what is in the messages
        self._settings, self._dicom, self._pool, self._metrics = settings, dicom, pool, metrics
        self._loop = asyncio.get_running_loop()
        self._incoming: dict[Any, _Incoming] = {}
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0

    def start(self) -> Any:
        """Raises OSError when the port is taken."""
        from pynetdicom import evt

        handlers: list[Any] = [
            (evt.EVT_DATA_RECV, self._counted),
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_C_ECHO, lambda event: _SUCCESS),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._forgotten),
            (evt.EVT_CONN_CLOSE, self._forgotten),
        ]
        address = (self._settings.host, self._dicom.port)
        return self._entity().start_server(address, block=False, evt_handlers=handlers)

    def _entity(self) -> AE:
        from pydicom import uid
        from pynetdicom import AE, sop_class

        entity = AE(ae_title=self._dicom.title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._dicom.peers)
        entity.maximum_associations = _ASSOCIATIONS
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = _TIMEOUT
        syntaxes = [getattr(uid, name) for name in _SYNTAXES]
        for name in _IMAGES:
            entity.add_supported_context(getattr(sop_class, name), syntaxes)
        entity.add_supported_context(getattr(sop_class, _ECHO))
        return entity

    # --- in the threads of pynetdicom

    def _of(self, event: Event) -> _Incoming:
        with self._lock:
            if event.assoc not in self._incoming:
                self._incoming[event.assoc] = _Incoming(Path(tempfile.mkdtemp(prefix="whydx-dicom-")))
            return self._incoming[event.assoc]

    def _counted(self, event: Event) -> None:
        incoming = self._of(event)
        incoming.seen += len(event.data)
        if incoming.seen > self._settings.bytes and not incoming.cut:
            incoming.cut = True
            self._metrics.dicom.labels("too large").inc()
            event.assoc.abort()

    def _stored(self, event: Event) -> int:
        import pydicom

        incoming = self._of(event)
        incoming.seen = 0
        incoming.count += 1
        crowded = self._pending >= self._settings.queue + self._settings.workers
        if self._pool.full or crowded or incoming.count > self._settings.images:
            self._metrics.dicom.labels("sent away").inc()
            return _OUT_OF_RESOURCES
        name = f"image-{incoming.count}"
        shutil.copyfile(event.dataset_path, incoming.folder / name)
        try:
            header = pydicom.dcmread(
                incoming.folder / name, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]
            )
            study = str(header.StudyInstanceUID)
        except Exception:  # whatever a damaged file makes of it
            self._metrics.dicom.labels("unreadable").inc()
            return _CANNOT_UNDERSTAND
        incoming.studies[study].append(name)
        self._metrics.dicom.labels("taken").inc()
        return _SUCCESS

    def _released(self, event: Event) -> None:
        with self._lock:
            incoming = self._incoming.pop(event.assoc, None)
        if incoming is not None:
            self._loop.call_soon_threadsafe(self._begin, incoming)

    def _forgotten(self, event: Event) -> None:
        with self._lock:
            incoming = self._incoming.pop(event.assoc, None)
        if incoming is not None:
            shutil.rmtree(incoming.folder, ignore_errors=True)

    # --- in the loop

    def _begin(self, incoming: _Incoming) -> None:
        self._pending += len(incoming.studies)
        task = asyncio.ensure_future(self._answered(incoming))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for what was taken, as long as the service may take to end; the folders of the rest are removed."""
        await asyncio.sleep(0)  # what was released a moment ago has begun then
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.drain_seconds)
        for task in self._tasks:
            task.cancel()
        for incoming in self._incoming.values():
            shutil.rmtree(incoming.folder, ignore_errors=True)

    async def _answered(self, incoming: _Incoming) -> None:
        try:
            for names in incoming.studies.values():
                try:
                    document = await self._report(incoming.folder, names)
                    if document is not None:
                        await self._sent(document)
                finally:
                    self._pending -= 1
        finally:
            await asyncio.to_thread(shutil.rmtree, incoming.folder, ignore_errors=True)

    async def _report(self, folder: Path, names: list[str]) -> bytes | None:
        """The SR, or None where there is none to be had; waits as long as others are before it."""
        job = {
            "folder": str(folder),
            "images": names,
            "format": "dicom-sr",
            "identified": self._dicom.identified,
        }
        while True:
            try:
                async with self._pool.place():
                    head, body = await self._pool.run(job)
            except Busy as busy:
                await asyncio.sleep(busy.after)
                continue
            except Failed:
                head, body = {"status": 503}, b""
            if head["status"] == 200:
                return body
            self._metrics.dicom.labels("no report").inc()
            _LOG.warning("DICOM: no report on a study (%s: %s)", head["status"], head.get("detail", "given up"))
            return None

    async def _sent(self, document: bytes) -> None:
        for wait in _SENDING:
            await asyncio.sleep(wait)
            if await asyncio.to_thread(self._send, document):
                self._metrics.dicom.labels("report sent").inc()
                _LOG.info("DICOM: a report was sent")
                return
        self._metrics.dicom.labels("report not sent").inc()
        _LOG.error("DICOM: %s does not take a report", self._dicom.node.title)

    def _send(self, document: bytes) -> bool:
        """Whether the node took it."""
        import pydicom
        from pynetdicom import AE

        node = self._dicom.node
        dataset = pydicom.dcmread(BytesIO(document))
        entity = AE(ae_title=self._dicom.title)
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = entity.connection_timeout = _TIMEOUT
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        association = entity.associate(node.host, node.port, ae_title=node.title)
        if not association.is_established:
            return False
        try:
            status = association.send_c_store(dataset)
            return bool(status) and status.Status in (_SUCCESS, 0xB000, 0xB006, 0xB007)
        finally:
            association.release()
