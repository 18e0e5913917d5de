"""Who sees whom, and where a branch stands."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.branch import DISEASE_ANCHOR, Branch, Mention, Patient
from fusion.checkpoint import open_tokenizer
from fusion.visible_matrix import CLS, SEP, Encoded, collate, encode, mask_branches

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
def encoded() -> Encoded:
    return encode(PATIENT, "pneumonia", BRANCHES, open_tokenizer())


def test_the_trunk_reads_as_designed() -> None:
    from tokenizers import Tokenizer

    from retrieval.encoder import packaged_folder

    trunk = encode(PATIENT, "pneumonia", (), open_tokenizer())
    text = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json")).decode(
        trunk.ids.tolist(), skip_special_tokens=False
    )
    assert text == "[CLS] 70 - year - old woman. fever ; no pleural effusion. [SEP] pneumonia [SEP]"
    assert trunk.ids[0] == CLS
    assert (trunk.ids == SEP).sum() == 2
    assert trunk.positions.tolist() == list(range(len(trunk.ids)))
    assert trunk.visible.all()


def test_branch_positions_continue_from_the_anchor(encoded: Encoded) -> None:
    fever = int(np.flatnonzero(encoded.ids == open_tokenizer()("fever")[0])[0])
    disease = int(np.flatnonzero(encoded.candidate)[-1])
    assert encoded.positions[encoded.branch == 0].tolist() == [fever + 1, fever + 2]
    assert encoded.positions[encoded.branch == 1].tolist() == list(range(disease + 1, disease + 6))


def test_branches_see_anchor_self_and_candidate_only(encoded: Encoded) -> None:
    fever = set(np.flatnonzero(encoded.ids == open_tokenizer()("fever")[0]).tolist())
    candidate = set(np.flatnonzero(encoded.candidate).tolist())
    own = set(np.flatnonzero(encoded.branch == 0).tolist())
    for token in own:
        assert set(np.flatnonzero(encoded.visible[token]).tolist()) == own | fever | candidate
    np.testing.assert_array_equal(encoded.visible, encoded.visible.T)
    assert encoded.visible.diagonal().all()
    assert encoded.visible[0].sum() == (encoded.branch == -1).sum(), "[CLS] sees the trunk and no branch"


def test_masking_hides_exactly_the_branch(encoded: Encoded) -> None:
    masked = mask_branches(encoded, [1])
    hidden = encoded.branch == 1
    np.testing.assert_array_equal(masked.visible[~hidden][:, ~hidden], encoded.visible[~hidden][:, ~hidden])
    assert masked.visible[hidden].sum() == masked.visible[:, hidden].sum() == hidden.sum()


def test_an_image_region_is_one_token(encoded: Encoded) -> None:
    assert (encoded.branch == 2).sum() == 1
    ((token, embedding),) = encoded.regions
    assert encoded.branch[token] == 2
    np.testing.assert_array_equal(embedding, BRANCHES[2].embedding)


def test_padding_sees_only_itself(encoded: Encoded) -> None:
    short = encode(PATIENT, "asthma", (), open_tokenizer())
    batch = collate([short, encoded], 4)
    n = len(short.ids)
    assert not batch.visible[0, :n, n:].any()
    assert (batch.visible[0, n:].sum(1) == 1).all()
    np.testing.assert_array_equal(batch.region_at[:, 0], [1])


def test_a_branch_on_a_mention_that_was_cut_hangs_on_the_candidate() -> None:
    many = tuple(Mention(curie=f"HP:{i}", name="fever", presence="present") for i in range(40))
    branch = Branch(kind="kg_path", anchor="HP:39", reference="x", shown="x", text="often seen")
    one = encode(Patient(mentions=many), "pneumonia", (branch,), open_tokenizer())
    seen = np.flatnonzero(one.visible[np.flatnonzero(one.branch == 0)[0]] & (one.branch == -1))
    np.testing.assert_array_equal(seen, np.flatnonzero(one.candidate))
