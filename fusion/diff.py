"""Cases ranked with two graphs: which diagnoses moved, and the changed edge that moved each, measured by re-scoring."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion.patients import PublishedCase, read_cases, to_case
from fusion.prior import bedside, published_likelihood
from fusion.workup import Case, WorkupRoom, observations
from kg.diff import changed_edges
from kg.graph import KnowledgeGraph
from kg.variant import without_change

Progress = Callable[[str, int, int], None]
# Diagnoses looked at: those among the first so many with either graph.
FIRST = 10
# Changed edges that are tried for one diagnosis, those on the disease itself first.
_TRIED = 12


@dataclass(frozen=True, slots=True)
class _Ranking:
    """{canonical CURIE: (rank from 1, score)} of every disease in question for one case."""

    places: Mapping[str, tuple[int, float]]

    def first(self) -> list[str]:
        return [curie for curie, (rank, _) in self.places.items() if rank <= FIRST]


@dataclass(frozen=True, slots=True)
class _Model:
    """A graph, and how diseases are ranked over it."""

    graph: KnowledgeGraph
    vocab: str | None
    order: Callable[[Case], tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, graph: KnowledgeGraph, vocab: str | None) -> _Model:
        if vocab is None:
            return cls(graph, vocab, WorkupRoom(graph, *bedside(graph)).order)
        likelihood = published_likelihood(graph)
        within = likelihood.rows_with_code(vocab)

        def order(case: Case) -> tuple[np.ndarray, np.ndarray]:
            found = likelihood.candidates(observations(case), k=None, within=within)
            return found.nodes, found.scores

        return cls(graph, vocab, order)

    def ranking(self, case: PublishedCase) -> _Ranking:
        nodes, scores = self.order(to_case(case, self.graph)[0])
        rows = zip(nodes.tolist(), scores.tolist(), strict=True)
        return _Ranking({self.graph.curie(node): (rank, score) for rank, (node, score) in enumerate(rows, 1)})


def moved(
    old: Path, new: Path, cases: Path, k: int, *, vocab: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """What the difference between two graph folders does to the diagnoses of some cases.

    {"cases", "moved_cases", "moves": the first ``k``}: a move is a diagnosis that is among the first ten with either
    graph and has another rank with the other, the largest change of score first, ties by case and CURIE. Its "edge" is
    the changed edge that, put back as it was in the new graph, takes most of the change of score back, with the
    "share" of the change that it takes; None when no edge does, as when the diagnosis was only overtaken.

    All annotated diseases are ranked by the weight of evidence, with the prior of patients who have a chest image; with
    ``vocab`` only the diseases that have a code in it, none more common than another, as for published patients of rare
    diseases. Raises InputError for unreadable cases, ArtifactError for graphs that cannot be opened.
    """
    before, after = KnowledgeGraph.open(old), KnowledgeGraph.open(new)
    models = _Model.of(before, vocab), _Model.of(after, vocab)
    rows = list(read_cases(cases))
    moves: list[dict[str, Any]] = []
    for done, case in enumerate(rows, 1):
        moves += _moves(case, *models)
        if progress:
            progress("cases", done, len(rows))
    moves.sort(key=lambda m: (-abs(m["score_change"] or 0.0), m["case"], m["disease"]))
    shown = moves[:k]
    _name_edges(shown, {c.case_id: c for c in rows}, models[1], changed_edges(old, new), progress)
    return {"cases": len(rows), "moved_cases": len({m["case"] for m in moves}), "moves": shown}


def _moves(case: PublishedCase, old_model: _Model, new_model: _Model) -> list[dict[str, Any]]:
    old, new = old_model.ranking(case), new_model.ranking(case)
    before, after = old_model.graph, new_model.graph
    pairs: set[tuple[str | None, str | None]] = {(curie, _same(before, curie, after)) for curie in old.first()}
    named = {other for _, other in pairs}
    pairs |= {(_same(after, curie, before), curie) for curie in new.first() if curie not in named}
    found = []
    for was, now in sorted(pairs, key=lambda pair: (pair[1] or "", pair[0] or "")):
        old_place, new_place = old.places.get(was or ""), new.places.get(now or "")
        if old_place and new_place and old_place[0] == new_place[0]:
            continue
        graph, curie = (after, now) if now else (before, was)
        change = round(new_place[1] - old_place[1], 6) if old_place and new_place else None
        found.append(
            {
                "case": case.case_id,
                "disease": curie,
                "name": graph.name(graph.node(curie or "")),
                "old_rank": old_place and old_place[0],
                "new_rank": new_place and new_place[0],
                "old_score": old_place and round(old_place[1], 6),
                "new_score": new_place and round(new_place[1], 6),
                "score_change": change,
                "edge": None,
            }
        )
    return found


def _same(graph: KnowledgeGraph, curie: str, other: KnowledgeGraph) -> str | None:
    """The canonical CURIE in another graph of a concept of this one, None when the other does not know it."""
    concept = graph.concept(curie)
    codes = (f"{system}:{code}" for system in sorted(concept.codes) for code in concept.codes[system])
    return next((other.resolve(code) for code in (curie, *codes) if code in other), None)


def _name_edges(
    moves: Sequence[dict[str, Any]],
    cases: Mapping[str, PublishedCase],
    new: _Model,
    edges: Sequence[dict[str, Any]],
    progress: Progress | None,
) -> None:
    """Give each move the edge that accounts for most of it: every edge in question is put back once."""
    tried: dict[int, list[dict[str, Any]]] = {}
    for move in moves:
        if move["score_change"]:
            for number in _in_question(move, cases[move["case"]], new.graph, edges)[:_TRIED]:
                tried.setdefault(number, []).append(move)
    for done, (number, concerned) in enumerate(sorted(tried.items()), 1):
        with tempfile.TemporaryDirectory() as scratch:
            model = _Model.of(without_change(new.graph, edges[number], Path(scratch) / "graph"), new.vocab)
            for move in concerned:
                place = model.ranking(cases[move["case"]]).places.get(move["disease"])
                taken_back = move["new_score"] - place[1] if place else move["score_change"]
                share = round(taken_back / move["score_change"], 4)
                if share > 0 and share > (move["edge"] or {"share": 0.0})["share"]:
                    move["edge"] = edges[number] | {"share": share}
        if progress:
            progress("edges", done, len(tried))


def _in_question(
    move: Mapping[str, Any], case: PublishedCase, graph: KnowledgeGraph, edges: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Positions of the edges that can have moved it: annotations of the disease, those with what the case shows first;
    then the hierarchy above the case's findings and the disease's annotations."""
    seen = {c for curie in (*case.observed, *case.excluded) if curie in graph for c in graph.ancestors(curie)}
    shown = {t.object for t in graph.triples(move["disease"], "has_phenotype")}
    above = seen | {c for curie in shown for c in graph.ancestors(curie)}
    found = []
    for number, edge in enumerate(edges):
        if edge["subject"] == move["disease"] and edge["predicate"] in ("has_phenotype", "excludes_phenotype"):
            below = bool(seen & graph.ancestors(edge["object"]) - {edge["object"]}) or edge["object"] in seen
            found.append((0 if edge["object"] in seen else 1 if below else 2, number))
        elif edge["predicate"] == "is_a" and edge["subject"] in above:
            found.append((1 if edge["subject"] in seen else 3, number))
    return [number for _, number in sorted(found)]
