"""How the tests of the chest layer read a table and compare names."""

from __future__ import annotations

import csv
import re
from pathlib import Path


def table_rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
