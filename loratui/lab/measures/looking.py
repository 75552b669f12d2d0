"""Tells what stands out in a picture from what lies behind it: the ground, and the mask of the foreground.

Made for objects on a plain or evenly shaded ground. On anything else it still answers, and says how little the ground
is one: every measure that builds on the mask is then uncertain. It names no colour and no shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from loratui.lab.measures.colours import to_lab
from loratui.lab.measures.pieces import Pieces, pieces
from loratui.lab.measures.reading import Floats, Mask, Picture, checked

LARGEST = 160  # pixels a side: larger pictures are averaged down before anything but edges is measured
FLOOR = 11.0  # CIELAB distance below which nothing stands out
CAP = 60.0  # distances above count as this: a black rim must not hide a yellow object
NEAR = 14.0  # CIELAB distance within which the border is of one colour
PLAIN = 0.62  # share of the border that has to be of one colour
EVEN = 0.85  # share of the border that an evenly changing colour has to explain
NOISY = 35.0  # CIELAB: more noise than this, and anything could be behind it
SPECK = 0.0012  # share of the picture below which a patch is dirt


@dataclass(frozen=True, eq=False)
class Look:
    """A picture taken apart once, for any number of measures."""

    picture: Picture
    step: int  # a pixel of the arrays below is step x step pixels of the picture
    lab: Floats  # (h, w, 3), softened against noise
    ground: Floats  # (h, w, 3) or (3,): the colour behind, in CIELAB
    kind: str  # "plain", "gradient", or "busy": no one ground was found
    share: float  # of the border that is of the ground's colour
    noise: float  # CIELAB, standard deviation before softening
    away: Floats  # (h, w): distance from the ground
    threshold: float  # at which a pixel stands out
    levels: tuple[Mask, Mask, Mask]  # what stands out at a lower threshold, at this one, and at a higher one

    @property
    def mask(self) -> Mask:
        return self.levels[1]

    @property
    def empty(self) -> bool:
        return not self.mask.any()

    @cached_property
    def objects(self) -> tuple[Pieces, Pieces, Pieces]:
        """The objects at each of the three thresholds."""
        low, middle, high = (pieces(level) for level in self.levels)
        return low, middle, high

    @cached_property
    def steadiness(self) -> float:
        """0..1: how little the mask depends on the threshold. Shadows, halos and texture make it small."""
        low, _, high = self.levels
        union = int((low | high).sum())
        return float((low & high).sum() / union) if union else 1.0

    def enlarged(self, mask: Mask) -> Mask:
        """A mask of these arrays as large as the picture."""
        height, width = self.picture.shape[:2]
        if self.step == 1:
            return mask.copy()
        large = np.repeat(np.repeat(mask, self.step, axis=0), self.step, axis=1)
        return np.pad(large, ((0, self.step), (0, self.step)), mode="edge")[:height, :width]

    @cached_property
    def behind(self) -> Mask:
        """The ground, well away from what stands out."""
        far: Mask = ~ndimage.binary_dilation(self.levels[0], iterations=2)
        return far if far.sum() >= 0.02 * far.size else ~self.mask


def look(picture: Picture | Look) -> Look:
    """The picture taken apart; what has been is handed back. Raises ValueError for what is no picture."""
    if isinstance(picture, Look):
        return picture
    step = -(-max(checked(picture).shape[:2]) // LARGEST)
    lab = to_lab(_averaged(picture, step))
    noise = _noise(lab)
    soft = min(1.5, 0.5 + 0.08 * noise, 0.02 * min(lab.shape[:2]))
    lab = ndimage.gaussian_filter(lab, (soft, soft, 0), mode="nearest")
    ground, kind, share = _ground(lab, noise)
    away = np.linalg.norm(lab - ground, axis=2)
    floor = max(FLOOR, 1.2 * noise)
    threshold = max(floor, _otsu(np.minimum(away, CAP)))
    low, high = max(floor * 0.8, 0.72 * threshold), 1.35 * threshold
    levels = [_clean(_edged(away > level, away), noise) for level in (low, threshold, high)]
    return Look(picture, step, lab, ground, kind, share, noise, away, threshold, (levels[0], levels[1], levels[2]))


def _averaged(picture: Picture, step: int) -> Floats:
    """Means of step x step pixels; what is left over at the right and at the bottom is left out."""
    if step == 1:
        return picture.astype(float)
    height, width = (side // step for side in picture.shape[:2])
    blocks = picture[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3)), float)


def _noise(lab: Floats) -> float:
    """Standard deviation of a pixel from its neighbours; flat parts decide, so edges count for nothing."""
    steps = np.abs(np.diff(lab, axis=1))
    return float(np.linalg.norm(1.4826 * np.median(steps, axis=(0, 1)) / np.sqrt(2)))


def _ground(lab: Floats, noise: float) -> tuple[Floats, str, float]:
    """The colour behind, what kind of ground that is, and the share of the border that agrees."""
    height, width = lab.shape[:2]
    deep = max(2, round(0.04 * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[deep:-deep, deep:-deep] = False
    colours = lab[ring]
    near = NEAR + 0.5 * noise
    some = colours[:: max(1, len(colours) // 160)]
    crowd = np.linalg.norm(some[:, None] - some, axis=2) < near
    plain = np.median(some[crowd[crowd.sum(axis=1).argmax()]], axis=0)
    share = float((np.linalg.norm(colours - plain, axis=1) < near).mean())
    if noise > NOISY:
        return plain, "busy", share
    corners = _corners(lab, 2 * deep)
    other = int((np.linalg.norm(corners - plain, axis=1) >= near).sum())
    if share >= PLAIN and other < 2:  # one corner may be hidden by an object; two hardly
        return plain, "plain", share
    slope = _plane(colours, np.argwhere(ring).astype(float), height, width)
    fits = float((np.linalg.norm(colours - slope[ring], axis=1) < 0.55 * near).mean())
    if fits >= EVEN:
        return slope, "gradient", fits
    return plain, "busy", share


def _corners(lab: Floats, side: int) -> Floats:
    """The colours of the four corners, (4, 3)."""
    ends = (slice(None, side), slice(-side, None))
    return np.array([np.median(lab[rows, columns].reshape(-1, 3), axis=0) for rows in ends for columns in ends])


def _plane(colours: Floats, places: Floats, height: int, width: int) -> Floats:
    """A colour that changes evenly from side to side, fitted to the best-fitting 60 % of the border."""
    places = places / np.array([height, width]) - 0.5
    terms = np.column_stack([np.ones(len(places)), places, places[:, 0] ** 2, places[:, 1] ** 2])
    keep = np.ones(len(places), bool)
    for _ in range(6):
        weights = np.asarray(np.linalg.lstsq(terms[keep], colours[keep], rcond=None)[0], float)
        errors = np.linalg.norm(colours - terms @ weights, axis=1)
        keep = errors <= np.quantile(errors, 0.6)
    y, x = (np.mgrid[:height, :width] / np.array([height, width])[:, None, None]) - 0.5
    return np.stack([np.ones_like(x), y, x, y**2, x**2], axis=-1) @ weights


def _otsu(values: Floats) -> float:
    """The value that best parts the values in two (Otsu 1979); 0 where all are alike."""
    counts, edges = np.histogram(values, bins=120)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    apart = np.nan_to_num(apart)
    if apart.max() <= 0:
        return 0.0
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))  # an empty stretch between the two: take its middle
    return float(edges[1:-1][best].mean())


def _edged(mask: Mask, away: Floats) -> Mask:
    """The mask with its edge where it is half way between the ground and the object beside it, not before."""
    reach = max(2, round(0.03 * min(mask.shape)))
    inner = ndimage.binary_erosion(mask, iterations=reach, border_value=1)
    half: Mask = away > 0.5 * ndimage.maximum_filter(away, 2 * reach + 1)
    return inner | (mask & half)


def _clean(mask: Mask, noise: float) -> Mask:
    """Without holes and without dirt."""
    mask = ndimage.binary_fill_holes(mask)
    if noise > 12 and min(mask.shape) >= 96:
        mask = ndimage.binary_opening(mask)
    labels, found = ndimage.label(mask, np.ones((3, 3)))
    if not found:
        return np.asarray(mask, bool)
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(4.0, SPECK * mask.size * (2 if noise > 8 else 1))
    keep[0] = False
    return np.asarray(keep[labels], bool)
