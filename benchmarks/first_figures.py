"""The results table of the README: ``python -m benchmarks.first_figures [--data FOLDER] [--scorers FOLDER]``.

Runs each ``whydx eval`` on the development data and prints a Markdown table with the date and the machine. When
``--scorers`` (default: ``score`` beside the data) holds independent scorers, each is run on the predictions, and a
figure on which it disagrees is an error. ``--only link`` runs some of them, ``--keep FOLDER`` keeps the predictions.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.machine import stamp

TOLERANCE = 2e-4  # both sides round to four digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One evaluation: what it shows, its arguments ({data} is the data folder), the figures to print (dotted names in
    the metrics), the scorer's file name, and the file of labelled rows with the key that names a row (for a split)."""

    name: str
    shows: str
    arguments: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    scorer: str
    gold: str
    key: str = ""


DETECT = (
    ("mean AUROC", "auroc.mean"),
    ("PA", "auroc_PA.mean"),
    ("AP", "auroc_AP.mean"),
    ("abnormal only", "auroc_abnormal.mean"),
    ("No Finding", "auroc.No Finding"),
    ("pointing game", "pointing_game"),
    ("ECE", "ece"),
)
LINK = (
    ("document F1", "document.f1"),
    ("precision", "document.precision"),
    ("recall", "document.recall"),
    ("mention F1", "mention.f1"),
)
RANK = (("top-1", "top1"), ("top-3", "top3"), ("top-10", "top10"), ("MRR", "mrr"))
CASES = "{data}/phenopackets/cases.jsonl"
TASKS = (
    *(
        Task(
            name=f"detect-{folder}",
            shows=f"14 findings, NIH ChestX-ray14, validation patients, {what}",
            arguments=("detect", "{data}/" + folder, "--split", "val"),
            figures=DETECT,
            scorer="detect.py",
            gold=f"{folder}/annotations.jsonl",
            key="image",
        )
        for folder, what in (("nih_cxr", "512 px"), ("nih_cxr_64px", "64 px"))
    ),
    *(
        Task(
            name=f"diagnose-{mode}",
            shows=f"published patients, validation diseases, all OMIM diseases as candidates: {words}",
            arguments=("diagnose", CASES, "--split", "val", "--mode", mode),
            figures=RANK,
            scorer="diagnose.py",
            gold="phenopackets/cases.jsonl",
            key="id",
        )
        for mode, words in (
            ("likelihood", "graph likelihood alone"),
            ("patient", "ranker"),
            ("published", "ranker that also knows how patients come to be published"),
        )
    ),
    *(
        Task(
            name=f"link-{file.partition('.')[0]}",
            shows=f"concepts in text, {what}",
            arguments=("link", "{data}/hpo_recognition/" + file),
            figures=LINK,
            scorer="link.py",
            gold="hpo_recognition/" + file,
        )
        for file, what in (
            ("gscplus_dev.pubtator", "GSC+ dev"),
            ("id68.pubtator", "ID-68"),
            ("genereviews.pubtator", "GeneReviews"),
        )
    ),
    Task(
        name="retrieve",
        shows="retrieval, BioASQ",
        arguments=("retrieve", "{data}/bioasq_beir"),
        figures=(
            ("nDCG@10", "ndcg@10"),
            ("recall@100", "recall@100"),
            ("MRR@10", "mrr@10"),
            ("nDCG@10 of BM25 alone", "systems.bm25.ndcg@10"),
            ("of dense alone", "systems.dense.ndcg@10"),
        ),
        scorer="retrieve.py",
        gold="bioasq_beir",
    ),
)


def look_up(metrics: Mapping[str, Any], dotted: str) -> float | None:
    """The figure called ``dotted`` in nested metrics, or None. A key may itself hold dots or "@"."""
    if dotted in metrics:
        return metrics[dotted]
    head, _, rest = dotted.partition(".")
    inner = metrics.get(head)
    return look_up(inner, rest) if rest and isinstance(inner, Mapping) else None


def run_task(task: Task, data: Path, predictions: Path) -> tuple[dict[str, Any], float]:
    """The metrics that ``whydx eval`` prints, and the seconds it took; the predictions are written to a file."""
    arguments = [argument.format(data=data) for argument in task.arguments]
    command = [
        sys.executable,
        "-c",
        "from cli import main; main()",
        "eval",
        *arguments,
        "--json",
        "--predictions",
        str(predictions),
    ]
    started = perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), perf_counter() - started


def score(task: Task, data: Path, predictions: Path, scorers: Path, folder: Path) -> dict[str, Any]:
    """What the independent scorer says, over the rows that were predicted."""
    gold = data / task.gold
    if task.key:
        predicted = {json.loads(line)[task.key] for line in predictions.read_text(encoding="utf-8").splitlines()}
        rows = [
            line for line in gold.read_text(encoding="utf-8").splitlines() if json.loads(line)[task.key] in predicted
        ]
        gold = folder / f"{task.name}.gold.jsonl"
        gold.write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, str(scorers / task.scorer), str(gold), str(predictions)]
    scored = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return scored["all"] if task.scorer == "diagnose.py" else scored


def disagreements(task: Task, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The figures of ``task`` that the scorer knows and on which the two differ by more than rounding."""
    found = []
    for label, dotted in task.figures:
        a, b = look_up(ours, dotted), look_up(theirs, dotted)
        if b is not None and (a is None or abs(a - b) > TOLERANCE):
            found.append(f"{task.name} {label}: whydx {a}, scorer {b}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--scorers", type=Path)
    parser.add_argument("--only", action="append", metavar="NAME", help="tasks whose name starts so; may be repeated")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the predictions here")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"no development data in {arguments.data}; give --data FOLDER")
    scorers = arguments.scorers or arguments.data.parent / "score"
    wrong: list[str] = []
    print(f"{stamp()}\n\n| what | n | figures | seconds | command |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as beside:
        folder = arguments.keep or Path(beside)
        folder.mkdir(parents=True, exist_ok=True)
        for task in TASKS:
            if arguments.only and not task.name.startswith(tuple(arguments.only)):
                continue
            predictions = folder / f"{task.name}.predictions"
            metrics, seconds = run_task(task, arguments.data, predictions)
            if scorers.is_dir():
                wrong += disagreements(task, metrics, score(task, arguments.data, predictions, scorers, folder))
            values = ((label, look_up(metrics, dotted)) for label, dotted in task.figures)
            shown = ", ".join(f"{label} {value:.3f}" for label, value in values if value is not None)
            count = next((metrics[key] for key in ("n", "images", "queries", "documents") if key in metrics), "")
            command = "whydx eval " + " ".join(task.arguments).replace("{data}/", "")
            print(f"| {task.shows} | {count} | {shown} | {seconds:.0f} | `{command}` |", flush=True)
    if wrong:
        sys.exit("the independent scorers disagree:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
