"""The options that say what is given of a patient, for the verbs that diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from errors import InputError

ImagesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IMAGE",
        help="DICOM, PNG, JPEG, a folder or a DICOMDIR; none with --note or --finding alone.",
        show_default=False,
    ),
]
NoteOption = Annotated[
    str | None, typer.Option("--note", metavar="TEXT|@FILE|-", help="What is known about the patient, in words.")
]
PresentOption = Annotated[
    list[str] | None, typer.Option("--finding", metavar="CURIE", help="A finding that is present; may be repeated.")
]
AbsentOption = Annotated[
    list[str] | None, typer.Option("--absent", metavar="CURIE", help="A finding that is absent; may be repeated.")
]
AgeOption = Annotated[float | None, typer.Option("--age", metavar="Y", min=0, max=130, help="Age in years.")]
SexOption = Annotated[Literal["F", "M"] | None, typer.Option("--sex", metavar="F|M", case_sensitive=False, help="Sex.")]
StudyOption = Annotated[
    str | None,
    typer.Option("--study", metavar="N|last|UID", help="Which study, of several; 1 is the oldest."),
]
SettingOption = Annotated[
    Literal["neutral", "emergency", "ward", "clinic", "screening", "local"],
    typer.Option(
        "--setting", help="Where the patient is seen: it changes how common diseases are; local: as adapt learnt it."
    ),
]


def readable(image: Path, *, folder: bool = False) -> None:
    """Say at once, before any model is loaded, that a file is missing; a ``folder`` may stand for its images. Raises
    InputError."""
    if not image.exists():
        raise InputError("no such file", value=image, expected="a DICOM, PNG or JPEG image")
    if image.is_dir() and not folder:
        raise InputError("a folder, not an image", value=image, expected="a DICOM, PNG or JPEG image")
