"""An answer carries its confidence and its mask, is pure, and says when it does not know."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from loratui.lab.measures import MEASURES, Measured, Picture, look, measure
from loratui.lab.measures.colours import WORDS
from loratui.lab.measures.measuring import centre_bias, centre_pull, colour, count, coverage, grid, shape, whiteness
from loratui.lab.project.expected import COLOURS
from loratui.lab.project.expected import MEASURES as NAMES


def canvas(width: int = 64, height: int = 64, ground: str = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), ground)
    return image, ImageDraw.Draw(image)


def pixels(image: Image.Image) -> Picture:
    return np.asarray(image)


def red_disc(width: int = 64, height: int = 64, at: tuple[int, int] = (32, 32), radius: int = 14) -> Picture:
    image, draw = canvas(width, height)
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), (222, 26, 34))
    return pixels(image)


def noise(seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (65, 63), (300, 200), (512, 512), (333, 517)])
def test_every_measure_answers_with_a_mask_of_the_pictures_size(size: tuple[int, int]) -> None:
    width, height = size
    told = measure(red_disc(width, height, (width // 2, height // 2), min(size) // 4))
    assert list(told) == list(MEASURES)
    for name, answer in told.items():
        assert answer.name == name
        assert answer.mask.shape == (height, width) and answer.mask.dtype == np.bool_
        assert 0 <= answer.confidence <= 1
        assert not answer.uncertain
    assert (told["colour"].value, told["shape"].value, told["count"].value) == ("red", "circle", 1)


def test_all_that_a_prompt_can_expect_by_name_has_its_measure() -> None:
    assert set(MEASURES) == set(NAMES)
    assert COLOURS == WORDS


def test_a_picture_is_not_changed_and_gives_the_same_answers_twice() -> None:
    picture = red_disc()
    before = picture.copy()
    first, second = measure(picture), measure(picture)
    assert (picture == before).all()
    assert {n: (m.value, m.confidence, m.reason) for n, m in first.items()} == {
        n: (m.value, m.confidence, m.reason) for n, m in second.items()
    }


def test_a_picture_taken_apart_once_serves_every_measure() -> None:
    seen = look(red_disc())
    assert look(seen) is seen
    assert colour(seen).value == colour(red_disc()).value


def test_an_answer_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        colour(red_disc()).value = "blue"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((8, 64, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(wrong: Picture) -> None:
    with pytest.raises(ValueError, match="picture"):
        measure(wrong)


@pytest.mark.parametrize("ground", ["white", "black", "gray", "#1e4cde"])
def test_an_empty_picture_shows_nothing_and_that_is_sure(ground: str) -> None:
    told = measure(pixels(canvas(ground=ground)[0]))
    assert (told["count"].value, told["count"].uncertain) == (0, False)
    for name in ("colour", "shape", "grid"):
        assert told[name].value is None and told[name].words == "nothing" and not told[name].uncertain
    assert told["coverage"].value == 0
    assert told["centre_bias"].uncertain and told["edge_steepness"].uncertain
    assert not told["background"].uncertain


def test_in_pure_noise_no_shape_colour_or_number_is_sure() -> None:
    for seed in range(4):
        told = measure(noise(seed))
        assert [name for name in ("colour", "shape", "count", "grid") if not told[name].uncertain] == []
        assert all(told[name].reason and told[name].words.endswith("?") for name in ("colour", "shape", "count"))


def test_even_noise_pulls_nowhere_and_a_disc_pulls_to_the_centre() -> None:
    pulls = [centre_pull(noise(seed)).value for seed in range(6)]
    assert all(isinstance(pull, float) and abs(pull) < 0.08 for pull in pulls)
    pull = centre_pull(red_disc()).value
    assert isinstance(pull, float) and pull > 0.8


@pytest.mark.parametrize(("at", "bias"), [((32, 32), 0.0), ((48, 32), 0.5), ((32, 16), 0.5), ((48, 48), 0.71)])
def test_the_centre_bias_is_in_halves_of_the_picture(at: tuple[int, int], bias: float) -> None:
    answer = centre_bias(red_disc(at=at))
    assert answer.value == pytest.approx(bias, abs=0.04) and not answer.uncertain


def test_coverage_and_whiteness_are_shares() -> None:
    assert coverage(red_disc(radius=14)).value == pytest.approx(np.pi * 14.5**2 / 64**2, rel=0.05)
    assert whiteness(red_disc()).value == 1.0
    image, draw = canvas(ground="#e8d8d8")
    draw.ellipse((20, 20, 44, 44), "blue")
    assert whiteness(pixels(image)).value == 0.0


@pytest.mark.parametrize(("rows", "columns"), [(r, c) for r in range(1, 7) for c in range(1, 7)])
def test_grids_to_six_by_six_are_counted(rows: int, columns: int) -> None:
    image, draw = canvas(128, 128)
    pitch = 120 / max(rows, columns)
    for row in range(rows):
        for column in range(columns):
            x, y = 4 + column * pitch, 4 + row * pitch
            draw.rectangle((x, y, x + 0.75 * pitch, y + 0.75 * pitch), (30, 76, 222))
    seen = look(pixels(image))
    assert grid(seen).value == f"{rows}x{columns}" and not grid(seen).uncertain
    assert count(seen).value == rows * columns


def test_a_grid_with_one_missing_is_no_grid() -> None:
    image, draw = canvas(128, 128)
    for i in range(8):
        x, y = 12 + 40 * (i % 3), 12 + 40 * (i // 3)
        draw.ellipse((x, y, x + 24, y + 24), "red")
    answer = grid(pixels(image))
    assert answer.value == "no grid" and not answer.uncertain
    assert count(pixels(image)).value == 8


def test_details_of_a_thing_are_no_objects() -> None:
    image, draw = canvas(128, 128)
    draw.ellipse((30, 30, 100, 100), "red")
    draw.ellipse((104, 20, 110, 26), "green")
    assert count(pixels(image)).value == 1


def test_two_discs_that_touch_are_two_and_uncertain() -> None:
    image, draw = canvas(128, 128)
    draw.ellipse((20, 40, 66, 86), "red")
    draw.ellipse((62, 40, 108, 86), "red")
    answer = count(pixels(image))
    assert answer.value == 2 and answer.uncertain and "1 if touching" in answer.reason
    assert shape(pixels(image)).value == "circle"


def test_an_outline_has_the_colour_of_its_line() -> None:
    image, draw = canvas(128, 128)
    draw.ellipse((30, 30, 98, 98), outline=(28, 158, 62), width=6)
    answer = colour(pixels(image))
    assert answer.value == "green" and not answer.uncertain
    assert not answer.mask[64, 64]


def test_the_mask_is_of_what_was_measured() -> None:
    answer: Measured = coverage(red_disc(at=(20, 40), radius=10))
    assert answer.mask[40, 20] and not answer.mask[10, 50]


def test_the_rest_of_the_lab_loads_no_scipy() -> None:
    code = "import loratui.lab.project.prompts, loratui.lab.notes.comparison, sys; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
