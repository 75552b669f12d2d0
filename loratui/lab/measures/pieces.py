"""Single objects out of a mask: parted where they hang together only by a thin neck. Counting is in `layout`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from loratui.lab.measures.reading import Floats, Mask

ALIKE = 0.22  # a patch smaller than this share of the largest is a detail, not an object
NECK = 0.56  # two parts are two objects if the neck between them is thinner than this share of their width


@dataclass(frozen=True, eq=False)
class Pieces:
    masks: tuple[Mask, ...]  # one an object, in reading order of their centres
    patches: int  # how many hang together: as many as there are objects, or fewer where objects touch
    doubtful: int  # patches so near to the limit of size that they may or may not be objects

    @property
    def centres(self) -> Floats:
        """(n, 2): row and column of the middle of each, in pixels."""
        return np.array([ndimage.center_of_mass(mask) for mask in self.masks]).reshape(-1, 2)

    @property
    def unevenness(self) -> float:
        """How much their areas differ: standard deviation over mean."""
        areas = np.array([mask.sum() for mask in self.masks], float)
        return float(areas.std() / areas.mean()) if len(areas) else 0.0


def pieces(mask: Mask) -> Pieces:
    """The objects of a mask."""
    labels, found = ndimage.label(mask)
    if not found:
        return Pieces((), 0, 0)
    sizes = np.bincount(labels.ravel())[1:]
    largest = sizes.max()
    numbers = [i + 1 for i, size in enumerate(sizes) if size >= ALIKE * largest]
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    typical = float(np.median([depth[labels == number].max() for number in numbers]))
    parts: list[Mask] = []
    for number in numbers:
        parts += _parted(labels == number, depth, typical)
    areas = np.array([part.sum() for part in parts])
    left = np.delete(sizes, np.array(numbers) - 1)
    limit = ALIKE * areas.max()
    doubtful = int((areas < 1.7 * limit).sum() + (left >= 0.5 * limit).sum())
    parts.sort(key=lambda part: ndimage.center_of_mass(part))
    return Pieces(tuple(parts), len(numbers), doubtful)


def _parted(patch: Mask, depth: Floats, typical: float) -> list[Mask]:
    """The patch in parts, each around a core that is thick; the patch itself if it has one core."""
    thick = min(typical, float(depth[patch].max()))
    cores, found = ndimage.label(patch & (depth > NECK * thick))
    if found < 2 or thick < 2:
        return [patch]
    deepest = ndimage.maximum(depth, cores, np.arange(1, found + 1))
    kept = [i + 1 for i, most in enumerate(deepest) if most >= 0.72 * thick]
    if len(kept) < 2:
        return [patch]
    seeds = np.where(np.isin(cores, kept), cores, 0)
    nearest = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    owner = seeds[tuple(nearest)]
    return [patch & (owner == number) for number in kept]
