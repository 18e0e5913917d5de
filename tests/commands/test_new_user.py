"""What a new user does with a department's own films: 30 DICOM files with reports, a cohort, an own ontology."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid

from vision.phantom.radiograph import write_phantom

Whydx = Callable[..., Any]  # see tests/conftest.py
REPORTS = (
    "Large right pleural effusion.",
    "Heart is enlarged. No effusion.",
    "Sandstorm lung sign in both bases.",
    "No acute cardiopulmonary abnormality.",
    "Small left pneumothorax.",
)
ONTOLOGY = """format-version: 1.2
ontology: dept

[Term]
id: DEPT:0000001
name: Sandstorm lung sign
is_a: HP:0002088
"""


@pytest.fixture
def own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tests' home, and a folder of 30 films of 15 patients with a report each as the current folder."""
    folder, films = tmp_path / "home", tmp_path / "films"
    folder.mkdir()
    (folder / "sources").symlink_to(home / "sources")
    for part in ("graph", "linker", "indexes/literature", "indexes/cases", "indexes/images", "readings"):
        if (home / part).is_dir():
            shutil.copytree(home / part, folder / part)
    shutil.copy(home / "built.json", folder)
    films.mkdir()
    drawn = [write_phantom(tmp_path / f"drawn{seed}.dcm", seed=seed) for seed in range(3)]
    for number in range(30):
        film = pydicom.dcmread(drawn[number % 3])
        film.PatientName, film.PatientID = f"Miller{number // 2:02d}^Anna", f"MRN-{number // 2:04d}"
        film.PatientAge, film.PatientSex = f"{40 + number:03d}Y", "FM"[number // 2 % 2]
        film.StudyDate = f"2024{number % 12 + 1:02d}05"
        film.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {number}"])
        film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
        film.save_as(films / f"{number:02d}.dcm")
        (films / f"{number:02d}.txt").write_text(f"Anna Miller{number // 2:02d}. {REPORTS[number % 5]}\n")
    monkeypatch.setenv("WHYDX_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_from_films_to_a_cohort_and_an_own_ontology(whydx: Whydx, own: Path) -> None:
    added = whydx("index", "add", "films", "films")
    assert added.status == 0, added.err
    assert "films: 30 documents (30 new, 0 changed, 0 gone)" in added.err

    alike = json.loads(whydx("cases", "films/00.dcm", "--collection", "films", "-k", "20", "--format", "json").out)
    patients = [hit["document"]["metadata"]["patient"] for hit in alike]
    assert len(patients) == len(set(patients)) == 15
    assert alike[0]["explanation"]["image"] == pytest.approx(1, abs=1e-3)
    found = whydx("cases", "--text", "pleural effusion, cardiomegaly", "--collection", "films", "--format", "json")
    first = json.loads(found.out)[0]
    assert (first["shares"], first["lacks"]) in (
        (["Pleural effusion"], ["Cardiomegaly"]),
        (["Cardiomegaly"], ["Pleural effusion"]),
    )
    like = whydx("cases", "--like", first["document"]["doc_id"], "--but-not", "effusion", "--collection", "films",
                 "-k", "30", "--format", "json")  # fmt: skip
    assert not any("effusion" in hit["document"]["metadata"].get("findings", "") for hit in json.loads(like.out))

    for picture in ("c.png", "c.svg"):
        shown = whydx("cases", "--collection", "films", "--summary", "--by", "finding,sex", "--plot", picture)
        assert (shown.status, "30 cases of 15 patients" in shown.out) == (0, True)
    assert Image.open("c.png").size == (1320, 900)
    assert Path("c.svg").read_bytes().startswith(b"<?xml")
    assert whydx("cases", "--collection", "films", "--where", "age>=60", "-k", "99", "--export", "csv",
                 "-o", "old.csv").status == 0  # fmt: skip
    with Path("old.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 10
    everything = Path("old.csv").read_text() + shown.out + json.dumps(alike)
    assert "Miller" not in everything
    assert "MRN-" not in everything

    Path("dept.obo").write_text(ONTOLOGY, encoding="utf-8")
    assert whydx("ontology", "add", "dept.obo").status == 0
    built = whydx("index", "build")
    assert "built graph, linker, literature, cases, images" in built.err, built.err
    assert whydx("index", "update", "films").status == 0
    own_term = whydx("cases", "--collection", "films", "--where", 'finding:"sandstorm lung sign"', "-k", "99",
                     "--format", "json")  # fmt: skip
    assert len(json.loads(own_term.out)) == 6
    by_code = whydx(
        "cases", "--collection", "films", "--where", "finding:DEPT:0000001", "--summary", "--format", "json"
    )
    assert json.loads(by_code.out)["cases"] == 6
