"""The detector's manifest, detector.json, and its weights files: read and checked before anything is made of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from errors import ArtifactError
from vision.finding import LABELS

FORMAT = 5
_BOTH = (False, True)
RETRAIN = "whydx train detector"
ASSESSED = "assessed.json"
"""What is told no better than by chance, beside the weights (``python -m benchmarks.imaging.assessed --write``)."""


def resolution(low: bool) -> str:
    """How a manifest names what it holds for each resolution."""
    return "low_resolution" if low else "standard"


def read_file(file: Path, sha256: str) -> bytes:
    """The bytes of a weights file. Raises ArtifactError when it is missing or its hash is another."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ArtifactError("the detector's weights are missing", value=file, run=RETRAIN) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        message = "the detector's weights do not match their manifest"
        raise ArtifactError(message, value=file, expected=sha256[:12] + "…")
    return data


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """detector.json as (content, text). Raises ArtifactError when it is missing, damaged, of another format or label
    set.
    """
    file = folder / "detector.json"
    try:
        text = file.read_text(encoding="utf-8")
        manifest = json.loads(text)
    except (OSError, ValueError) as error:
        raise ArtifactError("the detector's manifest is missing or damaged", value=file, run=RETRAIN) from error
    needed = {
        "format",
        "members",
        "patients",
        "probe_sha256",
        "sha256",
        "labels",
        "operating_points",
        "calibration",
        "side",
        "box_cut",
        "uncertain_odds",
    }
    if not isinstance(manifest, dict) or needed - set(manifest) or manifest["format"] != FORMAT:
        raise ArtifactError("the detector's manifest is of another format", value=file, expected=f"format {FORMAT}")
    points = manifest["operating_points"]
    if tuple(manifest["labels"]) != LABELS or any(
        set(points[name]["labels"]) != set(LABELS) for name in ("standard", "low_resolution")
    ):
        raise ArtifactError(
            "the detector was trained on other labels", value=file, expected=f"{', '.join(LABELS[:3])}, …"
        )
    fitted = [manifest["calibration"].get(resolution(low), {}) for low in (False, True)]
    if any(len(part.get(k, ())) != len(LABELS) + 1 for part in fitted for k in ("slope", "offset")):
        raise ArtifactError("the detector's calibration does not fit its labels", value=file, run=RETRAIN)
    return manifest, text


def read_not_assessed(folder: Path, sha256: str) -> dict[str, dict[str, str]]:
    """{resolution: {label: reason}} of the findings that these weights (their hash) do not tell better than by chance;
    nothing where nobody measured it. Raises ArtifactError for a damaged list, or one of other weights.
    """
    file = folder / ASSESSED
    if not file.is_file():
        return {}
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        found = {
            name: {str(k): str(v) for k, v in said["not_assessed"][name].items()} for name in map(resolution, _BOTH)
        }
        if said["format"] != 1 or said["weights"] != sha256 or any(set(part) - set(LABELS) for part in found.values()):
            raise ValueError("of other weights or labels")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the list of what is not assessed does not fit the detector ({error})"
        raise ArtifactError(message, value=file, run=RETRAIN) from error
    return found
