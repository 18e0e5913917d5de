"""How far a trigger phrase acts: on which of the mentions after or before it, up to what ends it."""

from __future__ import annotations

from itertools import pairwise

from ontologies.linking.context.triggers import NEW_ITEM, Hit, starts_phrase

FARTHEST = 60  # words between a trigger and a mention
ITEM_ENDS = frozenset([",", ";", "and", "but", "or"])
ABOUT_ANOTHER_TIME = frozenset(["history", "family", "not now"])  # effects that say nothing of the patient now
_ALONE = frozenset(
    ["absent", "negative", "resolved", "cleared", "unremarkable", "suspected", "questioned", "questionable", "denied"]
)
# What may stand after such a word where it still looks back: "resolved two weeks ago".
_GOES_ON = frozenset(
    [
        *("on", "in", "at", "by", "since", "and", "or", "as", "from", "with", "completely", "now", "after"),
        *("last", "yesterday", "today", "overnight", "spontaneously"),
    ]
)
# Phrases of doubt that a list follows: "differential includes atelectasis, aspiration and pneumonia".
_LISTING = frozenset(["differential", "ddx", "evaluate", "evaluation", "eval", "assess", "assessment", "rule"])
_ITEM_BOUNDS = ITEM_ENDS | {"with", "who", "presenting", "presented", "presents"}
_LOOK_BACK = frozenset(["denied", "absent", "excluded", "out", "resolved", "cleared", "negative", "neg", "nil", "gone"])
# What an item of a list of results ends with that is there: "Quantiferon positive, smear negative".
_FOUND = frozenset(["positive", "elevated", "raised", "high", "reactive", "detected", "present"])
# What is a finding when it is absent.
_MAY_LACK = frozenset(
    [
        "sounds",
        "sound",
        "entry",
        "reflex",
        "reflexes",
        "jerk",
        "jerks",
        "pulse",
        "pulses",
        "sensation",
        "movement",
        "movements",
    ]
)
_TREATMENT = frozenset(
    [
        *("treatment", "treatments", "therapy", "surgery", "operation", "antibiotic", "antibiotics", "medication"),
        *("medications", "medicine", "medicines", "drug", "drugs", "inhaler", "inhalers", "steroid", "steroids"),
        *("oxygen", "anticoagulation", "anticoagulants", "chemotherapy", "radiotherapy", "insulin", "tablets", "pills"),
        *("taking", "takes", "take", "receiving", "received", "receive", "given", "prescribed", "started", "treated"),
        *("admitted", "hospitalized", "hospitalised", "intervention", "resection", "biopsy", "workup", "transplant"),
        *("referred", "referral", "seen", "operated", "intubated", "candidate", "using", "uses", "use", "need"),
        *("needed", "drainage"),
    ]
)
_UNABLE = frozenset(["cannot", "can't", "unable", "couldn't", "hardly", "rarely", "seldom"])
_DETERMINERS = frozenset(["the", "his", "her", "their", "she", "he", "they", "it", "this", "these", "patient"])
_JOINING = frozenset(
    ["of", "for", "in", "to", "from", "with", "and", "or", ",", "nor", "on", "at", "by", "that", "about"]
)
_BE = frozenset(["is", "are", "was", "were", "has", "have", "had", "appears", "appear", "remains", "remain", "seems"])
_ENDS = frozenset(["except", "end"])


