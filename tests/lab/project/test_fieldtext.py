"""A value as it is typed into one line, and as that line shows it."""

from __future__ import annotations

import random
import tomllib
from typing import Any

import pytest

from loratui.lab.project.fieldtext import entered, field_text, number_text
from loratui.lab.project.settings import ALL_RULES


@pytest.mark.parametrize(
    ("key", "text", "value", "written"),
    [
        ("train.epochs", "1_000", 1000, "1000"),
        ("train.learning_rate", "1e-4", 1e-4, "1e-4"),
        ("train.learning_rate", ".5", 0.5, "0.5"),
        ("lora.alpha", "8", 8.0, "8"),
        ("dataset.flip", "On", True, "true"),
        ("lora.targets", "conv", "conv", '"conv"'),
        ("lora.targets", '"conv"', "conv", '"conv"'),
        ("train.checkpoint_every", "100", 100, "100"),
        ("train.checkpoint_every", "end", "end", '"end"'),
        ("sample.seeds", "1 2,3", (1, 2, 3), "[1, 2, 3]"),
        ("sample.seeds", "[4,5]", (4, 5), "[4,5]"),
        ("sample.scales", "0.5; 1", (0.5, 1.0), "[0.5, 1]"),
        ("question", '  what is "it"? ', 'what is "it"?', '"what is \\"it\\"?"'),
        ("question", "", "", '""'),
        ("sample.prompts", "a, b --d 3", ("a, b --d 3",), '["a, b --d 3"]'),
        ("sample.prompt.expect", 'colour = "gray"', {"colour": "gray"}, '{ colour = "gray" }'),
    ],
)
def test_what_is_typed_becomes_a_value_by_the_rule_of_its_field(key: str, text: str, value: Any, written: str) -> None:
    found = entered(ALL_RULES[key], text)
    assert (found.value, found.written, found.error) == (value, written, "")
    assert entered(ALL_RULES[key], field_text(found.value)).value == value


@pytest.mark.parametrize(
    ("key", "text", "error"),
    [
        ("train.epochs", "", "expected a whole number from 1 to 1000000, got nothing"),
        ("train.epochs", "1.0", "write 1"),
        ("train.epochs", "ten", 'got "ten"'),
        ("train.learning_rate", "11", "at most 10"),
        ("lora.targets", "convv", 'did you mean "conv"?'),
        ("sample.seeds", "1 x", "item 2: expected a whole number"),
        ("sample.seeds", "1 1", "item 2: 1 is in the list already"),
        ("sample.seeds", "", "got nothing"),
        ("dataset.flip", "perhaps", "expected true or false"),
        ("sample.prompts", "a --q", 'unknown option "--q"'),
        ("sample.prompt.expect", "color = 'gray'", "did you mean colour?"),
        ("question", "x" * 200_000, "at most 100,000"),
    ],
)
def test_what_does_not_fit_is_said_in_the_words_of_the_check(key: str, text: str, error: str) -> None:
    assert error in entered(ALL_RULES[key], text).error


def test_floats_are_as_short_as_they_can_be_read_back() -> None:
    assert [number_text(n) for n in (1e-4, 3e-4, 5e-5, 0.00035, 0.05, 8.0, 1e22)] == (
        ["1e-4", "3e-4", "5e-5", "3.5e-4", "0.05", "8.0", "1e+22"]
    )
    random_ = random.Random(3)
    for _ in range(500):
        number = random_.uniform(-1, 1) * 10 ** random_.randint(-12, 12)
        assert tomllib.loads(f"x = {number_text(number)}")["x"] == number
