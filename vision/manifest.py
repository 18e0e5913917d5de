"""The detector's manifest, detector.json, and its weights files: read and checked before anything is made of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from errors import ArtifactError
from vision.finding import LABELS

FORMAT = 5
RETRAIN = "whydx train detector"


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
