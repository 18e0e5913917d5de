"""What readers do with malformed rows: stop at the first, or report each with its line and read the rest."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.problem import Problem, stop
from ontologies.readers import hpoa, icd10cm, obo, rdf, snomed, sssom

OBO = """format-version: 1.2

[Term]
id: X:1
name: one
def: without quotes
synonym: "ok" EXACT []
synonym: "odd" SIMILAR []
just words

[Term
id: X:2
name: lost with its head

[Term]
name: no id first
id: X:3

[Term]
id: X:4
name: four
is_a: X:1
"""
HPOA = (
    "\t".join(hpoa.COLUMNS)
    + """
OMIM:1	One		HP:0000001	PMID:1	PCS		1/2			P	x
OMIM:2	Two
OMIM:3	Three		HP:0000001	PMID:1	PCS		3/2			P	x
OMIM:4	Four		HP:0000001	PMID:1	PCS		1/2			Z	x
nonsense:5	Five		HP:0000001	PMID:1	PCS		1/2			P	x
OMIM:1	One		HP:0000002	PMID:1	PCS		1/2			P	x
"""
)
SSSOM = """subject_id	predicate_id	object_id
mesh:D1	skos:exactMatch
mesh:D1	skos:exactMatch	hp:0000001
mesh:D2	skos:exactMatch	hp:0000002	what	is	this
"""
ICD = """<ICD10CM.tabular><chapter><section id="J09-J18"><desc>Pneumonia</desc>
<diag><name>J18</name><desc>Pneumonia, unspecified</desc>
<diag><name>J18 dot</name><desc>Lost</desc><inclusionTerm><note>Lost too</note></inclusionTerm></diag>
<diag><name>J18.9</name><desc>Kept</desc></diag></diag>
</section></chapter></ICD10CM.tabular>
"""
Reader = Callable[..., Iterator[Statement]]
CASES = [
    (obo.read, OBO, [6, 8, 9, 11, 16], [("X:4", "X:1")]),
    (hpoa.read, HPOA, [3, 4, 5, 6], [("OMIM:1", "HP:0000001"), ("OMIM:1", "HP:0000002")]),
    (sssom.read, SSSOM, [2, 4], [("MESH:D1", "HP:0000001")]),
    (icd10cm.read, ICD, [3], [("ICD10CM:J18", "ICD10CM:J09-J18"), ("ICD10CM:J18.9", "ICD10CM:J18")]),
]


@pytest.mark.parametrize(("read", "text", "lines", "relations"), CASES, ids=["obo", "hpoa", "sssom", "icd10cm"])
@pytest.mark.parametrize("packed", [False, True])
def test_malformed_rows(
    tmp_path: Path, read: Reader, text: str, lines: list[int], relations: list[tuple[str, str]], packed: bool
) -> None:
    path = tmp_path / ("given.txt.gz" if packed else "given.txt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    problems: list[Problem] = []
    found = list(read(path, report=problems.append))
    assert sorted((p.file, p.line) for p in problems) == [("given.txt", line) for line in lines]
    assert all(p.reason for p in problems)
    assert [(s.subject, s.object) for s in found if isinstance(s, Relation)] == relations
    with pytest.raises(InputError, match=rf"given\.txt, line ({'|'.join(map(str, lines))}): "):
        list(read(path))


def test_a_term_keeps_what_is_right_about_it(tmp_path: Path) -> None:
    (tmp_path / "x.obo").write_text(OBO)
    found = [repr(s) for s in obo.read(tmp_path / "x.obo", report=lambda problem: None)]
    assert any("'ok'" in line for line in found)
    assert not any("lost" in line or "odd" in line or "no id" in line for line in found)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([obo.read, hpoa.read, sssom.read, icd10cm.read, rdf.read, snomed.read]),
    st.sampled_from(["", OBO, HPOA, SSSOM, ICD, "@prefix : <http://x/> .\n", '<r xmlns="', '{"@id": ']),
    st.binary(max_size=200),
)
def test_any_bytes_give_statements_or_an_input_error(tmp_path: Path, read: Reader, start: str, data: bytes) -> None:
    (tmp_path / "given").write_bytes(start.encode() + data)
    for report in (stop, lambda problem: None):
        try:
            for statement in read(tmp_path / "given", report=report):
                assert isinstance(statement, Concept | Term | Relation)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
