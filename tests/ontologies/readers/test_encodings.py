"""Ontologies in other encodings than plain UTF-8 say the same; what says one encoding and is in another is refused."""

from __future__ import annotations

import codecs
import gzip
import shutil
from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Term
from ontologies.merging import registry
from ontologies.merging.merge import merge
from ontologies.problem import Problem
from ontologies.readers import hpoa, icd10cm, obo, rdf, snomed, sssom, umls
from ontologies.readers.kind import sniff
from ontologies.sources.archive import members
from ontologies.staging import Staging

NAME = "Ménétrier sign"
XML = """<?xml version="1.0"{declaration}?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
  xmlns:owl="http://www.w3.org/2002/07/owl#">
<owl:Class rdf:about="http://purl.obolibrary.org/obo/LT_0000001"><rdfs:label>{name}</rdfs:label></owl:Class>
</rdf:RDF>"""
TURTLE = f'@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n<http://x/1> rdfs:label "{NAME}" .\n'
TRIPLES = f'<http://x/1> <http://www.w3.org/2000/01/rdf-schema#label> "{NAME}" .\n'
JSON = f'{{"@id": "http://x/1", "http://www.w3.org/2000/01/rdf-schema#label": "{NAME}", "@graph": []}}'
OBO = f"format-version: 1.2\n\n[Term]\nid: LT:1\nname: {NAME}\n"
SSSOM = "subject_id\tpredicate_id\tobject_id\nMESH:D1\tskos:exactMatch\tHP:0002202\n"
HPOA = "\t".join(hpoa.COLUMNS) + f"\nOMIM:1\t{NAME}\t\tHP:0002202\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\n"
ICD = f"""<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><section id="K25-K29"><diag><name>K29</name><desc>{NAME}</desc></diag></section></ICD10CM.tabular>"""
SNOMED = Path(__file__).parent / "snomed_release"
UTF16 = codecs.BOM_UTF16_LE


def declared(encoding: str, quote: str = '"', name: str = NAME) -> str:
    return XML.format(declaration=f" encoding={quote}{encoding}{quote}", name=name)


def names(path: Path) -> list[str]:
    return [s.name for s in rdf.read(path) if isinstance(s, Concept)]


@pytest.mark.parametrize(
    ("said", "codec", "name"),
    [
        ("ISO-8859-1", "latin-1", NAME),
        ("latin1", "latin-1", NAME),
        ("Windows-1252", "cp1252", "Sjögren’s “dry” sign"),
        ("ISO-8859-15", "iso8859-15", "signe de l'œil"),
        ("iso-8859-2", "iso8859-2", "objaw Żółkowskiego"),
        ("KOI8-R", "koi8-r", "симптом стекла"),
        ("macintosh", "mac-roman", NAME),
        ("US-ASCII", "ascii", "plain sign"),
        ("GB18030", "gb18030", "毛玻璃影"),
        ("Shift_JIS", "shift_jis", "すりガラス影"),
        ("EUC-KR", "euc-kr", "간유리 음영"),
        ("UTF-16", "utf-16", NAME),
        ("utf-16", "utf-16-be", NAME),
        ("UTF-16LE", "utf-16-le", NAME),
        ("UTF-32", "utf-32", NAME),
        ("UTF-8", "utf-8-sig", NAME),
        ("ISO-8859-1", "utf-8-sig", NAME),
        ("UTF-16", "utf-8", NAME),
    ],
)
def test_xml_is_in_the_encoding_that_it_declares_unless_its_first_bytes_tell_another(
    tmp_path: Path, said: str, codec: str, name: str
) -> None:
    path = tmp_path / "given.owl"
    for quote in "\"'":
        path.write_bytes(declared(said, quote, name).encode(codec))
        assert sniff(path).kind == "rdf"
        assert names(path) == [name]
    (tmp_path / "given.owl.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert names(tmp_path / "given.owl.gz") == [name]


def test_xml_without_a_declaration_is_in_utf_8_or_by_its_mark(tmp_path: Path) -> None:
    for codec in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "given.owl").write_bytes(XML.format(declaration="", name=NAME).encode(codec))
        assert names(tmp_path / "given.owl") == [NAME]


