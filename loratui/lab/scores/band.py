"""The noise band: how much runs differ that differ in nothing but their training seed.

A difference between two runs that is not larger than that is no finding. With fewer than two repeats beside a run
there is a spread to be seen, and no interval to be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder, list_runs, read_state
from loratui.lab.scores.scores import RunScores, Score, read_scores

if TYPE_CHECKING:
    from loratui.lab.scores.statistics import Rate

Key = tuple[str, int, str, int]  # prompt, length of denoising, name of the expectation, step


@dataclass(frozen=True)
class Spread:
    """The lowest and the highest rate of one expectation over runs that differ in their training seed alone."""

    low: float
    high: float
    rates: tuple[Rate, ...]  # in the order of the runs

    @property
    def words(self) -> str:
        """Such as "12/20, 15/20, 9/20 over 3 training seeds"."""
        told = ", ".join(f"{rate.k}/{rate.n}" for rate in self.rates)
        return f"{told} over {len(self.rates)} training seeds"

    def covers(self, rate: Rate) -> bool:
        """Whether another run's rate is no further out than chance was seen to go."""
        return bool(rate.n) and self.low <= rate.k / rate.n <= self.high


@dataclass(frozen=True)
class Band:
    """The spread of every score of a run and its repeats."""

    runs: tuple[RunFolder, ...]  # the run first
    scores: tuple[RunScores, ...]

    def of(self, text: str, inference_steps: int, name: str, step: int) -> Spread | None:
        """The spread of one expectation at one step; None where fewer than two runs were measured there."""
        found = [score for scores in self.scores for score in scores.scores
                 if _key(score) == (text, inference_steps, name, step)]  # fmt: skip
        return spread([score.lora for score in found])


def _key(score: Score) -> Key | None:
    place = score.place
    return (place.text, place.inference_steps, score.name, place.step) if place.scale == 1 else None


def spread(rates: Sequence[Rate]) -> Spread | None:
    """None for fewer than two rates of any pictures."""
    shares = [rate.k / rate.n for rate in rates if rate.n]
    return Spread(min(shares), max(shares), tuple(rate for rate in rates if rate.n)) if len(shares) > 1 else None


def noise_band(runs: Sequence[RunFolder]) -> Band:
    """The band of runs that are repeats of each other; those that were never measured are left out."""
    measured = []
    for run in runs:
        try:
            scores = read_scores(run)
        except LabError:
            continue
        if scores is not None:
            measured.append((run, scores))
    return Band(tuple(run for run, _ in measured), tuple(scores for _, scores in measured))


def repeats_of(run: RunFolder, among: Iterable[RunFolder] | None = None) -> list[RunFolder]:
    """The finished runs, of its project or `among` these, that differ from it in their training seed alone.

    One for each seed, the newest. Captions that are written differently and are the same tokens are the same.
    """
    from loratui.lab.notes.comparison import compare

    found: dict[int, RunFolder] = {}
    own = _seed(run)
    for other in list_runs(run.project_folder) if among is None else among:
        seed = _seed(other)  # first: of hundreds of runs, few have another
        if seed is None or seed == own or read_state(other).name != "finished":
            continue
        try:
            if compare([run, other]).factors == ("train.seed",):
                found[seed] = other
        except LabError:
            continue
    return [found[seed] for seed in sorted(found)]


def _seed(run: RunFolder) -> int | None:
    """The training seed; None where the record does not tell it."""
    try:
        return int(run.read_record()["settings"]["train"]["seed"])
    except (LabError, KeyError, TypeError, ValueError, OverflowError):
        return None
