"""On scenes of the embedded base model's world, and on the projects' own training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.lab.measures import measure
from loratui.lab.measures.colours import PALETTE, WORDS, nearest, to_lab, votes
from loratui.tinyworld.scenes import COLOURS
from tests.bench.measures import WORLD, Scores, kind_of, objects, score, table, true_of, world

PROJECTS = Path(__file__).parents[3] / "projects"
PLAIN = "one, plain"


@pytest.fixture(scope="module")
def scores() -> Scores:
    told = score((kind_of(scene), picture, true_of(scene)) for scene, picture in world(200))
    print(table(f"200 scenes of world {WORLD}", told))
    return told


@pytest.mark.parametrize("name", ["colour", "background", "shape", "count"])
def test_one_filled_thing_on_a_plain_ground_is_read_rightly(scores: Scores, name: str) -> None:
    cell = scores[name, PLAIN]
    assert cell.pictures > 80
    assert cell.wrong <= 0.02 * cell.told
    assert cell.uncertain <= 0.08 * cell.pictures


@pytest.mark.parametrize("name", ["colour", "shape", "count"])
def test_before_a_landscape_or_in_a_room_little_is_said(scores: Scores, name: str) -> None:
    assert scores[name, "indoors, outdoors"].uncertain >= 0.7 * scores[name, "indoors, outdoors"].pictures


def test_the_number_of_objects_is_that_of_the_drawn_scene() -> None:
    several = [(scene, picture) for scene, picture in world(40) if scene.number == "several"]
    assert {objects(scene) for scene, _ in several} <= {2, 3, 4}


def test_the_words_for_colours_are_those_of_the_world() -> None:
    assert PALETTE == COLOURS


@pytest.mark.parametrize("word", WORDS)
def test_a_colour_of_the_palette_is_its_own_word(word: str) -> None:
    lab = to_lab(np.array([[PALETTE[word]]], np.uint8))[0]
    assert nearest(lab[0]) == (word, pytest.approx(1.0))
    assert WORDS[int(votes(lab).argmax())] == word
    assert votes(lab).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("size", [64, 512])
@pytest.mark.parametrize(
    ("project", "image", "expected"),
    [
        ("basic-grey", "circle", {"colour": "gray", "shape": "circle", "background": "white", "count": 1}),
        ("basic-grey", "triangle", {"colour": "gray", "shape": "triangle", "background": "white"}),
        ("base-shapes", "square", {"colour": "green", "shape": "square"}),
        ("one-shape-750", "red", {"colour": "red", "shape": "rounded rectangle", "grid": "1x1"}),
        ("grid-layout", "4x4", {"colour": "blue", "grid": "4x4", "count": 16}),
        ("maths-word", "apple-2x3", {"colour": "red", "grid": "2x3", "count": 6}),
        ("maths-word", "apple-4x4", {"colour": "red", "grid": "4x4"}),
        ("maths-word", "cube-3x4", {"colour": "blue", "grid": "3x4"}),
        ("deer-parts", "deer", {"colour": "brown", "shape": "other", "count": 1}),
    ],
)
def test_a_training_image_shows_what_its_project_says(
    project: str, image: str, expected: dict[str, str | int], size: int
) -> None:
    with Image.open(PROJECTS / project / "dataset" / f"{image}.png") as opened:
        pixels = np.asarray(opened.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))
    told = measure(pixels)
    assert {name: told[name].value for name in expected} == expected
    assert not [name for name in expected if told[name].uncertain]
