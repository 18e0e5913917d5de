"""Feedback and the audit trail, for the terminal and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from records.agreement import Agreement, Share
from records.chain import Verified
from reports.table import grid, heading, percent

_AMONG = "among reports that somebody gave feedback on; not accuracy"


def agreement(value: Agreement, console: Console) -> None:
    """Agreement over time, by first diagnosis and by finding, and the calibration table."""
    heading("Agreement with the first diagnosis", console, _AMONG)
    console.print(Text(f"{value.entries} {'entry' if value.entries == 1 else 'entries'}; {_words(value.overall)}"))
    if wrong := value.overall.n - value.overall.agreed:
        console.print(
            Text(f"of {wrong} corrected, {value.in_list} to one further down, {value.related} to a kind of it")
        )
    for title, rows in (("By month", value.by_month), ("By first diagnosis", value.by_diagnosis)):
        _shares(title, rows, console)
    _shares("Findings as the report had them", [f.confirmed for f in value.by_finding], console)
    for finding in value.by_finding:
        for how, times in finding.corrections:
            console.print(Text(f"{finding.confirmed.name}: {how}, {times} times"))
    if value.calibration:
        error = "" if value.calibration_error is None else f"expected calibration error {value.calibration_error:.2f}"
        heading("Probability of the first diagnosis, and how often it was right", console, error)
        table = grid(("probability", "left"), ("mean", "right"), ("right", "right"), ("n", "right"), ("95 %", "left"))
        for b in value.calibration:
            table.add_row(b.right.name, percent(b.probability), percent(b.right.share), str(b.right.n), _range(b.right))
        console.print(table)


def _shares(title: str, rows: Sequence[Share], console: Console) -> None:
    if not rows:
        return
    heading(title, console)
    table = grid(("", "wrap"), ("agreed", "right"), ("n", "right"), ("95 %", "left"))
    for row in rows:
        table.add_row(row.name, percent(row.share), str(row.n), _range(row))
    console.print(table)


def _range(share: Share) -> str:
    return f"{percent(share.low)} to {percent(share.high)}"


def _words(share: Share) -> str:
    return (
        f"{share.agreed} of {share.n} accepted ({percent(share.share)}, {_range(share)})" if share.n else "no verdict"
    )


def audit(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A line a record."""
    table = grid(
        ("", "right"),
        ("time (UTC)", "left"),
        ("what", "left"),
        ("given", "wrap"),
        ("answer", "left"),
        ("versions", "wrap"),
    )
    for row in rows:
        given = ", ".join(f"{n} {kind}" for kind, n in row["given"].items() if n)
        versions = ", ".join(f"{name} {value[:8]}" for name, value in row["versions"].items())
        table.add_row(str(row["sequence"]), row["time"], row["event"], given, row["answer"][:12], versions)
    console.print(table)


def verified(value: Verified, console: Console) -> None:
    """What is wrong and where, or that nothing is."""
    for problem in value.problems:
        place = "at the end" if problem.line is None else f"line {problem.line}"
        console.print(Text(f"{place}: {problem.kind}: {problem.text}", style="bold yellow"))
    state = "broken" if value.problems else "whole"
    console.print(Text(f"{value.records} records, the chain is {state}; head {value.head}"))


def figure(value: Agreement, format: Literal["png", "svg"]) -> bytes:
    """A reliability diagram beside agreement by month; the same entries give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9, 4), layout="constrained")
    left, right = drawn.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    _points(left, [b.probability for b in value.calibration], [b.right for b in value.calibration])
    left.set(xlim=(0, 1), xlabel="probability of the first diagnosis", ylabel="share that was right")
    _points(right, list(range(len(value.by_month))), value.by_month)
    right.set_xticks(range(len(value.by_month)), [s.name for s in value.by_month], rotation=30)
    right.set(ylabel="first diagnosis accepted")
    for axes in (left, right):
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
    drawn.suptitle(f"{_words(value.overall)} — {_AMONG}", fontsize=9)
    file = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "whydx"}):
        metadata = {"Date": None} if format == "svg" else {"Software": None}
        drawn.savefig(file, format=format, dpi=150, metadata=metadata)
    return file.getvalue()


def _points(axes: Any, x: Sequence[float], shares: Sequence[Share]) -> None:
    y = [s.share for s in shares]
    below, above = [s.share - s.low for s in shares], [s.high - s.share for s in shares]
    axes.errorbar(x, y, yerr=[below, above], fmt="o", color="#1f5a8a", capsize=3)
    for place, share in zip(x, shares, strict=True):
        axes.annotate(f"n = {share.n}", (place, share.share), xytext=(5, 5), textcoords="offset points", fontsize=7)
