"""From a patient, a candidate and its branches to token ids, soft positions and the visible matrix (K-BERT, arXiv
1909.07606).

The trunk is ``[CLS] findings and note [SEP]``, the same for every candidate of a patient; it sees itself. The sequence
of a candidate, ``candidate [SEP] branches``, is read after it. The candidate sees the trunk, itself and its branches. A
branch's tokens see their own branch, their anchor and the candidate, and are seen by the branch and the candidate;
their soft positions continue from the anchor's. Branches never see one another, so removing one is the same as masking
it; and the trunk sees no candidate, so its keys and values are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusion.branch import DISEASE_ANCHOR, Branch, Patient

CLS, SEP, PAD, MASK = 101, 102, 0, 103
MAX_MENTION_TOKENS, MAX_NOTE_TOKENS, MAX_BRANCH_TOKENS, MAX_MENTIONS, MAX_CANDIDATE_TOKENS = 12, 48, 24, 16, 20

# text → WordPiece ids without special tokens
Tokenize = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True)
class Trunk:
    """The patient's P tokens, and where each finding is mentioned."""

    ids: np.ndarray  # int64 (P,)
    anchors: dict[str, range]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A candidate's sequence of L tokens. ``branch`` is -1 on the candidate, else the position of the branch in the
    candidate's tuple; ``shares`` holds the N branches' shares, zeros where nothing rests on one or it is masked."""

    ids: np.ndarray  # int64 (L,)
    positions: np.ndarray  # int64 (L,)
    branch: np.ndarray  # int64 (L,)
    visible: np.ndarray  # bool (L, P + L): the trunk's tokens, then its own
    candidate: np.ndarray  # bool (L,)
    regions: tuple[tuple[int, np.ndarray], ...]  # (token, region embedding)
    shares: np.ndarray  # float32 (N, F)


def read_trunk(patient: Patient, tokenize: Tokenize) -> Trunk:
    """Lay out the patient. Mentions beyond MAX_MENTIONS are cut, and long texts."""
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
    return Trunk(np.array([*ids, SEP]), anchors)


def encode(trunk: Trunk, name: str, branches: Sequence[Branch], tokenize: Tokenize, features: int) -> Encoded:
    """Lay out one candidate. A branch whose anchor was cut from a long trunk hangs on the candidate. ``features`` is F,
    the length of a share."""
    before = len(trunk.ids)
    ids = tokenize(name)[:MAX_CANDIDATE_TOKENS]
    length_of_name = len(ids)
    ids.append(SEP)
    positions, branch_of = list(range(before, before + len(ids))), [-1] * len(ids)
    own_anchor = range(before, before + length_of_name)
    anchors = trunk.anchors | {DISEASE_ANCHOR: own_anchor}
    regions: list[tuple[int, np.ndarray]] = []
    hangs_on: list[range] = []
    for number, branch in enumerate(branches):
        anchor = anchors.get(branch.anchor, own_anchor)
        hangs_on.append(anchor)
        if branch.embedding is not None:
            regions.append((len(ids), branch.embedding))
            tokens = [MASK]
        else:
            tokens = tokenize(branch.text)[:MAX_BRANCH_TOKENS]
        ids += tokens
        positions += range(anchor.stop, anchor.stop + len(tokens))
        branch_of += [number] * len(tokens)
    of = np.array(branch_of)
    candidate = np.arange(len(ids)) < length_of_name
    visible = np.zeros((len(ids), before + len(ids)), bool)
    own = visible[:, before:]
    own[:] = of[:, None] == of[None, :]
    visible[of == -1, :before] = True
    for number, anchor in enumerate(hangs_on):
        mine = np.flatnonzero(of == number)
        visible[np.ix_(mine, np.array(anchor))] = True
        own[np.ix_(mine, np.flatnonzero(candidate))] = True
        own[np.ix_(np.flatnonzero(candidate), mine)] = True
    none = np.zeros(features, np.float32)
    shares = np.stack([none, *(none if b.share is None else b.share for b in branches)])[1:]
    return Encoded(np.array(ids), np.array(positions), of, visible, candidate, tuple(regions), shares)


def mask_branches(encoded: Encoded, removed: Sequence[int]) -> Encoded:
    """The same sequence with some branches masked: their tokens see only themselves, and nothing sees them."""
    hidden = np.isin(encoded.branch, list(removed))
    before = encoded.visible.shape[1] - len(hidden)
    visible = encoded.visible & ~hidden[:, None]
    visible[:, before:] &= ~hidden[None, :]
    np.fill_diagonal(visible[:, before:], True)
    shares = encoded.shares.copy()
    shares[list(removed)] = 0.0
    return replace(encoded, visible=visible, shares=shares)


@dataclass(frozen=True, slots=True)
class Batch:
    """B candidates of one trunk, padded to the longest. ``region_at`` int64 (R, 2) holds (sequence, token) of each row
    of ``regions``."""

    trunk: np.ndarray  # int64 (P,)
    ids: np.ndarray  # int64 (B, L)
    positions: np.ndarray  # int64 (B, L)
    visible: np.ndarray  # bool (B, L, P + L)
    candidate: np.ndarray  # bool (B, L)
    region_at: np.ndarray  # int64 (R, 2)
    regions: np.ndarray  # float32 (R, D)
    branch: np.ndarray  # int64 (B, L)
    shares: np.ndarray  # float32 (B, N, F)


def collate(trunk: Trunk, sequences: Sequence[Encoded], region_dim: int) -> Batch:
    """Pad and stack. Padding sees only itself and is seen by nothing."""
    before, count, length = len(trunk.ids), len(sequences), max(len(s.ids) for s in sequences)
    ids, positions = np.full((count, length), PAD, np.int64), np.zeros((count, length), np.int64)
    visible, candidate = np.zeros((count, length, before + length), bool), np.zeros((count, length), bool)
    visible[:, np.arange(length), before + np.arange(length)] = True
    branch = np.full((count, length), -1, np.int64)
    most = max(len(s.shares) for s in sequences)
    shares = np.zeros((count, most, sequences[0].shares.shape[1]), np.float32)
    at, regions = [], []
    for i, s in enumerate(sequences):
        n = len(s.ids)
        ids[i, :n], positions[i, :n], candidate[i, :n] = s.ids, s.positions, s.candidate
        visible[i, :n, : before + n] = s.visible
        branch[i, :n], shares[i, : len(s.shares)] = s.branch, s.shares
        at += [(i, token) for token, _ in s.regions]
        regions += [embedding for _, embedding in s.regions]
    stacked = np.stack(regions).astype(np.float32) if regions else np.zeros((0, region_dim), np.float32)
    placed = np.array(at, np.int64).reshape(-1, 2)
    return Batch(trunk.ids, ids, positions, visible, candidate, placed, stacked, branch, shares)
