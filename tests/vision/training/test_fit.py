"""Fitting: a killed run resumes to the same losses; the result is an artifact that opens and has learned something."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from errors import DependencyError, InputError
from vision.datasets.folder import read
from vision.detector import Detector
from vision.image import load_image
from vision.training.augment import augment
from vision.training.fit import Settings, coverage, fit
from vision.training.train import train_detector

QUICK = Settings(epochs=2, batch=6, side=64, small_side=64)


def test_a_killed_run_resumes_to_the_same_losses(miniature: Path, tmp_path: Path) -> None:
    whole = fit([miniature], tmp_path / "whole", QUICK)
    assert whole.finished
    part = fit([miniature], tmp_path / "part", QUICK, stop_after=4)
    assert not part.finished
    assert len(part.losses) == 4
    resumed = fit([miniature], tmp_path / "part", QUICK)
    assert resumed.losses == whole.losses
    assert all(torch.equal(resumed.weights[k], v) for k, v in whole.weights.items())
    assert list((tmp_path / "whole" / "tensorboard").iterdir())


def test_the_command_trains_is_killed_and_resumes_to_the_same_losses(miniature: Path, tmp_path: Path) -> None:
    """``whydx train detector --data nih:PATH --epochs 1 --limit 64``, killed by SIGKILL in its second network."""
    command = [sys.executable, "-c", "from cli import main; main()", "train", "detector", "--data", f"nih:{miniature}"]
    command += ["--epochs", "1", "--limit", "64", "--members", "2", "--threads", "1", "-o"]
    process = subprocess.Popen([*command, str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "member_1").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "detector.json").exists()
    for name in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / name)], check=True, stderr=subprocess.DEVNULL)
    losses = [
        json.loads((tmp_path / name / member / "checkpoint" / "state.json").read_text())["losses"]
        for name in ("killed", "whole")
        for member in ("member_0", "member_1")
    ]
    assert losses[0]
    assert losses[:2] == losses[2:]
    weights = [(tmp_path / name / "detector.safetensors").read_bytes() for name in ("killed", "whole")]
    assert weights[0] == weights[1]


def test_other_settings_do_not_continue_a_run(miniature: Path, tmp_path: Path) -> None:
    fit([miniature], tmp_path, QUICK, stop_after=1)
    with pytest.raises(InputError, match="other settings"):
        fit([miniature], tmp_path, Settings(epochs=1, batch=6, side=64, small_side=64))


def test_train_detector_writes_an_artifact_that_opens(miniature: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    manifest = train_detector(
        [f"nih:{miniature}"], tmp_path, epochs=1, limit=12, members=2, settings=QUICK, side=64, date="2026-01-01",
        progress=lambda *a: seen.append(a),
    )  # fmt: skip
    assert manifest is not None
    assert manifest["date"] == "2026-01-01"
    assert "--epochs 1" in manifest["command"]
    assert manifest["members"] == 2
    assert str(miniature.parent) not in json.dumps(manifest)
    detector = Detector.open(tmp_path)
    record = read(miniature)[0]
    assert len(detector.detect(load_image(record.path)).findings) in (0, 14)
    assert seen[-1][1] == seen[-1][2]
    cases = json.loads((tmp_path / "cases.json").read_text(encoding="utf-8"))["cases"]
    records = read(miniature)
    assert sorted(c["fold"] for c in cases) == sorted(r.fold for r in records)
    assert all(c["low_resolution"] for c in cases)
    assert cases[0]["id"] == "nih-0001"
    for record in records:
        assert detector.unseen_by(record.patient_id) == (record.fold if record.fold < 2 else None)
    assert detector.unseen_by("another patient") is None


def test_a_member_is_never_fitted_on_its_fold_nor_on_official_test_images(
    miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vision.training.fit

    used: set[str] = set()
    original = vision.training.fit._Images.__init__

    def spy(self, records) -> None:  # type: ignore[no-untyped-def]
        used.update(r.patient_id for r in records)
        original(self, records)

    records = read(miniature)
    official = {r.patient_id for r in records if r.fold == 1}
    monkeypatch.setattr(vision.training.fit._Images, "__init__", spy)
    monkeypatch.setattr(
        vision.training.fit,
        "read",
        lambda _: [replace(r, official="val" if r.patient_id in official else None) for r in records],
    )
    fit([miniature], tmp_path, replace(QUICK, fold=3), stop_after=1)
    assert used == {r.patient_id for r in records if r.fold not in (1, 3)}


def test_out_of_fold_readings_come_from_the_member_of_the_fold(miniature: Path, tmp_path: Path) -> None:
    train_detector([miniature], tmp_path, epochs=1, limit=12, members=2, settings=QUICK, side=64)
    detector = Detector.open(tmp_path)
    logits = load_file(tmp_path / "cases.safetensors")["logits"].astype(np.float32)
    records = sorted(read(miniature), key=lambda r: hashlib.sha256(r.image.encode()).hexdigest())
    for row, record in enumerate(records):
        judge = detector.judged_by(record.fold if record.fold < 2 else None)
        (raw,) = judge.raw(detector.prepare(load_image(record.path))[None])
        assert raw.logits == pytest.approx(logits[row], abs=0.02 + 0.01 * np.abs(logits[row]).max())


def test_scalars_go_where_they_should(miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit([miniature], tmp_path / "none", QUICK, stop_after=1, track="none")
    assert sorted(p.name for p in (tmp_path / "none").iterdir()) == ["checkpoint"]
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(DependencyError, match=r"whydx\[wandb\]"):
        fit([miniature], tmp_path / "wandb", QUICK, stop_after=1, track="wandb")
    assert not (tmp_path / "wandb").exists()


def test_wrong_arguments_are_input_errors(miniature: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epochs"):
        train_detector([miniature], tmp_path, epochs=0)
    with pytest.raises(InputError, match="too many members"):
        train_detector([miniature], tmp_path, members=6)
    with pytest.raises(InputError, match="no annotated images"):
        train_detector([tmp_path / "nowhere"], tmp_path)


def test_augmentation_moves_boxes_with_the_picture() -> None:
    pixels = np.full((128, 128), 40, np.uint8)
    pixels[32:64, 80:112] = 220
    agree, mirrored = [], []
    for seed in range(16):
        x, boxes = augment(pixels, [(80 / 128, 32 / 128, 0.25, 0.25)], 64, np.random.default_rng(seed))
        assert x.shape == (64, 64)
        assert np.abs(x).max() <= 1
        if boxes:
            left, top, width, height = (v * 64 for v in boxes[0])
            inside = x[int(top) + 2 : int(top + height) - 1, int(left) + 2 : int(left + width) - 1]
            agree.append(np.median(inside) > np.median(x))
            mirrored.append(left + width / 2 < 32)
    assert sum(agree) >= 13
    assert 0 < sum(mirrored) < len(mirrored)


def test_coverage_counts_partial_patches() -> None:
    covered = coverage([(0.25, 0.0, 0.125, 0.5)], 4)
    assert covered[:, 0].sum() == 0
    assert covered[0, 1] == pytest.approx(0.5)
    assert covered[2:].sum() == 0
