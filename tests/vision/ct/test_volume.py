"""CT series: DICOM and MetaImage volumes, LIDC-IDRI and LUNA16 trees, the lung window."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from errors import InputError
from vision.ct.volume import lung_window, read_metaimage, read_series, series_of
from vision.datasets import lidc, luna

NODULE = (6, 20, 30)  # z, y, x of a ball of 4 voxels radius
ORIGIN, SPACING = (-20.0, -15.0, 100.0), (0.8, 0.8, 2.0)


def voxels() -> np.ndarray:
    z, y, x = np.mgrid[:12, :40, :48]
    ball = ((z - NODULE[0]) * 2.5) ** 2 + (y - NODULE[1]) ** 2 + (x - NODULE[2]) ** 2 <= 16
    return np.where(ball, 40, -850).astype(np.int16)


def write_slices(folder: Path, skip: int | None = None) -> list[str]:
    folder.mkdir(parents=True)
    series, uids = generate_uid(entropy_srcs=["s"]), []
    for i, plane in enumerate(voxels()):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        uid = generate_uid(entropy_srcs=[str(i)])
        meta.MediaStorageSOPInstanceUID = uid
        uids.append(str(uid))
        if i == skip:
            continue
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID, data.Modality = CTImageStorage, uid, series, "CT"
        data.Rows, data.Columns = plane.shape
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + SPACING[2] * i]
        data.PixelSpacing = [SPACING[1], SPACING[0]]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation, data.RescaleSlope, data.RescaleIntercept = "MONOCHROME2", 1, -1024
        data.PixelData = (plane.astype(np.int32) + 1024).astype(np.uint16).tobytes()
        data.save_as(folder / f"1-{(i * 7) % 12:03d}.dcm")  # the names are not in order
    return uids


def test_a_patient_lying_the_other_way_is_turned(tmp_path: Path) -> None:
    """Face down and feet first: rows and columns run backwards; left stays left."""
    write_slices(tmp_path / "a")
    for path in (tmp_path / "a").glob("*.dcm"):
        data = pydicom.dcmread(path)
        data.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
        x, y, z = data.ImagePositionPatient
        data.ImagePositionPatient = [x + SPACING[0] * 47, y + SPACING[1] * 39, z]
        data.PixelData = np.ascontiguousarray(data.pixel_array[::-1, ::-1]).tobytes()
        data.save_as(path)
    volume = read_series(tmp_path / "a")
    assert np.array_equal(volume.voxels, voxels())
    assert volume.origin_mm == pytest.approx(ORIGIN)


def test_series_are_told_apart_without_their_pixels(tmp_path: Path) -> None:
    write_slices(tmp_path / "a")
    (tmp_path / "a" / "notes.dcm").write_text("no DICOM")
    other = pydicom.dcmread(next(iter(sorted((tmp_path / "a").glob("1-*.dcm")))))
    other.SeriesInstanceUID = "1.2.3"
    other.save_as(tmp_path / "a" / "scout")
    found = series_of((tmp_path / "a").iterdir())
    assert sorted(len(paths) for paths in found.values()) == [1, 12]
    assert [p.name for p in found["1.2.3"]] == ["scout"]


def readings(uids: list[str]) -> str:
    """Two readers mark the ball, one a small nodule and a hole."""

    def roi(z: int, radius: int, inclusion: str = "TRUE") -> str:
        corners = [
            (NODULE[2] + dx, NODULE[1] + dy) for dx, dy in ((-radius, 0), (0, radius), (radius, 0), (0, -radius))
        ]
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in corners)
        return (
            f"<roi><imageZposition>0</imageZposition><imageSOP_UID>{uids[z]}</imageSOP_UID>"
            f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
        )

    outline = roi(5, 3) + roi(6, 4) + roi(7, 3)
    point = f"<roi><imageSOP_UID>{uids[2]}</imageSOP_UID><inclusion>TRUE</inclusion><edgeMap><xCoord>9</xCoord><yCoord>9</yCoord></edgeMap></roi>"  # noqa: E501
    nodule = "<unblindedReadNodule><noduleID>1</noduleID>{}</unblindedReadNodule>"
    sessions = [nodule.format(outline), nodule.format(outline + roi(6, 1, "FALSE")) + nodule.format(point)]
    body = "".join(f"<readingSession>{s}</readingSession>" for s in sessions)
    return f'<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov">{body}</LidcReadMessage>'


def test_lidc_idri(tmp_path: Path) -> None:
    folder = tmp_path / "LIDC-IDRI-0001" / "1.3.6.1" / "1.3.6.2"
    (uids := write_slices(folder))
    (folder / "069.xml").write_text(readings(uids), encoding="utf-8")
    assert lidc.series(tmp_path) == (folder,)
    volume, (found,) = lidc.read(folder)
    assert volume.voxels.shape == (12, 40, 48)
    assert np.array_equal(volume.voxels, voxels())
    assert volume.sop_instance_uids == tuple(uids)
    assert found.readers == 2
    assert found.diameter_mm == pytest.approx(8 * 0.8)
    assert volume.index(found.centre_mm) == pytest.approx(NODULE)


def test_slices_that_do_not_make_a_volume(tmp_path: Path) -> None:
    write_slices(tmp_path / "gap", skip=5)
    with pytest.raises(InputError, match="missing or doubled"):
        read_series(tmp_path / "gap")
    with pytest.raises(InputError, match="no CT slices"):
        read_series(tmp_path)


def test_readings_of_another_series(tmp_path: Path) -> None:
    write_slices(tmp_path / "a")
    (tmp_path / "a" / "x.xml").write_text(readings(["9.9"] * 12), encoding="utf-8")
    with pytest.raises(InputError, match="not there"):
        lidc.read(tmp_path / "a")


HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {compressed}
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = -20 -15 100
ElementSpacing = 0.8 0.8 2
DimSize = 48 40 12
ElementType = MET_SHORT
ElementDataFile = {name}
"""


