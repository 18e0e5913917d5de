"""A cohort at a glance: how many, how old, of which sex, with which findings, when, and how these fall into groups."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.text import Text

from errors import InputError
from reports.table import grid, heading, percent
from retrieval.document import Document
from retrieval.where import FINDINGS_SEPARATOR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES: tuple[Literal["png"], Literal["svg"]] = ("png", "svg")
NOT_STATED = "not stated"
_MOST_FINDINGS, _MOST_GROUPS, _BAR = 20, 100, 24
_DECADE = 10
_MOST_TIMES, _MOST_TICKS = 60, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """``patients`` is None where no case says whose it is. ``ages`` counts by decade of life ("60-69"), ``sexes`` by
    F, M and "not stated", ``findings`` by name (a case has any number of them; the commonest first), ``dates`` by year,
    or by month when all are of two years, those without a case between them, too. ``groups`` are rows of the columns
    asked for, with "cases" and "share" of all; a case with several findings is in several groups."""

    cases: int
    patients: int | None
    median_age: float | None
    ages: Mapping[str, int]
    sexes: Mapping[str, int]
    findings: Mapping[str, int]
    dates: Mapping[str, int]
    by: tuple[str, ...] = ()
    groups: Sequence[Mapping[str, str | int | float]] = ()


def summarise(cases: Iterable[Document], by: Sequence[str] = (), known: Iterable[str] = ()) -> Summary:
    """The summary of cases; of none, one of zeros. ``by`` are columns to group by: "finding", "age" (by decade), or any
    field; ``known`` names the fields that there are. Raises InputError for a column that no case has."""
    cases = list(cases)
    fields = {name for case in cases for name in case.metadata} | {"age", "sex", "finding", *known}
    for name in by:
        if name not in fields:
            raise InputError("no column to group by", value=name, expected=", ".join(sorted(fields - {"findings"})))
    years = sorted(age for case in cases if (age := _age(case)) is not None)
    patients = {case.metadata["patient"] for case in cases if "patient" in case.metadata}
    dates = [case.metadata["date"] for case in cases if case.metadata.get("date")]
    letters = 7 if len({date[:4] for date in dates}) <= 2 else 4
    found = Counter(name for case in cases for name in _findings(case))
    groups = Counter(group for case in cases for group in _groups(case, by)) if by else Counter()
    return Summary(
        cases=len(cases),
        patients=len(patients) if patients else None,
        median_age=(years[(len(years) - 1) // 2] + years[len(years) // 2]) / 2 if years else None,
        ages={_decade(tens): sum(age // _DECADE == tens for age in years) for tens in _all(years)},
        sexes=dict(sorted(Counter(case.metadata.get("sex", NOT_STATED) for case in cases).items())),
        findings=dict(_ordered(found)),
        dates=_without_gaps(Counter(date[:letters] for date in dates)),
        by=tuple(by),
        groups=[
            dict(zip(by, group, strict=True)) | {"cases": count, "share": count / len(cases)}
            for group, count in _ordered(groups)
        ],
    )


def draw(summary: Summary, console: Console) -> None:
    """The summary as tables with bars."""
    patients = "" if summary.patients is None else f" of {summary.patients:,} patients"
    age = "" if summary.median_age is None else f", median age {summary.median_age:g}"
    console.print(Text.assemble((f"{summary.cases:,}", "bold"), f" cases{patients}{age}"))
    _bars("Age", summary.ages, summary.cases, console, _stated(summary.ages, summary.cases))
    _bars("Sex", summary.sexes, summary.cases, console)
    few = dict(list(summary.findings.items())[:_MOST_FINDINGS])
    _bars("Findings", few, summary.cases, console)
    if len(few) < len(summary.findings):
        console.print(Text(f"and {len(summary.findings) - len(few):,} more; all of them: --format json", style="dim"))
    _bars("Time", summary.dates, summary.cases, console, _stated(summary.dates, summary.cases))
    if summary.by:
        heading(f"By {', '.join(summary.by)}", console, "" if summary.groups else "none")
        table = grid(*((name, "wrap") for name in summary.by), ("cases", "right"), ("of all", "right"))
        for row in summary.groups[:_MOST_GROUPS]:
            table.add_row(*(Text(str(row[n])) for n in summary.by), f"{row['cases']:,}", percent(float(row["share"])))
        console.print(table)
        if len(summary.groups) > _MOST_GROUPS:
            console.print(Text(f"and {len(summary.groups) - _MOST_GROUPS:,} more: --format json", style="dim"))


def plot(summary: Summary, layout: Literal["png", "svg"]) -> bytes:
    """The summary as a picture of up to four panels: age, sex, findings, time; deterministic."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    figure.suptitle(f"{summary.cases:,} cases")
    panels = figure.subplots(2, 2)
    _columns(panels[0, 0], f"Age in years{_stated(summary.ages, summary.cases, ', ')}", summary.ages)
    _columns(panels[0, 1], "Sex", summary.sexes)
    _rows(panels[1, 0], "Findings", dict(list(summary.findings.items())[:_MOST_FINDINGS]))
    _columns(panels[1, 1], f"Time{_stated(summary.dates, summary.cases, ', ')}", summary.dates)
    data = BytesIO()
    origin = {"Date": None, "Creator": None} if layout == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "whydx"}):
        figure.savefig(data, format=layout, dpi=120, metadata=origin)
    return data.getvalue()


