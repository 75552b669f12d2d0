"""Aspect-ratio buckets: the size each image is trained at.

As in kohya's sd-scripts: sizes share about one area, each side is a multiple of the step, and an image goes to the
size of the nearest aspect ratio. Ratios are compared as ratios (2:1 is as far from 1:1 as 1:2 is), where sd-scripts
takes their difference. Nothing here opens an image; load_pixels in dataset.py crops to the size given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from loratui.lab.project.settings import Dataset

Size = tuple[int, int]  # width, height in pixels


class Pictured(Protocol):
    """All that is asked of an image here: its size in pixels."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@lru_cache(maxsize=16)
def bucket_sizes(resolution: int, step: int) -> tuple[Size, ...]:
    """All sizes (width, height), narrow to wide: multiples of `step`, at most resolution² pixels.

    No side is below half the resolution or above twice it. The square is always among them, if need be as the only
    one; sides are at least one step.
    """
    if resolution < 1 or step < 1:
        raise ValueError(f"resolution and step must be positive, not {resolution} and {step}")
    area = resolution * resolution
    square = max(step, isqrt(area) // step * step)
    sizes = {(square, square)}
    least = max(step, -(-resolution // (2 * step)) * step)
    for width in range(least, 2 * resolution + 1, step):
        height = min(area // width, 2 * resolution) // step * step
        if height >= least:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes, key=lambda size: (Fraction(*size), size)))


def nearest(width: int, height: int, sizes: Iterable[Size]) -> Size:
    """The size whose aspect ratio is the nearest to width:height; of equals the largest, then the narrowest."""

    def distance(size: Size) -> tuple[Fraction, int, int]:
        across, down = size[0] * height, size[1] * width
        return Fraction(max(across, down), min(across, down)), -size[0] * size[1], size[0]

    return min(sizes, key=distance)


def default_step(resolution: int, size_multiple: int) -> int:
    """The bucket step where the settings say 0: an eighth of the resolution, at most 64 as in sd-scripts.

    Always a multiple of `size_multiple`, which the model asks of every side.
    """
    return max(size_multiple, min(64, resolution // 8) // size_multiple * size_multiple)


def training_sizes(
    images: Iterable[Pictured], dataset: Dataset, training_resolution: int, size_multiple: int
) -> tuple[Size, ...]:
    """For each image the (width, height) it is trained at.

    `training_resolution` is the model's own, used where the settings say 0; `size_multiple` is what the model asks of
    every side. Without buckets every image becomes a square of the resolution.
    """
    resolution = dataset.resolution or training_resolution
    if not dataset.buckets:
        return tuple((resolution, resolution) for _ in images)
    sizes = bucket_sizes(resolution, dataset.bucket_step or default_step(resolution, size_multiple))
    known: dict[Size, Size] = {}
    for image in images:
        if (shape := (image.width, image.height)) not in known:
            known[shape] = nearest(*shape, sizes)
    return tuple(known[image.width, image.height] for image in images)
