"""Grey levels, containers and pictures as hospitals, gateways and telephones produce them: cases of known kinds,
written before the code was looked at for them.
"""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from errors import InputError
from tests.vision.intake.made import FILM, PLAIN, film, same, saved, worded
from vision.image import is_image, load_image
from vision.quality import refusal

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")
GREY = np.round(PLAIN * 255).astype(np.uint8)


# --- 9 to 13: grey levels


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": "0\\0", "WindowWidth": "0\\0"},
        {"WindowCenter": "2048", "WindowWidth": "0.0"},
        {"WindowCenter": "2048", "WindowWidth": "1E-9", "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": "2048\\", "WindowWidth": "\\"},
        {"WindowCenter": "-32768", "WindowWidth": "1"},
        {"RescaleSlope": "", "RescaleIntercept": "-1024", "RescaleType": "US"},
        {"RescaleSlope": "nan", "RescaleIntercept": "inf"},
        {"RescaleSlope": "1.0 ", "RescaleIntercept": " 0"},
    ],
)
def test_windows_and_rescales_of_nothing(tmp_path: Path, fields: dict[str, Any]) -> None:
    same(saved(film(**fields), tmp_path / "a"))


def test_inverted_once_when_three_fields_say_so(tmp_path: Path) -> None:
    data = film(4095 - FILM, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    same(saved(data, tmp_path / "a"))


def test_a_negative_slope_with_the_second_window(tmp_path: Path) -> None:
    data = film(4095 - FILM, RescaleSlope="-1.0", RescaleIntercept="4095", WindowCenter="0\\2047.5",
                WindowWidth="0\\4096")  # fmt: skip
    same(saved(data, tmp_path / "a"))


@pytest.mark.parametrize("said", ["monochrome2", "MONOCHROME2 ", "MONOCHROME"])
def test_a_photometric_interpretation_in_other_letters(tmp_path: Path, said: str) -> None:
    data = film()
    data["PhotometricInterpretation"] = pydicom.DataElement(0x00280004, "LO", said)
    same(saved(data, tmp_path / "a"))


def test_a_missing_photometric_interpretation_or_number_of_samples(tmp_path: Path) -> None:
    same(saved(film(PhotometricInterpretation=None), tmp_path / "a"))
    same(saved(film(SamplesPerPixel=None), tmp_path / "b"))


def test_an_overlay_in_the_unused_high_bits(tmp_path: Path) -> None:
    """As ACR-NEMA had it: a drawing in bit 15 of 12-bit pixels."""
    drawn = FILM.copy()
    drawn[10:30, 10:30] |= 1 << 15
    same(saved(film(drawn), tmp_path / "a"))


@pytest.mark.parametrize(("bits", "high"), [(12, 15), (10, 15), (10, 13), (12, 13), (8, 15)])
def test_pixels_in_the_high_bits(tmp_path: Path, bits: int, high: int) -> None:
    values = np.round(PLAIN * (2**bits - 1)).astype(int) << (high + 1 - bits)
    same(saved(film(values, BitsStored=bits, HighBit=high), tmp_path / "a"), within=0.005)


def test_a_bright_mark_burnt_in_above_the_range(tmp_path: Path) -> None:
    """A letter at 65,535 on a film of 12 bits: the film must not turn black."""
    drawn = FILM.copy()
    drawn[2:9, 2:6] = 65535
    image = load_image(saved(film(drawn, BitsStored=16, HighBit=15), tmp_path / "a"))
    assert refusal(image) is None
    film_alone = image.pixels[20:]
    assert np.allclose(film_alone, (FILM / FILM.max())[20:], atol=0.02)


def test_a_mark_burnt_into_a_film_that_is_stored_inverted(tmp_path: Path) -> None:
    stored = np.round((1 - PLAIN) * 1023).astype(int) + 3000
    stored[2:9, 2:6] = 0
    data = film(stored, PhotometricInterpretation="MONOCHROME1")
    assert np.allclose(load_image(saved(data, tmp_path / "a")).pixels[20:], PLAIN[20:], atol=0.01)


def test_a_film_with_few_bright_places_keeps_them(tmp_path: Path) -> None:
    few = np.round(PLAIN**6 * 4095).astype(int)
    assert np.allclose(load_image(saved(film(few), tmp_path / "a")).pixels, few / few.max(), atol=1e-3)


@pytest.mark.parametrize("top", [1023, 4095])
def test_a_bright_mark_in_a_16_bit_png(tmp_path: Path, top: int) -> None:
    drawn = np.round(PLAIN * top).astype(np.uint16)
    drawn[2:9, 2:6] = 65535
    Image.fromarray(drawn).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert refusal(image) is None
    assert np.allclose(image.pixels[20:], PLAIN[20:], atol=0.02)


def test_padding_of_a_film_that_is_stored_inverted(tmp_path: Path) -> None:
    padded = 4000 - np.clip(FILM, 10, 3900)
    padded[:, :20] = 0
    data = film(padded, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)
    seen = load_image(saved(data, tmp_path / "a")).pixels
    assert not seen[:, :20].any()
    inside = np.clip(FILM, 10, 3900)[:, 20:]
    assert np.allclose(seen[:, 20:], (inside - inside.min()) / np.ptp(inside), atol=2e-3)


# --- 14 to 20: containers


def test_a_preamble_without_the_magic_word(tmp_path: Path) -> None:
    whole = saved(film(), tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:128] + whole[132:])
    assert is_image(tmp_path / "a")
    same(tmp_path / "a")


