"""The shape of one object: which ideal shape of the same area covers it best.

Ideal are a disc, a square, a triangle and a rectangle with round corners, at any turn. A shape that none of them covers
is "other", so are ellipses and sharp rectangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from loratui.lab.measures.reading import Floats, Mask

SHAPES = ("circle", "square", "triangle", "rounded rectangle", "other")
SMALLEST = 60  # pixels: below, all shapes look alike
COVERS = 0.90  # overlap with the ideal that makes a shape of that name


@dataclass(frozen=True)
class Shape:
    name: str
    confidence: float  # 0..1
    overlaps: dict[str, float]  # with each ideal, intersection over union
    aspect: float  # long over short side of the smallest rectangle around it
    roundness: float  # 0: the rectangle's corners are sharp, 1: they are half circles


def shape_of(mask: Mask) -> Shape:
    """The shape of the one object in the mask."""
    area = int(mask.sum())
    if area < 12:
        return Shape("other", 0.0, {}, 1.0, 0.0)
    window = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in ndimage.find_objects(mask.astype(int))[0])
    mask = mask[window]
    try:
        hull = _hull(mask)
    except QhullError:
        return Shape("other", 0.0, {}, 1.0, 0.0)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.0
    turn, middle, long, short = _rectangle(hull)
    u, v = _turned(x - middle[0], y - middle[1], turn)
    cy, cx = ndimage.center_of_mass(mask)
    side = np.sqrt(area) / 2
    corner = float(np.clip(np.sqrt(max(0.0, long * short - area) / (4 - np.pi)), 0, short / 2))
    ideals = {
        "circle": np.hypot(x - cx, y - cy) <= np.sqrt(area / np.pi),
        "square": np.maximum(np.abs(u), np.abs(v)) <= side,
        "triangle": _triangle(hull, area, x, y),
        "rounded rectangle": _rounded(u, v, long / 2, short / 2, corner),
    }
    overlaps = {name: float((ideal & mask).sum() / (ideal | mask).sum()) for name, ideal in ideals.items()}
    aspect, roundness = float(long / short), float(2 * corner / short)
    name, confidence = _decided(overlaps, aspect, roundness)
    if area < SMALLEST:
        confidence *= 0.45
    return Shape(name, confidence, overlaps, aspect, roundness)


def _decided(overlaps: dict[str, float], aspect: float, roundness: float) -> tuple[str, float]:
    """The name, and how far it is from being another one."""
    rounded = overlaps["rounded rectangle"]
    if aspect < 1.16:  # between a square and a disc lie the round corners: the roundness tells
        fits = {
            "circle": min(overlaps["circle"], 1 - max(0.0, 0.75 - roundness)),
            "square": min(max(overlaps["square"], rounded), 1 - max(0.0, roundness - 0.38)),
            "rounded rectangle": min(rounded, 1 - max(0.0, 0.38 - roundness), 1 - max(0.0, roundness - 0.75)) - 0.01,
            "triangle": overlaps["triangle"],
        }
    else:
        fits = {
            "circle": overlaps["circle"] - 0.02,
            "square": min(overlaps["square"], 1 - (aspect - 1.16)),
            "rounded rectangle": min(rounded, 1 - max(0.0, 0.15 - roundness), 1 - max(0.0, roundness - 0.85)),
            "triangle": overlaps["triangle"],
        }
    order = sorted(fits, key=lambda name: -fits[name])
    best, second = fits[order[0]], fits[order[1]]
    if best < COVERS:
        return "other", min(1.0, 0.4 + (COVERS - best) / 0.05)
    return order[0], min(1.0, 0.4 + (best - COVERS) / 0.05, 0.25 + (best - second) / 0.08)


def _hull(mask: Mask) -> Floats:
    """The corners (n, 2), x and y, of the convex hull around the mask's pixels."""
    rim = mask & ~ndimage.binary_erosion(mask)
    rows, columns = np.nonzero(rim)
    points = np.concatenate([np.column_stack([columns + dx, rows + dy]) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)])
    return np.asarray(points[ConvexHull(points).vertices], float)


def _turned(x: Floats, y: Floats, turn: float) -> tuple[Floats, Floats]:
    c, s = np.cos(turn), np.sin(turn)
    return c * x + s * y, -s * x + c * y


def _rectangle(hull: Floats) -> tuple[float, Floats, float, float]:
    """The smallest rectangle around the hull: its turn, its middle (x, y), its long and its short side."""
    best: tuple[float, float, Floats, float, float] | None = None
    edges = np.roll(hull, -1, axis=0) - hull
    for turn in np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2), 3)):
        u, v = _turned(hull[:, 0], hull[:, 1], turn)
        wide, high = float(np.ptp(u)), float(np.ptp(v))
        if best is None or wide * high < best[0]:
            mu, mv = (u.max() + u.min()) / 2, (v.max() + v.min()) / 2
            middle = np.array(_turned(mu, mv, -turn))
            best = (wide * high, turn if wide >= high else turn + np.pi / 2, middle, max(wide, high), min(wide, high))
    assert best is not None  # a hull has at least three edges
    return best[1:]


def _rounded(u: Floats, v: Floats, half_long: float, half_short: float, corner: float) -> Mask:
    du, dv = np.abs(u) - (half_long - corner), np.abs(v) - (half_short - corner)
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0)
    return np.asarray(outside <= corner, bool)


def _triangle(hull: Floats, area: int, x: Floats, y: Floats) -> Mask:
    """The largest triangle between corners of the hull, grown about its middle to the area of the object."""
    points = hull[:: max(1, len(hull) // 26)]
    corners = points[np.array(list(combinations(range(len(points)), 3)))]  # (m, 3, 2)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    best = corners[areas.argmax()]
    middle = best.mean(axis=0)
    best = middle + (best - middle) * np.sqrt(area / max(areas.max(), 1e-9))
    inside = np.ones_like(x, bool)
    for i in range(3):
        (px, py), (qx, qy) = best[i], best[(i + 1) % 3]
        side = (qx - px) * (y - py) - (qy - py) * (x - px)
        inside &= side * np.sign((qx - px) * (middle[1] - py) - (qy - py) * (middle[0] - px)) >= 0
    return inside
