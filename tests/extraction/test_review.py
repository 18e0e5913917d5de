"""Deciding on edges, taking decisions back, passing accepted edges on, and the layer beside the curated graph."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import ArtifactError, InputError
from extraction.extract import extract
from extraction.layer import Edge, Layer
from extraction.promotion import apply, rows
from extraction.review import Review, accepted, orphaned, waiting
from extraction.source import sources
from kg import overlay
from kg.graph import KnowledgeGraph
from kg.overlay import open_in_use
from ontologies.linking.linker import Linker
from ontologies.readers import hpoa
from tests.extraction.conftest import PAPERS, medline

Whydx = Callable[..., Any]


@pytest.fixture
def mined(own_home: Path, graph: KnowledgeGraph, linker: Linker, papers: Path) -> Path:
    extract(own_home, graph, linker, sources(own_home, [str(papers)]))
    return own_home


def edge(layer: Layer, predicate: str, other: str) -> Edge:
    return next(e for e in layer.edges if e.predicate == predicate and e.object_name == other)


def test_decisions_hold_until_they_are_taken_back(mined: Path) -> None:
    layer, review = Layer.open(mined), Review(mined)
    uveitis = edge(layer, "has_phenotype", "Uveitis")
    assert uveitis in waiting(layer, review)
    review.decide(uveitis, "accept", by="EX")
    assert uveitis not in waiting(layer, review)
    review.decide(uveitis, "reject")
    assert not accepted(layer, Review(mined))
    assert Review(mined).undo().verdict == "reject"
    assert [e.id for e, _ in accepted(layer, Review(mined))] == [uveitis.id]
    again = Review(mined)
    again.undo()
    assert uveitis in waiting(layer, again)
    with pytest.raises(InputError, match="nothing to undo"):
        again.undo()


def test_a_contradiction_cannot_be_accepted(mined: Path) -> None:
    layer, review = Layer.open(mined), Review(mined)
    cough = edge(layer, "excludes_phenotype", "Cough")
    assert cough in waiting(layer, review, standing=("contradicts",))
    for verdict in ("accept", "edit"):
        with pytest.raises(InputError, match="contradicts the curated layer"):
            review.decide(cough, verdict, changes={"frequency": 0.5})  # type: ignore[arg-type]
    assert not review.log
    review.decide(cough, "reject")
    assert cough not in waiting(layer, review)


def test_a_line_cut_short_is_no_decision(mined: Path) -> None:
    layer, review = Layer.open(mined), Review(mined)
    uveitis = edge(layer, "has_phenotype", "Uveitis")
    review.decide(uveitis, "accept")
    with review.path.open("a", encoding="utf-8") as file:
        file.write('{"verdict":"rej')
    again = Review(mined)
    assert [d.verdict for d in again.log] == ["accept"]
    again.decide(uveitis, "reject")
    assert [d.verdict for d in Review(mined).log] == ["accept", "reject"]


def test_a_changed_line_is_named(mined: Path) -> None:
    review = Review(mined)
    review.path.write_text('{"verdict":"accept"}\n', encoding="utf-8")
    with pytest.raises(ArtifactError, match="line 1"):
        Review(mined)


def test_accepted_edges_become_rows_with_their_papers(mined: Path, graph: KnowledgeGraph, tmp_path: Path) -> None:
    layer, review = Layer.open(mined), Review(mined)
    review.decide(edge(layer, "has_phenotype", "Uveitis"), "edit", by="EX", changes={"frequency": 0.3})
    review.decide(edge(layer, "excludes_phenotype", "Alopecia"), "accept", by="EX")
    review.decide(edge(layer, "treated_with", "prednisolone"), "accept")
    made = rows(graph, layer, review, table="hpoa")
    path = tmp_path / "promoted.hpoa"
    path.write_text("\n".join(made.lines) + "\n", encoding="utf-8")
    read = [s for s in hpoa.read(path) if hasattr(s, "predicate")]
    assert sorted((r.predicate, r.count, r.reference) for r in read) == [
        ("excludes_phenotype", None, "PMID:104"),
        ("has_phenotype", (30, 100), "PMID:101;PMID:102"),
    ]
    assert all("WHYDX:EX[" in line for line in made.lines[2:])
    assert [why for _, why in made.left_out] == ["no column for treatments and places"]
    chest = rows(graph, layer, review, table="chest")
    assert chest.lines[0].split("\t")[4] == "finding_name"
    assert all(line.startswith("CHEST:silicosis\tSilicosis") or "Silicosis" in line for line in chest.lines[1:])


def test_the_layer_is_off_until_it_is_switched_on(mined: Path, home: Path, graph: KnowledgeGraph) -> None:
    before = _bytes(home / "graph")
    silicosis = graph.find("silicosis")
    uveitis = edge(Layer.open(mined), "has_phenotype", "Uveitis")
    assert not _shows(open_in_use(mined), silicosis, uveitis.object)
    assert apply(mined, graph, "review") == 0
    assert not _shows(open_in_use(mined), silicosis, uveitis.object)
    Review(mined).decide(uveitis, "accept")
    assert apply(mined, graph, "review") == 1
    triple = next(t for t in open_in_use(mined).triples(silicosis, "has_phenotype") if t.object == uveitis.object)
    assert triple.source.startswith("extracted:")
    assert triple.reference == "PMID:101;PMID:102"
    assert apply(mined, graph, "on", least=0.0) > 1
    Review(mined).decide(uveitis, "reject")
    apply(mined, graph, "on", least=0.0)
    assert not _shows(open_in_use(mined), silicosis, uveitis.object)
    apply(mined, graph, "off")
    assert open_in_use(mined).manifest.sha256 == graph.manifest.sha256
    assert _bytes(home / "graph") == before


def _shows(graph: KnowledgeGraph, disease: str, finding: str) -> bool:
    return any(t.object == finding for t in graph.triples(disease, "has_phenotype"))


def _bytes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_what_contradicts_never_takes_part(mined: Path, graph: KnowledgeGraph) -> None:
    apply(mined, graph, "on", least=0.0)
    excluded = [t.object_name for t in open_in_use(mined).triples(graph.find("silicosis"), "excludes_phenotype")]
    assert "Cough" not in excluded


def test_a_layer_joined_to_another_graph_is_refused(mined: Path, graph: KnowledgeGraph) -> None:
    apply(mined, graph, "review")
    path = overlay.folder(mined) / "graph" / "manifest.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    from indexes import manifest

    folder = path.parent
    manifest.write(folder, kind=record["kind"], version=record["version"], inputs={"curated graph": "another"})
    with pytest.raises(ArtifactError, match="joined to another graph"):
        open_in_use(mined)


def test_an_accepted_edge_goes_with_its_papers(
    mined: Path, graph: KnowledgeGraph, linker: Linker, tmp_path: Path
) -> None:
    layer = Layer.open(mined)
    uveitis = edge(layer, "has_phenotype", "Uveitis")
    Review(mined).decide(uveitis, "accept")
    rest = medline(tmp_path / "rest.xml", PAPERS[3:5])
    extract(mined, graph, linker, sources(mined, [str(rest)]))
    assert [d.edge for d in orphaned(Layer.open(mined), Review(mined))] == [uveitis.id]
    assert not accepted(Layer.open(mined), Review(mined))


# --- the commands


def test_the_commands_from_texts_to_rows(whydx: Whydx, own_home: Path, papers: Path, tmp_path: Path) -> None:
    home = ("--home", own_home)
    assert whydx("ontology", "review", *home).err.startswith("error: no extracted layer here")
    made = whydx("ontology", "extract", "--from", papers, "--no-meaning", "--format", "json", *home)
    assert made.status == 0, made.err
    assert json.loads(made.out)["papers"] == 36
    listed = whydx("ontology", "review", "--list", "--format", "json", "-k", "100", *home)
    by_name = {row["relation"]: row for row in json.loads(listed.out)}
    uveitis = by_name["Silicosis shows Uveitis"]
    assert uveitis["quotes"][0]["sentence"]
    against = by_name["Silicosis does not show Cough"]
    refused = whydx("ontology", "review", "--accept", against["id"], *home)
    assert refused.status == 1
    assert "contradicts the curated layer" in refused.err
    done = whydx("ontology", "review", "--edit", uveitis["id"][:6], "--frequency", "0.25", "--by", "EX", *home)
    assert (done.status, "accepted" in done.err) == (0, True)
    out = tmp_path / "rows.hpoa"
    assert whydx("ontology", "review", "--promote", out, *home).status == 0
    assert "\t25/100\t" in out.read_text(encoding="utf-8")
    on = whydx("ontology", "review", "--layer", "review", *home)
    assert "1 edges take part" in on.err
    shown = whydx("ontology", "show", "silicosis", "--format", "json", *home)
    assert any(t["source"].startswith("extracted:") for t in json.loads(shown.out)["triples"])
    assert "taken back" in whydx("ontology", "review", "--undo", *home).err
    shown = whydx("ontology", "show", "silicosis", "--format", "json", *home)
    assert not any(t["source"].startswith("extracted:") for t in json.loads(shown.out)["triples"])


def test_the_keyboard(whydx: Whydx, mined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from commands import extracting

    first, second = waiting(Layer.open(mined), Review(mined), "finding-disease")[:2]
    keys = iter("xaurasq")  # no key; accept; undo; reject the first; accept or be refused; skip; quit
    monkeypatch.setattr(extracting, "_at_a_terminal", lambda output, layout: True)
    monkeypatch.setattr(extracting.typer, "getchar", lambda: next(keys))
    ran = whydx("ontology", "review", "--kind", "finding-disease", "--home", mined)
    assert ran.status == 0, ran.err
    assert Review(mined).standing[first.id].verdict == "reject"
    decided = Review(mined).standing.get(second.id)
    assert (decided is None) == (second.standing == "contradicts")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--accept", "zzzzzz"), "no such edge"),
        (("--undo",), "nothing to undo"),
        (("--promote", "rows.csv"), "no layout for these rows"),
        (("--promote", "rows.tsv"), "nothing is accepted yet"),
    ],
)
def test_wrong_use_is_one_line(whydx: Whydx, mined: Path, arguments: tuple[str, ...], message: str) -> None:
    ran = whydx("ontology", "review", *arguments, "--home", mined)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1
