from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import rdflib
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from errors import InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.prefix import canonical_curie, curie_of_iri
from ontologies.problem import Problem, stop
from ontologies.readers import rdf
from ontologies.readers.rdf_syntax import syntax

FOLDER = Path(__file__).parent / "rdf"
GLASS = FOLDER / "glass.ttl"  # invented content
Agrees = Callable[[Iterable[Statement], Path], None]
HEADER = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [ %s ]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#"
         xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#">
"""
CLASS = '<owl:Class rdf:about="http://example.org/a#%s"><rdfs:label>%s</rdfs:label></owl:Class>\n</rdf:RDF>\n'


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to open a connection fails the test."""

    def refuse(*arguments: object, **keywords: object) -> None:
        pytest.fail(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def write(folder: Path, text: str, name: str = "given.rdf") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def names(path: Path) -> dict[str, str]:
    return {s.curie.partition(":")[2]: s.name for s in rdf.read(path) if isinstance(s, Concept)}


def test_the_ontology_reads_as_reviewed(agrees: Agrees) -> None:
    agrees(rdf.read(GLASS), FOLDER / "glass.golden.tsv")


@pytest.mark.parametrize(
    ("form", "suffix", "told"),
    [("pretty-xml", "owl", "xml"), ("xml", "rdf", "xml"), ("nt", "nt", "nt"), ("json-ld", "jsonld", "json-ld")],
)
def test_every_syntax_says_the_same(tmp_path: Path, form: str, suffix: str, told: str, agrees: Agrees) -> None:
    graph = rdflib.Graph().parse(GLASS, format="turtle")
    data = graph.serialize(format=form, encoding="utf-8")
    assert syntax(data[:65536]) == told
    (tmp_path / f"glass.{suffix}.gz").write_bytes(gzip.compress(data))
    found = [repr(s) for s in rdf.read(tmp_path / f"glass.{suffix}.gz")]
    assert sorted(found) == sorted(repr(s) for s in rdf.read(GLASS))


def test_another_language_names_what_has_one() -> None:
    found = {s.curie: s.name for s in rdf.read(GLASS, language="es") if isinstance(s, Concept)}
    assert {name for name in found.values() if name in ("Pulmón de vidrio", "Astilla", "Pane of glass")} == {
        "Pulmón de vidrio",
        "Astilla",
    }


def test_short_internal_entities_are_namespaces(tmp_path: Path) -> None:
    text = HEADER % '<!ENTITY a "http://example.org/a#">' + CLASS.replace("http://example.org/a#", "&a;") % ("x", "ex")
    assert names(write(tmp_path, text)) == {"x": "ex"}


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', "an external entity"),
        ('<!ENTITY x PUBLIC "-//x" "http://127.0.0.1:9/x">', "an external entity"),
        ('<!ENTITY x SYSTEM "file:///etc/hostname">', "an external entity"),
        ('<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;', "an external entity"),
        ('<!ENTITY a "haha"><!ENTITY x "&a;&a;&a;&a;&a;&a;&a;&a;">', "an entity that may multiply"),
        (f'<!ENTITY x "{"ha" * 300}">', "an entity that may multiply"),
    ],
)
@pytest.mark.parametrize("padding", [0, 200_000])
def test_external_and_multiplying_entities_are_refused(tmp_path: Path, declared: str, why: str, padding: int) -> None:
    text = HEADER % (f"<!--{'-x' * (padding // 2)}-->" + declared) + CLASS % ("x", "&x;")
    text = text.replace("<!DOCTYPE", '<?note xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"?><!DOCTYPE')
    with pytest.raises(InputError, match=rf"given\.rdf, line \d+: refused: {why}"):
        list(rdf.read(write(tmp_path, text)))


def test_an_external_dtd_is_refused(tmp_path: Path) -> None:
    text = (HEADER % "").replace("rdf:RDF [  ]", 'rdf:RDF SYSTEM "http://127.0.0.1:9/x.dtd"') + CLASS % ("x", "x")
    with pytest.raises(InputError, match="refused: an external DTD"):
        list(rdf.read(write(tmp_path, text)))


