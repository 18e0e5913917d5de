"""Texts in, a layer out: what is read, counted, flagged, withdrawn, and left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from errors import ArtifactError, InputError
from extraction import reading
from extraction.extract import extract
from extraction.layer import Edge, Layer
from extraction.reading import read
from extraction.relation import counted
from extraction.scorer import independent
from extraction.source import Text, sources
from extraction.vocabulary import Vocabulary
from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker
from tests.extraction.conftest import NOTICE, OTHERS, PAPERS, medline


def layer_of(home: Path, graph: KnowledgeGraph, linker: Linker, *files: Path) -> Layer:
    extract(home, graph, linker, sources(home, [str(file) for file in files]))
    return Layer.open(home)


def edge(layer: Layer, disease: str, predicate: str, other: str) -> Edge | None:
    found = [e for e in layer.edges if (e.subject_name, e.predicate, e.object_name) == (disease, predicate, other)]
    return found[0] if found else None


def test_an_edge_keeps_what_speaks_for_it(own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path) -> None:
    found = edge(layer_of(own_home, graph, linker, papers), "Silicosis", "has_phenotype", "Uveitis")
    assert found is not None
    assert (found.sentences, found.texts, found.standing) == (2, 2, "new")
    assert set(found.references) == {"PMID:101", "PMID:102"}
    assert found.quotes[0].sentence == "Silicosis presents with uveitis and cough."  # of patients, not of two
    assert found.model
    assert 0 < found.score <= 1


def test_what_is_curated_is_told(own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path) -> None:
    found = edge(layer_of(own_home, graph, linker, papers), "Silicosis", "has_phenotype", "Cough")
    assert found is not None
    assert found.standing == "known"
    assert found.curated is not None


def test_not_seen_in_is_kept_as_an_excluding_edge(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path
) -> None:
    layer = layer_of(own_home, graph, linker, papers)
    alopecia = edge(layer, "Silicosis", "excludes_phenotype", "Alopecia")
    assert alopecia is not None
    assert (alopecia.standing, alopecia.references) == ("new", ("PMID:104",))
    assert edge(layer, "Silicosis", "has_phenotype", "Alopecia") is None  # asked in 103, in mice in 106


def test_an_edge_against_the_curated_layer_is_flagged(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path
) -> None:
    cough = edge(layer_of(own_home, graph, linker, papers), "Silicosis", "excludes_phenotype", "Cough")
    assert cough is not None
    assert cough.standing == "contradicts"
    assert "%" in cough.against


def test_treatments_are_edges_of_their_own(own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path) -> None:
    found = edge(layer_of(own_home, graph, linker, papers), "Silicosis", "treated_with", "prednisolone")
    assert found is not None
    assert found.references == ("PMID:102",)


def test_a_retracted_paper_says_nothing(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path, tmp_path: Path
) -> None:
    layer = layer_of(own_home, graph, linker, papers)
    assert not [e for e in layer.edges if "PMID:107" in e.references]
    assert edge(layer, "Silicosis", "has_phenotype", "Vertigo") is not None
    later = medline(tmp_path / "later.xml", [NOTICE])
    made = extract(own_home, graph, linker, sources(own_home, [str(papers), str(later)]))
    assert made.withdrawn == ("PMID:108",)
    assert edge(Layer.open(own_home), "Silicosis", "has_phenotype", "Vertigo") is None


def test_cases_count_patients(own_home: Path, graph: KnowledgeGraph, linker: Linker, cases: Path) -> None:
    layer = layer_of(own_home, graph, linker, cases)
    found = edge(layer, "Silicosis", "has_phenotype", "Uveitis")
    assert found is not None
    assert (found.shown, found.examined) == (6, 12)
    rows = {row["finding_name"]: row for row in layer.frequencies()}
    assert (rows["Cough"]["shown"], rows["Cough"]["cases"]) == (12, 12)
    assert (rows["Uveitis"]["shown"], rows["Uveitis"]["verdict"]) == (6, "not curated")
    dyspnea = rows["Dyspnea"]
    assert (dyspnea["denied"], dyspnea["verdict"]) == (6, "less")
    assert dyspnea["high"] < dyspnea["curated"]


class Counting(Linker):
    """A linker that says how many texts it read, and may be killed."""

    def __init__(self, linker: Linker, most: int = 10**9) -> None:
        self.__dict__ = linker.__dict__.copy()
        self.texts, self.most = 0, most

    def link_all(self, texts, **known):  # type: ignore[no-untyped-def]
        texts = list(texts)
        self.texts += len(texts)
        if self.texts > self.most:
            raise KeyboardInterrupt
        return super().link_all(texts, **known)


def test_a_killed_run_goes_on(own_home: Path, linker: Linker, papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SHARD", 2)
    chosen = sources(own_home, [str(papers)])
    whole, _ = read(own_home / "other", chosen, linker)
    with pytest.raises(KeyboardInterrupt):
        read(own_home, chosen, Counting(linker, most=3))
    second = Counting(linker)
    again, _ = read(own_home, chosen, second)
    assert again == whole
    assert second.texts == len(PAPERS) + len(OTHERS) - 1 - 2  # without the retracted one and the first two
    third = Counting(linker)
    assert read(own_home, chosen, third)[0] == whole
    assert third.texts == 0


def test_a_damaged_shard_is_named(own_home: Path, linker: Linker, papers: Path) -> None:
    chosen = sources(own_home, [str(papers)])
    read(own_home, chosen, linker)
    shard = next((own_home / "extracted" / "read").glob("*/*.jsonl.gz"))
    shard.write_bytes(shard.read_bytes()[:40])
    with pytest.raises(ArtifactError, match="damaged file"):
        read(own_home, chosen, linker)


def test_shipped_files_stay(home: Path, own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path) -> None:
    before = dict(_hashes(home))
    layer_of(own_home, graph, linker, papers)
    assert dict(_hashes(home)) == before


def _hashes(home: Path) -> Iterator[tuple[str, str]]:
    for part in ("graph", "linker"):
        for path in sorted((home / part).iterdir()):
            yield path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_texts_give_the_same_layer(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path, cases: Path
) -> None:
    first = layer_of(own_home, graph, linker, papers, cases).record
    assert layer_of(own_home, graph, linker, papers, cases).record.sha256 == first.sha256


def test_places_are_read(linker: Linker, graph: KnowledgeGraph) -> None:
    from extraction.relation import counted
    from extraction.treatment import Treatments
    from extraction.vocabulary import Vocabulary

    text = Text(doc_id="1", kind="case", title="", text="CT showed silicosis of the right upper lobe.")
    pairs = counted(reading.readings([text], linker, Treatments()), Vocabulary(graph), "location").pairs
    assert [place for _, place in pairs] == ["right upper lobe"]


def test_a_title_that_says_retracted_is_enough(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, tmp_path: Path
) -> None:
    pmid, title, *rest = PAPERS[0]
    marked = medline(tmp_path / "r.xml", [(pmid, f"Retracted: {title}", *rest), PAPERS[1]])  # type: ignore[arg-type]
    layer = layer_of(own_home, graph, linker, marked)
    assert {name for e in layer.edges for name in e.references} == {"PMID:102"}


@pytest.mark.parametrize(
    ("name", "what"),
    [("nothing-there", "no texts to read"), ("", "no texts to read")],
)
def test_what_cannot_be_read_is_said(own_home: Path, name: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=what):
        sources(own_home, [name or str(tmp_path / "nofile.xml")])


def test_a_row_that_is_no_case_is_named(own_home: Path, linker: Linker, cases: Path) -> None:
    cases.write_text(cases.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 13 is not a case"):
        read(own_home, sources(own_home, [str(cases)]), linker)


def test_editing_leaves_the_edge_itself_alone(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path
) -> None:
    layer = layer_of(own_home, graph, linker, papers)
    assert replace(layer.edges[0]) == layer.edges[0]


def test_one_patient_counts_for_less_than_patients(
    own_home: Path, graph: KnowledgeGraph, linker: Linker, tmp_path: Path
) -> None:
    papers = (
        (301, "Hiccups in silicosis", "We report a man with silicosis. Silicosis presented with hiccups.", (), ()),
        (302, "Vertigo in silicosis", "Of 90 patients, many were ill. Silicosis often presents with vertigo.", (), ()),
    )
    readings, _ = read(own_home, sources(own_home, [str(medline(tmp_path / "p.xml", papers))]), linker)
    counts = counted(readings, Vocabulary(graph), "finding-disease")
    keys = [(graph.find("silicosis"), graph.find(name)) for name in ("Hiccup", "Vertigo")]
    assert [counts.pairs[key].single for key in keys] == [1, 0]
    one, many = independent(counts, keys)
    assert one < many


def test_a_name_of_the_chest_layer_needs_what_it_says(graph: KnowledgeGraph) -> None:
    vocabulary, zoster = Vocabulary(graph), graph.node(graph.find("Herpes zoster of the thorax"))
    assert vocabulary.says_more(zoster, "Herpes zoster", "Herpes zoster of the ear with facial paralysis.")
    assert not vocabulary.says_more(zoster, "herpes zoster", "Thoracic pain in herpes zoster of the thorax.")
    tuberculoma = graph.node(graph.find("Pulmonary tuberculoma"))
    assert vocabulary.says_more(tuberculoma, "tuberculoma", "A cerebellar tuberculoma was removed.")
    assert not vocabulary.says_more(tuberculoma, "tuberculoma", "A tuberculoma of the right lung was removed.")
    assert not vocabulary.says_more(graph.node(graph.find("silicosis")), "silicosis", "Silicosis and the eye.")
