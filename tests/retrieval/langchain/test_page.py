"""The examples of docs/langchain.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "langchain.md"


def test_the_examples_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHYDX_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    agent, store = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    exec(compile(agent, "agent", "exec"), {"__name__": "page"})
    said = capsys.readouterr().out
    assert said.count("[PMID:") == 3  # the tool has answered the model
    assert said.rstrip().endswith("ai · These papers speak of it.")
    exec(compile(store, "store", "exec"), {"__name__": "page"})
    assert "erect, deep inspiration" in capsys.readouterr().out
