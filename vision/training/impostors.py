"""Pictures that are not frontal chest radiographs, computed, for fitting the refusal: patterns, pages, slices, bones.

Each family is a function of a seeded generator and gives (S, S) float32 in [0, 1]. What
``benchmarks/refusal.py`` measures on is drawn from other families: its figure is not about what was fitted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SIDE = 160
Picture = NDArray[np.float32]


def _plane() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = np.linspace(-1, 1, SIDE)
    x, y = np.meshgrid(line, line)
    return x, y


def _ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> NDArray[np.float64]:
    """1 inside, 0 outside, with an edge about two pixels soft; x and y run over [−1, 1]."""
    x, y = _plane()
    u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
    distance = np.sqrt((u / rx) ** 2 + (v / ry) ** 2)
    return np.asarray(np.clip((1 - distance) * min(rx, ry) * SIDE / 4 + 0.5, 0, 1))


def _finish(picture: NDArray[np.float64], rng: np.random.Generator) -> Picture:
    noise = rng.normal(0, rng.uniform(0, 0.04), picture.shape)
    low, high = float(picture.min()), float(picture.max())
    return np.clip((picture - low) / max(high - low, 1e-6) + noise, 0, 1).astype(np.float32)


def noise(rng: np.random.Generator) -> Picture:
    """White, or smoothed to clouds of any grain; with or without a gradient under it."""
    from scipy.ndimage import gaussian_filter

    field = rng.random((SIDE, SIDE))
    grain = rng.choice([0.0, 1.0, 3.0, 8.0, 20.0])
    if grain:
        field = gaussian_filter(field, grain, mode="wrap")
    field = (field - field.min()) / np.ptp(field)
    x, y = _plane()
    return _finish(field + rng.normal(0, 0.4) * x + rng.normal(0, 0.4) * y, rng)


def waves(rng: np.random.Generator) -> Picture:
    """Sums of plane and ring waves."""
    x, y = _plane()
    total = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 4))):
        turn, pitch = rng.uniform(0, np.pi), np.exp(rng.uniform(0.5, 4))
        along = (
            np.hypot(x - rng.normal(), y - rng.normal()) if rng.random() < 0.4 else x * np.cos(turn) + y * np.sin(turn)
        )
        total += np.sin(pitch * along + rng.uniform(0, 6))
    return _finish(np.sign(total) if rng.random() < 0.3 else total, rng)


def shapes(rng: np.random.Generator) -> Picture:
    """Ellipses and boxes of any grey, few or many."""
    picture = np.full((SIDE, SIDE), rng.random())
    for _ in range(int(rng.integers(1, 30))):
        grey, a, b = rng.random(), *rng.uniform(0.03, 0.6, 2)
        if rng.random() < 0.5:
            mask = _ellipse(rng.uniform(-1, 1), rng.uniform(-1, 1), a, b, rng.uniform(0, 3))
        else:
            x, y = _plane()
            mask = (np.abs(x - rng.uniform(-1, 1)) < a) * (np.abs(y - rng.uniform(-1, 1)) < b) * 1.0
        picture = picture * (1 - mask) + grey * mask
    return _finish(picture, rng)


def page(rng: np.random.Generator) -> Picture:
    """Printed text, dark on light or light on dark, with or without a picture in it."""
    from PIL import Image, ImageDraw, ImageFont

    sheet = Image.new("L", (SIDE * 2, SIDE * 2), 245)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=int(rng.integers(9, 30)))
    height = int(font.getbbox("Ag")[3]) + int(rng.integers(1, 9))
    for top in range(int(rng.integers(2, 40)), SIDE * 2, height):
        if rng.random() < 0.85:
            letters = "".join(
                chr(97 + int(c)) if c < 26 else " " for c in rng.integers(0, 31, int(rng.integers(5, 60)))
            )
            draw.text((int(rng.integers(2, 24)), top), letters, fill=20, font=font)
    if rng.random() < 0.3:
        left, top = (int(v) for v in rng.integers(0, SIDE, 2))
        draw.rectangle((left, top, left + SIDE // 2, top + SIDE // 2), fill=int(rng.integers(60, 200)))
    picture = np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float64) / 255
    return _finish(1 - picture if rng.random() < 0.3 else picture, rng)


def chart(rng: np.random.Generator) -> Picture:
    """Curves, bars and axes."""
    from PIL import Image, ImageDraw

    sheet = Image.new("L", (SIDE, SIDE), 250)
    draw = ImageDraw.Draw(sheet)
    draw.line((15, 8, 15, SIDE - 15, SIDE - 8, SIDE - 15), fill=0, width=1)
    for _ in range(int(rng.integers(1, 5))):
        points = np.cumsum(rng.normal(0, 6, 40)) + SIDE / 2
        if rng.random() < 0.5:
            draw.line([(15 + 3.4 * i, float(p)) for i, p in enumerate(points)], fill=int(rng.integers(0, 160)), width=2)
        else:
            for i in range(0, 40, 4):
                top = float(np.clip(points[i], 10, SIDE - 20))
                draw.rectangle((18 + 3.4 * i, top, 26 + 3.4 * i, SIDE - 15), fill=int(rng.integers(0, 200)))
    picture = np.asarray(sheet, np.float64) / 255
    return _finish(1 - picture if rng.random() < 0.3 else picture, rng)


def axial(rng: np.random.Generator) -> Picture:
    """A slice across the chest as CT shows it, in a lung or a soft-tissue window."""
    scale, shift = rng.uniform(0.75, 1.1), rng.normal(0, 0.06)
    body = _ellipse(0, shift, 0.92 * scale, rng.uniform(0.6, 0.72) * scale)
    inner = _ellipse(0, shift, 0.84 * scale, 0.56 * scale)
    soft, fat, lung, bone = (0.55, 0.42, 0.05, 0.95) if rng.random() < 0.5 else (0.95, 0.85, rng.uniform(0.1, 0.3), 1.0)
    picture = fat * body * (1 - inner) + soft * inner
    for side in (-1, 1):
        field = _ellipse(side * 0.42 * scale, shift, rng.uniform(0.26, 0.36) * scale, rng.uniform(0.38, 0.5) * scale)
        picture = picture * (1 - field) + lung * field
        for _ in range(int(rng.integers(5, 30))):
            x, y = side * 0.42 * scale + rng.normal(0, 0.13), shift + rng.normal(0, 0.2)
            vessel = _ellipse(x, y, rng.uniform(0.01, 0.04), rng.uniform(0.01, 0.04), rng.uniform(0, 3)) * field
            picture = picture * (1 - vessel) + soft * vessel
        if rng.random() < 0.5:
            spot = _ellipse(side * 0.45 * scale, shift + rng.normal(0, 0.15), *rng.uniform(0.05, 0.2, 2)) * field
            picture = picture * (1 - 0.6 * spot) + 0.6 * soft * spot
    heart = _ellipse(0.08, shift - 0.12 * scale, rng.uniform(0.15, 0.34) * scale, rng.uniform(0.15, 0.3) * scale)
    picture = picture * (1 - heart) + soft * heart
    spine = _ellipse(0, shift + 0.36 * scale, 0.11 * scale, 0.12 * scale)
    picture = picture * (1 - spine) + bone * spine
    for turn in np.linspace(0.2, 2 * np.pi, 14):
        rib = _ellipse(0.87 * scale * np.cos(turn), shift + 0.59 * scale * np.sin(turn), 0.09, 0.02, turn + np.pi / 2)
        picture = np.maximum(picture, bone * rib)
    if rng.random() < 0.6:
        across, down = _plane()
        picture = np.maximum(picture, 0.5 * (np.abs(down - 0.75 - 0.15 * across**2) < 0.012))
    return _finish(picture, rng)


def head(rng: np.random.Generator) -> Picture:
    """A slice through a head as MR or CT shows it."""
    turn = rng.normal(0, 0.1)
    rx, ry = rng.uniform(0.5, 0.75), rng.uniform(0.7, 0.9)
    picture = rng.uniform(0.5, 1) * _ellipse(0, 0, rx, ry, turn)
    for grey, share in ((0.1, 0.93), (rng.uniform(0.3, 0.7), 0.88)):
        mask = _ellipse(0, 0, rx * share, ry * share, turn)
        picture = picture * (1 - mask) + grey * mask
    for _ in range(int(rng.integers(4, 20))):
        mask = _ellipse(rng.normal(0, 0.25), rng.normal(0, 0.25), rng.uniform(0.03, 0.2), rng.uniform(0.03, 0.2))
        mask = mask * _ellipse(0, 0, rx * 0.85, ry * 0.85, turn)
        picture = picture * (1 - mask) + rng.random() * mask
    return _finish(picture, rng)


def fan(rng: np.random.Generator) -> Picture:
    """A sector of speckle, as ultrasound shows."""
    from scipy.ndimage import gaussian_filter

    x, y = _plane()
    radius, angle = np.hypot(x, y + 1.05), np.arctan2(x, y + 1.05)
    sector = (np.abs(angle) < rng.uniform(0.4, 0.9)) & (radius > rng.uniform(0.05, 0.4)) & (radius < 1.95)
    speckle = gaussian_filter(rng.exponential(1, (SIDE, SIDE)), (0.6, 1.8))
    structure = gaussian_filter(rng.random((SIDE, SIDE)), 12)
    structure = (structure - structure.min()) / np.ptp(structure)
    return _finish(sector * speckle * (0.2 + structure**2), rng)


def bones(rng: np.random.Generator) -> Picture:
    """Long bones in soft tissue: a limb, a knee or a hand, roughly."""
    picture = np.zeros((SIDE, SIDE))
    for _ in range(int(rng.choice([1, 2, 5]))):
        turn, cx = rng.normal(np.pi / 2, 0.35), rng.uniform(-0.6, 0.6)
        flesh = _ellipse(cx, 0.1, rng.uniform(0.8, 1.6), rng.uniform(0.12, 0.4), turn)
        picture = np.maximum(picture, 0.45 * flesh)
        width = rng.uniform(0.04, 0.12)
        for part in (-0.75, 0.0, 0.75):
            along = part * rng.uniform(0.8, 1.1)
            shaft = _ellipse(cx + along * np.cos(turn), 0.1 + along * np.sin(turn), 0.36, width, turn)
            marrow = _ellipse(cx + along * np.cos(turn), 0.1 + along * np.sin(turn), 0.3, width * 0.55, turn)
            picture = np.maximum(picture, 0.95 * shaft - 0.25 * marrow)
    return _finish(picture, rng)


def lateral(rng: np.random.Generator) -> Picture:
    """A chest seen from the side, roughly: dark lung between a bright spine and the breast bone, over the diaphragm."""
    from scipy.ndimage import gaussian_filter

    facing = 1 if rng.random() < 0.5 else -1
    x, y = _plane()
    x = facing * x
    body = (np.abs(x + 0.05 * y) < rng.uniform(0.7, 0.95)) * 0.75
    lung = _ellipse(facing * rng.normal(0, 0.04), -0.1, rng.uniform(0.45, 0.62), rng.uniform(0.6, 0.8), facing * 0.25)
    picture = body * (1 - rng.uniform(0.5, 0.75) * lung)
    heart = _ellipse(facing * 0.25, 0.25, rng.uniform(0.25, 0.35), 0.35, facing * -0.5)
    picture = picture + 0.25 * heart * lung
    for top in np.arange(-0.8, 0.9, 0.17):
        centre = -0.5 - 0.12 * np.cos(2 * top)
        picture = picture + 0.13 * ((np.abs(x - centre) < 0.09) & (np.abs(y - top) < 0.065)) * (body > 0)
    shoulder = _ellipse(-facing * 0.3, -0.95, 0.7, rng.uniform(0.2, 0.4), facing * -0.4)
    dome = y > 0.55 + 0.25 * (x + 0.1) ** 2 + rng.normal(0, 0.03)
    picture = np.where(dome & (body > 0), 0.85, picture) + 0.2 * shoulder
    return _finish(gaussian_filter(picture, rng.uniform(1.5, 3.5)) + gaussian_filter(rng.random(x.shape), 3) * 0.3, rng)


FAMILIES: tuple[Callable[[np.random.Generator], Picture], ...] = (
    noise,
    waves,
    shapes,
    page,
    chart,
    axial,
    head,
    fan,
    bones,
    lateral,
)


def impostors(each: int, seed: int) -> list[Picture]:
    """``each`` pictures of every family, in the order of FAMILIES; the same seed gives the same pictures."""
    return [
        family(np.random.default_rng((seed, number, i))) for number, family in enumerate(FAMILIES) for i in range(each)
    ]
