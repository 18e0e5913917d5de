"""Reading images: every pixel path of DICOM, PNG and JPEG, and one line for everything that cannot be read."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless, generate_uid

from errors import InputError
from vision.image import load_image

RAMP = (np.arange(64 * 48).reshape(64, 48) % 4096).astype(np.uint16)


def write_dicom(path: Path, pixels: np.ndarray = RAMP, **attributes: object) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["whydx"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.Modality, data.PatientName, data.PatientID = "1.2.3", "DX", "Secret^Name", "4711"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = pixels.astype("<u2").tobytes()
    for name, value in attributes.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_dicom_keeps_what_matters_and_no_name(tmp_path: Path) -> None:
    header = {"PatientAge": "018M", "PatientSex": "F", "ViewPosition": "PA", "BodyPartExamined": "CHEST"}
    image = load_image(write_dicom(tmp_path / "a", ImagerPixelSpacing=[0.2, 0.3], **header))
    assert (image.modality, image.view_position, image.body_part, image.patient_sex) == ("DX", "PA", "CHEST", "F")
    assert image.patient_age_y == 1.5
    assert image.pixel_spacing_mm == (0.2, 0.3)
    assert image.study_instance_uid == "1.2.3"
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (64, 48)
    assert np.allclose(image.pixels, RAMP / RAMP.max(), atol=1e-6)
    assert "Secret" not in repr(image)
    assert "4711" not in repr(image)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    plain = load_image(write_dicom(tmp_path / "a")).pixels
    inverted = load_image(write_dicom(tmp_path / "b", PhotometricInterpretation="MONOCHROME1")).pixels
    assert np.allclose(inverted, 1 - plain, atol=1e-6)


def test_rescale_and_window_follow_the_standard(tmp_path: Path) -> None:
    image = load_image(
        write_dicom(tmp_path / "a", RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=2000)
    )
    # PS3.3 C.11.2.1.2.1: linear between c − 0.5 − (w − 1)/2 and c − 0.5 + (w − 1)/2
    value = RAMP.astype(float) * 2 - 1000
    expected = np.clip((value - 999.5) / 1999 + 0.5, 0, 1)
    assert np.allclose(image.pixels, expected, atol=2e-3)


def test_voi_lut_is_applied(tmp_path: Path) -> None:
    lut = pydicom.Dataset()
    lut.add_new("LUTDescriptor", "US", [4096, 0, 16])
    lut.add_new("LUTData", "US", (np.arange(4096)[::-1] * 16).tolist())
    image = load_image(write_dicom(tmp_path / "a", VOILUTSequence=[lut]))
    assert np.allclose(image.pixels, 1 - RAMP / RAMP.max(), atol=1e-3)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compressed_transfer_syntaxes_give_the_same_pixels(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    plain = write_dicom(tmp_path / "a")
    data = pydicom.dcmread(plain)
    data.compress(syntax)
    data.save_as(tmp_path / "b", enforce_file_format=True)
    assert np.array_equal(load_image(tmp_path / "b").pixels, load_image(plain).pixels)


def test_other_compressed_samples_decode() -> None:
    for name in ("693_J2KI.dcm", "JPEG2000.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm"):
        assert load_image(get_testdata_file(name)).pixels.std() > 0.01


def test_pixel_padding_is_black_and_outside_the_scale(tmp_path: Path) -> None:
    pixels = np.full((32, 32), 1000, np.uint16)
    pixels[:, 16:] = 2000
    pixels[0] = 4095
    image = load_image(write_dicom(tmp_path / "a", pixels, PixelPaddingValue=4095))
    assert image.pixels[0].max() == 0
    assert image.pixels[5, 20] == 1


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray((RAMP % 256).astype(np.uint8)).save(tmp_path / "scan.png")
    (tmp_path / "scan.png").rename(tmp_path / "scan.dcm")
    assert load_image(tmp_path / "scan.dcm").pixels.shape == (64, 48)


def test_sixteen_bit_png_keeps_its_depth(tmp_path: Path) -> None:
    Image.fromarray(RAMP * 16).save(tmp_path / "a.png")
    assert np.allclose(load_image(tmp_path / "a.png").pixels, RAMP / RAMP.max(), atol=1e-6)


def test_grey_stored_as_rgb_is_read_and_identity_is_of_the_bytes(tmp_path: Path) -> None:
    grey = Image.fromarray((RAMP % 256).astype(np.uint8)).convert("RGB")
    grey.save(tmp_path / "a.png")
    first, second = load_image(tmp_path / "a.png"), load_image(tmp_path / "a.png")
    assert first.sop_instance_uid == second.sop_instance_uid
    assert first.sop_instance_uid.startswith("2.25.")
    assert len(first.sop_instance_uid) <= 64
    assert np.allclose(first.pixels, (RAMP % 256) / 255, atol=1e-5)


def _refused(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        load_image(path)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_bad_files_are_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no such image" in _refused(tmp_path / "none.dcm")
    assert "folder" in _refused(tmp_path)
    (tmp_path / "empty.png").touch()
    assert "empty" in _refused(tmp_path / "empty.png")
    (tmp_path / "note.dcm").write_text("this is a text file\nnamed .dcm", encoding="utf-8")
    assert "not an image" in _refused(tmp_path / "note.dcm")
    whole = write_dicom(tmp_path / "a.dcm").read_bytes()
    for length in (140, 400, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.dcm").write_bytes(whole[:length])
        assert "DICOM" in _refused(tmp_path / "cut.dcm")
    Image.fromarray((RAMP % 256).astype(np.uint8)).save(tmp_path / "b.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "b.jpg").read_bytes()[:300])
    assert "damaged" in _refused(tmp_path / "cut.jpg")
    tiny = Image.fromarray(np.zeros((8, 8), np.uint8))
    tiny.save(tmp_path / "tiny.png")
    assert "too small" in _refused(tmp_path / "tiny.png")
    assert capfd.readouterr() == ("", "")  # no warning of a decoder leaks


def test_lossy_jpeg_of_12_bits_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    film = get_testdata_file("JPGExtended.dcm")
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda _: None)
        assert "whydx[jpeg12]" in _refused(film)
    pytest.importorskip("libjpeg")
    image = load_image(film)
    assert image.pixels.shape == (1024, 256)
    assert len(np.unique(image.pixels)) > 100


def test_a_colour_photograph_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).resize((200, 200)).save(tmp_path / "photo.jpg")
    assert "colour" in _refused(tmp_path / "photo.jpg")
    assert "colour" in _refused(get_testdata_file("SC_rgb_rle.dcm"))


def test_several_frames_are_refused() -> None:
    assert "frames" in _refused(get_testdata_file("SC_rgb_rle_2frame.dcm"))


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert len(_refused(tmp_path / "bomb.png")) < 400


def test_a_damaged_compressed_file_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = bytearray(Path(get_testdata_file("693_J2KI.dcm")).read_bytes())
    data[-60_000:-20_000] = b"\x55" * 40_000
    (tmp_path / "x.dcm").write_bytes(bytes(data))
    with contextlib.suppress(InputError):  # some damage decodes to noise
        load_image(tmp_path / "x.dcm")
    assert capfd.readouterr().err == ""
