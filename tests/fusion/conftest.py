"""A reasoner over the small graph, with a head that is not zero, so that every branch matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fusion.branch import Branch
from fusion.checkpoint import bert_files, open_tokenizer
from fusion.prior import NORMAL
from fusion.scorer import Scorer
from fusion.workup import Case, Observed, Workup, WorkupRoom
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel
from kg.weight_of_evidence import WeightOfEvidence
from ontologies.concept import DISEASE, FINDING, Concept, Relation
from ontologies.merging.merge import merge
from ontologies.staging import Staging

FINDINGS = {
    "HP:1": "Fever",
    "HP:2": "Pleural effusion",
    "HP:3": "Consolidation",
    "HP:4": "Cardiomegaly",
    "HP:5": "Scoliosis",
}
DISEASES = {"OMIM:1": "Pneumonia", "OMIM:2": "Heart failure", "OMIM:3": "Tuberculosis", NORMAL: "No acute disease"}
SHOWS = {"OMIM:1": ("HP:1", "HP:3"), "OMIM:2": ("HP:2", "HP:4"), "OMIM:3": ("HP:1", "HP:2", "HP:3"), NORMAL: ("HP:5",)}


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> WorkupRoom:
    rows: list[Concept | Relation] = [
        Concept(curie=c, name=n, semantic_types=(FINDING,), codes={"HP": (c[3:],)}) for c, n in FINDINGS.items()
    ]
    rows += [
        Concept(curie=c, name=n, semantic_types=(DISEASE,), codes={c.partition(":")[0]: (c.partition(":")[2],)})
        for c, n in DISEASES.items()
    ]
    rows += [
        Relation(subject=d, predicate="has_phenotype", object=f, source="test", frequency=0.6)
        for d, shown in SHOWS.items()
        for f in shown
    ]
    path: Path = tmp_path_factory.mktemp("fusion") / "graph"
    graph = KnowledgeGraph.build(merge(Staging.of(rows)), path)
    return WorkupRoom(graph, weighed(graph))


def weighed(graph: KnowledgeGraph) -> WeightOfEvidence:
    """Every annotated disease as common as the others."""
    disease = AnnotationMatrix.open(graph.path).disease.tolist()
    return WeightOfEvidence(graph, prior=dict.fromkeys(disease, 0.0), default_prior=0.0)


@pytest.fixture(scope="session")
def likelihood(room: WorkupRoom) -> LikelihoodModel:
    return LikelihoodModel(room.graph)


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    import torch

    from fusion.reasoner import ReasonerConfig, build

    torch.manual_seed(0)
    network = build(*bert_files(), ReasonerConfig(region_dim=8))
    torch.nn.init.normal_(network.head[-1].weight)
    torch.nn.init.normal_(network.weight)
    torch.nn.init.normal_(network.none)
    return Scorer(network, open_tokenizer())


@pytest.fixture
def workup(room: WorkupRoom) -> Workup:
    """Two findings of three sorts, every kind of branch."""
    region = np.linspace(-1, 1, 8).astype(np.float32)
    case = Case(
        observed=(
            Observed(curie="HP:1", presence="present"),
            Observed(curie="HP:2", presence="absent"),
            Observed(curie="HP:3", presence="present", odds_ratio=6.0, region=region, region_ref="Consolidation@1.2.3"),
        ),
        note="fever for three days",
        age=70,
        sex="F",
    )
    paper = Branch(
        kind="literature",
        anchor="disease",
        reference="PMID:1",
        shown="a paper",
        text="Pneumonia often begins with fever.",
    )
    similar = Branch(
        kind="case",
        anchor="disease",
        reference="case-1",
        shown="a case",
        text="similar case: right lower lobe pneumonia",
    )
    shortlist = room.shortlist(case, 3)
    return room.lay_out(case, shortlist, papers={"OMIM:1": [paper]}, cases={"OMIM:1": [similar]})
