"""What a service is started with, and which of it is not allowed."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

from errors import InputError

_LEAST_TOKEN = 16  # characters
_AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")  # PS3.5 6.2: 16 characters, no backslash
MEBI = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A DICOM node: AE title, host, port."""

    title: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Node:
        """``AET@HOST:PORT``. Raises InputError."""
        found = re.fullmatch(r"([^@]+)@([^@\s]+):(\d{1,5})", text.strip())
        if found is None or not 0 < int(found[3]) < 65536:
            raise InputError("not a DICOM node", value=text, expected="AET@HOST:PORT")
        return cls(title=ae_title(found[1]), host=found[2].strip("[]"), port=int(found[3]))


def ae_title(text: str) -> str:
    """Raises InputError for what is no AE title."""
    if not _AE_TITLE.fullmatch(text.strip()):
        raise InputError("not an AE title", value=text, expected="1 to 16 ASCII characters without a backslash")
    return text.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomSettings:
    """The listener: its own ``title`` and ``port``, the ``node`` that gets the SR, and the AE titles that may send
    (none: any, which is allowed on loopback only). ``identified``: the SR names the patient, as archives need it to
    file the SR with the study."""

    port: int
    title: str
    node: Node
    peers: tuple[str, ...] = ()
    identified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``workers`` processes diagnose, ``queue`` requests wait for them, all others are sent away. ``seconds`` is the
    most that a diagnosis may take, ``upload_seconds`` that a request may take to arrive; ``megabytes`` (MiB) limits a
    request, ``memory`` (MiB) what a worker may allocate beyond the shared model. ``hosts`` are the names that a request
    may call the service by. ``origins`` may call it from a browser's page of theirs (CORS)."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    device: str = "cpu"
    workers: int = 1
    threads: int = 1
    queue: int = 8
    seconds: float = 60.0
    upload_seconds: float = 30.0
    drain_seconds: float = 90.0
    megabytes: int = 64
    images: int = 8
    memory: int = 3000
    dicom: DicomSettings | None = None

    def __post_init__(self) -> None:
        if not self.loopback and not self.token:
            raise InputError(
                "a service that others can reach needs a token",
                value=self.host,
                expected=f"WHYDX_TOKEN or --token-file with at least {_LEAST_TOKEN} characters",
                run="python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        if not self.loopback and self.dicom and not self.dicom.peers:
            raise InputError(
                "a DICOM listener that others can reach needs to know who may send",
                value=self.host,
                expected="--dicom-peer AET",
            )
        for origin in self.origins:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
                raise InputError("not an origin", value=origin, expected="https://HOST[:PORT]")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def bytes(self) -> int:
        return self.megabytes * MEBI


def token(file: Path | None) -> str | None:
    """The bearer token of a file's first line, else of WHYDX_TOKEN, else None. Raises InputError for one that is too
    short, holds blanks or cannot be read; the message does not show it."""
    where, text = ("WHYDX_TOKEN", os.environ.get("WHYDX_TOKEN", "")) if file is None else (str(file), "")
    if file is not None:
        try:
            text = file.read_text(encoding="ascii").partition("\n")[0].strip()
        except OSError as error:
            raise InputError(f"cannot read the token ({error.strerror})", value=file, expected="a text file") from error
        except UnicodeDecodeError as error:
            raise InputError("the token is not ASCII", value=file, expected="letters, digits and -._~+/=") from error
    elif not text:
        return None
    if len(text) < _LEAST_TOKEN or not re.fullmatch(r"[A-Za-z0-9\-._~+/=]+", text):
        expected = f"at least {_LEAST_TOKEN} letters, digits and -._~+/="
        raise InputError("the token is too short, or holds other characters", value=where, expected=expected)
    return text
