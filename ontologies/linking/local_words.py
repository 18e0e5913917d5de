"""Words of one place: phrases that its notes use for what the dictionary knows under another name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from errors import ArtifactError
from ontologies.linking.recognition import Candidate, Recognizer
from ontologies.linking.words import PLAIN, Words

NAME = "words.json"
_SCORE = 0.95


class LocalWords:
    """``words``: phrase → a name that the dictionary has. A name that it has no more says nothing."""

    def __init__(self, words: Mapping[str, str], recognizer: Recognizer) -> None:
        self._targets: dict[tuple[int, ...], Candidate] = {}
        for phrase, name in words.items():
            if (target := recognizer.named(name)) is not None:
                self._targets[key(recognizer.words(phrase))] = target
        self._lengths = sorted({len(hashes) for hashes in self._targets} - {0})

    def add(self, words: Words, found: list[Candidate], allowed: np.ndarray | None) -> list[Candidate]:
        """``found`` and, where they stand in a text without anything between, these phrases; ``allowed`` as for
        `Recognizer.candidates`."""
        hashes, gaps = words.hashes.tolist(), words.gaps.tolist()
        added = []
        for length in self._lengths:
            for first in range(len(hashes) - length + 1):
                target = self._targets.get(tuple(hashes[first : first + length]))
                if target is None or any(gap != PLAIN for gap in gaps[first : first + length - 1]):
                    continue
                if allowed is None or allowed[target.concept]:
                    own = tuple(range(first, first + length))
                    added.append(Candidate(own, target.concept, target.term, "local", _SCORE))
        return [*found, *added] if added else found


def key(words: Words) -> tuple[int, ...]:
    """What two phrases of the same words have in common."""
    return tuple(words.hashes.tolist())


def read(folder: Path | None) -> dict[str, str]:
    """The words kept in a folder, {} without any. Raises ArtifactError when they are damaged."""
    path = None if folder is None else folder / NAME
    if path is None or not path.is_file():
        return {}
    try:
        return {str(phrase): str(name) for phrase, name in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactError("the local words are damaged", value=path, run="whydx adapt --words FILE") from error


def text(words: Mapping[str, str]) -> str:
    """What ``read`` reads."""
    return json.dumps(dict(words), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
