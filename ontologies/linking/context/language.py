"""Which language a note is in: only English is read, and a note in another must be said to be so, not half-read.

Latin and Greek names ("Pneumothorax", "emphysema") are words of all these languages. What tells them apart are the
small words around them, above all those that deny; the table ``data/languages.tsv`` lists them.
"""

from __future__ import annotations

import re
from functools import lru_cache
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
# One with a capital that starts a sentence and before no other such word, as a name is: "Gasometría arterial".
_STARTS = re.compile(r"(?:^|[.;:\n]\s*)([A-ZÀ-ÖØ-Þ][^\W\d_]+)(?!\s*[A-Z-])(?![^\W\d_])")
_LOANS = frozenset(
    [
        *("café", "naïve", "naïveté", "façade", "déjà", "résumé", "über", "röntgen", "ménière", "sjögren", "löffler"),
        *("behçet", "löfgren", "barré", "schönlein", "hürthle", "chédiak", "sézary", "waldenström", "möbius", "müller"),
        *("köbner", "ångström", "béchet", "krönig", "kümmell", "märz", "strümpell", "grönblad", "hallé", "calmette"),
    ]
)


def _read(path: Path) -> dict[str, frozenset[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {language: frozenset(words.split()) for language, words in rows}


_TABLE = _read(Path(__file__).parents[1] / "data" / "languages.tsv")
_ENGLISH = _TABLE["en"]
_FOREIGN = {name: words - _ENGLISH for name, words in _TABLE.items() if name != "en" and "-" not in name}
_SHARED = _ENGLISH.intersection(
    *[frozenset[str]().union(*(w for n, w in _TABLE.items() if n != "en" and "-" not in n))]
)
_WITHIN = {name[:-3]: re.compile("|".join(map(re.escape, _TABLE[name]))) for name in _TABLE if name.endswith("-in")}
_ENDS = {name[:-4]: tuple(_TABLE[name]) for name in _TABLE if name.endswith("-end")}
_HINTS = {name[:-5]: tuple(_TABLE[name]) for name in _TABLE if name.endswith("-hint")}
_NAMES_OF = re.compile(  # "Mrs. Van der Berg"
    r"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof)\.? (?:(?i:van|von|de|der|den|la|da|di|dos|del|le|el|du) ){1,3}[A-Z]\w+"
)
_HEAVIEST = 1.5  # that a word weighs
_LONG, _ENDED = 9, 5  # letters that a word has at least whose part, or end, tells
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
    text = _NAMES_OF.sub(" ", text)
    words = [word.lower().replace("’", "'").rstrip(".") for word in _WORD.findall(text)]
    english = sum(_weight(word) / (2 if word in _SHARED else 1) for word in words if word in _ENGLISH)
    if english >= _HEAVIEST * sum(word not in _ENGLISH for word in words) and english:
        return None
    unknown = [word for word in words if word not in _ENGLISH and word not in _EVERY]
    found = {name: [word for word in words if word in known] for name, known in _FOREIGN.items()}
    weights = {
        name: sum(map(_weight, own)) + sum(_shape(name, word) for word in unknown) for name, own in found.items()
    }
    best = max(weights, key=lambda name: weights[name])
    if weights[best] < 1:
        starts = [word.lower() for word in _STARTS.findall(text) if not word.isascii()]
        accented = not english and not _LOANS.issuperset([*_ACCENTED.findall(text), *starts])
        return "und" if accented else None
    told = len(found[best]) + sum(_shape(best, word) > 0 for word in unknown)
    return best if 10 * told >= len(words) and weights[best] > english else None


@lru_cache(maxsize=100_000)
def _shape(name: str, word: str) -> float:
    """How much the shape of a word that no table has tells for a language: a part of a compound, an ending."""
    if len(word) >= _LONG and name in _WITHIN and _WITHIN[name].search(word):
        return 1.0
    if len(word) < _ENDED or name not in _ENDS:
        return 0.0
    return 1.0 if word.endswith(_ENDS[name]) else 0.5 if word.endswith(_HINTS[name]) else 0.0


def _weight(word: str) -> float:
    """How much a word tells: short ones are abbreviations of many things."""
    return 0.5 if len(word) < 3 else 1.0 if len(word) < 6 else _HEAVIEST
