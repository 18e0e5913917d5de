"""What every request passes: who may ask, how much and how slowly it may come, and what every answer says."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from commands.serve.metrics import Metrics
from commands.serve.settings import MEBI, Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_LOG = logging.getLogger("whydx")
_OPEN = ("/healthz",)  # what asks it has no token, and it tells nothing
_READING = ("GET", "HEAD", "OPTIONS")
_LONGEST_JSON = 4 * MEBI
_PATIENCE = 2.0  # seconds in which what is not wanted is read away, so that the answer is read
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """ASGI middleware; ``app`` is what it guards."""

    def __init__(self, app: Callable[..., Awaitable[None]], settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._names = {"localhost", "127.0.0.1", "::1", settings.host, *settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def said(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name.lower() for name, _ in message["headers"]}
                more = ((n.encode(), v.encode()) for n, v in _HEADERS.items())
                message["headers"] = [*message["headers"], *((n, v) for n, v in more if n not in own)]
            await send(message)

        try:
            await self._guarded(scope, receive, said)
        finally:
            route = getattr(scope.get("route"), "path", "other")  # never what the client wrote
            seconds = time.monotonic() - started
            self._metrics.requests.labels(route, scope["method"][:8], str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            _LOG.info("%s %s %s %.3f s", scope["method"][:8], route, status, seconds)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        most = self._settings.bytes if scope["path"] == "/report" else min(_LONGEST_JSON, self._settings.bytes)
        refused = self._refused(scope, headers) or self._too_large(headers, most)
        if refused is not None:
            await drained(receive, most)
            await refused(scope, receive, send)
            return
        await self._app(scope, self._limited(receive, most), send)

    def _refused(self, scope: Scope, headers: Mapping[str, str]) -> JSONResponse | None:
        """Why the client may not ask, or None. A page of another site can make a browser send requests: to a service
        on loopback under a name of its own (so the names are few), or as a form of its own (so its origin counts)."""
        host = headers.get("host", "")
        if (self._settings.loopback or self._settings.hosts) and _name(host) not in self._names:
            return _detail(403, "this service is not called so; expected a name given with --host-name")
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in _READING:
            foreign = urlsplit(origin).netloc.lower() != host.lower() and origin not in self._settings.origins
            if foreign:
                return _detail(403, "a page of another site may not ask; expected an origin given with --origin")
        token = self._settings.token
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if token and scope["path"] not in _OPEN and not preflight:
            kind, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("latin-1"), token.encode("ascii"))
            if kind.lower() != "bearer" or not right:
                return _detail(401, "a bearer token is needed", {"WWW-Authenticate": 'Bearer realm="whydx"'})
        return None

    @staticmethod
    def _too_large(headers: Mapping[str, str], most: int) -> JSONResponse | None:
        length = headers.get("content-length", "0")
        return _detail(413, _large(most)) if length.isdecimal() and int(length) > most else None

    def _limited(self, receive: Receive, most: int) -> Receive:
        """``receive``, which ends a body that is too large or too slow."""
        seen, until, whole = 0, time.monotonic() + self._settings.upload_seconds, False

        async def limited() -> MutableMapping[str, Any]:
            nonlocal seen, whole
            if whole:  # what comes now is that the client went away
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the request took longer than {self._settings.upload_seconds:g} s") from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > most:
                raise HTTPException(413, _large(most))
            return message

        return limited


async def drained(receive: Receive, most: int) -> None:
    """Read a body away, for a moment: a client that is still sending does not see the answer."""
    seen, more = 0, True
    try:
        async with asyncio.timeout(_PATIENCE):
            while more and seen <= most:
                message = await receive()
                seen += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)
    except (TimeoutError, HTTPException):
        return


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _large(most: int) -> str:
    return f"the request is too large; expected at most {most // MEBI} MiB"


def _detail(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers=dict(headers or {}))
