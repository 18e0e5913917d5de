"""Words as the linker compares them: spelling, number, inflection and word families folded together.

Two forms of a word are kept apart. ``light`` folds case, accents, Greek letters, Roman numerals, US/UK spelling and
plurals: what it equates means the same. ``family`` also folds inflections and the adjective and noun of one medical
stem ("hypoplastic", "hypoplasia"): good enough inside a name of several words, too coarse for a name of one word.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import Stemmer

VERSION = 3

_DATA = Path(__file__).parent / "data"


def _tables(path: Path) -> dict[str, dict[str, str]]:
    """Table → word → what it becomes."""
    tables: dict[str, dict[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            table, word, form = line.split("\t")
            tables.setdefault(table, {})[word] = form
    return tables


WORD_TABLES = _tables(_DATA / "word_forms.tsv")
# HPO identifier → wordings that its sources lack.
USUAL_NAMES: dict[str, list[str]] = {
    code.removeprefix("HP:"): wordings.split("|")
    for code, _, wordings in (
        line.split("\t")
        for line in (_DATA / "usual_names.tsv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
}
_GREEK, _IRREGULAR, _SAME = WORD_TABLES["greek"], WORD_TABLES["irregular"], WORD_TABLES["same"]
_NUMERALS = WORD_TABLES["roman"] | WORD_TABLES["number"]
_UNCHANGED = WORD_TABLES["unchanged"]
_PREFIXES = frozenset(WORD_TABLES["prefix"])
STOP_WORDS = frozenset(WORD_TABLES["stop"])  # dropped from names and texts
COORDINATORS = frozenset(["and", "or", "nor", "versus", "vs"])

_SPELLING = (
    (re.compile(r"(?<=\w)ae(?=\w)|^ae(?=[stg])"), "e"),
    (re.compile(r"oe(?=[a-z]{2})"), "e"),
    (re.compile(r"oea$"), "ea"),
    (re.compile(r"(tum|col|behavi|lab|od|vap|hum|rum|fav|neighb|rig)our"), r"\1or"),
    (re.compile(r"isation"), "ization"),
    (re.compile(r"(?<=[a-z]{3})is(e|ed|es|ing)$"), r"iz\1"),
    (re.compile(r"lys(e|ed|es|ing)$"), r"lyz\1"),
    (re.compile(r"(cent|fib|lit|met|goit|calib|titi|spect)re(s?)$"), r"\1er\2"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"(?<=[aeiou])ll(?=(ed|ing)$)"), "l"),
    (re.compile(r"grey"), "gray"),
    (re.compile(r"mould"), "mold"),
    (re.compile(r"plough"), "plow"),
    (re.compile(r"ageing"), "aging"),
)
# One look that spares most words the rules above.
_SPELLED = re.compile(
    r"ae|oe|our|is(?:ation|e[ds]?$|ing$)|lys(?:e[ds]?|ing)$|res?$|sulph|ll(?:ed|ing)$|grey|mould|plough|ageing"
)
# Adjective or variant ending → the noun it belongs to; the longest ending wins. Greek and Latin medical suffixes.
_FAMILY = tuple(
    (re.compile(pattern), noun)
    for pattern, noun in (
        (r"itis$", "itis"),
        (r"apne(ic|as?)$", "apnea"),
        (r"plas(tic|ias?)$", "plasia"),
        (r"troph(ic|ied|ies|y)$", "trophy"),
        (r"ceph(alic|alous|aly|alia)$", "cephaly"),
        (r"dactyl(ous|ic|ies|y|ia)$", "dactyly"),
        (r"emi(c|as?)$", "emia"),
        (r"uri(c|as?)$", "uria"),
        (r"pen(ic|ias?)$", "penia"),
        (r"reflex(ic|ias?)$", "reflexia"),
        (r"orchid(ism)?$", "orchidism"),
        (r"(?<=hypo)gonad(al|ism)$", "gonadism"),
        (r"(?<=^my)op(ic|ias?)$", "opia"),
        (r"ton(ic|ias?|icity|us)$", "tonia"),
        (r"pleg(ic|ias?)$", "plegia"),
        (r"par(etic|esis|eses)$", "paresis"),
        (r"alg(ic|ias?)$", "algia"),
        (r"path(ic|ies|y)$", "pathy"),
        (r"kine(tic|sias?|sis)$", "kinesia"),
        (r"tel(oric|orism)$", "telorism"),
        (r"(gnath)(ic|ias?|ism|ous)$", r"\1"),
        (r"scolio(tic|sis)$", "scoliosis"),
        (r"epilep(tic|sy|sies|tiform|togenic)$", "epilepsy"),
        (r"stenot?(ic|is|es|sis|ses|sed)$", "stenosis"),
        (
            r"(fibro|necro|sclero|cyano|thrombo|psycho|neuro|kypho|acido|alkalo|sclero|stea|narco|ichthyo|osteoporo)(tic|sis|ses|sed)$",
            r"\1sis",
        ),
        (r"ata(xic|xias?)$", "ataxia"),
        (r"dystoni(c|as?)$", "dystonia"),
        (r"spas(tic|ticity|ms?|tics)$", "spastic"),
        (r"rigid(ity)?$", "rigid"),
        (r"hypoton(ic|ia|icity)$", "hypotonia"),
        (r"ectop(ic|ias?)$", "ectopia"),
        (r"dilat(ed|ation|ations|ion|ions|e)$", "dilat"),
        (r"(retard)(ed|ation|ations)$", r"\1"),
        (r"deform(ed|ity|ities|ation|ations)$", "deform"),
        (r"malform(ed|ation|ations)$", "malform"),
        (r"mutil(ation|ating|ated)$", "mutil"),
        (r"abnormal(ity|ities|ly)?$", "abnormal"),
        (r"anomal(y|ies|ous)$", "anomal"),
        (r"defici(t|ts|ent|ency|encies)$", "defici"),
        (r"dysmorph(ic|ism|isms|ia|ias|y|ology)$", "dysmorph"),
        (r"asymmetr(y|ic|ical|ically|ies)$", "asymmetr"),
        (r"(?<!a)symmetr(y|ic|ical|ically)$", "symmetr"),
        (r"delay(s|ed|ing)?$", "delay"),
        (r"absen(t|ce|ces)$", "absent"),
        (r"enlarg(ed|ement|ements|ing|e)$", "enlarg"),
        (r"short(ening|ened|ness|s)?$", "short"),
        (r"broad(ening|ened|ness)?$", "broad"),
        (r"narrow(ing|ed|ness)?$", "narrow"),
        (r"thick(ening|ened|ness)?$", "thick"),
        (r"thin(ning|ned|ness)?$", "thin"),
        (r"wid(e|ened|ening|ely|th)$", "wide"),
        (r"taper(ing|ed|s)?$", "taper"),
        (r"weak(ness|nesses|ened)?$", "weak"),
        (r"high(ly)?$", "high"),
        (r"prominen(t|ce|ces|tly)$", "prominent"),
        (r"depress(ed)$", "depressed"),
        (r"fus(ed|ion|ions)$", "fusion"),
        (r"hypopigment(ed|ation)$", "hypopigment"),
        (r"hyperpigment(ed|ation)$", "hyperpigment"),
        (r"pigment(ed|ation|ary|ations)$", "pigment"),
        (r"calcif(ied|ication|ications|ic)$", "calcif"),
        (r"ossif(ied|ication|ications)$", "ossif"),
        (r"vertebra(l|s)?$", "vertebra"),
        (r"(?<=\w\w)i(ble|bular)$", "ibul"),
        (r"(?<=\w)ic(le|ular)$", "icul"),
        (r"mus(cle|cular)$", "muscul"),
        (r"(?<=\w\w)ell(a|ar|um|ous)$", "ell"),
        (r"(?<=\w\w)ill(a|ary)$", "ill"),
        (r"(?<=\w{4})(us|um|a|al|ar|eal|ic)$", ""),
        (r"unstead(y|iness)$", "unsteady"),
        (r"dent(al|ition)$", "dental"),
    )
)
# How a word ends, or starts, that some rule of _FAMILY may match: a look that spares most words the rules.
_INFLECTED = ("a", "al", "ar", "e", "ed", "en", "ic", "id", "ing", "ion", "m", "s", "t", "y")
_UNINFLECTED = ("short", "broad", "narrow", "thick", "thin", "weak", "absent", "retard")


def _last_letters(ending: str) -> set[str]:
    """The letters that a word may end in to match the regular expression ``ending``, whose last part is letters or
    one group of alternatives of letters: r"ata(xic|xias?)$" → c, a, s."""
    body = ending.removesuffix("$")
    if not body.endswith((")", ")?")):
        return {body[-1]}
    before, _, group = body.rstrip("?").removesuffix(")").rpartition("(")
    letters = {before[-1]} if body.endswith("?") else set()
    for one in group.split("|"):
        letters |= set(one[-3:-1]) if one.endswith("?") else {one[-1]} if one else {before[-1]}
    return letters


def _by_last_letter() -> dict[str, tuple[re.Pattern[str], list[tuple[re.Pattern[str], str]]]]:
    """Last letter → a look that spares most words the rules, and the rules, in their order."""
    rules: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for pattern, noun in _FAMILY:
        for letter in _last_letters(pattern.pattern):
            rules.setdefault(letter, []).append((pattern, noun))
    return {
        letter: (re.compile("|".join(re.sub(r"[(](?![?])", "(?:", pattern.pattern) for pattern, _ in some)), some)
        for letter, some in rules.items()
    }


_FAMILY_RULES = _by_last_letter()
_STEMMER = Stemmer.Stemmer("english", 0)


# A soft hyphen, where a line may be or was broken, and joiners of no width are no part of a word and do not end it.
_SOFT = re.compile(r"\u00ad\s*|[\u200d\u2060\ufeff]")


def _fold(word: str) -> str:
    """Lower case, without accents and soft hyphens, Greek letters spelt out; the plural of an acronym ("UTIs") loses
    its s."""
    word = _SOFT.sub("", word)
    if word[-1:] == "s" and len(word) > 2 and word[:-1].isupper():
        word = word[:-1]
    word = word.lower()
    if word.isascii():
        return word
    word = "".join(_GREEK.get(c, c) for c in word)
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(_GREEK.get(c, c) for c in decomposed if not unicodedata.combining(c)).lower() or word


# Plurals of "-ose", and verbs: "overdoses", "glucoses", "exposes".
_NO_OSIS = re.compile(r"(?:(?:over|under|micro|mega)d|p|cl|o|gluc|lact|sucr|fruct|galact|cellul|malt|primr)oses$")


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.endswith(("s", "omata", "ae", "mata")) or word in _UNCHANGED:
        return word
    if word.endswith("mata"):
        return word[:-2]
    if word.endswith("thoraces"):  # "pneumothoraces"
        return word[:-4] + "ax"
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("itides"):
        return word[:-4] + "is"
    if word.endswith("oses") and len(word) > 6 and not _NO_OSIS.search(word):
        return word[:-2] + "is"
    if re.search(r"([aeiou](ly|no|xo|ro|po|to|si)|thro|tha|ta|na|ra|ty|hy|ny|ry)ses$", word) and not word.endswith(
        ("bases", "phases")
    ):
        return word[:-2] + "is"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is", "ous")):
        return word
    return word[:-1]


@lru_cache(maxsize=1 << 16)
def light(word: str) -> str:
    """The word in lower case and singular, in US spelling, numerals as digits. Same input, same output; never empty
    for a word with at least one letter or digit."""
    word = _fold(word).replace("-", "")
    if word in _NUMERALS:
        return _NUMERALS[word]
    if word.isdigit() or len(word) < 3:
        return word
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    if word.endswith("ae") and len(word) > 5:
        return _spelling(word[:-1])
    return _singular(_spelling(word))


def _spelling(word: str) -> str:
    if not _SPELLED.search(word):
        return word
    for pattern, replacement in _SPELLING:
        if replacement.startswith("iz") and word.rstrip("ds") in WORD_TABLES["ise"]:
            continue
        word = pattern.sub(replacement, word)
    return word


@lru_cache(maxsize=1 << 16)
def family(word: str) -> str:
    """The representative of the word's family: ``family("hypoplastic") == family("hypoplasia")``."""
    word = light(word)
    word = _SAME.get(word, word)
    if len(word) < 4 or word[0].isdigit():
        return word
    if word[-1] in _FAMILY_RULES and (word.endswith(_INFLECTED) or word.startswith(_UNINFLECTED)):
        some, rules = _FAMILY_RULES[word[-1]]
        for pattern, noun in rules if some.search(word) else ():
            replaced, count = pattern.subn(noun, word)
            if count:
                return replaced
    return _STEMMER.stemWord(word)


