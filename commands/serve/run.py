"""Starting the service, and letting it finish what it has begun before it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from types import FrameType
from typing import Any

import uvicorn

from commands.serve.app import service
from commands.serve.listener import listening
from commands.serve.metrics import Metrics
from commands.serve.pool import Pool
from commands.serve.settings import Settings
from errors import ArtifactError, InputError

_LOG = logging.getLogger("whydx")
_BACKLOG = 128
_SPARE = 64  # connections beyond those that wait for a worker
_LONGEST_HEADERS = 16_384


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests that were taken are answered first, for at most ``drain_seconds``.

    Raises InputError when the address cannot be had, ArtifactError when the model cannot be opened, or its process died
    while serving.
    """
    _log()
    with _listening(settings) as listener:
        asyncio.run(_served(settings, listener))


def _log() -> None:
    """One line a request on stderr: method, route, status, time; nothing that a client wrote."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("whydx")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # its messages name addresses and show what clients sent


def _listening(settings: Settings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise InputError(
            f"cannot listen ({error.strerror})", value=where, expected="an address of this machine and a free port"
        ) from error
    return listener


async def _served(settings: Settings, listener: socket.socket) -> None:
    server: uvicorn.Server | None = None
    lost = False

    def gone() -> None:
        nonlocal lost
        lost = True
        if server is not None:
            server.should_exit = True

    metrics, pool = Metrics(), Pool(settings, gone)
    pool.observe = metrics.jobs.observe
    try:
        await pool.start()
        app = service(settings, pool, metrics)
        server = uvicorn.Server(_config(app, settings))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _nothing)  # uvicorn handles it while it serves, and raises it again afterwards
        name, port = listener.getsockname()[:2]
        shown = f"[{name}]" if ":" in name else name
        _LOG.info("whydx serves on http://%s:%s with %s workers", shown, port, settings.workers)
        async with listening(settings, pool, metrics):
            await server.serve(sockets=[listener])
        _LOG.info("done")
    finally:
        await pool.close()
    if lost:
        raise ArtifactError("the process with the model ended", run="whydx serve")


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        backlog=_BACKLOG,
        limit_concurrency=settings.workers + settings.queue + _SPARE,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        h11_max_incomplete_event_size=_LONGEST_HEADERS,
    )


def _nothing(number: int, frame: FrameType | None) -> None:
    """A signal that has been acted on."""
