"""An invented UMLS of 1,000 concepts whose codes are of one system: every name is found in a text, however the source
writes it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ontologies.concept import FINDING, Concept, Relation
from ontologies.linking.linker import Linker
from ontologies.merging.merge import merge
from ontologies.readers import umls
from ontologies.sources.archive import members
from ontologies.staging import Staging

CONCEPTS = 1_000
# How a source writes a name, {} being an invented word; and how texts write it, "=" as the source does.
FORMS = {
    "{} sign": ["=", "{} signs"],
    '"Glass" {} opacity': ["=", "glass {} opacity", "“glass” {} opacities"],
    "{} 'halo'": ["=", "{} halo"],
    "Pneumonia, {}": ["=", "{} pneumonia", "{} pneumonias"],
    "Disorder, {}, of lung": ["=", "{} disorder of lung"],
    "{} fever, cough, and rash": ["="],
    "{}'s disease": ["=", "{}’s disease", "{} disease"],
    "{} disease (chronic)": ["="],
    "{} finding: mild": ["="],
    "{} syndrome [type 2]": ["="],
    "{} nodules": ["=", "{} nodule"],
    "{} mass": ["=", "{} masses"],
    "{} abscess": ["=", "{} abscesses"],
    "{} bulla": ["=", "{} bullae"],
    "{} bronchus": ["=", "{} bronchi"],
    "{} metastasis": ["=", "{} metastases"],
    "{} calcification": ["=", "{} calcifications"],
    "{}thorax": ["=", "{}thoraces", "bilateral {}thoraces"],
    "{}oma": ["=", "{}omas", "{}omata"],
    "{}osis": ["=", "{}oses"],
    "{}itis": ["="],
    "{}-shaped shadow": ["=", "{} shaped shadows"],
    "{} effusion/collection": ["="],
    "{} shad\u00adowing": ["=", "{} shadowing", "{} sha\u00addowing"],
    "{} infiltrate, left & right": ["="],
}
# Source, term type, code; a source of names without codes last.
SYSTEMS = {
    "SNOMED CT": ("SNOMEDCT_US", "PT", "9{:06}"),
    "ICD-10-CM": ("ICD10CM", "PT", "J{}"),
    "HPO": ("HPO", "PT", "HP:9{:06}"),
    "MeSH": ("MSH", "MH", "D9{:06}"),
    "MedDRA": ("MDR", "PT", "19{:06}"),
    "NCI Thesaurus": ("NCI", "PT", "C9{}"),
    "none": ("MTH", "PN", "NOCODE"),
}


def word(i: int) -> str:
    """A word that no other number gives."""
    beginnings, middles, ends = (
        "kla bru dor fle gru mir nol qua ste vom",
        "xib vad kol zen pux",
        "bar cet dim fop gul",
    )
    parts = beginnings.split()[i % 10], middles.split()[i // 10 % 5], ends.split()[i // 50 % 5]
    return "".join(parts) + "btkr"[i // 250 % 4]


def release(folder: Path, source: str, kind: str, code: str, *, typed: bool) -> dict[str, str]:
    """Write the release; CUI → name."""
    forms, names = list(FORMS), {}
    for i in range(CONCEPTS):
        names[f"C8{i:06}"] = forms[i % len(forms)].format(word(i).capitalize())
    rows = [
        f"{cui}|ENG|P|L{i}|PF|S{i}|Y|A{i}||||{source}|{kind}|{code.format(i)}|{name}|0|N||\n"
        for i, (cui, name) in enumerate(names.items())
    ]
    folder.mkdir()
    (folder / "MRCONSO.RRF").write_text("".join(rows), encoding="utf-8")
    if typed:
        types = ("T184|A2.2.2|Sign or Symptom", "T047|B2.2.1.2.1|Disease or Syndrome", "T033|A2.2|Finding")
        rows = [f"{cui}|{types[i % 3]}|AT{i}||\n" for i, cui in enumerate(names)]
        (folder / "MRSTY.RRF").write_text("".join(rows), encoding="utf-8")
    return names


def linker_of(folder: Path, target: Path) -> Linker:
    """Beside HPO's root and one finding below it, as in every home."""
    hpo = {"0000001": "All", "0000118": "Phenotypic abnormality", "0002202": "Pleural effusion"}
    open_source = [
        *(Concept(curie=f"HP:{c}", name=n, semantic_types=(FINDING,), codes={"HP": (c,)}) for c, n in hpo.items()),
        Relation(subject="HP:0000118", predicate="is_a", object="HP:0000001", source="hp"),
        Relation(subject="HP:0002202", predicate="is_a", object="HP:0000118", source="hp"),
    ]
    with Staging() as staging:
        staging.add(open_source)
        umls.stage(members(folder), staging)
        merged = merge(staging)
        return Linker.build(merged.concepts(), merged.terms(), target, relations=merged.relations())


@pytest.mark.parametrize("typed", [True, False], ids=["types", "no types"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_name_is_found_whatever_system_its_code_is_of(tmp_path: Path, system: str, typed: bool) -> None:
    names = release(tmp_path / "META", *SYSTEMS[system], typed=typed)
    linker = linker_of(tmp_path / "META", tmp_path / "linker")
    assert len({word(i) for i in range(CONCEPTS)}) == CONCEPTS
    asked, texts = [], []
    for i, (cui, name) in enumerate(names.items()):
        for form in list(FORMS.values())[i % len(FORMS)]:
            asked.append((f"UMLS:{cui}", name, form))
            written = name if form == "=" else form.format(word(i))
            texts.append(f"{written} seen." if i % 2 else f"There was {written} in the left lung.")
    missed = [
        (curie, name, text)
        for (curie, name, _), text, found in zip(asked, texts, linker.link_all(texts), strict=True)
        if curie not in {match.concept.curie for match in found}
    ]
    assert missed[:5] == []


def test_what_is_no_finding_is_left_out_when_the_release_says_so(tmp_path: Path) -> None:
    release(tmp_path / "META", *SYSTEMS["SNOMED CT"], typed=True)
    path = tmp_path / "META" / "MRSTY.RRF"
    rows = path.read_text(encoding="utf-8").splitlines()
    rows[0] = "C8000000|T023|A1.2.3.1|Body Part, Organ, or Organ Component|AT0||"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    linker = linker_of(tmp_path / "META", tmp_path / "linker")
    assert linker.link(f"A {word(0)} sign.") == ()
    assert len(linker.concepts) == CONCEPTS  # the finding of HPO stands for the one that is left out


def test_a_shuffled_text_of_all_names_finds_them_all(tmp_path: Path) -> None:
    names = release(tmp_path / "META", *SYSTEMS["HPO"], typed=True)
    linker = linker_of(tmp_path / "META", tmp_path / "linker")
    listed = random.Random(4).sample(sorted(names.items()), 200)
    found = linker.link(". ".join(f"There is {name}" for _, name in listed) + ".")
    assert [match.concept.curie for match in found] == [f"UMLS:{cui}" for cui, _ in listed]