_WORD = r"[^\W_]+"
_PIECES = re.compile(rf"{_WORD}(?:(?:\u00ad\s*|[\u200d\u2060\ufeff])+{_WORD})*|[\W_]+")
_TYPED = re.compile(r"\b[Tt]ype [A-Z]-\d{1,2}\b")
_PREFIX_ENDS = tuple(sorted(_PREFIXES))
_LONGEST_PREFIX = max(map(len, _PREFIXES))


def split(text: str) -> list[str]:
    """``text`` cut into words and what stands between them; joined they are the text again. A prefix stays with its
    word ("pre-auricular"), the number of a type with its letter ("type A-1")."""
    pieces = _PIECES.findall(text)
    if _has_prefix(text):
        for i in [i for i, piece in enumerate(pieces) if piece == "-"][::-1]:
            if 0 < i < len(pieces) - 1 and pieces[i - 1].lower() in _PREFIXES and pieces[i + 1][0].isalpha():
                pieces[i - 1 : i + 2] = ["".join(pieces[i - 1 : i + 2])]
    if "ype " in text and _TYPED.search(text):
        for i in [i for i, piece in enumerate(pieces) if piece == "-"][::-1]:
            if i > 2 and _TYPED.fullmatch("".join(pieces[i - 3 : i + 2])):
                pieces[i - 1 : i + 2] = ["".join(pieces[i - 1 : i + 2])]
    return pieces


