"""Run cards for the terminal: a list, one whole, several beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from reports.table import grid, heading
from tracking.runs import Run

_SHOWN = 4
_SECOND = len("2026-01-31T12:00:00")


def listed(value: Sequence[Run], console: Console) -> None:
    """A line a run."""
    table = grid(
        ("id", "left"), ("what", "left"), ("state", "left"), ("started (UTC)", "left"), ("seconds", "right"),
        ("figures", "wrap"),
    )  # fmt: skip
    for run in value:
        figures = ", ".join(f"{name} {number:g}" for name, number in list(run.metrics.items())[:_SHOWN])
        table.add_row(run.id, run.kind, run.state, run.started[:_SECOND], f"{run.seconds:g}", figures)
    console.print(table)


def shown(value: Run, console: Console) -> None:
    """All that a card says."""
    heading(f"{value.kind}: {value.state}", console, f"{value.started[:_SECOND]}, {value.seconds:g} s")
    console.print(Text(f"{value.id}  {value.command}"))
    if value.note:
        console.print(Text(value.note))
    for title in ("config", "data", "versions", "metrics"):
        own: Mapping[str, Any] = getattr(value, title)
        if own:
            heading(title.capitalize(), console)
            table = grid(("", "left"), ("", "wrap"))
            for name, said in own.items():
                table.add_row(name, f"{said:g}" if isinstance(said, float) else str(said))
            console.print(table)


def compared(value: tuple[Sequence[Run], Mapping[str, Sequence[Any]]], console: Console) -> None:
    """What differs between runs, a column for each."""
    runs, differing = value
    heading("What differs", console, "the rest is the same")
    table = grid(("", "left"), *((run.id, "wrap") for run in runs))
    for name, values in differing.items():
        table.add_row(name, *("–" if v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in values))
    console.print(table)
