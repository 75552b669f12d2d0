"""Numbers for the prompts that someone asks a live run to draw, beside those it draws by itself.

A sample's file is named after its prompt's number, so a number must never stand for two prompts in one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loratui.lab.errors import LabError
from loratui.lab.pictures.gallery import Gallery, Where
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from loratui.lab.project.prompts import ResolvedPrompt


def asked_numbers(run: RunFolder, own: Sequence[ResolvedPrompt], asked: Sequence[ResolvedPrompt]) -> list[int]:
    """Numbers for prompts that were asked for while training: the run's own where they are the same.

    One that was asked for before keeps its number; a new one gets the next.
    """
    known: dict[tuple[object, ...], int] = {}
    for number, prompt in enumerate(own):
        known.setdefault(_identity(prompt), number)
    gallery = Gallery(run)
    gallery.refresh()
    first = {spot.prompt: spot for spot in reversed(gallery.spots) if spot.prompt >= len(own)}
    for number, spot in first.items():
        path = gallery.path(Where(spot, None, 0))
        try:
            facts = read_facts(path) if path is not None else None
        except LabError:
            facts = None
        if facts is not None:
            known.setdefault((facts.prompt, facts.negative_prompt, facts.guidance_scale, facts.width, facts.height),
                             number)  # fmt: skip
    free = max([len(own), *(number + 1 for number in first)])
    numbers = []
    for prompt in asked:
        key = _identity(prompt)
        twin = _same(prompt, own)
        if twin is not None:
            numbers.append(twin)
            continue
        if key not in known:
            known[key], free = free, free + 1
        numbers.append(known[key])
    return numbers


def _same(prompt: ResolvedPrompt, own: Sequence[ResolvedPrompt]) -> int | None:
    """The own prompt that is drawn at the same lengths: one text may stand twice in a project, at two lengths."""
    for number, other in enumerate(own):
        if _identity(prompt) == _identity(other) and set(prompt.inference_steps) <= set(other.inference_steps):
            return number
    return None


def _identity(prompt: ResolvedPrompt) -> tuple[object, ...]:
    return prompt.text, prompt.negative_prompt, prompt.guidance_scale, prompt.width, prompt.height
