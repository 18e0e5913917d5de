from __future__ import annotations

from pathlib import Path

import pytest

from errors import ArtifactError, InputError
from ontologies.concept import Concept, Relation, Term
from ontologies.problem import Problem
from ontologies.staging import Counts, Staging

STATEMENTS = [
    Concept(curie="HP:1", name="Effusion", semantic_types=("Finding",), codes={"HP": ("1",), "UMLS": ("C1", "C2")}),
    Term(curie="HP:1", text="Effusion", kind="preferred", source="HPO"),
    Relation(subject="OMIM:1", predicate="has_phenotype", object="HP:1", source="HPOA", frequency=0.5, count=(1, 2)),
    Relation(subject="HP:1", predicate="is_a", object="HP:0", source="HPO"),
]
BAD = Problem(file="x.tsv", line=7, reason="3 columns")


def test_statements_become_rows() -> None:
    with Staging.of(STATEMENTS) as staging:
        select = staging.connection.execute
        assert staging.counts() == Counts(concepts=1, terms=1, relations=2, problems=0)
        assert select("SELECT * FROM concept").fetchall() == [("HP:1", "Effusion", "", ["Finding"])]
        assert select("SELECT * FROM code ORDER BY ALL").fetchall() == [("HP:1", "UMLS:C1"), ("HP:1", "UMLS:C2")]
        assert select("SELECT * FROM relation ORDER BY subject").fetchall() == [
            ("HP:1", "is_a", "HP:0", "HPO", None, "", None, None),
            ("OMIM:1", "has_phenotype", "HP:1", "HPOA", 0.5, "", 1, 2),
        ]


def test_a_problem_stops_or_is_written_down() -> None:
    with Staging() as staging, pytest.raises(InputError, match=r"x\.tsv, line 7.*3 columns"):
        staging.report(BAD)
    with Staging(on_error="skip") as staging:
        staging.report(BAD)
        assert staging.problems() == (BAD,)
        assert staging.counts().problems == 1


def test_once_is_all_or_nothing(tmp_path: Path) -> None:
    def fail(staging: Staging) -> None:
        staging.add(STATEMENTS)
        raise InputError("broken")

    with Staging(tmp_path / "s.duckdb") as staging:
        with pytest.raises(InputError):
            staging.once("hpo", "1", fail)
        assert staging.counts().terms == 0
        assert staging.once("hpo", "1", lambda s: s.add(STATEMENTS))
    with Staging(tmp_path / "s.duckdb") as staging:
        assert not staging.once("hpo", "1", fail)
        assert staging.finished() == {("hpo", "1")}
        assert staging.counts().relations == 2


def test_what_is_no_staging_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(ArtifactError, match="staging"):
        Staging(tmp_path / "s.duckdb")
    with pytest.raises(InputError, match="memory"):
        Staging(memory="a lot")
