"""Signs, boxes and forms: "-fever, +cough", "fever (-)", "Fever: N", "[x] cough", "| Dyspnea | No |"."""

from __future__ import annotations

import re
from typing import Literal

_PLUS, _MINUS = r"\+{1,4}(?:ve)?", r"[-−–](?:ve)?"
_YES = rf"{_PLUS}|y|yes|pos|positive|present|true|✓|✔|[xX](?=\s*(?:[|\n]|$))"
_NO = rf"{_MINUS}|n|no|neg|negative|nil|none|absent|denied|denies|false|0(?![.\d])"
_NEAR = 32
_BOX, _TICKED = r"(?:\[[ xX✓✔]?\]|☐|☑|☒|✓|✔)", frozenset("xX✓✔☑☒")
# What stands right before a mention.
_BEFORE = re.compile(
    rf"(?P<box>{_BOX})[ \t]*$|"
    rf"(?:^|[\s,;:/(])(?:\((?:(?P<plus>{_PLUS})|(?P<minus>{_MINUS}))\)|(?P<plus2>{_PLUS})|(?P<minus2>[-−–]ve))[ \t]*$|"
    r"(?:^|[\s,;:/(])(?P<attached>[-−–])$",
    re.IGNORECASE,
)
_FORM_BEFORE = re.compile(rf"(?P<first>{_BOX})\s*Yes\s*{_BOX}\s*No\s*$", re.IGNORECASE)
_FORM_AFTER = re.compile(rf"[\s:?]*Yes\s*(?P<first>{_BOX})\s*No\s*{_BOX}", re.IGNORECASE)
# What stands right after it: in brackets; after a colon, a question mark, a tab, a bar or dots; a sign or "pos", "neg".
_AFTER = re.compile(
    rf"[ \t]*\((?:(?P<yes>{_YES})|(?P<no>{_NO}))\)|"
    rf"(?:[ \t]*[:=?|][ \t]*|\t[ \t]*|[ \t]*\.{{2,}}[ \t]*|[ ]{{2,}})(?:(?P<yes2>{_YES})|(?P<no2>{_NO}))"
    rf"(?=\s*(?:[,;.|)\n]|$)|\s+[A-Z\d(]|\s{{2,}})|"
    rf"[ \t]+(?:(?P<yes3>{_PLUS}|pos)|(?P<no3>[-−–]ve|neg))(?=[\s,;.)]|$)|"
    r"[ \t]+(?P<no4>[-−–])(?=[ \t]*(?:[,;.)\n]|$))",
    re.IGNORECASE,
)
_SAID_AFTER = re.compile(r"[ \t]+(?:(?P<yes>yes)|(?P<no>no))(?=[ \t]*(?:[,;.\n]|$))", re.IGNORECASE)
_ANSWERED_YES = re.compile(r"\w yes\b", re.IGNORECASE)
_SIGNED = re.compile(r"(?:^|[\s,;:(])[+\-−–][^\W\d_]")


def marked(text: str, start: int, end: int) -> Literal["present", "absent"] | None:
    """What a sign, a box or a form's answer says of the mention ``text[start:end]``; None where there is none.

    A dash that starts a line is a bullet, unless the line has other signed items. An empty box says absent.
    """
    line_start = text.rfind("\n", 0, start) + 1
    before, after = text[max(line_start, start - _NEAR) : start], text[end : end + _NEAR]
    if form := _FORM_BEFORE.search(before) or _FORM_AFTER.match(after):
        return _of(not _TICKED.isdisjoint(form["first"]))
    if sign := _BEFORE.search(before):
        if sign["box"]:
            return _of(not _TICKED.isdisjoint(sign["box"]))
        if not sign["attached"]:
            return _of(bool(sign["plus"] or sign["plus2"]))
        line = text[line_start : (text.find("\n", end) + 1 or len(text) + 1) - 1]
        if before.strip() != sign["attached"] or len(_SIGNED.findall(line)) > 1:
            return "absent"
    if said := _AFTER.match(after):
        return _of(bool(said["yes"] or said["yes2"] or said["yes3"]))
    if (said := _SAID_AFTER.match(after)) and _ANSWERED_YES.search(text):
        return _of(bool(said["yes"]))
    return None


def _of(there: bool) -> Literal["present", "absent"]:
    return "present" if there else "absent"
