"""Alternatives inside a step of the layer: "{nintedanib|pirfenidone}" reads "nintedanib or pirfenidone".

One alternative may be left out and the others kept. A comma at the end of an alternative stands before the "or".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_GROUP = re.compile(r"\{([^{}]+)\}")


def plain(written: str) -> str:
    """The step as it is read: every alternative in words."""
    return _GROUP.sub(lambda group: _in_words(group[1].split("|")), written)


def frame(part: str) -> str:
    """What all alternatives of a part have in common."""
    return _GROUP.sub(" ", part)


def alternatives(part: str) -> list[list[str]]:
    """Each group of a part, in order; empty where there is nothing to choose."""
    return [[option.rstrip(",") for option in group[1].split("|")] for group in _GROUP.finditer(part)]


def without(part: str, out: Sequence[str]) -> str:
    """A part, as it is read, without the alternatives ``out``; its first letter is a capital if it was one. At least
    one of each group must be left."""
    kept = _GROUP.sub(lambda group: _in_words([o for o in group[1].split("|") if o.rstrip(",") not in out]), part)
    return kept[0].upper() + kept[1:] if plain(part)[0].isupper() else kept


def _in_words(options: Sequence[str]) -> str:
    if len(options) < 3:
        return " or ".join(options) if len(options) > 1 else options[0].rstrip(",")
    return f"{', '.join(option.rstrip(',') for option in options[:-1])} or {options[-1]}"
