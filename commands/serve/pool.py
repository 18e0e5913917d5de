"""The workers as the service sees them: jobs wait in a queue of bounded length, and a slow one is ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from commands.serve.settings import Settings
from errors import ArtifactError

_LOG = logging.getLogger("whydx")
_REMEMBERED = 32  # jobs whose time says how long the next will take
_LONGEST_LINE = 1 << 20
_FORKING = 60.0  # seconds; it takes milliseconds, unless the machine has no time
_MODULE = "commands.serve.worker"


class Busy(Exception):
    """As many wait as may; ``after`` is in how many seconds there should be room."""

    def __init__(self, after: int) -> None:
        super().__init__(after)
        self.after = after


class Failed(Exception):
    """The job was given up: it took too long, or its process died."""


class Gone(Failed):
    """The client went away before the job began."""


@dataclass(eq=False)
class _Worker:
    process: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def end(self) -> None:
        """Kill it; its memory is free at once, and what it did is lost."""
        self.writer.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)


class Pool:
    """``start`` opens the model and forks the workers, ``close`` ends them. ``lost`` is called when the process with
    the model dies, after which there are no new workers."""

    def __init__(self, settings: Settings, lost: Callable[[], None] = lambda: None) -> None:
        self._settings, self._lost = settings, lost
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._workers: set[_Worker] = set()
        self._mother: subprocess.Popen[bytes] | None = None
        self._forking = asyncio.Lock()
        self._taken = 0
        self._closing = False
        self._seconds: deque[float] = deque([1.0], maxlen=_REMEMBERED)
        self.running = 0
        self.versions: dict[str, str] = {}
        self.observe: Callable[[float], None] = lambda seconds: None

    @property
    def waiting(self) -> int:
        return self._taken - self.running

    @property
    def full(self) -> bool:
        return self._taken >= self._settings.workers + self._settings.queue

    @property
    def alive(self) -> bool:
        """Whether there is a worker, and a model to make others from."""
        return bool(self._workers) and self._mother is not None and self._mother.poll() is None

    @property
    def processes(self) -> tuple[int, ...]:
        """The process with the model, then the workers."""
        own = () if self._mother is None else (self._mother.pid,)
        return (*own, *sorted(worker.process for worker in self._workers))

    @property
    def after(self) -> int:
        """In how many seconds, at the least 1, the jobs of now should be done."""
        mean = sum(self._seconds) / len(self._seconds)
        return max(1, math.ceil(mean * self._taken / self._settings.workers))

    async def start(self) -> None:
        """Raises ArtifactError with the reason when the model cannot be opened."""
        ours, theirs = socket.socketpair()
        given = {
            "home": str(self._settings.home.resolve()),
            "device": self._settings.device,
            "threads": self._settings.threads,
            "memory": self._settings.memory,
        }
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            "OMP_NUM_THREADS": "1",  # of the mother; a worker sets its own
            "OPENBLAS_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        environment.pop("WHYDX_TOKEN", None)  # what reads files of strangers need not know it
        quiet = () if sys.warnoptions else ("-W", "ignore")
        with theirs:
            self._mother = subprocess.Popen(
                [sys.executable, "-P", *quiet, "-m", _MODULE, str(theirs.fileno()), json.dumps(given)],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt in the terminal is for the service to handle
            )
        ours.setblocking(False)
        self._control = ours
        self._lines, self._control_writer = await asyncio.open_connection(sock=ours)
        said = await self._heard(None)
        if "error" in said:
            raise ArtifactError(said["error"])
        self.versions = said["versions"]
        for _ in range(self._settings.workers):
            self._idle.put_nowait(await self._fork())

    async def _heard(self, seconds: float | None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                line = await self._lines.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise ArtifactError("the process with the model ended", expected="the reason above, or more memory")
        return dict(json.loads(line))

    async def _fork(self) -> _Worker:
        ours, theirs = socket.socketpair()
        async with self._forking:
            try:
                with theirs:
                    socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                said = await self._heard(_FORKING)
            except (OSError, ArtifactError) as error:
                ours.close()
                if not self._closing:
                    self._lost()
                raise ArtifactError("the process with the model is gone", run="whydx serve") from error
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        worker = _Worker(said["process"], reader, writer)
        self._workers.add(worker)
        return worker

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place among those that run or wait, held while a request arrives and is answered. Raises Busy."""
        if self.full:
            raise Busy(self.after)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(
        self, job: dict[str, Any], given_up: Callable[[], Awaitable[bool]] | None = None
    ) -> tuple[dict[str, Any], bytes]:
        """The worker's answer to ``job``, as `worker.answer` describes it; call it with a ``place``.

        ``given_up`` is asked when the turn comes: who went away is not worked for. Raises Failed when the job takes
        longer than it may, or its worker dies.
        """
        worker = await self._idle.get()
        if given_up is not None and await given_up():
            self._idle.put_nowait(worker)
            raise Gone("the client went away")
        self.running += 1
        started, whole = time.monotonic(), False
        try:
            async with asyncio.timeout(self._settings.seconds):
                found = await self._asked(worker, job)
            whole = not found[0].get("fatal")
            return found
        except TimeoutError:
            raise Failed(f"it took longer than {self._settings.seconds:g} s") from None
        except (OSError, EOFError, ValueError) as error:
            _LOG.error("worker %s ended during a job", worker.process)
            raise Failed("the process that worked on it ended") from error
        finally:
            self.running -= 1
            seconds = time.monotonic() - started
            self._seconds.append(seconds)
            self.observe(seconds)
            if whole:
                self._idle.put_nowait(worker)
            else:
                self._workers.discard(worker)
                worker.end()
                if not self._closing:
                    self._again = asyncio.ensure_future(self._replace())

    async def _asked(self, worker: _Worker, job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        worker.writer.write(json.dumps(job).encode("utf-8") + b"\n")
        await worker.writer.drain()
        line = await worker.reader.readline()
        if not line:
            raise EOFError
        head: dict[str, Any] = json.loads(line)
        return head, await worker.reader.readexactly(head.pop("length"))

    async def _replace(self) -> None:
        with contextlib.suppress(ArtifactError):  # `lost` was called
            self._idle.put_nowait(await self._fork())

    async def close(self) -> None:
        """End all processes: those that are idle by closing their sockets."""
        self._closing = True
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        if self._mother is not None:
            self._control_writer.close()
            try:
                await asyncio.to_thread(self._mother.wait, 5.0)
            except subprocess.TimeoutExpired:
                self._mother.kill()
                await asyncio.to_thread(self._mother.wait)
