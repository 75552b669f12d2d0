"""An `expect` table is held against a picture: held, not, or uncertain with the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from loratui.lab.measures import HELD, NOT, UNCERTAIN, Picture, judge
from loratui.lab.project.expected import faults
from loratui.lab.project.prompts import prompt_from_table
from loratui.lab.project.schema import Problem


def discs(count: int = 1, fill: str = "red", ground: str = "white") -> Picture:
    image = Image.new("RGB", (128, 128), ground)
    draw = ImageDraw.Draw(image)
    for i in range(count):
        x, y = (44, 44) if count == 1 else (10 + 40 * (i % 3), 10 + 40 * (i // 3))
        draw.ellipse((x, y, x + (40 if count == 1 else 26), y + (40 if count == 1 else 26)), fill)
    return np.asarray(image)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, HELD),
    ({"colour": "blue"}, NOT),
    ({"colour": ["blue", "red"]}, HELD),
    ({"shape": "circle"}, HELD),
    ({"shape": ["square", "triangle"]}, NOT),
    ({"background": "white"}, HELD),
    ({"background": "gradient"}, NOT),
    ({"count": 1}, HELD),
    ({"count": 2}, NOT),
    ({"count": [1, 3]}, HELD),
    ({"count": [2, 3]}, NOT),
    ({"count": [1]}, HELD),
    ({"grid": "1x1"}, HELD),
    ({"grid": ["2x2", "3x3"]}, NOT),
    ({"centre_bias": [0.0, 0.1]}, HELD),
    ({"coverage": [0.5, 1.0]}, NOT),
    ({"whiteness": 1}, HELD),
]


@pytest.mark.parametrize(("expect", "answer"), CASES)
def test_each_form_of_an_expectation_is_judged(expect: dict[str, Any], answer: str) -> None:
    problems: list[Problem] = []
    prompt = prompt_from_table({"text": "x", "expect": expect}, ("sample", "prompt"), problems)
    assert problems == [] and faults(prompt.expect) == {}
    (judged,) = judge(prompt.expect, discs()).values()
    assert judged.answer == answer
    assert judged.held is (answer == HELD)
    assert judged.measured is not None and not judged.measured.uncertain


@pytest.mark.parametrize("written", ["2x3", "2 x 3", "2X3", "2×3", " 2x3 "])
def test_a_grid_can_be_written_as_people_write_it(written: str) -> None:
    assert judge({"grid": written}, discs(6))["grid"].answer == HELD
    assert judge({"grid": "3x2"}, discs(6))["grid"].answer == NOT


def test_grey_is_gray() -> None:
    assert judge({"colour": "grey"}, discs(fill="#868686"))["colour"].answer == HELD
    assert judge({"background": "Grey"}, discs(ground="#868686"))["background"].answer == HELD


def test_several_expectations_are_judged_apart() -> None:
    told = judge({"colour": "red", "shape": "square", "background": "white"}, discs())
    assert {name: one.answer for name, one in told.items()} == {"colour": HELD, "shape": NOT, "background": HELD}


def test_an_empty_picture_does_not_show_what_was_expected() -> None:
    told = judge({"colour": "red", "shape": "circle", "grid": "2x2", "count": 1}, discs(0))
    assert {one.answer for one in told.values()} == {NOT}


def test_what_cannot_be_told_is_uncertain_with_its_value_and_reason() -> None:
    image = Image.new("RGB", (128, 128), "white")
    for x in (24, 61):  # they touch
        ImageDraw.Draw(image).ellipse((x, 44, x + 40, 84), "red")
    two = np.asarray(image)
    judged = judge({"count": 2}, two)["count"]
    assert judged.answer == UNCERTAIN and judged.held is None
    assert judged.measured is not None and judged.measured.value == 2
    assert "touching" in judged.reason == judged.measured.reason


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"centre_bais": [0, 1]}, "did you mean centre_bias"),
        ({"mood": "happy"}, "there is no measure 'mood'; known: colour"),
        ({"colour": "gren"}, "did you mean green"),
        ({"shape": "blob"}, "known: circle, square"),
        ({"shape": "Rounded  Rectangle!"}, "did you mean rounded rectangle"),
        ({"grid": "many"}, "rows x columns"),
        ({"grid": 4}, "a word"),
        ({"count": "three"}, "is a number"),
        ({"count": [1, 2, 3]}, "two ends"),
        ({"coverage": [0.9, 0.1]}, "low end comes first"),
        ({"colour": []}, "empty list"),
    ],
)
def test_an_expectation_nobody_can_judge_is_told_and_uncertain(expect: dict[str, Any], words: str) -> None:
    (name,) = expect
    assert words in faults(expect)[name]
    judged = judge({**expect, "count": 1} if name != "count" else expect, discs())
    assert judged[name].answer == UNCERTAIN and judged[name].measured is None
    assert words in judged[name].reason
    if name != "count":
        assert judged["count"].answer == HELD
