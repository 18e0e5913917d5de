"""The page on paper: printed to PDF by a Chromium that is on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from errors import DependencyError, WhydxError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-first-run",
    "--no-pdf-header-footer",
)
_SECONDS = 120


def chromium() -> str:
    """The path of a Chromium. Raises DependencyError when none of ``NAMES`` is on PATH."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise DependencyError(
            "no Chromium to print the page with",
            expected=f"one of {', '.join(NAMES)} on PATH",
            run="apt-get install chromium, or write --format html and print that",
        )
    return found


def printed(page: str) -> bytes:
    """``page`` (HTML) as PDF. Raises DependencyError without a Chromium, and WhydxError when it prints nothing."""
    program = chromium()
    with tempfile.TemporaryDirectory(prefix="whydx-page-") as name:
        folder = Path(name)
        source, target = folder / "report.html", folder / "report.pdf"
        source.write_text(page, encoding="utf-8")
        # As root, as in a container, Chromium's sandbox does not start; the page runs nothing but its own script.
        root = ("--no-sandbox",) if getattr(os, "geteuid", lambda: 1)() == 0 else ()
        where = (f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={target}", source.as_uri())
        try:
            subprocess.run(
                [program, *_OPTIONS, *root, *where], check=False, capture_output=True, timeout=_SECONDS, cwd=folder
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise WhydxError("Chromium did not print the page", value=Path(program).name, expected="a PDF") from error
        data = target.read_bytes() if target.is_file() else b""
    if not data.startswith(b"%PDF-"):
        raise WhydxError(
            "Chromium did not print the page", value=Path(program).name, run="whydx report … --format html"
        )
    return data
