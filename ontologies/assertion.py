"""Whether a mention is said to be present, absent or uncertain, and on which side.

The rules follow NegEx (Chapman et al., J Biomed Inform 2001;34:301-10, doi:10.1006/jbin.2001.1029) and ConText (Harkema et
al., J Biomed Inform 2009;42:839-51, doi:10.1016/j.jbi.2009.05.002): trigger phrases act on the mentions after or before
them, within a sentence, up to a terminator; phrases that only look like triggers ("no change in") do nothing. The phrases
themselves, and the treatment of lists and of section headings, are written for radiology reports and short notes.

A mention about the past ("history of"), the family, or an earlier examination is "not assessed": it says nothing about
the patient now. "No family history of" is not assessed too; "no history of" is absent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ontologies.concept import Presence

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\w\s]")

_ABSENT_BEFORE = """
no|not|without|w / o|w / out|nor|neither|never|none of|denies|denied|deny|denying|negative for|neg for|no evidence of|no sign of
no signs of|no evidence for|no evidence to suggest|nothing to suggest|no history of|no prior history of|no known history of
denies history of|denies any history of|free of|free from|clear of|absence of|absent|lack of|lacks|lacking|ruled out for|rules out
excludes|excluded|excluding|ruled out|never had|has never had|have never had|resolution of|interval resolution of|complete resolution of|clearing of|complete clearing of|resolved
fails to show|fails to reveal|fails to demonstrate|failed to show|failed to reveal|failed to demonstrate|no longer|no more
removal of|interval removal of|rather than|instead of|as opposed to|no suspicious|nil|zero|unremarkable for|exclusion of
inconsistent with|not consistent with|not compatible with|not suggestive of
""".split("\n")
_ABSENT_AFTER = """
not seen|not present|not identified|not evident|not visualized|not visualised|not visible|not demonstrated|not appreciated
not detected|not noted|not observed|not found|not apparent|not shown|not there|not clearly seen|not definitely seen
not definitely identified|not clearly identified|not confirmed|ruled out|is excluded|are excluded|has been excluded
have been excluded|was excluded|were excluded|resolved|has cleared|have cleared|cleared|has disappeared|have disappeared
is absent|are absent|was absent|were absent|absent|is negative|are negative|negative|denied|is normal|are normal|was normal
were normal|within normal limits|is unremarkable|are unremarkable|unremarkable|no longer seen|no longer present
no longer visible|no longer identified|no longer evident|no longer visualized|no longer appreciated|no longer demonstrated
has been ruled out|have been ruled out|was ruled out|were ruled out|none|nil|no|is clear|are clear|has gone|have gone|is gone|are gone
""".split("\n")
_UNCERTAIN_BEFORE = """
possible|possibly|probable|probably|likely|most likely|suspected|suspicious for|suspicious of|suspicion of|suspicion for|suspect
concerning for|concern for|concern of|concerns for|worrisome for|question of|questionable|question|questioned|query|may represent
may reflect|may be|may indicate|may suggest|may have|may relate to|may be related to|might be|might represent|might reflect
could represent|could be|could reflect|could indicate|could have|could relate to|would represent|suggestive of|suggesting
suggests|suggest|suggestion of|suggestions of|suggested|cannot exclude|can not exclude|cannot rule out|can not rule out
cannot completely exclude|cannot entirely exclude|could not exclude|not exclude|not entirely exclude|does not exclude
do not exclude|not rule out|does not rule out|unable to exclude|unable to rule out|difficult to exclude|hard to exclude
rule out|r / o|to rule out|to exclude|evaluate for|evaluation for|evaluation of|assess for|assessment for|eval for|eval
check for|look for|screening for|screen for|workup for|work up for|versus|vs|differential includes|differential diagnosis
differential considerations include|differential|ddx|presumed|presumably|perhaps|raises the possibility of|raise the possibility of
raising the possibility of|possibility of|equivocal|equivocal for|indeterminate for|borderline|if|risk of|risk for|at risk for
in case of|unclear if|unclear whether|uncertain if|uncertain whether|not certain if|not certain whether|not sure if|not clear if
not clear whether|whether|potential|potentially|thought to be|thought to represent|felt to represent|felt to be|appears to represent
conceivably|conceivable|cannot be sure of|warrants exclusion of|should exclude|to confirm|to assess for|to evaluate for|unlikely
unlikely to be|unlikely to represent|less likely|least likely|favor|favors|favored to represent|favour|favoured to represent|favoring
likely due to|likely secondary to|consider|considered|considering|doubtful|low suspicion for|high suspicion for|suspicious|equivocally|hint of|not excluded
""".split("\n")
_UNCERTAIN_AFTER = """
cannot be excluded|can not be excluded|cannot be ruled out|can not be ruled out|could not be excluded|cannot be entirely excluded
cannot be completely excluded|not excluded|not entirely excluded|not completely excluded|not ruled out|difficult to exclude
hard to exclude|is possible|are possible|was possible|is a possibility|is suspected|are suspected|was suspected|suspected
is questioned|questioned|questionable|is questionable|are questionable|is considered|should be considered|may be considered
could be considered|to be considered|is in the differential|in the differential|is unlikely|are unlikely|seems unlikely|unlikely
less likely|is less likely|is thought less likely|is equivocal|are equivocal|is uncertain|is unclear|is doubtful|is not certain|may be present|might be present|could be present|may be seen|could have this appearance|is probable
is thought likely|is considered likely|is conceivable|possibly present|must be excluded|should be excluded|to be excluded|vs|versus
""".split("\n")
_ABSENT_AT_END = ["not"]
# These act on what stands before them only at the end of a clause: "pneumonia is likely." but "effusion is likely old".
_UNCERTAIN_AT_END = "likely|is likely|are likely|possible|probable|possibly|probably|is most likely|very likely|perhaps|is favored|is favoured".split(
    "\n"
)
_NOT_NOW_BEFORE = """
history of|h / o|hx of|hx|past history of|past medical history of|past medical history|pmh|pmhx|pmh of|known history of
personal history of|remote history of|history significant for|history notable for|status post|s / p|previous|previously had
prior|remote|in the past|years ago|previously|had been treated for|treated for|formerly|childhood history of
family history of|no family history of|family hx of|fh of|fhx of|family history|fh|fhx|family history positive for
family history significant for|family history notable for|family history is positive for|mother|father|brother|sister
brothers|sisters|sibling|siblings|parents|mother's|father's|uncle|aunt|cousin|cousins|grandmother|grandfather|grandparents
son|daughter|wife|husband|relative|relatives|prophylaxis for|vaccinated against|vaccination against|vaccine for
""".split("\n")
_NOT_NOW_AFTER = """
in the past|years ago|year ago|months ago|in childhood|as a child|in his mother|in her mother|in his father|in her father
in the mother|in the father|in his brother|in her brother|in his sister|in her sister|in the family|in a brother|in a sister
in a sibling|in siblings|in relatives|runs in the family|in his family|in her family|in a cousin|in an uncle|in an aunt
""".split("\n")
_NOTHING = """
no change in|no changes in|no change of|no interval change in|no significant change in|no significant interval change in
no substantial change in|no appreciable change in|no definite change in|no relevant change in|without change in
without significant change in|without interval change in|without significant interval change in|no increase in
no significant increase in|no interval increase in|no decrease in|no significant decrease in|no improvement in|no improvement of
no significant improvement in|no worsening of|no interval worsening of|no progression of|no resolution of|no clearing of
not resolved|not yet resolved|not cleared|incompletely resolved|not completely resolved|not changed|not significantly changed
not increased|not decreased|not improved|not worsened|no doubt|not only|gram negative|not significantly different|no different
no less|no longer clear|incomplete resolution of|incomplete clearing of|partial resolution of|partially resolved
previously seen|previously noted|previously described|previously identified|previously demonstrated|previously visualized
previously reported|as previously|prior study|prior studies|prior exam|prior examination|prior examinations|prior radiograph
prior radiographs|prior film|prior films|prior ct|prior x|prior chest|prior report|prior imaging|previous study|previous exam
previous examination|previous radiograph|previous radiographs|previous film|previous ct|previous chest|previous imaging
compared to prior|compared with prior|compared to previous|from prior|since prior|the prior|the previous|likely stable
likely unchanged|no further|if clinically|if there is clinical|if concern|no evidence of change in|with no change in
patient's mother reports|mother reports|mother states|mother noted|mother noticed|parents report|parents noted|wife reports
""".split("\n")
_TERMINATORS = """
but|however|although|though|except|except for|aside from|apart from|besides|other than|with the exception of|yet|nevertheless
whereas|while|otherwise|there is|there are|there was|there were|there has|there may|because|secondary to|due to|caused by|related to
which|who|presents with|presenting with|presented with|now|currently|today|as well as|still|only|remains|remain|shows|demonstrates
reveals|showed|revealed|demonstrated|complains of|reports|likely due to|consistent with|compatible with|in keeping with|superimposed
developed|develops|found to have|noted to have|admitted with|here for|here with|persistent|again seen|again noted|is again|are again
""".split("\n")
_BE = frozenset("is are was were has have had appears appear remains remain seems".split())  # noqa: SIM905
# A description that opens a new item: "no pneumothorax, small left effusion".
_NEW_ITEM = frozenset(
    """small large mild moderate severe tiny trace minimal massive left right bilateral stable unchanged new increased increasing
    decreased decreasing worsening improving persistent patchy diffuse chronic old healed borderline mildly moderately severely
    stably status there it he she they the a an low high possible probable likely interval slight slightly subtle extensive
    marked heart lungs cardiac positive has had with also endorses reports complains""".split()
)
_ASSESSED_AGAIN = re.compile(r"(?:^|\n)[ \t]*([A-Z][A-Za-z /&-]{2,40}):", re.MULTILINE)
_NOT_NOW_SECTION = re.compile(
    r"^(?:family (?:medical )?history|fh|fhx|past (?:medical |surgical )?history|pmhx?|psh|comparisons?|technique|"
    r"prior (?:studies|imaging|reports?))$",
    re.IGNORECASE,
)

Effect = Literal["absent", "uncertain", "not now", "nothing", "end"]


@dataclass(frozen=True, slots=True)
class _Trigger:
    effect: Effect
    before: bool = False  # acts on mentions after it
    after: bool = False  # acts on mentions before it
    at_end: bool = False  # … only at the end of a clause


def _compile() -> dict[str, dict[tuple[str, ...], list[_Trigger]]]:
    table: dict[str, dict[tuple[str, ...], list[_Trigger]]] = {}

    def add(lines: Sequence[str], trigger: _Trigger) -> None:
        for phrase in (p.strip() for line in lines for p in line.split("|")):
            if phrase:
                words = tuple(phrase.split())
                table.setdefault(words[0], {}).setdefault(words, []).append(trigger)

    add(_ABSENT_BEFORE, _Trigger("absent", before=True))
    add(_ABSENT_AFTER, _Trigger("absent", after=True))
    add(_UNCERTAIN_BEFORE, _Trigger("uncertain", before=True))
    add(_UNCERTAIN_AFTER, _Trigger("uncertain", after=True))
    add(_ABSENT_AT_END, _Trigger("absent", after=True, at_end=True))
    add(_UNCERTAIN_AT_END, _Trigger("uncertain", after=True, at_end=True))
    add(_NOT_NOW_BEFORE, _Trigger("not now", before=True))
    add(_NOT_NOW_AFTER, _Trigger("not now", after=True))
    add(_NOTHING, _Trigger("nothing"))
    add(_TERMINATORS, _Trigger("end"))
    return table


_TABLE = _compile()
_LONGEST = max(len(words) for phrases in _TABLE.values() for words in phrases)


@dataclass(frozen=True, slots=True)
class _Hit:
    first: int  # token
    last: int  # token after the phrase
    trigger: _Trigger


def presences(text: str, spans: Sequence[tuple[int, int]]) -> list[Presence]:
    """The presence of each mention ``text[start:end]``, in the order of ``spans``."""
    if not spans:
        return []
    result: list[Presence] = ["present"] * len(spans)
    sections = _sections(text)
    for first, last, question in _sentences(text):
        inside = [i for i, (start, _) in enumerate(spans) if first <= start < last]
        if not inside:
            continue
        tokens = [
            (m.start() + first, m.end() + first, m[0].lower().replace("’", "'"))
            for m in _TOKEN.finditer(text[first:last])
        ]
        hits = _hits([token for *_, token in tokens])
        for i in inside:
            start, end = spans[i]
            if any(a <= start < b for a, b in sections):
                result[i] = "not assessed"
                continue
            result[i] = _presence(tokens, hits, start, end, question)
    return result


def _sections(text: str) -> list[tuple[int, int]]:
    """The spans under headings whose content is not about the patient now."""
    if ":" not in text:
        return []
    headings = [(m.start(1), m[1].strip()) for m in _ASSESSED_AGAIN.finditer(text)]
    if not headings:
        return []
    ends = [start for start, _ in headings[1:]] + [len(text)]
    return [(start, end) for (start, name), end in zip(headings, ends, strict=True) if _NOT_NOW_SECTION.match(name)]


_STOP = re.compile(r"[.!?;\n]")
_NO_STOP = re.compile(r"(?:^|\W)(?:vs|dr|e\.g|i\.e|approx)$", re.IGNORECASE)
_NEW_LINE = re.compile(r"\n\s*(?:\n|[A-Z0-9•*-])")


def _sentences(text: str) -> list[tuple[int, int, bool]]:
    """(start, end, ends in a question mark) of each sentence. A line that starts with a capital starts a sentence."""
    found, start, length = [], 0, len(text)
    for match in _STOP.finditer(text):
        at, end = match.start(), match.end()
        mark = match[0]
        if mark == "\n":
            if not _NEW_LINE.match(text, at):
                continue
        elif mark != ";":
            if end < length and not text[end].isspace() or _NO_STOP.search(text, max(start, at - 8), at):
                continue
            if mark == "?" and not text[start:at].strip():
                continue
        found.append((start, end, mark == "?"))
        start = end
    if start < length:
        found.append((start, length, False))
    return found


def _hits(tokens: list[str]) -> list[_Hit]:
    """Trigger phrases, the longest at each place, left to right; a shorter one inside a longer one does not count."""
    found: list[_Hit] = []
    at = 0
    while at < len(tokens):
        phrases = _TABLE.get(tokens[at])
        length = 0
        if phrases:
            for size in range(min(_LONGEST, len(tokens) - at), 0, -1):
                triggers = phrases.get(tuple(tokens[at : at + size]))
                if triggers:
                    found.extend(_Hit(at, at + size, trigger) for trigger in triggers)
                    length = size
                    break
        at += max(length, 1)
    return found


def _presence(tokens: list[tuple[int, int, str]], hits: list[_Hit], start: int, end: int, question: bool) -> Presence:
    first = next((i for i, (a, b, _) in enumerate(tokens) if b > start), len(tokens))
    last = next((i for i, (a, _, _) in enumerate(tokens) if a >= end), len(tokens))
    words = [word for *_, word in tokens]
    acting: list[tuple[int, _Hit]] = []
    for hit in hits:
        if hit.trigger.before and hit.last <= first and _reaches(words, hits, hit, first):
            acting.append((first - hit.last, hit))
        elif hit.trigger.after and hit.first >= last and _reaches_back(words, hits, hit, last):
            acting.append((hit.first - last, hit))
    if (
        first
        and words[first - 1] == "?"
        or last < len(words)
        and words[last] == "?"
        or first < last
        and words[last - 1] == "?"
    ):
        return "uncertain"
    if (
        first
        and words[first - 1] == "normal"
        or (first > 1 and words[first - 2] == "normal" and words[first - 1] not in ",.;:and")
    ):
        return "absent"
    if any(hit.trigger.effect == "not now" and hit.trigger.before for _, hit in acting):
        nearest_now = [d for d, hit in acting if hit.trigger.effect == "absent" and hit.trigger.before]
        nearest_then = min(d for d, hit in acting if hit.trigger.effect == "not now" and hit.trigger.before)
        if not nearest_now or nearest_then <= min(nearest_now) or any(hit.trigger.after for _, hit in acting) is False:
            return "not assessed"
    if not acting:
        return "uncertain" if question else "present"
    acting.sort(key=lambda pair: (pair[0], pair[1].first))
    effect = acting[0][1].trigger.effect
    if effect == "not now":
        return "not assessed"
    if effect == "uncertain":
        nearest = acting[0][1]
        # "no findings to suggest": the suspicion itself is denied
        for _, hit in acting[1:]:
            if (
                hit.trigger.effect == "absent"
                and hit.trigger.before
                and nearest.trigger.before
                and hit.last <= nearest.first
            ):
                if not {",", "or", "and", ":"} & set(words[hit.last : nearest.first]):
                    return "absent"
        return "uncertain"
    return "absent"


def _reaches(words: list[str], hits: list[_Hit], hit: _Hit, mention: int) -> bool:
    """Whether a trigger acts on a mention that starts at token ``mention`` after it."""
    effect = hit.trigger.effect
    for other in hits:
        if hit.last <= other.first < mention and other.trigger.effect == "end":
            return False
    between = words[hit.last : mention]
    if words[hit.first : hit.last] == ["not"] and len(between) > 4:
        return False
    if (
        ":" in between[1:]
        or between[:1] == [":"]
        and effect != "uncertain"
        and words[hit.first] not in ("pmh", "pmhx", "past", "family", "fh")
        or "(" in between
        and ")" in between
        and effect != "absent"
    ):
        return False
    if any(word in _BE for word in (between if effect == "absent" else between[1:] if effect == "not now" else ())):
        return False
    if effect == "absent" and "with" in between and words[hit.first] not in ("without", "not"):
        return False
    listed = any(word in ("or", "nor") for word in words[hit.last :])
    for i, word in enumerate(between):
        following = words[hit.last + i + 1] if hit.last + i + 1 < len(words) else ""
        if word == "," and effect == "uncertain" and following not in ("or", "and", "versus", "vs"):
            return False
        if (
            word in (",", "and")
            and following in _NEW_ITEM
            and not (listed and word == "," and "or" in words[hit.last + i :])
        ):
            return False
        if word == "and" and effect == "uncertain":
            return False
        if word in (",", "and", "/") and effect != "absent" and following in _TABLE and effect != "not now":
            return False
    return True


def _reaches_back(words: list[str], hits: list[_Hit], hit: _Hit, mention_end: int) -> bool:
    """Whether a trigger acts on a mention that ends before token ``mention_end`` before it."""
    if hit.trigger.at_end and hit.last < len(words) and words[hit.last] not in (".", ",", ";", "?", "!", ")", "but"):
        return False
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in ("no", "none", "nil"):
        # as in a form: "Effusion: none."
        return words[mention_end : hit.first] in ([":"], ["-"], ["="]) and (
            hit.last == len(words) or not words[hit.last].isalnum()
        )
    for other in hits:
        if mention_end <= other.first < hit.first and other.trigger.effect == "end":
            return False
    between = words[mention_end : hit.first]
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in ("absent", "negative", "resolved", "cleared", "unremarkable",
                                                                      "suspected", "questioned", "questionable", "denied"):  # fmt: skip
        after = words[hit.last] if hit.last < len(words) else "."
        if after.isalnum() and after not in (
            "on",
            "in",
            "at",
            "by",
            "since",
            "and",
            "or",
            "as",
            "from",
            "with",
            "completely",
            "now",
            "after",
        ):
            return False
    verbs = [i for i, word in enumerate(between) if word in _BE]
    if len(verbs) > 1 or verbs and len(between) - verbs[0] > 3:
        return False
    if any(word in (";", ":", "(") for word in between):
        return False
    if "," in between and "or" not in between and "and" not in between and hit.trigger.effect != "absent":
        return between[-1] == "," and len(between) <= 4
    if verbs and "," in between[: verbs[0]] and not {"or", "and"} & set(between[: verbs[0]]):
        return False
    return len(between) <= 14


_SIDE = re.compile(r"\b(left|right|bilateral(?:ly)?|both|l|r)\b[- ]?(?:sided)?", re.IGNORECASE)
_BOTH = re.compile(
    r"\b(?:left and right|right and left|left or right|bilateral(?:ly)?|both|biapical|bibasilar|bibasal|biapically)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"^[\s,]*(?:(?:is|are|was|were)\s+)?(?:again\s+)?(?:seen|noted|present|identified)?[\s,]*"
    r"(?:in|on|of|at|within|along|over|involving|to)\s+(?:the\s+|his\s+|her\s+)?"
    r"(left and right|right and left|left|right|both|bilateral)\b|^[\s,]*(bilaterally)\b",
    re.IGNORECASE,
)


def laterality(text: str, start: int, end: int) -> Literal["left", "right", "bilateral"] | None:
    """The side said of the mention ``text[start:end]``: in the up to five words before it, or just after it; else None."""
    before = re.split(r"[.;:,()\n]|\b(?:but|with|no|without)\b", text[max(0, start - 60) : start])[-1]
    near = " ".join(before.split()[-5:])
    if _BOTH.search(near):
        return "bilateral"
    sides = [m[1].lower() for m in _SIDE.finditer(near) if len(m[1]) > 1]
    if sides and not re.search(r"\b(?:and|or)\b(?!.*\b(?:left|right)\b)", near, re.IGNORECASE):
        return "left" if sides[-1] == "left" else "right"
    after = _AFTER.match(text[end : end + 60])
    if after:
        side = (after[1] or "bilateral").lower()
        return "left" if side == "left" else "right" if side == "right" else "bilateral"
    return None
