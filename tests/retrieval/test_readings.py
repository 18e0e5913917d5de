"""What is taken over after a change of the dictionary is what linking everything anew would give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
from ontologies.linking import change
from ontologies.linking.linker import Linker
from retrieval.readings import Readings

Names = Mapping[str, Sequence[str]]
NAMES: Names = {
    "HP:0002202": ["Pleural effusion", "Fluid around lungs"],
    "HP:0002107": ["Pneumothorax"],
    "HP:0001640": ["Cardiomegaly", "Enlarged heart"],
    "HP:0002090": ["Pneumonia"],
    "HP:0004415": ["Pulmonary artery stenosis"],
    "HP:0001631": ["Atrial septal defect", "ASD"],
    "HP:0000202": ["Orofacial cleft", "Cleft lip and palate"],
    "HP:0002665": ["Cold disease"],
    "HP:0002666": ["Chill", "Cold"],
    "HP:0002667": ["Common infection", "Cold"],
}
TEXTS = [
    "Small left pleural effusion. No pneumothorax.",
    "The heart is enlarged. Lungs are clear.",
    "Pleural effusions and effusion in the left lower lobe.",
    "A pnuemothorax and an enlarged heart.",
    "Blunted costophrenic sulcus on the left.",
    "A blunted left costophrenic sulcus; heart and lungs normal.",
    "Stenosis of the pulmonary artery, hilar opacities.",
    "A cold and a common infection.",
    "Atrial septal defect (ASD); the ASD is small.",
    "sandstrom sign",
    "",
    "Pneumonia, aspiration.",
    "Pneumonia.",
]


def linker(path: Path, names: Names, above: Mapping[str, str] | None = None, types: str = FINDING) -> Linker:
    concepts = [Concept(curie=c, name=n[0], semantic_types=(types,), codes={"HP": (c[3:],)}) for c, n in names.items()]
    terms = [
        Term(curie=curie, text=text, kind="preferred" if text == texts[0] else "exact", source="test")
        for curie, texts in names.items()
        for text in texts
    ]
    edges = [Relation(subject=c, predicate="is_a", object=p, source="test") for c, p in (above or {}).items()]
    return Linker.build(concepts, terms, path, relations=edges)


CHANGES: dict[str, tuple[Names, dict[str, str], str]] = {
    "nothing": (NAMES, {}, FINDING),
    "a name of words that no text has": (NAMES | {"X:1": ["Whirlwind mark of Lisbon"]}, {}, FINDING),
    "a name that texts hold": (NAMES | {"X:1": ["Blunted costophrenic sulcus"]}, {}, FINDING),
    "a word that one misspells": (NAMES | {"X:1": ["Sandstorm"]}, {}, FINDING),
    "a longer name": (NAMES | {"X:1": ["Aspiration pneumonia"]}, {}, FINDING),
    "a name is gone": ({c: n for c, n in NAMES.items() if c != "HP:0002202"}, {}, FINDING),
    "a concept is called otherwise": (NAMES | {"HP:0001640": ["Large heart", "Enlarged heart"]}, {}, FINDING),
    "a name moves": (NAMES | {"HP:0002090": ["Lung infection"], "X:1": ["Pneumonia"]}, {}, FINDING),
    "what short forms stand for": (NAMES | {"X:1": ["Opacity of the lung", "Lung opacity"]}, {}, FINDING),
    "what stands above": (NAMES, {"HP:0002667": "HP:0002107", "HP:0002666": "HP:0002665"}, FINDING),
    "types": (NAMES, {}, DISEASE),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_taken_over_is_what_linking_anew_gives(what: str, tmp_path: Path) -> None:
    before = Readings(linker(tmp_path / "before", NAMES), tmp_path / "kept")
    before.present(TEXTS)
    before.save()
    names, above, types = CHANGES[what]
    after = linker(tmp_path / "after", names, above, types)
    readings = Readings(after, tmp_path / "kept")
    found = readings.present([*TEXTS, "A new text: pneumonia."])
    assert found == Readings(after).present([*TEXTS, "A new text: pneumonia."])
    most = {"nothing": 1, "a name of words that no text has": 1, "a name that texts hold": 3, "types": 14}
    assert 1 <= readings.linked <= most.get(what, 8)


def test_a_change_of_the_rules_reads_everything_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = linker(tmp_path / "linker", NAMES)
    before = Readings(own, tmp_path / "kept")
    before.present(TEXTS)
    before.save()
    monkeypatch.setattr(change, "rules", lambda: "others")
    readings = Readings(own, tmp_path / "kept")
    readings.present(TEXTS)
    assert readings.linked == len(set(TEXTS))


def test_what_is_damaged_is_not_taken_over(tmp_path: Path) -> None:
    own = linker(tmp_path / "linker", NAMES)
    before = Readings(own, tmp_path / "kept")
    before.present(TEXTS)
    before.save()
    said = json.loads((tmp_path / "kept" / "said.json").read_text())
    said["present"] = [[] for _ in said["present"]]
    (tmp_path / "kept" / "said.json").write_text(json.dumps(said))
    readings = Readings(own, tmp_path / "kept")
    assert readings.present(TEXTS) == before.present(TEXTS)
    assert readings.linked == len(set(TEXTS))
