"""The nouns of a knowledge engineer: data, ontology, index, train."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from commands import indexing, ontology
from commands.terminal import (
    FormatOption,
    HomeOption,
    OutputOption,
    SeedOption,
    progress,
    say,
    show,
)
from home import home_folder

_PANEL = "Keeping"


RunOption = Annotated[Path, typer.Option("-o", "--output", "--out", help="Folder of checkpoints, curves and weights.")]
TrackOption = Annotated[
    Literal["tensorboard", "wandb", "mlflow", "none"], typer.Option("--track", help="Where losses and figures go.")
]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.", show_default="all")]

LabelledOption = Annotated[
    list[str],
    typer.Option("--data", metavar="LAYOUT:FOLDER", help="nih, rsna, chexpert, vindr or mimic; may be repeated."),
]

app = typer.Typer()
data = typer.Typer(no_args_is_help=True, help="The open sources: fetch them, list them.")
train = typer.Typer(no_args_is_help=True, help="Train the networks.")
for name, group in (("data", data), ("ontology", ontology.app), ("index", indexing.app), ("train", train)):
    app.add_typer(group, name=name, rich_help_panel=_PANEL)


@data.command("fetch")
def data_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Sources to fetch.", show_default="all")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Fetch the open sources and check them by sha256; what is there already is kept."""
    from ontologies.sources.store import fetch

    with progress() as advance:
        fetch(home_folder(home), names or None, progress=advance)


@data.command("list")
def data_list(
    verify: Annotated[bool, typer.Option("--verify", help="Read and hash every file.")] = False,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """List the open sources: name, state, version, licence, hash, citation."""
    from ontologies.sources.store import status
    from reports.listing import sources

    show(status(home_folder(home), verify=verify), sources, layout, output)


@train.command("detector")
def train_detector(
    data: LabelledOption,
    output: RunOption,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Passes over the images.", show_default="10")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only so many images of each set.")] = None,
    members: Annotated[
        int, typer.Option("--members", min=1, max=5, help="Networks to train and average, each without one fold.")
    ] = 5,
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", metavar="NAME|FOLDER", help="A Hugging Face ViT or DINOv2 instead of the hybrid."),
    ] = None,
    threads: ThreadsOption = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on from a checkpoint, or start over.")
    ] = True,
    track: TrackOption = "tensorboard",
    seed: SeedOption = 0,
) -> None:
    """Train the detector's members, calibrate each where it was not fitted, and write weights, thresholds, manifest."""
    from tracking.runs import Card
    from vision.training.train import train_detector as fit

    config = {"epochs": epochs, "limit": limit, "members": members, "backbone": backbone, "seed": seed}
    with progress() as advance, Card(output, "train detector", command=command_line(), config=config) as card:
        manifest = fit(
            data,
            output,
            epochs=epochs,
            limit=limit,
            members=members,
            seed=seed,
            resume=resume,
            threads=threads,
            backbone=backbone,
            track=track,
            progress=advance,
        )
        card.data = manifest["data"]
        card.metrics = {f"member_{i}.loss": own["last_20_steps"] for i, own in enumerate(manifest["losses"])}
        card.versions["detector"] = manifest["sha256"][:16]
    say(f"wrote {output / 'detector.safetensors'}; its card is {output / 'run.json'}")


@train.command("refusal")
def train_refusal(
    data: LabelledOption,
    output: RunOption,
    others: Annotated[
        list[Path] | None,
        typer.Option("--others", metavar="FOLDER", help="Annotated pictures that are no chest films; may be repeated."),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Fit what tells a frontal chest radiograph from anything else, on the training patients."""
    from vision.training.frontal_fit import fit_refusal

    with progress() as advance:
        fit_refusal(data, output, others=others or (), seed=seed, progress=advance)
    say(f"wrote {output / 'frontal.safetensors'}")


@train.command("anatomy")
def train_anatomy(
    outlined: Annotated[
        list[Path],
        typer.Option("--outlined", metavar="FOLDER", help="Films with masks of the organs; may be repeated."),
    ],
    data: LabelledOption,
    output: RunOption,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the outlined films.")] = 45,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Fit what outlines lungs and heart on outlined films; frontal films (--data) say which outlines are usual."""
    from vision.training.anatomy_fit import train_anatomy as fit
    from vision.training.outlining_fit import Settings

    with progress() as advance:
        fit(outlined, data, output, settings=Settings(epochs=epochs, seed=seed), threads=threads, progress=advance)
    say(f"wrote {output / 'anatomy.safetensors'}")


@train.command("nodules")
def train_nodules(
    data: Annotated[
        str, typer.Option("--data", metavar="LAYOUT:FOLDER", help="luna (the official tree) or patches (cut from it).")
    ],
    output: RunOption,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the patches.")] = 14,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Fit what tells lung nodules on CT from what looks like one, on LUNA16's candidates."""
    from vision.training.nodule_fit import Settings
    from vision.training.nodule_fit import train_nodules as fit

    with progress() as advance:
        fit(data, output, settings=Settings(epochs=epochs, seed=seed), threads=threads, progress=advance)
    say(f"wrote {output / 'nodules.safetensors'}")


@train.command("reasoner")
def train_reasoner(
    output: RunOption,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="JSONL", help="Published patients.", show_default="simulated ones only"),
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--texts",
            metavar="JSONL|FOLDER",
            help="Patients in words to fit probabilities on; may be repeated.",
            show_default="Open-i's reports",
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Examples, at most; 0 only calibrates the shipped network.")
    ] = 4000,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, help="Time, at most.", show_default=False)
    ] = None,
    track: TrackOption = "tensorboard",
    seed: SeedOption = 0,
    home: HomeOption = None,
) -> None:
    """Train the reasoner on simulated and published patients, calibrate it, and write weights and figures.

    A run that was stopped goes on from its last checkpoint.
    """
    from fusion.training.fit import train_reasoner as fit
    from reports.listing import metrics
    from tracking.runs import Card, numbers

    named = f" --cases {cases.name}" if cases else ""
    named += "".join(f" --texts {path.name}" for path in texts or ())
    command = f"whydx train reasoner{named} --steps {steps} --seed {seed}"
    config = {"steps": steps, "seconds": seconds, "seed": seed}
    with progress() as advance, Card(output, "train reasoner", command=command, config=config) as run:
        figures = fit(
            home_folder(home),
            output,
            cases=cases,
            texts=texts or (),
            steps=steps,
            seconds=seconds,
            seed=seed,
            command=command,
            track=track,
            progress=advance,
        )
        run.metrics = numbers(figures)
    show(figures, metrics, "table", None)
    say(f"wrote {output / 'reasoner.safetensors'}")


def command_line() -> str:
    """The words of this run, folders and files by their names alone."""
    words = [Path(word).name if "/" in word and not word.startswith("-") else word for word in sys.argv[1:]]
    return " ".join(["whydx", *words])
