"""Photocopies are told from styles, by several numbers and beside the base's pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from loratui.lab.measures import Picture, copying, diversity, drift, likeness, nearest

RED, GREEN, BLUE = (222, 26, 34), (28, 158, 62), (30, 76, 222)


def shape(
    kind: str, fill: tuple[int, int, int], at: tuple[int, int] = (64, 64), radius: int = 30, size: int = 128
) -> Picture:
    image = Image.new("RGB", (size, size), "white")
    x, y = at
    box = (x - radius, y - radius, x + radius, y + radius)
    draw = ImageDraw.Draw(image)
    if kind == "circle":
        draw.ellipse(box, fill)
    elif kind == "square":
        draw.rectangle(box, fill)
    else:
        draw.polygon([(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill)
    return np.asarray(image)


def grain(picture: Picture, seed: int) -> Picture:
    noisy = picture + np.random.default_rng(seed).normal(0, 6, picture.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


TRAINING = [shape("circle", RED), shape("square", GREEN), shape("triangle", BLUE)]
# The base draws something else for every seed.
BASE = [shape(k, c, (40 + 12 * i, 84 - 9 * i), 16 + 3 * i) for i, (k, c) in enumerate(
    [("square", BLUE), ("circle", GREEN), ("triangle", (255, 138, 0)), ("circle", (124, 40, 164)), ("square", GREEN)]
)]  # fmt: skip


def test_the_vector_tells_what_is_alike_and_what_is_not() -> None:
    trained = TRAINING[0]
    exact = likeness(trained, trained)
    assert (exact.rmse, exact.overlap, exact.aligned, exact.colour) == (0, 1, 1, 0)
    moved = likeness(shape("circle", RED, (76, 64)), trained)
    assert moved.overlap < 0.75 < 0.97 < moved.aligned and moved.colour < 2
    recoloured = likeness(shape("circle", BLUE), trained)
    assert recoloured.overlap > 0.97 and recoloured.colour > 60
    smaller = likeness(shape("circle", RED, radius=15), trained)
    assert smaller.overlap < 0.35 and smaller.aligned < 0.35 and smaller.colour < 2
    blank = likeness(np.full_like(trained, 255), trained)
    assert blank.overlap == 0 and blank.colour == 100


def test_a_training_image_of_another_size_is_scaled_first() -> None:
    small = shape("circle", RED, (32, 32), 15, 64)
    assert likeness(small, TRAINING[0]).overlap > 0.9


def test_the_nearest_image_is_told_beside_the_second_and_the_base() -> None:
    found = nearest(grain(TRAINING[1], 0), TRAINING, BASE)
    assert found.near.image == 1 and found.copy
    assert found.to_second is not None and found.to_second < 0.3
    assert found.to_base is not None and found.to_base < 0.3


def test_a_picture_no_nearer_than_the_bases_is_no_copy() -> None:
    for picture in BASE:
        assert not nearest(picture, TRAINING, BASE).copy


def test_a_photocopier_copies_and_has_no_diversity() -> None:
    found = copying([grain(TRAINING[0], seed) for seed in range(5)], TRAINING, BASE)
    assert found.copies == 5 and found.photocopier
    assert found.base_diversity is not None and found.diversity < 0.2 * found.base_diversity


def test_a_style_is_no_photocopier() -> None:
    styled = [shape("circle", RED, (44 + 10 * i, 80 - 8 * i), 14 + 4 * i) for i in range(5)]
    found = copying(styled, TRAINING, BASE)
    assert not found.photocopier and found.copies <= 1


def test_with_one_training_image_there_is_no_second() -> None:
    found = nearest(TRAINING[0], TRAINING[:1])
    assert found.to_second is None and found.to_base is None


@pytest.mark.parametrize(("pictures", "training"), [([], TRAINING), (TRAINING, [])])
def test_nothing_to_compare_is_refused(pictures: Sequence[Picture], training: Sequence[Picture]) -> None:
    with pytest.raises(ValueError, match="training images"):
        copying(pictures, training)


def test_diversity_is_none_of_one_picture_and_symmetric() -> None:
    assert diversity([TRAINING[0]]) == 0
    assert diversity(TRAINING) == pytest.approx(diversity(TRAINING[::-1]))


def test_drift_is_nothing_at_scale_zero_and_grows_with_the_change() -> None:
    before = TRAINING[0]
    none = drift(before, before)
    assert (none.rmse, none.lab, none.changed, none.overlap) == (0, 0, 0, 1) and not none.mask.any()
    little, much = drift(before, shape("circle", RED, radius=33)), drift(before, shape("square", BLUE, (40, 40)))
    assert 0 < little.rmse < much.rmse and 0 < little.changed < much.changed
    assert 1 > little.overlap > much.overlap
    assert not much.mask[120, 120] and much.mask[20, 20]


def test_drift_needs_pictures_of_one_size() -> None:
    with pytest.raises(ValueError, match="one size"):
        drift(TRAINING[0], shape("circle", RED, (32, 32), 15, 64))
