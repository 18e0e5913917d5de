"""Papers and cases that say something of chest diseases, and a home to read them in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker

# PMID, title, abstract, types, corrections (kind, PMID)
Paper = tuple[int, str, str, tuple[str, ...], tuple[tuple[str, int], ...]]
PAPERS: tuple[Paper, ...] = (
    (101, "Uveitis in patients with silicosis", "Silicosis presents with uveitis and cough.", (), ()),
    (
        102,
        "Silicosis and the eye",
        "Two patients with silicosis had uveitis. Silicosis is treated with prednisolone.",
        (),
        (),
    ),
    (
        103,
        "Dust and lungs",
        "OBJECTIVE: To see whether silicosis causes alopecia. RESULTS: Silicosis was rare.",
        (),
        (),
    ),
    (104, "Alopecia in silicosis", "Alopecia is not seen in silicosis.", (), ()),
    (105, "Cough in silicosis", "Cough is not seen in silicosis.", (), ()),
    (106, "Silicosis of mice", "Silicosis of the mice presents with alopecia. Mouse lungs were used.", (), ()),
    (107, "Hiccup in silicosis", "Silicosis presents with hiccups.", ("Retracted Publication",), ()),
    (108, "Vertigo in silicosis", "Silicosis presents with vertigo.", (), ()),
)
# What else is written, so that counts mean something.
OTHERS: tuple[Paper, ...] = tuple((200 + n, "Gout", "Gout is painful.", (), ()) for n in range(30))
NOTICE: Paper = (
    109,
    "Retraction of a paper",
    "It was made up.",
    ("Retraction of Publication",),
    (("RetractionOf", 108),),
)
CASES = [
    {"id": f"case{n}", "text": f"A man presented with cough. He was diagnosed with silicosis. {more}"}
    for n, more in enumerate(["Uveitis due to silicosis was found."] * 6 + ["There was no dyspnea."] * 6)
]


def medline(path: Path, papers: Iterable[Paper]) -> Path:
    """Write papers as MEDLINE XML."""
    rows = []
    for pmid, title, abstract, types, corrections in papers:
        kinds = "".join(f"<PublicationType>{kind}</PublicationType>" for kind in ("Journal Article", *types))
        notes = "".join(
            f'<CommentsCorrections RefType="{kind}"><PMID>{other}</PMID></CommentsCorrections>'
            for kind, other in corrections
        )
        rows.append(
            f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><Journal><Title>J</Title></Journal>"
            f"<ArticleTitle>{escape(title)}</ArticleTitle><Abstract><AbstractText>{escape(abstract)}</AbstractText>"
            f"</Abstract><PublicationTypeList>{kinds}</PublicationTypeList></Article>"
            f"<CommentsCorrectionsList>{notes}</CommentsCorrectionsList></MedlineCitation></PubmedArticle>"
        )
    path.write_text(f"<PubmedArticleSet>{''.join(rows)}</PubmedArticleSet>", encoding="utf-8")
    return path


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    return medline(tmp_path / "papers.xml", (*PAPERS, *OTHERS))


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in CASES), encoding="utf-8")
    return path


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Path:
    """A home with the built graph and linker of the test home, and nothing extracted."""
    folder = tmp_path / "home"
    folder.mkdir()
    for part in ("graph", "linker", "indexes", "sources"):
        (folder / part).symlink_to(home / part)
    return folder


@pytest.fixture(scope="session")
def graph(home: Path) -> KnowledgeGraph:
    return KnowledgeGraph.open(home / "graph")


@pytest.fixture(scope="session")
def linker(home: Path) -> Linker:
    return Linker.open(home / "linker")
