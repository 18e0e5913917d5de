"""What is refused and what is read: ``python -m benchmarks.refusal [--data FOLDER] [--json]``.

Pictures that are no chest radiographs, of kinds that the refusal was not fitted on: generated patterns, noise, text
pages, scikit-image's sample photographs whole and in parts, and the images of pydicom's samples by their look alone,
their headers taken away. Then films of validation patients of both NIH extracts, which must be read, and turned,
inverted and cropped, which must not; the radiographs, lateral films and CT images of covid_cxr by their metadata; and
films of other hospitals, portable and children's ones apart; of the sets that the refusal was fitted on, the validation
patients alone. Each is asked of header and grey levels, of the look and of the outlines, as the detector asks.
``--only sources`` does the last two parts alone, ``--only constructed`` the first two.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import shared_data, stamp
from errors import InputError
from vision.anatomy.outliner import Anatomy
from vision.datasets.folder import load_grey, read
from vision.frontal import Frontal
from vision.image import ImageInstance, load_image
from vision.intensity import resize
from vision.quality import admit
from vision.training.frontal_fit import excerpt

Picture = NDArray[np.float32]
Judges = tuple[Frontal, Anatomy]
SIDE = 192
_EACH = 14
_PARTS = 3


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = np.linspace(-1, 1, SIDE)
    x, y = np.meshgrid(line, line)
    return x, y


def _scaled(field: NDArray[Any]) -> Picture:
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - low) / max(high - low, 1e-9), np.float32)


def pink_noise(rng: np.random.Generator) -> Picture:
    """Power falling with frequency, by an exponent between 0.5 and 3."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE))) / frequency ** rng.uniform(0.25, 1.5)
    return _scaled(np.real(np.fft.ifft2(spectrum)))


def salt_and_pepper(rng: np.random.Generator) -> Picture:
    return _scaled(rng.choice([0.0, 0.5, 1.0], (SIDE, SIDE)) + rng.normal(0, 0.02, (SIDE, SIDE)))


def cells(rng: np.random.Generator) -> Picture:
    """Voronoi cells of random greys, or the distance to their seeds."""
    from scipy.spatial import cKDTree

    seeds = rng.uniform(-1, 1, (int(rng.integers(5, 120)), 2))
    x, y = _grid()
    distance, nearest = cKDTree(seeds).query(np.stack((x, y), 2))
    return _scaled(distance if rng.random() < 0.5 else rng.random(len(seeds))[nearest])


def checkerboard(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    turn, count = rng.uniform(0, 1.5), rng.uniform(2, 14)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return _scaled((np.floor(u * count) + np.floor(v * count)) % 2 + 0.1 * x)


def spiral(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    return _scaled(np.cos(rng.integers(1, 9) * angle + rng.uniform(5, 40) * radius))


def mandelbrot(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    zoom = np.exp(rng.uniform(-4, 0.3))
    c = (x + 1j * y) * zoom + complex(rng.uniform(-1.2, 0), rng.uniform(-0.7, 0.7))
    z, steps = np.zeros_like(c), np.zeros(c.shape)
    for _ in range(40):
        z = np.where(np.abs(z) <= 2, z * z + c, z)
        steps += np.abs(z) <= 2
    return _scaled(steps)


def form(rng: np.random.Generator) -> Picture:
    """A page with a table: ruled lines, words, numbers."""
    from PIL import Image, ImageDraw, ImageFont

    sheet = Image.new("L", (SIDE * 2, SIDE * 2), int(rng.integers(215, 256)))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=int(rng.integers(10, 22)))
    height = int(rng.integers(16, 40))
    for top in range(10, SIDE * 2 - 10, height):
        draw.line((8, top, SIDE * 2 - 8, top), fill=90)
        for left in range(8, SIDE * 2 - 8, 94):
            draw.line((left, 10, left, SIDE * 2 - 10), fill=90)
            word = "".join(chr(int(c)) for c in rng.integers(48, 91, int(rng.integers(1, 9))))
            draw.text((left + 4, top + 2), word, fill=30, font=font)
    return np.asarray(sheet.resize((SIDE, SIDE)), np.float32) / 255


def letter(rng: np.random.Generator) -> Picture:
    """Paragraphs of ragged lines, on a grey or dark ground."""
    from PIL import Image, ImageDraw, ImageFont

    dark, size = bool(rng.random() < 0.4), int(rng.integers(11, 26))
    sheet = Image.new("L", (SIDE * 2, SIDE * 2), 25 if dark else int(rng.integers(190, 256)))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=size)
    top = 20
    while top < SIDE * 2 - 30:
        words = ["".join(chr(int(c)) for c in rng.integers(97, 123, int(n))) for n in rng.integers(2, 10, 7)]
        draw.text((24, top), " ".join(words)[: int(rng.integers(10, 60))], fill=230 if dark else 15, font=font)
        top += int(size * rng.choice([1.3, 1.3, 1.3, 3]))
    return np.asarray(sheet.resize((SIDE, SIDE)), np.float32) / 255


def gradient(rng: np.random.Generator) -> Picture:
    x, y = _grid()
    a, b, c = rng.normal(size=3)
    return _scaled(a * x + b * y + c * x * y + rng.normal(0, 0.01, x.shape))


def blobs(rng: np.random.Generator) -> Picture:
    """A few soft bright or dark spots."""
    x, y = _grid()
    total = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 9))):
        cx, cy, width = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0.05, 0.6)
        total += rng.choice([-1, 1]) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / width**2)
    return _scaled(total)


