"""The service under load: ``python -m benchmarks.service.load [--clients 50] [--seconds 60] [--workers 1] [--home H]``.

Starts ``whydx serve`` on loopback, lets ``--clients`` clients ask for reports as fast as they are answered (every tenth
time with a radiograph, a computed one; a client that is sent away waits as long as it is told, at most a second), and
shows how many answers of each status came, the times to them (p50, p95, highest), and the memory of all processes of
the service: shared parts once, at the start, in the middle and at its highest. Then SIGTERM is sent while requests are
out, and it is counted how many of those that a worker had, or that waited for one, were answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import stamp
from commands.serve.metrics import proportional

if TYPE_CHECKING:
    from httpx import AsyncClient

NOTE = "A 70-year-old man with fever, productive cough and crackles at the right base."
_EVERY = 10
_LONGEST_WAIT = 1.0
_UNREACHABLE = 0  # in place of a status: the connection was refused or broken


@dataclass
class Tally:
    """What came back: (status, seconds) of each request, and the memory (bytes) at each second."""

    answers: list[tuple[int, float]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        times = np.array([seconds for status, seconds in self.answers if status == 200])
        statuses = Counter(status for status, _ in self.answers)
        quick = np.array([seconds for status, seconds in self.answers if status in (429, 503)])
        return {
            "answers": {str(status): statuses[status] for status in sorted(statuses)},
            "p50_s": _at(times, 50),
            "p95_s": _at(times, 95),
            "highest_s": _at(times, 100),
            "sent_away_p95_s": _at(quick, 95),
            "memory_mb": {
                "first": self.memory[0] >> 20,
                "middle": self.memory[len(self.memory) // 2] >> 20,
                "last": self.memory[-1] >> 20,
                "highest": max(self.memory) >> 20,
            },
        }


def _at(times: Any, percentile: int) -> float | None:
    return round(float(np.percentile(times, percentile)), 3) if len(times) else None


class Service:
    """``whydx serve`` as a process; ``log`` is a file."""

    def __init__(self, log: Path, arguments: Sequence[str]) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url, self._log = f"http://127.0.0.1:{port}", log
        command = [sys.executable, "-c", "from cli import main; main()", "serve", "--port", str(port), *arguments]
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stderr=file, env={**os.environ, "PYTHONPATH": os.getcwd()})
        while "serves on" not in log.read_text(encoding="utf-8"):
            if self.process.poll() is not None:
                raise SystemExit(log.read_text(encoding="utf-8"))
            time.sleep(0.2)

    def processes(self) -> list[int]:
        """The service, the process with the model, and the workers (its children)."""
        found, todo = [], [self.process.pid]
        while todo:
            one = todo.pop()
            found.append(one)
            children = Path(f"/proc/{one}/task/{one}/children")
            todo += [int(child) for child in children.read_text().split()] if children.exists() else []
        return found

    def memory(self) -> int:
        """Bytes, what processes share once."""
        return sum(map(proportional, self.processes()))


async def ask(client: AsyncClient, film: bytes | None, tally: Tally, layout: str = "json") -> int:
    """One request: its status, kept in ``tally``."""
    import httpx

    started = time.monotonic()
    files = {"image": ("film.dcm", film) if film else ("", b"")}
    wait = 0.0
    try:
        answer = await client.post(f"/report?format={layout}", data={"note": NOTE}, files=files)
        status = answer.status_code
        if status in (429, 503):
            wait = min(float(answer.headers.get("Retry-After", 1)), _LONGEST_WAIT)
    except httpx.TransportError:
        status = _UNREACHABLE
    tally.answers.append((status, time.monotonic() - started))
    await asyncio.sleep(wait)
    return status


async def load(service: Service, clients: int, seconds: float, film: bytes) -> Tally:
    """All clients at once for so long."""
    import httpx

    tally = Tally()
    until = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=clients)

    async def one(client: AsyncClient, number: int) -> None:
        turn = number
        while time.monotonic() < until:
            turn += 1
            await ask(client, film if turn % _EVERY == 0 else None, tally)

    async def watch() -> None:
        while time.monotonic() < until:
            tally.memory.append(await asyncio.to_thread(service.memory))
            await asyncio.sleep(1)

    async with httpx.AsyncClient(base_url=service.url, timeout=180, limits=limits) as client:
        await asyncio.gather(watch(), *(one(client, number) for number in range(clients)))
    return tally


async def drain(service: Service, clients: int) -> dict[str, Any]:
    """SIGTERM while ``clients`` requests are out: what became of them, and how the service ended."""
    import httpx

    tally = Tally()
    async with httpx.AsyncClient(base_url=service.url, timeout=180) as client:
        out = [asyncio.ensure_future(ask(client, None, tally)) for _ in range(clients)]
        await asyncio.sleep(0.3)
        processes = service.processes()
        service.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        statuses = Counter(await asyncio.gather(*out))
        status = await asyncio.to_thread(service.process.wait, 120)
    await asyncio.sleep(1)
    return {
        "answers": {str(s): statuses[s] for s in sorted(statuses)},
        "exit": status,
        "seconds": round(time.monotonic() - started - 1, 1),
        "left_running": sum(Path(f"/proc/{one}").exists() for one in processes),
    }


def measure(clients: int, seconds: float, arguments: Sequence[str]) -> dict[str, Any]:
    from vision.phantom.radiograph import write_phantom

    with tempfile.TemporaryDirectory() as folder:
        film = write_phantom(Path(folder) / "film.dcm").read_bytes()
        service = Service(Path(folder) / "log", arguments)
        try:
            tally = asyncio.run(load(service, clients, seconds, film))
            return {**tally.row(), "sigterm": asyncio.run(drain(service, min(clients, 8)))}
        finally:
            if service.process.poll() is None:
                service.process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    own = ["--workers", str(given.workers)] + ([] if given.home is None else ["--home", str(given.home)])
    row = {"clients": given.clients, "seconds": given.seconds, "workers": given.workers, "on": stamp()}
    print(json.dumps(row | measure(given.clients, given.seconds, own), indent=1, default=str))


if __name__ == "__main__":
    main()
