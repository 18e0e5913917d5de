"""The shipped detector: what it returns, that it repeats itself, and that it refuses files that do not match."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from errors import ArtifactError
from vision.detector import EMBEDDING_DIM, WEIGHTS, Detection, Detector
from vision.finding import LABELS
from vision.image import ImageInstance, load_image
from vision.phantom.radiograph import write_phantom


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> ImageInstance:
    return load_image(write_phantom(tmp_path_factory.mktemp("phantom") / "p.dcm"))


@pytest.fixture(scope="module")
def detection(detector: Detector, phantom: ImageInstance) -> Detection:
    return detector.detect(phantom)


def test_all_fourteen_findings_in_order(detection: Detection) -> None:
    assert detection.refused is None
    assert tuple(f.label for f in detection.findings) == LABELS
    for finding in detection.findings:
        assert finding.origin == "image"
        assert 0 <= detection.scores[finding.label] <= 1
        if finding.presence == "not assessed":
            assert finding.probability is finding.threshold is finding.box is None
            assert finding.reason
            continue
        assert finding.reason is None
        assert finding.probability == detection.scores[finding.label]
        assert finding.presence in ("present", "absent", "uncertain")
        assert (finding.presence == "present") == (finding.probability >= finding.threshold)
        assert (finding.box is None) == (finding.presence == "absent")


def test_arrays_have_their_stated_shapes(detection: Detection, phantom: ImageInstance) -> None:
    assert detection.embedding.shape == (EMBEDDING_DIM,)
    assert detection.embedding.dtype == np.float32
    assert np.linalg.norm(detection.embedding) == pytest.approx(1, abs=1e-4)
    height, width = phantom.pixels.shape
    for label in LABELS:
        assert detection.region_embeddings[label].shape == (EMBEDDING_DIM,)
        heatmap = detection.heatmaps[label]
        assert heatmap.dtype == np.float32
        assert heatmap.ndim == 2
        assert 0 <= heatmap.min() <= heatmap.max() <= 1
        x, y = detection.peaks[label]
        assert 0 <= x < width
        assert 0 <= y < height
        for box, _ in detection.boxes[label]:
            assert box.x >= 0
            assert box.x + box.width <= width + 1e-6


def test_the_phantom_shows_its_lesion_and_says_it_is_a_phantom(detection: Detection) -> None:
    shown = {f.label for f in detection.findings if f.presence == "present"}
    assert shown & {"Consolidation", "Effusion", "Pneumonia", "Infiltration"}
    assert any("PHANTOM" in w for w in detection.warnings)


def test_lesions_raise_what_they_look_like(detector: Detector, detection: Detection, tmp_path: Path) -> None:
    plain = detector.detect(load_image(write_phantom(tmp_path / "plain.dcm", ())))
    assert not [f for f in plain.findings if f.presence == "present"]
    assert detection.no_finding < plain.no_finding
    by_label = {f.label: f.probability for f in plain.findings}
    for finding in detection.findings:
        if finding.label in ("Pneumonia", "Infiltration", "Consolidation"):
            assert finding.probability > by_label[finding.label]


def test_the_same_image_gives_the_same_answer_alone_and_in_a_batch(detector: Detector, phantom: ImageInstance) -> None:
    first, second = detector.detect(phantom), detector.detect(phantom)
    assert first.findings == second.findings
    assert np.array_equal(first.embedding, second.embedding)
    batched = detector.detect_batch([phantom, phantom])[1]
    assert np.allclose(batched.embedding, first.embedding, atol=1e-4)


def copy_weights(tmp_path: Path) -> Path:
    for name in ("detector.safetensors", "probe.safetensors", "detector.json"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    return tmp_path


def test_a_missing_or_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing"):
        Detector.open(tmp_path)
    folder = copy_weights(tmp_path)
    data = bytearray((folder / "detector.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "detector.safetensors").write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="do not match"):
        Detector.open(folder)


@pytest.mark.parametrize("change", ["labels", "format", "calibration", "junk", "missing key"])
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: str) -> None:
    file = copy_weights(tmp_path) / "detector.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    if change == "labels":
        manifest["labels"][0], manifest["labels"][1] = manifest["labels"][1], manifest["labels"][0]
    elif change == "format":
        manifest["format"] = 99
    elif change == "calibration":
        manifest["calibration"]["low_resolution"]["slope"].pop()
    elif change == "missing key":
        del manifest["operating_points"]
    file.write_text("{" if change == "junk" else json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError):
        Detector.open(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    import hashlib

    from safetensors.numpy import save

    folder = copy_weights(tmp_path)
    tensors = load_file(folder / "detector.safetensors")
    tensors["0/patch_head.weight"] = tensors["0/patch_head.weight"][:, :-1].copy()
    payload = save(tensors)
    (folder / "detector.safetensors").write_bytes(payload)
    manifest = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
    manifest["sha256"] = hashlib.sha256(payload).hexdigest()
    (folder / "detector.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match="do not fit"):
        Detector.open(folder)


def test_the_shipped_files_are_small_and_the_cases_carry_no_identity() -> None:
    assert (WEIGHTS / "detector.safetensors").stat().st_size <= 45_000_000
    cases = json.loads((WEIGHTS / "cases.json").read_text(encoding="utf-8"))
    tensors = load_file(WEIGHTS / "cases.safetensors")
    assert tensors["embedding"].shape == (len(cases["cases"]), EMBEDDING_DIM)
    assert tensors["region"].shape[0] == len(tensors["region_case"]) == len(tensors["region_label"])
    for row, label in zip(tensors["region_case"][:50], tensors["region_label"][:50], strict=True):
        assert LABELS[label] in cases["cases"][row]["labels"]
    assert set(cases["cases"][0]) == {"id", "labels", "age", "sex", "view", "set", "low_resolution", "fold"}


def test_the_members_share_the_early_part_of_the_stem(detector: Detector) -> None:
    x = torch.from_numpy(np.random.default_rng(0).random((1, 1, 64, 64), np.float32))
    with torch.inference_mode():
        early = detector.members[0].stem.early(x)
        for member in detector.members:
            assert torch.allclose(member.stem.early(x), early, atol=1e-4)
            assert torch.allclose(member(x).logits, member.attend(*member.stem.late(early)).logits, atol=1e-3)


def test_low_resolution_has_an_operating_point_of_its_own(detector: Detector) -> None:
    points = detector.manifest["operating_points"]
    cuts = sorted(points[name]["any_finding"] for name in points)
    p = np.full(15, 0.01)
    p[-1] = np.mean(cuts)
    called = {low: any(presence == "present" for *_, presence in detector.judge(p, low)) for low in (False, True)}
    assert called == {
        False: points["standard"]["any_finding"] == cuts[0],
        True: points["low_resolution"]["any_finding"] == cuts[0],
    }


def test_one_output_decides_whether_anything_is_present(detector: Detector) -> None:
    everything = Detector(detector.members, detector.probe, detector.manifest, "")  # all 14 assessed
    point = detector.manifest["operating_points"]["standard"]
    cuts = np.array([point["labels"][x] for x in LABELS])
    edge = point["any_finding"]
    near, far = edge / (1 - edge) * 0.7, edge / (1 - edge) * 0.3
    for odds in (0.2, 0.7, 3.0):
        p = odds * cuts / (1 - cuts) / (1 + odds * cuts / (1 - cuts))
        first = LABELS[int(p.argmax())]
        above, doubtful, below = (
            dict(zip(LABELS, (seen for *_, seen in everything.judge(np.append(p, last))), strict=True))
            for last in (edge, near / (1 + near), far / (1 + far))
        )
        assert above.pop(first) == "present"
        assert doubtful.pop(first) == "uncertain"
        assert set(above.values()) == {"absent" if odds < 0.5 else "uncertain" if odds < 1 else "present"}
        assert set(doubtful.values()) == {"absent" if odds < 1 else "uncertain"}
        assert set(below.values()) == {"absent"}
        for last in (edge, near / (1 + near), far / (1 + far)):
            for probability, threshold, presence in everything.judge(np.append(p, last)):
                assert (presence == "present") == (probability >= threshold)