@pytest.mark.parametrize(
    ("start", "nested"),
    [
        ((HEADER % "") + "<owl:Class>", "<rdfs:x><owl:Class>"),
        ('{"@id": "http://x/a", "@graph": ', "["),
        ("@prefix a: <http://a/> . a:b a:c ", "( [ a:d "),
        ("@prefix a: <http://a/> . a:b a:c ", "<< a:d a:e "),
    ],
)
def test_deep_nesting_is_an_input_error(tmp_path: Path, start: str, nested: str) -> None:
    with pytest.raises(InputError):
        list(rdf.read(write(tmp_path, start + nested * 100_000)))


def test_remote_contexts_are_not_fetched(tmp_path: Path) -> None:
    text = '{"@context": "http://127.0.0.1:9/context.jsonld", "@id": "http://example.org/a", "label": "a"}'
    with pytest.raises(InputError, match="not valid RDF"):
        list(rdf.read(write(tmp_path, text)))
    schema = '{"@context": {"@import": "http://127.0.0.1:9/c"}, "@id": "http://example.org/a", "label": "a"}'
    with pytest.raises(InputError, match="not valid RDF"):
        list(rdf.read(write(tmp_path, schema)))


def test_what_is_malformed_stops_or_is_left_out(tmp_path: Path) -> None:
    lines = [
        "@prefix : <http://example.org/a#> .",
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .",
        ':one rdfs:label "one" .',
        ":two rdfs:label .",
        ':three rdfs:label "three" .',
        ':four rdfs:label "four" .',
        ':five nobody:knows "five" .',
        ':six rdfs:label "six" .',
        ':seven rdfs:label "seven" .',
    ]
    path = write(tmp_path, "\n".join(lines), "given.ttl")
    with pytest.raises(InputError, match=r"given\.ttl, line 4: not valid RDF"):
        list(rdf.read(path))
    problems: list[Problem] = []
    found = {s.name for s in rdf.read(path, report=problems.append) if isinstance(s, Concept)}
    assert [p.line for p in problems] == [4, 7]
    assert {"one", "four", "seven"} <= found


@pytest.mark.parametrize("text", ["", "hello", "<html><body/></html>", "{}", "a\tb\n"])
def test_what_is_not_rdf(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="is not RDF"):
        list(rdf.read(write(tmp_path, text)))


def test_cut_off_xml_is_an_input_error(tmp_path: Path) -> None:
    for report in (stop, lambda problem: None):
        with pytest.raises(InputError, match=r"line \d+: not valid XML"):
            list(rdf.read(write(tmp_path, (HEADER % "" + CLASS % ("x", "x"))[:-12]), report=report))


def test_edges_say_where_an_axiom_has_them_from(tmp_path: Path) -> None:
    text = """@prefix : <urn:curie:HP:> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
    @prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix dct: <http://purl.org/dc/terms/> .
    :1 rdfs:label "one" ; <urn:whydx:has_phenotype> :2 ; <urn:whydx:semantic_type> "Disease or Syndrome" .
    :2 rdfs:label "two" ; <urn:whydx:may%20be/seen_in> :1 .
    [] a owl:Axiom ; owl:annotatedSource :1 ; owl:annotatedProperty <urn:whydx:has_phenotype> ;
       owl:annotatedTarget :2 ; dct:source "A" ; dct:bibliographicCitation "PMID:1" ; <urn:whydx:frequency> 0.25 .
    [] a owl:Axiom ; owl:annotatedSource :1 ; owl:annotatedProperty <urn:whydx:has_phenotype> ;
       owl:annotatedTarget :2 ; dct:source "B" ."""
    found = list(rdf.read(write(tmp_path, text)))
    relations = sorted((s for s in found if isinstance(s, Relation)), key=lambda r: r.source)
    assert [(r.source, r.reference, r.frequency) for r in relations] == [
        ("A", "PMID:1", 0.25),
        ("B", "", None),
        ("given", "", None),
    ]
    assert [(r.subject, r.predicate, r.object) for r in relations] == [
        ("HP:1", "has_phenotype", "HP:2"),
        ("HP:1", "has_phenotype", "HP:2"),
        ("HP:2", "may be/seen_in", "HP:1"),
    ]
    assert next(c.semantic_types for c in found if isinstance(c, Concept)) == ("Disease or Syndrome",)


