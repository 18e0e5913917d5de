"""The collections as they are built from the real sources."""

from __future__ import annotations

from pathlib import Path

from kg.graph import KnowledgeGraph
from retrieval.cases import Cases
from retrieval.literature import Literature


def test_papers_about_a_chest_question(home: Path) -> None:
    graph, papers = KnowledgeGraph.open(home / "graph"), Literature.open(home)
    counts = papers.index.manifest.settings["counts"]
    assert (counts["citations"], counts["with_abstract"]) == (50_788, 33_277)
    assert 1500 < counts["indexed"] <= 4000
    effusion = graph.resolve("HP:0002202")
    hits = papers.search("pleural effusion", k=10, concepts=[effusion])
    assert [hit.rank for hit in hits] == list(range(1, 11))
    assert all(hit.document.source_curie.removeprefix("PMID:").isdigit() for hit in hits)
    kinds = [any(effusion in graph.ancestors(c) for c in hit.document.concepts if c in graph) for hit in hits]
    assert sum(kinds) >= 8
    assert "effusion" in papers.best_sentence(hits[0].document, "pleural effusion").lower()
    assert papers.mentions(effusion)


def test_reports_like_a_description(home: Path) -> None:
    graph, cases = KnowledgeGraph.open(home / "graph"), Cases.open(home)
    assert cases.reports.manifest.settings["counts"] == {"reports": 3955, "indexed": 3927}
    cardiomegaly, pneumothorax = graph.resolve("HP:0001640"), graph.resolve("HP:0002107")
    hits = cases.search("enlarged heart with pulmonary congestion", concepts=[cardiomegaly], k=10)
    assert sum(cardiomegaly in hit.document.concepts for hit in hits) >= 7
    # most reports say "no pneumothorax"; few have one
    share = sum(pneumothorax in document.concepts for document in cases.reports.documents) / 3927
    assert 0 < share < 0.05
    filtered = cases.search("pneumothorax", where="finding:pneumothorax", k=5)
    assert filtered
    assert all("pneumothorax" in hit.document.metadata["findings"].lower() for hit in filtered)


def test_images_answer_an_image(home: Path) -> None:
    cases = Cases.open(home)
    assert cases.images is not None
    assert cases.images.images is not None
    row = 5
    name, embedding = cases.images.lexical.ids[row], cases.images.images.vectors[row]
    hits = cases.search(image_embedding=embedding, k=3)
    assert hits[0].document.doc_id == name
    assert hits[0].explanation["image"] > 0.999
    others = cases.search(image_embedding=embedding, k=3, exclude=[name])
    assert [hit.document.doc_id for hit in others][:2] == [hit.document.doc_id for hit in hits[1:]]
