"""The texts that a command reads: from the command line, stdin, files and folders."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

from commands.terminal import read_text
from errors import InputError

SUFFIXES = (".txt", ".pubtator")


class Text(NamedTuple):
    """A text and what to call it: the name of its file without the suffix, its line, or its PubTator id."""

    identifier: str
    text: str


class Texts(NamedTuple):
    """``total`` is None when it is known only at the end. ``single``: one text, given as such."""

    texts: Iterator[Text]
    total: int | None
    single: bool = False


def read(sources: Sequence[str], *, lines: bool) -> Texts:
    """The texts of ``sources``: the text itself, "@FILE", "-" for stdin, files, or folders of .txt and .pubtator files.

    A file or stdin in PubTator holds many documents; with ``lines`` each line that is not blank is one; otherwise all
    of it is one. Raises InputError at once for what is not there, and while reading for what is not UTF-8 text.
    """
    if len(sources) == 1 and not lines and not _is_path(sources[0]):
        text = read_text(sources[0], "text")
        if not _holds_pubtator(text):
            return Texts(iter([Text("1", text)]), 1, single=True)
        return Texts(_documents(text.splitlines(keepends=True), "stdin", lines), None)
    files: list[Path] = []
    streams: list[Iterator[Text]] = []
    for source in sources:
        if source == "-":
            streams.append(_stdin(lines))
        else:
            found = _files(Path(source.removeprefix("@")))
            files += found
            streams += [_file(path, lines) for path in found]
    return Texts(chain.from_iterable(streams), None if lines or "-" in sources else len(files))


def _is_path(source: str) -> bool:
    """Whether a source that stands alone is a file or folder rather than a text. "report.txt" is one, there or not."""
    if source == "-" or source.startswith("@") or not source.strip():
        return False
    if source.endswith(SUFFIXES) and not any(c.isspace() for c in source):
        return True
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(child for child in path.iterdir() if child.suffix in SUFFIXES and child.is_file())
        if not found:
            raise InputError("no texts in the folder", value=path, expected=" or ".join(f"*{s}" for s in SUFFIXES))
        return found
    if not path.is_file():
        raise InputError("no such file", value=path, expected="one text in quotes, text files or folders, or -")
    return [path]


def _stdin(lines: bool) -> Iterator[Text]:
    sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")  # type: ignore[union-attr]
    some = False
    for text in _texts(sys.stdin, "stdin", lines):
        some = True
        yield text
    if not some:
        raise InputError("the text is empty", value="stdin", expected="a document a line, or PubTator")


def _file(path: Path, lines: bool) -> Iterator[Text]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield from _texts(stream, str(path), lines)
    except OSError as error:
        raise InputError(
            f"cannot read the text ({error.strerror})", value=path, expected="a UTF-8 text file"
        ) from error


def _texts(stream: TextIO, name: str, lines: bool) -> Iterator[Text]:
    try:
        if lines or name.endswith(".pubtator"):
            yield from _documents(stream, name, lines)
            return
        text = stream.read()
    except UnicodeDecodeError as error:
        raise InputError("the text is not UTF-8", value=name, expected="UTF-8 text") from error
    if _holds_pubtator(text):
        yield from _documents(text.splitlines(keepends=True), name, lines)
    else:
        yield _checked(Path(name).stem, text, name)


def _documents(stream: Iterable[str], name: str, lines: bool) -> Iterator[Text]:
    from ontologies.linking import pubtator

    numbered = enumerate(stream, 1)
    for number, line in numbered:
        if not line.strip():
            continue
        if pubtator.is_pubtator(line):
            rest = chain([line], (line for _, line in numbered))
            yield from (_checked(*document, name) for document in pubtator.texts(rest, name=name))
        elif lines:
            yield _checked(str(number), line.rstrip("\r\n"), name)
        else:
            raise InputError(f"{name}, line {number}: not PubTator", value=line.strip(), expected="id|t|text")


def _holds_pubtator(text: str) -> bool:
    from ontologies.linking import pubtator

    return "|t|" in text and pubtator.is_pubtator(text.lstrip().split("\n", 1)[0])


def _checked(identifier: str, text: str, name: str) -> Text:
    if "\0" in text:
        raise InputError("not a text: it holds NUL bytes", value=name, expected="UTF-8 text")
    return Text(identifier, text)
