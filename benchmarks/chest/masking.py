"""Takes the words of the diagnosis out of a note, so that a case tests reasoning and not reading.

A name goes wherever it stands as words of its own, whatever its case, hyphens and spaces: "COVID-19", "Covid 19" and
"covid19" are one name. What gives the cause away without naming it goes, too: the organism, its test, the kind of
pneumonia, the epidemic's places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "[…]"
# Words that name a cause of the cases in covid_cxr, or lead to it; regular expressions over lower-case text.
GIVEAWAYS = (
    r"(?:2019[\s-]*)?n[\s-]?cov(?:[\s-]*2019|[\s-]*19)?",
    r"co[vn]id(?:[\s-]*(?:20)?19)?\w*",
    r"\w*corona(?:[\s-]*vir\w*)?",
    r"sars(?:[\s-]*cov(?:[\s-]*[12])?)?",
    r"mers(?:[\s-]*cov)?",
    r"severe acute respiratory(?: distress)? syndrome(?: coronavirus(?:[\s-]*2)?)?",
    r"middle east(?:ern)? respiratory syndrome",
    r"(?:acute|adult) respiratory distress(?: syndrome)?",
    r"a\.?r\.?d\.?s\.?",
    r"pneumocystis(?: (?:jirov?eci+|carini+))?",
    r"p[cj]p",
    r"(?:jirov?eci+|carini+)",
    r"(?:aids|hiv)\w*",
    r"strept\w*(?: pneumoniae)?",
    r"pneumococc\w*",
    r"\w*pneumoni\w*",
    r"vir(?:us|uses|al|ally|emia)",
    r"bacteri\w*",
    r"(?:rt[\s-]*)?pcr",
    r"(?:(?:nasal|throat|nasopharyngeal|oropharyngeal|pharyngeal)\s+)?swabs?",
    r"pandemic|epidemic|outbreak|wuhan|hubei",
    r"hydroxychloroquine|remdesivir|tocilizumab|lopinavir|ritonavir|antiviral\w*",
)


def pattern(names: Iterable[str] = ()) -> re.Pattern[str]:
    """What is masked: the giveaways, and the names given, longest first."""
    written = []
    for name in sorted({n for n in names if n.strip()}, key=lambda n: (-len(n), n)):
        words = re.split(r"[\s-]+", name.strip().lower())
        written.append(r"[\s-]*".join(map(re.escape, words)))
    return re.compile(r"(?<!\w)(?:" + "|".join([*written, *GIVEAWAYS]) + r")(?!\w)", re.IGNORECASE)


def masked(note: str, names: Iterable[str] = ()) -> str:
    """The note with every giveaway and every name of ``names`` replaced by MASK; spaces are made single."""
    return " ".join(pattern(names).sub(MASK, note).split())
