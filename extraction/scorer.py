"""How likely a pair is a relation: a model of the counts, the cues, how alike the two names are, and what the sentences
mean.

Two steps, both logistic regressions with a ridge, both taught from a distance (Mintz et al., ACL 2009): a pair that the
curated layers have (HPO's annotations, the chest layer) is an example, any other pair that texts name together is a
counter-example, although some of them are true. So the probabilities are those of being curated, and too low as
probabilities of being true; they order the pairs. CONTROLS keep what is curated apart from what is said. A score is
that probability times two others: that the two do not come together by chance, and that what says so is more than the
coincidence of one patient or paper (`independent`).

A sentence is read with its two ends masked ("the disease", "the finding"), as the packaged encoder's vector, so that
the model learns how relations are written and not which diseases are curated. Every score is of a model that saw no
pair of the same disease (folds by disease).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from extraction.relation import ASSERTING, Counts, Evidence, Key, Pair
from extraction.statistics import chance, log_likelihood_ratio, positive_information

if TYPE_CHECKING:
    from retrieval.encoder import Encoder

# Each with the sign of its weight: more of it speaks for a pair (1), against it (-1), or either way (0). Without signs
# the model uses the many true pairs among its counter-examples to turn good evidence round.
SIGNS = {
    "llr_sentence": 1,
    "llr_text": 1,
    "ppmi_sentence": 1,
    "ppmi_text": 1,
    "sentences": 1,
    "texts": 1,
    "shows": 1,
    "before": 1,
    "apart": -1,
    "hedged": -1,
    "denied": -1,
    "single": -1,
    "near": -1,
    "support": 1,
    "alike": 1,
    "meaning": 1,
    "information": 0,
    "disease_texts": 0,
    "annotated": 0,
}
FEATURES = tuple(SIGNS)
# What makes a pair likelier to be curated without making it truer: how general the finding is, how much is written
# about the disease, how much of it is curated. The model sees them, and all pairs are scored as if they were average.
CONTROLS = ("information", "disease_texts", "annotated")
FOLDS = 5
LEAST_KNOWN = 60  # curated pairs below which nothing is learnt
_WEIGHT = {"shows": 1.0, "treats": 1.0, "before": 0.6, "nothing": 0.3, "apart": 0.05, "excluded": -1.0}
# The odds that a text is a coincidence of its patients, of many and of one.
_COINCIDENCE, _OF_ONE = 0.4, 0.8
_READ = 3  # sentences of a pair whose meaning is looked at
_RIDGE = {"sentence": 3.0, "pair": 1.0}
_LONGEST = 64  # tokens
_AROUND = 160  # characters beside the two ends that the encoder reads
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Of each pair, in the order of ``keys``: ``score`` float64 in [0, 1], ``llr`` and ``ppmi`` by sentence, float64;
    ``method``: "learnt" or "co-occurrence" (too little is curated to learn from); ``card``: what was learnt, with how
    well it does on the diseases that it did not see."""

    keys: tuple[Key, ...]
    score: np.ndarray
    llr: np.ndarray
    ppmi: np.ndarray
    method: str
    card: Mapping[str, object]
    version: str