GENERATED: tuple[Callable[[np.random.Generator], Picture], ...] = (
    pink_noise,
    salt_and_pepper,
    cells,
    checkerboard,
    spiral,
    mandelbrot,
    form,
    letter,
    gradient,
    blobs,
)


def photographs(rng: np.random.Generator) -> Iterator[tuple[str, Picture]]:
    """scikit-image's sample pictures in grey, whole and three random parts of each."""
    import skimage

    for path in sorted((Path(skimage.__file__).parent / "data").glob("*")):
        if path.suffix not in (".png", ".jpg"):
            continue
        source = load_grey(path).astype(np.float32) / 255
        if min(source.shape) < 64:
            continue
        yield path.name, source
        height, width = source.shape
        for _ in range(_PARTS):
            rows, columns = (int(n * rng.uniform(0.3, 0.8)) for n in (height, width))
            top, left = int(rng.integers(0, height - rows)), int(rng.integers(0, width - columns))
            yield f"part of {path.name}", source[top : top + rows, left : left + columns]


def dicom_samples() -> Iterator[tuple[str, Picture]]:
    """Single-frame images among pydicom's samples, without their headers."""
    import pydicom

    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        try:
            yield path.name, load_image(path).pixels
        except InputError:
            continue


def instance(pixels: Picture) -> ImageInstance:
    return ImageInstance(sop_instance_uid="2.25.0", study_instance_uid="2.25.0", pixels=pixels.astype(np.float32))


def reasons(model: Judges, pictures: Sequence[Picture]) -> list[str | None]:
    """As the detector asks: header and grey levels first, then the look and the outlines together."""
    found = []
    for start in range(0, len(pictures), 16):
        found += [a.refused for a in admit([instance(p) for p in pictures[start : start + 16]], *model)]
    return found


def count(named: Sequence[tuple[str, Picture]], model: Judges, *, read: bool = False) -> dict[str, Any]:
    """How many were refused, by code, and the names of those that went wrong; ``read`` says what should happen."""
    found = reasons(model, [p for _, p in named])
    wrong = sorted({name for (name, _), reason in zip(named, found, strict=True) if read == bool(reason)})
    codes = Counter(reason for reason in found if reason)
    return {
        "n": len(named),
        "refused": sum(codes.values()),
        "codes": dict(sorted(codes.items())),
        "wrong": wrong[:12],
    }


