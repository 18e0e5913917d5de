"""What reviewers decide of extracted edges: a log to which lines are added, and what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from errors import ArtifactError, InputError
from extraction.layer import Edge, Layer
from kg import overlay
from records.lines import append, canonical, locked

Verdict = Literal["accept", "reject", "edit", "undo"]
# What an edit may change.
EDITABLE = ("object", "object_name", "frequency", "earlier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A line of the log. ``edge`` is an id, ``pair`` its subject, predicate and object, so that a decision can be read
    without the layer; ``changes`` are those of an edit (EDITABLE); ``papers`` and ``model`` are what it rested on. An
    "undo" takes back the last decision before it that is not taken back yet."""

    verdict: Verdict
    edge: str
    pair: tuple[str, str, str]
    day: str
    by: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    papers: tuple[str, ...] = ()
    model: str = ""

    def row(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("verdict", "edge", "day", "by", "model")}
        return own | {"pair": list(self.pair), "changes": dict(self.changes), "papers": list(self.papers)}


class Review:
    """The log of a home. ``standing``: edge id → the decision that holds."""

    def __init__(self, home: Path) -> None:
        self.home, self.path = home, overlay.folder(home) / "review.jsonl"
        self.log: list[Decision] = list(self._read())

    def _read(self) -> Iterator[Decision]:
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, 1):
            if not line.endswith("}"):
                continue  # empty, or cut short by a kill before anybody was told that it was kept
            try:
                row = json.loads(line)
                row["pair"], row["papers"] = tuple(row["pair"]), tuple(row["papers"])
                yield Decision(**row)
            except (ValueError, KeyError, TypeError) as error:
                where = f"{self.path.name}, line {number}: no decision"
                raise ArtifactError(where, value=self.path, expected="a line of JSON as it was written") from error

    @property
    def held(self) -> list[Decision]:
        """The decisions that are not taken back, in order."""
        held: list[Decision] = []
        for decision in self.log:
            if decision.verdict != "undo":
                held.append(decision)
            elif held:
                held.pop()
        return held

    @property
    def standing(self) -> dict[str, Decision]:
        return {decision.edge: decision for decision in self.held}

    def decide(self, edge: Edge, verdict: Verdict, *, by: str = "", changes: Mapping[str, Any] | None = None) -> Edge:
        """Add a decision and return the edge as it then is. Raises InputError when a contradicting edge is accepted, or
        an edit changes nothing."""
        given = dict(changes or {})
        if verdict in ("accept", "edit") and edge.standing == "contradicts":
            raise InputError(
                f"the edge contradicts the curated layer ({edge.against}) and is not merged",
                value=f"{edge.subject_name} {edge.predicate} {edge.object_name}",
                expected="the curated row to be changed first, or --reject",
            )
        if verdict == "edit" and (not given or not given.keys() <= set(EDITABLE)):
            raise InputError(
                "an edit that changes nothing", value=edge.id, expected="--frequency, --finding or --earlier"
            )
        self._add(
            Decision(
                verdict=verdict,
                edge=edge.id,
                pair=(edge.subject, edge.predicate, edge.object),
                day=_today(),
                by=by,
                changes=given,
                papers=edge.references,
                model=edge.model,
            )
        )
        return edited(edge, given)

    def undo(self, *, by: str = "") -> Decision:
        """Take back the last decision and return it. Raises InputError when there is none."""
        if not (held := self.held):
            raise InputError("nothing to undo", expected="a decision before")
        last = held[-1]
        self._add(replace(last, verdict="undo", day=_today(), by=by, changes={}))
        return last

    def _add(self, decision: Decision) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            append(self.path, canonical(decision.row()) + "\n")
        self.log.append(decision)


def edited(edge: Edge, changes: Mapping[str, Any]) -> Edge:
    """The edge with the changes of an edit; a frequency becomes one of a hundred patients."""
    own: dict[str, Any] = {name: value for name, value in changes.items() if name != "frequency"}
    if "frequency" in changes:
        own |= {"shown": round(float(changes["frequency"]) * 100), "examined": 100}
    return replace(edge, **own)


def accepted(layer: Layer, review: Review) -> list[tuple[Edge, Decision]]:
    """The accepted and edited edges that the layer still holds, as edited, with their decisions, in the layer's
    order. One whose papers are all gone, or that contradicts what was curated since, is not among them."""
    standing = review.standing
    return [
        (edited(edge, standing[edge.id].changes), standing[edge.id])
        for edge in layer.edges
        if edge.id in standing and standing[edge.id].verdict in ("accept", "edit") and edge.standing != "contradicts"
    ]


def orphaned(layer: Layer, review: Review) -> list[Decision]:
    """Accepted edges that the layer no longer holds: their papers are gone, or were not read again."""
    return [d for d in review.standing.values() if d.verdict in ("accept", "edit") and d.edge not in layer.by_id]


def waiting(layer: Layer, review: Review, kind: str | None = None, standing: Sequence[str] = ()) -> list[Edge]:
    """The edges on which nobody has decided, without those known already, in the layer's order."""
    decided = review.standing
    wanted = standing or ("new", "narrower", "contradicts")
    return [e for e in layer.edges if e.id not in decided and e.standing in wanted and (kind is None or e.kind == kind)]


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")
