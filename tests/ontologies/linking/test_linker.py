"""The linker over a small vocabulary: what it finds, how it says so, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import ArtifactError, InputError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
from ontologies.linking.linker import Linker

NAMES = {
    "HP:0002202": ["Pleural effusion", "Fluid around lungs"],
    "HP:0002107": ["Pneumothorax"],
    "HP:0001640": ["Cardiomegaly", "Enlarged heart"],
    "HP:0001792": ["Small nail", "Hypoplastic nails"],
    "HP:0001798": ["Anonychia", "Absent nails"],
    "HP:0001945": ["Fever"],
    "HP:0002090": ["Pneumonia"],
    "HP:0001249": ["Intellectual disability", "Mental retardation"],
    "HP:0010864": ["Intellectual disability, severe"],
    "HP:0004415": ["Pulmonary artery stenosis"],
    "HP:0000077": ["Abnormality of the kidney"],
    "HP:0000598": ["Abnormality of the ear"],
    "HP:0000107": ["Renal cyst"],
    "HP:0002664": ["Neoplasm", "Tumour"],
    "HP:0001631": ["Atrial septal defect", "ASD"],
    "HP:0002671": ["Basal cell carcinoma"],
    "HP:0000202": ["Orofacial cleft", "Cleft lip and palate"],
    "HP:0000365": ["Hearing impairment", "Hearing loss"],
    "HP:0000505": ["Visual impairment", "Vision loss"],
    "HP:0002865": ["Medullary thyroid carcinoma"],
    "OMIM:109400": ["Basal cell nevus syndrome", "Nevoid basal cell carcinoma syndrome"],
}


def _concepts() -> list[Concept]:
    made = []
    for curie, names in NAMES.items():
        system, code = curie.split(":")
        kind = FINDING if system == "HP" else DISEASE
        made.append(Concept(curie=curie, name=names[0], semantic_types=(kind,), codes={system: (code,)}))
    return made


def _terms() -> list[Term]:
    return [
        Term(curie=curie, text=text, kind="preferred" if i == 0 else "abbreviation" if text == "ASD" else "exact")
        for curie, names in NAMES.items()
        for i, text in enumerate(names)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("linker") / "dictionary"
    Linker.build(_concepts(), _terms(), path)
    return path


@pytest.fixture(scope="module")
def linker(folder: Path) -> Linker:
    return Linker.open(folder)


FOUND = [
    ("Pleural effusion", "HP:0002202", "Pleural effusion", "exact"),
    ("small PLEURAL EFFUSIONS", "HP:0002202", "PLEURAL EFFUSIONS", "normalized"),
    ("the heart is enlarged", "HP:0001640", "heart is enlarged", "order"),
    ("stenosis of the pulmonary artery", "HP:0004415", "stenosis of the pulmonary artery", "order"),
    ("severe intellectual disability", "HP:0010864", "severe intellectual disability", "normalized"),
    ("severe mental retardation", "HP:0010864", "severe mental retardation", "normalized"),
    ("kidney cyst", "HP:0000107", "kidney cyst", "normalized"),
    ("renal anomalies", "HP:0000077", "renal anomalies", "normalized"),
    ("several tumors", "HP:0002664", "tumors", "normalized"),
    ("an ASD was closed", "HP:0001631", "ASD", "exact"),
    ("a cleft lip and palate", "HP:0000202", "cleft lip and palate", "exact"),
    (
        "intellectual disability is usually severe",
        "HP:0010864",
        "intellectual disability is usually severe",
        "normalized",
    ),
    ("an ASD-II", "HP:0001631", "ASD", "exact"),
    ("medullary carcinoma of the thyroid", "HP:0002865", "medullary carcinoma of the thyroid", "order"),
    ("numerous basal skin cell carcinoma", "HP:0002671", "basal skin cell carcinoma", "normalized"),
]


@pytest.mark.parametrize(("text", "curie", "mention", "method"), FOUND)
def test_finds(linker: Linker, text: str, curie: str, mention: str, method: str) -> None:
    [match] = linker.link(text)
    assert (match.concept.curie, match.mention, match.method) == (curie, mention, method)
    assert 0 < match.score <= 1
    assert match.matched_term in NAMES[curie]


NOTHING = [
    "no words of ours",
    "as d",
    "asd",
    "disability, intellectual work",
    "cell. carcinoma basal",
    "12 %",
    "effusion",
    "basal cell not carcinoma",
    "fever-free",  # denied by its own suffix
    "ASD-CoV-2",  # cut out of another name
    "Marie-Pneumothorax",
    "nail and small hippocampi",
    "hearing-aid repair and loss",  # "hearing" belongs to "aid"
    "thyroid medullary of the carcinoma",
]


@pytest.mark.parametrize("text", NOTHING)
def test_finds_nothing(linker: Linker, text: str) -> None:
    assert linker.link(text) == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("brachydactyly type C", "Type C brachydactyly"),
        ("with brachydactyly C in two sibs", "Type C brachydactyly"),
        ("type A brachydactyly", "Type A brachydactyly"),
        ("a family with brachydactyly type A", "Type A brachydactyly"),
        ("Brachydactyly, type D", None),
        ("brachydactyly type I", None),
        ("vitamin A deficiency", "Vitamin A deficiency"),
        ("vitamin deficiency", None),
        ("vitamin D deficiency", "Vitamin D deficiency"),
        ("type 2 polydactyly", "Polydactyly type 2"),
        ("a polydactyly type 2", "Polydactyly type 2"),
        ("CNS tumors", "Neoplasm of the central nervous system"),
    ],
)
def test_the_letter_of_a_kind_is_no_article(typed: Linker, text: str, name: str | None) -> None:
    assert [m.concept.name for m in typed.link(text)] == ([name] if name else [])


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    names = [
        "Type A brachydactyly",
        "Type C brachydactyly",
        "Polydactyly type 2",
        "Vitamin A deficiency",
        "Vitamin D deficiency",
        "Neoplasm of the central nervous system",
    ]
    ids = [f"HP:{i:07d}" for i in range(1, len(names) + 1)]
    concepts = [Concept(curie=i, name=n, semantic_types=(FINDING,)) for i, n in zip(ids, names, strict=True)]
    terms = [Term(curie=i, text=n, kind="preferred") for i, n in zip(ids, names, strict=True)]
    terms.append(Term(curie=ids[-1], text="Tumor of the central nervous system", kind="exact"))
    return Linker.build(concepts, terms, tmp_path_factory.mktemp("typed") / "linker")


def test_shares_a_word_across_a_coordination(linker: Linker) -> None:
    found = {(m.concept.curie, m.mention, m.method) for m in linker.link("hypoplastic or absent nails")}
    assert found == {
        ("HP:0001792", "hypoplastic or absent nails", "coordination"),
        ("HP:0001798", "absent nails", "exact"),
    }
    assert [m.concept.curie for m in linker.link("hearing and vision loss")] == ["HP:0000365", "HP:0000505"]
    assert [m.concept.curie for m in linker.link("ear and renal anomalies")] == ["HP:0000598", "HP:0000077"]


def test_exact_scores_higher_than_derived(linker: Linker) -> None:
    [exact] = linker.link("enlarged heart")
    [turned] = linker.link("heart was enlarged")
    assert exact.score == 1.0 > turned.score


def test_abbreviation_defined_in_the_text(linker: Linker) -> None:
    text = "Pulmonary artery stenosis (PAS) was found. The PAS was treated. ASD"
    found = [(m.mention, m.concept.curie, m.method) for m in linker.link(text)]
    assert ("PAS", "HP:0004415", "abbreviation") in found[1:]
    assert sum(mention == "PAS" for mention, _, _ in found) == 2
    redefined = linker.link("Autism spectrum disorder (ASD) is common. ASD is not a heart defect.")
    assert [m for m in redefined if m.mention == "ASD"] == []


def test_longest_match_nested_and_systems(linker: Linker) -> None:
    text = "nevoid basal cell carcinoma syndrome"
    assert [m.concept.curie for m in linker.link(text)] == ["OMIM:109400"]
    assert [m.concept.curie for m in linker.link(text, nested=True)] == ["OMIM:109400", "HP:0002671"]
    assert [m.concept.curie for m in linker.link(text, systems=("HP",))] == ["HP:0002671"]
    with pytest.raises(InputError, match="no concept"):
        linker.link(text, systems=("LOINC",))


def test_presence_and_side(linker: Linker) -> None:
    found = linker.link("Small left pleural effusion, no pneumothorax. Possible pneumonia. History of fever.")
    assert [(m.concept.name, m.presence, m.laterality) for m in found] == [
        ("Pleural effusion", "present", "left"),
        ("Pneumothorax", "absent", None),
        ("Pneumonia", "uncertain", None),
        ("Fever", "not assessed", None),
    ]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_refuses_an_empty_text(linker: Linker, text: str) -> None:
    with pytest.raises(InputError):
        linker.link(text)


_WORDS = st.sampled_from(
    [
        "heart",
        "is",
        "enlarged",
        "pleural",
        "effusion",
        "and",
        "or",
        ",",
        ".",
        "no",
        "left",
        "(",
        ")",
        "absent",
        "nails",
        "β",
        "ß",
        "İ",
        "\n",
        "tumours",
        "ASD",
        "(ASD)",
    ]
)
_TEXTS = st.one_of(st.text(min_size=1), st.lists(_WORDS, min_size=1, max_size=25).map(" ".join))


@settings(max_examples=400, deadline=None)
@given(text=_TEXTS)
def test_any_text_links_and_spans_slice_to_mentions(linker: Linker, text: str) -> None:
    if text.isspace():
        return
    matches = linker.link(text)
    assert matches == linker.link(text)
    assert all(text[m.start : m.end] == m.mention and m.mention for m in matches)
    assert list(matches) == sorted(matches, key=lambda m: (m.start, -m.end, m.concept.curie))


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXTS, max_size=8))
def test_many_texts_give_what_each_gives_alone(linker: Linker, texts: list[str]) -> None:
    alone = [linker.link(text) if text.strip() else () for text in texts]
    assert list(linker.link_all(texts)) == alone


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["a, ", "and ", "fever, ", "no fever ", "fever\n", "(ASD) ", "heart is ", "x", "\u0301"]
)
def test_a_very_long_text_does_not_cost_its_square(linker: Linker, unit: str) -> None:
    text = unit * (50_000 // len(unit))
    assert all(text[m.start : m.end] == m.mention for m in linker.link(text))


def test_building_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    Linker.build(reversed(_concepts()), reversed(_terms()), tmp_path / "again")
    for file in sorted(folder.iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def _copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_missing_dictionary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing") as caught:
        Linker.open(tmp_path / "none")
    assert "whydx index build" in str(caught.value)


@pytest.mark.parametrize("name", ["entries.npy", "signatures.npy", "terms.bin", "manifest.json", "bitmap.npy"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_dictionary_is_an_error(folder: Path, tmp_path: Path, name: str, damage: str) -> None:
    file = _copy(folder, tmp_path / "copy") / name
    data = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    else:
        data[0] ^= 0xFF
        file.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        Linker.open(tmp_path / "copy")
    assert "whydx index build" in str(caught.value)


def test_a_dictionary_of_other_rules_is_stale(folder: Path, tmp_path: Path) -> None:
    file = _copy(folder, tmp_path / "copy") / "manifest.json"
    manifest = json.loads(file.read_bytes())
    file.write_text(json.dumps(manifest | {"normalisation": "0" * 16}))
    with pytest.raises(ArtifactError, match="stale"):
        Linker.open(tmp_path / "copy")


def test_a_dictionary_of_another_graph_is_stale(tmp_path: Path) -> None:
    Linker.build(_concepts(), _terms(), tmp_path / "linker", source="a1")
    assert Linker.open(tmp_path / "linker").concepts
    for graph in ("a1", "b2"):
        (tmp_path / "built.json").write_text(json.dumps({"graph": graph}))
        if graph == "a1":
            assert Linker.open(tmp_path / "linker").concepts
    with pytest.raises(ArtifactError, match="stale"):
        Linker.open(tmp_path / "linker")


def test_nothing_to_compile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        Linker.build(_concepts(), [], tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_only_names_that_texts_use_are_compiled(tmp_path: Path) -> None:
    def hp(code: str, name: str, kind: str = FINDING) -> Concept:
        return Concept(curie=f"HP:{code}", name=name, semantic_types=(kind,), codes={"HP": (code,)})

    finding, root = hp("0000002", "Abnormality of body height"), hp("0000118", "Phenotypic abnormality")
    past, onset = hp("0032320", "Affected"), hp("0003674", "Onset", "Qualitative Concept")
    every, unplaced = hp("0000001", "All", "Qualitative Concept"), hp("9000001", "Klaxic sign")
    title = Concept(curie="ICD10CM:J18", name="Pneumonia, unspecified organism", codes={"ICD10CM": ("J18",)})
    chest = Concept(curie="CHEST:x", name="Silhouette sign", semantic_types=(FINDING,), codes={"CHEST": ("x",)})
    above = [(finding, root), (root, every), (past, every), (onset, every)]
    below = [Relation(subject=one.curie, predicate="is_a", object=of.curie, source="hp") for one, of in above]
    listed = [finding, root, past, onset, title, chest, every, unplaced]
    terms = [Term(curie=c.curie, text=c.name, kind="preferred") for c in listed]
    ranked = Linker.build(listed, terms, tmp_path / "ranked", relations=below)
    assert set(ranked.concepts) == {finding, chest, unplaced}
    assert set(Linker.build(listed, terms, tmp_path / "flat").concepts) == {finding, past, chest, unplaced}


def test_linking_imports_no_heavy_package() -> None:
    heavy = "{'spacy', 'torch', 'transformers', 'scipy', 'faiss'}"
    code = f"import sys, ontologies.linking.linker; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert run.stdout.strip() == "[]"
