"""What headers say in many ways: ages, views, body parts, which way the picture lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

from tests.vision.intake.made import PLAIN, film, saved
from vision.image import load_image
from vision.phantom.radiograph import write_phantom
from vision.quality import cautions, refusal

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


@pytest.mark.parametrize(
    ("said", "years"),
    [
        *(("061Y", 61), ("61Y", 61), ("61", 61), ("8Y", 8), ("61y", 61), (" 61 Y", 61), ("61 years", 61), ("0061", 61)),
        *(("018M", 1.5), ("18M", 1.5), ("52W", 52 / 52.1775), ("010D", 10 / 365.25), ("61J", 61), ("61 a", 61)),
        *(("", None), ("Y", None), ("adult", None), ("999Y", None), ("6 1", None), ("-5Y", None), ("61X", None)),
    ],
)
def test_ages_as_people_type_them(tmp_path: Path, said: str, years: float | None) -> None:
    data = film()
    data["PatientAge"] = pydicom.DataElement(0x00101010, "LO", said)
    image = load_image(saved(data, tmp_path / "a"))
    assert image.patient_age_y == (None if years is None else pytest.approx(years))
    assert any("age in the header" in line for line in cautions(image)) == (years is None and said != "")


def _coded(value: str, meaning: str) -> Sequence:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return Sequence([item])


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"ViewPosition": v}
            for v in ("LL", "lat", "LEFT LATERAL", "L LAT", "LATERAL_L", "seitlich", "PROFIL", "LAO")
        ),
        *({"ViewPosition": v} for v in ("Perfil", "latero-laterale", "Oblique", "decubitus", "AP LLD", "RT LAT")),
        {"ViewPosition": "", "ViewCodeSequence": _coded("399067008", "lateral")},
        {"ViewCodeSequence": _coded("399173006", "")},
        {"ViewCodeSequence": _coded("R-10236", "Left lateral")},
        {"ViewPosition": "PA", "ViewCodeSequence": _coded("399198007", "right lateral")},
        *({"PatientOrientation": [across, down]} for across, down in (("A", "F"), ("P", "F"), ("PL", "FA"))),
        *(
            {"SeriesDescription": v}
            for v in ("Chest Lateral", "THORAX SEITLICH", "Torax perfil", "Thorax lat.", "胸部 侧位")
        ),
        {"ProtocolName": "Thorax profil"},
        {"ViewPosition": "XX", "SeriesDescription": "CHEST LAT"},
    ],
)
def test_a_lateral_view_wherever_the_header_says_so(tmp_path: Path, fields: dict[str, Any]) -> None:
    data = film(SpecificCharacterSet="ISO_IR 192", **fields)
    assert refusal(load_image(saved(data, tmp_path / "a"))) == "lateral_view"


@pytest.mark.parametrize(
    "fields",
    [
        *({"ViewPosition": v} for v in ("PA", "AP", "", "P.A.", "postero-anterior", "AP SUPINE", "Frontal", "XX")),
        {"ViewCodeSequence": _coded("399348003", "antero-posterior projection")},
        *({"PatientOrientation": v} for v in (["L", "F"], ["R", "F"], ["L", "H"], ["F", "L"], ["", ""])),
        *(
            {"SeriesDescription": v}
            for v in ("Chest PA and lateral", "Bilateral infiltrates", "Thorax 2 views", "p.a.")
        ),
        {"ViewPosition": "PA", "SeriesDescription": "Chest lateral"},  # the series was named after its first film
        {"StudyDescription": "CHEST PA/LAT"},
    ],
)
def test_a_frontal_view_is_not_taken_for_a_lateral_one(tmp_path: Path, fields: dict[str, Any]) -> None:
    assert refusal(load_image(saved(film(**fields), tmp_path / "a"))) is None


@pytest.mark.parametrize(
    "part",
    [
        *("CHEST", "THORAX", "PORT CHEST", "CHEST 2V", "Brustkorb", "TORACE", "Tórax", "POITRINE", "KLATKA PIERSIOWA"),
        *("HRUDNÍK", "GÖĞÜS", "Органы грудной клетки", "胸部", "PULMONES", "CHESTABDOMEN", "LUNG", "RIBS", "borstkas"),
    ],
)
def test_the_chest_in_other_languages(tmp_path: Path, part: str) -> None:
    image = load_image(saved(_with_part(part), tmp_path / "a"))
    assert refusal(image) is None
    assert not any("body part" in line for line in cautions(image))


@pytest.mark.parametrize(
    "part",
    [
        *("KNEE", "HAND", "ABDOMEN", "SKULL", "LSPINE", "PELVIS", "CSPINE", "Knie", "Schädel", "MANO", "RODILLA"),
        *("GENOU", "Bassin", "колено", "膝関節", "BREAST", "columna lumbar", "WIRBELSÄULE", "L FOOT"),
    ],
)
def test_other_parts_in_other_languages(tmp_path: Path, part: str) -> None:
    assert refusal(load_image(saved(_with_part(part), tmp_path / "a"))) == "wrong_body_part"


def test_an_unknown_body_part_is_judged_by_the_look(tmp_path: Path) -> None:
    image = load_image(saved(_with_part("QWERTY"), tmp_path / "a"))
    assert refusal(image) is None
    assert any("QWERTY" in line for line in cautions(image))


def _with_part(part: str) -> FileDataset:
    data = film(SpecificCharacterSet="ISO_IR 192")
    data["BodyPartExamined"] = pydicom.DataElement(0x00180015, "LO", part)
    return data


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (["L", "F"], PLAIN),
        (["R", "F"], PLAIN[:, ::-1]),
        (["L", "H"], PLAIN[::-1]),
        (["R", "H"], PLAIN[::-1, ::-1]),
        (["F", "L"], PLAIN.T),
        (["F", "R"], PLAIN[:, ::-1].T),
        (["H", "L"], PLAIN[::-1].T),
        (["H", "R"], PLAIN[::-1, ::-1].T),
        (["LH", "FA"], PLAIN),
    ],
)
def test_a_picture_is_looked_at_the_way_its_header_says(tmp_path: Path, said: list[str], stored: np.ndarray) -> None:
    data = film(np.round(stored * 4095).astype(int), PatientOrientation=said)
    image = load_image(saved(data, tmp_path / "a"))
    assert np.allclose(image.pixels, stored, atol=1e-3)  # boxes are in the pixels of the file
    assert np.allclose(image.upright, PLAIN, atol=1e-3)
    assert np.array_equal(image.orientation.as_stored(image.upright), image.pixels)
    assert any("mirrored" in line for line in cautions(image)) == (said not in (["L", "F"], ["LH", "FA"]))


def test_the_side_of_a_finding_follows_the_header(tmp_path: Path, detector) -> None:  # type: ignore[no-untyped-def]
    write_phantom(tmp_path / "a.dcm")
    data = pydicom.dcmread(tmp_path / "a.dcm")
    pixels = data.pixel_array
    data.PixelData, data.PatientOrientation = np.ascontiguousarray(pixels[:, ::-1]).tobytes(), ["R", "F"]
    data.save_as(tmp_path / "b.dcm")
    plain, turned = (detector.detect(load_image(tmp_path / name)) for name in ("a.dcm", "b.dcm"))
    width = pixels.shape[1]
    for first, second in zip(plain.findings, turned.findings, strict=True):
        assert (first.presence, first.laterality) == (second.presence, second.laterality)
        assert first.probability == pytest.approx(second.probability, abs=1e-4)
        if first.box is not None and second.box is not None:
            assert second.box.x == pytest.approx(width - first.box.x - first.box.width, abs=width / 64 + 1)
