"""Text that a report holds, without what would steer a terminal or turn a line around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t"), ord("\r")}
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_REPLACED = dict.fromkeys(_CONTROLS | _DIRECTIONS, "\N{REPLACEMENT CHARACTER}")
_ON_ONE_LINE = _REPLACED | dict.fromkeys(map(ord, "\n\t\r\u2028\u2029"), " ")


def without_controls(value: _Value, *, on_one_line: bool = False) -> _Value:
    """``value`` (a report or any part of one, or a list of them) with each control character and mark of direction in
    its texts replaced by U+FFFD; line ends and tabs stay, or are blanks when each text is to be ``on_one_line``: so
    none can fake a line of its own. Something without any comes back as the same object."""
    return _cleaned(value, _ON_ONE_LINE if on_one_line else _REPLACED)


def _cleaned(value: Any, table: Mapping[int, str]) -> Any:
    if isinstance(value, str):
        text = value if value.isprintable() else value.translate(table)
        return value if text == value else text
    if isinstance(value, tuple | list):
        items = [_cleaned(item, table) for item in value]
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, Mapping):
        pairs = [(key, part, _cleaned(key, table), _cleaned(part, table)) for key, part in value.items()]
        same = all(key is new and part is made for key, part, new, made in pairs)
        return value if same else {new: made for _, _, new, made in pairs}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: new for name, old in parts.items() if (new := _cleaned(old, table)) is not old}
        if not changed:
            return value
        made = replace(value, **changed)
        for name, kept in getattr(value, "__dict__", {}).items():  # what a Report holds beside its fields
            if name not in parts:
                object.__setattr__(made, name, kept)
        return made
    return value