def score(
    counts: Counts,
    known: Mapping[Key, bool],
    information: Mapping[str, float],
    annotated: Mapping[str, int],
    encoder: Encoder | None,
    *,
    alike: Mapping[Key, float] | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Scores of the pairs in ``known``, which says whether each is curated. ``information`` (nats) is of the other end,
    ``annotated`` how many findings of a disease are curated, ``alike`` the cosine of the two names' vectors (none: 0).
    ``encoder`` None leaves meaning out."""
    keys = tuple(sorted(known))
    features, llr, llr_text, ppmi = _features(counts, keys, information, annotated)
    features[:, FEATURES.index("alike")] = [(alike or {}).get(key, 0.0) for key in keys]
    label = np.array([known[key] for key in keys], bool)
    fold = np.array([int(hashlib.sha256(d.encode()).hexdigest()[:8], 16) % FOLDS for d, _ in keys])
    if label.sum() < LEAST_KNOWN or (~label).sum() < LEAST_KNOWN:
        return Scored(
            keys=keys,
            score=1 - chance(llr),
            llr=llr,
            ppmi=ppmi,
            method="co-occurrence",
            card={},
            version="co-occurrence",
        )
    if encoder is not None:
        features[:, FEATURES.index("meaning")] = _meaning(counts, keys, label, fold, encoder, progress)
    signs = tuple(SIGNS.values())
    p, weights = _folded(features, label, fold, _RIDGE["pair"], signs=signs)
    controlled = features.copy()
    for name in CONTROLS:
        column = FEATURES.index(name)
        controlled[:, column] = features[:, column].mean()
    adjusted, _ = _folded(features, label, fold, _RIDGE["pair"], controlled, signs)
    card = {
        "pairs": len(keys),
        "curated": int(label.sum()),
        "encoder": "" if encoder is None else encoder.fingerprint,
        "auroc": round(auroc(p, label), 4),
        "auroc without controls": round(auroc(adjusted, label), 4),
        "auroc of the ratio alone": round(auroc(llr, label), 4),
        "calibration error": round(_calibration_error(p, label), 4),
        "weights": dict(zip((*FEATURES, "constant"), np.round(weights, 3).tolist(), strict=True)),
    }
    adjusted *= (1 - chance(np.maximum(llr, llr_text))) * independent(counts, keys)
    digest = hashlib.sha256(repr((FEATURES, card)).encode()).hexdigest()[:12]
    return Scored(keys=keys, score=adjusted, llr=llr, ppmi=ppmi, method="learnt", card=card, version=f"learnt {digest}")


def _features(
    counts: Counts, keys: Sequence[Key], information: Mapping[str, float], annotated: Mapping[str, int]
) -> tuple[np.ndarray, ...]:
    """float64 (P, F) without what sentences and names mean; the ratios by sentence and by text, and the information by
    sentence, float64 (P,)."""
    pairs = [counts.pairs[key] for key in keys]
    said = np.array([counts.diseases[d] for d, _ in keys], float)
    about = np.array([counts.topics[d] for d, _ in keys], float)
    other = np.array([counts.others[o] for _, o in keys], float)
    sentences = np.array([p.sentences for p in pairs], float)
    texts = np.array([p.texts for p in pairs], float)
    llr, llr_text = (
        log_likelihood_ratio(sentences, np.maximum(said, sentences), np.maximum(other, sentences), counts.texts),
        log_likelihood_ratio(texts, about, np.maximum(other, texts), counts.texts),
    )
    ppmi = positive_information(sentences, said, other, counts.texts)
    ppmi_text = positive_information(texts, about, other, counts.texts)
    share = np.maximum(sentences, 1)
    near = [p.evidence[0].distance if p.evidence else 400 for p in pairs]
    columns = [
        np.sign(llr) * np.log1p(np.abs(llr)),
        np.sign(llr_text) * np.log1p(np.abs(llr_text)),
        ppmi,
        ppmi_text,
        np.log1p(sentences),
        np.log1p(texts),
        *(np.array([p.said[how] for p in pairs]) / share for how in ("shows", "before", "apart")),
        np.array([p.hedged for p in pairs]) / share,
        np.array([p.denied / max(p.denied + p.texts, 1) for p in pairs]),
        np.array([p.single for p in pairs]) / np.array([max(asserted(p), 1) for p in pairs]),
        np.log1p(np.array(near, float)),
        np.log1p(np.array([support(p) for p in pairs])),
        np.zeros(len(keys)),
        np.zeros(len(keys)),
        np.array([information.get(o, 0.0) for _, o in keys]),
        np.log1p(said),
        np.log1p(np.array([annotated.get(d, 0) for d, _ in keys], float)),
    ]
    return np.stack(columns, axis=1), llr, llr_text, ppmi


def asserted(pair: Pair) -> int:
    """In how many texts a sentence says, not only names, the two together."""
    return sum(pair.said[how] for how in ASSERTING)


def independent(counts: Counts, keys: Sequence[Key]) -> np.ndarray:
    """float64 (P,): the probability that not all texts that say a pair are a coincidence: each is with COINCIDENCE,
    or OF_ONE when it says it of one patient."""
    pairs = [counts.pairs[key] for key in keys]
    return np.array([1 - _COINCIDENCE ** (max(asserted(p), 1) - p.single) * _OF_ONE**p.single for p in pairs])


def support(pair: Pair) -> float:
    """How much its clearest sentences speak for a pair: the sum of the weights of what they say, half with a doubt."""
    return sum(_WEIGHT[e.said] * (0.5 if e.hedged else 1.0) for e in pair.evidence)


def masked(evidence: Evidence) -> str:
    """The sentence around its two ends, these masked."""
    (a, b), (c, d) = evidence.disease, evidence.other
    parts = [(a, b, "the disease"), (c, d, "the finding")]
    parts.sort()
    (a, b, first), (c, d, second) = parts
    text = evidence.sentence
    return f"{text[max(0, a - _AROUND) : a]}{first}{text[b:c]}{second}{text[d : d + _AROUND]}".strip()


def _meaning(
    counts: Counts,
    keys: Sequence[Key],
    label: np.ndarray,
    fold: np.ndarray,
    encoder: Encoder,
    progress: Progress | None,
) -> np.ndarray:
    """float64 (P,): the mean log odds of a pair's clearest sentences; 0 for a pair that no sentence says."""
    rows, texts = [], []
    for row, key in enumerate(keys):
        for evidence in counts.pairs[key].evidence[:_READ]:
            rows.append(row)
            texts.append(masked(evidence))
    if not texts:
        return np.zeros(len(keys))
    of = np.array(rows)
    unique = sorted(set(texts))
    vectors = encoder.encode(unique, longest=_LONGEST, progress=progress)
    place = {text: i for i, text in enumerate(unique)}
    x = vectors[[place[text] for text in texts]].astype(np.float64) * 10  # unit vectors: of the size of other features
    p, _ = _folded(x, label[of], fold[of], _RIDGE["sentence"])
    odds = np.log(np.clip(p, 1e-4, 1 - 1e-4) / np.clip(1 - p, 1e-4, 1))
    total = np.bincount(of, weights=odds, minlength=len(keys))
    return total / np.maximum(np.bincount(of, minlength=len(keys)), 1)


def _folded(
    x: np.ndarray,
    label: np.ndarray,
    fold: np.ndarray,
    ridge: float,
    applied: np.ndarray | None = None,
    signs: Sequence[int] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) probabilities of the rows of ``applied`` (None: of ``x``), each by a model of the other folds of ``x``, and
    the weights of all folds together, constant last."""
    rows = x if applied is None else applied
    out = np.zeros(len(x))
    for held in range(FOLDS):
        out[fold == held] = _apply(rows[fold == held], *_fit(x[fold != held], label[fold != held], ridge, signs))
    return out, _fit(x, label, ridge, signs)[0]


def _fit(
    x: np.ndarray, label: np.ndarray, ridge: float, signs: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (constant last), mean and deviation of a logistic regression over standardised features; ``signs`` as in
    SIGNS, none: any."""
    from scipy.optimize import minimize

    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    z = np.hstack([(x - mean) / deviation, np.ones((len(x), 1))])
    y = np.where(label, 1.0, -1.0)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = y * (z @ w)
        total = float(np.logaddexp(0, -margin).sum() + ridge * (w[:-1] @ w[:-1]))
        pull = -y / (1 + np.exp(np.clip(margin, -500, 500)))
        return total, z.T @ pull + 2 * ridge * np.append(w[:-1], 0.0)

    ranges = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [*(ranges[sign] for sign in signs or (0,) * x.shape[1]), (None, None)]
    start = np.zeros(z.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    return found.x, mean, deviation


def _apply(x: np.ndarray, weights: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    margin = ((x - mean) / deviation) @ weights[:-1] + weights[-1]
    return np.asarray(1 / (1 + np.exp(-np.clip(margin, -500, 500))))


def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. 0.5 when all have one label."""
    from scipy.stats import rankdata

    positive = int(label.sum())
    if not positive or positive == len(label):
        return 0.5
    ranks = rankdata(score)
    return float((ranks[label].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive)))


def _calibration_error(p: np.ndarray, label: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    which = np.minimum((p * 10).astype(int), 9)
    return float(
        sum(abs(p[which == b].mean() - label[which == b].mean()) * (which == b).mean() for b in set(which.tolist()))
    )
