"""When `whydx monitor` raises its alarm: ``python -m benchmarks.learning.drift --children DIR --nih DIR --looks FILE``.

A site's films come in a random order: some to compare with, some unchanged, then 50 from a scanner that changed. How
often is the alarm raised before the change, how often within 50 films after it, and after how many? And over the films
of both sites, unchanged, how often at all? Looks are kept in FILE, so that a run that was stopped goes on.

The films of NIH are those that the detector was trained on: nothing is as like them as themselves, which no hospital's
films will find, so that "unusual" is left out for them; and all have one size. A change keeps an image's size.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.drift import Row, watch
from learning.monitor import LIMIT
from vision.detector import Detector
from vision.films.levels import coarse, of_pixels
from vision.films.looks import Look, Looks
from vision.image import load_image

CHANGED, REFERENCE, UNCHANGED, WITHIN = 50, 200, 100, 50
Pixels = NDArray[np.float32]


def gamma(pixels: Pixels) -> Pixels:
    return np.asarray(pixels ** np.float32(1.5), np.float32)


def slight_gamma(pixels: Pixels) -> Pixels:
    return np.asarray(pixels ** np.float32(1.2), np.float32)


def noise(pixels: Pixels) -> Pixels:
    drawn = np.random.default_rng(0).normal(0, 0.03, pixels.shape).astype(np.float32)
    return np.clip(pixels + drawn, 0, 1)


def slight_noise(pixels: Pixels) -> Pixels:
    drawn = np.random.default_rng(0).normal(0, 0.01, pixels.shape).astype(np.float32)
    return np.clip(pixels + drawn, 0, 1)


def crop(pixels: Pixels) -> Pixels:
    return _cropped(pixels, 0.06)


def slight_crop(pixels: Pixels) -> Pixels:
    return _cropped(pixels, 0.03)


def _cropped(pixels: Pixels, share: float) -> Pixels:
    from PIL import Image

    height, width = pixels.shape
    down, across = int(share * height), int(share * width)
    inner = np.ascontiguousarray(pixels[down : height - down, across : width - across])
    image: Image.Image = Image.fromarray(inner, mode=None)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)


CHANGES = {
    "gamma 1.5": gamma,
    "noise of 0.03": noise,
    "crop of 6 % a side": crop,
}
SLIGHT = {
    "gamma 1.2": slight_gamma,
    "noise of 0.01": slight_noise,
    "crop of 3 % a side": slight_crop,
}


def row(look: Look, without: Sequence[str] = ()) -> Row:
    """What is watched of a film."""
    kept = {name: value for name, value in coarse(look.measures).items() if name not in without}
    return {**kept, "refused": int(look.refused is not None)}


def seen(looks: Looks, files: Sequence[Path], kept: bool, without: Sequence[str] = ()) -> list[Row]:
    """What is watched of each film; with ``kept``, of films that were not looked at before, the pixels alone."""
    if not kept:
        return [row(look, without) for look in looks.at(files)]
    found = []
    for file in files:
        look = looks.known(file)
        found.append(coarse(of_pixels(load_image(file).pixels)) if look is None else row(look, without))
    return found


def changes(plain: Sequence[Row], changed: Mapping[str, Sequence[Row]], limit: float, orders: int) -> dict[str, Any]:
    """Change → how the alarm does, over ``orders`` random orders. The first films of ``plain`` are those that are
    changed."""
    rng = np.random.default_rng(0)
    found = {}
    for name, rows in changed.items():
        early, delays, leading = 0, [], dict[str, int]()
        for order in range(orders):
            rest = rng.permutation(np.arange(len(rows), len(plain)))
            before = [plain[i] for i in rest[: REFERENCE + UNCHANGED]]
            after = [rows[i] for i in rng.permutation(len(rows))[:WITHIN]]
            drift = watch(before[:REFERENCE], [*before[REFERENCE:], *after], limit=limit, seed=order)
            if drift.alarm is not None and drift.alarm <= UNCHANGED:
                early += 1
            else:
                delays.append(drift.alarm - UNCHANGED if drift.alarm else WITHIN + 1)
            leading[drift.streams[0].name] = leading.get(drift.streams[0].name, 0) + 1
        within = sum(d <= WITHIN for d in delays)
        found[name] = {
            "orders": orders,
            "before the change": early,
            "within 50": within,
            "films until the alarm, median": float(np.median(delays)) if within else None,
            "films until the alarm, most": int(max(delays)) if within == len(delays) else None,
            "moved most": max(leading, key=lambda n: leading[n]),
        }
    return found


def unchanged(rows: Sequence[Row], limit: float, orders: int) -> dict[str, Any]:
    """Alarms among all films but REFERENCE, in ``orders`` random orders."""
    rng = np.random.default_rng(1)
    alarms, highest = 0, []
    for order in range(orders):
        mixed = [rows[i] for i in rng.permutation(len(rows))]
        drift = watch(mixed[:REFERENCE], mixed[REFERENCE:], limit=limit, seed=order)
        alarms += drift.alarm is not None
        highest.append(float(drift.evidence.max()))
    watched = len(rows) - REFERENCE
    return {
        "films": watched,
        "orders": orders,
        "orders with a false alarm": alarms,
        "at most, by the bound": round(watched / limit, 4),
        "highest evidence, median": round(float(np.median(highest)), 1),
        "highest evidence, most": round(max(highest), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--children", type=Path, help="Kermany's films")
    parser.add_argument("--nih", type=Path)
    parser.add_argument("--also", type=Path, action="append", default=[], help="more unchanged films")
    parser.add_argument("--looks", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=LIMIT)
    parser.add_argument("--most", type=int, help="only so many films of each site")
    parser.add_argument("--slight", action="store_true", help="slighter changes, too")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--kept", action="store_true", help="unchanged films only as far as their looks are kept")
    args = parser.parse_args()
    looks = Looks(Detector.open(), args.looks)
    out: dict[str, Any] = {"one false alarm in": args.rate}
    every: dict[str, list[Row]] = {}
    for name, folder, seed in (("children", args.children, 2), ("NIH", args.nih, 1)):
        if folder is None:
            continue
        files = sorted((folder / "images").iterdir())
        files = [files[i] for i in np.random.default_rng(seed).permutation(len(files))]
        without = ("unusual",) if name == "NIH" else ()
        changed = {
            change: [row(x, without) for x in looks.at(files[:CHANGED], (change, how))]
            for change, how in {**CHANGES, **(SLIGHT if args.slight else {})}.items()
        }
        every[name] = seen(looks, files[: args.most], args.kept, without)
        out[name] = changes(every[name], changed, args.rate, args.orders)
        print(json.dumps(out, indent=1), flush=True)
    for folder in args.also:
        every[folder.name] = seen(looks, sorted((folder / "images").iterdir()), args.kept)
    pooled = [{k: v for k, v in film.items() if k != "unusual"} for own in every.values() for film in own]
    whole = sum("look 1" in film for film in pooled)
    out[f"{', '.join(every)}, mixed, unchanged"] = unchanged(pooled, args.rate, args.orders)
    out["films of which all is watched"] = whole
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
