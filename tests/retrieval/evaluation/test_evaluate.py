from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from errors import InputError
from retrieval.document import Document
from retrieval.encoder import Encoder
from retrieval.evaluation import evaluate
from retrieval.evaluation.evaluate import evaluate_retrieve
from retrieval.hybrid import HybridIndex
from retrieval.literature import WEIGHTS

CORPUS = {
    "d3": ("Pleural effusion", "Fluid between the pleural layers is common in heart failure."),
    "d1": ("", "Air in the pleural space collapses the lung."),
    "d2": ("Wheat", "The price of wheat rose."),
    "d5": ("", "Cough and fever suggest pneumonia."),
    "d4": ("", "Cough and fever suggest pneumonia."),
}
QUERIES = {"q2": "pneumonia with cough", "q1": "collapsed lung", "q3": "never judged", "q4": "effusion"}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": name, "title": title, "text": text} for name, (title, text) in CORPUS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"_id": name, "text": text} for name, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td5\t2\nq2\td4\t1\nq3\td2\t0\nq4\td3\t1\n"
    )
    return folder


def test_run_and_metrics(beir: Path) -> None:
    run, metrics = evaluate_retrieve(beir, k=3)
    lines = [line.split() for line in run.splitlines()]
    assert [line[0] for line in lines] == ["q1"] * 3 + ["q2"] * 3 + ["q4"] * 3
    assert [line[3] for line in lines] == ["1", "2", "3"] * 3
    assert [line[2] for line in lines if line[0] == "q2"][:2] == ["d4", "d5"]  # the same text: ties by id
    assert lines[0][2] == "d1"
    assert metrics["queries"] == 3
    assert metrics["missing"] == 0
    assert metrics["mrr@10"] == 1
    assert 0 < metrics["ndcg@10"] < 1  # d4 before the better d5
    assert set(metrics["systems"]) == {"bm25", "grams", "dense", "fused"}


def test_the_run_is_what_the_literature_search_answers(beir: Path, tmp_path: Path) -> None:
    documents = [
        Document(doc_id=name, kind="literature", title=title, text=text, source_curie=name)
        for name, (title, text) in CORPUS.items()
    ]
    index = HybridIndex.build(documents, tmp_path / "index", kind="papers", grams=True)
    run, _ = evaluate_retrieve(beir, k=10)
    for name in ("q1", "q2", "q4"):
        lines = [line.split() for line in run.splitlines() if line.startswith(f"{name} ")]
        found = index.search(k=10, text=QUERIES[name], weights=WEIGHTS, feedback=True)
        assert [line[2] for line in lines] == [index.lexical.ids[hit.row] for hit in found]
        assert [float(line[4]) for line in lines] == pytest.approx([hit.score for hit in found], abs=1e-5)


def test_the_cache_gives_the_same_and_is_made_again_when_damaged(
    beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = evaluate_retrieve(beir)
    first = evaluate_retrieve(beir, home=tmp_path)
    assert first == without
    chunks = sorted((tmp_path / "indexes" / "beir").glob("*/vectors.npy"))
    assert len(chunks) == 2
    chunks[0].write_bytes(chunks[0].read_bytes()[:-1] + b"\0")
    assert evaluate_retrieve(beir, home=tmp_path) == without

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(Encoder, "encode", refuse)
    assert evaluate_retrieve(beir, home=tmp_path) == without


def test_an_interrupted_run_resumes(beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_CHUNK", 2)
    encode, calls = Encoder.encode, []

    def count(self: Encoder, texts: list[str], **named: object) -> object:
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(self, texts)

    monkeypatch.setattr(Encoder, "encode", count)
    with pytest.raises(KeyboardInterrupt):
        evaluate_retrieve(beir, home=tmp_path)
    evaluate_retrieve(beir, home=tmp_path)
    assert calls == [2, 2, 1, 1, 2, 1]  # documents 2, 2, interrupted; then the last one and the queries


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "d1"}\n', "line 1 is not a row"),
        ("corpus.jsonl", '{"_id": "d1", "text": "a"}\n' * 2, "repeats"),
        ("corpus.jsonl", "", "nothing to evaluate"),
        ("queries.jsonl", "[1]\n", "line 1 is not a row"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n", "line 2 is not a judgement"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "no relevant document"),
    ],
)
def test_malformed_files_are_one_line(beir: Path, name: str, content: str, message: str) -> None:
    (beir / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        evaluate_retrieve(beir)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(beir: Path) -> None:
    (beir / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match="BEIR folder"):
        evaluate_retrieve(beir)


def test_agrees_with_the_scorer(beir: Path, tmp_path: Path, shared_data: Path) -> None:
    scorer = shared_data.parent / "score" / "retrieve.py"
    if not scorer.is_file():
        pytest.skip("the scorer is not beside the development data")
    folder = tmp_path / "part"
    (folder / "qrels").mkdir(parents=True)
    source = shared_data / "pubmedqa_beir"
    for name, count in (("corpus.jsonl", 60), ("queries.jsonl", 60), ("qrels/test.tsv", 61)):
        lines = (source / name).read_text(encoding="utf-8").splitlines(keepends=True)[:count]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    for collection in (beir, folder):
        run, metrics = evaluate_retrieve(collection, encoder=_short(Encoder.load()))
        (tmp_path / "run.trec").write_text(run, encoding="utf-8")
        scored = subprocess.run(
            [sys.executable, str(scorer), str(collection), str(tmp_path / "run.trec")], capture_output=True, check=True
        )
        expected = json.loads(scored.stdout)
        assert {name: metrics[name] for name in expected} == expected


def _short(encoder: Encoder) -> Encoder:
    """The encoder reading 32 tokens: what is compared is the measure, not the search."""
    name, fingerprint, dimension = encoder.name, encoder.fingerprint, encoder.dimension
    return Encoder(name, fingerprint, dimension, lambda texts, longest, progress: encoder.encode(texts, longest=32))
