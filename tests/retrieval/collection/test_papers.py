"""A researcher's papers, whatever they were saved as."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from errors import InputError
from retrieval.collection import papers
from retrieval.collection.record import Record
from retrieval.collection.sources import Sources, kind_of, read

NBIB = """
PMID- 12345678
OWN - NLM
DP  - 2020 Jan-Feb
TI  - Tension pneumothorax in
      ventilated patients.
LID - S0000-0000(20)1 [pii]
LID - 10.1000/xyz [doi]
AB  - A tension pneumothorax is an emergency - it
      is treated at once.
AU  - Miller A
AU  - Jones B
TA  - Chest
JT  - Chest journal

PMID- 2
TI  - Another.
"""
RIS = """TY  - JOUR
T1  - Pleural effusion in heart failure
AB  - Effusions are bilateral.
JO  - Chest
PY  - 2019/03/01
DO  - 10.1000/ABC
ER  -\x20

TY  - BOOK
TI  - A book without an identifier
ER  -\x20
"""
MEDLINE = """<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article>
<Journal><JournalIssue><PubDate><Year>2001</Year></PubDate></JournalIssue><Title>J</Title></Journal>
<ArticleTitle>Effusion</ArticleTitle><Abstract><AbstractText>Text.</AbstractText></Abstract></Article>
</MedlineCitation></PubmedArticle></PubmedArticleSet>"""
PUBTATOR = "99|t|Fever and effusion.\n99|a|Both are common.\n99\t0\t5\tFever\tPhenotype\tHP:0001945\n"
BEIR = '{"_id": "d1", "title": "Effusion", "text": "Pleural."}\n'


def saved(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def of(path: Path) -> list[Record]:
    return list(papers.read(path, path.stem))


def test_a_retracted_paper_is_marked(tmp_path: Path) -> None:
    nbib = "PMID- 9\nTI  - Fraud\nPT  - Journal Article\nPT  - Retracted Publication\n"
    (paper,) = of(saved(tmp_path / "a.nbib", nbib))
    assert paper.metadata["status"] == "retracted"
    correction = '<CommentsCorrections RefType="RetractionIn"><PMID>8</PMID></CommentsCorrections>'
    listed = f"<CommentsCorrectionsList>{correction}</CommentsCorrectionsList></MedlineCitation>"
    (paper,) = of(saved(tmp_path / "a.xml", MEDLINE.replace("</MedlineCitation>", listed)))
    assert paper.metadata["status"] == "retracted"


def test_a_notice_is_no_paper_and_marks_the_one_it_is_about(tmp_path: Path) -> None:
    paper = MEDLINE.partition("<PubmedArticle>")[2].rpartition("</PubmedArticle>")[0]
    types = "<PublicationTypeList><PublicationType>Retraction of Publication</PublicationType></PublicationTypeList>"
    about = '<CommentsCorrections RefType="RetractionOf"><PMID>7</PMID></CommentsCorrections>'
    notice = (
        f"<PubmedArticle><MedlineCitation><PMID>77</PMID><Article><ArticleTitle>Retraction: a pneumothorax"
        f"</ArticleTitle>{types}</Article><CommentsCorrectionsList>{about}</CommentsCorrectionsList>"
        "</MedlineCitation></PubmedArticle>"
    )
    gone = "<Article><ArticleTitle>Gone</ArticleTitle></Article>"
    gone = f"<PubmedArticle><MedlineCitation><PMID>78</PMID>{gone}</MedlineCitation></PubmedArticle>"
    text = f"<PubmedArticleSet><PubmedArticle>{paper}</PubmedArticle>{notice}{gone}"
    text += "<DeleteCitation><PMID>78</PMID></DeleteCitation></PubmedArticleSet>"
    before, after = of(saved(tmp_path / "before.xml", MEDLINE)), of(saved(tmp_path / "a.xml", text))
    assert [record.doc_id for record in after] == [record.doc_id for record in before]
    assert "status" not in before[0].metadata
    marked = {record.doc_id: record.metadata.get("status") for record in after}
    assert marked["PMID:7"] == "retracted"
    nbib = "PMID- 9\nTI  - Fraud\nRIN - J. 2020;1:2\n\nPMID- 10\nTI  - Notice\nPT  - Retraction of Publication\n"
    (only,) = of(saved(tmp_path / "a.nbib", nbib + "\nPMID- 11\nTI  - Fine\nEIN - J. 2021\n"))[:1]
    assert (only.doc_id, only.metadata["status"]) == ("PMID:9", "retracted")
    assert [record.metadata["status"] for record in of(tmp_path / "a.nbib")] == ["retracted", "corrected"]


def test_nbib(tmp_path: Path) -> None:
    first, second = of(saved(tmp_path / "a.nbib", NBIB))
    assert (first.doc_id, first.title) == ("PMID:12345678", "Tension pneumothorax in ventilated patients.")
    assert first.text == "A tension pneumothorax is an emergency - it is treated at once."
    assert first.metadata == {"title": first.title, "journal": "Chest journal", "year": "2020"}
    assert (second.doc_id, second.text) == ("PMID:2", "")
    assert of(saved(tmp_path / "pubmed-set.txt", NBIB)) == [first, second]


def test_ris(tmp_path: Path) -> None:
    first, second = of(saved(tmp_path / "a.ris", RIS))
    assert (first.doc_id, first.title, first.text) == (
        "doi:10.1000/abc",
        "Pleural effusion in heart failure",
        "Effusions are bilateral.",
    )
    assert (first.metadata["journal"], first.metadata["year"]) == ("Chest", "2019")
    assert second.doc_id == "a:2"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.xml", MEDLINE, ("PMID:7", "Effusion", "Text.")),
        ("a.xml.gz", MEDLINE, ("PMID:7", "Effusion", "Text.")),
        ("a.pubtator", PUBTATOR, ("PMID:99", "Fever and effusion.", "Both are common.")),
        ("corpus.jsonl", BEIR, ("d1", "Effusion", "Pleural.")),
        ("my paper.txt", "Effusion\n\nA long\nstory.\n", ("my paper", "Effusion", "A long story.")),
    ],
)
def test_other_formats(tmp_path: Path, name: str, text: str, expected: tuple[str, str, str]) -> None:
    (record,) = of(saved(tmp_path / name, text))
    assert (record.doc_id, record.title, record.text) == expected


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.nbib", b"not a record\n", "line 1 is not NBIB"),
        ("a.nbib", b"PMID- 1\nTI  - A\nPMID- 2\n", "line 3: a second PMID"),
        ("a.ris", b"hello\n", "not RIS"),
        ("a.ris", b"TY  - JOUR\nTI  - cut sho", "not RIS: 'a.ris, 1 begun, 0 whole'"),
        ("a.jsonl", b'{"_id": 3, "text": "x"}\n', "line 1 is not a paper"),
        ("a.txt", "first\nM\u00fcller\n".encode("latin-1"), "line 2 is not UTF-8 text"),
        ("a.txt", b"x\0y", "NUL"),
        ("a.xml", b"<a>", "cannot read MEDLINE XML"),
        ("a.docx", b"PK", "no papers in this format"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        of(tmp_path / name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_text_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as stream:
        stream.truncate(10**9)
    with pytest.raises(InputError, match=r"the text is too large: .a\.txt, 1,000 MB.; expected at most 20 MB"):
        of(tmp_path / "a.txt")


def test_a_folder_of_everything(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    saved(tmp_path / "a.nbib", NBIB)
    saved(tmp_path / "sub" / "b.txt", "Title\nBody")
    saved(tmp_path / ".hidden.txt", "Not this one")
    saved(tmp_path / "z.nbib", "PMID- 2\nTI  - Another, corrected.\n")
    assert kind_of([tmp_path]) == "papers"
    records, notes = read(Sources(kind="papers", roots=(str(tmp_path),)), salt=b"", collection="x")
    assert [record.doc_id for record in records] == ["PMID:12345678", "PMID:2", "sub/b"]
    assert records[1].title == "Another, corrected."
    assert notes.repeated == 1


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(InputError, match="nothing to index"):
        kind_of([tmp_path])


def test_papers_and_cases_are_not_mixed(tmp_path: Path) -> None:
    saved(tmp_path / "a.nbib", NBIB)
    saved(tmp_path / "a.csv", "report\nx\n")
    with pytest.raises(InputError, match="papers and cases in one collection"):
        kind_of([tmp_path])
