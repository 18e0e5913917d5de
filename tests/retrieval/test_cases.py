from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from retrieval import cases
from retrieval.cases import Cases
from retrieval.concept_index import Likely
from retrieval.document import CaseHit, Document

REPORTS = {
    "CXR1": (
        "Cough",
        "There is no pneumothorax. Small pleural effusion.",
        "Effusion.",
        ["Pleural Effusion/left/small"],
    ),
    "CXR2": ("Chest pain", "Heart is enlarged.", "", ["Cardiomegaly/mild"]),
    "CXR3": ("", "", "Normal chest.", ["normal"]),
    "CXR4": ("Fever", "", "", ["No Indexing"]),
}


def archive(path: Path, reports: dict[str, tuple[str, str, str, list[str]]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, (indication, findings, impression, mesh) in reports.items():
            body = "".join(
                f'<AbstractText Label="{label}">{text}</AbstractText>'
                for label, text in [("INDICATION", indication), ("FINDINGS", findings), ("IMPRESSION", impression)]
            )
            codes = "".join(f"<major>{code}</major>" for code in mesh)
            content = f'<eCitation><uId id="{name}"/><A>{body}</A><MeSH>{codes}</MeSH></eCitation>'.encode()
            member = tarfile.TarInfo(f"ecgen-radiology/{name[3:]}.xml")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def image(number: int, age: int, sex: str, labels: list[str], concepts: list[str]) -> Document:
    return Document(
        doc_id=f"nih-{number:04d}",
        kind="case",
        title=", ".join(labels) or "No finding",
        text=f"{age}-year-old, {sex}, PA",
        source_curie=f"nih-{number:04d}",
        concepts=tuple(concepts),
        metadata={"age": str(age), "sex": sex, "view": "PA" if number % 2 else "AP", "findings": "; ".join(labels)},
    )


IMAGES = [
    image(3, 70, "F", ["Effusion"], ["T:effusion"]),
    image(1, 30, "M", ["Pneumothorax"], ["T:pneumothorax"]),
    image(2, 65, "M", ["Effusion", "Cardiomegaly"], ["T:effusion", "T:cardiomegaly"]),
    image(4, 40, "F", [], []),
]
EMBEDDINGS = np.array([[1, 0, 0], [0, 1, 0], [2, 1, 0], [0, 0, 1]], dtype=np.float32)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, linker: Any) -> Path:
    home = tmp_path_factory.mktemp("home")
    cases.build(home, linker, path=archive(home / "reports.tgz", REPORTS))
    cases.build_images(home, EMBEDDINGS, IMAGES, detector="ab")
    return home


def ids(hits: Any) -> list[str]:
    return [hit.document.doc_id for hit in hits]


def test_a_report(built: Path) -> None:
    index = Cases.open(built)
    assert index.reports.lexical.ids == ("openi:CXR1", "openi:CXR2", "openi:CXR3")  # CXR4 says nothing
    assert index.reports.manifest.settings["counts"] == {"reports": 4, "indexed": 3}
    document = index.reports.documents[0]
    assert document.text == (
        "Indication: Cough Findings: There is no pneumothorax. Small pleural effusion. Impression: Effusion."
    )
    assert document.concepts == ("T:effusion",)
    assert document.metadata["indication"] == "Cough"
    assert document.metadata["mesh"] == "Pleural Effusion/left/small"
    assert document.metadata["licence"] == "CC BY-NC-ND 4.0"
    assert index.reports.documents[1].concepts == ("T:cardiomegaly",)  # only the code says so
    assert len(index) == 7


def test_an_image_alone(built: Path) -> None:
    hits = Cases.open(built).search(image_embedding=np.array([9, 0.1, 0], dtype=np.float32), k=3)
    assert ids(hits) == ["nih-0003", "nih-0002", "nih-0001"]
    assert hits[0].explanation["image"] == pytest.approx(1, abs=1e-3)
    assert hits[1].explanation["image"] == pytest.approx(2 / 5**0.5, abs=0.01)
    assert set(hits[0].explanation) == {"image"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score == 1


def test_text_alone(built: Path) -> None:
    hits = Cases.open(built).search("small pleural effusion on the left", k=2)
    assert hits[0].document.doc_id == "openi:CXR1"
    assert set(hits[0].explanation) == {"bm25", "dense"}


def test_concepts_alone(built: Path) -> None:
    hits = Cases.open(built).search(concepts=["T:effusion"])
    assert ids(hits) == ["nih-0003", "openi:CXR1", "nih-0002"]
    assert hits[0].explanation["concepts"] == pytest.approx(1)


def test_everything_at_once(built: Path) -> None:
    hits = Cases.open(built).search("effusion", EMBEDDINGS[2], ["T:effusion", "T:cardiomegaly"], k=10)
    images = [hit for hit in hits if "image" in hit.explanation]
    assert images[0].document.doc_id == "nih-0002"
    assert set(images[0].explanation) == {"bm25", "dense", "concepts", "image"}
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert "openi:CXR1" in ids(hits)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_a_filter_is_applied_before_the_ranking(built: Path) -> None:
    index = Cases.open(built)
    query = np.array([0, 0, 1], dtype=np.float32)  # nearest to the one image that the filter takes out
    assert ids(index.search(image_embedding=query, k=2, where="finding:effusion and age>60")) == [
        "nih-0002",
        "nih-0003",
    ]
    assert set(ids(index.search("pneumothorax", where="finding:cardiomegaly"))) == {"nih-0002", "openi:CXR2"}
    assert index.search("effusion", where="age>99") == ()


def test_a_filter_alone_lists_by_id(built: Path) -> None:
    hits = Cases.open(built).search(where="sex:F")
    assert ids(hits) == ["nih-0003", "nih-0004"]
    assert {hit.score for hit in hits} == {0.0}
    assert ids(Cases.open(built).search(where="sex:F", exclude=["nih-0003"])) == ["nih-0004"]


def test_exclude(built: Path) -> None:
    hits = Cases.open(built).search(image_embedding=EMBEDDINGS[0], k=9, exclude=["nih-0003"])
    assert ids(hits)[0] == "nih-0002"
    assert len(hits) == 3


def test_bad_questions_are_one_line(built: Path) -> None:
    index = Cases.open(built)
    for arguments in (
        {},
        {"text": "  "},
        {"text": "effusion", "k": 0},
        {"text": "effusion", "where": "size>3"},
        {"image_embedding": np.ones(5, dtype=np.float32)},
        {"image_embedding": np.full(3, np.nan, dtype=np.float32)},
    ):
        with pytest.raises(InputError) as caught:
            index.search(**arguments)
        assert "\n" not in str(caught.value)


def test_without_images(tmp_path: Path, linker: Any) -> None:
    cases.build(tmp_path, linker, path=archive(tmp_path / "reports.tgz", REPORTS))
    index = Cases.open(tmp_path)
    assert ids(index.search("enlarged heart", k=1)) == ["openi:CXR2"]
    with pytest.raises(ArtifactError, match="no images are indexed"):
        index.search(image_embedding=EMBEDDINGS[0])


def test_another_detector_is_refused(built: Path) -> None:
    Cases.open(built, detector="ab")
    with pytest.raises(ArtifactError, match="another image encoder"):
        Cases.open(built, detector="cd")


def test_damage_in_the_images_is_refused(built: Path) -> None:
    path = cases.folder(built, cases.IMAGES) / "images" / "index.faiss"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"index\.faiss"):
        Cases.open(built)
    path.write_bytes(content)


def test_archives_that_cannot_be_read(tmp_path: Path, linker: Any) -> None:
    (tmp_path / "text.tgz").write_text("hello")
    whole = archive(tmp_path / "whole.tgz", REPORTS).read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    archive(tmp_path / "empty.tgz", {})
    for name in ("text.tgz", "cut.tgz", "empty.tgz", "missing.tgz"):
        with pytest.raises(InputError):
            cases.build(tmp_path, linker, path=tmp_path / name)
    assert not cases.folder(tmp_path, cases.REPORTS).exists()


def test_embeddings_and_documents_go_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 embeddings for 4 documents"):
        cases.build_images(tmp_path, EMBEDDINGS[:3], IMAGES)


def test_few_candidates_change_nothing_at_the_top(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Cases.open(built)
    question = {"text": "pleural effusion", "image_embedding": EMBEDDINGS[0], "concepts": ["T:effusion"]}
    whole = index.search(**question, k=3)
    monkeypatch.setattr("retrieval.hybrid.DEPTH", 1)
    assert index.search(**question, k=3) == whole
    assert len(index.search(**question, k=99)) == 7
    assert ids(index.search(**question, k=1, exclude=[whole[0].document.doc_id])) == [whole[1].document.doc_id]


def test_how_sure_a_finding_is_counts(built: Path) -> None:
    cases = Cases.open(built)
    sure = cases.search(concepts=Likely(probability={"T:effusion": 0.9, "T:pneumothorax": 0.1}), k=4)
    unsure = cases.search(concepts=Likely(probability={"T:effusion": 0.1, "T:pneumothorax": 0.9}), k=4)
    assert "T:effusion" in sure[0].document.concepts
    assert unsure[0].document.concepts == ("T:pneumothorax",)


def test_what_a_hit_shares_and_lacks(built: Path) -> None:
    names = {"T:effusion": "Effusion", "T:cardiomegaly": "Cardiomegaly"}
    hits = Cases.open(built).search(concepts=names, names=names, k=9)
    told = {hit.document.doc_id: (hit.shares, hit.lacks) for hit in hits if isinstance(hit, CaseHit)}
    assert told["nih-0002"] == (("Cardiomegaly", "Effusion"), ())
    assert told["nih-0003"] == (("Effusion",), ("Cardiomegaly",))
    assert len(told) == len(hits)


def test_what_a_case_must_not_state(built: Path) -> None:
    cases = Cases.open(built)
    found = cases.search(text="effusion", without=["T:effusion"], k=9)
    assert found
    assert not any("T:effusion" in hit.document.concepts for hit in found)
    everything = cases.search(where="age>0", without=["T:effusion", "T:pneumothorax"], k=9)
    assert [hit.document.doc_id for hit in everything] == ["nih-0004"]


def test_one_of_each_patient(tmp_path: Path, linker: Any) -> None:
    films = [image(n, 50, "F", ["Effusion"], ["T:effusion"]) for n in range(60)]
    films = [replace(f, metadata=f.metadata | {"patient": "a" if n < 55 else f"b{n}"}) for n, f in enumerate(films)]
    vectors = np.array([[1, n / 100, 0] for n in range(60)], dtype=np.float32)
    cases.build_images(tmp_path, vectors, films)
    cases.build(tmp_path, linker, path=archive(tmp_path / "reports.tgz", REPORTS))
    found = Cases.open(tmp_path).search(image_embedding=vectors[0], k=6)
    assert [hit.document.doc_id for hit in found] == ["nih-0000", *(f"nih-00{n}" for n in range(55, 60))]
    assert [hit.rank for hit in found] == [1, 2, 3, 4, 5, 6]
    listed = Cases.open(tmp_path).search(where="sex:F", k=60)
    assert len(listed) == 60  # a filter lists all there are


def test_a_case_by_its_id(built: Path) -> None:
    document, embedding = Cases.open(built).find("nih-0002")
    assert document.concepts == ("T:effusion", "T:cardiomegaly")
    assert embedding == pytest.approx(np.array([2, 1, 0]) / np.sqrt(5))
    assert Cases.open(built).find("openi:CXR1")[1] is None
    with pytest.raises(InputError, match="no such case: 'nih-9999'"):
        Cases.open(built).find("nih-9999")
