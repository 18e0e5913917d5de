"""What the service counts, as Prometheus reads it; no figure is of one patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

if TYPE_CHECKING:
    from commands.serve.pool import Pool

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Its own registry, so that several services in one process do not add up."""

    def __init__(self) -> None:
        disable_created_metrics()
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self.requests = Counter("whydx_requests", "Requests answered.", ("path", "method", "status"), registry=own)
        self.seconds = Histogram(
            "whydx_request_seconds", "Time to the answer.", ("path",), registry=own, buckets=_SECONDS
        )
        self.jobs = Histogram("whydx_job_seconds", "Time that a worker took.", registry=own, buckets=_SECONDS)
        self.given_up = Counter("whydx_jobs_given_up", "Jobs that took too long or ended their worker.", registry=own)
        self.dicom = Counter("whydx_dicom", "DICOM images and reports.", ("what",), registry=own)
        self._running = Gauge("whydx_jobs_running", "Jobs that a worker has.", registry=own)
        self._waiting = Gauge("whydx_jobs_waiting", "Jobs that wait for a worker.", registry=own)
        self._memory = Gauge(
            "whydx_memory_bytes", "Memory of the model and the workers, shared parts once.", registry=own
        )

    def text(self, pool: Pool) -> bytes:
        """All figures now."""
        self._running.set(pool.running)
        self._waiting.set(pool.waiting)
        self._memory.set(sum(map(proportional, pool.processes)))
        return generate_latest(self.registry)


def proportional(process: int) -> int:
    """Bytes of a process, what it shares divided by those that share it; 0 where Linux does not say."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)
