"""Files as hospitals export them: kinds of broken or unusual headers, each with examples made here."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless

from errors import InputError
from tests.vision.intake.made import FILM, PLAIN, film, same, saved
from vision.image import is_image, load_image
from vision.quality import refusal

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


@pytest.mark.parametrize("slope", [-1, -0.5, -10, -0.001])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_a_negative_slope_with_a_window(tmp_path: Path, slope: float, function: str) -> None:
    values = (4095 - FILM) * slope  # stored inverted; the slope turns it again
    low, high = float(values.min()), float(values.max())
    exact = function == "LINEAR_EXACT" or high - low < 2000
    name = "LINEAR_EXACT" if exact else function
    window = {"WindowCenter": f"{(low + high) / 2:.6g}", "WindowWidth": f"{high - low:.6g}", "VOILUTFunction": name}
    data = film(4095 - FILM, RescaleSlope=slope, RescaleIntercept=0, **window)
    same(saved(data, tmp_path / "a"))


def test_a_negative_slope_with_a_sigmoid_keeps_the_order(tmp_path: Path) -> None:
    data = film(
        4095 - FILM,
        RescaleSlope=-1,
        RescaleIntercept=4095,
        WindowCenter=1500,
        WindowWidth=2000,
        VOILUTFunction="SIGMOID",
    )
    seen = load_image(saved(data, tmp_path / "a")).pixels.ravel()
    order = np.argsort(FILM.ravel(), kind="stable")
    assert (np.diff(seen[order]) >= -1e-6).all()


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": "2048", "WindowWidth": "0"},
        {"WindowCenter": "2048", "WindowWidth": "-5"},
        {"WindowCenter": "2048", "WindowWidth": ""},
        {"WindowCenter": "", "WindowWidth": "4096"},
        {"WindowCenter": "abc", "WindowWidth": "def"},
        {"WindowCenter": "nan", "WindowWidth": "inf"},
        {"WindowWidth": "4096"},
        {"WindowCenter": "0", "WindowWidth": "0.5"},
        {"WindowCenter": "2048", "WindowWidth": "4096", "VOILUTFunction": "GAMMA"},
        {"WindowCenter": "99999", "WindowWidth": "10"},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": "0", "RescaleIntercept": "0"},
        {"RescaleSlope": "1"},
        {"RescaleIntercept": "-1024"},
        {"RescaleSlope": "one", "RescaleIntercept": "none"},
        {"RescaleSlope": "0,5", "RescaleIntercept": "-10,25"},
        {"VOILUTSequence": Sequence([pydicom.Dataset()])},
        {"ModalityLUTSequence": Sequence([pydicom.Dataset()])},
    ],
)
def test_a_window_or_rescale_that_cannot_be_meant_is_left_out(tmp_path: Path, fields: dict[str, Any]) -> None:
    same(saved(film(**fields), tmp_path / "a"))


@pytest.mark.parametrize(
    "window",
    [("1500,5", "1000,0"), ("0\\1500.5", "0\\1000"), (["1500.5", "1"], ["1000", "1"]), ("9\\1500.5", "-1\\1000")],
)
def test_the_first_window_that_can_be_meant_is_used(tmp_path: Path, window: tuple[Any, Any]) -> None:
    seen = load_image(saved(film(WindowCenter=window[0], WindowWidth=window[1]), tmp_path / "a")).pixels
    assert np.allclose(seen, np.clip((FILM - 1500) / 999 + 0.5, 0, 1), atol=2e-3)


def _bare(data: FileDataset, *, implicit: bool, little: bool) -> bytes:
    out = pydicom.filebase.DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = implicit, little
    pydicom.filewriter.write_dataset(out, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "kind", ["implicit", "explicit", "big", "meta", "magic first", "junk", "no syntax", "encapsulated"]
)
def test_files_without_preamble_meta_or_syntax(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    whole = saved(film(), path).read_bytes()
    data = film(PixelData=FILM.astype(">u2").tobytes()) if kind == "big" else film()
    if kind in ("implicit", "explicit", "big"):
        path.write_bytes(_bare(data, implicit=kind == "implicit", little=kind != "big"))
    elif kind == "meta":
        path.write_bytes(whole[132:])
    elif kind == "magic first":
        path.write_bytes(whole[128:])
    elif kind == "junk":
        path.write_bytes(b"exported by a gateway\r\n" + whole)
    elif kind == "no syntax":
        data.file_meta.TransferSyntaxUID = ""
        data.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
    else:
        data.compress(JPEGLSLossless)
        del data.file_meta.TransferSyntaxUID
        data.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
    assert is_image(path)
    same(path)


@pytest.mark.parametrize(
    "content", [b"\x08\x00", b"\x00\x08 text", b"\x02\x00\x01" + b"\xff" * 200, b"DICOM notes", b""]
)
def test_what_only_begins_like_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError):
        load_image(tmp_path / "a")


def _of_three(channels: np.ndarray, photometric: str, planar: int = 0) -> FileDataset:
    order = channels.transpose(2, 0, 1) if planar else channels
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3, "PlanarConfiguration": planar}
    data = film(FILM, PhotometricInterpretation=photometric, **eight)
    data.PixelData = np.ascontiguousarray(order).astype(np.uint8).tobytes()
    return data


GREY = np.round(PLAIN * 255).astype(np.uint8)
LUMINANCE = np.stack((GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)), 2)
RED_GREEN_BLUE = np.repeat(GREY[..., None], 3, 2)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    ("stored", "said"),
    [(LUMINANCE, "YBR_FULL"), (LUMINANCE, "RGB"), (RED_GREEN_BLUE, "RGB"), (RED_GREEN_BLUE, "YBR_FULL")],
)
def test_grey_in_three_channels_whatever_they_are_called(
    tmp_path: Path, stored: np.ndarray, said: str, planar: int
) -> None:
    same(saved(_of_three(stored, said, planar), tmp_path / "a"), within=0.005)


@pytest.mark.parametrize("said", ["RGB", "YBR_FULL"])
def test_colour_in_three_channels_is_refused(tmp_path: Path, said: str) -> None:
    colour = np.stack((GREY, GREY[::-1], 255 - GREY), 2)
    with pytest.raises(InputError, match="colour"):
        load_image(saved(_of_three(colour, said), tmp_path / "a"))


@pytest.mark.parametrize("coloured", [False, True])
def test_a_palette_is_read_when_it_is_grey(tmp_path: Path, coloured: bool) -> None:
    data = film(
        GREY, dtype=np.uint8, PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8, HighBit=7
    )
    ramp = (np.arange(256) * 257).astype("<u2")
    for i, name in enumerate(("Red", "Green", "Blue")):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        table = np.roll(ramp, 80 * i) if coloured else ramp
        setattr(data, f"{name}PaletteColorLookupTableData", table.tobytes())
    path = saved(data, tmp_path / "a")
    if coloured:
        with pytest.raises(InputError, match="colour"):
            load_image(path)
    else:
        same(path, within=0.005)


@pytest.mark.parametrize(
    ("value", "limit", "stored"),
    [
        (4095, None, 4095),
        (4000, 4095, 4050),
        (4095, 4000, 4050),
        (-1, None, 65535),
        (0, None, 0),
        (60000, 65535, 63536),
    ],
)
def test_padding_by_value_and_by_range(tmp_path: Path, value: int, limit: int | None, stored: int) -> None:
    padded = np.clip(FILM, 10, 3900)
    padded[:, :20] = stored
    data = film(padded, BitsStored=16, HighBit=15)
    data.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    if limit is not None:
        data.add_new("PixelPaddingRangeLimit", "US", limit)
    seen = load_image(saved(data, tmp_path / "a")).pixels
    assert not seen[:, :20].any()
    inside = np.clip(FILM, 10, 3900)[:, 20:]
    assert np.allclose(seen[:, 20:], (inside - inside.min()) / np.ptp(inside), atol=2e-3)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_sign_that_the_pixels_do_not_have(tmp_path: Path, bits: int) -> None:
    unsigned = np.round(PLAIN * (2**bits - 1)).astype(np.uint16)
    same(saved(film(unsigned, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1), tmp_path / "a"))
    signed = np.round((PLAIN - 0.5) * (2**bits - 2)).astype(np.int16)
    masked = (signed.astype(np.int32) & (2**bits - 1)).astype(np.uint16)
    same(saved(film(masked, BitsStored=bits, HighBit=bits - 1), tmp_path / "b"))
    same(saved(film(masked, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=1), tmp_path / "c"))


@pytest.mark.parametrize("top", [100, 255, 511, 1023, 2047, 4095, 16383, 65535])
@pytest.mark.parametrize("floor", [0, 200])
def test_a_16_bit_png_is_scaled_by_its_own_range(tmp_path: Path, top: int, floor: int) -> None:
    values = floor + PLAIN * min(top, 65535 - floor)
    Image.fromarray(np.round(values).astype(np.uint16)).save(tmp_path / "a.png")
    same(tmp_path / "a.png", within=0.51 / top + 1e-3)
    assert refusal(load_image(tmp_path / "a.png")) is None


def test_a_nearly_empty_16_bit_png_is_blank(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1000, 1012, (64, 64)).astype(np.uint16)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert refusal(load_image(tmp_path / "a.png")) == "blank"


@pytest.mark.parametrize("said", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_followed(tmp_path: Path, said: int, kind: str) -> None:
    from PIL.Image import Transpose

    undo = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_90,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_270,
    }
    picture = Image.fromarray(GREY)
    held = picture.transpose(undo[said]) if said in undo else picture
    exif = Image.Exif()
    exif[0x0112] = said
    out = io.BytesIO()
    held.save(out, kind, exif=exif, **({"quality": 98} if kind == "JPEG" else {}))
    (tmp_path / "a").write_bytes(out.getvalue())
    same(tmp_path / "a", within=0.03)


def test_images_are_told_by_their_content(tmp_path: Path) -> None:
    saved(film(), tmp_path / "IM0001")
    Image.fromarray(GREY).save(tmp_path / "scan.png")
    shutil.move(tmp_path / "scan.png", tmp_path / "scan")
    (tmp_path / "notes").write_text("not an image", encoding="utf-8")
    directory = pydicom.data.get_testdata_file("dicomdirtests/DICOMDIR") or pydicom.data.get_testdata_file("DICOMDIR")
    shutil.copy(directory, tmp_path / "DICOMDIR")
    assert {p.name for p in tmp_path.iterdir() if is_image(p)} == {"IM0001", "scan"}
