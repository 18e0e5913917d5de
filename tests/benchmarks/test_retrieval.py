"""A collection is judged by what the others chose."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.retrieval import AVERAGE, BEFORE, FAMILIES, Setting, chosen, gain, left_out, measure, part_of
from retrieval.evaluation.beir import JudgedCollection

GOOD, BAD = Setting(0.2, 0.2), Setting(0.0, 0.4)


def scores(**values: float) -> dict[Setting, np.ndarray]:
    """nDCG of two queries: .5 under every setting but those named."""
    found = {setting: np.array([0.5, 0.5]) for family in FAMILIES.values() for setting in family}
    named = {"good": GOOD, "bad": BAD, "before": BEFORE}
    return found | {named[name]: np.array([value, value + 0.1]) for name, value in values.items()}


def test_the_left_out_collection_chooses_nothing() -> None:
    found = left_out({"a": scores(good=0.6), "b": scores(good=0.7, bad=0.5), "c": scores(bad=0.9)})
    row = found["pieces of words"]
    assert row["c"]["weights"] == GOOD.weights  # although BAD is the best for it
    assert row["c"]["gain"] == 0
    assert row["a"]["weights"] == BAD.weights
    assert row["worst"] == 0
    assert {name for name in row if len(name) == 1} == {"a", "b", "c"}


def test_gain_and_interval() -> None:
    found = gain(scores(before=0.3, good=0.6), GOOD)
    assert found["gain"] == pytest.approx(0.3)
    assert (found["low"], found["high"]) == (pytest.approx(0.3), pytest.approx(0.3))
    assert found["ndcg@10"] == pytest.approx(0.65)


def test_equals_are_chosen_in_order() -> None:
    assert chosen([GOOD, AVERAGE, BAD], [scores()]) == BAD


def test_a_part_keeps_the_judged_documents() -> None:
    ids = tuple(f"d{n}" for n in range(50))
    whole = JudgedCollection(
        ids=ids,
        texts=ids,
        queries={f"q{n}": "x" for n in range(20)},
        judged={f"q{n}": {f"d{n}": 1, f"d{n + 20}": 1} for n in range(20)},
    )
    part = part_of(whole, 5, 12)
    assert len(part.queries) == 5
    assert len(part.ids) == 12
    assert {name for grades in part.judged.values() for name in grades} <= set(part.ids)
    assert part == part_of(whole, 5, 12)
    assert part_of(whole, 20, 12) is whole


def test_measured() -> None:
    texts = ("Air in the pleural space collapses the lung.", "The price of wheat rose.", "Cough suggests pneumonia.")
    collection = JudgedCollection(
        ids=("a", "b", "c"),
        texts=texts,
        queries={"q": "collapse of a lung", "r": "qqqqq"},
        judged={"q": {"a": 1}, "r": {"b": 1}},
    )
    found, said = measure(collection, None)
    assert all(values[0] == 1 for values in found.values())
    assert said["floor"] == 0.5
    assert said["queries"] == 2
