"""Who sees whom, and where a branch stands."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.branch import DISEASE_ANCHOR, Branch, Mention, Patient
from fusion.checkpoint import open_tokenizer
from fusion.visible_matrix import CLS, SEP, Encoded, Trunk, collate, encode, mask_branches, read_trunk

PATIENT = Patient(
    mentions=(
        Mention(curie="HP:1", name="fever", presence="present"),
        Mention(curie="HP:2", name="pleural effusion", presence="absent"),
    ),
    age=70,
    sex="F",
)
BRANCHES = (
    Branch(kind="kg_path", anchor="HP:1", reference="a", shown="a", text="often seen"),
    Branch(kind="literature", anchor=DISEASE_ANCHOR, reference="b", shown="b", text="a sentence of a paper"),
    Branch(kind="image_region", anchor="HP:2", reference="c", shown="c", embedding=np.ones(4, np.float32)),
)


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    return read_trunk(PATIENT, open_tokenizer())


@pytest.fixture(scope="module")
def encoded(trunk: Trunk) -> Encoded:
    return encode(trunk, "pneumonia", BRANCHES, open_tokenizer(), 4)


def seen_by(encoded: Encoded, trunk: Trunk, token: int) -> tuple[set[int], set[int]]:
    """Positions in the trunk and in the sequence that a token of the sequence sees."""
    before = len(trunk.ids)
    row = encoded.visible[token]
    return set(np.flatnonzero(row[:before]).tolist()), set(np.flatnonzero(row[before:]).tolist())


def test_trunk_and_candidate_read_as_designed(trunk: Trunk) -> None:
    from tokenizers import Tokenizer

    from retrieval.encoder import packaged_folder

    bare = encode(trunk, "pneumonia", (), open_tokenizer(), 4)
    decoder = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    ids = [*trunk.ids.tolist(), *bare.ids.tolist()]
    text = decoder.decode(ids, skip_special_tokens=False)
    assert text == "[CLS] 70 - year - old woman. fever ; no pleural effusion. [SEP] pneumonia [SEP]"
    assert trunk.ids[0] == CLS
    assert ids.count(SEP) == 2
    assert bare.positions.tolist() == list(range(len(trunk.ids), len(ids)))
    assert bare.visible.all()


def test_branch_positions_continue_from_the_anchor(encoded: Encoded, trunk: Trunk) -> None:
    fever = trunk.anchors["HP:1"].stop - 1
    disease = int(encoded.positions[encoded.candidate][-1])
    assert encoded.positions[encoded.branch == 0].tolist() == [fever + 1, fever + 2]
    assert encoded.positions[encoded.branch == 1].tolist() == list(range(disease + 1, disease + 6))


def test_branches_see_anchor_self_and_candidate_only(encoded: Encoded, trunk: Trunk) -> None:
    candidate = set(np.flatnonzero(encoded.candidate).tolist())
    for number, anchor in ((0, set(trunk.anchors["HP:1"])), (1, set()), (2, set(trunk.anchors["HP:2"]))):
        own = set(np.flatnonzero(encoded.branch == number).tolist())
        for token in own:
            assert seen_by(encoded, trunk, token) == (anchor, own | candidate)
    whole = set(range(len(trunk.ids)))
    for token in candidate:
        assert seen_by(encoded, trunk, token) == (whole, set(range(len(encoded.ids))))
    end = int(np.flatnonzero(encoded.ids == SEP)[0])
    assert seen_by(encoded, trunk, end) == (whole, candidate | {end}), "[SEP] sees no branch"


def test_masking_hides_exactly_the_branch(encoded: Encoded, trunk: Trunk) -> None:
    masked = mask_branches(encoded, [1])
    hidden = encoded.branch == 1
    before = len(trunk.ids)
    kept = np.concatenate([np.ones(before, bool), ~hidden])
    np.testing.assert_array_equal(masked.visible[~hidden][:, kept], encoded.visible[~hidden][:, kept])
    assert masked.visible[hidden].sum() == masked.visible[:, ~kept].sum() == hidden.sum()


def test_an_image_region_is_one_token(encoded: Encoded) -> None:
    assert (encoded.branch == 2).sum() == 1
    ((token, embedding),) = encoded.regions
    assert encoded.branch[token] == 2
    np.testing.assert_array_equal(embedding, BRANCHES[2].embedding)


def test_padding_sees_only_itself(encoded: Encoded, trunk: Trunk) -> None:
    short = encode(trunk, "asthma", (), open_tokenizer(), 4)
    batch = collate(trunk, [short, encoded], 4)
    n, before = len(short.ids), len(trunk.ids)
    assert not batch.visible[0, :n, before + n :].any()
    assert (batch.visible[0, n:].sum(1) == 1).all()
    np.testing.assert_array_equal(batch.region_at[:, 0], [1])


def test_a_branch_on_a_mention_that_was_cut_hangs_on_the_candidate() -> None:
    many = tuple(Mention(curie=f"HP:{i}", name="fever", presence="present") for i in range(40))
    branch = Branch(kind="kg_path", anchor="HP:39", reference="x", shown="x", text="often seen")
    long = read_trunk(Patient(mentions=many), open_tokenizer())
    one = encode(long, "pneumonia", (branch,), open_tokenizer(), 4)
    in_trunk, in_own = seen_by(one, long, int(np.flatnonzero(one.branch == 0)[0]))
    assert not in_trunk
    assert in_own == set(np.flatnonzero(one.candidate | (one.branch == 0)).tolist())
