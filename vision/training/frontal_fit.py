"""Fitting the refusal model (``whydx train refusal``): frontal films of training patients of several hospitals against
the same films inverted, turned and cropped, and against pictures of other things, most of them computed.

Each data set weighs alike. Validation patients are never seen. The photographs of the sample pictures that scikit-learn
and matplotlib install are among the other things when they are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.anatomy.outliner import Anatomy
from vision.datasets.folder import fingerprint, load_grey, read
from vision.folds import in_calibration
from vision.frontal import AXES, CLASSES, FORMAT, NAME, POOLED, Frontal, features, imagenet
from vision.intensity import resize
from vision.training.impostors import FAMILIES, impostors
from vision.weights_pair import write_pair

Picture = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
_KEPT_SIDE = 160
_PER_FAMILY = 40
_MOST_FILMS = 600  # of a data set
LOST = 0.01  # of the calibration patients' films, plain and altered, of the data set that is hardest to tell
OUTLINES_WEIGHT = 1.5  # what a logistic regression on both gave, of NIH, JSRT, Wingspan and Guangzhou
_LOST_DISTANCE = 0.002
_PENALTY = 3e-3


def fit_refusal(
    data: Sequence[Path | str],
    out: Path,
    *,
    others: Sequence[Path | str] = (),
    seed: int = 0,
    each: int = _PER_FAMILY,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit on the training patients of ``data`` and write frontal.safetensors and frontal.json into ``out``; returns the
    manifest. ``others``: annotated folders of pictures that are no chest films.

    The limits are set on calibration patients, whom nothing was fitted on, half of their films altered more than other
    hospitals' are: the look and the outlines lose 1 % of the data set that is hardest to tell, the distance 0.2 % of
    all. Raises InputError without training images.
    """
    from safetensors.numpy import save

    rng = np.random.default_rng(seed)
    pictures, labels, sets, held = pictures_of(data, others, rng, each, seed, progress)
    stem, anatomy = imagenet(), Anatomy.open()
    judged = [p for films in held.values() for film in films for p in (film, altered(film, rng))]
    rows = []
    for start in range(0, len(pictures) + len(judged), 64):
        rows.append(features(stem, (pictures + judged)[start : start + 64]))
        if progress:
            progress("measuring", min(start + 64, len(pictures) + len(judged)), len(pictures) + len(judged))
    x = np.concatenate(rows)
    arrays = regression(x[: len(pictures)], labels, sets)
    frontal = np.flatnonzero(labels == 0)
    arrays |= axes_of(np.clip((x[frontal] - arrays["mean"]) / arrays["scale"], -8, 8)[:, :POOLED])
    model = Frontal(stem, arrays, {"outlines_weight": OUTLINES_WEIGHT})
    probability, distance = model.judge(x[len(pictures) :])
    margins = model.margins(probability, np.array([o.distance for o in anatomy.outline(judged)]))
    of_set = np.repeat(list(held), [2 * len(films) for films in held.values()])
    limits = {name: float(np.quantile(margins[of_set == name], LOST)) for name in held if held[name]}
    payload = save({k: np.ascontiguousarray(v, np.float32) for k, v in sorted(arrays.items())})
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "classes": list(CLASSES),
        "outlines_weight": OUTLINES_WEIGHT,
        "least_margin": round(min(limits.values()), 4),
        "margins": {name: round(value, 4) for name, value in limits.items()},
        "most_distance": round(float(np.quantile(distance, 1 - _LOST_DISTANCE)) * 1.1, 4),
        "anatomy": anatomy.manifest["sha256"],
        "pictures": {name: int((labels == i).sum()) for i, name in enumerate(CLASSES)},
        "families": [family.__name__ for family in FAMILIES],
        "calibration_films": len(judged) // 2,
        "seed": seed,
        "data": {Path(str(w).partition(":")[2] or str(w)).name: fingerprint(w) for w in (*data, *others)},
    }
    write_pair(out, NAME, payload, manifest)
    return manifest


