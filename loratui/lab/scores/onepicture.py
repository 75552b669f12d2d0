"""What the measures of a run say of one of its pictures: the values, and whether it shows what was expected.

Read from what was measured before; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loratui.lab.pictures.gallery import Where, expected_words
from loratui.lab.plain import plain
from loratui.lab.scores.readings import Reading
from loratui.lab.scores.scores import ALL, Score

HELD_SIGNS = {True: "✓", False: "✗", None: "?"}
HELD_WORDS = {True: "✓ shown", False: "✗ not shown", None: "? uncertain"}
_SHORT = 12  # characters of a word that may stand for what was expected


@dataclass(frozen=True)
class Answer:
    """Whether a picture shows what was expected of it; None where that is uncertain."""

    name: str  # of the measure
    wanted: Any
    held: bool | None

    @property
    def words(self) -> str:
        """What was expected, such as `colour gray`."""
        return plain(expected_words({self.name: self.wanted}), 60)

    @property
    def short(self) -> str:
        """The least that names it: `gray`, and of what is no short word the measure."""
        return plain(self.wanted if isinstance(self.wanted, str) and len(self.wanted) <= _SHORT else self.name, 20)


def answers(scores: Iterable[Score], where: Where) -> tuple[Answer, ...]:
    """Of the picture at a place of the grid, in the order in which they were expected."""
    spot, found = where.spot, dict[str, Answer]()
    for score in scores:
        place = score.place
        if score.name == ALL or (place.prompt, place.inference_steps) != (spot.prompt, spot.inference_steps):
            continue
        if where.scale is not None and (place.step, place.scale) != (where.step, where.scale):
            continue
        if score.name not in found and spot.seed in score.seeds:
            seen = score.base_seen if where.scale is None else score.lora_seen
            found[score.name] = Answer(score.name, score.wanted, seen[score.seeds.index(spot.seed)])
    return tuple(found.values())


def short_words(told: Sequence[Answer], width: int) -> str:
    """`gray ✓ circle ✗ white ?`; signs alone, in the order of what was expected, where there is no room for more."""
    words = " ".join(f"{answer.short} {HELD_SIGNS[answer.held]}" for answer in told)
    return words if len(words) <= width else " ".join(HELD_SIGNS[answer.held] for answer in told)


def value_words(reading: Reading) -> str:
    """Such as `gray · sure 0.98`, or `other? uncertain: hardly any ground is seen`. How sure is no probability."""
    value = reading.value
    words = "nothing" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
    return f"{words}? uncertain: {reading.reason}" if reading.uncertain else f"{words} · sure {reading.confidence:.2f}"


def told_words(told: Answer | None, reading: Reading | None) -> str:
    """One measure of a picture, after the sign of what was expected of it: `✗ square · sure 0.98, expected circle`."""
    words = value_words(reading) if reading is not None else ""
    if told is None:
        return words
    sign = HELD_SIGNS[told.held]
    if not words:
        return f"{HELD_WORDS[told.held]}: {told.words}"
    if told.held is None:
        return f"{sign} {words.replace('?', '', 1)}"
    missed = "" if told.held else f", expected {told.words.removeprefix(told.name).strip()}"
    return f"{sign} {words}{missed}"
