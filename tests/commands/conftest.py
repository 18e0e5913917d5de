"""An image for the commands that take one."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vision.phantom.radiograph import write_phantom

    return write_phantom(tmp_path_factory.mktemp("phantom") / "phantom.dcm")
