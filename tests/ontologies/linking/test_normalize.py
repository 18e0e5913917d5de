"""Words that must compare equal, and words that must not."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontologies.linking import normalize
from ontologies.linking.normalize import family, light, split

LIGHT = [
    ("Tumours", "tumor"),
    ("oedema", "edema"),
    ("diarrhoea", "diarrhea"),
    ("coeliac", "celiac"),
    ("anaemia", "anemia"),
    ("fibres", "fiber"),
    ("metastases", "metastasis"),
    ("stenoses", "stenosis"),
    ("vertebrae", "vertebra"),
    ("haemangiomata", "hemangioma"),
    ("pneumothoraces", "pneumothorax"),
    ("Haemothoraces", "hemothorax"),
    ("thoraces", "thorax"),
    ("fibroses", "fibrosis"),
    ("silicoses", "silicosis"),
    ("sarcoidoses", "sarcoidosis"),
    ("tuberculoses", "tuberculosis"),
    ("overdoses", "overdose"),
    ("exposes", "expose"),
    ("glucoses", "glucose"),
    ("doses", "dose"),
    ("empyemata", "empyema"),
    ("stigmata", "stigma"),
    ("vasculitides", "vasculitis"),
    ("cicatrices", "cicatrix"),
    ("alveoli", "alveolus"),
    ("hila", "hilum"),
    ("effu\u00adsions", "effusion"),
    ("effu\u00ad\nsions", "effusion"),
    ("opacities", "opacity"),
    ("biopsies", "biopsy"),
    ("masses", "mass"),
    ("nevi", "nevus"),
    ("IV", "4"),
    ("second", "2"),
    ("β", "beta"),
    ("café", "cafe"),
    ("UTIs", "uti"),
    ("pre-auricular", "preauricular"),
    ("diseases", "disease"),
    ("diabetes", "diabetes"),
    ("process", "process"),
]
ALIKE = [
    ("hypoplastic", "hypoplasia"),
    ("dilated", "dilatation"),
    ("anomalous", "anomalies"),
    ("renal", "kidneys"),
    ("hepatic", "liver"),
    ("stenotic", "stenosis"),
    ("retarded", "retardation"),
    ("cerebellum", "cerebellar"),
    ("mandibular", "mandible"),
    ("enlarged", "enlargement"),
    ("elevated", "increased"),
    ("microcephalic", "microcephaly"),
]
UNLIKE = [("hypertension", "hypotension"), ("left", "right"), ("hypertrophy", "atrophy"), ("increased", "decreased")]


@pytest.mark.parametrize(("word", "expected"), LIGHT)
def test_light_form(word: str, expected: str) -> None:
    assert light(word) == expected


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_one_family(one: str, other: str) -> None:
    assert family(one) == family(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_two_families(one: str, other: str) -> None:
    assert family(one) != family(other)


def test_split_keeps_a_prefix_with_its_word() -> None:
    assert split("pre-auricular pits") == ["pre-auricular", " ", "pits"]
    assert split("x-linked") == ["x", "-", "linked"]


def test_a_soft_hyphen_does_not_end_a_word() -> None:
    assert split("pleural effu\u00adsion") == ["pleural", " ", "effu\u00adsion"]
    assert split("effu\u00ad\n  sion seen") == ["effu\u00ad\n  sion", " ", "seen"]
    assert split("effusion\u00ad, \u00adseen\u2060") == ["effusion", "\u00ad, \u00ad", "seen", "\u2060"]


@given(st.text())
def test_split_loses_nothing(text: str) -> None:
    assert "".join(split(text)) == text


@given(st.text(min_size=1).filter(str.isalnum))
def test_no_word_comes_to_nothing(word: str) -> None:
    assert light(word) != ""
    assert family(word) != ""


@given(st.text(alphabet=string.ascii_lowercase, min_size=1))
def test_case_does_not_matter(word: str) -> None:
    assert light(word.upper()) == light(word)
    assert family(word.upper()) == family(word)


def test_a_word_meets_every_rule_that_can_match_it() -> None:
    data = Path(normalize.__file__).parent / "data"
    words = {light(w) for file in data.glob("*.tsv") for w in re.findall(r"[^\W_]{3,}", file.read_text("utf-8"))}
    endings = ["", "us", "um", "ic", "ical", "ia", "ias", "y", "ied", "ed", "ing", "ation", "ity", "ness", "ous", "sis"]
    met = 0
    for word in {word + ending for word in words for ending in endings}:
        _, rules = normalize._FAMILY_RULES.get(word[-1], (None, []))
        for rule, _ in normalize._FAMILY:
            if rule.search(word):
                met += 1
                assert rule in [pattern for pattern, _ in rules], (word, rule.pattern)
    assert met > 1000