@pytest.mark.parametrize("compressed", [False, True])
def test_luna16(tmp_path: Path, compressed: bool) -> None:
    (tmp_path / "subset0").mkdir()
    name = "1.3.6.zraw" if compressed else "1.3.6.raw"
    data = voxels().tobytes()
    (tmp_path / "subset0" / name).write_bytes(zlib.compress(data) if compressed else data)
    (tmp_path / "subset0" / "1.3.6.mhd").write_text(HEADER.format(compressed=compressed, name=name))
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n1.3.6,4.0,1.0,112.0,6.4\n")
    ((path, (nodule,)),) = luna.read(tmp_path)
    volume = read_metaimage(path)
    assert np.array_equal(volume.voxels, voxels())
    assert volume.index(nodule.centre_mm) == pytest.approx(NODULE)


def test_damaged_volumes_are_input_errors(tmp_path: Path) -> None:
    file = tmp_path / "x.mhd"
    for text, message in (
        ("nonsense", "not a MetaImage"),
        ("DimSize = 2 2\nElementDataFile = x.raw\n", "header"),
        (HEADER.format(compressed=False, name="../x.raw"), "elsewhere"),
        (HEADER.format(compressed=False, name="x.raw"), "another size"),
        (HEADER.format(compressed=False, name="y.raw"), "cannot read the volume"),
    ):
        file.write_text(text)
        (tmp_path / "x.raw").write_bytes(b"123")
        with pytest.raises(InputError, match=message):
            read_metaimage(file)


def test_the_lung_window() -> None:
    assert lung_window(np.array([-1350, -600, 150, 3000], np.float32)).tolist() == [0, 0.5, 1, 1]


def test_a_ct_sample_is_a_series_of_one(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    data.save_as(tmp_path / "1.dcm")
    assert read_series(tmp_path).voxels.shape == (1, 128, 128)
