"""evaluate_link: the formulas on a gold standard of three documents, and agreement with the independent scorer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import FINDING, Concept, Term
from ontologies.linking.evaluate import evaluate_link, read_pubtator, score
from ontologies.linking.linker import Linker

GOLD = """1|t|Fever and pleural effusion.
1|a|
1\t0\t5\tFever\tPhenotype\tHP:0001945
1\t10\t26\tpleural effusion\tPhenotype\tHP:0002202

2|t|A large pleural effusion.
2|a|No fever.
2\t2\t24\tlarge pleural effusion\tPhenotype\tHP:0002202

3|t|Nothing here.
3|a|
3\t0\t7\tNothing\tPhenotype\tHP:0000001
"""


@pytest.fixture
def linker(tmp_path: Path) -> Linker:
    names = {"HP:0001945": "Fever", "HP:0002202": "Pleural effusion"}
    concepts = [Concept(curie=c, name=n, semantic_types=(FINDING,), codes={"HP": (c[3:],)}) for c, n in names.items()]
    return Linker.build(
        concepts, [Term(curie=c, text=n, kind="preferred") for c, n in names.items()], tmp_path / "linker"
    )


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.pubtator"
    path.write_text(GOLD, encoding="utf-8")
    return path


def test_metrics(gold: Path, linker: Linker) -> None:
    predictions, metrics = evaluate_link(gold, linker)
    # documents: true 1:fever, 1:effusion, 2:effusion; false 2:fever; missed 3
    assert metrics["documents"] == 3
    assert metrics["document"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75}
    # exact mentions: both of document 1; "pleural effusion" of document 2 overlaps only
    assert metrics["mention"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert metrics["overlap"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75}
    assert "1\t10\t26\tpleural effusion\tPhenotype\tHP:0002202" in predictions
    assert "2\t26\t34\t" not in predictions
    assert "2\t29\t34\tfever\tPhenotype\tHP:0001945" in predictions


def test_predictions_are_pubtator(gold: Path, linker: Linker, tmp_path: Path) -> None:
    predictions, metrics = evaluate_link(gold, linker)
    again = tmp_path / "predicted.pubtator"
    again.write_text(predictions, encoding="utf-8")
    texts, mentions = read_pubtator(again)
    assert texts == read_pubtator(gold)[0]
    assert score(read_pubtator(gold)[1], mentions)["document"] == metrics["document"]


def test_names_inside_names_count_when_the_gold_marks_them(linker: Linker, tmp_path: Path) -> None:
    nested = tmp_path / "nested.pubtator"
    lines = ["1|t|Pleural effusion with fever.", "1\t0\t16\tx\tPhenotype\tHP:0002202"]
    nested.write_text("\n".join([*lines, "1\t8\t16\tx\tPhenotype\tHP:0000001"]), encoding="utf-8")
    flat = tmp_path / "flat.pubtator"
    flat.write_text("\n".join(lines), encoding="utf-8")
    assert evaluate_link(nested, linker)[1]["nested"]
    assert not evaluate_link(flat, linker)[1]["nested"]
    assert not evaluate_link(nested, linker, nested=False)[1]["nested"]


def test_text_over_several_lines_and_identifiers_without_a_prefix(linker: Linker, tmp_path: Path) -> None:
    gold = tmp_path / "gold.pubtator"
    text = "Seen for pain.\n\nA pleural effusion was found."
    mention = "1\t18\t34\tpleural effusion\tClinEntity"
    gold.write_text(f"1|t|{text}\n{mention}\t0002202\n{mention}\tCUI-LESS\n", encoding="utf-8")
    assert read_pubtator(gold)[0] == {"1": text}
    assert evaluate_link(gold, linker)[1]["mention"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


@pytest.mark.parametrize("content", ["", "1\t0\t5\tFever\tPhenotype\tHP:1\n", "1|t|x\n1\ta\tb\n"])
def test_refuses_what_is_not_pubtator(tmp_path: Path, linker: Linker, content: str) -> None:
    path = tmp_path / "bad.pubtator"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        evaluate_link(path, linker)


@pytest.mark.parametrize("name", ["gscplus_dev", "id68", "genereviews"])
def test_agrees_with_the_scorer(shared_data: Path, home: Path, tmp_path: Path, name: str) -> None:
    gold = shared_data / "hpo_recognition" / f"{name}.pubtator"
    predictions, metrics = evaluate_link(gold, Linker.open(home / "linker"))
    predicted = tmp_path / "predicted.pubtator"
    predicted.write_text(predictions, encoding="utf-8")
    scorer = shared_data.parent / "score" / "link.py"
    run = subprocess.run(
        [sys.executable, str(scorer), str(gold), str(predicted)], capture_output=True, text=True, check=True
    )
    scored = json.loads(run.stdout)
    assert scored["missing"] == 0
    for level in ("document", "mention", "overlap"):
        assert metrics[level] == scored[level]
    assert metrics["document"]["f1"] >= {"gscplus_dev": 0.70, "id68": 0.77, "genereviews": 0.80}[name]
