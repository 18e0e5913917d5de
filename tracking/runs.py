"""Run cards: what was run, on what, with which versions, how long it took, and what came out. One ``run.json`` a run.

A card is written when its run begins ("running") and again when it ends; one that says "running" and whose process
is gone is read as "killed". Data sets are named by hash and by the name of their folder, never by path.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from errors import InputError

CARD = "run.json"
LOCK = ".run.lock"
_PATIENCE = 2.0  # seconds; a reader holds the lock for an instant
_DEPTH = 3
_SOFTWARE = ("torch", "numpy", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A card. ``state``: "running", "finished", "refused" or "tried" (its result was not kept), "failed", or "killed"
    (it ended without a word); ``started``: ISO 8601, UTC, to the microsecond, so that runs of one second keep their
    order; ``data``: name → hash; ``metrics``: name → number; ``config``: what decided it; ``versions``: software and
    models."""

    id: str
    kind: str
    state: str
    started: str
    seconds: float = 0.0
    command: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


class Card:
    """The card of a run in ``folder`` while it runs: ``with Card(...) as card: card.metrics |= …``. What it says is
    written at the start and at the end; an exception makes it "failed" and is raised on. A lock beside the card is held
    as long as the process lives, by which a reader knows a killed run from one that runs."""

    def __init__(self, folder: Path, kind: str, *, command: str = "", config: Mapping[str, Any] | None = None) -> None:
        self.folder, self.metrics, self.data, self.note, self.state = (
            folder,
            dict[str, float](),
            dict[str, str](),
            "",
            "",
        )
        self.versions = software()
        self._clock = time.monotonic()
        before = _read(folder / CARD) if (folder / CARD).is_file() else None
        now = datetime.now(UTC)
        self._run = Run(
            id=before.id if before else f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            kind=kind,
            state="running",
            started=before.started if before else now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            command=command,
            config=json.loads(json.dumps(dict(config or {}), default=str)),
        )
        self._earlier = before.seconds if before else 0.0
        self._lock = FileLock(folder / LOCK)

    def __enter__(self) -> Card:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=_PATIENCE)
        except Timeout as error:
            raise InputError(
                "another run is at work in this folder",
                value=self.folder, expected="a folder of its own, or that it ends",
                run=f"whydx runs list --in {self.folder.parent}",
            ) from error  # fmt: skip
        self._write("running")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and not self.note:
            self.note = " ".join(str(error).split())[:300]
        self._write(self.state or ("finished" if error is None else "failed"))
        self._lock.release()
        (self.folder / LOCK).unlink(missing_ok=True)

    def _write(self, state: str) -> None:
        run = replace(
            self._run,
            state=state,
            seconds=round(self._earlier + time.monotonic() - self._clock, 1),
            data=self.data,
            versions=self.versions,
            metrics={name: float(f"{value:.6g}") for name, value in self.metrics.items()},
            note=self.note,
        )
        beside = self.folder / f".{CARD}.part"
        beside.write_text(json.dumps(asdict(run), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(beside, self.folder / CARD)


def new_folder(home: Path, kind: str) -> Path:
    """Where the card of a run that has no folder of its own goes: ``home``/runs/TIME-KIND."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind.replace(' ', '-')}"
    folder = home / "runs" / name
    while folder.exists():
        folder = home / "runs" / f"{name}-{secrets.token_hex(2)}"
    return folder


def numbers(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers in nested mappings: "words.top1" → .71; anything else is left out."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = float(value)
    return found


def software() -> dict[str, str]:
    """Versions of what results depend on."""
    from importlib.metadata import version

    found = {name: str(sys.modules[name].__version__) for name in _SOFTWARE if name in sys.modules}
    return found | {"whydx": version("whydx"), "python": sys.version.split()[0]}


def read(folders: Sequence[Path]) -> list[tuple[Path, Run]]:
    """(folder, card) of every run in these folders and up to three levels below, by start; [] for none. Raises
    InputError for a card that is damaged."""
    found: dict[Path, Run] = {}
    for folder in folders:
        for depth in range(_DEPTH + 1):
            for path in folder.glob("/".join(["*"] * depth + [CARD])):
                found[path.parent.resolve()] = _alive(path.parent, _read(path))
    return sorted(found.items(), key=lambda pair: (pair[1].started, pair[1].id))


def chosen(runs: Sequence[tuple[Path, Run]], name: str) -> tuple[Path, Run]:
    """The run whose id, or whose folder's name, begins so. Raises InputError when none does, or several."""
    fits = [(f, r) for f, r in runs if r.id.startswith(name) or f.name.startswith(name)]
    if len(fits) != 1:
        some = ", ".join(r.id for _, r in (fits or runs)[-5:]) or "no run at all"
        expected = f"the beginning of one id: {some}"
        raise InputError("no such run" if not fits else "several runs begin so", value=name, expected=expected)
    return fits[0]


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """What is not the same in all of these runs: "config.rate", "metrics.loss", … → its value in each, None where it
    has none."""
    flat = [_flat(run) for run in runs]
    names = list(dict.fromkeys(name for one in flat for name in one))
    values = {name: [one.get(name) for one in flat] for name in names}
    return {name: own for name, own in values.items() if any(v != own[0] for v in own)}


def _flat(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": run.kind, "state": run.state, "seconds": run.seconds}
    for part in ("config", "data", "versions", "metrics"):
        row |= {f"{part}.{name}": value for name, value in sorted(getattr(run, part).items())}
    return row


def _alive(folder: Path, run: Run) -> Run:
    """The run; one that says "running" and whose process holds no lock is "killed"."""
    if run.state != "running":
        return run
    try:
        with FileLock(folder / LOCK, timeout=0):
            return replace(run, state="killed")
    except (Timeout, OSError):  # it lives; or the folder is not ours to write into, and nothing can be said
        return run


def _read(path: Path) -> Run:
    try:
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError("a run's card is damaged", value=path, expected="run.json as whydx writes it") from error
