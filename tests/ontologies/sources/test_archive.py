"""Files in folders and archives: what is in them, what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import InputError
from ontologies.problem import Problem, stop, text_lines
from ontologies.sources import archive
from ontologies.sources.archive import Limits, fingerprint, member, members

TEXT = b"".join(b"line %d of a small file\n" % i for i in range(500))
TIGHT = Limits(ratio=20, spare=1 << 16, size=1 << 20, members=10)


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in contents.items():
            opened.writestr(name, data)
    return path


def tarred(path: Path, contents: dict[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as opened:  # type: ignore[call-overload]
        for name, data in contents.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            opened.addfile(item, io.BytesIO(data))
    return path


def contents(path: Path, limits: Limits = archive.LIMITS) -> dict[str, bytes]:
    found = {}
    for file in members(path, limits=limits):
        with file.open() as stream:
            found[file.name] = stream.read()
    return found


def test_one_file_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.obo").write_bytes(TEXT)
    assert contents(tmp_path / "a.obo") == {"a.obo": TEXT}
    assert member(tmp_path / "a.obo").plain == tmp_path / "a.obo"


def test_gzip_is_told_by_content_and_loses_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.obo.gz").write_bytes(gzip.compress(TEXT) + gzip.compress(b"more"))
    (tmp_path / "b.obo").write_bytes(gzip.compress(TEXT))
    assert contents(tmp_path / "a.obo.gz") == {"a.obo": TEXT + b"more"}
    assert contents(tmp_path / "b.obo") == {"b.obo": TEXT}
    assert member(tmp_path / "b.obo").plain is None


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_archives_list_their_files_and_nothing_is_unpacked(tmp_path: Path, kind: str) -> None:
    inside = {"b/two.txt": b"2" * 70_000, "a.txt": TEXT, "b/three.txt.gz": gzip.compress(b"3")}
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        zipped(path, inside)
    else:
        tarred(path, inside, mode="w:gz" if kind == "tar.gz" else "w")
    assert contents(path) == {"a.txt": TEXT, "b/three.txt": b"3", "b/two.txt": b"2" * 70_000}
    assert [m.name for m in members(path)] == ["a.txt", "b/three.txt", "b/two.txt"]
    assert os.listdir(tmp_path) == [path.name]


def test_a_umls_release_reads_as_one_folder(tmp_path: Path) -> None:
    zipped(tmp_path / "1-meta.nlm", {"META/MRCONSO.RRF.aa.gz": gzip.compress(b"one\n"), "META/MRSTY.RRF": b"s\n"})
    zipped(tmp_path / "2-meta.nlm", {"META/MRCONSO.RRF.ab.gz": gzip.compress(b"two\n")})
    assert contents(tmp_path) == {"META/MRCONSO.RRF": b"one\ntwo\n", "META/MRSTY.RRF": b"s\n"}
    consolidated = members(tmp_path)[0]
    assert consolidated.containers == (tmp_path / "1-meta.nlm", tmp_path / "2-meta.nlm")


def test_nothing_there_and_several_where_one_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        members(tmp_path / "none")
    assert members(tmp_path) == ()
    with pytest.raises(InputError, match="is not one file"):
        member(zipped(tmp_path / "x.zip", {"a": b"1", "b": b"2"}))


@pytest.mark.parametrize("name", ["../up.txt", "/etc/passwd", "a/../../up", "C:/x", "..\\up.txt", "a/.."])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_that_leaves_its_folder_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"x.{kind}"
    (zipped if kind == "zip" else tarred)(path, {"a.obo": TEXT, name: b"x"})
    with pytest.raises(InputError, match="refused: a member leaves its folder"):
        members(path)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_devices_and_sparse_files_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as opened:
        item = tarfile.TarInfo("a.obo")
        item.type, item.linkname = kind, "/etc/passwd"
        opened.addfile(item)
    with pytest.raises(InputError, match="refused: a member is a link, a device or sparse"):
        members(tmp_path / "x.tar")


def test_a_symlink_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        item = zipfile.ZipInfo("a.obo")
        item.external_attr = 0o120777 << 16
        opened.writestr(item, "/etc/passwd")
    with pytest.raises(InputError, match="refused: a member is a link, a device or sparse"):
        members(tmp_path / "x.zip")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "gz"])
@pytest.mark.parametrize(("size", "why"), [(400_000, "too many times its size"), (2_000_000, "too")])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, kind: str, size: int, why: str) -> None:
    path, data = tmp_path / f"x.{kind}", b"0" * size
    if kind == "zip":
        zipped(path, {"a": data})
    elif kind == "gz":
        path.write_bytes(gzip.compress(data))
    else:
        tarred(path, {"a": data})
    with pytest.raises(InputError, match=why):
        contents(path, TIGHT)


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_declares(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a": b"0" * 60_000})
    data = path.read_bytes().replace((60_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        contents(path, TIGHT)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Fifield's bomb: each entry is small enough, all together are not."""
    path = zipped(tmp_path / "x.zip", {f"f{i}": b"0" * 60_000 for i in range(9)})
    with pytest.raises(InputError, match="too many times"):
        members(path, limits=TIGHT)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    inside = {f"f{i}": b"" for i in range(11)}
    for path in (zipped(tmp_path / "x.zip", inside), tarred(tmp_path / "x.tgz", inside)):
        with pytest.raises(InputError, match="too many files"):
            members(path, limits=TIGHT)


@pytest.mark.parametrize("cut", [20, 200, 900])
def test_a_cut_off_archive_is_an_input_error(tmp_path: Path, cut: int) -> None:
    for path in (
        zipped(tmp_path / "x.zip", {"a": TEXT}),
        tarred(tmp_path / "x.tgz", {"a": TEXT}),
    ):
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(InputError, match=r"damaged|cannot read"):
            contents(path)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["zip", "tgz", "tar", "gz"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 20), st.binary(max_size=8)), min_size=1, max_size=4),
)
def test_damaged_archives_do_no_more_than_an_input_error(
    tmp_path: Path, kind: str, edits: list[tuple[int, int, bytes]]
) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        zipped(path, {"a": TEXT, "b/c": b"x"})
    elif kind == "gz":
        path.write_bytes(gzip.compress(TEXT))
    else:
        tarred(path, {"a": TEXT, "b/c": b"x"}, mode="w:gz" if kind == "tgz" else "w")
    data = path.read_bytes()
    for start, length, insert in edits:
        start %= len(data) + 1
        data = data[:start] + insert + data[start + length :]
    path.write_bytes(data)
    try:
        contents(path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_fingerprints_follow_the_bytes_not_the_place(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one").write_bytes(b"1")
        (tmp_path / folder / "two").write_bytes(b"2")
    assert fingerprint(members(tmp_path / "a")) == fingerprint(members(tmp_path / "b"))
    (tmp_path / "b" / "two").write_bytes(b"changed")
    assert fingerprint(members(tmp_path / "a")) != fingerprint(members(tmp_path / "b"))


def test_lines_that_are_not_utf8_are_reported_and_the_rest_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo \xff\nthree")
    problems: list[Problem] = []
    assert list(text_lines(member(tmp_path / "a.txt"), problems.append)) == [(1, "one"), (3, "three")]
    assert [(p.file, p.line, p.reason) for p in problems] == [("a.txt", 2, "not UTF-8")]
    with pytest.raises(InputError, match=r"a\.txt, line 2: not UTF-8"):
        list(text_lines(member(tmp_path / "a.txt"), stop))


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * (17 << 20)))
    with pytest.raises(InputError, match="line of over 16 MiB"):
        list(text_lines(member(tmp_path / "a.gz"), stop))
