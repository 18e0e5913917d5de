from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from errors import ArtifactError, InputError, SourceError
from indexes import manifest
from retrieval import literature
from retrieval.encoder import PACKAGED_SHA256, Encoder
from retrieval.literature import Literature

CHEST = frozenset({"T:effusion", "T:pneumothorax", "T:pneumonia"})
PAPERS = [
    ("11", "Pleural effusion in heart failure.", "Effusion was common. Fever was not. No pneumothorax was seen."),
    ("12", "Spontaneous pneumothorax in young men.", "Recurrence is frequent after aspiration."),
    ("13", "Pneumonia and pleural effusion.", "Effusion followed pneumonia in a third. Fever lasted five days."),
    ("14", "Wheat prices.", "Pneumonia is mentioned, but not in the title."),
    ("15", "Pneumonia without an abstract.", ""),
    ("17", "A case report.", "Pneumonia was suspected. Pneumonia was found."),
    ("16", "No pneumothorax after biopsy.", "There was none."),
]  # fmt: skip


def xml(papers: list[tuple[str, str, str]]) -> str:
    body = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><Journal><JournalIssue><PubDate><Year>2020</Year>"
        f"</PubDate></JournalIssue><Title>Chest</Title></Journal><ArticleTitle>{title}</ArticleTitle>"
        f"<Abstract><AbstractText>{abstract}</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
        for pmid, title, abstract in papers
    )
    return f"<PubmedArticleSet>{body}</PubmedArticleSet>"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, linker: Any) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "one.xml").write_text(xml(PAPERS))
    (home / "two.xml").write_text(
        xml([("12", "Spontaneous pneumothorax in tall young men.", "Recurrence is frequent.")])
    )
    literature.build(home, linker, CHEST, paths=[home / "one.xml", home / "two.xml"])
    return home


def test_what_is_kept_and_counted(built: Path) -> None:
    index = Literature.open(built)
    assert index.index.lexical.ids == ("PMID:11", "PMID:12", "PMID:13", "PMID:17")
    counts = index.index.manifest.settings["counts"]
    assert counts == {
        "citations": 8,
        "with_abstract": 7,
        "title_in_chest": 4,  # the two versions of PMID 12 count twice
        "abstract_in_chest": 1,
        "indexed": 4,
    }
    assert index.index.manifest.inputs["encoder"] == PACKAGED_SHA256
    assert index.index.manifest.inputs["one.xml"] == manifest.file_sha256(built / "one.xml")


def test_common_topics_do_not_crowd_out_rare_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literature, "PER_CONCEPT", 2)
    spoken = {f"PMID:{i}": ["A", "A"] for i in range(5)} | {"PMID:9": ["A", "B"], "PMID:7": ["C"]}
    assert literature._choose(spoken, 99) == ["PMID:9", "PMID:4", "PMID:7"]
    assert literature._choose(spoken, 2) == ["PMID:9", "PMID:4"]


def test_a_document(built: Path) -> None:
    hit = Literature.open(built).search("effusion in heart failure", k=1)[0]
    document = hit.document
    assert (document.doc_id, document.source_curie, document.kind) == ("PMID:11", "PMID:11", "literature")
    assert document.concepts == ("T:effusion", "T:fever")  # the absent pneumothorax is not asserted
    assert document.metadata == {"title": PAPERS[0][1], "journal": "Chest", "year": "2020"}
    assert (hit.rank, set(hit.explanation)) == (1, {"bm25", "grams", "dense"})


def test_a_newer_version_replaces(built: Path) -> None:
    assert "tall" in Literature.open(built).search("pneumothorax", k=1)[0].document.title


def test_words_meaning_and_concepts(built: Path) -> None:
    index = Literature.open(built)
    assert index.search("collapsed lung in adolescents", k=1)[0].document.doc_id == "PMID:12"
    hits = index.search("", concepts=["T:pneumonia", "T:effusion"])
    assert [hit.document.doc_id for hit in hits] == ["PMID:13", "PMID:17", "PMID:11"]
    assert set(hits[0].explanation) == {"concepts"}
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].score >= hits[1].score
    assert index.search("", concepts=["T:unknown"]) == ()
    assert [h.document.doc_id for h in index.search("effusion", exclude=["PMID:13", "PMID:12", "PMID:17"])] == [
        "PMID:11"
    ]
    assert len(index.search("effusion", k=99)) == 4
    assert index.mentions("T:pneumonia")
    assert not index.mentions("T:cardiomegaly")


