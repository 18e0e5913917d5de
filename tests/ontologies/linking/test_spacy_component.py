"""The linker in a spaCy pipeline, with scispaCy's interface."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from errors import ArtifactError
from ontologies.concept import FINDING, Concept, Term
from ontologies.linking import spacy_component
from ontologies.linking.linker import Linker

spacy = pytest.importorskip("spacy")
NAMES = {"HP:0002202": "Pleural effusion", "HP:0002107": "Pneumothorax", "HP:0001249": "Intellectual disability"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    concepts = [
        Concept(curie=curie, name=name, semantic_types=(FINDING,), codes={"HP": (curie[3:],)})
        for curie, name in NAMES.items()
    ]
    Linker.build(concepts, [Term(curie=c, text=n, kind="preferred") for c, n in NAMES.items()], home / "linker")
    return home


@pytest.fixture
def nlp(folder: Path) -> Any:
    spacy_component.register()
    nlp = spacy.blank("en")
    nlp.add_pipe("whydx_linker", config={"home": str(folder)})
    return nlp


def test_entities_have_what_scispacy_gives(nlp: Any) -> None:
    doc = nlp("Small left pleural effusion, no pneumothorax.")
    assert [(ent.text, ent.kb_id_, ent.label_, ent._.kb_ents, ent._.presence) for ent in doc.ents] == [
        ("pleural effusion", "HP:0002202", FINDING, [("HP:0002202", 1.0)], "present"),
        ("pneumothorax", "HP:0002107", FINDING, [("HP:0002107", 1.0)], "absent"),
    ]
    assert doc.ents[0]._.concept_match.laterality == "left"
    assert [span.text for span in doc.spans["whydx_linker"]] == ["pleural effusion", "pneumothorax"]


def test_the_knowledge_base_knows_the_entities(nlp: Any) -> None:
    entities = nlp.get_pipe("whydx_linker").kb.cui_to_entity
    assert entities["HP:0002202"].canonical_name == "Pleural effusion"
    assert entities["HP:0002202"].types == (FINDING,)
    assert sorted(entities) == sorted(NAMES)
    assert len(entities) == len(NAMES)
    with pytest.raises(KeyError):
        entities["HP:1"]


def test_other_entities_stay_where_ours_are_not(nlp: Any) -> None:
    ruler = nlp.add_pipe("entity_ruler", before="whydx_linker")
    ruler.add_patterns([{"label": "X", "pattern": "Smith"}, {"label": "X", "pattern": "effusion"}])
    doc = nlp("Smith has a pleural effusion.")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Smith", "X"), ("pleural effusion", FINDING)]


@pytest.mark.parametrize("text", ["", "  \n", "nothing here", "pneumothoraxpneumothorax"])
def test_texts_without_mentions(nlp: Any, text: str) -> None:
    assert [ent.text for ent in nlp(text).ents] == []


def test_spans_agree_with_the_linker(nlp: Any, folder: Path) -> None:
    texts = ["No pneumothorax/pleural effusion.", "PNEUMOTHORAX, pleural-effusion; 3.pneumothorax", "İ pneumothorax ﬁ"]
    for doc in nlp.pipe(texts):
        wanted = {m.concept.curie for m in Linker.open(folder / "linker").link(doc.text)}
        assert {ent.kb_id_ for ent in doc.ents} == wanted


def _texts(n: int) -> list[str]:
    """Texts of which no two are alike, some without a mention, one of blanks."""
    found = [
        f"Case {i}: {('no', 'small', 'left', 'history of')[i % 4]} {('pleural effusion', 'pneumothorax')[i % 3 == 0]}"
        f"{(', no intellectual disability.', '', ' seen on day ' + str(i))[i % 5 % 3]}"
        for i in range(n - 2)
    ]
    return [*found, "nothing here", "  "]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_thousand_documents_in_one_process_and_in_two(nlp: Any, folder: Path, processes: int) -> None:
    texts = _texts(1_000)
    wanted = Linker.open(folder / "linker").link_all(texts)
    seen = 0
    for doc, matches in zip(nlp.pipe(texts, n_process=processes, batch_size=100), wanted, strict=True):
        got = tuple(span._.concept_match for span in doc.spans["whydx_linker"])
        assert got == matches
        assert [m.concept.codes for m in got] == [m.concept.codes for m in matches]
        assert [e._.presence for e in doc.ents] == [m.presence for m in matches]
        seen += len(matches)
    assert seen > 1_000


def test_a_component_goes_to_another_process_with_its_settings(folder: Path) -> None:
    spacy_component.register()
    nlp = spacy.blank("en")
    component = nlp.add_pipe("whydx_linker", config={"home": str(folder), "systems": ["HP"], "nested": True})
    other = pickle.loads(pickle.dumps(component))
    doc = other(nlp.make_doc("No pneumothorax."))
    assert [(ent.kb_id_, ent._.presence) for ent in doc.ents] == [("HP:0002107", "absent")]
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(spacy_component.LinkerComponent(component.linker))


def test_matches_survive_a_docbin(nlp: Any) -> None:
    from spacy.tokens import DocBin

    doc = nlp("Small left pleural effusion.")
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert again.ents[0]._.concept_match == doc.ents[0]._.concept_match
    assert again.ents[0]._.concept_match.laterality == "left"


def test_behind_scispacys_abbreviation_detector(folder: Path) -> None:
    pytest.importorskip("scispacy.abbreviation")  # registers the detector

    spacy_component.register()
    nlp = spacy.blank("en")
    nlp.add_pipe("abbreviation_detector")
    nlp.add_pipe("whydx_linker", config={"home": str(folder)})
    doc = nlp("A large pleural effusion (PE) was drained. The PE had not come back, and no pneumothorax was seen.")
    assert [(ent.text, ent.kb_id_) for ent in doc.ents] == [
        ("pleural effusion", "HP:0002202"),
        ("PE", "HP:0002202"),
        ("PE", "HP:0002202"),
        ("pneumothorax", "HP:0002107"),
    ]
    assert {short._.long_form.text for short in doc._.abbreviations} == {"pleural effusion"}


def test_a_missing_dictionary_is_an_error(tmp_path: Path) -> None:
    spacy_component.register()
    with pytest.raises(ArtifactError, match="whydx index build"):
        spacy.blank("en").add_pipe("whydx_linker", config={"home": str(tmp_path)})


def test_the_entry_point_is_the_factory() -> None:
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    entry = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]["spacy_factories"]
    module, _, name = entry["whydx_linker"].partition(":")
    assert module == spacy_component.__name__
    assert getattr(spacy_component, name) is spacy_component.whydx_linker


def test_without_spacy_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['spacy'] = None; sys.modules['spacy.language'] = None\n"
        "from ontologies.linking import spacy_component\n"
        "try:\n    spacy_component.factory\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "DependencyError spaCy is not installed; run: pip install 'whydx[spacy]'"
