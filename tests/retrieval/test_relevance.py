"""What finds nothing, what finds its paper, and what of a question no paper has: on the papers that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.literature import Literature, pubmed_ids

STOP_WORDS = ["the of and", "to be or not to be", "is it what", "that and this", "who were they", "and", "of the", "it",
              "as if it was", "what will there be for them", "into those"]  # fmt: skip
SIGNS = ["?!", "...", "—", "()", "!!!???", "* * *", "&", "//", "§ %", "“”", "\N{SNOWMAN}"]
MADE_UP = ["xqzzv", "blorptang fizzwick", "qwertyuiop", "zzz", "flumoxitrane", "asdf jkl", "grimble wobbet snark",
           "vrrrtk", "ploomfidget", "kshzz brnt", "oompaloomp"]  # fmt: skip
OTHER_LANGUAGES = ["肺炎", "胸水の原因", "воспаление легких", "الالتهاب الرئوي", "Lungenentzündung bei Kindern", "toux",
                   "neumonía adquirida en la comunidad", "hvad er årsagen til hoste", "keuhkokuume",
                   "dolor en el pecho", "la fièvre et la toux", "Fieber und Husten"]  # fmt: skip
ELSEWHERE = ["stock market", "football results yesterday", "what is the best pizza in town", "python programming"]
ANSWERED = ["pleural effusion", "pneumonia in children", "water on the lung", "shortness of breath", "COPD", "TB",
            "asbestos", "cough", "clubbing", "haemoptysis", "widened mediastinum", "silicosis"]  # fmt: skip


@pytest.fixture(scope="module")
def papers(home: Path) -> Literature:
    return Literature.open(home)


@pytest.mark.parametrize("query", [*STOP_WORDS, *SIGNS, *MADE_UP, *OTHER_LANGUAGES, *ELSEWHERE])
def test_what_the_papers_say_nothing_about_finds_nothing(papers: Literature, query: str) -> None:
    assert papers.search(query) == ()


@pytest.mark.parametrize("query", ANSWERED)
def test_short_questions_are_answered(papers: Literature, query: str) -> None:
    assert len(papers.search(query, k=5)) == 5


def test_a_shared_concept_answers_words_that_no_paper_has(papers: Literature) -> None:
    concept = papers.index.documents[0].concepts[0]
    assert papers.search("xqzzv", k=3, concepts=[concept])
    assert papers.search("xqzzv", k=3, about=concept)


def test_what_no_paper_has_is_said(papers: Literature) -> None:
    assert papers.unknown("xqzzv in the pleural effusions of Blorptang xqzzv") == ("xqzzv", "blorptang")
    assert papers.unknown("PMID:1 and pleural effusion") == ("PMID:1",)
    assert papers.unknown("pleural effusion") == papers.unknown("the of and") == ()


def test_a_pmid_finds_its_paper(papers: Literature) -> None:
    name = papers.index.lexical.ids[7]
    number = name.removeprefix("PMID:")
    for query in [name, number, f"pmid {number}", f"PMID: {number}", f"PMID{number}", f"[PMID:{number}]",
                  f"PubMed {number}", f"https://pubmed.ncbi.nlm.nih.gov/{number}/", f" pmid:00{number} ",
                  f"https://www.ncbi.nlm.nih.gov/pubmed/{number}", f"pubmed.ncbi.nlm.nih.gov/{number}"]:  # fmt: skip
        hits = papers.search(query)
        assert [hit.document.doc_id for hit in hits] == [name], query
        assert dict(hits[0].explanation) == {"id": 1.0}


def test_a_pmid_among_words_comes_first(papers: Literature) -> None:
    name = papers.index.lexical.ids[7]
    hits = papers.search(f"like {name}: pleural effusion", k=4)
    assert hits[0].document.doc_id == name
    assert len({hit.document.doc_id for hit in hits}) == 4
    assert papers.search("PMID:1") == ()
    assert papers.search(name, exclude=[name]) == ()


@pytest.mark.parametrize(
    ("query", "named", "rest"),
    [
        ("PMID:420433, 401582", ("PMID:420433", "PMID:401582"), ""),
        ("420433 401582 420433", ("PMID:420433", "PMID:401582"), ""),
        ("covid 2019", (), "covid 2019"),
        ("2019", (), "2019"),
        ("see 40000 patients", (), "see 40000 patients"),
        ("PubMed search for effusion", (), "PubMed search for effusion"),
        ("PMID:", (), "PMID:"),
        ("?!", (), "?!"),
        ("123456789", (), "123456789"),
    ],
)
def test_which_numbers_are_pmids(query: str, named: tuple[str, ...], rest: str) -> None:
    assert pubmed_ids(query) == (named, rest)
