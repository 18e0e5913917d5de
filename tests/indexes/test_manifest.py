from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from errors import ArtifactError
from indexes import manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "artifact"
    (path / "sub").mkdir(parents=True)
    (path / "a.bin").write_bytes(bytes(range(256)))
    (path / "sub" / "b.txt").write_text("beta\n")
    manifest.write(path, kind="toy", version=3, inputs={"source": "00ff"}, settings={"weight": 0.25, "grid": (1, 2)})
    return path


def test_round_trip(folder: Path) -> None:
    read = manifest.read(folder, kind="toy", version=3, verify="sha256")
    assert list(read.files) == ["a.bin", "sub/b.txt"]
    assert read.files["a.bin"].size == 256
    assert read.inputs == {"source": "00ff"}
    assert read.settings == {"weight": 0.25, "grid": [1, 2]}
    assert read == manifest.write(
        folder, kind="toy", version=3, inputs={"source": "00ff"}, settings={"weight": 0.25, "grid": (1, 2)}
    )


def test_same_content_same_bytes(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "sub").mkdir(parents=True)
    (other / "sub" / "b.txt").write_text("beta\n")
    (other / "a.bin").write_bytes(bytes(range(256)))
    manifest.write(other, kind="toy", version=3, settings={"grid": (1, 2), "weight": 0.25}, inputs={"source": "00ff"})
    assert (other / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize("name", ["a.bin", "sub/b.txt", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "append", "delete"])
def test_every_damage_is_one_line_that_names_the_file(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:-3])
    elif damage == "append":
        path.write_bytes(content + b" x")
    else:
        path.unlink()
    with pytest.raises(ArtifactError, match="whydx index build") as caught:
        manifest.read(folder, kind="toy")
    assert "\n" not in str(caught.value)
    if (name, damage) != ("manifest.json", "delete"):
        assert Path(name).name in str(caught.value)


def test_every_single_byte_of_the_manifest_matters_or_changes_nothing(folder: Path) -> None:
    path = folder / "manifest.json"
    content, whole = path.read_bytes(), manifest.read(folder, kind="toy")
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        try:
            assert manifest.read(folder, kind="toy") == whole  # insignificant white space
        except ArtifactError:
            continue


def test_a_setting_changed_by_hand_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text())
    raw["settings"]["weight"] = 0.75
    path.write_text(json.dumps(raw))
    with pytest.raises(ArtifactError, match="damaged file"):
        manifest.read(folder, kind="toy")


def test_size_check_reads_no_content_and_sha256_reads_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.bin").write_bytes(bytes(256))
    monkeypatch.setattr(manifest, "HASHED_ON_OPEN", 100)
    manifest.read(folder, kind="toy", verify="size")
    for verify in ("open", "sha256"):
        with pytest.raises(ArtifactError, match=r"a\.bin"):
            manifest.read(folder, kind="toy", verify=verify)


def test_of_a_large_file_open_reads_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "HASHED_ON_OPEN", 100)
    content = bytes(1 << 20)
    (tmp_path / "large.bin").write_bytes(content)
    manifest.write(tmp_path, kind="toy", version=1)
    for place, noticed in ((0, True), (1 << 17, False), (1 << 19, True), (len(content) - 1, True)):
        changed = bytearray(content)
        changed[place] = 1
        (tmp_path / "large.bin").write_bytes(changed)
        if noticed:
            with pytest.raises(ArtifactError, match=r"large\.bin"):
                manifest.read(tmp_path, kind="toy")
        else:
            manifest.read(tmp_path, kind="toy")
        with pytest.raises(ArtifactError, match=r"large\.bin"):
            manifest.read(tmp_path, kind="toy", verify="sha256")


def test_other_kind_and_version_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="another kind"):
        manifest.read(folder, kind="graph")
    with pytest.raises(ArtifactError, match="version 4"):
        manifest.read(folder, kind="toy", version=4)
    with pytest.raises(ArtifactError, match="whydx data fetch"):
        manifest.read(tmp_path / "nowhere", kind="toy", run="whydx data fetch")


def test_a_name_that_leaves_the_folder_is_refused(folder: Path) -> None:
    forged = manifest.Manifest(
        kind="toy",
        version=1,
        files={"../outside": manifest.FileEntry(sha256=manifest.file_sha256(folder / "a.bin"), size=256)},
    )
    (folder.parent / "outside").write_bytes(bytes(range(256)))
    (folder / "manifest.json").write_text(json.dumps(forged.to_json() | {"sha256": forged.sha256}))
    with pytest.raises(ArtifactError, match="unchanged manifest"):
        manifest.read(folder, kind="toy")


def test_atomic_directory_replaces_on_success_and_keeps_the_old_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "artifact"
    with manifest.atomic_directory(path) as building:
        (building / "one").write_text("1")
        assert not path.exists()
    with manifest.atomic_directory(path) as building:
        (building / "two").write_text("2")
    assert [p.name for p in path.iterdir()] == ["two"]
    with pytest.raises(ZeroDivisionError), manifest.atomic_directory(path) as building:
        (building / "three").write_text(str(1 // 0))
    assert [p.name for p in path.iterdir()] == ["two"]
    assert [p.name for p in path.parent.iterdir()] == ["artifact"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    with pytest.raises(ArtifactError, match="No space left") as caught, manifest.atomic_directory(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="processes are looked up by signal 0")
def test_what_a_killed_build_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = tmp_path / f".artifact.{int(ended.stdout)}.0a0a0a0a.building"
    living = tmp_path / f".artifact.{os.getppid()}.0b0b0b0b.building"
    dead.mkdir()
    living.mkdir()
    with manifest.atomic_directory(tmp_path / "artifact"):
        pass
    assert not dead.exists()
    assert living.exists()
