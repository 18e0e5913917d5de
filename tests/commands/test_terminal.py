"""Texts that are read, files that are written, progress, a reader that goes away, an interrupt."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.terminal import progress, read_text, write
from errors import InputError
from home import home_folder

MAIN = "from cli import main; main()"


def test_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write("new", target)
    assert target.read_text(encoding="utf-8") == "new"
    with pytest.raises(InputError, match="cannot write"):
        write("x", tmp_path / "no" / "such" / "folder")
    with pytest.raises(InputError, match="cannot write"):
        write("x", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json"]


def test_read_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes("\ufefffièvre\n".encode())
    assert read_text(f"@{path}", "note") == "fièvre\n"
    assert read_text("@", "note") == "@"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"cough")))
    assert read_text("-", "note") == "cough"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_text(f"@{path}", "note")
    path.write_bytes(b"a\0b")
    with pytest.raises(InputError, match="not text"):
        read_text(f"@{path}", "note")


def test_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder(Path("~/x")) == tmp_path / "x"
    assert home_folder(None).name == "whydx"


def test_progress_is_for_terminals(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with progress() as advance:
        assert advance is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress() as advance:
        assert advance is not None
        for done in range(3):
            advance("encode", done, 2)
        advance("count", 1, 0)
    assert capfd.readouterr().out == ""


def test_reader_gone(home: Path) -> None:
    """``whydx … | head -0`` ends quietly."""
    code = "import sys; from cli import main; sys.argv[1:] = ['data', 'list', '--format', 'json']; main()"
    read, wrote = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        stdout=wrote,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"WHYDX_HOME": str(home)},
    )
    os.close(wrote)
    assert ran.stderr == ""


def test_interrupt() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "link", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
