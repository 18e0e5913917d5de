"""Text files as UTF-8, whatever their byte order mark or their XML declaration says that they are in."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, Any, BinaryIO, NamedTuple, cast

from errors import InputError
from ontologies.sources.archive import Member

_BLOCK = 1 << 16
_HEAD = 1024
# UTF-32 before UTF-16, whose mark begins its own.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'<>\s]*)["']""")
_DECLARATION = re.compile(r"""(<\?xml\s[^>]*?\sencoding\s*=\s*["'])[^"'<>]*""")
# Encodings of text by Python's names, of which those that hold ASCII as it is are read.
_KNOWN = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|tis-620|gb2312|gbk|gb18030|big5\w*|shift_jis\w*|euc_\w+"
)
_ASCII = bytes(range(128))
_SAYS = "its XML declaration says"


class _Encoding(NamedTuple):
    """The codec of a file, how many bytes its mark takes, why it is thought so ("" when nothing says it), and whether
    its bytes are to be made another."""

    codec: str
    mark: int
    reason: str
    other: bool


def open_text(file: Member) -> IO[bytes]:
    """The bytes of a text file in UTF-8 without a byte order mark, streamed.

    A file in UTF-16 or UTF-32 (by its mark; UTF-16 also by its zero bytes), and XML in any encoding that it declares
    and that holds ASCII as it is, are decoded, and the declaration made to say UTF-8. A mark has the last word, and
    what says in plain letters to be in UTF-16 is taken to be in UTF-8. Other files go through as they are.

    Raises InputError for an encoding that is not known, on reading what is not in the encoding, and at the end of XML
    that declares an encoding of one byte a letter and whose letters beyond ASCII are all UTF-8.
    """
    return _open(file, "strict")


def text_head(file: Member, size: int) -> bytes:
    """About the first ``size`` bytes of a file as ``open_text`` gives them, but nothing in them is an error."""
    try:
        with _open(file, "replace") as stream:
            return stream.read(size)
    except InputError:
        with file.open() as stream:
            return stream.read(size)


def _open(file: Member, errors: str) -> IO[bytes]:
    with file.open() as stream:
        found = _encoding(stream.read(_HEAD), file.base)
    stream = file.open()
    stream.read(found.mark)
    if not found.other:
        return stream
    return io.BufferedReader(_Recoded(cast(BinaryIO, stream), found, file.base, errors), buffer_size=_BLOCK)


def _encoding(head: bytes, name: str) -> _Encoding:
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    said = declared[1].decode("ascii", "replace") if declared else ""
    declares = declared is not None and said.lower() not in ("utf-8", "utf8")
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return _Encoding(codec, len(mark), "its byte order mark says", declares or codec != "utf-8")
    if len(head) >= 4:
        zeros = tuple(byte == 0 for byte in head[:4])
        if zeros in ((False, True, False, True), (True, False, True, False)):
            return _Encoding("utf-16-be" if zeros[0] else "utf-16-le", 0, "its zero bytes say", True)
    # What can be read as ASCII is not in UTF-16, whatever it declares.
    if not declares or re.fullmatch(r"(?i)utf-?(16|32)([lb]e)?|ucs-?[24]|iso-10646-ucs-[24]", said.replace("_", "-")):
        return _Encoding("utf-8", 0, "", declares)
    if (plain := _codec(said)) is None:
        raise InputError(
            f"{name}: its XML declares an encoding that is not read",
            value=said,
            expected="UTF-8, UTF-16, or one such as ISO-8859-1, Windows-1252 or GB18030",
            run=f"xmllint --encode UTF-8 {name} > {name}.utf8",
        )
    return _Encoding(plain, 0, _SAYS, True)


def _codec(said: str) -> str | None:
    """Python's name of the encoding that a declaration names, when it is one that is read."""
    try:
        codec = codecs.lookup(said).name
        return codec if _KNOWN.fullmatch(codec) and _ASCII.decode(codec) == _ASCII.decode() else None
    except (LookupError, ValueError):
        return None


class _Recoded(io.RawIOBase):
    """A stream of an encoding as UTF-8; the head with the XML declaration is rewritten."""

    def __init__(self, stream: BinaryIO, encoding: _Encoding, name: str, errors: str) -> None:
        self._stream, self._encoding, self._name = stream, encoding, name
        self._decoder = codecs.getincrementaldecoder(encoding.codec)(errors)
        self._waiting, self._first, self._lines = b"", True, 1
        single = encoding.reason == _SAYS and len(bytes(range(256)).decode(encoding.codec, "replace")) == 256
        self._utf8 = codecs.getincrementaldecoder("utf-8")() if single and errors == "strict" else None
        self._beyond_ascii = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting:
            block = self._stream.read(_BLOCK)
            self._suspect(block)
            text = self._decoded(block)
            if self._first and text:
                text, self._first = _DECLARATION.sub(r"\1UTF-8", text, count=1) if text[0] == "<" else text, False
            self._waiting = text.encode("utf-8", "replace")
            if not block:
                break
        given = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(given) :]
        buffer[: len(given)] = given
        return len(given)

    def _decoded(self, block: bytes) -> str:
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            read = error.object[: error.start].decode(self._encoding.codec, "replace")
            wrong = error.object[error.start : error.start + 8]
            reason = f", which {self._encoding.reason}" if self._encoding.reason else ""
            raise InputError(
                f"{self._name}, line {self._lines + read.count(chr(10))}: not {self._encoding.codec.upper()}{reason}",
                value=ascii(wrong),
                expected="one encoding, the one that it says",
            ) from error
        self._lines += text.count("\n")
        return text

    def _suspect(self, block: bytes) -> None:
        """Raise InputError when what was declared to be of one byte a letter has been UTF-8 all along."""
        if self._utf8 is None:
            return
        try:
            self._beyond_ascii |= not self._utf8.decode(block, final=not block).isascii()
        except UnicodeDecodeError:
            self._utf8 = None
            return
        if not block and self._beyond_ascii:
            codec = self._encoding.codec.upper()
            raise InputError(
                f"{self._name} is in UTF-8, and {_SAYS} that it is not", value=codec, expected='encoding="UTF-8" in it'
            )

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
