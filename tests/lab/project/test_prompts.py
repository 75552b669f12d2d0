"""One-line prompts in the syntax of sd-scripts: what is read, and that nothing is passed over in silence."""

from __future__ import annotations

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.prompts import Prompt, parse_prompt


def refusal(line: str) -> str:
    with pytest.raises(LabError) as refused:
        parse_prompt(line)
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("a red circle", Prompt("a red circle")),
        ("  a red circle  ", Prompt("a red circle")),
        (
            "a cat --n blurry, dark --w 512 --h 768 --d 42 --l 7.5 --s 30",
            Prompt("a cat", "blurry, dark", (42,), 7.5, 512, 768, (30,)),
        ),
        ("a cat --S 30 --D 0 --N Blurry --L 7", Prompt("a cat", "Blurry", (0,), 7.0, None, None, (30,))),
        ("a cat   --w   64  --h\t64", Prompt("a cat", width=64, height=64)),
        ("a cat --w 0", Prompt("a cat", width=0)),
        (f"a cat --d {2**63 - 1}", Prompt("a cat", seeds=(2**63 - 1,))),
    ],
)
def test_a_line_is_read(line: str, prompt: Prompt) -> None:
    assert parse_prompt(line) == prompt


@pytest.mark.parametrize(
    "text", ["w 12 cats", "12 cats, d 3", "a cat -- asleep", "a well--known cat", "a cat - d 3", "# a cat", "a -n b"]
)
def test_the_text_is_never_searched_for_options(text: str) -> None:
    assert parse_prompt(text) == Prompt(text)
    assert parse_prompt(f"{text} --d 7") == Prompt(text, seeds=(7,))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a cat --q 3", 'unknown option "--q"; known: --n (negative_prompt), --w (width)'),
        ("a cat --w512", 'unknown option "--w512"; did you mean --w 512?'),
        ("a cat --steps=3", 'unknown option "--steps=3"; known: --n'),
        ("a cat --ss euler_a", "--ss is not supported (the sampler; pictures are drawn with the base model's own)"),
        ("a cat --CN pose.png", "--cn is not supported (a ControlNet image); take it out"),
        ("a cat --w 500", "--w (width): expected a whole number from 16 to 8192 in multiples of 8"),
        ("a cat --w 512.0", "got 512.0"),
        ("a cat --w", "got nothing"),
        ("a cat --d -1", "--d (seeds): expected a whole number 0 or more, got -1"),
        ("a cat --d 1 2", "got 1 2"),
        ("a cat --d 99999999999999999999999", "--d (seeds): expected a whole number 0 or more"),
        ("a cat --d ٣", "--d (seeds): expected a whole number"),
        ("a cat --l -1", "--l (guidance_scale): expected a number from 0 to 100, got -1"),
        ("a cat --l nan", "got nan"),
        ("a cat --s 1001", "--s (inference_steps): expected a whole number from 1 to 1000, got 1001"),
        ("a cat --d 1 --D 1", "--d is given twice"),
        ("a cat --n", "--n needs the negative prompt after it"),
        ("--d 3", 'for the empty prompt write [[sample.prompt]] with text = ""'),
        ("", "no text"),
        ("a cat\na dog", "one prompt a string, got several lines"),
    ],
)
def test_what_cannot_be_honoured_is_refused(line: str, message: str) -> None:
    assert message in refusal(line)


def test_all_faults_of_a_line_are_said() -> None:
    assert refusal("a --q 1 --w 3 --s 0").count(";") == 3  # between three faults, and inside the first
