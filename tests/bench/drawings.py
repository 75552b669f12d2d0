"""Pictures of known truth for the measures: shapes on plain grounds, disturbed in the ways that pictures are.

Each is a pure function of a kind, a size and a number. Drawn eight times as large and averaged down, so that edges are
as soft as those of a real picture; noise, blur and shadow come on top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from loratui.tinyworld.scenes import COLOURS, contrasting

SCALE = 8
SHAPES = ("circle", "square", "triangle", "rounded rectangle", "star", "heart", "cross", "ellipse")
NAMED = SHAPES[:4]  # what is none of these is "other"
# Round and pointed objects that touch keep a neck between them; straight sides that touch are one thing.
_CHOICES = {"touching": ("circle", "triangle"), "side by side": ("square", "rounded rectangle")}
ALONE = ("clean", "noise", "blur", "noise and blur", "shadow", "gradient", "outline", "off-centre", "cut off", "tiny")
KINDS = (*ALONE, "touching", "side by side", "several", "grid", "noisy grid", "blurred grid")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Drawing:
    kind: str
    picture: Pixels
    truth: dict[str, str | int | float] = field(default_factory=dict)  # by the measures' names


def outline_of(shape: str, turn: float) -> list[tuple[float, float]]:
    """The rim of a shape about (0, 0), within a radius of about one."""
    angles = [i * math.tau / 120 for i in range(120)]
    if shape == "circle":
        points = [(0.95 * math.cos(a), 0.95 * math.sin(a)) for a in angles]
    elif shape == "ellipse":
        points = [(math.cos(a), 0.58 * math.sin(a)) for a in angles]
    elif shape == "square":
        points = [(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)]
    elif shape == "triangle":
        points = [(0, -1.0), (0.95, 0.75), (-0.95, 0.75)]
    elif shape == "rounded rectangle":
        points = []
        for x, y, start in ((0.65, -0.3, -90), (0.65, 0.3, 0), (-0.65, 0.3, 90), (-0.65, -0.3, 180)):
            arc = [math.radians(start + 90 * i / 12) for i in range(13)]
            points += [(x + 0.32 * math.cos(a), y + 0.32 * math.sin(a)) for a in arc]
    elif shape == "star":
        points = [
            (
                (1.0 if i % 2 == 0 else 0.42) * math.sin(i * math.pi / 5),
                -(1.0 if i % 2 == 0 else 0.42) * math.cos(i * math.pi / 5),
            )
            for i in range(10)
        ]
    elif shape == "heart":
        points = [
            (math.sin(a) ** 3, -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16)
            for a in angles
        ]
    else:  # a cross
        w = 0.3
        points = [(-w, -1), (w, -1), (w, -w), (1, -w), (1, w), (w, w), (w, 1), (-w, 1), (-w, w), (-1, w),
                  (-1, -w), (-w, -w)]  # fmt: skip
    c, s = math.cos(turn), math.sin(turn)
    return [(c * x - s * y, s * x + c * y) for x, y in points]


def drawing(kind: str, size: int, number: int) -> Drawing:
    """The picture `number` of a kind, size x size pixels."""
    rng = np.random.default_rng([KINDS.index(kind), size, number])
    pairs = [(c, b) for c in COLOURS for b in COLOURS if contrasting(c, b)]
    colour, ground = pairs[rng.integers(len(pairs))]
    if number % 2:  # every second one as the experiments have it
        ground = "white"
        colour = [c for c in COLOURS if contrasting(c, "white")][rng.integers(9)]
    shape = str(rng.choice(_CHOICES.get(kind, NAMED if "grid" in kind or kind == "several" else SHAPES)))
    spots, rows, columns = _spots(kind, rng)
    wide = size * SCALE
    mask = Image.new("L", (wide, wide))
    for x, y, radius in spots:
        rim = outline_of(shape, float(rng.uniform(-0.25, 0.25)))
        placed = [((x + radius * px) * wide, (y + radius * py) * wide) for px, py in rim]
        ImageDraw.Draw(mask).polygon(placed, fill=255)
        if kind == "outline":
            inner = [((x + 0.72 * radius * px) * wide, (y + 0.72 * radius * py) * wide) for px, py in rim]
            ImageDraw.Draw(mask).polygon(inner, fill=0)
    jittered = [np.clip(np.array(COLOURS[name]) + rng.integers(-5, 6, 3), 0, 255) for name in (colour, ground)]
    picture = _painted(mask.reduce(SCALE), jittered[0], jittered[1], kind, rng)
    truth: dict[str, str | int | float] = {
        "background": "gradient" if kind == "gradient" else ground,
        "colour": colour,
        "count": len(spots),
        "grid": f"{rows}x{columns}" if rows else ("1x1" if len(spots) == 1 else "no grid"),
    }
    if kind != "cut off":
        truth["shape"] = shape if shape in NAMED else "other"
    if kind == "several":
        del truth["grid"]  # two or three can always be said to stand in a line
    inside = np.asarray(mask.reduce(SCALE), float) / 255
    if kind != "outline":
        truth["coverage"] = float(inside.mean())
    y, x = np.mgrid[:size, :size] + 0.5
    middle = [float((inside * along).sum() / inside.sum()) / size * 2 - 1 for along in (x, y)]
    truth["centre_bias"] = math.hypot(*middle)
    return Drawing(kind, picture, truth)


def _spots(kind: str, rng: np.random.Generator) -> tuple[list[tuple[float, float, float]], int, int]:
    """Where the objects are: x, y and radius as shares of the side; and the rows and columns of a grid."""
    if "grid" in kind:
        rows, columns = (int(n) for n in rng.integers((1, 2), (6, 6)))
        pitch = 0.94 / max(rows, columns)
        return (
            [
                (0.5 + (c - (columns - 1) / 2) * pitch, 0.5 + (r - (rows - 1) / 2) * pitch, 0.36 * pitch)
                for r in range(rows)
                for c in range(columns)
            ],
            rows,
            columns,
        )
    if kind in ("touching", "side by side"):
        radius, turn = float(rng.uniform(0.14, 0.2)), float(rng.uniform(-0.5, 0.5))
        dx, dy = 0.86 * radius * math.cos(turn), 0.86 * radius * math.sin(turn)
        return [(0.5 - dx, 0.5 - dy, radius), (0.5 + dx, 0.5 + dy, radius)], 1, 2
    if kind == "several":
        spots: list[tuple[float, float, float]] = []
        wanted, radius = int(rng.integers(2, 6)), 0.12
        while len(spots) < wanted:
            x, y = (float(v) for v in rng.uniform(0.15, 0.85, 2))
            if all(math.hypot(x - a, y - b) > 2.5 * radius for a, b, _ in spots):
                spots.append((x, y, radius * float(rng.uniform(0.85, 1.1))))
        return spots, 0, 0
    radius = float(rng.uniform(0.2, 0.36))
    x, y = (0.5 + float(v) for v in rng.uniform(-0.04, 0.04, 2))
    if kind == "tiny":
        radius = float(rng.uniform(0.055, 0.09))
    elif kind == "off-centre":
        radius = float(rng.uniform(0.13, 0.2))
        x, y = ((radius + 0.04, 1 - radius - 0.04)[int(v)] for v in rng.integers(0, 2, 2))
    elif kind == "cut off":
        x = 0.04 if rng.random() < 0.5 else 0.96
    return [(x, y, radius)], 0, 0


def _painted(
    mask: Image.Image, colour: Sequence[int], ground: Sequence[int], kind: str, rng: np.random.Generator
) -> Pixels:
    size = mask.width
    grounds = np.broadcast_to(np.array(ground, float), (size, size, 3)).copy()
    if kind == "gradient":
        other = grounds * 0.4 if sum(ground) > 300 else grounds * 0.45 + 140
        ramp = np.linspace(0, 1, size)[:, None, None]
        grounds = grounds * (1 - ramp) + other * ramp
    if kind == "shadow":
        moved = ImageChops.offset(mask, round(0.05 * size), round(0.06 * size))
        soft = np.asarray(moved.filter(ImageFilter.GaussianBlur(0.04 * size)), float)[..., None] / 255
        grounds *= 1 - 0.3 * soft
    alpha = np.asarray(mask, float)[..., None] / 255
    pixels = grounds * (1 - alpha) + np.array(colour, float) * alpha
    if "blur" in kind:
        blur = rng.uniform(0.015, 0.04) if kind != "blurred grid" else 0.012
        image = Image.fromarray(pixels.round().astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur * size))
        pixels = np.asarray(image, float)
    if kind.startswith("nois"):
        pixels = pixels + rng.normal(0, rng.choice([10, 25]), pixels.shape)
    return pixels.round().clip(0, 255).astype(np.uint8)


def sharp_and_blurred(size: int, number: int) -> tuple[Pixels, Pixels]:
    """One picture, and the same blurred and then with noise added, which makes it look rich in detail."""
    rng = np.random.default_rng([99, size, number])
    sharp = drawing("clean", size, number).picture
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(0.025 * size)), float)
    noisy = blurred + rng.normal(0, 12, blurred.shape)
    return sharp, noisy.round().clip(0, 255).astype(np.uint8)
