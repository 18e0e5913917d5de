"""What a diagnosis takes from its place: the words that its notes use, how sure to be of what they say, and how common
diseases are there, learnt from counts: what ``--setting local`` stands for.

A disease d has the share s_d among the chest layer's patients at large, and n_d of N confirmed diagnoses here (those of
its kinds are among them). Its share here is taken as (n_d + a s_d) / (N + a), as if a patients of the wide world had
been seen beside the N, and the log prior moves by the logarithm of here over there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from errors import ArtifactError, InputError
from fusion.calibration import Calibration
from fusion.prior import RARE_DISEASE_SHARE, SHARE, chest_prior
from indexes.versions import current
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.linking import local_words
from ontologies.linking.linker import Linker

NAME = "prior.json"
SURENESS = "sureness.json"
STRENGTH = 100.0
_MOST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPrior:
    """``counts``: canonical CURIE → confirmed diagnoses; ``strength``: a above; ``source``: where they are from."""

    counts: Mapping[str, int] = field(default_factory=dict)
    strength: float = STRENGTH
    source: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def ratio(self, graph: KnowledgeGraph, disease: np.ndarray) -> np.ndarray:
        """float64 (D,): by how much (ln) the prior of each of ``disease`` (int (D,): nodes) moves, at most 4. A count
        of what the graph does not know is left out."""
        known = {c: n for c, n in self.counts.items() if c in graph}
        here: dict[int, int] = {}
        for curie, n in known.items():
            for node in {graph.node(curie), *graph.ancestor_nodes(graph.node(curie)).tolist()}:
                here[node] = here.get(node, 0) + n
        total, strength = sum(known.values()), self.strength
        share, rare = _shares(graph)
        out = np.zeros(len(disease))
        for row, node in enumerate(disease.tolist()):
            there = share.get(node, rare)
            moved = math.log((here.get(node, 0) + strength * there) / ((total + strength) * there))
            out[row] = min(max(moved, -_MOST), _MOST)
        return out

    def text(self) -> str:
        """What ``open`` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def open(cls, folder: Path) -> LocalPrior | None:
        """That of the version in use in ``folder``, None when there is none. Raises ArtifactError when it is
        damaged."""
        version = current(folder)
        if version is None:
            return None
        try:
            stated = json.loads((version / NAME).read_text(encoding="utf-8"))
            counts = {str(curie): int(n) for curie, n in stated["counts"].items()}
            return cls(counts=counts, strength=float(stated["strength"]), source=str(stated["source"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                "the local prior is damaged", value=version / NAME, run="whydx adapt --counts FILE"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """How sure the ``reasoner`` (a fingerprint) is to be of patients in words alone here: ``temperature``, ``none`` and
    ``conformal_threshold`` as in `fusion.calibration.Calibration`, fitted on ``n`` patients."""

    reasoner: str
    temperature: float
    none: tuple[float, ...]
    conformal_threshold: float
    n: int

    def of(self, shipped: Calibration) -> Calibration:
        """The shipped calibration with these numbers in their places; the order of diseases stays."""
        return replace(
            shipped,
            temperature=self.temperature,
            none=self.none,
            conformal_threshold=self.conformal_threshold,
            on="patients of this place",
            n=self.n,
        )

    def text(self) -> str:
        """What ``open`` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def open(cls, folder: Path, reasoner: str) -> Sureness | None:
        """That of the version in use in ``folder``, None when there is none. Raises ArtifactError when it is damaged,
        or was fitted for another reasoner."""
        version = current(folder)
        if version is None:
            return None
        again = "whydx adapt --patients FILE, or whydx adapt --use 0 for what was shipped"
        try:
            stated = json.loads((version / SURENESS).read_text(encoding="utf-8"))
            found = cls(
                reasoner=str(stated["reasoner"]),
                temperature=float(stated["temperature"]),
                none=tuple(float(x) for x in stated["none"]),
                conformal_threshold=float(stated["conformal_threshold"]),
                n=int(stated["n"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                "the local calibration of the reasoner is damaged", value=version / SURENESS, run=again
            ) from error
        if found.reasoner != reasoner:
            raise ArtifactError(
                "the local calibration was fitted for another reasoner",
                value=found.reasoner[:12],
                expected=reasoner[:12],
                run=again,
            )
        return found


def open_linker(home: Path) -> Linker:
    """The home's linker with the words of its place, for notes; indexes are built without them. Raises ArtifactError
    when the dictionary is missing, damaged or stale, or the words are damaged."""
    return Linker.open(home / "linker", words=local_words.read(current(home / "local")))


@lru_cache(maxsize=2)
def _shares(graph: KnowledgeGraph) -> tuple[dict[int, float], float]:
    """Node → share of a disease of the chest layer among its patients at large; and that of any other disease."""
    whole = sum(SHARE[level] for level in chest.commonness().values() if level != "group")
    return {n: math.exp(own) / whole for n, own in chest_prior(graph).by_node.items()}, RARE_DISEASE_SHARE / whole


def missing() -> InputError:
    """What to say where "local" is asked for and nothing is learnt."""
    return InputError(
        "this home has learnt no setting", value="local", run="whydx adapt --counts FILE, or whydx adapt --feedback"
    )
