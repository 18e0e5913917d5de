"""A row that a reader cannot use, and what to do about it: stop, or leave it out and say so.

Every reader takes ``report``, which is called with each malformed row before the row is skipped. The default, ``stop``,
raises instead. Sound rows that are of no use where they are, in whatever number, are an ``Omission`` a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from errors import InputError
from ontologies.sources.archive import Member
from ontologies.sources.encoding import open_text

# No row of any format read here comes near it; a file without line ends must not fill the memory.
_LONGEST_LINE = 1 << 24
_UTF8 = "text in UTF-8, for example by iconv -f ISO-8859-1 -t UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A row that is left out: the file's name, the line (from 1; 0 when the format has no lines to count), what is
    wrong with it, the offending value, and what was expected."""

    file: str
    line: int
    reason: str
    value: str = ""
    expected: str = ""

    def error(self) -> InputError:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return InputError(f"{where}: {self.reason}", value=self.value or None, expected=self.expected)


Report = Callable[[Problem], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """Sound rows of a file that are left out: how many, why, the first of the values that it is about, and what would
    make them of use."""

    file: str
    rows: int
    reason: str
    value: str
    expected: str

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return str(InputError(f"{rows} of {self.file}: {self.reason}", value=self.value, expected=self.expected))


Notice = Callable[[Omission], None]


def stop(problem: Problem) -> None:
    """Raise the problem as an InputError: the policy of ``--on-error stop``."""
    raise problem.error()


def text_lines(file: Member, report: Report) -> Iterator[tuple[int, str]]:
    """The lines of a file in UTF-8 (or UTF-16, by its byte order mark) as (number from 1, text without line end or byte
    order mark), streamed.

    A line that is not UTF-8 is reported and left out. Raises InputError when a line is longer than 16 MiB.
    """
    with open_text(file) as stream:
        number = 0
        while raw := stream.readline(_LONGEST_LINE + 1):
            number += 1
            if len(raw) > _LONGEST_LINE:
                raise Problem(file=file.base, line=number, reason="not a text file (a line of over 16 MiB)").error()
            try:
                yield number, raw.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                report(Problem(file=file.base, line=number, reason="not UTF-8", value=ascii(raw[:40]), expected=_UTF8))
