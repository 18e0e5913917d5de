"""Outlining the organs: the shipped members' average, and how far to trust it.

Each member was fitted without one fold of patients. What is no frontal film gets outlines too; they are told by their
shapes and by the members' disagreement: a Mahalanobis distance from the outlines of frontal films of another hospital
(Lee et al. 2018, arXiv 1807.03888).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from vision.anatomy.elsewhere import Anything, Elsewhere, features
from vision.anatomy.large_heart import LargeHeart
from vision.anatomy.measures import INSIDE, Measurement, largest_part, measure, ratio, span
from vision.anatomy.organs import ORGANS, SIDE
from vision.anatomy.ranges import Person
from vision.anatomy.zones import measure_more
from vision.intensity import resize, standardise
from vision.weights_pair import WEIGHTS, read_pair

if TYPE_CHECKING:
    from vision.anatomy.network import Outliner

NAME = "anatomy"
FORMAT = 1
_REFIT = "whydx train anatomy"
_BATCH = 8
TRAITS = 3 * 8 + 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """The organs of one film. ``shares`` (3, 128, 128) float32 in [0, 1], in ORGANS order, over the upright picture.
    ``distance`` from what is usual, 1 being the limit of trust. ``traits`` (TRAITS,), NaN where they were not asked.
    """

    shares: NDArray[np.float32]
    distance: float
    traits: NDArray[np.float32] = field(default_factory=lambda: np.full(TRAITS, np.nan, np.float32))

    @property
    def trusted(self) -> bool:
        return self.distance <= 1


class Anatomy:
    """The members, the usual traits (``mean``, ``precision``), and the manifest, which holds limits and ranges;
    ``elsewhere`` is what reads films of other hospitals, None where it was not fitted."""

    def __init__(
        self, members: Sequence[Outliner], usual: Mapping[str, NDArray[np.float32]], manifest: Mapping[str, Any]
    ) -> None:
        self.members, self._usual, self.manifest = tuple(members), usual, manifest
        self.elsewhere: Elsewhere | None = None

    @classmethod
    def open(cls, folder: Path | None = None) -> Anatomy:
        """Load ``anatomy.safetensors`` after checking it against ``anatomy.json``. Raises ArtifactError when either is
        missing, damaged or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            manifest, data = read_pair(folder, NAME, FORMAT)
            tensors = load(data)
            usual = {k: tensors.pop(k).float().numpy() for k in ("mean", "precision")}
            if usual["mean"].shape != (TRAITS,) or usual["precision"].shape != (TRAITS, TRAITS):
                raise ValueError("shapes differ")
            members = networks(tensors, int(manifest["members"]))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            file = (folder or WEIGHTS) / f"{NAME}.safetensors"
            raise ArtifactError("the anatomy model is missing or damaged", value=file, run=_REFIT) from error
        anatomy = cls(members, usual, manifest)
        anatomy.elsewhere = Elsewhere.open(folder)
        return anatomy

    def outline(self, pictures: Sequence[NDArray[np.float32]]) -> list[Outlines]:
        """For each upright picture (H, W) in [0, 1], its outlines."""
        found = []
        for each in members_shares(self.members, pictures):
            shares = each.mean(0)
            own = traits(each)
            away = own - self._usual["mean"]
            distance = float(np.sqrt(away @ self._usual["precision"] @ away / TRAITS))
            found.append(Outlines(shares=shares, distance=distance / float(self.manifest["most_distance"]), traits=own))
        return found

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the weights and with anything that the manifest holds."""
        said = [self.manifest, self.elsewhere.manifest if self.elsewhere is not None else None]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def reason(self, outlines: Outlines) -> str | None:
        """The code of why a picture with these outlines is refused, or None: nothing that looks like two lungs and a
        heart in their places.
        """
        return "not_a_chest_radiograph" if outlines.distance > float(self.manifest["refused_beyond"]) else None

    def large_heart(self, outlines: Outlines, view: str, resolution: str) -> tuple[float, float] | None:
        """How likely a reader calls this heart enlarged, and the probability from which it counts as that; None where
        nothing is measured. ``resolution``: the curve's name in the manifest."""
        value = ratio(outlines.shares) if outlines.trusted else None
        fitted = self.manifest.get("large_heart", {}).get(resolution)
        if value is None or fitted is None:
            return None
        curve = LargeHeart(**{name: fitted[name] for name in ("usual", "slope", "offset", "cut")})
        return curve.probability(value, view), curve.cut

    def anything(
        self,
        outlines: Outlines,
        picture: NDArray[np.float32],
        embedding: NDArray[np.float32],
        weights: str,
        nets: tuple[float, float],
        low_resolution: bool,
        age: float | None,
    ) -> Anything:
        """Whether an upright film (H, W) shows anything, by what `elsewhere` makes of the outlines and of ``nets``: the
        probability and the cut by the networks, whose ``weights`` have this SHA-256. The networks' own where nothing
        else was fitted for them."""
        if self.elsewhere is None or not self.elsewhere.belongs_to(weights):
            return Anything(probability=nets[0], cut=nets[1], familiar=1.0)
        film = features(outlines.traits, outlines.shares, picture)
        return self.elsewhere.judge(film, embedding, nets, low_resolution=low_resolution, age=age)

    def measurements(
        self, outlines: Outlines, picture: NDArray[np.float32], person: Person | None = None
    ) -> tuple[Measurement, ...]:
        """What is measured on trusted outlines of an upright picture (H, W); nothing on others."""
        if not outlines.trusted:
            return ()
        person = person or Person()
        limits = {name: (pair[0], pair[1]) for name, pair in self.manifest["usual"].items()}
        first = measure(outlines.shares, limits, view=person.view, age=person.age)
        ranges = self.manifest.get("ranges", {})
        return (*first, *measure_more(outlines.shares, resize(picture, SIDE), ranges, person))