def measure(data: Path, seed: int = 0, *, only: str | None = None) -> dict[str, Any]:
    """All counts; the parts whose data are not there are left out."""
    model = (Frontal.open(), Anatomy.open())
    out: dict[str, Any] = {} if only == "sources" else constructed(model, data, seed)
    if only == "constructed":
        return out
    covid = data / "covid_cxr" / "metadata.csv"
    if covid.is_file():
        out["covid_cxr"] = of_metadata(model, covid)
    if (data / "cxr_other").is_dir():
        out["sources"] = sources(model, data)
    return out


# folder: (whether they are frontal films, whether the refusal was fitted on its training patients)
_SOURCES = {
    "jsrt": (True, True),
    "wingspan": (True, True),
    "kermany_children": (True, True),
    "tb_nlm_belarus": (True, False),
    "cohen_more": (True, False),
    "covid_cxnet": (True, False),
    "nih_more": (True, False),
    "not_chest_64px": (False, True),
    "ct_covid": (False, False),
}


def sources(model: Judges, data: Path) -> dict[str, Any]:
    """By folder of other hospitals, and NIH's films in AP position, which are mostly portable."""
    found = {}
    for name, (frontal, fitted) in _SOURCES.items():
        folder = data / "cxr_other" / name
        if not (folder / "annotations.jsonl").is_file():
            continue
        films = [
            (r.image, load_grey(r.path).astype(np.float32) / 255) for r in read(folder, split="val" if fitted else None)
        ]
        found[name] = count(films, model, read=frontal)
    portable = [r for n in ("nih_cxr", "nih_cxr_64px") for r in read(data / n, split="val") if r.view == "AP"]
    films = [(r.image, load_grey(r.path).astype(np.float32) / 255) for r in portable]
    return found | {"NIH, AP": count(films, model, read=True)}


def of_metadata(model: Judges, table: Path) -> dict[str, Any]:
    """The frontal films, lateral films and CT images of a folder, as its table says."""
    groups: dict[str, list[tuple[str, Picture]]] = {"frontal": [], "lateral": [], "CT": []}
    with table.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            kind = "CT" if row["modality"] == "CT" else "lateral" if row["view"] == "L" else "frontal"
            pixels = load_grey(table.parent / row["image"]).astype(np.float32) / 255
            groups[kind].append((row["image"], pixels))
    return {kind: count(films, model, read=kind == "frontal") for kind, films in groups.items()}


def constructed(model: Judges, data: Path, seed: int) -> dict[str, Any]:
    """What is no radiograph, and NIH's validation films as they are and spoilt."""
    rng = np.random.default_rng(seed)
    generated = [
        (f.__name__, f(np.random.default_rng((seed, i, k)))) for i, f in enumerate(GENERATED) for k in range(_EACH)
    ]
    others = {
        "generated": count(generated, model),
        "photographs": count(list(photographs(rng)), model),
        "dicom_samples": count(list(dicom_samples()), model),
    }
    total, refused = (sum(part[k] for part in others.values()) for k in ("n", "refused"))
    out: dict[str, Any] = {"not_radiographs": others | {"n": total, "refused_share": round(refused / total, 4)}}
    for name in ("nih_cxr", "nih_cxr_64px"):
        if not (data / name).is_dir():
            continue
        films = [(r.image, load_grey(r.path).astype(np.float32) / 255) for r in read(data / name, split="val")]
        out[name] = {
            "films": count(films, model, read=True),
            "inverted": count([(n, 1 - p) for n, p in films], model),
            "turned": count([(n, np.rot90(p, 1 + i % 3)) for i, (n, p) in enumerate(films)], model),
            "cropped": count([(n, excerpt(resize(p, 160), rng)) for n, p in films], model),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data(), help="the folder of the development sets")
    parser.add_argument("--only", choices=("sources", "constructed"), help="one part alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = {"machine": stamp()} | measure(arguments.data, only=arguments.only)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print(found.pop("machine"))
    total = found.get("not_radiographs", {})
    if total:
        print(f"not radiographs: {total.pop('refused_share'):.1%} of {total.pop('n')} refused")
    for name, parts in found.items():
        for part, figures in parts.items():
            print(f"  {name:<16}{part:<14}{figures['refused']:>4} of {figures['n']:>4} refused  {figures['codes']}")


if __name__ == "__main__":
    main()
