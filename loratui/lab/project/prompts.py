"""A prompt to draw: a [[sample.prompt]] table, or one line in the sample-prompt syntax of kohya's sd-scripts.

The line is `text --n negative --w width --h height --d seed --l guidance scale --s steps`, options in any order and
case. Unlike the original, the text before the first option is never searched for options, and an option that is
unknown, repeated or cannot be honoured is an error instead of being passed over. Drawing happens in the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.project.checking import check, check_table
from loratui.lab.project.expected import MEASURES
from loratui.lab.project.schema import (
    SEED_MAX,
    KeyPath,
    Problem,
    Rule,
    expected_words,
    printable,
    rules_of,
    setting,
    show,
)


@dataclass(frozen=True)
class Prompt:
    """One prompt; what is not given is as in [sample]."""

    text: str = setting("", "The words to draw. An empty string draws without any.", required=True)
    negative_prompt: str | None = setting(None, "What to steer away from.")
    seeds: tuple[int, ...] | None = setting(
        None, "One picture a seed, each from its own starting noise.", low=0, high=SEED_MAX, required=True
    )
    guidance_scale: float | None = setting(None, "How strongly to follow the prompt (CFG).", low=0, high=100)
    width: int | None = setting(
        None, "Width of the picture.", unit="pixels", low=16, high=8192, multiple=8, zero="the training resolution"
    )
    height: int | None = setting(
        None, "Height of the picture.", unit="pixels", low=16, high=8192, multiple=8, zero="the training resolution"
    )
    inference_steps: tuple[int, ...] | None = setting(
        None, "Lengths of the denoising, one picture each; 1 shows what the first step already decides.",
        low=1, high=1000, required=True,
    )  # fmt: skip
    expect: Mapping[str, Any] = setting(
        {}, "What should be seen: colour, shape, background, count, grid, or a measure with its [low, high] range."
    )


@dataclass(frozen=True)
class ResolvedPrompt(Prompt):
    """A prompt with nothing left open; a size of 0 is still the training resolution."""

    negative_prompt: str = ""
    seeds: tuple[int, ...] = ()
    guidance_scale: float = 0.0
    width: int = 0
    height: int = 0
    inference_steps: tuple[int, ...] = ()


PROMPT_RULES = rules_of(Prompt, "sample.prompt")


def prompt_from_table(table: Any, path: KeyPath, problems: list[Problem]) -> Prompt:
    """A [[sample.prompt]] table, checked. Faults are added to `problems`."""
    if not isinstance(table, Mapping):
        problems.append(Problem(path, f"expected a table with a text, got {show(table)}"))
        return Prompt()
    checked = check_table(PROMPT_RULES, table, path, problems, tables=("expect",))
    if "text" not in table:
        problems.append(Problem(path, 'a prompt needs a text, such as text = "a red circle"'))
    expect = table.get("expect", {})
    if not isinstance(expect, Mapping):
        problems.append(Problem((*path, "expect"), f"expected a table, got {show(expect)}"))
        expect = {}
    for name, value in expect.items():
        fault = _expect_fault(name, value)
        if fault:
            problems.append(Problem((*path, "expect", name), fault))
    return Prompt(**checked, expect=dict(expect))


def read_tables(value: Any, path: KeyPath, problems: list[Problem]) -> tuple[Prompt, ...]:
    """The value of sample.prompt: an array of tables."""
    if isinstance(value, Mapping):
        problems.append(Problem(path, "expected tables in an array; write [[sample.prompt]], with double brackets"))
        return ()
    if not isinstance(value, (list, tuple)):
        hint = f"; for plain prompts write prompts = [{show(value)}]" if isinstance(value, str) else ""
        problems.append(Problem(path, f"expected [[sample.prompt]] tables, got {show(value)}{hint}"))
        return ()
    return tuple(prompt_from_table(table, (*path, index), problems) for index, table in enumerate(value))


def read_lines(value: Any, path: KeyPath, problems: list[Problem]) -> tuple[str, ...]:
    """The value of sample.prompts: an array of lines, each of which `parse_prompt` can read."""
    lines: tuple[str, ...] = check(_LINES, value, path, problems)
    for index, line in enumerate(lines):
        try:
            parse_prompt(line)
        except LabError as error:
            problems.append(Problem((*path, index), str(error)))
    return lines


_LINES = Rule("", kind="tuple[str, ...]", default=())


def _expect_fault(name: str, value: Any) -> str:
    if name not in MEASURES:
        from difflib import get_close_matches

        # Measures have free names, but a slip in a known one would be an expectation that nobody ever checks.
        near = get_close_matches(name.lower(), MEASURES, n=1, cutoff=0.8)
        if near:
            return f"unknown expectation; did you mean {near[0]}?"
    items = value if isinstance(value, list) else [value]
    if items and all(isinstance(item, str) or _is_finite(item) for item in items):
        return ""
    return f"expected a string, a number or a list of them, got {show(value)}"


def _is_finite(value: Any) -> bool:
    # The bound is false of NaN, of infinities and of integers too large to become floats.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def prompt_to_table(prompt: Prompt) -> dict[str, Any]:
    """The table `prompt_from_table` reads back; what is as in [sample] is left out."""
    table: dict[str, Any] = {"text": prompt.text}
    for name in PROMPT_RULES:
        value = getattr(prompt, name)
        if name in ("text", "expect") or value is None:
            continue
        table[name] = list(value) if isinstance(value, tuple) else value
    if prompt.expect:
        table["expect"] = dict(prompt.expect)
    return table


# --- the one-line syntax ------------------------------------------------------------------------------------------

_OPTIONS = {
    "n": "negative_prompt",
    "w": "width",
    "h": "height",
    "d": "seeds",
    "l": "guidance_scale",
    "s": "inference_steps",
}
# Options of sd-scripts and musubi that would change the picture in a way nothing here can do.
_REFUSED = {
    "ss": "the sampler; pictures are drawn with the base model's own",
    "g": "embedded guidance of distilled models; for classifier-free guidance write --l",
    "cn": "a ControlNet image",
    "ctr": "truncated guidance",
    "rcfg": "renormalised guidance",
    "fs": "the flow shift of flow models",
    "f": "the frames of a video",
    "i": "the first frame of a video",
}
_OPTION = re.compile(r"(?:^|\s)--(\S+)")


def parse_prompt(line: str) -> Prompt:
    """One line of a sample-prompt file. Raises LabError, all faults of the line in it, without a place."""
    faults: list[str] = []
    if "\n" in line.strip() or "\r" in line.strip():
        raise LabError(f"one prompt a string, got several lines: {show(line)}")
    marks = list(_OPTION.finditer(line))
    text = line[: marks[0].start()] if marks else line
    if not text.strip():
        faults.append(f'no text in {show(line)}; for the empty prompt write [[sample.prompt]] with text = ""')
    given: dict[str, Any] = {}
    ends = [*(mark.start() for mark in marks[1:]), len(line)]
    for mark, end in zip(marks, ends, strict=False):  # without options there is an end and no mark
        option = mark[1].lower()
        name = _OPTIONS.get(option)
        if name is None:
            faults.append(_unknown(mark[1]))
        elif name in given:
            faults.append(f"--{option} is given twice")
        else:
            given[name] = _option_value(option, PROMPT_RULES[name], line[mark.end() : end].strip(), faults)
    if faults:
        raise LabError("; ".join(faults))
    return Prompt(text=text.strip(), **given)


def edit_line(line: str, edit: Callable[[str], str]) -> str:
    """The line with `edit` made on its text; its options, and a line that is not changed, stay as they are written."""
    mark = _OPTION.search(line)
    text, options = (line[: mark.start()], line[mark.start() :]) if mark else (line, "")
    new = edit(text.strip())
    return line if new == text.strip() else new + options


def _unknown(option: str) -> str:
    if option.lower() in _REFUSED:
        return f"--{option.lower()} is not supported ({_REFUSED[option.lower()]}); take it out"
    known = ", ".join(f"--{name} ({long})" for name, long in _OPTIONS.items())
    glued = re.fullmatch(r"([whdls])[=:]?([-+.]?\d\S*)", option, re.IGNORECASE)
    hint = f"did you mean --{printable(f'{glued[1]} {glued[2]}')}?" if glued else f"known: {known}"
    return f"unknown option {show('--' + option)}; {hint}"


def _option_value(option: str, rule: Rule, text: str, faults: list[str]) -> Any:
    kind = rule.item_kind or rule.kind
    if kind == "str":
        if not text:
            faults.append(f"--{option} needs the negative prompt after it")
        return text
    pattern = r"[+-]?\d{1,19}" if kind == "int" else r"[+-]?(\d{1,19}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
    single = replace(rule, kind=kind)
    problems: list[Problem] = []
    if re.fullmatch(pattern, text, re.ASCII):
        value = check(single, int(text) if kind == "int" else float(text), (), problems)
        if not problems:
            return (value,) if rule.item_kind else value
    got = printable(text) if text else "nothing"
    faults.append(f"--{option} ({rule.name}): expected {expected_words(single)}, got {got}")
    return None
