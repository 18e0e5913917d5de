"""Text that a report holds, without what would steer a terminal or turn a line around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t"), ord("\r")}
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_REPLACED = dict.fromkeys(_CONTROLS | _DIRECTIONS, "\N{REPLACEMENT CHARACTER}")


def without_controls(value: _Value) -> _Value:
    """``value`` (a report or any part of one) with each control character and mark of direction in its texts replaced
    by U+FFFD; line ends and tabs stay. Something without any comes back as the same object."""
    return _cleaned(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        text = value if value.isprintable() else value.translate(_REPLACED)
        return value if text == value else text
    if isinstance(value, tuple):
        items = tuple(map(_cleaned, value))
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, Mapping):
        cleaned = {_cleaned(key): _cleaned(part) for key, part in value.items()}
        return value if cleaned == value else cleaned  # holds texts and numbers; concepts are equal by CURIE alone
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: new for name, old in parts.items() if (new := _cleaned(old)) is not old}
        return replace(value, **changed) if changed else value
    return value
