"""A collection of the size of a library, grown in ten steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Add = Callable[..., Any]

DOCUMENTS, STEPS = 50_000, 10
NAMES = ("effusion", "pneumothorax", "cardiomegaly", "pneumonia", "fever", "cough", "lung", "base", "left", "heart")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_thousand_papers_in_ten_updates_are_one_build(tmp_path: Path, add: Add, counted: Any) -> None:
    random, step = np.random.default_rng(0), DOCUMENTS // STEPS
    file = tmp_path / "corpus.jsonl"
    for first in range(0, DOCUMENTS, step):
        with file.open("a", encoding="utf-8") as lines:
            for number in range(first, first + step):
                text = f"{' '.join(random.choice(NAMES, 8))} of paper {number}"
                lines.write(json.dumps({"_id": str(number), "title": f"Paper {number}", "text": text}) + "\n")
        built = add("library", file)
        assert (built.documents, built.new, built.changed, built.gone) == (first + step, step, 0, 0)
    assert len(counted.texts) == DOCUMENTS  # each was encoded once
    folder = tmp_path / "home" / "collections" / "library"
    grown = (folder / "manifest.json").read_bytes()  # has the sha256 of every file
    add("library", anew=True)
    assert (folder / "manifest.json").read_bytes() == grown
    assert len(counted.texts) == 2 * DOCUMENTS
