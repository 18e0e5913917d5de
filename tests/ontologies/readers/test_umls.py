"""A release of invented content, in the exact layouts of the Reference Manual."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Term
from ontologies.merging.merge import merge
from ontologies.readers import umls
from ontologies.sources.archive import members
from ontologies.staging import Staging

RELEASE = Path(__file__).parent / "umls"
GOLDEN = RELEASE / "golden.json"


def staged(folder: Path, **options: object) -> Staging:
    staging = Staging(**options)  # type: ignore[arg-type]
    umls.stage(members(folder), staging)
    return staging


def listing(staging: Staging) -> dict[str, list[str]]:
    """The merged release, one line for each statement."""
    merged = merge(staging)
    return {
        "concepts": [
            f"{c.curie} {c.name} {list(c.semantic_types)} {json.dumps(dict(c.codes))} {c.definition}"
            for c in merged.concepts()
        ],
        "terms": [f"{t.curie} {t.kind} {t.text} ({t.source})" for t in merged.terms()],
        "relations": [f"{r.subject} {r.predicate} {r.object} ({r.source})" for r in merged.relations()],
        "conflicts": [f"{c.kind} {list(c.curies)} {c.detail}" for c in merged.conflicts()],
    }


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "META"
    shutil.copytree(RELEASE, folder, ignore=shutil.ignore_patterns("*.json"))
    return folder


@pytest.fixture(scope="module")
def whole() -> Iterator[Staging]:
    with staged(RELEASE) as staging:
        yield staging


def test_the_release_becomes_the_golden_graph(whole: Staging) -> None:
    assert listing(whole) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_names_codes_and_types(whole: Staging) -> None:
    merged = merge(whole)
    concepts: dict[str, Concept] = {c.curie: c for c in merged.concepts()}
    disease = concepts["UMLS:C0900001"]
    assert disease.name == "Bellows disease of the lung", "SNOMED CT's preferred term ranks before MeSH's heading"
    assert disease.semantic_types == ("Disease or Syndrome", "Pathologic Function")
    assert disease.definition == "An invented disease in which the lungs creak."
    assert {system: disease.code(system) for system in ("SNOMEDCT", "MESH", "NCIT", "OMIM")} == {
        "SNOMEDCT": "900001",
        "MESH": "D900001",
        "NCIT": "C90001",
        "OMIM": "900900",
    }
    assert concepts["UMLS:C0900002"].codes["HP"] == ("0900002",)
    assert "UMLS:C0900005" not in concepts, "all its names are suppressible"
    kinds = {(t.text, t.kind) for t in merged.terms() if t.curie == "UMLS:C0900001"}
    assert kinds == {
        ("Bellows disease of the lung", "preferred"),
        ("Wheezing Bellows Disease", "exact"),
        ('Disorder of the "bellows"', "exact"),
        ("WBD", "abbreviation"),
        ("creaky lungs", "layperson"),
    }


def test_each_relationship_stands_once(whole: Staging) -> None:
    found = [(r.subject[-1], r.predicate, r.object[-1], r.source) for r in merge(whole).relations()]
    assert found == [
        ("1", "has_phenotype", "2", "OMIM"),
        ("1", "is_a", "3", "MSH2099"),
        ("1", "is_a", "3", "SNOMEDCT_US_2099"),
        ("2", "narrower_than", "4", "MTH"),
        ("2", "related_to", "4", "MTH"),
        ("4", "finding_site_of", "1", "SNOMEDCT_US_2099"),
    ]


def test_another_language(release: Path) -> None:
    with Staging() as staging:
        umls.stage(members(release), staging, languages=("SPA",))
        assert [t.text for t in merge(staging).terms()] == ["enfermedad de los fuelles"]
    with Staging() as staging, pytest.raises(InputError, match=r"no name in the release.*FRE"):
        umls.stage(members(release), staging, languages=("FRE",))


def test_compressed_releases_read_the_same(release: Path, tmp_path: Path, whole: Staging) -> None:
    zipped = tmp_path / "release.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in release.iterdir():
            archive.write(path, f"2099AA/META/{path.name}")
    for path in list(release.iterdir()):
        with gzip.open(path.with_name(f"{path.name}.gz"), "wb") as stream:
            stream.write(path.read_bytes())
        path.unlink()
    for place in (zipped, release):
        with staged(place) as staging:
            assert listing(staging) == listing(whole)


def test_an_empty_file_and_a_path_like_a_pattern(release: Path, tmp_path: Path) -> None:
    odd = release.rename(tmp_path / "UMLS [2099] *")
    (odd / "MRDEF.RRF").write_bytes(b"")
    with staged(odd) as staging:
        assert {c.definition for c in merge(staging).concepts()} == {""}


def test_a_damaged_archive_is_an_error(release: Path) -> None:
    path = release / "MRREL.RRF"
    packed = gzip.compress(path.read_bytes())
    path.with_name("MRREL.RRF.gz").write_bytes(packed[: len(packed) // 2])
    path.unlink()
    with Staging() as staging, pytest.raises(InputError, match="MRREL"):
        umls.stage(members(release), staging)


def test_only_mrconso_is_needed(release: Path) -> None:
    for path in release.iterdir():
        if path.name != "MRCONSO.RRF":
            path.unlink()
    with staged(release) as staging:
        merged = merge(staging)
        (name,) = (t.text for t in merged.terms() if t.curie == "UMLS:C0900004")
        assert name == "Left bellows"
        assert list(merged.relations()) == []
    (release / "MRCONSO.RRF").rename(release / "MRREL.RRF")
    with Staging() as staging, pytest.raises(InputError, match="MRCONSO"):
        umls.stage(members(release), staging)


BAD = {
    ("MRCONSO.RRF", 2): "C0900001|ENG|P|L1|PF|S1|",
    (
        "MRCONSO.RRF",
        9,
    ): "X0900002|ENG|S|L0000009|PF|S0000009|Y|A0000009|||HP:0900002|HPO|PT|HP:0900002|Rustling breath|0|N||",
    ("MRREL.RRF", 1): "C0900003|A|SCUI|CHD|C090|A|SCUI|isa|R||SNOMEDCT_US|SNOMEDCT_US||Y|N||",
    ("MRREL.RRF", 6): "C0900003|A|SCUI|CHD|C0900001|A|SCUI|isa|R||SNOMEDCT_US|SNOMEDCT_US||Y|N||too|many|",
    ("MRSTY.RRF", 3): "C0900002|T033|A2.2|Fin\udcffding|AT00000003|256|",
}


def spoil(release: Path) -> None:
    for (name, line), row in BAD.items():
        lines = (release / name).read_text(encoding="utf-8").splitlines(keepends=True)
        lines[line - 1] = f"{row}\n"
        (release / name).write_bytes("".join(lines).encode("utf-8", "surrogateescape"))


def test_malformed_rows_are_skipped_with_their_lines(release: Path) -> None:
    spoil(release)
    with staged(release, on_error="skip") as staging:
        assert {(p.file, p.line) for p in staging.problems()} == set(BAD)
        reasons = {p.line: p.reason for p in staging.problems() if p.file == "MRCONSO.RRF"}
        assert reasons == {2: "6 columns, not 18", 9: "CUI is no concept identifier"}
        merged = merge(staging)
        assert len([r for r in merged.relations() if r.predicate == "is_a"]) == 2
        terms: list[Term] = list(merged.terms())
        assert "Bellows disease of the lung" not in {t.text for t in terms}


def test_malformed_rows_stop_with_file_and_line(release: Path) -> None:
    spoil(release)
    with Staging() as staging, pytest.raises(InputError, match=r"MRCONSO\.RRF, line 2: 6 columns, not 18"):
        umls.stage(members(release), staging)