def pictures_of(
    data: Sequence[Path | str],
    others: Sequence[Path | str],
    rng: np.random.Generator,
    each: int,
    seed: int,
    progress: Progress | None = None,
    most: int = _MOST_FILMS,
) -> tuple[list[Picture], NDArray[np.int64], NDArray[Any], dict[str, list[Picture]]]:
    """What is fitted: pictures, their classes and the sets they are of; and the films of the calibration patients, by
    set. A miniature without such patients sets its limits on what it was fitted on."""
    found: list[tuple[Picture, int, str]] = []
    held: dict[str, list[Picture]] = {}
    folders = [list(read(where, split="train")) for where in data]
    folders = [records[:: max(1, -(-len(records) // most))] for records in folders]
    total, done = sum(map(len, folders)), 0
    for records in folders:
        films = []
        for record in records:
            films.append((_small(record.path), in_calibration(record.patient_id)))
            done += 1
            if progress:
                progress("reading", done, total)
        name = records[0].source if records else ""
        fitted = [film for film, calibrates in films if not calibrates]
        held[name] = [film for film, calibrates in films if calibrates] or fitted
        found += [(p, 0, name) for film in fitted for p in (film, altered(film, rng))]
        found += [(1 - altered(film, rng), 1, name) for film in fitted[::4]]
        found += [(np.rot90(altered(film, rng), int(rng.integers(1, 4))).copy(), 2, name) for film in fitted[::4]]
        found += [(excerpt(film, rng), 3, name) for film in fitted[::3]]
    if not found:
        raise InputError("no training images", value=", ".join(map(str, data)), expected="annotated radiographs")
    found += [(p, 4, "computed") for p in impostors(each, seed)]
    found += [(p, 4, "photographs") for p in photographs(rng, 3 * each)]
    found += [(_small(r.path), 4, r.source) for where in others for r in read(where, split="train")]
    return (
        [p for p, _, _ in found],
        np.array([label for _, label, _ in found]),
        np.array([name for _, _, name in found]),
        held,
    )


def _small(path: Path) -> Picture:
    pixels = load_grey(path).astype(np.float32) / 255
    return resize(pixels, _KEPT_SIDE) if min(pixels.shape) > _KEPT_SIDE else pixels


def altered(film: Picture, rng: np.random.Generator) -> Picture:
    """A film as another hospital might send it: cut closer, stretched, tilted, other exposure, borders, text."""
    from PIL import Image, ImageDraw, ImageFont

    image: Image.Image = Image.fromarray((film * 255).astype(np.uint8))
    image = image.rotate(float(rng.normal(0, 4)), Image.Resampling.BILINEAR)
    width, height = image.size
    area, aspect = rng.uniform(0.5, 1), np.exp(rng.uniform(-0.25, 0.25))
    across, down = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    frame = (left * width, top * height, (left + across) * width, (top + down) * height)
    side = int(rng.choice([64, 128, 128]))
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=frame).resize((128, 128))
    if rng.random() < 0.25:
        text = "".join(chr(65 + int(c)) for c in rng.integers(0, 26, int(rng.integers(1, 8))))
        font = ImageFont.load_default(size=int(rng.integers(7, 15)))
        ImageDraw.Draw(image).text((float(rng.uniform(0, 100)), float(rng.uniform(0, 115))), text, 255, font=font)
    x = np.asarray(image, np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    if rng.random() < 0.3:
        low, high = np.percentile(x, (rng.uniform(0, 10), rng.uniform(85, 100)))
        x = np.clip((x - low) / max(high - low, 0.1), 0, 1)
    if rng.random() < 0.4:
        shade = float(rng.choice([0, 0, 0, 0.25, 1]))
        edges = (rng.uniform(0, 0.15, 4) * 128 * (rng.random(4) < 0.5)).astype(int)
        sheet = np.full((128, 128), shade, np.float32)
        inner = Image.fromarray(x).resize((128 - edges[0] - edges[1], 128 - edges[2] - edges[3]))
        sheet[edges[2] : 128 - edges[3], edges[0] : 128 - edges[1]] = np.asarray(inner)
        x = sheet
    return x.astype(np.float32)


def excerpt(film: Picture, rng: np.random.Generator) -> Picture:
    """A part of a film, 6 to 25 % of its area."""
    height, width = film.shape
    share = rng.uniform(0.25, 0.5)
    rows, columns = int(height * share), min(width, int(width * share * np.exp(rng.normal(0, 0.15))))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    return resize(film[top : top + rows, left : left + columns], 128)


def photographs(rng: np.random.Generator, count: int) -> list[Picture]:
    """Random parts of the photographs that scikit-learn and matplotlib install; none without them."""
    from importlib.util import find_spec

    places = (
        ("sklearn", "datasets/images/china.jpg"),
        ("sklearn", "datasets/images/flower.jpg"),
        ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    )
    files = []
    for package, name in places:
        spec = find_spec(package)
        if spec is not None and spec.origin is not None and (Path(spec.origin).parent / name).is_file():
            files.append(Path(spec.origin).parent / name)
    sources = [load_grey(f).astype(np.float32) / 255 for f in files]
    found = []
    for i in range(count if sources else 0):
        source = sources[i % len(sources)]
        height, width = source.shape
        share = rng.uniform(0.2, 1)
        rows, columns = int(height * share), int(width * share)
        top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
        part = resize(source[top : top + rows, left : left + columns], 128)
        found.append(np.ascontiguousarray(part[:, ::-1]) if rng.random() < 0.5 else part)
    return found


def regression(x: NDArray[np.float32], y: NDArray[np.int64], sets: NDArray[Any]) -> dict[str, NDArray]:
    """Softmax regression on standardised features with a ridge penalty; classes weigh alike, and in each the sets."""
    import torch
    from torch.nn.functional import cross_entropy

    mean, scale = x.mean(0), x.std(0) + 1e-3
    z = torch.from_numpy(np.clip((x - mean) / scale, -8, 8))
    target = torch.from_numpy(y)
    share = np.zeros(len(y), np.float32)
    for i in range(len(CLASSES)):
        names = sorted(set(sets[y == i]))
        for name in names:
            mine = (y == i) & (sets == name)
            share[mine] = 1 / (mine.sum() * len(names) * len(CLASSES))
    balance = torch.from_numpy(share)
    weight = torch.zeros(x.shape[1], len(CLASSES), requires_grad=True)
    bias = torch.zeros(len(CLASSES), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=150, line_search_fn="strong_wolfe")

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        each = cross_entropy(z @ weight + bias, target, reduction="none")
        loss = (balance * each).sum() + _PENALTY * (weight**2).sum()
        loss.backward()
        return loss

    optimiser.step(cost)
    return {"mean": mean, "scale": scale, "weight": weight.detach().numpy(), "bias": bias.detach().numpy()}


def axes_of(z: NDArray[np.float32]) -> dict[str, NDArray]:
    """Principal axes of the frontal films' standardised features, the spread along them and the residual off them."""
    _, _, turned = np.linalg.svd(z - z.mean(0), full_matrices=False)
    basis = np.zeros((POOLED, AXES), np.float32)
    basis[:, : min(AXES, len(turned))] = turned[:AXES].T
    along = z @ basis
    residual = np.mean((z - along @ basis.T) ** 2) + 1e-3
    return {"basis": basis, "spread": np.maximum(np.sqrt((along**2).mean(0)), 1e-3), "residual": np.array([residual])}