def reaches(words: list[str], hits: list[Hit], hit: Hit, mention: int) -> bool:
    """Whether a trigger acts on a mention that starts at token ``mention`` after it."""
    effect = hit.trigger.effect
    for other in hits:
        if hit.last <= other.first < mention and other.trigger.effect in _ENDS:
            return False
    between = words[hit.last : mention]
    if (hit.trigger.next and between) or (hit.trigger.item and not _ITEM_BOUNDS.isdisjoint(between)):
        return False
    if effect == "absent" and words[hit.first] == "without":
        if not _UNABLE.isdisjoint(words[max(0, hit.first - 10) : hit.first]):
            return False  # "cannot climb stairs without dyspnea"
        if any(word in _DETERMINERS and before not in _JOINING for before, word in pairwise(between)):
            return False  # "without oxygen the hypoxemia is severe"
    if words[hit.last - 1] in _LOOK_BACK and words[hit.last : hit.last + 1] in ([","], ["-"], [")"], ["/"], ["."]):
        return False  # "pneumonia ruled out, effusion": it looks back
    if words[hit.first : hit.last] == ["not"] and len(between) > 4:
        return False
    if (
        ":" in between[1:]
        or (
            between[:1] == [":"]
            and effect != "uncertain"
            and words[hit.first] not in ("pmh", "pmhx", "past", "family", "fh")
        )
        or ("(" in between and ")" in between and effect != "absent")
    ):
        return False
    if effect == "absent" and "for" in between and not _TREATMENT.isdisjoint(between[: between.index("for")]):
        return False  # "not on anticoagulation for pulmonary embolism"
    if any(
        word in _BE for word in (between if effect == "absent" else between[1:] if effect in ABOUT_ANOTHER_TIME else ())
    ):
        return False
    if effect == "absent" and "with" in between and words[hit.first] not in ("without", "not"):
        return False
    listed = any(word in ("or", "nor") for word in words[hit.last : mention + FARTHEST])
    lists = words[hit.first] in _LISTING
    for i, word in enumerate(between):
        following = words[hit.last + i + 1] if hit.last + i + 1 < len(words) else ""
        if (
            word == ","
            and effect == "uncertain"
            and following not in ("or", "and", "versus", "vs")
            and (following in NEW_ITEM or not (listed or lists))
        ):
            return False
        if (
            word in (",", "and")
            and following in NEW_ITEM
            and not (listed and word == "," and "or" in words[hit.last + i : mention + FARTHEST])
        ):
            return False
        if word == "and" and effect == "uncertain" and not lists:
            return False
        if (
            word in (",", "and", "/")
            and effect != "absent"
            and starts_phrase(following)
            and effect not in ABOUT_ANOTHER_TIME
        ):
            return False
    return True


def reaches_back(words: list[str], hits: list[Hit], hit: Hit, mention_end: int) -> bool:
    """Whether a trigger acts on a mention that ends before token ``mention_end`` before it."""
    if hit.trigger.next and hit.first != mention_end:
        return False
    if hit.trigger.effect == "present" and not ITEM_ENDS.isdisjoint(words[mention_end : hit.first]):
        return False
    if hit.trigger.at_end and hit.last < len(words) and words[hit.last] not in (".", ",", ";", "?", "!", ")", "but"):
        return False
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in ("no", "none", "nil", "absent", "negative"):
        # as in a form: "Effusion: none."
        if words[mention_end : hit.first] in ([":"], ["-"], ["="]):
            return hit.last == len(words) or not words[hit.last].isalnum()
        if words[hit.first] in ("no", "none", "nil"):
            return False
    for other in hits:
        if mention_end <= other.first < hit.first and other.trigger.effect in _ENDS:
            return False
    between = words[mention_end : hit.first]
    found = words[mention_end - 1 : mention_end] + between
    if hit.trigger.effect == "absent" and any(a in _FOUND and b in ITEM_ENDS for a, b in pairwise(found)):
        return False
    if words[hit.first] == "absent" and "," in between and not _MAY_LACK.isdisjoint(between[-3:]):
        return False  # "trachea pushed to the left, breath sounds absent on the right"
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in _ALONE:
        after = words[hit.last] if hit.last < len(words) else "."
        if after.isalnum() and after not in _GOES_ON and "ago" not in words[hit.last : hit.last + 4]:
            return False
    verbs = [i for i, word in enumerate(between) if word in _BE]
    if len(verbs) > 1 or (verbs and len(between) - verbs[0] > 3):
        return False
    if between[:1] == ["("] and len(between) <= 3 and ")" not in between:
        return True  # "fever (now resolved)"
    if any(word in (";", ":", "(") for word in between):
        return False
    if "," in between and "or" not in between and "and" not in between and hit.trigger.effect != "absent":
        return between[-1] == "," and len(between) <= 4
    if verbs and "," in between[: verbs[0]] and not {"or", "and"} & set(between[: verbs[0]]):
        return False
    return len(between) <= 14
