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

SMALLEST = 80  # pixels: below, all shapes look alike
COVERS = 0.885  # overlap with the ideal that makes a shape of that name
CORNERED = 0.026  # see _corners: 0.045 for a hexagon
OBLONG = 1.16  # a rectangle with longer sides than this is no square


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
    aspect = float(long / short)
    rectangles = [_overlap(_rounded(u, v, area, aspect, rho), mask) for rho in _ROUND]
    roundness = float(_ROUND[int(np.argmax(rectangles))])
    overlaps = {
        "circle": _overlap(np.hypot(x - cx, y - cy) <= np.sqrt(area / np.pi), mask),
        "square": _overlap(_rounded(u, v, area, 1.0, 0.0), mask),
        "triangle": _triangle(hull, mask, x, y),
        "rounded rectangle": max(rectangles),
    }
    name, confidence = _decided(overlaps, aspect, roundness)
    if name == "circle" and _corners(mask, cx, cy) > CORNERED:
        name, confidence = "other", 0.7
    if area < SMALLEST:
        confidence *= 0.45
    return Shape(name, confidence, overlaps, aspect, roundness)


_ROUND = np.linspace(0, 1, 11)


def _overlap(ideal: Mask, mask: Mask) -> float:
    """Intersection over union."""
    return float((ideal & mask).sum() / (ideal | mask).sum())


def _decided(overlaps: dict[str, float], aspect: float, roundness: float) -> tuple[str, float]:
    """The name, and how far it is from being another one."""
    rounded = overlaps["rounded rectangle"]
    low, high = (0.42, 0.75) if aspect < OBLONG else (0.15, 0.85)
    too_sharp, too_round = max(0.0, low - roundness), max(0.0, roundness - high)
    fits = {
        "circle": overlaps["circle"] - 0.3 * (max(0.0, 0.95 - roundness) if aspect < OBLONG else 0.1),
        "square": max(overlaps["square"], rounded - max(0.0, aspect - 1.05)) - max(0.0, roundness - low),
        "rounded rectangle": rounded - max(too_sharp, too_round) - (0.01 if aspect < OBLONG else 0),
        "triangle": overlaps["triangle"],
    }
    if aspect >= OBLONG:
        fits["square"] = overlaps["square"] - (aspect - OBLONG)
    order = sorted(fits, key=lambda name: -fits[name])
    best, second = fits[order[0]], fits[order[1]]
    if order[0] == "square":  # many slanted things are nearly square
        best -= 0.02
    if best < COVERS:
        return "other", min(1.0, 0.3 + (COVERS - best) / 0.05)
    return order[0], min(1.0, 0.35 + (best - COVERS) / 0.05, 0.25 + (best - second) / 0.08)


def _corners(mask: Mask, cx: float, cy: float) -> float:
    """How much the rim goes in and out five to seven times around, as a share of the radius."""
    rows, columns = np.nonzero(mask & ~ndimage.binary_erosion(mask))
    angles, radii = np.arctan2(rows - cy, columns - cx), np.hypot(rows - cy, columns - cx)
    bins = ((angles + np.pi) / (2 * np.pi) * 32).astype(int) % 32  # the rim's pixels are not even over the angles
    filled = np.bincount(bins, minlength=32)
    if not filled.all():
        return 0.0
    profile = np.bincount(bins, radii, 32) / filled
    waves = np.abs(np.fft.rfft(profile))[5:8] / 16
    return float(waves.max() / profile.mean())


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


def _rounded(u: Floats, v: Floats, area: int, aspect: float, roundness: float) -> Mask:
    """A rectangle about (0, 0) of this area and aspect; its corners are arcs, of half its short side at roundness 1."""
    short = np.sqrt(area / (aspect - (1 - np.pi / 4) * roundness**2))
    corner = roundness * short / 2
    du, dv = np.abs(u) - (aspect * short / 2 - corner), np.abs(v) - (short / 2 - corner)
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0)
    return np.asarray(outside <= corner, bool)


def _triangle(hull: Floats, mask: Mask, x: Floats, y: Floats) -> float:
    """Overlap with the largest triangle between corners of the hull, which then grows and shifts to fit better."""
    area = int(mask.sum())
    points = hull[:: max(1, len(hull) // 26)]
    corners = points[np.array(list(combinations(range(len(points)), 3)))]  # (m, 3, 2)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    best = corners[areas.argmax()]
    best = best.mean(axis=0) + (best - best.mean(axis=0)) * np.sqrt(area / max(areas.max(), 1e-9))
    most = _overlap(_within(best, x, y), mask)
    if most < 0.75:
        return most
    for reach in (0.04, 0.02):
        shift = reach * np.sqrt(area)
        for i in range(3):
            for step in ((shift, 0.0), (-shift, 0.0), (0.0, shift), (0.0, -shift)):
                other = best.copy()
                other[i] += step
                fits = _overlap(_within(other, x, y), mask)
                if fits > most:
                    best, most = other, fits
    return most


def _within(corners: Floats, x: Floats, y: Floats) -> Mask:
    inside = np.ones_like(x, bool)
    middle = corners.mean(axis=0)
    for i in range(3):
        (px, py), (qx, qy) = corners[i], corners[(i + 1) % 3]
        side = (qx - px) * (y - py) - (qy - py) * (x - px)
        inside &= side * np.sign((qx - px) * (middle[1] - py) - (qy - py) * (middle[0] - px)) >= 0
    return inside