def test_only_papers_about_a_concept(built: Path) -> None:
    literature = Literature.open(built)
    everything = literature.search("pneumonia", k=50)
    concept = next(c for hit in everything for c in hit.document.concepts)
    about = literature.search("a question of something else", k=50, about=concept)
    expected = {
        d.doc_id for d in (literature.index.documents[i] for i in range(len(literature))) if concept in d.concepts
    }
    assert {hit.document.doc_id for hit in about} >= expected > set()
    assert literature.search("pneumonia", about="UMLS:C9999999") == ()


def test_same_question_same_answer(built: Path) -> None:
    one, two = (Literature.open(built).search("fever and effusion", concepts=["T:fever"]) for _ in range(2))
    assert one == two


def test_best_sentence(built: Path) -> None:
    index = Literature.open(built)
    document = next(d for d in index.index.documents if d.doc_id == "PMID:13")
    assert index.best_sentence(document, "fever pneumonia days") == "Fever lasted five days."
    assert index.best_sentence(document, "wheat") == document.title


def test_bad_queries(built: Path) -> None:
    index = Literature.open(built)
    with pytest.raises(InputError, match="nothing to search for"):
        index.search("  ")
    with pytest.raises(InputError, match="k is too small"):
        index.search("effusion", k=0)


def test_sources_that_are_not_there(tmp_path: Path, linker: Any) -> None:
    with pytest.raises(SourceError, match="whydx data fetch"):
        literature.build(tmp_path, linker, CHEST)
    with pytest.raises(ArtifactError, match="whydx index build"):
        Literature.open(tmp_path)
    (tmp_path / "none.xml").write_text(xml(PAPERS[3:4]))
    with pytest.raises(InputError, match="about the chest"):
        literature.build(tmp_path, linker, CHEST, paths=[tmp_path / "none.xml"])
    assert not literature.folder(tmp_path).exists()


def test_same_input_same_bytes(built: Path, tmp_path: Path, linker: Any) -> None:
    literature.build(tmp_path, linker, CHEST, paths=[built / "one.xml", built / "two.xml"])
    one, two = (
        {p.relative_to(h): p.read_bytes() for p in sorted(literature.folder(h).rglob("*")) if p.is_file()}
        for h in (built, tmp_path)
    )
    assert one == two


def test_another_encoder_is_refused(built: Path) -> None:
    other = Encoder("other", "0" * 64, 384, lambda texts, longest, progress: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ArtifactError, match="another encoder"):
        Literature.open(built, encoder=other)


def test_a_flipped_byte_anywhere_is_one_line(built: Path) -> None:
    files = sorted(path for path in literature.folder(built).rglob("*") if path.is_file())
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(ArtifactError, match="whydx index build") as caught:
            Literature.open(built)
        assert path.name in str(caught.value)
        path.write_bytes(content[:middle])
        with pytest.raises(ArtifactError, match="whydx index build"):
            Literature.open(built)
        path.write_bytes(content)
    assert json.loads((literature.folder(built) / "manifest.json").read_text())["kind"] == literature.KIND
    Literature.open(built)


NOTES = """<PubmedArticleSet>{papers}{notices}<DeleteCitation><PMID>27</PMID></DeleteCitation></PubmedArticleSet>"""
NOTICES = {  # of papers 21 to 26: what their own record says, or another's
    "21": '<CommentsCorrections RefType="RetractionIn"><RefSource>J</RefSource><PMID>90</PMID></CommentsCorrections>',
    "22": "",  # only its publication type says so
    "23": '<CommentsCorrections RefType="ErratumIn"><RefSource>J. 2021;3</RefSource></CommentsCorrections>',
    "24": '<CommentsCorrections RefType="ExpressionOfConcernIn"><PMID>91</PMID></CommentsCorrections>',
    "25": "",  # only its notice says so
    "26": '<CommentsCorrections RefType="CommentIn"><PMID>92</PMID></CommentsCorrections>',
    "27": "",  # deleted
}
STATUS = {"21": "retracted", "22": "retracted", "23": "corrected", "24": "expression of concern", "25": "retracted"}


