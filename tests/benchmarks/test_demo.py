"""The input of `make demo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.demo import main


def test_without_the_reports_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHYDX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.argv", ["demo", str(tmp_path / "demo")])
    with pytest.raises(SystemExit, match=r"^error: source openi is not fetched.*; run: whydx data fetch"):
        main()
    assert not (tmp_path / "demo").exists(), "make takes the phantom as a sign that the note is there too"
