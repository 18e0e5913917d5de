"""How notes write a value: what stands before and behind it, its unit, a laboratory's flag, the limits that it gives.

Patterns for ``ontologies.linking.context.measurement``. Words that name the groups: ``before``, ``unit``, ``range``,
``sign``, ``value``, ``arrow``, ``after``, ``not``, ``bound`` and ``first``.
"""

from __future__ import annotations

import re

from ontologies.linking.values.quantities import NUMBER

_BE = (
    r"is|was|were|are|remains|remained|came[ ]back|returned|tested|resulted|turned[ ]out|measured|"
    r"(?:has|have|had)[ ]been|(?:was|is|were)[ ](?:estimated|calculated|measured|recorded|found|noted|reported)"
)
_ADVERB = r"mildly|slightly|moderately|markedly|severely|very|strongly|weakly|grossly|significantly|extremely|only|just"
_STEADY = (
    r"also|then|again|already|stable|steady|regular|irregular|maintained|now|currently|initial(?:ly)?|consistently|"
    r"persistently|still"
)
_ABOUT = r"about|approximately|around|approx\.?|roughly|nearly|almost"
_NORMAL = (
    r"normal|negative|neg|unremarkable|unaffected|intact|preserved|WNL|non-?reactive|not[ ]detected|undetected|"
    r"not[ ](?:raised|elevated)|\(?-ve\)?|\(-\)|sterile|no[ ]growth|"
    r"(?:with)?in[ ](?:the[ ])?(?:normal|reference)[ ](?:ranges?|limits)"
)
_ABOVE = (
    r"positive|elevated|raised|high|pos|reactive|detected|\(?\+ve\)?|\(\+\)|"  # "increased" may be since the last time
    r"(?:twice|double|(?:two|three|four|five|ten|several)[ ]times)[ ](?:the[ ])?"
    r"(?:upper[ ]limit(?:[ ]of[ ]normal)?|normal|ULN)"
)
_BELOW = r"low|reduced|suppressed|depressed|undetectable"
_TREND = (
    r"(?:(?:has|have|had)\s+)?(?:rose|risen|rising|fell|fallen|falling|dropped|dropping|increased|increasing|"
    r"decreased|decreasing|declined|declining|improved|improving|climbed|peaked|came[ ]down|coming[ ]down|"
    r"went[ ](?:up|down)|trending[ ](?:up|down)|settled|settling|down|up)\s+"
    r"(?:(?:further|again|rapidly|sharply|slowly|steadily|gradually|back)\s+)*"
)
_SPAN = rf"{NUMBER}\s*(?:-|–|—|to)\s*{NUMBER}"
_POWER = r"[x×*]?\s*10\s*[\^(*]?\s*[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]+\)?"
_OF = rf"(?:{_POWER}\s*(?:/|per)\s*\w+|[A-Za-zµμ]+\s*/\s*[\w.]+[²³]?|kPa|mm\ ?Hg|%|[A-Za-zµμ]{{1,4}}[²³]?)"

