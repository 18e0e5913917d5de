"""Fetch one archive of a package through pip's own index settings, without unpacking, building or running it.

``pip download`` runs the build backend of a source distribution to learn its metadata, so it executes what it fetched.
This program stops before that: it lets pip's package finder locate the file (index, extra indexes, find-links, proxies,
certificates, credentials, all as the user configured them for pip) and copies the bytes to a file. Nothing else
happens to them here; the caller checks the hash.

It runs as a program of its own (``python download.py PACKAGE FILENAME SHA256 TARGET LIMIT``), because pip's internals
expect a process to themselves. Each line on stdout is a JSON object: ``{"done": bytes, "total": bytes}`` while it
copies, and at the end ``{"state": "ok"}`` or ``{"state": "missing" | "network" | "disk" | "size", "detail": "one
line"}``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

_CHUNK = 1 << 18


class _Failures(logging.Handler):
    """Keeps the index pages that pip could not read; pip itself only logs them and carries on with no candidates."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        # 404 only says that this index lacks the package.
        if line.startswith("Could not fetch URL") and "404 Client Error" not in line:
            self.lines.append(line)


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def _chunks(session: Any, url: str) -> Iterator[tuple[bytes, int]]:
    """Yield (bytes, total size or 0) of what ``url`` (http, https or file) gives; identity encoding, so the hash is
    the file's."""
    with session.get(url, headers={"Accept-Encoding": "identity"}, stream=True) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length") or 0)
        for chunk in response.iter_content(_CHUNK):
            yield chunk, total


def _download(package: str, filename: str, sha256: str, target: str, limit: int) -> None:
    from pip._internal.commands import create_command
    from pip._vendor.packaging.utils import canonicalize_name
    from pip._vendor.requests.exceptions import RequestException
    from pip._vendor.urllib3.exceptions import HTTPError

    failures = _Failures()
    for name in ("pip._internal.index.collector",):
        logging.getLogger(name).addHandler(failures)
        logging.getLogger(name).setLevel(logging.DEBUG)
    command: Any = create_command("download")
    # A cached answer could be the damaged one, so no cache; :none: undoes a configured preference for wheels or
    # sources.
    options, _ = command.parse_args(["--no-cache-dir", "--only-binary=:none:", "--no-binary=:none:", "--no-deps"])
    options.retries, options.timeout = min(options.retries, 2), min(options.timeout, 60)
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session, ignore_requires_python=True)
        found = [c.link for c in finder.find_all_candidates(canonicalize_name(package)) if c.link.filename == filename]
        if not found:
            if failures.lines:
                _say(state="network", detail=failures.lines[-1])
            else:
                _say(state="missing", detail=f"{filename} is not in the package indexes that pip is configured for")
            return
        found.sort(
            key=lambda link: (link.hash_name != "sha256") + 2 * (link.hash_name == "sha256" and link.hash != sha256)
        )
        try:
            done, total = 0, 0
            with open(target, "wb") as out:
                for chunk, total in _chunks(session, found[0].url_without_fragment):
                    done += len(chunk)
                    if done > limit:
                        _say(state="size", detail=f"{filename} is larger than the {limit} bytes expected")
                        return
                    out.write(chunk)
                    _say(done=done, total=total or limit)
            if done < total:
                _say(state="network", detail=f"the connection ended after {done} of {total} bytes")
                return
        except (RequestException, HTTPError, ConnectionError, TimeoutError) as error:
            _say(state="network", detail=f"{type(error).__name__}: {error}")
        except OSError as error:
            _say(state="disk", detail=error.strerror or str(error))
        else:
            _say(state="ok")


if __name__ == "__main__":
    _download(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
