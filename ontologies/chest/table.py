"""A TSV table of the chest layer, read strictly: every error names the file, the line and the column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from errors import InputError
from ontologies.concept import parse_curie

Commonness = Literal["very common", "common", "uncommon", "rare", "group"]
Course = Literal["acute", "subacute", "chronic", "none"]
FindingKind = Literal["imaging", "symptom", "sign", "laboratory", "context", "course", "normal"]
StepKind = Literal["investigation", "treatment"]


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line by column; the accessors raise InputError naming file, line and column."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, expected: str) -> InputError:
        where = f"{self.path}, line {self.line}, column {column}"
        return InputError(where, value=self.cells[column], expected=expected)

    def text(self, column: str) -> str:
        """The cell, which is not empty."""
        if not self.cells[column]:
            raise self.error(column, "not empty")
        return self.cells[column]

    def one_of(self, column: str, allowed: Sequence[str]) -> Any:
        """The cell, which is one of ``allowed`` (a value of the matching Literal)."""
        if self.cells[column] not in allowed:
            raise self.error(column, ", ".join(repr(value) for value in allowed))
        return self.cells[column]

    def several(self, column: str) -> tuple[str, ...]:
        """The values between ``|``; none when the cell is empty."""
        values = tuple(self.cells[column].split("|")) if self.cells[column] else ()
        if any(value != value.strip() or not value for value in values) or len(set(values)) != len(values):
            raise self.error(column, "different values separated by |, without blanks around them")
        return values

    def percent(self, column: str) -> float:
        """A cell of 0 to 100 as a share in [0, 1]."""
        try:
            share = float(self.cells[column]) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise self.error(column, "a number from 0 to 100")
        return share

    def whole(self, column: str) -> int:
        """A whole number from 0 on."""
        if not self.cells[column].isdecimal():
            raise self.error(column, "a whole number")
        return int(self.cells[column])

    def curie(self, column: str) -> str:
        try:
            parse_curie(self.cells[column])
        except InputError:
            raise self.error(column, "a CURIE, for example HP:0002090") from None
        return self.cells[column]

    def curies(self, column: str) -> tuple[str, ...]:
        values = self.several(column)
        for value in values:
            try:
                parse_curie(value)
            except InputError:
                raise self.error(column, "CURIEs separated by |") from None
        return values

    def known(self, column: str, names: Mapping[str, str], *, name: str) -> str:
        """The id in ``column``, which ``names`` has, with the same name as the cell ``name``."""
        curie = self.cells[column]
        if curie not in names:
            raise self.error(column, "an id of the table it refers to")
        if names[curie] != self.cells[name]:
            raise self.error(name, f"the name of {curie}: {names[curie]!r}")
        return curie


def read_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Stream the rows of a TSV file whose header is exactly ``columns``. Raises InputError."""
    if not path.is_file():
        raise InputError("no such table of the chest layer", value=path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}", value=error, expected="UTF-8 text") from error
    if lines[0].split("\t") != list(columns):
        raise InputError(f"{path}, line 1: not the header", value=lines[0], expected=" ".join(columns))
    if lines.pop() != "":
        raise InputError(f"{path}, line {len(lines) + 1}: cut short", expected="a line feed at the end")
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise InputError(f"{path}, line {number}: {len(cells)} columns", value=line, expected=f"{len(columns)}")
        yield Row(path, number, dict(zip(columns, cells, strict=True)))
