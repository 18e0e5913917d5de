"""Obsolete ids: what replaced them, what to consider, and old ids of live terms, in OBO and RDF, however written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.concept import Concept, Relation
from ontologies.merging.merge import merge
from ontologies.readers import obo, rdf
from ontologies.staging import Staging

RDF = """@prefix obo: <http://purl.obolibrary.org/obo/> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
@prefix own: <http://example.org/signs#> .
{}
"""
REPLACED = "<http://purl.obolibrary.org/obo/IAO_0100001>"


def written(folder: Path, text: str, name: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def relations(path: Path) -> set[tuple[str, str, str]]:
    read = obo.read if path.suffix == ".obo" else rdf.read
    return {(s.subject, s.predicate, s.object) for s in read(path) if isinstance(s, Relation)}


@pytest.mark.parametrize(
    ("object_", "curie"),
    [
        ("obo:HP_0001654", "HP:0001654"),
        ('"HP:0001654"', "HP:0001654"),
        ('"HP_0001654"', "HP:0001654"),
        ('"hp:0001654"', "HP:0001654"),
        ('" HP:0001654 "', "HP:0001654"),
        ('"HP:0001654 Abnormal heart valve"', "HP:0001654"),
        ('"HP:0001654"@en', "HP:0001654"),
        ('"http://purl.obolibrary.org/obo/HP_0001654"', "HP:0001654"),
        ('"https://identifiers.org/HP:0001654"', "HP:0001654"),
        ('"http://purl.obolibrary.org/obo/HP_0001654"^^<http://www.w3.org/2001/XMLSchema#anyURI>', "HP:0001654"),
        ("obo:LTG_0000007", "LTG:0000007"),
        ('"LTG:0000007"', "LTG:0000007"),
        ('"LTG_0000007"', "LTG:0000007"),
    ],
)
@pytest.mark.parametrize(
    ("predicate", "meaning"), [("oio:consider", "consider"), (REPLACED, "alias"), ("oio:hasAlternativeId", "old")]
)
def test_ids_in_rdf_may_be_iris_curies_or_have_an_underscore(
    tmp_path: Path, object_: str, curie: str, predicate: str, meaning: str
) -> None:
    dead = "" if meaning == "old" else "; owl:deprecated true"
    text = RDF.format(f'obo:LTG_0000001 a owl:Class ; rdfs:label "gone" {dead} ; {predicate} {object_} .')
    expected = (curie, "alias", "LTG:0000001") if meaning == "old" else ("LTG:0000001", meaning, curie)
    assert relations(written(tmp_path, text, "given.ttl")) == {expected}


@pytest.mark.parametrize(
    "object_", ["own:new", '"new"', '"http://example.org/signs#new"', '"https://example.org/signs#new"']
)
def test_an_id_without_prefix_is_of_the_same_namespace(tmp_path: Path, object_: str) -> None:
    old = f'own:old rdfs:label "old sign" ; owl:deprecated true ; oio:consider {object_} .'
    text = RDF.format(f'own:new rdfs:label "new sign" . {old}')
    ((subject, predicate, other),) = relations(written(tmp_path, text, "given.ttl"))
    assert (subject.partition(":")[2], predicate, other.partition(":")[2]) == ("old", "consider", "new")
    assert subject.partition(":")[0] == other.partition(":")[0]


@pytest.mark.parametrize(
    "said",
    [
        'oio:consider ""',
        'oio:consider "see the other branch"',
        "oio:consider [ a owl:Class ]",
        "oio:consider obo:LTG_0000001",
        'oio:consider ":"',
    ],
)
def test_what_names_nothing_says_nothing(tmp_path: Path, said: str) -> None:
    text = RDF.format(f'obo:LTG_0000001 a owl:Class ; rdfs:label "gone" ; owl:deprecated true ; {said} .')
    assert relations(written(tmp_path, text, "given.ttl")) == set()


def test_only_deprecated_classes_are_to_be_considered_again(tmp_path: Path) -> None:
    text = RDF.format('obo:LTG_0000001 a owl:Class ; rdfs:label "alive" ; oio:consider obo:LTG_0000002 .')
    assert relations(written(tmp_path, text, "given.ttl")) == set()
    text = RDF.format("obo:LTG_0000001 a owl:DeprecatedClass ; oio:consider obo:LTG_0000002, obo:LTG_0000003 .")
    assert relations(written(tmp_path, text, "given.ttl")) == {
        ("LTG:0000001", "consider", "LTG:0000002"),
        ("LTG:0000001", "consider", "LTG:0000003"),
    }


@pytest.mark.parametrize(
    ("value", "curie"),
    [
        ("HP:0001654 ! Abnormal heart valve", "HP:0001654"),
        ("hp:0001654", "HP:0001654"),
        ("HP_0001654", "HP:0001654"),
        ("http://purl.obolibrary.org/obo/HP_0001654", "HP:0001654"),
        ("http\\://purl.obolibrary.org/obo/HP_0001654", "HP:0001654"),
        ('HP:0001654 {source="x"}', "HP:0001654"),
        ("LTG:0000007", "LTG:0000007"),
        ("LTG_0000007", "LTG:0000007"),
        ("OTHER_7", "OTHER:7"),
        ("https://purl.obolibrary.org/obo/LTG_0000007", "LTG:0000007"),
    ],
)
@pytest.mark.parametrize("tag", ["replaced_by", "consider", "alt_id"])
def test_ids_in_obo_may_be_iris_curies_or_have_an_underscore(tmp_path: Path, value: str, curie: str, tag: str) -> None:
    dead = "" if tag == "alt_id" else "is_obsolete: true\n"
    text = f"format-version: 1.2\n\n[Term]\nid: LTG:0000001\nname: gone\n{dead}{tag}: {value}\n\n"
    text += "[Term]\nid: OTHER:7\nname: of another prefix\n"
    found = relations(written(tmp_path, text, "given.obo"))
    expected = (curie, "alias", "LTG:0000001") if tag == "alt_id" else ("LTG:0000001", tag, curie)
    assert found == {(expected[0], expected[1].replace("replaced_by", "alias"), expected[2])}


@pytest.mark.parametrize("form", ["HP:{}", "hp:{}", "HP_{}", "http://purl.obolibrary.org/obo/HP_{}"])
def test_terms_and_their_parents_may_be_written_either_way(tmp_path: Path, form: str) -> None:
    ids = [form.format(code) for code in ("0000118", "0002202", "0000009")]
    text = (
        f"format-version: 1.2\n\n[Term]\nid: {ids[0]}\nname: Phenotypic abnormality\n\n"
        f"[Term]\nid: {ids[1]}\nname: Pleural effusion\nis_a: HP:0000118\nis_a: {ids[2]} ! gone\n\n"
        f"[Term]\nid: {ids[2]}\nname: gone\nis_obsolete: true\nconsider: HP:0002202\n"
    )
    path = written(tmp_path, text, "given.obo")
    found = {s.curie: s.semantic_types for s in obo.read(path) if isinstance(s, Concept)}
    assert found == {"HP:0000118": ("Finding",), "HP:0002202": ("Finding",)}
    assert relations(path) == {("HP:0002202", "is_a", "HP:0000118"), ("HP:0000009", "consider", "HP:0002202")}


def test_a_merged_graph_says_what_to_consider(tmp_path: Path) -> None:
    text = RDF.format(
        'obo:LTG_0000001 a owl:Class ; rdfs:label "gone" ; owl:deprecated true ; oio:consider "LTG_0000002" .'
        'obo:LTG_0000002 a owl:Class ; rdfs:label "alive" .'
    )
    with Staging.of(rdf.read(written(tmp_path, text, "given.ttl"))) as staging:
        assert merge(staging).retired() == {"LTG:0000001": "LTG:0000002"}
