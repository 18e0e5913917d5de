"""What the readers make of a source: a paper or a case before it is linked and encoded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["papers", "cases"]
LARGEST_TEXT = 20_000_000  # bytes of one file that is one text; a book has a million
LARGEST_FILE = 2_000_000_000  # bytes of one file of many texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``stated`` is the text whose concepts the document asserts (a case's indication is not in it). ``metadata`` has
    only names and values that may be kept. ``image`` is where the image lies, ``image_sha256`` its content's hash."""

    doc_id: str
    title: str
    text: str
    stated: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    image: Path | None = None
    image_sha256: str = ""

    @property
    def key(self) -> str:
        """The sha256 of all that the record holds, wherever its image lies: what is new or changed has another."""
        fields = [self.doc_id, self.title, self.text, self.stated, dict(self.metadata), self.image_sha256]
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def person(age: str, sex: str) -> str:
    """ "61-year-old woman" for metadata's age (years or "") and sex ("F", "M" or "")."""
    who = {"F": "woman", "M": "man"}.get(sex, "patient")
    return f"{age}-year-old {who}" if age else who