@pytest.mark.parametrize(
    ("iri", "curie"),
    [
        ("http://purl.obolibrary.org/obo/HP_0002202", "HP:0002202"),
        ("https://purl.obolibrary.org/obo/BFO_0000050", "BFO:0000050"),
        ("http://snomed.info/id/60046008", "SNOMEDCT:60046008"),
        ("http://purl.bioontology.org/ontology/SNOMEDCT/60046008", "SNOMEDCT:60046008"),
        ("http://purl.bioontology.org/ontology/ICD10CM/J18.9", "ICD10CM:J18.9"),
        ("http://identifiers.org/umls/C0032227", "UMLS:C0032227"),
        ("https://identifiers.org/UMLS:C0032227", "UMLS:C0032227"),
        ("https://identifiers.org/mondo/MONDO:0005148", "MONDO:0005148"),
        ("https://bioregistry.io/CHEST:d1", "CHEST:d1"),
        ("urn:curie:OMIM:123", "OMIM:123"),
        ("http://www.orpha.net/ORDO/Orphanet_58", "ORPHA:58"),
        ("http://id.nlm.nih.gov/mesh/D010996", "MESH:D010996"),
        ("https://omim.org/entry/219700", "OMIM:219700"),
    ],
)
def test_iris_of_known_systems(iri: str, curie: str) -> None:
    assert curie_of_iri(iri) == curie


def test_other_iris_keep_their_namespace_apart() -> None:
    one, two = curie_of_iri("http://a.org/onto#X"), curie_of_iri("http://b.org/onto#X")
    assert one != two
    assert one.partition(":")[2] == two.partition(":")[2] == "X"
    assert curie_of_iri("https://a.org/onto#X") == one
    assert one == "onto-" + one[5:11] + ":X"


@given(st.text(min_size=1))
def test_every_iri_gives_a_curie(text: str) -> None:
    for iri in (text, "http://" + text, "http://purl.obolibrary.org/obo/" + text, "urn:curie:" + text):
        prefix, colon, local = curie_of_iri(iri).partition(":")
        assert prefix
        assert colon
        assert local
        assert not any(c.isspace() for c in prefix + local)
        assert canonical_curie(curie_of_iri(iri)) in (None, curie_of_iri(iri))


@pytest.mark.parametrize("encoding", ["u-tf-8", "iso-2022-jp", "utf-7", "hex"])
def test_xml_in_an_encoding_that_cannot_be_read_is_refused(tmp_path: Path, encoding: str) -> None:
    rdflib.Graph().parse(GLASS, format="turtle").serialize(tmp_path / "a.rdf", format="xml", encoding="utf-8")
    text = (tmp_path / "a.rdf").read_text(encoding="utf-8").replace('"utf-8"', f'"{encoding}"', 1)
    (tmp_path / "a.rdf").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="XML"):
        list(rdf.read(tmp_path / "a.rdf"))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["turtle", "xml", "nt", "json-ld"]),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 30), st.binary(max_size=8)), min_size=1, max_size=4),
)
@example("xml", [(31, 0, b"-")])  # encoding="u-tf-8"
def test_damaged_rdf_does_no_more_than_an_input_error(
    tmp_path: Path, form: str, edits: list[tuple[int, int, bytes]]
) -> None:
    path = tmp_path / f"plain.{form}"
    if not path.exists():
        rdflib.Graph().parse(GLASS, format="turtle").serialize(path, format=form, encoding="utf-8")
    data = path.read_bytes()
    for start, length, insert in edits:
        start %= len(data) + 1
        data = data[:start] + insert + data[start + length :]
    (tmp_path / "edited").write_bytes(data)
    for report in (stop, lambda problem: None):
        try:
            for statement in rdf.read(tmp_path / "edited", report=report):
                assert isinstance(statement, Concept | Term | Relation)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