def is_letter(pieces: Sequence[str], i: int) -> bool:
    """Whether piece ``i`` is the letter of a kind and no article: "brachydactyly type A", "vitamin A deficiency"; a
    text in capitals cannot say which."""
    return pieces[i] == "A" and i > 1 and pieces[i - 1] in " -" and any(c.islower() for c in pieces[i - 2])


def _has_prefix(text: str) -> bool:
    """Whether a hyphen follows what may be a prefix: a look that spares most texts a second pass over their pieces."""
    at = text.find("-")
    while at >= 0:
        if text[max(at - _LONGEST_PREFIX, 0) : at].lower().endswith(_PREFIX_ENDS):
            return True
        at = text.find("-", at + 1)
    return False


_STATES = re.compile(
    r"(plasia|apnea|trophy|cephaly|dactyly|emia|uria|penia|reflexia|orchidism|gonadism|gnath|myopia|tonia|plegia|paresis|algia|epilepsy|stenosis|ataxia|dystonia|sis|pathy|kinesia)$"
)


@lru_cache(maxsize=1 << 14)
def derived(word: str) -> bool:
    """Whether the word is the adjective of a state ("microcephalic", "dystonic"), so that it names the state alone
    too."""
    return len(word) > 5 and bool(_STATES.search(family(word))) and light(word) != family(word)


def fingerprint() -> str:
    """A hash of the tables and rules above; a dictionary compiled under another one is stale."""
    tables = (
        VERSION,
        sorted(COORDINATORS),
        sorted(_PREFIXES),
        [p.pattern for p, _ in _FAMILY + _SPELLING],
        WORD_TABLES,
        USUAL_NAMES,
    )
    return hashlib.sha256(repr(tables).encode()).hexdigest()[:16]
