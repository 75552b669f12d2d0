"""Learning against forgetting: one point a checkpoint, how often the expected is drawn, and how far the rest has moved.

Learning is the share of pictures of trained tags that show all that was expected. Forgetting is how far pictures of
prompts that have nothing to do with the tags, and of the empty one, have moved from the base's of the same noise: what
nobody asked for. After "LoRA Learns Less and Forgets Less" (arXiv:2405.09673), where the plane is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loratui.lab.scores.groups import EMPTY, TRAINED, UNRELATED
from loratui.lab.scores.scores import ALL, Moved, RunScores, Score
from loratui.lab.scores.statistics import Rate

ELSEWHERE = (UNRELATED, EMPTY)


@dataclass(frozen=True)
class Point:
    """One checkpoint. Distances are RMSE over all pixels, 0..1, from the base's picture of the same seed."""

    step: int
    learning: Rate
    base: Rate  # the same without the LoRA
    forgetting: float | None  # mean over pictures of unrelated and empty prompts; None where none were drawn
    wanted: float | None  # mean over pictures of trained tags

    @property
    def specificity(self) -> float | None:
        """How much further pictures of trained tags have moved than the others; 1 is no difference."""
        if not self.forgetting or self.wanted is None:
            return None
        return self.wanted / self.forgetting


def plane(scores: RunScores) -> tuple[Point, ...]:
    """A point for each checkpoint at which something was expected of trained tags, in order."""
    groups = {moved.place.prompt: moved.group for moved in scores.moved}
    length = max((score.place.inference_steps for score in scores.scores), default=0)
    found = []
    for step in scores.steps:
        own = [one for one in _whole(scores) if _at(one, step, length) and groups.get(one.place.prompt) == TRAINED]
        if own:
            moved = [one for one in scores.moved if _at(one, step, length)]
            found.append(
                Point(
                    step,
                    _sum([one.lora for one in own]),
                    _sum([one.base for one in own]),
                    _mean([one for one in moved if one.group in ELSEWHERE]),
                    _mean([one for one in moved if one.group == TRAINED]),
                )
            )
    return tuple(found)


def _whole(scores: RunScores) -> list[Score]:
    """Of each place the score that asks for everything; where one thing was expected, that."""
    several = {score.place for score in scores.scores if score.name == ALL}
    return [score for score in scores.scores if score.name == ALL or score.place not in several]


def _at(one: Score | Moved, step: int, length: int) -> bool:
    place = one.place
    return place.step == step and place.inference_steps == length and place.scale == 1


def _sum(rates: Sequence[Rate]) -> Rate:
    return Rate(sum(r.k for r in rates), sum(r.n for r in rates), sum(r.unsure for r in rates))


def _mean(moved: Sequence[Moved]) -> float | None:
    count = sum(one.n for one in moved)
    return sum(one.rmse * one.n for one in moved) / count if count else None