def _article(pmid: str, title: str, abstract: str, kind: str, corrections: str) -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><ArticleTitle>{title}</ArticleTitle><Abstract>"
        f"<AbstractText>{abstract}</AbstractText></Abstract><PublicationTypeList><PublicationType>{kind}"
        f"</PublicationType></PublicationTypeList></Article><CommentsCorrectionsList>{corrections}"
        "</CommentsCorrectionsList></MedlineCitation></PubmedArticle>"
    )


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory, linker: Any) -> Literature:
    home = tmp_path_factory.mktemp("corrected")
    papers = "".join(
        _article(
            pmid,
            f"Pneumonia of kind {pmid}." if pmid != "26" else "Treatment of pneumonia, in another way.",
            "Zinc cures pneumonia at once." if pmid != "26" else "Some had fever for a week or two.",
            "Retracted Publication" if pmid == "22" else "Journal Article",
            corrections,
        )
        for pmid, corrections in NOTICES.items()
    )
    of_25 = '<CommentsCorrections RefType="RetractionOf"><PMID>25</PMID></CommentsCorrections>'
    notices = "".join(
        _article(pmid, "Retraction: zinc cures pneumonia.", "Zinc does not cure pneumonia.", kind, corrections)
        for pmid, kind, corrections in [
            ("90", "Retraction of Publication", ""),
            ("91", "Expression of Concern", ""),
            ("92", "Published Erratum", ""),
            ("93", "Retraction of Publication", of_25),
        ]
    )
    (home / "set.xml").write_text(NOTES.format(papers=papers, notices=notices))
    literature.build(home, linker, CHEST, paths=[home / "set.xml"])
    return Literature.open(home)


def test_notices_and_what_was_deleted_are_no_papers(corrected: Literature) -> None:
    assert corrected.index.lexical.ids == tuple(f"PMID:{n}" for n in range(21, 27))


def test_what_became_of_a_paper_is_said(corrected: Literature) -> None:
    found = {d.doc_id.removeprefix("PMID:"): d.metadata for d in corrected.index.documents}
    assert {name: data["status"] for name, data in found.items() if "status" in data} == STATUS
    linked = {name: data["notices"] for name, data in found.items() if "notices" in data}
    assert linked == {"21": "PMID:90", "23": "J. 2021;3", "24": "PMID:91", "25": "PMID:93"}


def test_retracted_papers_come_last_or_not_at_all(corrected: Literature) -> None:
    hits = corrected.search("zinc cures pneumonia", k=6)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6]
    names = [hit.document.doc_id.removeprefix("PMID:") for hit in hits]
    assert sorted(names[:2]) == ["23", "24"]
    assert sorted(names[3:]) == ["21", "22", "25"]
    assert [hit.score for hit in hits[3:]] == [0, 0, 0]
    assert all(hit.score > 0 for hit in hits[:3])
    usable = corrected.search("zinc cures pneumonia", k=6, retracted=False)
    assert [hit.document.doc_id for hit in usable] == [hit.document.doc_id for hit in hits[:3]]
    assert corrected.search("PMID:21", retracted=False) == ()
    assert corrected.search("PMID:21")[0].document.metadata["status"] == "retracted"


def test_retracted_papers_are_marked_for_a_reader(corrected: Literature) -> None:
    from reports.table import hit_text

    hits = {hit.document.doc_id: hit_text(hit).plain for hit in corrected.search("zinc cures pneumonia", k=6)}
    assert hits["PMID:21"].startswith("RETRACTED: Pneumonia")
    assert "see PMID:90" in hits["PMID:21"]
    assert hits["PMID:24"].startswith("EXPRESSION OF CONCERN: ")
    assert hits["PMID:26"].startswith("Treatment of pneumonia")


def test_an_index_without_pieces_of_words_is_built_anew(tmp_path: Path) -> None:
    from retrieval.document import Document
    from retrieval.hybrid import HybridIndex

    paper = Document(doc_id="PMID:1", kind="literature", title="Pneumonia", text="It was.", source_curie="PMID:1")
    HybridIndex.build([paper], literature.folder(tmp_path), kind=literature.KIND)
    with pytest.raises(ArtifactError, match="earlier version"):
        Literature.open(tmp_path)
