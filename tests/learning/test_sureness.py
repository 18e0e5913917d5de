"""How sure the reasoner is, fitted to a place: better where it was too sure, refused where worse, and one step back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from fusion import checkpoint
from fusion.calibration import Calibration, Known, softmax
from fusion.checkpoint import PACKAGED_WEIGHTS
from fusion.local import Sureness
from fusion.training.words_fit import Listed
from home import open_graph
from indexes import versions
from learning import sureness
from learning.adapt import LOCAL

Whydx = Callable[..., Any]
SHIPPED = Calibration(
    gate=0.0,
    none=(-2.0, 0.0, 0.0, 0.0, 0.0),
    temperature=1.0,
    length=30.0,
    conformal_threshold=0.05,
    on="elsewhere",
    n=9,
)


def patients(count: int, seed: int, temperature: float, outside: float = 0.1) -> list[Listed]:
    """Patients of whom the right one of 20 candidates is drawn from a softmax at ``temperature``."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        scores, ill_elsewhere = rng.normal(0, 3, 20), bool(rng.random() < outside)
        right = np.zeros(20, bool)
        right[rng.choice(20, p=softmax(scores, temperature))] = not ill_elsewhere
        found.append(Listed("", "", scores, np.zeros(20), right, np.eye(20, dtype=bool), Known(), ill_elsewhere))
    return found


@pytest.fixture
def at_home(home: Path, tmp_path: Path) -> Path:
    """A home of the test's own, whose indexes are those of ``home``."""
    folder = tmp_path / "home"
    folder.mkdir()
    for path in home.iterdir():
        if path.name not in (LOCAL, "runs", "audit.jsonl", "audit.jsonl.head"):
            (folder / path.name).symlink_to(path)
    return folder


def test_a_place_where_it_is_too_sure_makes_it_less_sure() -> None:
    found = sureness.fit(patients(120, 1, 3.0), SHIPPED, "r")
    assert 1.5 < found.sureness.temperature < 4
    assert found.loss[1] < found.loss[0] - 0.1
    assert found.calibration[1] < found.calibration[0]
    assert found.refusals == ()
    assert found.n == 120
    fresh = patients(200, 2, 3.0)
    after = found.sureness.of(SHIPPED)
    loss = [-np.mean([sureness.judged(c, how)[0] for c in fresh]) for how in (SHIPPED, after)]
    assert loss[1] < loss[0] - 0.1
    covered = np.mean([sureness.judged(c, after)[3] for c in fresh if not c.outside])
    assert covered == pytest.approx(0.9, abs=0.06)


def test_the_share_of_patients_ill_elsewhere_is_learnt() -> None:
    found = sureness.fit(patients(150, 3, 1.0, outside=0.6), SHIPPED, "r")
    p = np.mean([sureness._probabilities(c, found.sureness.of(SHIPPED))[-1] for c in patients(50, 4, 1.0)])
    assert p == pytest.approx(0.6, abs=0.1)


def test_where_it_was_right_it_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    found = sureness.fit(patients(60, 5, 1.0), SHIPPED, "r")
    worse = replace(found, loss=(1.0, 1.0))
    assert "no likelier" in worse.refusals[0]
    with pytest.raises(ArtifactError, match="worse and is not kept"):
        sureness.keep(tmp_path, worse)
    assert not (tmp_path / LOCAL).exists()
    assert "ruled out" in replace(found, loss=(1.0, 0.9), coverage=(0.9, 0.7)).refusals[0]


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(InputError, match="too few patients"):
        sureness.fit(patients(29, 6, 1.0), SHIPPED, "r")


def test_a_version_is_kept_used_and_left_again(tmp_path: Path) -> None:
    before = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in PACKAGED_WEIGHTS.iterdir()}
    found = replace(sureness.fit(patients(60, 7, 3.0), SHIPPED, "r"), loss=(1.0, 0.9), coverage=(0.9, 0.9))
    assert sureness.keep(tmp_path, found) == 1
    opened = Sureness.open(tmp_path / LOCAL, "r")
    assert opened == found.sureness
    assert found.sureness.of(SHIPPED).on == "patients of this place"
    with pytest.raises(ArtifactError, match="another reasoner"):
        Sureness.open(tmp_path / LOCAL, "s")
    assert versions.back(tmp_path / LOCAL) == 0
    assert Sureness.open(tmp_path / LOCAL, "s") is None
    assert before == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in PACKAGED_WEIGHTS.iterdir()}


@pytest.mark.parametrize(
    "row",
    ['{"note": "fever"}', '{"note": 3, "diagnosis": "sarcoidosis"}', "fever", '{"note": "a", "accept": "("}', "[1]"],
)
def test_a_row_that_is_no_patient_is_named(home: Path, tmp_path: Path, row: str) -> None:
    (tmp_path / "clinic.jsonl").write_text("\n" + row + "\n", encoding="utf-8")
    none: Any = SimpleNamespace(graph=open_graph(home), room=SimpleNamespace(disease=np.zeros(0, np.int64)))
    with pytest.raises(InputError, match="line 2: not a patient"):
        list(sureness.patients(tmp_path / "clinic.jsonl", none, []))


def test_too_few_patients_end_in_one_line(whydx: Whydx, at_home: Path, tmp_path: Path) -> None:
    rows = [
        {"note": "fever and cough", "diagnosis": name} for name in ("sarcoidosis", "none of these", "no such thing")
    ]
    (tmp_path / "clinic.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    ran = whydx("adapt", "--patients", tmp_path / "clinic.jsonl", "--home", at_home, "--track", "none")
    assert (ran.status, ran.out) == (1, "")
    assert "too few patients with a diagnosis: '2'" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert json.loads(whydx("runs", "list", "--home", at_home, "--format", "json").out)[0]["state"] == "failed"


def test_a_diagnosis_is_as_sure_as_the_place_says(whydx: Whydx, at_home: Path) -> None:
    shipped = checkpoint.load()
    words = shipped.calibration["chest"].words
    own = Sureness(
        reasoner=shipped.fingerprint, temperature=words.temperature * 4, none=words.none, conformal_threshold=0.0, n=50
    )
    asked = ("diagnose", "--note", "fever and cough for two days", "--format", "json", "-k", "1", "--home", at_home)
    before = json.loads(whydx(*asked).out)
    versions.add(at_home / LOCAL, {"sureness.json": own.text()}, {"what": "calibration of the reasoner"})
    after = json.loads(whydx(*asked).out)
    name = [report["diagnoses"][0]["concept"]["curie"] for report in (before, after)]
    assert name[0] == name[1]
    assert after["diagnoses"][0]["probability"] < before["diagnoses"][0]["probability"]
    assert after["provenance"]["calibration"] == "patients of this place (n = 50)"
    assert "local" in after["provenance"]
