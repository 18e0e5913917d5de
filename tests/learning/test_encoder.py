"""An encoder fitted to a place finds its reports better and loses nothing elsewhere; a worse one is refused; a
collection is opened with the encoder that it was built with, and moves when it is updated."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from indexes import versions
from learning import encoder, encoder_guard
from learning.encoder import MOST_LOST, Sides, adapt, keep
from learning.encoder_guard import Guard
from learning.report_pairs import halves, read
from retrieval import adapted
from retrieval.adapted import Move
from retrieval.encoder import PACKAGED_SHA256, Encoder

Whydx = Callable[..., Any]
D = 32


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def sides(count: int, seed: int, *, alike: bool = True) -> Sides:
    """Reports whose two sides say the same in eight directions, under what says nothing in the others."""
    rng = np.random.default_rng(seed)
    meant = rng.normal(size=(2, count, 8))
    if alike:
        meant[1] = meant[0]
    noise = 2.0 * rng.normal(size=(2, count, D - 8))
    seen, made = (unit(np.hstack(both)) for both in zip(meant, noise, strict=True))
    patients = np.array([str(i // 2) for i in range(count)])
    return Sides(seen=seen, made=made, patients=patients, words=(("none", "of these"),) * count)


def elsewhere(count: int, *, against: bool) -> Guard:
    """Questions of elsewhere; ``against``: what answers them lies where the place's reports say nothing."""
    rng = np.random.default_rng(9)
    own = rng.normal(size=(count, D)) * np.where(np.arange(D) < 8, 0.3 if against else 1.0, 1.0)
    documents = unit(own + (0.7 if against else 0.2) * rng.normal(size=own.shape))
    return Guard(name="other", queries=unit(own), documents=documents, gains=np.eye(count), own=np.full(count, -1))


def test_it_finds_reports_that_it_has_not_seen_and_is_kept_and_undone(tmp_path: Path) -> None:
    found = adapt(sides(200, 0), [elsewhere(60, against=False)], test=sides(120, 1))
    assert found.vectors[1] > found.vectors[0] + 0.1
    assert found.fused[1] > found.fused[0] + 0.1  # there are no words to go by
    assert found.gain[1] > 0
    for one in (sides(120, 1), sides(120, 3)):  # what is unlike stays as unlike as it was
        before, after = (
            (side.seen @ side.made.T).mean()
            for side in (one, replace(one, seen=found.move.of(one.seen), made=found.move.of(one.made)))
        )
        assert abs(after - before) < 0.05
    assert found.refusals == ()
    assert keep(tmp_path, found) == 1
    base = Encoder("base", PACKAGED_SHA256, D, lambda texts, longest, progress: unit(np.ones((len(texts), D))))
    now = adapted.in_use(tmp_path, base)
    assert isinstance(now, adapted.AdaptedEncoder)
    assert (now.move.matrix == found.move.matrix).all()
    assert now.move.lift == found.move.lift
    assert np.linalg.norm(now.encode(["a"])[0]) == pytest.approx(1)
    assert versions.back(tmp_path / "local") == 0
    assert adapted.in_use(tmp_path, base) is base


def test_it_is_followed_only_as_far_as_the_guard_set_bears() -> None:
    other = elsewhere(200, against=True)
    found = adapt(sides(200, 0), [other], test=sides(120, 1))
    free = adapt(sides(200, 0), [], test=sides(120, 1))
    assert found.way < free.way == 1.0
    before, after = found.guard["other"]
    if not found.refusals:
        assert after >= before - MOST_LOST - 1e-4
    assert other.ndcg(free.move).mean() < other.ndcg().mean() - MOST_LOST


def test_what_helps_nobody_or_costs_elsewhere_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    nothing = adapt(sides(100, 2, alike=False), [])
    assert any("not found better" in line for line in nothing.refusals)
    good = adapt(sides(200, 0), [elsewhere(60, against=False)], test=sides(120, 1))
    harmful = elsewhere(60, against=False)
    matrix = np.zeros((D, D), np.float32)
    matrix[0, 0] = 1  # all vectors are alike
    assert harmful.ndcg(Move(matrix=matrix)).mean() < harmful.ndcg().mean() - MOST_LOST
    again = adapt(sides(60, 5), [], test=sides(120, 1), in_use=good.move)
    assert any("version in use is better" in line for line in again.refusals)
    for worse in (nothing, again):
        with pytest.raises(ArtifactError, match="worse and is not kept"):
            keep(tmp_path, worse)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="too few reports"):
        adapt(sides(49, 0), [])


def test_a_damaged_version_and_one_of_another_encoder_are_named(tmp_path: Path) -> None:
    base = Encoder("base", PACKAGED_SHA256, D, lambda texts, longest, progress: np.zeros((0, D)))
    versions.add(tmp_path / "local", {adapted.NAME: Move(matrix=np.eye(D, dtype=np.float32)).text()}, {})
    with pytest.raises(ArtifactError, match="fitted on another encoder"):
        adapted.in_use(tmp_path, Encoder("other", "ab", D, base._embed))
    (tmp_path / "local" / "0001" / adapted.NAME).write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match="adapted encoder is damaged") as error:
        adapted.in_use(tmp_path, base)
    assert "whydx adapt --use 0" in error.value.run


