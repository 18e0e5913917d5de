"""What the service may be started with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from commands.serve.settings import DicomSettings, Node, Settings, token
from errors import InputError

TOKEN = "0123456789abcdef"
NODE = Node(title="PACS", host="pacs.example", port=104)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str, tmp_path: Path) -> None:
    assert Settings(home=tmp_path, host=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "whydx.example", "127.0.0.1.example", ""])
def test_elsewhere_needs_one(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a token"):
        Settings(home=tmp_path, host=host)
    assert not Settings(home=tmp_path, host=host, token=TOKEN).loopback


def test_a_listener_that_others_reach_knows_who_may_send(tmp_path: Path) -> None:
    dicom = DicomSettings(port=11112, title="WHYDX", node=NODE)
    with pytest.raises(InputError, match="who may send"):
        Settings(home=tmp_path, host="0.0.0.0", token=TOKEN, dicom=dicom)


def test_a_token_is_read_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHYDX_TOKEN", raising=False)
    assert token(None) is None
    monkeypatch.setenv("WHYDX_TOKEN", TOKEN)
    assert token(None) == TOKEN
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}x\n")
    assert token(file) == f"{TOKEN}x"
    for wrong in ("tiny", "with blanks in between", "", "löchrig-löchrig-löchrig"):
        file.write_text(wrong)
        with pytest.raises(InputError) as error:
            token(file)
        assert not wrong or wrong not in str(error.value)
    with pytest.raises(InputError, match="cannot read the token"):
        token(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["PACS", "PACS@host", "PACS@host:0", "PACS@host:99999", "A\\B@host:104", "@h:1", "A" * 17 + "@h:1"]
)
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(InputError):
        Node.of(text)


def test_a_node() -> None:
    assert Node.of("PACS@pacs.example:104") == NODE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "needs a token"),
        (("--dicom-port", "11112"), "needs a node"),
        (("--dicom-to", "PACS@h:104"), "only with --dicom-port"),
        (("--origin", "https://x.example/path"), "not an origin"),
        (("--token-file", "/none"), "cannot read the token"),
        (("--port", "1", "--host", "192.0.2.1"), "needs a token"),
    ],
)
def test_wrong_starts_are_said_in_a_line(
    whydx: Callable[..., Any], arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WHYDX_TOKEN", raising=False)
    ran = whydx("serve", *arguments)
    assert ran.status in (1, 2)
    assert said in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
