"""Words that several sections of an article share."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loratui.lab.plain import plain
from loratui.lab.project.schema import show
from loratui.lab.report.article import Badge, Piece, Said, Words
from loratui.lab.report.material import Told
from loratui.lab.scores.features import USUAL_STEPS, expectation_of
from loratui.lab.scores.scores import ALL, Place, Score
from loratui.lab.scores.statistics import Rate
from loratui.lab.words import VERDICT_SIGNS

_ANSWER_SIGNS = {"agrees": "✓", "disagrees": "✗", "uncertain": "?", "for a person": "·"}


def badge(verdict: str) -> Badge:
    """A verdict, of a person or a measure; "" is none."""
    return Badge(VERDICT_SIGNS.get(verdict, "·"), verdict or "no verdict", kind_of(verdict))


def answer_badge(answer: str) -> Badge:
    kinds = {"agrees": "learned", "disagrees": "not-shown"}
    return Badge(_ANSWER_SIGNS.get(answer, "·"), answer, kinds.get(answer, kind_of(answer)))


def kind_of(word: str) -> str:
    """The word as a class of the page."""
    return re.sub(r"[^a-z]+", "-", word.lower()).strip("-") or "none"


def count(number: int, noun: str) -> str:
    """`1 picture`, `1,200 pictures`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def expectation(score: Score) -> Words:
    return "all of these at once" if score.name == ALL else (Said(expectation_of(score)),)


def prompt(place: Place) -> Words:
    """The prompt in quotation marks."""
    text = " ".join(place.text.split())
    return ("“", Said(text), "”") if text else "the empty prompt"


def whereabouts(place: Place, step: bool = True) -> tuple[Piece, ...]:
    """Which pictures a number speaks of."""
    words: list[Piece] = list(prompt(place)) if isinstance(prompt(place), tuple) else ["the empty prompt"]
    if place.inference_steps != USUAL_STEPS:
        words.append(f", {count(place.inference_steps, 'denoising step')}")
    if place.scale != 1:
        words.append(f", scale {place.scale:g}")
    return (*words, f", training step {place.step:,}") if step else tuple(words)


def short_why(score: Score) -> str:
    """What a verdict rests on, without the numbers that stand beside it."""
    why = score.verdict.why
    why = (why.partition(": ")[2] or why) if why.startswith(score.lora.words) else why
    return _sentence(re.sub(r" \(p = [^)]*\)", "", why))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def rate_words(rate: Rate) -> str:
    """A rate in a sentence: `35 of 39 pictures (76–96 %)`."""
    if not rate.n:
        return "no picture that could be measured"
    low, high = (100 * end for end in rate.interval)
    return f"{rate.k} of {count(rate.n, 'picture')} ({low:.0f}–{high:.0f} %)"


def p_words(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def setting_words(value: Any) -> str:
    """A setting for a person; of prompts their texts."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return ", ".join(show(item.get("text", "")) for item in value)
    if isinstance(value, list) and _is_row(value):
        return f"{value[0]} to {value[-1]} ({len(value)})"
    return f"{value:g}" if isinstance(value, float) else show(value)


def _is_row(values: list[Any]) -> bool:
    whole = len(values) > 4 and all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    return whole and values == list(range(values[0], values[0] + len(values)))


def from_here(path: Path, folder: Path) -> str:
    """A path as it is written beside the project's folder, so that an article tells nothing of its machine."""
    if path == folder or path.is_relative_to(folder):
        return (Path(folder.name) / path.relative_to(folder)).as_posix()
    return str(path)


def command(verb: str, path: Path, folder: Path, more: str = "") -> str:
    """A line to paste beside the project's folder."""
    return " ".join(part for part in ("loratui", verb, shlex.quote(plain(from_here(path, folder))), more) if part)


def base_name(told: Told) -> str:
    """What the base model of a run is called; of a folder its last name, so that nothing tells where it lies."""
    name = told.record.base_name if told.record is not None else ""
    return name if name.count("/") < 2 else Path(name).name


def homeless(text: str, folder: Path) -> str:
    """A message without the place of the project on this machine."""
    return plain(text.replace(str(folder), folder.name), 600)