def test_the_two_sides_of_a_report(tmp_path: Path) -> None:
    seen, made = halves("FINDINGS: The heart is large. No effusion.\nIMPRESSION: Cardiomegaly without failure.")
    assert "heart is large" in seen
    assert "Cardiomegaly" not in seen
    assert made == "Cardiomegaly without failure."
    assert halves("One here. Two here. Three here. Four here.") == ("One here. Two here. Three here.", "Four here.")
    assert halves("Too short. For this.") == ("", "")
    table = tmp_path / "reports.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("id", "patient_id", "findings", "impression"))
        rows.writerow(("1", "p", "The heart is large.", "Cardiomegaly without failure."))
        rows.writerow(("2", "p", "The heart is quite large.", "cardiomegaly without failure"))  # says the same
        rows.writerow(("3", "q", "The lungs are clear.", "Normal."))  # too short
    (pair,) = read(tmp_path, [str(table)])
    assert (pair.seen, pair.made) == ("The heart is large.", "Cardiomegaly without failure.")
    assert pair.patient not in ("", "p")


FINDINGS = {
    "a rounded opacity": "BLIRT",
    "air bronchograms": "QUARL",
    "blunting of the angle": "SNEFT",
    "a cavity with a level": "DROMP",
    "fine reticulation": "VELK",
    "a calcified granuloma": "OSTA",
    "linear scarring": "MIRN",
    "loss of volume": "TUGG",
}
PLACES = {
    "right upper zone": "Z1",
    "right middle zone": "Z2",
    "right lower zone": "Z3",
    "left upper zone": "Z4",
    "left middle zone": "Z5",
    "left lower zone": "Z6",
    "retrocardiac region": "Z7",
    "left costophrenic recess": "Z8",
    "right hilum": "Z9",
}


@pytest.fixture
def own_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own over the built one, with a small guard set."""
    for name, count in (("PAPERS", 40), ("REPORTS", 60), ("ASKING", 20)):
        monkeypatch.setattr(encoder_guard, name, count)
    monkeypatch.setattr(encoder, "MOST_LOST", 0.1)  # so few tell no less
    own = tmp_path / "home"
    (own / "indexes").mkdir(parents=True)
    for part in ("graph", "linker", "sources", "built.json", "indexes/literature"):
        (own / part).symlink_to(home / part)
    return own


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Reports of a hospital that has codes of its own."""
    path = tmp_path / "reports.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("id", "findings", "impression"))
        for number, (finding, code) in enumerate(FINDINGS.items()):
            for other, (place, short) in enumerate(PLACES.items()):
                rows.writerow((f"R{number}{other}", f"There is {finding} in the {place}.", f"{code} in {short}, check"))
    return path


@pytest.mark.slow
def test_adapt_reports_and_the_collections_that_follow(whydx: Whydx, own_home: Path, table: Path) -> None:
    assert whydx("index", "add", "ours", table, "--home", own_home).status == 0

    def built_with() -> str:
        ran = whydx("index", "show", "ours", "--format", "json", "--home", own_home)
        return str(json.loads(ran.out)[0]["inputs"]["encoder"])

    def first() -> str:
        ran = whydx("cases", "--text", "VELK in Z5", "--collection", "ours", "-k", "3", "--home", own_home)
        assert ran.status == 0, ran.err
        return str(ran.out)

    shipped = built_with()
    assert shipped == PACKAGED_SHA256
    ran = whydx("adapt", "--reports", "ours", "--home", own_home, "--track", "none")
    assert ran.status == 0, ran.err
    assert "mean reciprocal rank" in ran.out
    assert "version 1 is in use" in ran.err
    assert "whydx index update ours" in ran.err
    assert "VELK in Z5, check" in first()  # as before: it opens with what it was built with
    assert whydx("index", "update", "ours", "--home", own_home).status == 0
    moved = built_with()
    assert moved != shipped
    assert "VELK in Z5, check" in first()
    files = {p: p.read_bytes() for p in (own_home / "collections" / "ours").rglob("*") if p.is_file()}
    assert whydx("index", "update", "ours", "--anew", "--home", own_home).status == 0  # each text encoded again
    assert {p: p.read_bytes() for p in files} == files
    assert "sentence encoder" in whydx("adapt", "--list", "--home", own_home).out
    ran = whydx("adapt", "--back", "--home", own_home)
    assert "version 0 is in use" in ran.err
    assert "whydx index update ours" in ran.err
    assert "VELK in Z5, check" in first()
    (own_home / "local" / "0001").rename(own_home / "gone")
    ran = whydx("cases", "--text", "VELK", "--collection", "ours", "--home", own_home)
    assert (ran.status, ran.out) == (1, "")
    assert "built with another encoder" in ran.err
    assert "whydx index update ours" in ran.err
    assert whydx("index", "update", "ours", "--home", own_home).status == 0
    assert built_with() == shipped


def test_what_cannot_be_fitted_is_one_line(whydx: Whydx, own_home: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("id,findings,impression\n1,The heart is large.,Cardiomegaly without failure.\n", encoding="utf-8")
    for arguments, said in (
        (("--reports", few), "too few reports"),
        (("--reports", tmp_path / "nothing"), "no such file or folder"),
    ):
        ran = whydx("adapt", *arguments, "--home", own_home)
        assert (ran.status, ran.out) == (1, "")
        assert said in ran.err
        assert len(ran.err.strip().splitlines()) == 1
    assert whydx("adapt", "--counts", few, "--test", few, "--home", own_home).status == 2
    assert not list((own_home / "local").glob("0*"))
