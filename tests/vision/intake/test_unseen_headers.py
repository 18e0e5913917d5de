"""What headers say elsewhere or in other words, and studies that anonymisers took apart: cases of kinds that hospitals
produce, written before the code was looked at for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence

from errors import InputError
from tests.vision.intake.made import PLAIN, film, saved, worded
from vision.image import load_image
from vision.intake.study import one_study
from vision.quality import cautions, refusal

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def coded(value: str, scheme: str, meaning: str) -> Sequence:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


# --- 1 to 5: the view is said elsewhere


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AcquisitionDeviceProcessingDescription", "CHEST,LAT"),  # Fuji and Konica readers
        ("PerformedProcedureStepDescription", "Thorax seitlich"),
        ("RequestedProcedureDescription", "RX torace laterale"),
        ("SeriesDescription", "W Chest Lat."),
        ("SeriesDescription", "THORAX LL"),
        ("SeriesDescription", "Klatka piersiowa bok"),
        ("SeriesDescription", "THORAX_LAT_L"),
        ("SeriesDescription", "ThoraxLat"),
        ("ViewPosition", "LATERALE SIN"),
        ("ViewPosition", "Lateral Esquerdo"),
        ("ViewPosition", "側面"),
    ],
)
def test_a_lateral_said_in_another_field(tmp_path: Path, name: str, said: str) -> None:
    assert refusal(load_image(saved(worded(name, said), tmp_path / "a"))) == "lateral_view"


def test_a_lateral_in_the_codes_of_the_procedure(tmp_path: Path) -> None:
    step = coded("T-LAT", "99LOCAL", "Chest, left lateral")
    assert refusal(load_image(saved(film(ProcedureCodeSequence=step), tmp_path / "a"))) == "lateral_view"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AcquisitionDeviceProcessingDescription", "CHEST,PA"),
        ("RequestedProcedureDescription", "Chest PA and lateral"),
        ("PerformedProcedureStepDescription", "Thorax in 2 Ebenen (pa/seitl.)"),
        ("SeriesDescription", "Collateral vessels?"),
        ("SeriesDescription", "Plate 3"),
        ("ViewPosition", "PA ERECT"),
    ],
)
def test_no_lateral_where_the_words_do_not_say_so(tmp_path: Path, name: str, said: str) -> None:
    assert refusal(load_image(saved(worded(name, said), tmp_path / "a"))) is None


# --- 6 to 8: which way the picture lies


def test_a_mirrored_film_of_which_each_direction_has_several_letters(tmp_path: Path) -> None:
    data = film(np.round(PLAIN[:, ::-1] * 4095).astype(int), PatientOrientation=["RP", "FA"])
    assert np.allclose(load_image(saved(data, tmp_path / "a")).upright, PLAIN, atol=1e-3)


def test_an_orientation_written_as_one_text(tmp_path: Path) -> None:
    data = film(np.round(PLAIN[:, ::-1] * 4095).astype(int))
    data["PatientOrientation"] = pydicom.DataElement(0x00200020, "LO", "r\\f")
    assert np.allclose(load_image(saved(data, tmp_path / "a")).upright, PLAIN, atol=1e-3)


@pytest.mark.parametrize("said", [["", "F"], ["L"], ["L", "F", "H"], ["X", "Y"], ["H", "F"]])
def test_an_orientation_that_says_nothing_leaves_the_film_as_it_is(tmp_path: Path, said: list[str]) -> None:
    image = load_image(saved(film(PatientOrientation=said), tmp_path / "a"))
    assert not image.orientation
    assert refusal(image) is None


# --- 25 to 28: the patient


@pytest.mark.parametrize(
    ("said", "years"),
    [
        *(("6M", 0.5), ("006M", 0.5), ("61 ans", 61), ("61 Jahre", 61), ("61 años", 61), ("61YR", 61), ("61 YRS", 61)),
        *(
            ("6 mo", 0.5),
            ("3 wk", 3 / 52.1775),
            ("61 лет", 61),
            ("61岁", 61),
            ("61세", 61),
            ("14 dni", 14 / 365.25),
            ("3 semaines", 3 / 52.1775),
            ("Y061", 61),
            ("061 Y ", 61),
        ),
        *(("14 dni", 14 / 365.25), ("3 semaines", 3 / 52.1775)),
        *(("18 Monate", 1.5), ("5 jours", 5 / 365.25), ("61.5Y", 61.5), ("131Y", None), ("unknown", None)),
    ],
)
def test_ages_in_other_words(tmp_path: Path, said: str, years: float | None) -> None:
    found = load_image(saved(worded("PatientAge", said), tmp_path / "a")).patient_age_y
    assert found == (None if years is None else pytest.approx(years, rel=1e-3))


@pytest.mark.parametrize(
    ("fields", "years"),
    [
        ({"PatientBirthDate": "19600115", "StudyDate": "20210301"}, 61),
        ({"PatientBirthDate": "20200301", "AcquisitionDate": "20210301"}, 1),
        ({"PatientBirthDate": "20210315", "StudyDate": "20210301"}, None),
        ({"PatientBirthDate": "19000101", "StudyDate": "20210301"}, None),  # what anonymisers write
        ({"PatientBirthDate": "19600115"}, None),
        ({"PatientBirthDate": "1960", "StudyDate": "20210301"}, None),
        ({"PatientBirthDate": "19600115", "StudyDate": "20210301", "PatientAge": "045Y"}, 45),
    ],
)
def test_an_age_from_the_dates_when_none_is_stated(tmp_path: Path, fields: dict[str, str], years: float | None) -> None:
    found = load_image(saved(film(**fields), tmp_path / "a")).patient_age_y
    assert found == (None if years is None else pytest.approx(years, abs=0.2))


@pytest.mark.parametrize(
    ("said", "sex"),
    [
        *(("F", "F"), ("Female", "F"), ("W", "F"), ("weiblich", "F"), ("MUJER", "F"), ("femme", "F"), ("女", "F")),
        *(("m", "M"), ("Male", "M"), ("männlich", "M"), ("hombre", "M"), ("男", "M"), ("Ж", "F"), ("", None)),
        *(("U", None), ("O", "O"), ("1", None), ("unknown", None), ("MISSING", None)),
    ],
)
def test_the_sex_in_other_words(tmp_path: Path, said: str, sex: str | None) -> None:
    assert load_image(saved(worded("PatientSex", said), tmp_path / "a")).patient_sex == sex


# --- 29 to 32: the body part and the modality


@pytest.mark.parametrize(
    "part",
    [
        *("CXR", "PORTABLE CXR", "PECTORAL", "PLEURA", "STERNUM", "MEDIASTINUM", "Torse", "TRUNK", "Cassa toracica"),
        *("Toraks", "Mellkas", "Grudnik", "Ρινθώρακας θώρακας", "ngực", "छाती", "Rintakehä", "Bröstkorg", "CHST"),
    ],
)
def test_the_chest_in_more_words(tmp_path: Path, part: str) -> None:
    assert refusal(load_image(saved(worded("BodyPartExamined", part), tmp_path / "a"))) is None


@pytest.mark.parametrize(
    "part",
    [
        *(
            "THORACIC SPINE",
            "Rachis thoracique",
            "COLUMNA TORACICA",
            "T SPINE",
            "BWS",
            "LWS",
            "HWS",
            "Kolano",
            "DIZ",
            "TORNOZELO",
            "PUNHO",
            "MUÑECA",
            "POLSO",
        ),
        *("POIGNET", "HANDGELENK", "Sprunggelenk", "Dłoń", "kéz", "térd", "Ellenbogen", "hofte", "knæ", "кости таза"),
        *("WHOLE SPINE", "LOWER LIMB", "UPPER EXTREMITY", "Mandíbula", "ABD", "Bauch", "骨盤", "头颅"),
        *("Brustwirbelsäule", "Плечо", "голеностоп", "踝", "肩关节", "Hüftgelenk", "Zähne", "Ręka", "omuz", "어깨"),
    ],
)
def test_other_parts_in_more_words(tmp_path: Path, part: str) -> None:
    assert refusal(load_image(saved(worded("BodyPartExamined", part), tmp_path / "a"))) == "wrong_body_part"


@pytest.mark.parametrize("modality", ["XR", "DX", "cr", "DR", "RG", "SC", "", "X-RAY"])
def test_names_of_radiography(tmp_path: Path, modality: str) -> None:
    assert refusal(load_image(saved(worded("Modality", modality), tmp_path / "a"))) is None


@pytest.mark.parametrize("modality", ["CT", "MR", "US", "MG", "NM", "PT", "IO", "ECG", "XC"])
def test_names_of_other_modalities(tmp_path: Path, modality: str) -> None:
    assert refusal(load_image(saved(worded("Modality", modality), tmp_path / "a"))) == "wrong_modality"


# --- 33 to 38: studies


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, **fields: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stated = {"PatientID": "P1", "SOPInstanceUID": f"1.2.3.{abs(hash(name)) % 10**9}"} | fields
        return saved(film(**stated), path)

    return write


def test_a_frontal_film_and_a_lateral_that_an_anonymiser_gave_different_studies(put: Callable[..., Path]) -> None:
    front = put("a", ViewPosition="PA", StudyInstanceUID="1.2.31")
    side = put("b", ViewPosition="lateral", StudyInstanceUID="1.2.32")
    assert set(one_study([front, side])) == {front, side}
    assert set(one_study([side, front])) == {front, side}


def test_the_same_from_a_folder(put: Callable[..., Path], tmp_path: Path) -> None:
    front = put("s/a", ViewPosition="AP", StudyInstanceUID="1.2.31", StudyDate="20240105")
    side = put("s/b", SeriesDescription="Thorax seitl.", StudyInstanceUID="1.2.32", StudyDate="20240105")
    assert set(one_study(tmp_path / "s")) == {front, side}


@pytest.mark.parametrize(
    "other",
    [
        {"ViewPosition": "AP"},  # two frontal films: which is meant?
        {"ViewPosition": "lateral", "PatientID": "P2"},
    ],
)
def test_two_frontal_films_or_patients_are_still_not_mixed(put: Callable[..., Path], other: dict[str, str]) -> None:
    front = put("a", ViewPosition="PA", StudyInstanceUID="1.2.31")
    with pytest.raises(InputError, match=r"2 (studies|patients)"):
        one_study([front, put("b", StudyInstanceUID="1.2.32", **other)])


def test_a_lateral_of_another_day_in_a_folder_is_another_study(put: Callable[..., Path], tmp_path: Path) -> None:
    put("s/a", ViewPosition="PA", StudyInstanceUID="1.2.31", StudyDate="20240105")
    put("s/b", ViewPosition="LL", StudyInstanceUID="1.2.32", StudyDate="20250105")
    with pytest.raises(InputError, match="2 studies"):
        one_study(tmp_path / "s")


@pytest.mark.parametrize("modality", ["DR", "XR", "SC", "dx"])
def test_all_films_of_a_folder_are_taken_whatever_radiography_is_called(
    put: Callable[..., Path], tmp_path: Path, modality: str
) -> None:
    paths = {put(f"s/{name}", Modality=modality) for name in ("1", "2")}
    assert set(one_study(tmp_path / "s")) == paths


def test_a_disc_with_its_viewer_and_lists(put: Callable[..., Path], tmp_path: Path) -> None:
    one = put("disc/DICOM/ST0/SE0/00000001")
    for name in ("AUTORUN.INF", "Thumbs.db", ".DS_Store", "VIEWER.EXE", "DICOM/VERSION", "index.html"):
        (tmp_path / "disc" / name).write_bytes(b"MZ\x90 \x08\x00 not an image" * 9)
    assert one_study(tmp_path / "disc") == (one,)


def test_raw_detector_data_beside_the_film_that_was_made_of_it(put: Callable[..., Path], tmp_path: Path) -> None:
    shown = put("s/1", PresentationIntentType="FOR PRESENTATION")
    put("s/2", PresentationIntentType="FOR PROCESSING")
    assert one_study(tmp_path / "s") == (shown,)


def test_raw_detector_data_alone_is_read_and_said(put: Callable[..., Path]) -> None:
    image = load_image(put("a", PresentationIntentType="FOR PROCESSING"))
    assert refusal(image) is None
    assert any("not processed" in line for line in cautions(image))
