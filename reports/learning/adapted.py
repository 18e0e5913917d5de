"""An adaptation, the versions of a home, a work list, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from learning.words import Suggested
from learning.worklist import Wanted
from reports.table import grid, heading, percent

_PARTS = {
    "head.json": "detector head",
    "prior.json": "local setting",
    "words.json": "local words",
    "sureness.json": "calibration of the reasoner",
    "encoder.json": "sentence encoder",
}


def card(value: Mapping[str, Any], console: Console) -> None:
    """What an adaptation was fitted on, and how it does on what took no part."""
    heading(f"Adaptation: {value['what']}", console, value.get("held_out", ""))
    if "films" in value:
        console.print(Text(f"{value['films']} labelled films; {value['refused_films']} more are refused"))
    if judged := value.get("judged"):
        table = grid(
            ("output", "wrap"), ("n", "right"), ("with it", "right"), ("area under ROC", "right"),
            ("mean -ln p", "right"), ("calibration error", "right"), ("guard area", "right"),
        )  # fmt: skip
        for row in judged:
            table.add_row(
                row["output"].replace("_", " "), str(row["n"]), str(row["positive"]), _pair(row["auroc"]),
                _pair(row["loss"]), _pair(row["calibration_error"]), f"{row['guard_auroc_change']:+.3f}",
            )  # fmt: skip
        console.print(table)
    for line in value.get("lines", ()):
        console.print(Text(line))


def _pair(values: Sequence[float]) -> str:
    return f"{values[0]:.3f} → {values[1]:.3f}"


def versions(value: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A line a version, the one in use marked."""
    table = grid(("", "left"), ("version", "right"), ("made (UTC)", "left"), ("what", "left"), ("figures", "wrap"))
    for row in value:
        made, what = row.get("made", ""), ", ".join(_PARTS.get(f, f) for f in row.get("files", ())) or "as shipped"
        figures = "; ".join(
            f"{j['output'].replace('_', ' ')} {_pair(j['auroc'])}" for j in row.get("judged", ())
        ) or "; ".join(row.get("lines", ()))
        table.add_row("in use" if row["in_use"] else "", str(row["version"]), made, what, figures)
    console.print(table)


def words(value: Sequence[Suggested], console: Console) -> None:
    """Phrases that nobody reads, with what they may mean."""
    heading("Phrases that are not read", console, "say yes with an x in the column accept of -o FILE.tsv")
    table = grid(("phrase", "wrap"), ("notes", "right"), ("may mean", "wrap"), ("similarity", "right"))
    for row in value:
        table.add_row(row.phrase, str(row.notes), row.means, f"{row.similarity:.2f}")
    console.print(table)


def worklist(value: Sequence[Wanted], console: Console) -> None:
    """The films to label first, and why."""
    heading("Films whose labels would help most", console, f"{len(value)} of those without labels")
    table = grid(("", "right"), ("film", "wrap"), ("finding", "left"), ("probability", "right"), ("why", "wrap"))
    for number, film in enumerate(value, 1):
        chance = percent(film.probability)
        table.add_row(str(number), film.image, film.output.replace("_", " "), chance, film.why)
    console.print(table)
