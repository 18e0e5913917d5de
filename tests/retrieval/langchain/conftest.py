"""Two papers and two cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retrieval import cases
from retrieval.document import Document
from retrieval.hybrid import HybridIndex
from retrieval.literature import KIND, folder

TEXTS = {"PMID:1": "pleural effusion in heart failure", "PMID:2": "cough and fever in pneumonia"}


@pytest.fixture(scope="package")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")

    def documents(kind: Any, more: int = 0) -> list[Document]:
        texts = TEXTS | {f"PMID:{number}": f"a study of fever number {number}" for number in range(3, 3 + more)}
        return [
            Document(
                doc_id=name,
                kind=kind,
                title=name,
                text=text,
                source_curie=name,
                concepts=("T:x",),
                metadata={"year": "2020", "age": "70"} if name.endswith("1") else {"year": "2021"},
            )
            for name, text in texts.items()
        ]

    HybridIndex.build(documents("literature", 4), folder(home), kind=KIND, grams=True)
    HybridIndex.build(documents("case"), cases.folder(home, cases.REPORTS), kind=cases.REPORTS)
    return home
