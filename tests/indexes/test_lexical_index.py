from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from indexes.lexical_index import Grams, LexicalIndex, Tokenizer

TEXTS = ["pleural effusion on the left", "effusions, effusion and heart failure", "a normal chest", "heart failure"]
IDS = ["d", "c", "b", "a"]


def test_tokens() -> None:
    assert Tokenizer()("The Crohn's-disease X-rays of COVID-19 were réal") == [
        "crohn", "diseas", "x", "ray", "covid", "19", "were", "réal",
    ]  # fmt: skip


def test_score_is_lucene_bm25() -> None:
    index = LexicalIndex.of(TEXTS, IDS, k1=1.2, b=0.75)
    tokens = [Tokenizer()(text) for text in TEXTS]
    mean = sum(map(len, tokens)) / 4
    for row, words in enumerate(tokens):
        expected = 0.0
        for word in ("effus", "heart", "effus"):
            n = sum(word in other for other in tokens)
            tf = words.count(word)
            idf = math.log(1 + (4 - n + 0.5) / (n + 0.5))
            expected += idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * len(words) / mean))
        assert index.scores("effusion heart effusion")[row] == pytest.approx(expected, rel=1e-5)


def test_search_orders_by_score_then_id_and_leaves_out_what_shares_no_word() -> None:
    index = LexicalIndex.of(["cough"] * 5 + ["fever"], ["e", "b", "a", "d", "c", "f"])
    ids, scores = index.search("cough", 3)
    assert ids == ["a", "b", "c"]
    assert np.ptp(scores) == 0
    assert index.search("cough", 99)[0] == ["a", "b", "c", "d", "e"]
    assert index.search("cough", 2, among=np.array([0, 3, 5]))[0] == ["d", "e"]
    assert index.search("wheat", 3)[0] == []
    assert index.search("", 3)[0] == []
    with pytest.raises(InputError):
        index.search("cough", 0)


@pytest.mark.parametrize("texts", [TEXTS, ["", "of the", ""], []])
def test_round_trip(tmp_path: Path, texts: list[str]) -> None:
    ids = [f"é{i}" for i in range(len(texts))]
    built = LexicalIndex.build(texts, ids, tmp_path / "bm25")
    memory = LexicalIndex.of(texts, ids)
    for query in ("heart failure", "left effusion", ""):
        assert built.search(query, 9)[0] == memory.search(query, 9)[0]
        np.testing.assert_array_equal(built.scores(query), memory.scores(query))
    assert not list((tmp_path / "bm25").glob("*.pkl"))


def test_bytes_do_not_depend_on_hash_seeds(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from indexes.lexical_index import LexicalIndex;"
        "LexicalIndex.build(['pleural effusion', 'heart failure effusion'], ['a', 'b'], pathlib.Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            cwd=Path(__file__).resolve().parents[2],
            env={"PYTHONHASHSEED": seed},
            check=True,
        )
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert one == two
    assert len(one) > 4


def test_damage_is_refused(tmp_path: Path) -> None:
    LexicalIndex.build(TEXTS, IDS, tmp_path / "bm25")
    for path in sorted((tmp_path / "bm25").iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 0x15]))
        with pytest.raises(ArtifactError, match="damaged file"):
            LexicalIndex.open(tmp_path / "bm25")
        path.write_bytes(content)
    LexicalIndex.open(tmp_path / "bm25")


def test_ids_are_unique() -> None:
    with pytest.raises(ValueError, match="id of its own"):
        LexicalIndex.of(["a", "b"], ["x", "x"])


def test_pieces_of_words() -> None:
    assert Grams()("The lipid of an X-ray") == ["_lip", "lipi", "ipid", "pid_", "_x_", "_ray", "ray_"]
    assert Grams()("") == []


def test_words_of_one_root_share_pieces(tmp_path: Path) -> None:
    texts = ["phospholipidosis of the lung", "a normal chest", ""]
    index = LexicalIndex.build(texts, ["a", "b", "c"], tmp_path / "grams", unit="grams")
    assert index.search("lipid", 3)[0] == ["a"]
    assert index.search("the of and", 3)[0] == []
    assert LexicalIndex.of(texts, ["a", "b", "c"]).search("lipid", 3)[0] == []


def test_which_stems_are_there() -> None:
    index = LexicalIndex.of(TEXTS, IDS)
    assert "effus" in index
    assert "wheat" not in index
    assert "wheat" not in LexicalIndex.of([""], ["a"])
