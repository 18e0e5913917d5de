from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from ontologies.concept import Concept
from ontologies.linking.linker import ConceptMatch

NAMES = {
    "pleural effusion": "T:effusion",
    "effusion": "T:effusion",
    "pneumothorax": "T:pneumothorax",
    "cardiomegaly": "T:cardiomegaly",
    "pneumonia": "T:pneumonia",
    "fever": "T:fever",
}


class WordLinker:
    """The linker's interface over six names; a name after "no" is absent. The real one has its own tests."""

    fingerprint = "words"
    concepts = tuple(Concept(curie=curie, name=name.capitalize()) for name, curie in NAMES.items())

    def link(self, text: str) -> tuple[ConceptMatch, ...]:
        found = []
        for match in re.finditer("|".join(sorted(NAMES, key=len, reverse=True)), text.lower()):
            name = match.group()
            concept = Concept(curie=NAMES[name], name=name.capitalize())
            found.append(
                ConceptMatch(
                    mention=text[match.start() : match.end()],
                    start=match.start(),
                    end=match.end(),
                    concept=concept,
                    score=1.0,
                    matched_term=name,
                    method="exact",
                    presence="absent" if re.search(r"\bno $", text[: match.start()].lower()) else "present",
                )
            )
        return tuple(found)

    def link_all(self, texts: Iterable[str]) -> Iterator[tuple[ConceptMatch, ...]]:
        return map(self.link, texts)


@pytest.fixture(scope="session")
def linker() -> WordLinker:
    return WordLinker()
