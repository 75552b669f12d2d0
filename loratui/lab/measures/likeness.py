"""How near pictures are to the training images, to each other, and to the base model's.

Nearness is told as a vector (where, how bright, which colour) and against a yardstick, never as one score: a blank
picture is already close to a small object on white. Training images are best given as the autoencoder returns them;
else its losses look like a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from loratui.lab.measures.colours import to_lab
from loratui.lab.measures.looking import Look, look
from loratui.lab.measures.reading import Floats, Mask, Picture

SEEN = 10.0  # CIELAB distance from which on a pixel has visibly changed
HALF = 0.5  # a picture is a near copy at half the distance that the base's pictures have ...
LONE = 0.7  # ... and if no other training image is nearly as near


@dataclass(frozen=True)
class Likeness:
    """A picture beside one training image."""

    image: int  # which
    rmse: float  # 0..1, of all pixels and channels
    overlap: float  # of what stands out, intersection over union, 0..1
    aligned: float  # the same with both moved to one middle: the same shape elsewhere
    colour: float  # CIELAB, between the colours of what stands out; 0 where nothing does in either


@dataclass(frozen=True)
class Nearest:
    """The training image a picture is nearest to by RMSE, and how that compares."""

    near: Likeness
    to_second: float | None  # its RMSE over that of the second nearest; None with one training image
    to_base: float | None  # its RMSE over the median of the base's pictures to the same image; None without those

    @property
    def copy(self) -> bool:
        """Whether it looks like a photocopy: far nearer than the base's pictures are, and than to any other image."""
        nearer = self.to_base is None or self.to_base < HALF
        return nearer and (self.to_second is None or self.to_second < LONE) and self.near.overlap > 0.75


@dataclass(frozen=True)
class Copying:
    """The pictures of one prompt, one a seed."""

    nearest: tuple[Nearest, ...]
    copies: int
    diversity: float  # mean RMSE between two of the pictures; 0 where all are one
    base_diversity: float | None

    @property
    def photocopier(self) -> bool:
        """Most are copies, and they differ far less than the base's do. A style has neither."""
        alike = self.base_diversity is None or self.diversity < HALF * self.base_diversity
        return 2 * self.copies > len(self.nearest) and (alike or len({n.near.image for n in self.nearest}) > 1)


@dataclass(frozen=True, eq=False)
class Drift:
    """How far the LoRA has moved a picture from the base's of the same seed."""

    rmse: float  # 0..1
    lab: float  # mean CIELAB distance
    changed: float  # share of the pixels that have visibly changed
    overlap: float  # of what stands out in either
    mask: Mask  # the pixels that have changed


def likeness(picture: Picture | Look, image: Picture, number: int = 0) -> Likeness:
    """The picture beside a training image, which is scaled to its size."""
    seen = look(picture)
    trained = look(_sized(image, seen.picture))
    return _likeness(seen, trained, number)


def nearest(picture: Picture | Look, training: Sequence[Picture], base: Sequence[Picture] = ()) -> Nearest:
    """The nearest training image; `base` are the base model's pictures of the same prompt. ValueError for no images."""
    return copying([picture], training, base).nearest[0]


def copying(pictures: Sequence[Picture | Look], training: Sequence[Picture], base: Sequence[Picture] = ()) -> Copying:
    """What of the pictures is copied. ValueError if there are no pictures or no training images."""
    if not pictures or not training:
        raise ValueError("copies need pictures and training images")
    seen = [look(picture) for picture in pictures]
    trained = [look(_sized(image, seen[0].picture)) for image in training]
    yardsticks = [[_rmse(_sized(picture, t.picture), t.picture) for picture in base] for t in trained]
    found = []
    for one in seen:
        likes = sorted((_likeness(one, t, i) for i, t in enumerate(trained)), key=lambda like: like.rmse)
        first = likes[0]
        found.append(
            Nearest(
                first,
                _over(first.rmse, likes[1].rmse) if len(likes) > 1 else None,
                _over(first.rmse, float(np.median(yardsticks[first.image]))) if base else None,
            )
        )
    return Copying(
        tuple(found),
        sum(one.copy for one in found),
        diversity([one.picture for one in seen]),
        diversity(base) if len(base) > 1 else None,
    )


def diversity(pictures: Sequence[Picture]) -> float:
    """The mean RMSE between two of the pictures, 0..1; 0 of one picture."""
    pairs = [_rmse(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    return float(np.mean(pairs)) if pairs else 0.0


def drift(base: Picture | Look, lora: Picture | Look) -> Drift:
    """From the base's picture to the LoRA's of the same seed. ValueError if their sizes differ."""
    before, after = look(base), look(lora)
    if before.picture.shape != after.picture.shape:
        raise ValueError("drift needs two pictures of one size and one seed")
    moved = np.linalg.norm(to_lab(before.picture) - to_lab(after.picture), axis=2)
    changed: Mask = moved > SEEN
    return Drift(
        _rmse(before.picture, after.picture),
        float(moved.mean()),
        float(changed.mean()),
        _overlap(before.mask, after.mask),
        changed,
    )


def _likeness(seen: Look, trained: Look, number: int) -> Likeness:
    colours = [np.median(one.lab[one.mask], axis=0) if not one.empty else None for one in (seen, trained)]
    a, b = colours
    apart = 0.0 if a is None and b is None else 100.0 if a is None or b is None else float(np.linalg.norm(a - b))
    return Likeness(
        number,
        _rmse(seen.picture, trained.picture),
        _overlap(seen.mask, trained.mask),
        _overlap(_centred(seen.mask), _centred(trained.mask)),
        apart,
    )


def _sized(image: Picture, like: Picture) -> Picture:
    if image.shape == like.shape:
        return image
    size = (like.shape[1], like.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS), np.uint8)


def _rmse(a: Picture, b: Picture) -> float:
    if a.shape != b.shape:
        raise ValueError("pictures to compare are of one size")
    return float(np.sqrt(np.square(a.astype(float) - b).mean()) / 255)


def _over(a: float, b: float) -> float:
    return a / b if b > 1e-9 else 1.0


def _overlap(a: Mask, b: Mask) -> float:
    union = int((a | b).sum())
    return float((a & b).sum() / union) if union else 1.0


def _centred(mask: Mask) -> Mask:
    """With the middle of what stands out in the middle; on a canvas twice as large, so that nothing is lost."""
    height, width = mask.shape
    canvas: Floats = np.zeros((2 * height, 2 * width))
    canvas[height // 2 : height // 2 + height, width // 2 : width // 2 + width] = mask
    if not mask.any():
        return canvas > 0.5
    y, x = ndimage.center_of_mass(canvas)
    shift = (round(height - 0.5 - y), round(width - 0.5 - x))
    return np.roll(canvas, shift, axis=(0, 1)) > 0.5
