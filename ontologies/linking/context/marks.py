"""Signs, boxes and forms: "-fever, +cough", "fever (-)", "Fever: N", "[x] cough", "| Dyspnea | No |"."""

from __future__ import annotations

import re
from typing import Literal

_PLUS, _MINUS = r"\+{1,4}(?:ve)?", r"[-−–](?:ve)?"
_YES = rf"{_PLUS}|y|yes|pos|positive|present|true|✓|✔|1(?![.\d])|[xX](?=\s*(?:[|\n]|$))"
_NO = rf"{_MINUS}|n|no|neg|negative|nil|none|absent|denied|denies|false|✗|✘|0(?![.\d])"
_NEAR = 32
_BOX = r"(?:\[[ xX✓✔*yYnN_]?\]|\([ xX✓]\)|☐|☑|☒|□|■|✓|✔|_[xX]_|__+)"
_TICKED = frozenset("xX✓✔☑☒■*yY")
_BOX_FIRST = re.compile(rf"\s*(?:[\w ]+:\s*)?{_BOX}")
_BOX_AFTER = re.compile(rf"[ \t]?:?[ \t]?(?P<box>{_BOX})(?![ \t]*(?:yes|no)\b)", re.IGNORECASE)
# What stands right before a mention.
_BEFORE = re.compile(
    rf"(?P<box>{_BOX})[ \t]*$|"
    rf"(?:^|[\s,;:/(])(?:\((?:(?P<plus>{_PLUS})|(?P<minus>{_MINUS}))\)|(?P<plus2>{_PLUS})|(?P<minus2>[-−–]ve))[ \t]?$|"
    r"(?:^|[\s,;:/(])(?P<attached>[-−–])$|[,;/+][ \t]*(?P<apart>[-−–])[ \t]$",
    re.IGNORECASE,
)
_FORM_BEFORE = re.compile(rf"(?P<first>{_BOX})\s*Yes\s*{_BOX}\s*No\s*$", re.IGNORECASE)
_FORM_AFTER = re.compile(
    rf"[\s:?]*(?:Yes\s*(?P<after>{_BOX})\s*No\s*{_BOX}|(?P<before>{_BOX})\s*Yes\s*{_BOX}\s*No\b)", re.IGNORECASE
)
# Columns of a table: "Symptom | Yes | No", and a row's cells after its name.
_COLUMNS = re.compile(
    r"\|[ \t]*(?P<first>y|yes|present|n|no|absent)[ \t]*\|[ \t]*(?:y|yes|present|n|no|absent)\b", re.IGNORECASE
)
_CELLS = re.compile(r"[ \t]*\|(?P<first>[^|\n]{0,8})\|(?P<second>[^|\n]{0,8})(?:\||\n|$)")
# What stands right after it: in brackets; after a colon, a question mark, a tab, a bar or dots; a sign or "pos", "neg".
_AFTER = re.compile(
    rf"[ \t]*\((?:(?P<yes>{_YES})|(?P<no>{_NO}))(?:\)|[,; ][^)]{{0,40}}\))|"
    r"[ \t]*,(?:(?P<yes5>TRUE)|(?P<no5>FALSE))\b|"
    r"(?P<no6>[-−–])(?=[,;/]|[ \t]*$|\.(?:\s|$))|(?P<yes6>\+{1,3})(?=[\s,;/.]|$)|"
    rf"(?:[ \t]*\(?(?:Y/N|Yes/No)\)?)?"
    rf"(?:[ \t]*[:=?|][ \t]*|\t[ \t]*|[ \t]*\.{{2,}}[ \t]*|[ ]{{2,}})(?:(?P<yes2>{_YES})|(?P<no2>{_NO}))"
    rf"(?=\s*(?:[,;.|)\n]|$)|(?-i:\s+[A-Z\d(])|\s{{2,}})|"
    rf"[ \t]+(?:(?P<yes3>{_PLUS}|pos|✓|✔)|(?P<no3>[-−–]ve|neg|nil|✗|✘))(?=[\s,;.)/]|$)|"
    r"[ \t]+(?P<no4>[-−–])(?=[ \t]*(?:[,;.)/\n]|$))",
    re.IGNORECASE,
)
_SAID_AFTER = re.compile(r"[ \t]+(?:(?P<yes>yes)|(?P<no>no))(?=[ \t]*(?:[,;.\n]|$))", re.IGNORECASE)
_ANSWERED_YES = re.compile(r"\w yes\b", re.IGNORECASE)
_OPEN = re.compile(
    r"[ \t]*(?:\(?(?:±|\+/-)\)?(?=[\s,;.)]|$)|"
    r"[:=|][ \t]*(?:\?|unknown|unsure|unclear|not known)(?=[ \t]*(?:[,;.|)\n]|$)))",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"(?:^|[\s,;:(])[+\-−–][^\W\d_]")


def marked(text: str, start: int, end: int) -> Literal["present", "absent", "uncertain"] | None:
    """What a sign, a box or a form's answer says of the mention ``text[start:end]``; None where there is none.

    A dash that starts a line is a bullet, unless the line has other signed items. An empty box says absent.
    """
    line_start = text.rfind("\n", 0, start) + 1
    before, after = text[max(line_start, start - _NEAR) : start], text[end : end + _NEAR]
    if form := _FORM_BEFORE.search(before):
        return _of(not _TICKED.isdisjoint(form["first"]))
    if form := _FORM_AFTER.match(after):
        return _of(not _TICKED.isdisjoint(form["after"] or form["before"]))
    if (cells := _CELLS.match(after)) and (columns := _COLUMNS.search(text, 0, start)):
        first, second = (not _TICKED.isdisjoint(cells[name]) for name in ("first", "second"))
        if first != second:
            return _of(first == (columns["first"][0] in "yYpP"))
    line = text[line_start : (text.find("\n", end) + 1 or len(text) + 1) - 1]
    if (box := _BOX_AFTER.match(after)) and not _BOX_FIRST.match(line):
        return _of(not _TICKED.isdisjoint(box["box"]))
    if sign := _BEFORE.search(before):
        if sign["box"]:
            return _of(not _TICKED.isdisjoint(sign["box"]))
        if sign["apart"]:
            return "absent"
        if not sign["attached"]:
            return _of(bool(sign["plus"] or sign["plus2"]))
        if before.strip() != sign["attached"] or len(_SIGNED.findall(line)) > 1:
            return "absent"
    if _OPEN.match(after):
        return "uncertain"
    if said := _AFTER.match(after):
        return _of(bool(said["yes"] or said["yes2"] or said["yes3"] or said["yes5"] or said["yes6"]))
    if (said := _SAID_AFTER.match(after)) and _ANSWERED_YES.search(text):
        return _of(bool(said["yes"]))
    return None


def _of(there: bool) -> Literal["present", "absent"]:
    return "present" if there else "absent"