def test_what_a_web_service_sent_saved_as_it_came(tmp_path: Path) -> None:
    """multipart/related of WADO-RS (PS3.18)."""
    whole = saved(film(), tmp_path / "a").read_bytes()
    head = b"--boundary_7f\r\nContent-Type: application/dicom\r\nContent-Location: http://pacs/i/1\r\n\r\n"
    (tmp_path / "a").write_bytes(head + whole + b"\r\n--boundary_7f--\r\n")
    same(tmp_path / "a")


def test_implicit_data_under_an_explicit_syntax(tmp_path: Path) -> None:
    data = film()
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    whole = saved(data, tmp_path / "a").read_bytes()
    explicit = whole.replace(b"1.2.840.10008.1.2\x00", b"1.2.840.10008.1.2.1", 1)
    length = whole.find(struct.pack("<H", 18) + b"1.2.840.10008.1.2\x00")
    patched = bytearray(explicit)
    patched[length : length + 2] = struct.pack("<H", 20)
    patched[length + 2 + 19 : length + 2 + 19] = b"\x00"
    patched[140:144] = struct.pack("<I", struct.unpack("<I", whole[140:144])[0] + 2)
    (tmp_path / "a").write_bytes(bytes(patched))
    same(tmp_path / "a")


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless, RLELossless])
def test_plain_pixels_under_a_compressed_syntax(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    """A gateway unpacked the pixels and left the old transfer syntax."""
    path = saved(film(), tmp_path / "a")
    data = pydicom.dcmread(path)
    out = pydicom.filebase.DicomBytesIO()
    data.file_meta.TransferSyntaxUID = syntax
    out.write(bytes(128) + b"DICM")
    pydicom.filewriter.write_file_meta_info(out, data.file_meta)
    out.is_implicit_VR, out.is_little_endian = False, True
    pydicom.filewriter.write_dataset(out, data)
    path.write_bytes(out.getvalue())
    same(path)


def test_compressed_pixels_under_a_plain_syntax(tmp_path: Path) -> None:
    data = film()
    data.compress(JPEG2000Lossless)
    path = saved(data, tmp_path / "a")
    old, new = str(JPEG2000Lossless).encode(), b"1.2.840.10008.1.2.1\x00"
    whole = path.read_bytes()
    at = whole.find(old, 200)
    text = old + b"\x00" * (len(old) % 2)
    patched = bytearray(whole[:at] + new + whole[at + len(text) :])
    patched[at - 2 : at] = struct.pack("<H", len(new))
    shorter = len(new) - len(text)
    patched[140:144] = struct.pack("<I", struct.unpack("<I", whole[140:144])[0] + shorter)
    path.write_bytes(bytes(patched))
    same(path)


@pytest.mark.parametrize("frames", ["0", "", "1 "])
def test_a_number_of_frames_that_means_one(tmp_path: Path, frames: str) -> None:
    same(saved(worded("NumberOfFrames", frames), tmp_path / "a"))


def test_a_character_set_that_does_not_exist(tmp_path: Path) -> None:
    same(saved(worded("SpecificCharacterSet", "ISO_IR 999"), tmp_path / "a"))


def test_a_suffix_that_lies(tmp_path: Path) -> None:
    saved(film(), tmp_path / "film.jpg")
    Image.fromarray(GREY).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "scan.dcm")
    same(tmp_path / "film.jpg")
    same(tmp_path / "scan.dcm", within=0.005)


@pytest.mark.parametrize("pack", ["gz", "pdf", "tiff"])
def test_what_is_not_read_says_what_would_be(tmp_path: Path, pack: str) -> None:
    whole = saved(film(), tmp_path / "a").read_bytes()
    content = {"gz": gzip.compress(whole), "pdf": b"%PDF-1.7\n" + whole[:2000], "tiff": b"II*\x00" + bytes(300)}[pack]
    (tmp_path / f"a.{pack}").write_bytes(content)
    with pytest.raises(InputError, match="DICOM, PNG or JPEG"):
        load_image(tmp_path / f"a.{pack}")


# --- 21 to 24: pictures


def test_the_first_picture_of_a_telephone(tmp_path: Path) -> None:
    """Telephones add a small second picture (MPO) to a JPEG."""
    one, other = Image.fromarray(GREY), Image.fromarray(GREY[:48, :40])
    one.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[other], quality=98)
    same(tmp_path / "a.jpg", within=0.03)


@pytest.mark.parametrize("said", [0, 9, 255])
def test_an_exif_orientation_that_is_none(tmp_path: Path, said: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = said
    Image.fromarray(GREY).save(tmp_path / "a.jpg", exif=exif, quality=98)
    same(tmp_path / "a.jpg", within=0.03)


def test_broken_exif_does_not_lose_the_picture(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(GREY).save(out, "JPEG", quality=98, exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff" + b"\x01\x12" * 9)
    (tmp_path / "a.jpg").write_bytes(out.getvalue())
    same(tmp_path / "a.jpg", within=0.03)


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "1"])
def test_grey_in_other_modes(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(GREY)
    if mode == "CMYK":
        picture.convert("RGB").convert("CMYK").save(tmp_path / "a", "JPEG", quality=98)
        same(tmp_path / "a", within=0.04)
    elif mode == "1":
        picture.convert("1").save(tmp_path / "a", "PNG")
        assert refusal(load_image(tmp_path / "a")) == "blank"
    else:
        (picture if mode == "P" else picture.convert("RGB")).convert(mode).save(tmp_path / "a", "PNG")
        same(tmp_path / "a", within=0.03)
