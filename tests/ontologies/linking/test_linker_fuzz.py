"""Whatever the text: it links without error, spans slice to their mentions, any process gives the same answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ontologies.concept import FINDING, Concept, Presence, Term
from ontologies.linking.linker import Linker

NAMES = {
    "HP:0002202": "Pleural effusion",
    "HP:0031457": "Lung opacity",
    "HP:6000931": "Calcified granuloma",
    "HP:0001640": "Enlarged heart",
    "HP:0001945": "Fever",
    "HP:0000107": "Renal cyst",
}
_VOCABULARY = (
    "pleural effusion effusions lung lungs opacity opacities calcified granuloma left right upper lobe base 5 mm 1.2 x "
    "cm small stable new enlarged heart fever renal cyst cysts no not without and or cannot exclude is are has "
    "resolved normal ? history of mother INDICATION: FINDINGS: ( ) , . ; : \n - / İ ﬁ µ \u0301 \u200b \ud800 "
    "😀 (PE) PE vs."
)
_WORDS = _VOCABULARY.split(" ")
_TEXTS = st.one_of(
    st.text(max_size=120),
    st.text(alphabet=st.characters(), max_size=60),  # lone surrogates too
    st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(_WORDS), max_size=12).map("".join),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    concepts = [
        Concept(curie=curie, name=name, semantic_types=(FINDING,), codes={"HP": (curie[3:],)})
        for curie, name in NAMES.items()
    ]
    path = tmp_path_factory.mktemp("linker") / "dictionary"
    Linker.build(concepts, [Term(curie=c, text=n, kind="preferred") for c, n in NAMES.items()], path)
    return path


@pytest.fixture(scope="module")
def linker(folder: Path) -> Linker:
    return Linker.open(folder)


@settings(max_examples=150, deadline=None)
@given(text=_TEXTS, nested=st.booleans())
@example(text="\ud800 fever", nested=False)
@example(text="lungs, chest: calcified left\u0301 5 mm granuloma", nested=True)
@example(text="İİİİ lung effusion left 2 cm x", nested=True)
def test_any_text_links(linker: Linker, text: str, nested: bool) -> None:
    if not text.strip():
        return
    matches = linker.link(text, nested=nested)
    assert matches == linker.link(text, nested=nested) == next(linker.link_all([text], nested=nested))
    for match in matches:
        assert match.mention == text[match.start : match.end]
        assert match.mention
        assert match.presence in get_args(Presence)
        assert (match.presence == "not assessed") or match.context in (None, "indication")
        assert all(size >= 0 for size in match.size_mm)


def test_two_processes_say_the_same(folder: Path, linker: Linker) -> None:
    texts = [
        "INDICATION: fever. FINDINGS: calcified right upper lobe 5 mm granuloma; no effusion, lungs clear.",
        "Renal cysts and an enlarged heart. Cannot exclude opacity in the left lung base, unchanged.",
    ]
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom ontologies.linking.linker import Linker\n"
        "linker = Linker.open(Path(sys.argv[1]))\n"
        "print(json.dumps([[repr(m) for m in linker.link(text)] for text in json.loads(sys.argv[2])]))"
    )
    wanted = [[repr(match) for match in linker.link(text)] for text in texts]
    assert [len(row) for row in wanted] == [3, 3]
    for seed in ("0", "1"):
        ran = subprocess.run(
            [sys.executable, "-c", code, str(folder), json.dumps(texts)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert json.loads(ran.stdout) == wanted
