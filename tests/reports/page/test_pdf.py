"""Printing, as far as it goes without a browser: what is missing is named, and nothing is left behind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import DependencyError, WhydxError
from fusion.diagnosis import DiagnosticReport
from reports.json import dumps
from reports.page.pdf import printed


def program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chromium of this script, the only program that is found."""
    path = folder / "bin" / "chromium"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/bin")


def test_without_a_chromium_it_says_what_to_install(
    whydx: Callable[..., Any], report: DiagnosticReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(DependencyError, match="no Chromium"):
        printed("<p>x</p>")
    saved = tmp_path / "report.json"
    saved.write_text(dumps(report), encoding="utf-8")
    ran = whydx("report", saved, "--format", "pdf", "-o", tmp_path / "report.pdf")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "apt-get install chromium" in ran.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.json"]


def test_one_that_prints_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exit 3", monkeypatch)
    with pytest.raises(WhydxError, match="did not print"):
        printed("<p>x</p>")


def test_the_page_is_given_as_a_file_and_no_name_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """for a in "$@"; do
case "$a" in --print-to-pdf=*) target="${a#*=}";; file:*) source="${a#file://}";; esac
done
{ printf '%%PDF-1.4 '; cat "$source"; printf '%s ' "$@"; } > "$target" """
    program(tmp_path, script, monkeypatch)
    written = printed("<p>Fever</p>").decode("utf-8")
    assert written.startswith("%PDF-1.4 <p>Fever</p>")
    assert "MAP * ~NOTFOUND" in written