def test_a_letter_may_lie_across_two_blocks(tmp_path: Path) -> None:
    padding = f"<!--{'-x' * 40_000}-->"
    for codec in ("utf-16", "gb18030", "utf-32"):
        for shift in range(4):
            text = declared("GB18030", name="影" * 40_000).replace("<owl:Class", f"{padding}{' ' * shift}<owl:Class")
            (tmp_path / "given.owl").write_bytes(text.encode(codec))
            assert names(tmp_path / "given.owl") == ["影" * 40_000]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (declared("UTF-8").encode("latin-1"), r"given\.owl, line 4: not valid XML \(not UTF-8"),
        (XML.format(declaration="", name=NAME).encode("latin-1"), r"line 4: not valid XML \(not UTF-8"),
        (declared("ISO-8859-1").encode(), r"given\.owl is in UTF-8, and its XML declaration says that it is not"),
        (declared("US-ASCII").encode(), r"line 4: not ASCII, which its XML declaration says: .*xc3"),
        (declared("EUC-KR").encode("latin-1"), r"line 4: not EUC_KR"),
        (declared("UTF-16").encode("utf-16")[:-1], r"line 5: not UTF-16-LE, which its byte order mark says"),
        (declared("UTF-7").encode(), r"declares an encoding that is not read: 'UTF-7'.*run: xmllint --encode UTF-8"),
        (declared("cp037").encode(), r"declares an encoding that is not read: 'cp037'"),
        (declared("unicode_escape").encode(), r"declares an encoding that is not read: 'unicode_escape'"),
        (declared("no-such").encode(), r"declares an encoding that is not read: 'no-such'"),
    ],
)
def test_what_is_not_in_the_encoding_it_declares_is_refused_in_one_line(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "given.owl").write_bytes(data)
    for read in (lambda path: list(rdf.read(path)), lambda path: registry.add(tmp_path / "home", path)):
        with pytest.raises(InputError, match=why) as caught:
            read(tmp_path / "given.owl")
        assert "\n" not in str(caught.value)
    assert registry.entries(tmp_path / "home") == ()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "kind", "counts"),
    [
        (TURTLE, "rdf", (1, 1, 0)),
        (TRIPLES, "rdf", (1, 1, 0)),
        (JSON, "rdf", (1, 1, 0)),
        (OBO, "obo", (1, 1, 0)),
        (SSSOM, "sssom", (0, 0, 1)),
        (HPOA, "hpoa", (1, 1, 1)),
        (ICD, "icd10cm", (1, 1, 1)),
    ],
)
def test_a_byte_order_mark_changes_nothing(
    tmp_path: Path, codec: str, end: str, text: str, kind: str, counts: tuple[int, int, int]
) -> None:
    path = tmp_path / "given.txt"
    path.write_bytes(text.replace("\n", end).encode(codec))
    read = {"rdf": rdf, "obo": obo, "sssom": sssom, "hpoa": hpoa, "icd10cm": icd10cm}[kind].read
    assert {s.name for s in read(path) if isinstance(s, Concept)} == ({NAME} if counts[0] else set())
    entry = registry.add(tmp_path / "home", path)
    assert (entry.kind, (entry.concepts, entry.terms, entry.relations)) == (kind, counts)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_snomed_release_with_byte_order_marks(tmp_path: Path, codec: str) -> None:
    shutil.copytree(SNOMED, tmp_path / "release")
    for path in (tmp_path / "release").rglob("*.txt"):
        path.write_bytes(path.read_text(encoding="utf-8").encode(codec))
    assert list(snomed.read(tmp_path / "release")) == list(snomed.read(SNOMED))


def test_umls_files_with_byte_order_marks(tmp_path: Path) -> None:
    row = f"C0000001|ENG|P|L1|PF|S1|Y|A1||||MSH|MH|D1|{NAME}|0|N||\n"
    for packed in (False, True):
        folder = tmp_path / f"META{packed}"
        folder.mkdir()
        data = codecs.BOM_UTF8 + row.encode()
        (folder / ("MRCONSO.RRF.gz" if packed else "MRCONSO.RRF")).write_bytes(gzip.compress(data) if packed else data)
        with Staging() as staging:
            umls.stage(members(folder), staging)
            assert [t.text for t in merge(staging).terms() if isinstance(t, Term)] == [NAME]


def test_a_line_that_is_not_utf_8_says_how_to_convert(tmp_path: Path) -> None:
    (tmp_path / "given.obo").write_bytes(OBO.encode("latin-1"))
    with pytest.raises(InputError, match=r"given\.obo, line 5: not UTF-8: .*; expected text in UTF-8, .*iconv"):
        list(obo.read(tmp_path / "given.obo"))
    problems: list[Problem] = []
    assert list(obo.read(tmp_path / "given.obo", report=problems.append)) == []
    assert [p.line for p in problems] == [5]


def test_the_shared_cases_of_other_encodings(shared_data: Path) -> None:
    folder = shared_data / "field_cases" / "74-latin1-owl"
    if not folder.is_dir():
        pytest.skip("no field cases in the development data")
    assert names(folder / "20-latin1.owl") == [NAME]
    assert names(folder / "21-utf16.owl") == ["crescent sign"]
