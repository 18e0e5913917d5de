"""A collection that grew is the one that would be built at once, and only what is new was worked on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from indexes import versions
from retrieval import adapted
from retrieval.collection import catalogue

Add = Callable[..., Any]


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(number: int, text: str = "Pleural effusion.", **more: Any) -> dict[str, Any]:
    return {"id": f"S{number}", "patient_id": f"P{number // 2}", "report": text, "age": 40 + number, "sex": "F", **more}


def test_ten_updates_equal_one_build(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "films").mkdir()
    rows = []
    for step in range(10):
        film = tmp_path / "films" / f"{step}.png"
        film.write_bytes(bytes([step, 7]) * (step + 1))
        rows += [row(3 * step, f"Effusion number {step}.", image=f"films/{step}.png"), row(3 * step + 1, "Fever.")]
        rows += [row(3 * step + 2, f"Cardiomegaly {step}.")]
        built = add("ours", table(tmp_path / "cases.jsonl", rows))
        assert (built.documents, built.new, built.changed, built.gone) == (len(rows), 3, 0, 0)
    assert len(counted.texts) == 30
    assert len(counted.images) == 10
    grown = content(tmp_path / "home" / "collections" / "ours")
    add("ours", anew=True)
    assert content(tmp_path / "home" / "collections" / "ours") == grown
    assert len(counted.texts) == 60


def test_what_changed_and_what_is_gone(tmp_path: Path, add: Add, counted: Any) -> None:
    path = table(tmp_path / "cases.jsonl", [row(1), row(2), row(3)])
    add("ours", path)
    table(path, [row(1), row(2, "Pneumothorax.")])
    counted.texts.clear()
    built = add("ours")
    assert (built.documents, built.new, built.changed, built.gone) == (2, 0, 1, 1)
    assert counted.texts == ["42-year-old woman Pneumothorax."]
    cases = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())
    assert len(cases) == 2
    assert [hit.document.text for hit in cases.search(where="finding:pneumothorax")] == ["Pneumothorax."]


def test_an_image_that_changed_is_looked_at_again(tmp_path: Path, add: Add, counted: Any) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    path = table(tmp_path / "cases.jsonl", [row(1, image="a.png"), row(2, image="b.png")])
    add("ours", path)
    (tmp_path / "b.png").write_bytes(b"another")
    counted.images.clear()
    assert add("ours").changed == 1
    assert counted.images == ["b.png"]


def test_another_detector_looks_at_all_images_again(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"film")
    add("ours", table(tmp_path / "cases.jsonl", [row(1, image="a.png"), row(2)]))
    with pytest.raises(ArtifactError, match=r"another image encoder.*run: whydx index update ours"):
        catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder(), detector="new eyes")
    counted.fingerprint = "new eyes"
    add("ours")
    assert counted.images == ["a.png", "a.png"]
    assert catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder(), detector="new eyes")


def test_cases_with_and_without_images_together(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"film")
    (tmp_path / "b.png").write_bytes(b"FILM of another")
    (tmp_path / "c.png").write_bytes(b"no chest")
    rows = [row(1, image="a.png"), row(2, image="b.png"), row(3, "Effusion."), row(4, "Fever.", image="c.png")]
    built = add("ours", table(tmp_path / "cases.jsonl", rows))
    assert built.refused == {"refused: not a chest": 1}
    cases = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())
    query = counted.look(tmp_path / "a.png").embedding
    alike = cases.search(image_embedding=query)
    assert [hit.document.metadata["age"] for hit in alike] == ["41", "42"]
    assert alike[0].explanation["image"] == pytest.approx(1)
    both = cases.search("effusion", image_embedding=query)
    assert len(both) == len({hit.document.metadata["patient"] for hit in both}) == 3  # of the two of one patient, one
    assert "image" in both[0].explanation or "image" in both[1].explanation
    only = cases.search(image_embedding=query, where="age:42 or age:43")
    assert [hit.document.metadata["age"] for hit in only] == ["42"]
    assert cases.search(image_embedding=query, where="age:43") == ()
    with pytest.raises(InputError):
        cases.search(image_embedding=np.zeros(5, dtype=np.float32))


def test_a_case_without_a_report_has_the_findings_of_its_image(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"film")
    add("ours", table(tmp_path / "cases.jsonl", [{"id": "1", "image": "a.png"}]))
    (case,) = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder()).matching("finding:effusion")
    assert case.concepts == ("T:effusion",)
    assert case.metadata["impression"] == "on the image: Effusion"


def test_nothing_is_half_written(tmp_path: Path, add: Add) -> None:
    path = table(tmp_path / "cases.jsonl", [row(1)])
    add("ours", path)
    before = content(tmp_path / "home")
    table(path, [row(1), row(2), row(2, "Fever.")])
    with pytest.raises(InputError, match=r"two cases have one id.*line 2.*line 3.*--column id=COLUMN"):
        add("ours")
    assert content(tmp_path / "home") == before
    with pytest.raises(InputError):
        add("new", path)
    assert catalogue.names(tmp_path / "home") == ("ours",)
    assert sorted(p.name for p in (tmp_path / "home" / "collections").iterdir()) == ["ours"]


def test_a_source_that_is_away_is_no_deletion(tmp_path: Path, add: Add) -> None:
    path = table(tmp_path / "cases.jsonl", [row(1)])
    add("ours", path)
    path.unlink()
    with pytest.raises(InputError, match="no such file or folder"):
        add("ours")
    assert catalogue.stored(tmp_path / "home", "ours").settings["documents"] == 1


def test_another_encoder(tmp_path: Path, add: Add, counted: Any) -> None:
    add("ours", table(tmp_path / "cases.jsonl", [row(1)]), encoder=counted.encoder("another"))
    with pytest.raises(ArtifactError, match=r"built with another encoder.*run: whydx index update ours"):
        catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())
    add("ours")
    assert len(catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())) == 1


def test_a_damaged_collection_is_named_and_made_again(tmp_path: Path, add: Add, counted: Any) -> None:
    add("ours", table(tmp_path / "cases.jsonl", [row(1), row(2)]))
    before = content(tmp_path / "home")
    (tmp_path / "home/collections/ours/documents/documents.jsonl").write_bytes(b"{}")
    with pytest.raises(ArtifactError, match=r"damaged file.*run: whydx index update ours"):
        catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())
    add("ours")
    assert content(tmp_path / "home") == before


def test_without_its_salt_nothing_is_mixed_up(tmp_path: Path, add: Add) -> None:
    add("ours", table(tmp_path / "cases.jsonl", [row(1)]))
    (tmp_path / "home/collections/ours/salt").unlink()
    with pytest.raises(ArtifactError, match=r"salt cannot be read.*whydx index remove ours"):
        add("ours")
    catalogue.remove(tmp_path / "home", "ours")
    assert catalogue.names(tmp_path / "home") == ()


def test_sources_come_together(tmp_path: Path, add: Add) -> None:
    add("ours", table(tmp_path / "one.jsonl", [row(1)]))
    built = add("ours", table(tmp_path / "two.jsonl", [row(2), row(3)]))
    assert (built.documents, built.new) == (3, 2)
    shutil.copy(tmp_path / "one.jsonl", tmp_path / "three.jsonl")
    with pytest.raises(InputError, match="two cases have one id"):
        add("ours", tmp_path / "three.jsonl")
    (tmp_path / "paper.ris").write_text("TY  - JOUR\nTI  - Effusion\nER  - \n")
    with pytest.raises(InputError, match="the collection holds cases"):
        add("ours", tmp_path / "paper.ris")


def test_only_its_own_reports_are_open_to_others(tmp_path: Path, add: Add) -> None:
    add("ours", table(tmp_path / "cases.jsonl", [row(1)]))
    assert (tmp_path / "home" / "collections").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden", "x" * 65])
def test_names(tmp_path: Path, add: Add, name: str) -> None:
    with pytest.raises(InputError, match="no name for a collection"):
        add(name, table(tmp_path / "cases.jsonl", [row(1)]))


def test_an_unknown_collection(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such collection: 'mine'; expected .*; run: whydx index add mine PATH"):
        catalogue.papers(tmp_path / "home", "mine")


def test_a_collection_moves_to_the_encoder_of_its_place_without_encoding_anew(
    tmp_path: Path, add: Add, counted: Any
) -> None:
    path = table(tmp_path / "cases.jsonl", [row(i, f"Effusion number {i}.") for i in range(6)])
    home, folder = tmp_path / "home", tmp_path / "home" / "collections" / "ours"
    add("ours", path)
    shipped = content(folder)
    matrix = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    versions.add(home / "local", {adapted.NAME: adapted.Move(matrix=matrix, lift=0.4).text()}, {})
    counted.texts.clear()
    add("ours")
    assert counted.texts == []
    moved = content(folder)
    assert moved != shipped
    cases = catalogue.cases(home, "ours", encoder=adapted.in_use(home, counted.encoder()))
    assert len(cases.search("Effusion number 3.", k=2)) == 2
    with pytest.raises(ArtifactError, match="another encoder"):
        catalogue.cases(home, "ours", encoder=counted.encoder())
    add("ours", anew=True)
    assert content(folder) == moved  # each text encoded again gives the same
    versions.back(home / "local")
    add("ours")
    assert content(folder) == shipped
