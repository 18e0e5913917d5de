"""Annotated folders: the patient split, labels 1 / 0 / unknown, boxes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import InputError
from vision.datasets import folder
from vision.finding import LABELS
from vision.folds import FOLDS, fold_of, in_calibration, in_validation


def test_the_split_is_by_patient_and_as_agreed(miniature: Path) -> None:
    for record in folder.read(miniature):
        expected = int(hashlib.sha256(f"nih:{record.patient_id}".encode()).hexdigest()[:8], 16) % 5 == 0
        assert (record.split == "val") == expected
        assert (record.fold == 0) == expected
    train, val = folder.read(miniature, split="train"), folder.read(miniature, split="val")
    assert len(train) + len(val) == 40
    assert not {r.patient_id for r in train} & {r.patient_id for r in val}


def test_every_patient_is_held_out_by_one_member_and_official_test_images_by_all(miniature: Path) -> None:
    for record in folder.read(miniature):
        assert [k for k in range(FOLDS) if not record.fits(k)] == [record.fold]
        assert not any(replace(record, official="val").fits(k) for k in range(FOLDS))
        assert replace(record, official="train").fits((record.fold + 1) % FOLDS)
    shares = np.bincount([fold_of(str(i)) for i in range(4000)]) / 4000
    assert len(shares) == FOLDS
    assert shares == pytest.approx(1 / FOLDS, abs=0.02)


def test_calibration_patients_are_training_patients() -> None:
    ids = [str(i) for i in range(4000)]
    held = [i for i in ids if in_calibration(i)]
    assert not any(in_validation(i) for i in held)
    assert 0.08 < len(held) / len(ids) < 0.12  # an eighth of four fifths


def test_targets_know_one_zero_and_unknown(tmp_path: Path) -> None:
    row = {"image": "a.png", "patient_id": "1", "labels": ["Edema"], "unknown": ["Mass"], "age": "", "sex": None}
    (tmp_path / "annotations.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (record,) = folder.read(tmp_path)
    values, known = folder.targets(record)
    assert values[LABELS.index("Edema")] > 0.9
    assert values[LABELS.index("Hernia")] < 0.1
    assert known[LABELS.index("Mass")] == 0
    assert known.sum() == len(LABELS)
    assert values[-1] > 0.9
    assert record.age is None
    assert np.array_equal(folder.assessed([record])[0], known.astype(bool))


def test_what_a_set_did_not_judge_is_unknown_and_not_negative(tmp_path: Path) -> None:
    """A set of nodules: "No Finding" there means no nodule, and nothing of the other findings."""
    told = {"patient_id": "1", "known_labels": ["Nodule", "Mass"], "age": "60", "sex": "F"}
    box = {"label": "Nodule", "bbox_xywh": [1, 2, 3, 4]}
    rows = [
        told | {"image": "a.png", "labels": ["Nodule"], "boxes": [box]},
        told | {"image": "b.png", "labels": ["No Finding"]},
    ]
    (tmp_path / "annotations.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with_it, without = folder.read(tmp_path)
    assert with_it.boxes[0][1].x == 1
    assert (with_it.any_finding, without.any_finding) == (True, None)
    known = folder.assessed([with_it, without])
    judged = np.isin(LABELS, ["Nodule", "Mass"])
    assert np.array_equal(known[:, :-1], np.stack([judged, judged]))
    assert not folder.truth([without]).any()


def test_box_names_map_to_labels() -> None:
    assert folder.box_labels("Infiltrate", ()) == ("Infiltration",)
    assert folder.box_labels("Lung Opacity (RSNA pneumonia)", ("Edema", "Pneumonia", "Mass")) == (
        "Pneumonia",
        "Edema",
    )
    assert folder.box_labels("Fracture", ()) == ()


def test_truth_has_any_finding_last(miniature: Path) -> None:
    records = folder.read(miniature)
    y = folder.truth(records)
    assert y.shape == (40, 15)
    assert np.array_equal(y[:, -1], y[:, LABELS.index("Effusion")])


@pytest.mark.parametrize(
    "row", ['{"image": "a.png"}', "not json", '{"image": "a", "patient_id": 1, "labels": ["Gout"]}']
)
def test_a_bad_row_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "annotations.jsonl").write_text(row, encoding="utf-8")
    with pytest.raises(InputError, match="row 1"):
        folder.read(tmp_path)


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no annotated images"):
        folder.read(tmp_path / "nothing")


def test_fingerprint_sees_a_changed_pixel(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "annotations.jsonl").write_text('{"image": "a.png", "patient_id": 1, "labels": []}', encoding="utf-8")
    before = folder.fingerprint(tmp_path)
    assert before == folder.fingerprint(f"nih:{tmp_path}")
    (tmp_path / "a.png").write_bytes(b"2")
    assert folder.fingerprint(tmp_path) != before
