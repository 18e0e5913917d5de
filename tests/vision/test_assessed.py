"""Findings that are told no better than by chance are not assessed: not shown, not counted, but scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.imaging.assessed import LEAST, Row, not_assessed, write
from errors import ArtifactError
from vision.detector import Detector
from vision.evaluate import prediction
from vision.finding import LABELS
from vision.image import load_image
from vision.manifest import ASSESSED, read_not_assessed
from vision.phantom.radiograph import write_phantom
from vision.weights_pair import WEIGHTS


def row(label: str, low: float, *, name: str = "nih_cxr", resolution: str = "standard", positive: int = 40) -> Row:
    return Row(
        label=label,
        set=name,
        resolution=resolution,
        positive=positive,
        negative=100,
        auroc=min(low + 0.1, 1.0),
        low=low,
        high=1.0,
    )


def test_the_list_follows_the_intervals() -> None:
    rows = [row(label, 0.7) for label in LABELS] + [row(label, 0.7, resolution="low_resolution") for label in LABELS]
    assert not_assessed(rows) == {"standard": {}, "low_resolution": {}}
    rows[LABELS.index("Mass")] = row("Mass", 0.49)
    rows[LABELS.index("Hernia")] = row("Hernia", 0.8, positive=LEAST - 1)
    rows.append(row("Nodule", 0.45, name="jsrt", resolution=""))
    rows.append(row("Pneumonia", 0.45, name="cohen_more", resolution=""))
    rows.append(row("Pneumonia", 0.6, name="covid_cxnet", resolution=""))
    found = not_assessed(rows)
    assert set(found["standard"]) == {"Mass", "Hernia", "Nodule"}
    assert set(found["low_resolution"]) == {"Nodule"}
    assert found["standard"]["Nodule"] == "not told better than by chance elsewhere: AUROC .55 (.45–1.00) on JSRT"
    assert "too few" in found["standard"]["Hernia"]


def test_what_is_not_assessed_is_never_present_though_it_be_the_likeliest(detector: Detector, tmp_path: Path) -> None:
    image = load_image(write_phantom(tmp_path / "p.dcm"))
    everything = Detector(detector.members, detector.probe, detector.manifest, "")
    seen = everything.detect(image)
    likeliest = max(LABELS, key=lambda label: seen.scores[label])
    assert likeliest in {f.label for f in seen.findings if f.presence == "present"}
    without = Detector(
        detector.members, detector.probe, detector.manifest, "", not_assessed={"standard": {likeliest: "a test"}}
    ).detect(image)
    finding = without.findings[LABELS.index(likeliest)]
    assert (finding.presence, finding.probability, finding.box) == ("not assessed", None, None)
    assert finding.reason == "a test"
    assert without.scores[likeliest] == pytest.approx(seen.scores[likeliest], abs=1e-5)
    assert [f.label for f in without.findings if f.presence == "present"], "the next likeliest is present instead"
    scored = prediction("p.dcm", without)
    assert scored["not_assessed"] == [likeliest]
    assert set(scored["scores"]) == {*LABELS, "No Finding"}


def test_the_shipped_list_is_of_the_shipped_weights(detector: Detector) -> None:
    said = json.loads((WEIGHTS / ASSESSED).read_text(encoding="utf-8"))
    assert said["weights"] == detector.manifest["sha256"]
    assert said["not_assessed"] == not_assessed([Row(**figures) for figures in said["figures"]])
    assert "Nodule" in detector.not_assessed["standard"]
    assert not {"Edema", "Effusion", "Cardiomegaly"} & set(detector.not_assessed["standard"])


def test_a_list_of_other_weights_is_refused(tmp_path: Path) -> None:
    assert read_not_assessed(tmp_path, "x") == {}
    write(tmp_path / ASSESSED, "of-others", [row(label, 0.7) for label in LABELS])
    assert "standard" in read_not_assessed(tmp_path, "of-others")
    with pytest.raises(ArtifactError, match="does not fit the detector"):
        read_not_assessed(tmp_path, "x")
    (tmp_path / ASSESSED).write_text("{", encoding="utf-8")
    with pytest.raises(ArtifactError, match="does not fit the detector"):
        read_not_assessed(tmp_path, "x")


def test_weights_of_ones_own_assess_everything(tmp_path: Path) -> None:
    for name in ("detector.safetensors", "probe.safetensors", "detector.json"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    own = Detector.open(tmp_path)
    judged = own.judge(np.full(15, 0.5))
    assert "not assessed" not in {presence for *_, presence in judged}
