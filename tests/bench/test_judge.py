"""The judge can be trusted: its measures on pictures whose answers are known, its prompts, its intervals."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from loratui.tinyworld.scenes import COLOURS, OBJECTS, contrasting, draw, held_out, plain_scene
from tests.bench.judge import NOTHING, Pixels, background_colour, disturb, object_colour, object_pixels, to_tensor
from tests.bench.tinyworld import choose_prompts, psnr, wilson

PAIRS = [(colour, ground) for colour in COLOURS for ground in COLOURS if contrasting(colour, ground)]
COUNT = len(OBJECTS) * 8


@pytest.fixture(scope="module")
def drawn() -> tuple[list[tuple[str, str]], Pixels]:
    """Colour and background of every object eight times over, and the pictures."""
    rng = np.random.default_rng(11)
    answers = [PAIRS[i] for i in rng.integers(len(PAIRS), size=COUNT)]
    scenes = [plain_scene(OBJECTS[i % len(OBJECTS)], c, b, i) for i, (c, b) in enumerate(answers)]
    return answers, np.stack([np.asarray(draw(scene)) for scene in scenes])


@pytest.mark.parametrize("disturbed", [False, True], ids=["as drawn", "disturbed"])
def test_colours_are_measured_right_in_97_of_100(drawn: tuple[list[tuple[str, str]], Pixels], disturbed: bool) -> None:
    answers, pictures = drawn
    if disturbed:
        moved = disturb(to_tensor(pictures), torch.Generator().manual_seed(0))
        pictures = ((moved + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    colour = np.mean([object_colour(p) == a[0] for p, a in zip(pictures, answers, strict=True)])
    ground = np.mean([background_colour(p) == a[1] for p, a in zip(pictures, answers, strict=True)])
    print(f"error rates over {COUNT}: object colour {1 - colour:.2%}, background {1 - ground:.2%}")
    assert colour >= 0.97
    assert ground >= 0.97


def test_a_small_cast_changes_no_name(drawn: tuple[list[tuple[str, str]], Pixels]) -> None:
    """Models do not hit colours exactly: each picture is shifted by about eight levels, another way a channel."""
    answers, pictures = drawn
    cast = np.random.default_rng(2).normal(0, 8, (COUNT, 1, 1, 3))
    shifted = np.clip(pictures + cast, 0, 255).astype(np.uint8)
    assert np.mean([object_colour(p) == a[0] for p, a in zip(shifted, answers, strict=True)]) >= 0.97


def test_an_empty_picture_has_a_background_and_no_object() -> None:
    picture = np.full((64, 64, 3), COLOURS["pink"], np.uint8)
    assert (background_colour(picture), object_colour(picture)) == ("pink", NOTHING)
    assert not object_pixels(picture).any()


def test_a_flat_brown_shape_is_brown_and_not_orange_in_shade() -> None:
    picture = np.full((64, 64, 3), COLOURS["purple"], np.uint8)
    picture[16:48, 16:48] = (134, 74, 22)
    assert object_colour(picture) == "brown"


def test_details_do_not_outvote_the_object() -> None:
    picture = np.full((64, 64, 3), COLOURS["green"], np.uint8)
    picture[12:52, 12:52] = COLOURS["yellow"]
    picture[16:30, 16:48] = (25, 25, 30)
    assert object_colour(picture) == "yellow"


def test_prompts_are_held_out_all_different_and_evenly_spread() -> None:
    prompts = choose_prompts(200)
    assert prompts == choose_prompts(200)
    assert all(held_out(p.colour, p.object, p.background) and contrasting(p.colour, p.background) for p in prompts)
    assert len({p.text for p in prompts}) == 200
    assert prompts[:50] == choose_prompts(50)
    things = Counter(p.object for p in prompts)
    assert set(things) == set(OBJECTS)
    assert max(things.values()) <= 1.6 * min(things.values())
    for fact in ("colour", "background"):
        counts = Counter(getattr(p, fact) for p in prompts)
        assert set(counts) == set(COLOURS)
        assert max(counts.values()) <= 3 * min(counts.values())


def test_intervals_and_decibels_are_the_textbook_ones() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)
    black = np.zeros((1, 64, 64, 3), np.uint8)
    assert psnr(black, black + np.uint8(255)) == pytest.approx(0)
    assert psnr(black, black + np.uint8(1)) == pytest.approx(48.13, abs=0.01)