def networks(tensors: Mapping[str, Any], count: int) -> list[Outliner]:
    """The members of ``tensors`` ("0/…", "1/…"), for evaluation. Raises RuntimeError when they do not fit."""
    import torch

    from vision.anatomy.network import Outliner

    members = []
    for i in range(count):
        member = Outliner()
        own = {k.partition("/")[2]: t for k, t in tensors.items() if k.startswith(f"{i}/")}
        member.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in own.items()})
        members.append(member.eval().to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    return members


def members_shares(members: Sequence[Outliner], pictures: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """For each picture the maps of each member, (members, 3, 128, 128) in [0, 1]."""
    import torch

    found: list[NDArray[np.float32]] = []
    for start in range(0, len(pictures), _BATCH):
        x = np.stack([standardise(resize(p, SIDE)) for p in pictures[start : start + _BATCH]])
        with torch.inference_mode():
            given = torch.from_numpy(x)[:, None].contiguous(memory_format=torch.channels_last)
            said = torch.stack([member(given).sigmoid() for member in members], 1)
        found += list(said.numpy().astype(np.float32))
    return found


def traits(each: NDArray[np.float32]) -> NDArray[np.float32]:
    """(TRAITS,) of one film's maps (members, 3, S, S): of each organ the size, place, spread and edges relative to the
    lungs' box, the share of its largest part, its sharpness; and how far the members agree (Dice with the mean).
    """
    shares = each.mean(0)
    lungs = shares[:2].max(0)
    across, down = span(lungs, 1) or (0.0, 1.0), span(lungs, 0) or (0.0, 1.0)
    width, height = max(across[1] - across[0], 0.05), max(down[1] - down[0], 0.05)
    size = shares.shape[-1]
    places = (np.arange(size) + 0.5) / size
    row = []
    for share in shares:
        total = float(share.sum()) + 1e-3
        x, y = float(share.sum(0) @ places) / total, float(share.sum(1) @ places) / total
        spread_x = np.sqrt(max(float(share.sum(0) @ (places - x) ** 2) / total, 0))
        spread_y = np.sqrt(max(float(share.sum(1) @ (places - y) ** 2) / total, 0))
        inside = share >= INSIDE
        whole = float(inside.sum()) + 1e-3
        row += [
            np.log(total / size**2 / (width * height) + 1e-3),
            (x - across[0]) / width,
            (y - down[0]) / height,
            spread_x / width,
            spread_y / height,
            float((largest_part(share) >= INSIDE).sum()) / whole,
            float(np.abs(2 * share[share > 0.05] - 1).mean()) if (share > 0.05).any() else 0.0,
            np.log(whole / size**2 + 1e-3),
        ]
    mean = shares >= INSIDE
    for organ in range(len(ORGANS)):
        overlap = [dice(member[organ] >= INSIDE, mean[organ]) for member in each]
        row.append(float(np.mean(overlap)))
    return np.array(row, np.float32)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Twice what both have over the sum; 1 when both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
