"""From a patient, a candidate and its branches to token ids, soft positions and the visible matrix (K-BERT, arXiv
1909.07606).

The trunk is ``[CLS] findings and note [SEP] candidate [SEP]``. Trunk tokens see the trunk. A branch's tokens see
their own branch, their anchor and the candidate, and are seen by exactly these; their soft positions continue from
the anchor's. Branches never see one another, so removing one is the same as masking it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fusion.branch import DISEASE_ANCHOR, Branch, Patient

CLS, SEP, PAD, MASK = 101, 102, 0, 103
MAX_MENTION_TOKENS, MAX_NOTE_TOKENS, MAX_BRANCH_TOKENS, MAX_MENTIONS, MAX_CANDIDATE_TOKENS = 12, 48, 32, 16, 20

# text → WordPiece ids without special tokens
Tokenize = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sequence of L tokens. ``branch`` is -1 on the trunk, else the position of the branch in the candidate's
    tuple."""

    ids: np.ndarray  # int64 (L,)
    positions: np.ndarray  # int64 (L,)
    segments: np.ndarray  # int64 (L,): 1 on the candidate
    branch: np.ndarray  # int64 (L,)
    visible: np.ndarray  # bool (L, L)
    candidate: np.ndarray  # bool (L,)
    regions: tuple[tuple[int, np.ndarray], ...]  # (token, region embedding)


def encode(patient: Patient, name: str, branches: Sequence[Branch], tokenize: Tokenize) -> Encoded:
    """Lay out one sequence. A branch whose anchor was cut from a long trunk hangs on the candidate."""
    ids, anchors = [CLS], {}
    if patient.description:
        ids += tokenize(patient.description)[:MAX_MENTION_TOKENS] + tokenize(".")
    for i, mention in enumerate(patient.mentions[:MAX_MENTIONS]):
        start = len(ids)
        ids += tokenize(mention.text)[:MAX_MENTION_TOKENS]
        anchors[mention.curie] = range(start, len(ids))
        ids += tokenize(";" if i + 1 < len(patient.mentions) else ".")
    if patient.note:
        ids += tokenize(patient.note)[:MAX_NOTE_TOKENS]
    ids.append(SEP)
    segments = [0] * len(ids)
    start = len(ids)
    ids += tokenize(name)[:MAX_CANDIDATE_TOKENS]
    anchors[DISEASE_ANCHOR] = range(start, len(ids))
    ids.append(SEP)
    segments += [1] * (len(ids) - start)
    positions, branch_of = list(range(len(ids))), [-1] * len(ids)
    trunk = len(ids)
    regions: list[tuple[int, np.ndarray]] = []
    hangs_on: list[range] = []
    for number, branch in enumerate(branches):
        anchor = anchors.get(branch.anchor, anchors[DISEASE_ANCHOR])
        hangs_on.append(anchor)
        if branch.embedding is not None:
            regions.append((len(ids), branch.embedding))
            tokens = [MASK]
        else:
            tokens = tokenize(branch.text)[:MAX_BRANCH_TOKENS]
        ids += tokens
        positions += range(anchor.stop, anchor.stop + len(tokens))
        segments += [0] * len(tokens)
        branch_of += [number] * len(tokens)
    length = len(ids)
    of = np.array(branch_of)
    visible = of[:, None] == of[None, :]
    candidate = np.zeros(length, bool)
    candidate[anchors[DISEASE_ANCHOR].start : anchors[DISEASE_ANCHOR].stop] = True
    for number, anchor in enumerate(hangs_on):
        own = np.flatnonzero(of == number)
        sees = np.flatnonzero(candidate | np.isin(np.arange(length), anchor))
        visible[np.ix_(own, sees)] = True
        visible[np.ix_(sees, own)] = True
    visible[:trunk, :trunk] = True
    return Encoded(np.array(ids), np.array(positions), np.array(segments), of, visible, candidate, tuple(regions))


def mask_branches(encoded: Encoded, removed: Sequence[int]) -> Encoded:
    """The same sequence with some branches masked: their tokens see only themselves, and nothing sees them."""
    hidden = np.isin(encoded.branch, list(removed))
    visible = encoded.visible & ~hidden[:, None] & ~hidden[None, :]
    np.fill_diagonal(visible, True)
    return Encoded(
        encoded.ids, encoded.positions, encoded.segments, encoded.branch, visible, encoded.candidate, encoded.regions
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """B sequences padded to the longest. ``region_at`` int64 (R, 2) holds (sequence, token) of each row of
    ``regions``."""

    ids: np.ndarray  # int64 (B, L)
    positions: np.ndarray  # int64 (B, L)
    segments: np.ndarray  # int64 (B, L)
    visible: np.ndarray  # bool (B, L, L)
    candidate: np.ndarray  # bool (B, L)
    region_at: np.ndarray  # int64 (R, 2)
    regions: np.ndarray  # float32 (R, D)


def collate(sequences: Sequence[Encoded], region_dim: int) -> Batch:
    """Pad and stack. Padding sees only itself and is seen by nothing."""
    count, length = len(sequences), max(len(s.ids) for s in sequences)
    ids, positions, segments = (np.full((count, length), fill, np.int64) for fill in (PAD, 0, 0))
    visible, candidate = np.zeros((count, length, length), bool), np.zeros((count, length), bool)
    visible[:, np.arange(length), np.arange(length)] = True
    at, regions = [], []
    for i, s in enumerate(sequences):
        n = len(s.ids)
        ids[i, :n], positions[i, :n], segments[i, :n], candidate[i, :n] = s.ids, s.positions, s.segments, s.candidate
        visible[i, :n, :n] = s.visible
        at += [(i, token) for token, _ in s.regions]
        regions += [embedding for _, embedding in s.regions]
    stacked = np.stack(regions).astype(np.float32) if regions else np.zeros((0, region_dim), np.float32)
    return Batch(ids, positions, segments, visible, candidate, np.array(at, np.int64).reshape(-1, 2), stacked)
