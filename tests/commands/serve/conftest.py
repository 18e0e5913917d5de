"""The service in this process, with its real answers; and as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commands.serve import worker
from commands.serve.pool import Pool
from commands.serve.settings import Settings

if TYPE_CHECKING:
    from starlette.testclient import TestClient

REPOSITORY = Path(__file__).resolve().parents[3]
Asked = Callable[..., Any]


@pytest.fixture(scope="session")
def own(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose parts are those of the test home, and whose records are its own."""
    folder = tmp_path_factory.mktemp("serve") / "home"
    folder.mkdir()
    for part in home.iterdir():
        if not part.name.startswith(("audit", "feedback")):
            (folder / part.name).symlink_to(part)
    return folder


@pytest.fixture(scope="session")
def dx(own: Path) -> Any:
    import whydx

    return whydx.open(own)


class Here(Pool):
    """A pool whose only worker is this process."""

    def __init__(self, settings: Settings, dx: Any) -> None:
        super().__init__(settings)
        self._dx = dx
        self.jobs: list[dict[str, Any]] = []

    @property
    def alive(self) -> bool:
        return True

    async def run(
        self, job: dict[str, Any], given_up: Callable[[], Awaitable[bool]] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        self.jobs.append(job)
        return await asyncio.to_thread(worker.answer, self._dx, job)


@pytest.fixture(scope="session")
def asked(own: Path, dx: Any) -> Asked:
    """A client of a service with these settings; its ``pool`` is the app's state."""
    from starlette.testclient import TestClient

    from commands.serve.app import service
    from commands.serve.metrics import Metrics

    def make(host: str = "127.0.0.1", **given: Any) -> TestClient:
        settings = Settings(home=own, **given)
        pool = Here(settings, dx)
        app = service(settings, pool, Metrics())
        app.state.pool = pool
        return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False)

    return make


@pytest.fixture(scope="session")
def client(asked: Asked) -> TestClient:
    return asked()


@dataclass
class Process:
    """``whydx serve``: its address, its process, and where its log goes."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def end(self, number: int = signal.SIGTERM, within: float = 400) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def started(own: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start ``whydx serve`` with these arguments and wait until it answers."""
    running: list[Process] = []

    def start(*arguments: str) -> Process:
        port, log = free_port(), tmp_path / f"log-{len(running)}"
        command = [sys.executable, "-c", "from cli import main; main()", "serve", "--home", str(own)]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, "--port", str(port), *arguments],
                stderr=file,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        one = Process(f"http://127.0.0.1:{port}", process, log)
        running.append(one)
        until = time.monotonic() + 600
        while "serves on" not in one.said():
            assert process.poll() is None, one.said()
            assert time.monotonic() < until, one.said()
            time.sleep(0.2)
        return one

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
