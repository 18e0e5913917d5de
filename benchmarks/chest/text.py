"""Chest patients in words: ``python -m benchmarks.chest.text PATH… --home DIR [--fit | --calibrate] [--json]``.

PATH is a family of sources, a JSON lines file or a folder of them (`fusion.training.text_cases`). Without --fit:
what the shipped settings and probabilities do on each source, and what takes part in that: each row of "without" leaves
one part out, or exchanges what is known of the diseases among them, and says by how much the share of patients whose
disease is first and among the first ten changes, with the 95 % interval of a paired bootstrap (2,000 resamples).
With --fit: the settings fitted on all sources, and how each source fares when they are fitted on the others alone; the
difference of the two is what was fitted to the cases and not to the matter. With --calibrate: the probabilities alone,
under the shipped settings, and how they fare on each source when they are fitted on the others. The numbers go into
`kg.weight_of_evidence.Settings` and the reasoner's card by hand.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from fusion import checkpoint
from fusion.intake import Intake
from fusion.prior import OUTSIDE_THE_LAYER, bedside, chest_prior
from fusion.training import words_fit
from fusion.training.text_cases import TextCase, text_cases
from fusion.workup import WorkupRoom
from kg.graph import KnowledgeGraph
from kg.weight_of_evidence import Settings, WeightOfEvidence
from ontologies.linking.linker import Linker
from vision.detector import Detector

# Features, as places in `kg.weight_of_evidence.FEATURES`.
LEFT_OUT = {"findings": (0, 1), "absent findings": (1,), "prior": (2,), "age and sex": (3,), "words": (4,)}
NAMED = "patients in words of several sources, with and without chest disease"


class Bench:
    """The cases, read once, and what is needed to weigh them."""

    def __init__(self, home: Path, paths: Sequence[Path]) -> None:
        self.graph = KnowledgeGraph.open(home / "graph")
        self.evidence, self.persons = bedside(self.graph)
        self.disease = self.evidence.annotations.disease
        self.prior = chest_prior(self.graph)
        group = -15.0  # log prior of a row that only gathers others
        layer = [n for n, value in self.prior.by_node.items() if value > group]
        self.rows = np.flatnonzero(np.isin(self.disease, layer))
        intake = Intake(self.graph, Linker.open(home / "linker"), Detector.open(), self.evidence.words)
        self.cases = list(text_cases(paths, intake, self.graph, self.disease))
        self.sources = list(dict.fromkeys(c.source for c in self.cases))

    def weigh(self, settings: Settings) -> WeightOfEvidence:
        rest = math.log(OUTSIDE_THE_LAYER)
        return WeightOfEvidence(self.graph, prior=self.prior.by_node, default_prior=rest, settings=settings)

    def room(self, settings: Settings) -> WorkupRoom:
        return WorkupRoom(self.graph, self.weigh(settings), self.persons)

    def of(self, source: str) -> list[TextCase]:
        return [c for c in self.cases if c.source == source]

    def fitted(self) -> dict[str, Any]:
        """The settings by all sources, and each source under those of the others."""
        under = words_fit.fit_settings(self.cases, self.weigh, self.persons, self.rows)
        chosen, _ = words_fit.best_settings(under)
        calibration = words_fit.fit_calibration(list(words_fit.listed(self.cases, self.room(chosen))), NAMED)
        rows = {}
        for source in self.sources:
            settings, _ = words_fit.best_settings(under, without=source)
            left = list(words_fit.listed(self.cases, self.room(settings)))
            own = [c for c in left if c.source == source]
            unseen = words_fit.fit_calibration([c for c in left if c.source != source], NAMED)
            seen = self.figures(source, chosen) | words_fit.believed(self._listed(source, chosen), calibration)
            rows[source] = {
                "left out": self.figures(source, settings) | words_fit.believed(own, unseen),
                "taking part": seen,
            }
        return {"settings": asdict(chosen), "calibration": asdict(calibration), "sources": rows}

    def calibrated(self) -> dict[str, Any]:
        """The probabilities by all sources under the shipped settings, and each source by those of the others."""
        listed = list(words_fit.listed(self.cases, self.room(Settings())))
        return {
            "calibration": asdict(words_fit.fit_calibration(listed, NAMED)),
            "left out": words_fit.crossed(listed),
        }

    def _listed(self, source: str, settings: Settings) -> list[words_fit.Listed]:
        return list(words_fit.listed(self.of(source), self.room(settings)))

    def figures(self, source: str, settings: Settings) -> dict[str, float]:
        """Ranks of the cases of which the graph has a right answer, among all annotated diseases."""
        told = self.told(source, settings)
        return {"nameable": len(told)} | words_fit.top(words_fit.ranks(told, settings.weights))

    def shipped(self) -> dict[str, Any]:
        """The shipped settings and probabilities on each source, and without one part each."""
        settings = Settings()
        calibration = checkpoint.load().calibration["chest"].words
        full = {
            s: self.figures(s, settings) | words_fit.believed(self._listed(s, settings), calibration)
            for s in self.sources
        }
        whole = {s: self.told(s, settings) for s in self.sources}
        changed = {
            "what is said again taken back": replace(settings, shared=0.0),
            "likeness to portraits": replace(settings, likeness=0.0),
        }
        exchanged = np.arange(len(self.disease))
        exchanged[self.rows] = np.random.default_rng(0).permutation(self.rows)
        parts: dict[str, dict[str, Any]] = {}
        for source, told in whole.items():
            if not told:
                continue
            before = words_fit.ranks(told, settings.weights)
            after = {name: self.weighed(told, gone) for name, gone in LEFT_OUT.items()}
            after |= {n: words_fit.ranks(self.told(source, o), settings.weights) for n, o in changed.items()}
            mixed = [replace(t, features=_exchanged(t.features, exchanged)) for t in told]
            after["what is known of which disease (exchanged)"] = words_fit.ranks(mixed, settings.weights)
            for name, ranks in after.items():
                parts.setdefault(name, {})[source] = difference(before, ranks)
        return {"settings": asdict(settings), "sources": full, "without": parts}

    def told(self, source: str, settings: Settings) -> list[words_fit.Told]:
        """The patients of a source whose disease the graph has, weighed among all annotated diseases."""
        return words_fit.told(self.of(source), self.weigh(settings), self.persons, np.arange(len(self.disease)))

    def weighed(self, told: Sequence[words_fit.Told], gone: Sequence[int]) -> list[int]:
        weights = Settings().weights
        return words_fit.ranks(told, [0.0 if i in gone else w for i, w in enumerate(weights)])


def _exchanged(features: np.ndarray, order: np.ndarray) -> np.ndarray:
    """What findings and words weigh for one disease given to another; prior and person stay."""
    out = features.copy()
    out[:, [0, 1, 4]] = features[order][:, [0, 1, 4]]
    return out


def difference(before: Sequence[int], after: Sequence[int]) -> dict[str, Any]:
    """ "top1" and "top10": [after - before, low, high]."""
    drawn = np.random.default_rng(0).integers(0, len(before), (2000, len(before)))
    out: dict[str, Any] = {"n": len(before)}
    for k in (1, 10):
        change: np.ndarray = (np.array(after) <= k).astype(float) - (np.array(before) <= k)
        ends = np.percentile(change[drawn].mean(1), [2.5, 97.5])
        out[f"top{k}"] = [round(float(x), 3) for x in (change.mean(), *ends)]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--home", type=Path, required=True)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--fit", action="store_true")
    how.add_argument("--calibrate", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(arguments.home, arguments.paths)
    found = bench.calibrated() if arguments.calibrate else bench.fitted() if arguments.fit else bench.shipped()
    if arguments.json:
        print(json.dumps(found | {"machine": stamp()}, indent=1))
        return
    print(stamp())
    for name, row in found.items():
        if not isinstance(row, dict) or name in ("settings", "calibration"):
            print(f"{name}: {row}")
            continue
        for key, value in row.items():
            print(f"{name} {key}: {value}")


if __name__ == "__main__":
    main()
