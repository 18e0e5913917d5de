"""Keeping what was fitted to a place as a version of the home; what is worse is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from errors import ArtifactError
from indexes import versions


def keep(
    folder: Path,
    files: Mapping[str, str],
    card: Mapping[str, Any],
    *,
    what: str,
    refusals: Sequence[str],
    expected: str,
) -> int:
    """Write ``files`` (name → text) with their card as a new version of ``folder``, and use it; returns its number.
    Raises ArtifactError, which says ``what`` is not kept and what was ``expected``, when there are ``refusals``."""
    if refusals:
        raise ArtifactError(f"{what} is worse and is not kept", value="; ".join(refusals), expected=expected)
    return versions.add(folder, files, card)