def _age(case: Document) -> float | None:
    try:
        age = float(case.metadata.get("age", ""))
    except ValueError:
        return None
    return age if math.isfinite(age) else None


def _decade(tens: int) -> str:
    return f"{tens * _DECADE}-{tens * _DECADE + _DECADE - 1}"


def _all(years: Sequence[float]) -> range:
    """The decades from the youngest to the oldest, those without a case, too."""
    return range(int(years[0] // _DECADE), int(years[-1] // _DECADE) + 1) if years else range(0)


def _without_gaps(counts: Counter[str]) -> dict[str, int]:
    """The years, or months, in order from the first to the last; only those that there are, where these are too many to
    look at, or are no dates."""
    places = [_place(name) for name in counts]
    known = [place for place in places if place is not None]
    if len(known) < len(places) or not known or max(known) - min(known) >= _MOST_TIMES:
        return dict(sorted(counts.items()))
    monthly = len(next(iter(counts))) > 4
    every = range(min(known), max(known) + 1)
    names = (f"{n // 12:04d}-{n % 12 + 1:02d}" if monthly else f"{n:04d}" for n in every)
    return {name: counts[name] for name in names}


def _place(name: str) -> int | None:
    """Which year, or which month ("2025-03") since the year 0; None for what is no such thing."""
    if not re.fullmatch(r"[0-9]{4}(-(0[1-9]|1[0-2]))?", name):
        return None
    return int(name) if len(name) == 4 else 12 * int(name[:4]) + int(name[5:]) - 1


def _stated(counts: Mapping[str, int], cases: int, before: str = "") -> str:
    """How many of the cases say it, "" when all do, or none."""
    known = sum(counts.values())
    return f"{before}stated by {known:,} of {cases:,}" if 0 < known < cases else ""


def _findings(case: Document) -> list[str]:
    return [name for name in case.metadata.get("findings", "").split(FINDINGS_SEPARATOR) if name]


def _groups(case: Document, by: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """The groups a case is in: one, or one for each of its findings."""
    groups: list[tuple[str, ...]] = [()]
    for name in by:
        values = [case.metadata.get(name, NOT_STATED)]
        if name == "finding":
            values = _findings(case) or ["none"]
        elif name == "age":
            age = _age(case)
            values = [NOT_STATED if age is None else _decade(int(age // _DECADE))]
        groups = [(*group, value) for group in groups for value in values]
    return groups


def _ordered(counts: Counter[Any]) -> list[tuple[Any, int]]:
    """The commonest first, equals by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _bars(title: str, counts: Mapping[str, int], cases: int, console: Console, note: str = "") -> None:
    if not counts:
        return
    heading(title, console, note)
    table = grid(("", "wrap"), ("", "right"), ("", "right"), ("", "left"))
    most = max(counts.values()) or 1
    for name, count in counts.items():
        bar = "█" * max(round(_BAR * count / most), 1 if count else 0)
        table.add_row(Text(name), f"{count:,}", percent(count / cases), Text(bar, style="dim"))
    console.print(table)


def _columns(axes: Axes, title: str, counts: Mapping[str, int]) -> None:
    axes.bar(list(counts), list(counts.values()), color="#4a6fa5")
    axes.tick_params(axis="x", rotation=45 if len(counts) > 6 else 0)
    axes.set_xticks(range(0, len(counts), 1 + len(counts) // _MOST_TICKS))
    _labelled(axes, title, counts)


def _rows(axes: Axes, title: str, counts: Mapping[str, int]) -> None:
    axes.barh([name if len(name) <= 40 else f"{name[:39]}…" for name in counts], list(counts.values()), color="#4a6fa5")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    _labelled(axes, title, counts, lying=True)


def _labelled(axes: Axes, title: str, counts: Mapping[str, int], *, lying: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title)
    counted = axes.xaxis if lying else axes.yaxis
    counted.set_major_locator(MaxNLocator(integer=True))
    counted.set_label_text("cases")
    if not counts:
        axes.text(0.5, 0.5, NOT_STATED, ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
