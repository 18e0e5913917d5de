"""Open and unlike answers come first, no film twice, and without labels the typical film."""

from __future__ import annotations

import numpy as np
import pytest

from errors import InputError
from learning.adapt import adapt
from learning.head_fit import Films, log_odds
from learning.worklist import wanted


def test_the_films_wanted_are_open_and_unlike_those_that_are_labelled(local_films: Films, other_films: Films) -> None:
    head = adapt(local_films, "x", only=["Pneumonia"]).head
    names = [f"{i}.png" for i in range(len(other_films))]
    found = wanted(other_films, names, count=20, output="Pneumonia", head=head, labelled=local_films)
    assert len({w.place for w in found}) == 20
    assert all(w.image == names[w.place] for w in found)
    p = 1 / (1 + np.exp(-log_odds(head, "Pneumonia", other_films)))
    openness = 1 - np.abs(2 * p - 1)
    assert np.mean([openness[w.place] for w in found]) > openness.mean()
    assert found[0].probability == pytest.approx(p[found[0].place], abs=1e-6)
    assert all(w.why for w in found)


def test_a_twin_of_a_film_that_was_taken_is_not_taken_too(other_films: Films) -> None:
    twice = other_films.some(np.array([0, 0, 1, 2, 3, 4]))
    found = wanted(twice, list("aabcde"), count=5)
    assert len({w.image for w in found}) == 5


def test_no_more_than_there_are_and_no_output_that_is_not(other_films: Films) -> None:
    few = other_films.some(np.arange(3))
    assert len(wanted(few, list("abc"), count=10)) == 3
    assert wanted(other_films.some(np.arange(0)), [], count=10) == ()
    with pytest.raises(InputError, match="not an output"):
        wanted(few, list("abc"), count=1, output="Cough")
