"""Evaluation: rows in the agreed format, and metrics that equal the scorer's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import InputError
from vision.datasets.folder import read
from vision.detector import Detector
from vision.evaluate import evaluate_detect, intervals, metrics, write_annotations
from vision.finding import LABELS, NO_FINDING
from vision.folds import patient_key
from vision.image import load_image


def simulated(records: tuple, seed: int = 0) -> list[dict]:
    """Prediction rows with ties, a refusal and a missing image."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, record in enumerate(records):
        if i == 5:
            continue
        refused = "blank" if i == 7 else None
        scores = {x: round(float(np.clip(rng.normal(0.3 + 0.3 * (x in record.labels), 0.2), 0, 1)), 1) for x in LABELS}
        boxes = [{"label": x, "bbox_xywh": [*rng.uniform(50, 200, 4).round(1)], "score": 0.5} for x in LABELS[:13]]
        peak = {x: [*rng.uniform(100, 400, 2).round(1)] for x in LABELS}
        rows.append(
            {
                "image": record.image,
                "refused": refused,
                "scores": {} if refused else {**scores, NO_FINDING: round(float(rng.random()), 2)},
                "boxes": [] if refused else boxes,
                "peak": {} if refused else peak,
            }
        )
    return rows


@pytest.mark.parametrize("name", ["nih_cxr", "nih_cxr_64px"])
def test_metrics_agree_with_the_scorer(shared_data: Path, tmp_path: Path, name: str) -> None:
    scorer = shared_data.parent / "score" / "detect.py"
    if not scorer.is_file():
        pytest.skip("no scorer beside the development data")
    folder = shared_data / name
    records = read(folder, split="val")
    rows = simulated(records)
    assert write_annotations(folder, "val", tmp_path / "val.jsonl") == len(records)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    command = [sys.executable, str(scorer), str(tmp_path / "val.jsonl"), str(tmp_path / "rows.jsonl")]
    theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert json.loads(json.dumps(metrics(records, rows))) == theirs


def test_rows_have_the_agreed_format(miniature: Path, detector: Detector) -> None:
    seen = []
    rows, found = evaluate_detect(miniature, "val", detector=detector, progress=lambda *a: seen.append(a))
    assert len(rows) == found["images"] == len(read(miniature, split="val"))
    assert seen[-1] == ("detecting", len(rows), len(rows))
    for row in rows:
        assert set(row) == {"image", "refused", "scores", "not_assessed", "boxes", "peak"}
        if not row["refused"]:
            assert set(row["scores"]) == {*LABELS, NO_FINDING}
    json.dumps(rows)


def test_patients_of_the_training_data_are_judged_by_the_member_that_has_not_seen_them(
    miniature: Path, detector: Detector
) -> None:
    """The first half of the patients as training data: each image must come from its own member, the rest from all."""
    records = read(miniature)
    manifest = {**detector.manifest, "patients": " ".join(patient_key(r.patient_id) for r in records[:20])}
    trained = Detector(detector.members, detector.probe, manifest, "")
    rows, _ = evaluate_detect(miniature, detector=trained)
    assert [r["image"] for r in rows] == [r.image for r in records]
    for member in (None, *range(len(detector.members))):
        judge = trained.judged_by(member)
        mine = [i for i, r in enumerate(records) if (r.fold if i < 20 else None) == member][:2]
        for i, found in zip(mine, judge.detect_batch([load_image(records[i].path) for i in mine]), strict=True):
            assert found.findings
            assert rows[i]["scores"]["Effusion"] == pytest.approx(
                next(f.probability for f in found.findings if f.label == "Effusion"), abs=1e-4
            )
    everyone = [d.no_finding for d in trained.detect_batch([load_image(r.path) for r in records[:20]])]
    assert everyone != pytest.approx([r["scores"][NO_FINDING] for r in rows[:20]], abs=1e-4)


def test_unknown_labels_are_not_judged(miniature: Path) -> None:
    records = read(miniature)
    rows = simulated(records)
    unknown = [
        replace(r, unknown=("Effusion",), labels=(), abnormal=None) if i < 10 else r for i, r in enumerate(records)
    ]
    assert metrics(unknown, rows)["auroc"] == metrics(records[10:], rows)["auroc"]
    assert metrics(unknown, rows)["auroc"] != metrics(records, rows)["auroc"]
    assert metrics(unknown, rows)["ece"] == metrics(records[10:], rows)["ece"]


def test_a_missing_image_is_an_input_error(tmp_path: Path, detector: Detector) -> None:
    (tmp_path / "annotations.jsonl").write_text('{"image": "a.png", "patient_id": 1, "labels": []}', encoding="utf-8")
    with pytest.raises(InputError, match="no such image"):
        evaluate_detect(tmp_path, detector=detector)


def test_intervals_contain_the_figure(miniature: Path) -> None:
    records = read(miniature)
    rows = simulated(records)
    for row in rows:
        row["scores"]["Effusion"] = row["scores"].get("Effusion", 0.0)
    table = metrics(records, rows)["auroc"]
    for label, (low, high) in intervals(records, rows).items():
        assert low <= table[label] <= high
