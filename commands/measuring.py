"""The evaluations: eval link, diagnose, retrieve, detect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from commands.terminal import DeviceOption, HomeOption, progress, say, show, write
from errors import InputError
from home import home_folder

PredictionsOption = Annotated[
    Path | None,
    typer.Option(
        "--predictions", metavar="FILE", help="Write the predictions to this file (- is stdout).", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")]
SplitOption = Annotated[
    Literal["train", "val"] | None,
    typer.Option("--split", help="Only this part of the development split.", show_default="all"),
]

app = typer.Typer()
evaluate = typer.Typer(no_args_is_help=True, help="Measure on labelled data: metrics to stdout, predictions to a file.")
app.add_typer(evaluate, name="eval", rich_help_panel="Measuring")


@evaluate.command("link")
def eval_link(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.pubtator", help="PubTator with Phenotype mentions.")],
    vocab: Annotated[str, typer.Option("--vocab", help="The vocabulary of the ids.")] = "HP",
    nested: Annotated[
        bool | None,
        typer.Option("--nested/--flat", help="Names inside names too, or not.", show_default="as the gold does"),
    ] = None,
    predictions: PredictionsOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Concept recognition: precision, recall and F1 of documents and mentions."""
    _there(gold)
    from ontologies.linking.evaluate import evaluate_link
    from ontologies.linking.linker import Linker

    linker = Linker.open(home_folder(home) / "linker")
    with progress() as advance:
        text, metrics = evaluate_link(gold, linker, vocab=vocab, nested=nested, progress=advance)
    _report(metrics, text, predictions, as_json)


@evaluate.command("diagnose")
def eval_diagnose(
    cases: Annotated[Path, typer.Argument(metavar="CASES", help="JSON lines, or a folder of GA4GH phenopackets.")],
    vocab: Annotated[str, typer.Option("--vocab", help="Rank all diseases with a code in this vocabulary.")] = "OMIM",
    split: SplitOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many cases, spread evenly.", show_default=False)
    ] = None,
    mode: Annotated[
        Literal["published", "patient", "likelihood", "reasoner", "no-branches", "shuffled-branches"],
        typer.Option(
            "--mode",
            help="The ranker with what reporting says of published patients, or without (patient); the likelihood"
            " alone; the reasoner whole, with its evidence masked, or with another candidate's.",
        ),
    ] = "published",
    predictions: PredictionsOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Differential diagnosis: top-k accuracy and mean reciprocal rank of the true disease."""
    _there(cases)
    from fusion.evaluation.published import evaluate_diagnose
    from reports.json import dump_lines

    with progress() as advance:
        rows, metrics = evaluate_diagnose(
            cases, home_folder(home), vocab=vocab, split=split, limit=limit, mode=mode, progress=advance, report=say
        )
    _report(metrics, dump_lines(rows), predictions, as_json)


@evaluate.command("chest")
def eval_chest(
    cases: Annotated[
        Path,
        typer.Argument(metavar="CASES.jsonl", help="A patient a line: id, note or image, accept, age, sex, group."),
    ],
    predictions: PredictionsOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Chest patients with a known diagnosis: top-k accuracy, probabilities, abstention. Goes on where it was stopped
    when --predictions is a file."""
    _there(cases)
    import whydx
    from fusion.evaluation import chest_cases
    from indexes.manifest import file_sha256
    from reports.file import UnfinishedLines
    from reports.json import dump_lines

    read = chest_cases.read_cases(cases)
    pipeline = whydx.open(home, device=device).pipeline
    kept = None
    if predictions is not None and str(predictions) != "-":
        kept = UnfinishedLines(predictions, f"{file_sha256(cases)} {' '.join(pipeline.fingerprints.values())}")
    rows = []
    with progress() as advance:
        for row in chest_cases.predictions(pipeline, read, kept.done if kept else {}, advance):
            rows.append(row)
            if kept:
                kept.add(row)
    _report(chest_cases.metrics(read, rows), dump_lines(rows), predictions, as_json)
    if kept:
        kept.forget()


@evaluate.command("retrieve")
def eval_retrieve(
    folder: Annotated[
        Path, typer.Argument(metavar="BEIR_DIR", help="Folder with corpus.jsonl, queries.jsonl, qrels/test.tsv.")
    ],
    k: Annotated[int, typer.Option("-k", min=10, max=1000, help="Documents a query.")] = 100,
    predictions: PredictionsOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Retrieval: nDCG@10, recall@100 and MRR@10."""
    _there(folder)
    from retrieval.evaluation.evaluate import evaluate_retrieve

    with progress() as advance:
        run, metrics = evaluate_retrieve(folder, k=k, home=home_folder(home), progress=advance)
    _report(metrics, run, predictions, as_json)


@evaluate.command("detect")
def eval_detect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with annotations.jsonl and images/.")],
    split: SplitOption = None,
    predictions: PredictionsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Detection: AUROC of each label, pointing game and box overlap, refusals, calibration."""
    _there(folder)
    from reports.json import dump_lines
    from vision.evaluate import evaluate_detect

    with progress() as advance:
        rows, metrics = evaluate_detect(folder, split=split, progress=advance)
    _report(metrics, dump_lines(rows), predictions, as_json)


def _there(path: Path) -> None:
    if not path.exists():
        raise InputError("no such file or folder", value=path)


def _report(metrics: dict[str, Any], predictions: str, target: Path | None, as_json: bool) -> None:
    """Metrics to stdout; what was measured of speed, which differs from run to run, to stderr."""
    from reports import listing

    for name in [name for name in metrics if name.endswith("_per_s")]:
        say(f"{name.removesuffix('_per_s')} per second: {metrics.pop(name):.1f}")
    if target is not None:
        write(predictions, target)
    if target is None or str(target) != "-":
        show(metrics, listing.metrics, "json" if as_json else "table", None)
