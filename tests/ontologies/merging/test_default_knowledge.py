"""The fetched sources, read and merged as they are: against counts and poolings made another way."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest

from errors import SourceError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.merging import kept, registry
from ontologies.sources import store
from ontologies.sources.store import member_path
from ontologies.staging import Staging

from . import merge_oracle
from .listing import merge
from .merge_oracle import Merged

REPOSITORY = Path(__file__).resolve().parents[3]


class _Kept(Staging):
    """A staging that keeps the statements it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[Statement] = []

    def add(self, statements: Iterable[Statement]) -> None:
        self.statements += statements


@pytest.fixture(scope="module")
def fetched() -> Path:
    """The test home with the sources fetched, but nothing built from them: these tests need no more."""
    folder = Path(os.environ.get("WHYDX_TEST_HOME") or REPOSITORY / ".cache" / "test-home")
    try:
        store.fetch(folder)
    except SourceError as error:
        pytest.skip(f"sources cannot be fetched: {error}")
    return folder


@pytest.fixture(scope="module")
def statements(fetched: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Statement]:
    home = tmp_path_factory.mktemp("home")  # the fetched sources without anybody's own ontologies
    (home / "sources").symlink_to(fetched / "sources", target_is_directory=True)
    with _Kept() as staging, pytest.MonkeyPatch.context() as patch:
        # Tables kept from another reading would not go through ``add``.
        patch.setattr(kept, "stage", lambda folder, source, read, staging: staging.add(read()))
        registry.stage(home, staging)
        return staging.statements


@pytest.fixture(scope="module")
def merged(statements: list[Statement]) -> Merged:
    return merge(statements)


def test_all_sources_are_ready(fetched: Path) -> None:
    assert {s.state for s in store.status(fetched, verify=True)} == {"ready"}


def test_the_documentation_names_every_source() -> None:
    page = " ".join((REPOSITORY / "docs" / "sources.md").read_text(encoding="utf-8").split())
    for known in store.SOURCES:
        for text in (known.name, known.version, f"{known.package}=={known.release}", known.licence, known.citation):
            assert " ".join(text.split()) in page, f"{known.name}: {text}"
        for member in known.members:
            assert f"`{member.name}`" in page


def test_counts_of_hpo(fetched: Path, statements: list[Statement]) -> None:
    """Against the lines of the file."""
    text = member_path(fetched, "hpo", "hp.obo").read_text(encoding="utf-8")
    live = [t for t in text.split("\n[Term]\n")[1:] if "\nis_obsolete: true" not in t.split("\n[Typedef]")[0]]
    concepts = {s.curie: s for s in statements if isinstance(s, Concept) and s.curie.startswith("HP:")}
    assert len(concepts) == len(live) == 19_034
    hpo = [s for s in statements if not isinstance(s, Concept) and s.source == "HPO 2025-01-16"]
    found = Counter(s.object.partition(":")[0] for s in hpo if isinstance(s, Relation) and s.predicate == "xref")
    for prefix, system in (("UMLS", "UMLS"), (r"SNOMED(?:CT_US|_CT)", "SNOMEDCT")):
        assert found[system] == sum(len(set(re.findall(rf"^xref: {prefix}:(\S+)", t, re.MULTILINE))) for t in live)
    synonyms = sum(len(re.findall(r"^synonym: (?!.*obsolete_synonym)", t, re.MULTILINE)) for t in live)
    assert sum(isinstance(s, Term) for s in hpo) == len(live) + synonyms


def test_pooled_annotations(fetched: Path, merged: Merged) -> None:
    """The pooling of phenotype.hpoa, again, with exact fractions and another parser."""
    midpoint = {
        "HP:0040280": "1",
        "HP:0040281": ".895",
        "HP:0040282": ".545",
        "HP:0040283": ".17",
        "HP:0040284": ".025",
    }
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    shares: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    pairs: set[tuple[str, str]] = set()
    with open(member_path(fetched, "hpo", "phenotype.hpoa"), encoding="utf-8") as lines:
        rows = csv.DictReader((line for line in lines if line[0] != "#"), delimiter="\t", quoting=csv.QUOTE_NONE)
        for row in rows:
            if row["aspect"] != "P" or row["qualifier"] == "NOT":
                continue
            pair = (merged.alias[row["database_id"]], merged.alias[row["hpo_id"]])
            if pair[0] == pair[1]:
                continue  # a disease that is a phenotype too says nothing of itself
            pairs.add(pair)
            frequency = row["frequency"]
            if "/" in frequency:
                for i, n in enumerate(frequency.split("/")):
                    counts[pair][i] += int(n)
            elif frequency.endswith("%"):
                shares[pair].append(Fraction(frequency[:-1]) / 100)
            elif frequency:
                shares[pair].append(Fraction(midpoint[frequency]))
    found = {
        (r.subject, r.object): r
        for r in merged.relations
        if r.source.startswith("HPOA") and r.predicate == "has_phenotype"
    }
    never = {pair for pair, (shown, examined) in counts.items() if examined and not shown}
    assert found.keys() == pairs - never
    for pair, relation in found.items():
        shown, examined = counts[pair]
        if examined:
            assert relation.count == (shown, examined)
            assert relation.frequency == shown / examined
        elif shares[pair]:
            assert relation.frequency == pytest.approx(float(sum(shares[pair]) / len(shares[pair])), abs=1e-12)
        else:
            assert relation.frequency is None


