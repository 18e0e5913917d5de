from __future__ import annotations

import random
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.problem import Problem, stop
from ontologies.readers import snomed
from ontologies.readers.snomed_owl import axiom_relations

from ..merging.listing import merge

RELEASE = Path(__file__).parent / "snomed_release"  # invented content in the layout of an international release
GLASS, MOULD, CHEST = "SNOMEDCT:131999999106", "SNOMEDCT:141999999103", "SNOMEDCT:121999999108"
Agrees = Callable[[Iterable[Statement], Path], None]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the release that a test may damage."""
    return Path(shutil.copytree(RELEASE, tmp_path / "release"))


def file(release: Path, name: str) -> Path:
    return next(release.rglob(f"*{name}*.txt"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def names(statements: Iterable[Statement]) -> dict[str, str]:
    return {s.curie: s.name for s in statements if isinstance(s, Concept)}


def test_the_release_reads_as_reviewed(agrees: Agrees) -> None:
    agrees(snomed.read(RELEASE), RELEASE / "golden.tsv")


def test_a_zip_reads_as_its_folder(tmp_path: Path, agrees: Agrees) -> None:
    with zipfile.ZipFile(tmp_path / "release.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(RELEASE.rglob("*.txt")):
            opened.write(path, path.relative_to(RELEASE).as_posix())
    agrees(snomed.read(tmp_path / "release.zip"), RELEASE / "golden.tsv")


def test_the_dialect_names_a_concept_and_both_dialects_are_known() -> None:
    found = list(snomed.read(RELEASE))
    assert names(found)[MOULD] == "Mold glass lung", "US before GB"
    assert names(found)["SNOMEDCT:151999999101"] == "Glass lung structure", "GB where there is no US"
    assert names(found)["SNOMEDCT:161999999104"] == "Vitromyces", "neither: the fully specified name"
    terms = {s.text for s in found if isinstance(s, Term)}
    assert {"Mold glass lung", "Mould glass lung"} <= terms
    assert terms.isdisjoint({"Lung, glass", "Glassy lung", "Pulmón de vidrio"}), "not accepted, inactive, Spanish"


def test_another_language() -> None:
    found = list(snomed.read(RELEASE, language="es"))
    assert [s.text for s in found if isinstance(s, Term)] == [], "no Spanish dialect accepts it"
    assert names(found)[GLASS] == "Glass lung"


def test_metadata_name_relations_and_are_no_concepts() -> None:
    found = list(snomed.read(RELEASE))
    assert "SNOMEDCT:191999999105" not in names(found)
    assert "sits_in" in {s.predicate for s in found if isinstance(s, Relation)}


def test_without_language_reference_sets_every_description_counts(release: Path) -> None:
    file(release, "LanguageSnapshot").unlink()
    found = list(snomed.read(release))
    assert names(found)[GLASS] == "Glass lung"
    assert "Lung, glass" in {s.text for s in found if isinstance(s, Term)}


def test_inactive_rows_say_nothing_but_where_they_went() -> None:
    found = list(snomed.read(RELEASE))
    assert "SNOMEDCT:171999999109" not in names(found)
    ends = {(s.subject, s.predicate, s.object) for s in found if isinstance(s, Relation)}
    assert {edge for edge in ends if "SNOMEDCT:171999999109" in edge or "SNOMEDCT:181999999107" in edge} == {
        ("SNOMEDCT:171999999109", "alias", GLASS),
        ("SNOMEDCT:181999999107", "consider", CHEST),
    }
    assert (GLASS, "caused_by", "SNOMEDCT:161999999104") not in ends


def test_axioms_add_what_the_relationships_lack(release: Path) -> None:
    file(release, "sct2_Relationship").unlink()
    found = {(s.subject, s.predicate, s.object) for s in snomed.read(release) if isinstance(s, Relation)}
    assert {(GLASS, "is_a", CHEST), (MOULD, "caused_by", "SNOMEDCT:161999999104")} <= found
    assert (MOULD, "is_a", GLASS) not in found, "only a classifier knows"


def test_only_one_to_one_exact_maps_are_identities() -> None:
    found = [s for s in snomed.read(RELEASE) if isinstance(s, Relation) and s.source.endswith(" map")]
    assert [(s.subject, s.object) for s in found if s.predicate == "xref"] == [(GLASS, "ICD10:J98.4")]
    assert {s.object for s in found if s.subject == MOULD} == {
        "ICD10:J67.8",
        "ICD10CM:J67.8",
        "ICD10CM:J67.9",
        "ICD10CM:B48.8",
    }


def test_the_merged_graph_knows_the_old_id_and_the_map() -> None:
    merged = merge(snomed.read(RELEASE))
    assert merged.alias["SNOMEDCT:171999999109"] == GLASS
    assert merged.alias["ICD10:J98.4"] == GLASS


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "reason"),
    [
        ("sct2_Concept", "131999999106\t", "131999999106\tx\t", 5, "6 columns"),
        ("sct2_Concept", "131999999106\t", "glass\t", 5, "id is not a SNOMED CT identifier"),
        ("sct2_Concept", "131999999106\t20260101\t1", "131999999106\t20260101\tyes", 5, "not a state"),
        ("Description_Snapshot-en", "\tVitreous lung\t", "\tVitreous\tlung\t", 11, "10 columns"),
        ("sct2_Relationship", "131999999106\t121999999108", "131999999106\t-", 3, "destinationId is not"),
        ("OWLExpression", "SubClassOf(:161999999104 ", "SubClassOf :161999999104 ", 6, "not an OWL axiom"),
        ("LanguageSnapshot", "900000000000548007\r\n", "preferred\r\n", 2, "acceptabilityId is not"),
    ],
)
def test_a_malformed_row_stops_or_is_left_out(
    release: Path, name: str, old: str, new: str, line: int, reason: str
) -> None:
    edit(file(release, name), old, new)
    with pytest.raises(InputError, match=rf"{file(release, name).name}, line {line}: {reason}"):
        list(snomed.read(release))
    problems: list[Problem] = []
    rest = list(snomed.read(release, report=problems.append))
    assert (problems[0].line, problems[0].file) == (line, file(release, name).name)
    assert len({(p.file, p.line) for p in problems}) == len(problems), "each row once"
    assert CHEST in names(rest)


def test_another_layout_is_an_input_error(release: Path, tmp_path: Path) -> None:
    edit(file(release, "sct2_Description"), "conceptId", "concept")
    with pytest.raises(InputError, match="line 1: not an RF2 header"):
        list(snomed.read(release))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not a SNOMED CT release"):
        list(snomed.read(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("axiom", "found"),
    [
        ("SubClassOf(:111111 :222222)", [("111111", "116680003", "222222")]),
        (
            "EquivalentClasses(:111111 ObjectIntersectionOf(:222222 ObjectSomeValuesFrom(:609096000 "
            "ObjectSomeValuesFrom(:333333 :444444)) ObjectSomeValuesFrom(:555555 :666666)))",
            [
                ("111111", "116680003", "222222"),
                ("111111", "333333", "444444"),
                ("111111", "555555", "666666"),
            ],
        ),
        ("SubClassOf(:111111 ObjectSomeValuesFrom(:333333 ObjectIntersectionOf(:444444 :555555)))", []),
        ("SubClassOf(ObjectIntersectionOf(:111111 :222222) :333333)", []),
        ('SubClassOf(:111111 DataHasValue(:222222 "1.5"^^xsd:decimal))', []),
        ("TransitiveObjectProperty(:738774007)", []),
        ("SubObjectPropertyOf(ObjectPropertyChain(:111111 :222222) :333333)", []),
    ],
)
def test_axioms(axiom: str, found: list[tuple[str, str, str]]) -> None:
    assert list(axiom_relations(axiom)) == found


@pytest.mark.parametrize("axiom", ["", "x", "SubClassOf(:1 :2", "A(:1))", "(:1)", 'A(")', "A" + "(A" * 99])
def test_malformed_axioms(axiom: str) -> None:
    with pytest.raises(ValueError):
        list(axiom_relations(axiom))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.binary(max_size=12))
def test_damaged_releases_do_no_more_than_an_input_error(tmp_path: Path, random: random.Random, insert: bytes) -> None:
    target = tmp_path / "release"
    shutil.copytree(RELEASE, target, dirs_exist_ok=True)
    path = random.choice(sorted(target.rglob("*.txt")))
    data = path.read_bytes()
    start = random.randrange(len(data))
    path.write_bytes(data[:start] + insert + data[start + random.randrange(8) :])
    for report in (stop, lambda problem: None):
        try:
            list(snomed.read(target, report=report))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
