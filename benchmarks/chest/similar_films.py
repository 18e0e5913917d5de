"""How alike the films found are: ``python -m benchmarks.chest.similar_films --data ../shared/data --home HOME``.

Every film of NIH ChestX-ray14 that the detector was fitted on asks, as the network sees and judges it that was not
fitted on its patient, the films of the other folds; the gain is the agreement of the labels (Jaccard; no label is a
label). Ranked by random order, an ImageNet stem that was never trained on radiographs, and three parts: the embedding's
cosine, the probable findings (`concept_index.Likely`), and the films read alike (`fusion.collecting.alike`), fitted on
the other half of the patients. Weights, bandwidth and ridge are chosen on that half, too (five folds of its patients),
so that a patient has no part in what he is judged by, and every film is reported once. The 95 % intervals are of a
paired bootstrap over patients (2,000 resamples).

The embeddings are computed once and kept under HOME/readings (1,596 films, 6 minutes of a core).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.chest.similar import agreement, measured
from benchmarks.machine import stamp
from fusion.collecting.alike import Alike, training_films
from fusion.prior import NORMAL
from home import open_graph
from retrieval import cases
from retrieval.concept_index import PATTERNS_SHARE, Likely
from retrieval.hybrid import WEIGHTS, above_least, unit
from retrieval.rank_fusion import scaled
from vision import training_cases
from vision.datasets.folder import read
from vision.detector import Detector
from vision.finding import LABEL_CURIES, LABELS, NO_FINDING

SEED, RESAMPLES, FOLDS = 20261128, 2000, 5
Shape = tuple[float, float]  # bandwidth, ridge
Mix = tuple[float, float]  # weight of the image, share of the films alike in the rest
SHAPES: tuple[Shape, ...] = ((0.5, 0.3), (0.5, 1.0), (1.0, 0.3), (1.0, 1.0))
MIXES: tuple[Mix, ...] = tuple(product((0.0, 0.2, 0.4), (0.3, 0.5, 0.7)))
TODAY: Mix = (WEIGHTS["image"] / (WEIGHTS["image"] + WEIGHTS["concepts"]), PATTERNS_SHARE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Films:
    """``patients`` (n,) str, ``folds`` (n,); ``shown``: what each film shows, as a row of ``gains`` (S, S), the
    agreement of two such sets; ``seen`` float32 (n, 5, D), the unit embedding of each by each network, and ``stem``
    (n, F') by the ImageNet stem; ``readings`` (n, F); ``probable`` (n, S), the simGIC of what each probably shows with
    each set."""

    patients: np.ndarray
    folds: np.ndarray
    shown: np.ndarray
    patterns: list[frozenset[str]]
    gains: np.ndarray
    seen: np.ndarray
    stem: np.ndarray
    readings: np.ndarray
    probable: np.ndarray

    def half(self, which: int) -> np.ndarray:
        """The films of one half of the patients."""
        return np.array([i for i, p in enumerate(self.patients) if _drawn("half", p) % 2 == which])

    def alike(self, fitted_on: np.ndarray, of: np.ndarray, shape: Shape) -> np.ndarray:
        """(of, S): by films alike among those ``fitted_on``, the agreement to expect with each set."""
        model = Alike.fit(
            self.readings[fitted_on], [self.patterns[i] for i in fitted_on], bandwidth=shape[0], ridge=shape[1]
        )
        names = sorted(set(self.patterns), key=sorted)
        rows = [names.index(pattern) for pattern in model.patterns]
        return np.asarray(model.probabilities(self.readings[of]) @ self.gains[rows])

    def alike_inside(self, rows: np.ndarray, shape: Shape) -> np.ndarray:
        """The same of the films ``rows`` by one another, those of a fifth of the patients by the rest."""
        part = np.array([_drawn("part", self.patients[i]) % FOLDS for i in rows])
        found = np.zeros((len(rows), len(self.gains)))
        for fold in range(FOLDS):
            found[part == fold] = self.alike(rows[part != fold], rows[part == fold], shape)
        return found

    def judged(self, films: np.ndarray, score: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """(films, 2): nDCG@10 and precision@5 of ``score(place, others)``."""
        rows = []
        for place, film in enumerate(films.tolist()):
            others = np.flatnonzero(self.folds != self.folds[film])
            gains = self.gains[self.shown[film], self.shown[others]]
            rows.append(measured(score(place, others), gains))
        return np.array(rows)

    def image(self, film: int, others: np.ndarray) -> np.ndarray:
        """The cosines of a film with others, by the network that was not fitted on its patient."""
        fold = self.folds[film]
        return np.asarray(self.seen[others, fold] @ self.seen[film, fold])

    def mixed(self, films: np.ndarray, alike: np.ndarray, mix: Mix) -> Callable[[int, np.ndarray], np.ndarray]:
        """All parts in one score, as `retrieval.hybrid` and `ConceptIndex.scores` have them."""
        weight, share = mix

        def score(place: int, others: np.ndarray) -> np.ndarray:
            film, shown = int(films[place]), self.shown[others]
            concepts = share * alike[place][shown] + (1 - share) * self.probable[film][shown]
            found = (1 - weight) * scaled(concepts)
            return found + weight * scaled(above_least(self.image(film, others))) if weight else found

        return score


def _drawn(salt: str, patient: str) -> int:
    return int(sha256(f"{salt} {patient}".encode()).hexdigest(), 16)


def read_films(home: Path, data: Path) -> Films:
    """The films in the order of the shipped cases, which is that of the sha256 of their files' names."""
    known, detector, graph = training_cases.read(), Detector.open(), open_graph(home)
    records = [record for name in ("nih_cxr", "nih_cxr_64px") for record in read(data / name)]
    records.sort(key=lambda record: sha256(record.image.encode()).hexdigest())
    if len(records) != len(known.rows):
        raise SystemExit(f"{len(records)} images in {data}, but the detector was trained on {len(known.rows)}")
    said, patterns = training_films()
    names = sorted(set(patterns), key=sorted)
    index = cases.Cases.open(home).images
    assert index is not None
    row_of = {name: row for row, name in enumerate(index.lexical.ids)}
    shown = np.array([names.index(pattern) for pattern in patterns])
    example = [row_of[known.rows[int(np.flatnonzero(shown == i)[0])].case_id] for i in range(len(names))]
    curies, normal = [graph.resolve(LABEL_CURIES[label]) for label in LABELS], graph.resolve(NORMAL)
    probable = []
    for row, logits in zip(known.rows, known.logits, strict=True):
        p = detector.probabilities(logits, row.low_resolution)[: len(LABELS)]
        likely = Likely(probability=dict(zip(curies, p.tolist(), strict=True)), otherwise=(normal,))
        probable.append(index.concepts.scores(likely)[example])
    labelled = [pattern or frozenset([NO_FINDING]) for pattern in names]
    return Films(
        patients=np.array([record.patient_id for record in records]),
        folds=np.array([row.fold for row in known.rows]),
        shown=shown,
        patterns=patterns,
        gains=np.stack([agreement(own, labelled) for own in labelled]),
        seen=_seen(home, detector, [record.path for record in records]),
        stem=_stem(home, [record.path for record in records]),
        readings=said,
        probable=np.stack(probable),
    )


def _seen(home: Path, detector: Detector, paths: Sequence[Path]) -> np.ndarray:
    """float32 (n, networks, D): the unit embedding of each film by each network, computed once and kept."""
    import torch

    from vision.image import load_image

    kept = home / "readings" / f"networks-{detector.fingerprint}.npy"
    if not kept.is_file():
        found = []
        with torch.inference_mode():
            for path in paths:
                x = torch.from_numpy(detector.prepare(load_image(path)))[None, None]
                found.append(np.stack([member(x).embedding[0].numpy() for member in detector.members]))
        beside = kept.with_suffix(".part.npy")
        np.save(beside, np.stack(found))
        beside.replace(kept)
    vectors = np.asarray(np.load(kept, allow_pickle=False), dtype=np.float32)
    return unit(vectors.reshape(-1, vectors.shape[-1])).reshape(vectors.shape)


def _stem(home: Path, paths: Sequence[Path]) -> np.ndarray:
    """float32 (n, F'): what the ImageNet stem says of each film, each feature scaled, unit length; computed once."""
    import torch

    from vision.image import load_image
    from vision.intensity import resize, standardise
    from vision.probe import imagenet_stem, pooled

    kept = home / "readings" / "stem.npy"
    if not kept.is_file():
        stem, found = imagenet_stem(), []
        with torch.inference_mode():
            for path in paths:
                x = standardise(resize(load_image(path).upright, 320))
                found.append(pooled(stem(torch.from_numpy(x)[None, None]))[0])
        vectors = np.stack(found)
        # else the largest features decide alone
        np.save(kept, unit((vectors - vectors.mean(0)) / (vectors.std(0) + 1e-6)))
    return np.asarray(np.load(kept, allow_pickle=False))


def crossed(films: Films) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Each way of ranking → (n, 2) over all films, each half by what the other chose; and what that was. "before" is
    without films alike, "today" by the weights of the product, "all" by those chosen."""
    n = len(films.patients)
    names = ("random", "ImageNet stem", "image", "findings", "films alike", "before", "today", "all")
    found = {name: np.zeros((n, 2)) for name in names}
    random, chosen = np.random.default_rng(SEED), []
    for which in (0, 1):
        tune, test = films.half(1 - which), films.half(which)
        best: tuple[float, Shape, Mix] = (-1.0, SHAPES[0], MIXES[0])
        for shape in SHAPES:
            inside = films.alike_inside(tune, shape)
            for mix in MIXES:
                value = float(films.judged(tune, films.mixed(tune, inside, mix))[:, 0].mean())
                best = max(best, (value, shape, mix))
        _, shape, mix = best
        alike = films.alike(tune, test, shape)
        found["random"][test] = films.judged(test, lambda _, others: random.random(len(others)))
        found["ImageNet stem"][test] = films.judged(test, lambda i, o, rows=test: films.stem[o] @ films.stem[rows[i]])  # type: ignore[misc]
        found["image"][test] = films.judged(test, lambda i, o, rows=test: films.image(int(rows[i]), o))  # type: ignore[misc]
        found["findings"][test] = films.judged(test, films.mixed(test, alike, (0.0, 0.0)))
        found["films alike"][test] = films.judged(test, films.mixed(test, alike, (0.0, 1.0)))
        found["before"][test] = films.judged(test, films.mixed(test, alike, (TODAY[0], 0.0)))
        found["today"][test] = films.judged(test, films.mixed(test, alike, TODAY))
        found["all"][test] = films.judged(test, films.mixed(test, alike, mix))
        chosen.append({"bandwidth, ridge": shape, "image, films alike": mix, "films": len(test)})
    return found, chosen


def interval(gain: np.ndarray, patients: np.ndarray) -> list[float]:
    """[mean, 2.5th, 97.5th percentile] of a gain over films, patients drawn."""
    names, of = np.unique(patients, return_inverse=True)
    total, films = np.bincount(of, weights=gain), np.bincount(of)
    drawn = np.random.default_rng(SEED).integers(0, len(names), (RESAMPLES, len(names)))
    means = total[drawn].sum(1) / films[drawn].sum(1)
    return [round(float(x), 4) for x in (gain.mean(), *np.percentile(means, (2.5, 97.5)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    films = read_films(given.home, given.data)
    found, chosen = crossed(films)
    rows = {}
    for name, values in found.items():
        gains = {}
        for over in ("today", "all"):
            for at, measure in enumerate(("nDCG@10", "precision@5")):
                gains[f"{over} over it, {measure}"] = interval((found[over] - values)[:, at], films.patients)
        rows[name] = {"nDCG@10, precision@5": [round(float(m), 4) for m in values.mean(0)], **gains}
    said = {"films": len(films.patients), "patients": len(set(films.patients.tolist())), "weights of today": TODAY}
    print(json.dumps({"measured": stamp(), **said, "chosen for each half": chosen, "ranked by": rows}, indent=1))


if __name__ == "__main__":
    main()
