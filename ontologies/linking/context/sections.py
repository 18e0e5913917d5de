"""The sections of a note: headings with a colon or alone on a line, and what stands under them.

The table ``data/sections.tsv`` has the headings and their kinds. A heading that it does not have ends a section too,
unless it names a relative of a family history ("Father:").
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Section(NamedTuple):
    """``text[start:end]`` stands under a heading, which ends at ``name_end``; ``kind`` as in the table."""

    start: int
    name_end: int
    end: int
    kind: str


def _table(path: Path) -> dict[str, str]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {name: kind for kind, names in rows for name in names.split("|")}


_KINDS = _table(Path(__file__).parents[1] / "data" / "sections.tsv")
_NAMES = "|".join(re.escape(name) for name in sorted(_KINDS, key=len, reverse=True))
_SHORT = 4  # letters that a heading in a list without a colon has at least
_LISTED = re.compile(r"[ \t]*(?:[-*•#>]|\d{1,2}[.)])[^:]*")
_BULLET = r"[ \t]*(?:[-*•#>]+[ \t]*|\d{1,2}[.)][ \t]*|\*\*)?"
# A known heading starts a line, or a sentence; without a colon it is alone on its line. An unknown one starts a line.
_HEADING = re.compile(
    rf"(?:^{_BULLET}(?P<line>{_NAMES})(?:\*\*)?[ \t]*(?::|[-–](?=\s)|(?=\r?(?:\n|\Z))))|"
    rf"(?:(?<=[.;?!)] )|(?<=[.;?!)]\n)|(?<=\|))[ \t]*(?P<inside>{_NAMES})[ \t]*:|"
    r"^[ \t]*(?P<other>[A-Z][A-Za-z /&-]{1,40}):|(?<=[.;?!] )(?P<capitals>[A-Z][A-Z /&-]{3,40}):",
    re.MULTILINE | re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"(?:(?:maternal|paternal|his|her)\s+)?(?:grand)?(?:father|mother|parents?|mum|mom|dad|brothers?|sisters?|siblings?|"
    r"sons?|daughters?|children|uncles?|aunts?|cousins?|mgm|mgf|pgm|pgf|m|f|twin)",
    re.IGNORECASE,
)


def sections(text: str) -> list[Section]:
    """The sections of ``text`` in its order; none when it has no headings."""
    if ":" not in text and "\n" not in text:
        return []
    found: list[tuple[int, int, str]] = []
    kind = ""
    for match in _HEADING.finditer(text):
        name = match["line"] or match["inside"]
        if name is not None:
            if match["inside"] is not None and not name[0].isupper():
                continue
            if len(name) < _SHORT and _LISTED.fullmatch(match[0]):
                continue  # "2) PE" in a list
            kind = _KINDS[name.lower()]
        else:
            group = "other" if match["other"] is not None else "capitals"
            name = match[group].strip()
            if not name[0].isupper() or (group == "capitals" and not name.isupper()):
                continue
            if kind == "family" and _RELATIVE.fullmatch(name):
                continue
            kind = "now"
        start = match.start("line" if match["line"] else "inside" if match["inside"] else group)
        found.append((start, match.end(), kind))
    ends = [*(start for start, _, _ in found[1:]), len(text)][: len(found)]
    return [Section(start, name, end, kind) for (start, name, kind), end in zip(found, ends, strict=True)]