WORD = re.compile(r"(?<![\w-])\w+")
INSIDE = re.compile(r"\w|-(?!\s?\d)")  # "pH-7.25"
BEFORE = re.compile(
    r"\b(?P<before>normal|unremarkable|negative|positive|elevated|raised|increased|high|reduced|decreased|low|suppressed)"
    r" (?:serum |blood |plasma |level of |levels of )?$",
    re.IGNORECASE,
)
SAYS = re.compile(
    rf"""
    (?!\ (?:diet|intake|supplement|medication|therapy|treatment|tablets|pills|cuff|monitor|vaccin))
    (?P<what>
        (?:\ ?\((?:[^()\d]{{1,20}}|[A-Za-zα-ω][\w/-]{{0,14}})\))?
        (?:\ (?:levels?|counts?|concentrations?|values?|titres?|titers?|assays?|tests?|swabs?|screens?|markers|
            parameters))?
        (?:\ (?:of|on|in)\ (?:(?:the|his|her|induced|a)\ )*
            (?:sputum|blood|urine|pleural\ fluid|CSF|lavage\ fluid|lavage|BAL|serum|stool|aspirate|tissue|biopsy)\b)?
        (?:\ (?:at|on|upon|by)\ (?:day\ \d+|admission|presentation|arrival|baseline|discharge|hospital\ day\ \d+))?
        (?:,?\ ?[(\[]?\ ?(?P<unit>{_OF})\ ?[)\]]?(?=\s*[:|\t]))?
    )
    (?:
        (?:\s+(?:(?:{_BE})(?:\ (?:at|to\ be|as))?|of|at|to)|,(?=\ \d+(?![\d.]*\s?%)))?[\s:=|]*
        (?:[(\[]\s*(?P<range>{_SPAN})[^()\[\]\d]{{0,14}}[)\]][\s:=|]*)?
        (?P<minus>[-–−]\s*)?(?:(?i:{_ADVERB}|{_STEADY})(?::|\ at)?\s+)*
        (?:(?:{_ABOVE}|{_BELOW}|increased|decreased|(?P<arrow>↑|↓))(?:\ (?:at|to))?\s*)?
        (?:(?:{_TREND})?(?:from\s+{NUMBER}\s*(?:{_OF}\s+)?)?(?:to|at)\s+)?(?:(?:{_ABOUT})\s+)?[\s(~≈]*
        (?:(?P<sign>[<>≤≥]=?|(?:less|more|greater)\ than|above|below|over|under)\s*)?
        (?P<value>{NUMBER})
      |
        (?:\s+(?:{_BE})|:|\s*\||,?(?=\s+(?P<all>all|both)\b))?
        \s*(?<![\w])(?:(?:all|both)\s+)?(?:(?:{_BE})\s+)?(?P<not>not\s+)?
        (?:(?:{_ADVERB}|also|all|both|again|otherwise|completely|entirely|then)\s+)*
        (?P<after>(?i:{_NORMAL}|{_ABOVE}|{_BELOW})(?!\w)|↑|↓)
      |
        \s+(?P<nothing>(?:revealed|showed|demonstrated|was|were)\ (?:no|without)\ abnormalit(?:y|ies))
    )?
    """,
    re.VERBOSE,
)
IS_NORMAL, IS_ABOVE = (re.compile(words, re.IGNORECASE) for words in (_NORMAL, _ABOVE))
AND = re.compile(r"\s*(?:,|and|or|/|&|,\s*and)\s*(?:(?:a|an|the)\s+)?")
JOINS = re.compile(r"\b(?:and|or)\b|&|/")
ONWARD = re.compile(rf"\s?(?:→|->|-->|=>|➔|⟶)\s?(?P<value>{NUMBER})")
COUNTED = re.compile(rf"(?<![\w.,])(?P<value>{NUMBER})(?P<share>\s?%)?\s(?:of\s)?$")
PLUS_BEFORE = re.compile(r"(?<![\w.])(?:[1-4] ?\+|\+{1,3}|trace) (?:of |occult )*$", re.IGNORECASE)
SENTENCE = re.compile(r"(?:[^.;\n]|\.(?=\d)){0,200}")
IN_BRACKETS = re.compile(r"\([^()]*\)")
LISTED = re.compile(r"\s*(?:,\s*(?:and\s+)?|\band\s+)(?=[<>≤≥~]?\s*\d)")
TITRE = re.compile(r"1\s?[:/]\s?(?P<value>\d+)")
TIMES = re.compile(
    r"\s?(?:times|x|×|-?fold)\s+(?:above\s+)?(?:the\s+)?(?:upper\s+limit|ULN|normal|upper\s+reference)", re.IGNORECASE
)
SHARE = re.compile(rf"\s*(?:L|litres|liters)?[\s,;(\[|]*(?P<value>{NUMBER})\s?%")
BEST = re.compile(
    r"\s*(?:L/min|L)?[\s,(\[]*(?:personal\s|previous\s)?(?:best|predicted|usual|expected)\s*(?:of\s|was\s)?"
    rf"(?P<value>{NUMBER})",
    re.IGNORECASE,
)
PLUSES = re.compile(
    r"[\s:=|]*(?:\+{1,4}|[1-4]\s?\+|(?:is |was )?(?:positive|pos|trace|present|moderate|large)\b|"
    r"(?P<none>(?:is |was )?(?:negative|neg|nil|none|absent|not detected)\b|-(?=\s*(?:[,;.]|$))))"
)
UNIT = re.compile(
    rf"\s*(?:[|\t]\s*)?(?:{_POWER}\s*(?:/|per)\s*\w+|"
    r"(?:[A-Za-zµμ]+(?:\s[A-Z]{3})?\s*)?(?:/|\bper\b)\s*\w+[²³]?|%|[°º]\s?[CFcf]\b|℃|"
    r"(?:kPa|torr|msecs?|ms|secs?|seconds|s|fL|fl|ppb|cm|mm\s?Hg|mm|m|kg|grams|gms|gm|g|bpm|rpm|lakhs?|titre|k|C|F)\b)"
)
# As a laboratory prints it beside a value.
FLAG = re.compile(
    r"[ \t]*[|(\[]?[ \t]*(?P<flag>HH?|LL?|High|Low|HIGH|LOW|high|low|↑+|↓+)(?![\w/%+-])(?=[ \t]*(?:[|)\],.;]|$))",
    re.MULTILINE,
)
_BOUND = rf"(?P<bound>[<>≤≥]|up to|below|above)?\s*(?P<first>{NUMBER})"
LIMIT = re.compile(
    r"\s*[(\[,;|]?\s*(?:upper |lower )?(?:limit|normal|reference|ref|cut-?off|n\.?v|NR)\b\.?"
    r"(?: (?:range|values?|limits?|interval))?"
    rf"(?: of normal)?[\s:=,;]*(?:(?P<range>{_SPAN})|{_BOUND})",
    re.IGNORECASE,
)
# As a table has it: "98 g/L (130-175)", "187 | mg/L | <5".
RANGE = re.compile(
    r"[ \t]*(?:[A-Za-zµμ/%0-9^]{0,10}[ \t]*)?[(\[|\t][ \t]*"
    rf"(?:(?P<range>{_SPAN})|(?P<bound>[<>≤≥])\s*(?P<first>{NUMBER}))"
    r"(?=[ \t]*(?:[A-Za-zµμ/%]{1,12}[ \t]*)?(?:[)\]|\n]|$))"
)
OXYGEN = re.compile(
    r"[\s,(]*(?:on|with|under)\s+(?!room|ambient)(?:\w+\s+){0,3}?(?:\d|oxygen\b|O2\b|nasal\b|mask\b)|"
    r"\s*\(\s*\d{1,2}\s*(?:L|litres?|liters?)\b",
    re.IGNORECASE,
)
SATURATION = re.compile(
    r"(?<![\w.,/-])(?P<value>[5-9]\d|100)\s?%\s*(?:on|in|\()\s*"
    r"(?:(?P<air>(?:room |ambient )?air\b|RA\b)|\d{1,2}(?:\.\d)?\s?(?:L|litres?|liters?)\b)"
)
# What a note on a child has, and few on adults.
CHILD = re.compile(
    r"(?<!\d)(?:1[0-5]|\d)[-\s]?(?:y(?:ea)?rs?\b|y/?o\b)|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen)[- ]years?[- ]old|"
    r"\b(?:\d{1,2}/(?:7|12|52)|(?:day|week|month)s?[- ]?olds?|m/?o|boy|girl|bab(?:y|ies)|infant|child|toddler|"
    r"neonat\w*|newborn|teen\w*|adolescent)\b",
    re.IGNORECASE,
)