def test_codes_of_the_icd_tabular_list(fetched: Path, statements: list[Statement]) -> None:
    text = member_path(fetched, "icd10cm", "icd10c-tabular-April-1-2026.xml").read_text(encoding="utf-8")
    codes = re.findall(r"<diag[^>]*>\s*<name>([^<]+)</name>", text)
    blocks = re.findall(r'<section id="([^"]+-[^"]+)">', text)
    found = [s.curie for s in statements if isinstance(s, Concept) and s.curie.startswith("ICD10CM:")]
    assert Counter(found) == Counter(f"ICD10CM:{code}" for code in (*codes, *blocks))
    assert len(found) > 47_000


@pytest.mark.parametrize(
    ("hp", "umls", "snomed"),
    [
        ("HP:0002202", "C0032227", "60046008"),  # pleural effusion
        ("HP:0001640", "C0018800", "8186001"),  # cardiomegaly
        ("HP:0002107", "C0032326", "36118008"),  # pneumothorax
        ("HP:0002090", "C0032285", "233604007"),  # pneumonia
        ("HP:0100750", "C0004144", "46621007"),  # atelectasis
    ],
)
def test_findings_have_umls_and_snomed_codes(merged: Merged, hp: str, umls: str, snomed: str) -> None:
    concepts = {c.curie: c for c in merged.concepts}
    assert merged.alias[hp] == merged.alias[f"SNOMEDCT:{snomed}"] == f"UMLS:{umls}"
    codes = concepts[f"UMLS:{umls}"].codes
    assert (codes["HP"], codes["UMLS"], codes["SNOMEDCT"]) == ((hp[3:],), (umls,), (snomed,))


def test_no_two_described_concepts_of_one_system_are_one(statements: list[Statement], merged: Merged) -> None:
    described = {s.curie for s in statements if isinstance(s, Concept)}
    together = Counter((merged.alias[curie], curie.partition(":")[0]) for curie in described)
    assert set(together.values()) == {1}


def test_every_annotation_finds_its_phenotype(merged: Merged) -> None:
    unknown = [c for c in merged.conflicts if c.kind == "unknown concept"]
    assert unknown == []


@pytest.mark.slow
def test_merging_by_sql_agrees_with_plain_python(statements: list[Statement], merged: Merged) -> None:
    """All of it, field by field."""
    expected = merge_oracle.merge(statements)
    for one, two in zip(merged.concepts, expected.concepts, strict=True):
        assert (one.curie, one.name, one.semantic_types, one.definition) == (
            two.curie,
            two.name,
            two.semantic_types,
            two.definition,
        )
        assert list(one.codes.items()) == list(two.codes.items())
    assert merged.terms == expected.terms
    assert merged.relations == expected.relations
    assert merged.alias == expected.alias
    assert merged.conflicts == expected.conflicts


# What a clinician types first, and the label of PadChest that means the same, with a code for no more than a film.
TYPED_FIRST = {
    "ground glass opacity": "ground glass pattern",
    "consolidation": "consolidation",
    "pulmonary nodule": "nodule",
    "cavitation": "cavitation",
    "pleural effusion": None,
    "atelectasis": "atelectasis",
    "pneumothorax": None,
    "lymphadenopathy": None,
    "cardiomegaly": "cardiomegaly",
    "pleural thickening": "pleural thickening",
}
# No packaged source gives these one, of 27 November 2026.
WITHOUT_UMLS = {"ground glass opacity", "consolidation", "pulmonary nodule", "cavitation", "pleural thickening"}


def _typed(merged: Merged) -> dict[str, Concept]:
    """Each of these names, and the concept that has it."""
    named = {t.text.casefold(): t.curie for t in merged.terms if t.kind in ("preferred", "exact")}
    concepts = {c.curie: c for c in merged.concepts}
    return {name: concepts[named[name]] for name in TYPED_FIRST}


def test_what_is_typed_first_has_a_umls_code_where_a_source_gives_one(
    statements: list[Statement], merged: Merged
) -> None:
    given: dict[str, set[str]] = defaultdict(set)
    for s in statements:
        if isinstance(s, Relation) and s.predicate == "xref" and s.object.startswith("UMLS:"):
            given[merged.alias.get(s.subject, s.subject)].add(s.object.removeprefix("UMLS:"))
    without = set()
    for name, concept in _typed(merged).items():
        codes = set(concept.codes.get("UMLS", ()))
        assert codes <= given[concept.curie], name
        assert bool(codes) == bool(given[concept.curie]), name
        without |= set() if codes else {name}
    assert without <= WITHOUT_UMLS


def test_these_codes_are_those_of_padchest(merged: Merged, shared_data: Path) -> None:
    path = shared_data / "names" / "padchest_labels.jsonl"
    if not path.is_file():
        pytest.skip("no labels of PadChest in the development data")
    labels: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        labels[row["label"]] |= {concept["cui"] for concept in row["concepts"]}
    compared = 0
    for name, concept in _typed(merged).items():
        if (label := TYPED_FIRST[name]) and (codes := set(concept.codes.get("UMLS", ()))):
            assert codes & labels[label], name
            compared += 1
    assert compared >= 2
