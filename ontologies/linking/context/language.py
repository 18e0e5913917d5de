"""Which language a note is in: only English is read, and a note in another must be said to be so, not half-read.

Latin and Greek names ("Pneumothorax", "emphysema") are words of all these languages. What tells them apart are the
small words around them, above all those that deny; the table ``data/languages.tsv`` lists them.
"""

from __future__ import annotations

import re
from pathlib import Path

NAMES = {
    "de": "German",
    "fr": "French",
    "it": "Italian",
    "es": "Spanish",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "zh": "Chinese or Japanese",
    "und": "another language",
}
_WORD = re.compile(r"[^\W\d_]+(?:[-'’.][^\W\d_]+)*\.?")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_HAN_SHARE = 0.2
# A word in lower case with a letter that English has only in loans; names of persons and places are capitalised.
_ACCENTED = re.compile(r"(?<![\w-])[a-z]*[ß-öø-ÿāăąćčďđēęěğīłńňōőřśşšťūůűźżž][a-zß-öø-ÿąćčęěłńňřśşšťůźżž]*")
_LOANS = frozenset(["café", "naïve", "naïveté", "façade", "déjà", "résumé", "über", "röntgen", "ménière", "sjögren"])


def _read(path: Path) -> dict[str, frozenset[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {language: frozenset(words.split()) for language, words in rows}


_TABLE = _read(Path(__file__).parents[1] / "data" / "languages.tsv")
_ENGLISH = _TABLE["en"]
_FOREIGN = {language: words - _ENGLISH for language, words in _TABLE.items() if language != "en"}
_EVERY = frozenset[str]().union(*_FOREIGN.values())


def language(text: str) -> str | None:
    """The code of the language that ``text`` is in when that is one of NAMES; None for English, and where nothing
    tells; "und" where only its letters tell.

    The language whose words weigh most in the text, ties by the order of the table, if they weigh more than the
    English ones and are at least a tenth of all words.
    """
    letters = sum(c.isalpha() for c in text)
    if letters and len(_HAN.findall(text)) > _HAN_SHARE * letters:
        return "zh"
    words = [word.lower().replace("’", "'").rstrip(".") for word in _WORD.findall(text)]
    english = sum(_weight(word) for word in words if word in _ENGLISH)
    if _EVERY.isdisjoint(words):
        accented = not english and not _LOANS.issuperset(_ACCENTED.findall(text))
        return "und" if accented else None
    own = {name: [word for word in words if word in known] for name, known in _FOREIGN.items()}
    weights = {name: sum(map(_weight, found)) for name, found in own.items()}
    best = max(weights, key=lambda name: weights[name])
    enough = weights[best] >= 1 and 10 * len(own[best]) >= len(words)
    return best if enough and weights[best] > english else None


def _weight(word: str) -> float:
    """How much a word tells: short ones are abbreviations of many things."""
    return 0.5 if len(word) < 3 else 1.0 if len(word) < 6 else 1.5
