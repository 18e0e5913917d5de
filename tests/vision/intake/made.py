"""Made DICOM files for the tests of intake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from vision.image import load_image

ROWS, COLUMNS = np.mgrid[0:96, 0:80]
FILM = (1200 + 900 * np.sin(ROWS / 15) + 900 * np.cos(COLUMNS / 11) + 3 * COLUMNS).astype(np.int32)  # -600 to 3240
FILM = np.clip(FILM, 0, 4095)
PLAIN = ((FILM - FILM.min()) / np.ptp(FILM)).astype(np.float32)


def film(stored: np.ndarray = FILM, **fields: Any) -> FileDataset:
    """A DX film of 12 bits; ``fields`` set or (None) remove attributes. Values that are not valid are kept as text."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID, data.StudyInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4", "1.2.3"
    data.Modality, data.Rows, data.Columns = "DX", *stored.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = stored.astype(fields.pop("dtype", "<u2")).tobytes()
    for name, value in fields.items():
        if value is None:
            delattr(data, name)
        elif isinstance(value, str) and name in ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept"):
            tag = pydicom.datadict.tag_for_keyword(name)
            data[name] = pydicom.DataElement(tag, "LO", value)  # as text: what no writer should write
        else:
            setattr(data, name, value)
    return data


def worded(name: str, said: str) -> FileDataset:
    """A film with one attribute as text, whatever its VR."""
    data = film(SpecificCharacterSet="ISO_IR 192")
    data[name] = pydicom.DataElement(pydicom.datadict.tag_for_keyword(name), "LO", said)
    return data


def saved(data: FileDataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def same(path: Path, within: float = 2e-3) -> None:
    assert np.allclose(load_image(path).pixels, PLAIN, atol=within)
