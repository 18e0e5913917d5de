"""What is watched, for the terminal and as a figure: the evidence of a drift, and the measures that moved most."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.text import Text

from learning.drift import RECENT, Drift, Moved
from learning.monitor import Watched
from records.audit import STEP
from reports.table import grid, heading, percent
from vision.films.levels import STEPS

_SHOWN = 6
_SHARES = {"first": STEP, "none": STEP, "unread": STEP, "normal": STEPS["normal"], "strongest": STEPS["strongest"]}
_BLOCKS = "▁▂▃▄▅▆▇█"
_WORDS = {
    "first": "probability of the first diagnosis",
    "none": "probability of none of these",
    "undecided": "diagnoses that cannot be ruled out",
    "unread": "share of words that were not read",
    "said": "findings from the note",
    "accepted": "first diagnosis accepted",
    "normal": "probability of no finding",
    "strongest": "probability of the likeliest finding",
    "findings": "findings present",
    "unusual": "unlike the training films",
}


def drift(watched: Sequence[Watched], console: Console) -> None:
    """Each stream of what was watched: whether there is an alarm and since when, and what moved."""
    for one in watched:
        found = one.drift
        heading(f"Watched: {one.of}", console, _verdict(one))
        console.print(
            Text(
                f"{found.watched} against {found.reference} before them; evidence {_number(_last(found))} of"
                f" {_number(found.limit)}, at most {_number(_most(found))}. While nothing changes, the limit is reached"
                f" once in {_number(found.limit)} or more on average."
            )
        )
        if one.left_out:
            console.print(Text(f"{one.left_out} are left out: nothing is kept of them, or they cannot be read"))
        table = grid(
            ("measure", "wrap"), ("before", "right"), ("now", "right"), ("moved", "right"), ("evidence", "right"),
            ("since", "right"), ("course", "left"),
        )  # fmt: skip
        for moved in found.streams[:_SHOWN]:
            table.add_row(
                in_words(moved.name),
                f"{_said(moved, moved.reference)} ({_said(moved, moved.low)} to {_said(moved, moved.high)})",
                _said(moved, moved.recent),
                f"{moved.moved:+.1f} SD",
                _number(moved.highest),
                "" if moved.since is None or found.alarm is None else f"no. {moved.since}",
                _sparks(one, moved),
            )
        console.print(table)


def _said(moved: Moved, steps: float) -> str:
    """A value as a reader is told it."""
    value = float(in_units(moved.name, steps))
    return percent(value) if moved.name in _SHARES else f"{value:.3g}"


def in_units(name: str, steps: ArrayLike) -> NDArray[np.float64]:
    """Steps of a measure in its own unit, float64 of the same shape; a probability where log odds are kept."""
    own = np.asarray(steps, np.float64)
    return 1 / (1 + np.exp(-own * _SHARES[name])) if name in _SHARES else own * STEPS.get(name, 1.0)


def in_words(name: str) -> str:
    """A measure as a reader is told it."""
    return _WORDS.get(name, name)


def _verdict(one: Watched) -> str:
    if one.drift.alarm is None:
        return "no drift"
    when = one.times[one.drift.alarm - 1]
    first = one.drift.streams[0]
    return f"DRIFT: alarm at no. {one.drift.alarm} ({when}), mostly {in_words(first.name)}, since no. {first.since}"


def _last(found: Drift) -> float:
    return float(found.evidence[-1]) if len(found.evidence) else 0.0


def _most(found: Drift) -> float:
    return float(found.evidence.max()) if len(found.evidence) else 0.0


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1 <= value < 1e6 else f"{value:.1g}"


def _sparks(one: Watched, moved: Moved, width: int = 16) -> str:
    """The course of a measure: means of equal parts, between the reference's 5th and 95th percentile and beyond."""
    values = np.array([row[moved.name] for row in one.rows if moved.name in row], float)
    if not len(values):
        return ""
    means = [float(part.mean()) for part in np.array_split(values, min(width, len(values)))]
    low, high = min(moved.low, *means), max(moved.high, *means)
    return "".join(_BLOCKS[min(int((m - low) / max(high - low, 1e-9) * 8), 7)] for m in means)


def figure(watched: Sequence[Watched], format: Literal["png", "svg"]) -> bytes:
    """The evidence over time, and the measures that moved most, a column for each thing watched; the same input gives
    the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    rows = 1 + min(_SHOWN, max(len(one.drift.streams) for one in watched))
    drawn = Figure(figsize=(7 * len(watched), 1.6 * rows + 0.6), layout="constrained")
    axes = drawn.subplots(rows, len(watched), squeeze=False)
    for column, one in enumerate(watched):
        found = one.drift
        x = np.arange(1, found.watched + 1)
        top = axes[0, column]
        top.semilogy(x, np.maximum(found.evidence, 1e-2), color="#1f5a8a")
        top.axhline(found.limit, color="#b3261e", linewidth=1, linestyle="--")
        top.set_title(f"{one.of}: {_verdict(one)}", fontsize=9)
        top.set_ylabel("evidence", fontsize=7)
        for place in range(1, rows):
            ax = axes[place, column]
            if place > len(found.streams):
                ax.axis("off")
                continue
            moved = found.streams[place - 1]
            rows_with = [(i + 1, row[moved.name]) for i, row in enumerate(one.rows) if moved.name in row]
            places, y = [p for p, _ in rows_with], in_units(moved.name, [v for _, v in rows_with])
            low, high = in_units(moved.name, (moved.low, moved.high)).tolist()
            ax.axhspan(low, high, color="#dfe7ee")
            ax.plot(places, y, ".", color="0.6", markersize=3)
            if len(y) >= 5:
                size = min(RECENT // 2, len(y))
                ax.plot(places[size - 1 :], np.convolve(y, np.ones(size) / size, "valid"), color="#1f5a8a")
            if moved.name in _SHARES:
                ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.set_ylabel(textwrap.fill(in_words(moved.name), 22), fontsize=7)
        used = 1 + min(rows - 1, len(found.streams))
        for ax in axes[:used, column]:
            if found.alarm is not None:
                ax.axvline(found.alarm, color="#b3261e", linewidth=1)
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=7)
        grey = "95 % interval of the share before" if one.of == "feedback" else "the middle 90 % of what came before"
        axes[used - 1, column].set_xlabel(f"number, in order; grey: {grey}", fontsize=8)
    file = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "whydx"}):
        drawn.savefig(file, format=format, dpi=130, metadata={"Date": None} if format == "svg" else {"Software": None})
    return file.getvalue()
