from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from errors import InputError
from retrieval import medline
from retrieval.medline import Citation, Correction

XML = """<?xml version="1.0" encoding="utf-8"?>
<PubmedArticleSet>
<PubmedArticle><MedlineCitation><PMID Version="1">101</PMID><Article>
<Journal><JournalIssue><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue>
<Title>Chest</Title></Journal>
<ArticleTitle>CO<sub>2</sub> retention in
  <i>COPD</i>.</ArticleTitle>
<Abstract><AbstractText Label="AIM">To measure &lt;1%.</AbstractText><AbstractText Label="RESULTS"/>
<AbstractText>It rose.</AbstractText></Abstract>
</Article></MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID>102</PMID><Article><ArticleTitle/>
<VernacularTitle>Pneumotórax.</VernacularTitle></Article>
<CommentsCorrectionsList><CommentsCorrections><PMID>999</PMID></CommentsCorrections></CommentsCorrectionsList>
</MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><Article><ArticleTitle>No identifier</ArticleTitle>
</Article></MedlineCitation></PubmedArticle>
<DeleteCitation><PMID>5</PMID></DeleteCitation>
</PubmedArticleSet>"""

EXPECTED = [
    Citation(
        pmid="101",
        title="CO2 retention in COPD.",
        abstract="AIM: To measure <1%. It rose.",
        journal="Chest",
        year="1998",
    ),
    Citation(pmid="102", title="Pneumotórax.", abstract="", journal="", year=""),
]


@pytest.mark.parametrize("name", ["m.xml", "m.xml.gz"])
def test_fields(tmp_path: Path, name: str) -> None:
    content = XML.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(medline.read(tmp_path / name)) == EXPECTED


def test_a_file_it_cannot_read_is_one_line(tmp_path: Path) -> None:
    whole = gzip.compress(XML.encode())
    for name, content in [
        ("cut.xml.gz", whole[:-40]),
        ("text.xml.gz", b"hello"),
        ("text.xml", b"hello"),
        ("e.xml", b""),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="MEDLINE") as caught:
            list(medline.read(tmp_path / name))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError):
        list(medline.read(tmp_path / "missing.xml.gz"))


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    bomb = XML.replace(
        "<PubmedArticleSet>", f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><PubmedArticleSet>', 1
    ).replace("It rose.", "&e;")
    (tmp_path / "m.xml").write_text(bomb)
    assert "secret" not in next(iter(medline.read(tmp_path / "m.xml"))).abstract


CORRECTED = """<PubmedArticleSet>
<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><PublicationTypeList>
<PublicationType>Journal Article</PublicationType><PublicationType>Retracted Publication</PublicationType>
</PublicationTypeList></Article><CommentsCorrectionsList>
<CommentsCorrections RefType="Cites"><PMID>8</PMID></CommentsCorrections>
<CommentsCorrections RefType="ErratumIn"><RefSource>Chest. 2020;1:2</RefSource></CommentsCorrections>
<CommentsCorrections RefType="RetractionIn"><RefSource>Chest. 2021</RefSource><PMID>2</PMID></CommentsCorrections>
</CommentsCorrectionsList></MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID>2</PMID><Article><Journal><Title>Chest</Title></Journal><PublicationTypeList>
<PublicationType>Retraction of Publication</PublicationType></PublicationTypeList></Article><CommentsCorrectionsList>
<CommentsCorrections RefType="RetractionOf"><PMID>1</PMID></CommentsCorrections>
<CommentsCorrections RefType="ErratumFor"><RefSource>without a PMID</RefSource></CommentsCorrections>
</CommentsCorrectionsList></MedlineCitation></PubmedArticle>
<DeleteCitation><PMID>5</PMID><PMID>6</PMID></DeleteCitation></PubmedArticleSet>"""


def test_corrections_and_deletions(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text(CORRECTED)
    deleted: set[str] = set()
    paper, notice = medline.read(tmp_path / "m.xml", deleted=deleted)
    assert paper.corrections == (
        Correction(kind="ErratumIn", pmid="", source="Chest. 2020;1:2"),
        Correction(kind="RetractionIn", pmid="2", source="Chest. 2021"),
    )
    assert paper.is_retracted
    assert not paper.is_notice
    assert medline.fate(paper.corrections) == "retracted"
    assert notice.is_notice
    assert not notice.is_retracted
    assert dict(notice.corrects) == {"1": Correction(kind="RetractionIn", pmid="2", source="Chest")}
    assert deleted == {"5", "6"}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), ""),
        (("UpdateIn",), "updated"),
        (("UpdateIn", "ErratumIn"), "corrected"),
        (("ErratumIn", "ExpressionOfConcernIn"), "expression of concern"),
        (("ExpressionOfConcernIn", "RetractionIn"), "retracted"),
        (("PartialRetractionIn",), "partly retracted"),
        (("RetractedandRepublishedIn",), "retracted"),
    ],
)
def test_the_worst_correction_counts(kinds: tuple[str, ...], expected: str) -> None:
    assert medline.fate([Correction(kind=kind, pmid="", source="") for kind in kinds]) == expected
