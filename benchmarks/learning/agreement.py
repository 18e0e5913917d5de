"""When `whydx monitor` tells that clinicians agree less: ``python -m benchmarks.learning.agreement``.

Simulated verdicts, each by itself: accepted with one probability, and after a change with another. How many verdicts
after the change is the alarm raised, by how many came before it? And where nothing changes, how often at all within
2,000 and 10,000 verdicts? With 95 % intervals (Wilson) of the shares; `drift.watch`, which told it before, beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np

from benchmarks.machine import stamp
from extraction.statistics import wilson
from learning import agreement, drift
from learning.agreement import NAME
from learning.monitor import LIMIT, VERDICTS_OF_RATE

BEFORE = (50, 100, 200, 500)
CHANGES = ((0.85, 0.5), (0.85, 0.65), (0.7, 0.4))
UNCHANGED = (0.6, 0.85, 0.95)
AFTER = 150


def alarm(answers: Sequence[bool], limit: float, seed: int, old: bool) -> int | None:
    """The number of the verdict after the first 50 that raises it."""
    known, new = answers[: drift.LEAST_REFERENCE], answers[drift.LEAST_REFERENCE :]
    if old:
        rows = [[{NAME: int(yes)} for yes in part] for part in (known, new)]
        return drift.watch(rows[0], rows[1], limit=limit, seed=seed).alarm
    return agreement.watch(known, new, limit=limit, seed=seed).alarm


def share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count / n:.3f} ({low:.3f} to {high:.3f})"


def changed(start: float, end: float, before: int, limit: float, tries: int, *, old: bool = False) -> dict[str, object]:
    early, delays = 0, []
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        answers = [*(rng.random(before) < start), *(rng.random(AFTER) < end)]
        at = alarm([bool(yes) for yes in answers], limit, seed, old)
        own = None if at is None else at + drift.LEAST_REFERENCE - before
        if own is not None and own <= 0:
            early += 1
        else:
            delays.append(AFTER + 1 if own is None else own)
    return {
        "before the change": share(early, tries),
        "within 50": share(sum(d <= 50 for d in delays), len(delays)),
        "within 100": share(sum(d <= 100 for d in delays), len(delays)),
        "verdicts until the alarm, median": float(np.median(delays)) if np.median(delays) <= AFTER else None,
        "90 % within": float(np.percentile(delays, 90)) if np.percentile(delays, 90) <= AFTER else None,
    }


def unchanged(accepted: float, length: int, limit: float, tries: int) -> str:
    alarms = 0
    for seed in range(tries):
        answers = np.random.default_rng(seed).random(length + drift.LEAST_REFERENCE) < accepted
        alarms += alarm(answers.tolist(), limit, seed, old=False) is not None
    return share(alarms, tries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=400)
    parser.add_argument("--long", type=int, default=100, help="how many series of 10,000")
    given = parser.parse_args()
    limit = LIMIT / VERDICTS_OF_RATE
    for start, end in CHANGES:
        found = {before: changed(start, end, before, limit, given.tries) for before in BEFORE}
        print(json.dumps({f"accepted {start} → {end}, verdicts before": found}, indent=1), flush=True)
    old = changed(*CHANGES[0], 200, LIMIT, min(given.tries, 50), old=True)
    print(json.dumps({"as it was told before, 200 verdicts before": old}, indent=1), flush=True)
    for length, tries in ((2000, given.tries), (10_000, given.long)):
        rows = {accepted: unchanged(accepted, length, limit, tries) for accepted in UNCHANGED}
        print(json.dumps({f"false alarm within {length} verdicts, by the share accepted": rows}, indent=1), flush=True)
    print(stamp())


if __name__ == "__main__":
    main()
