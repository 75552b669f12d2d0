"""From what a measure suggests to an observation: what it would say, and what it says once a person has accepted it.

A suggestion counts for nothing until it is accepted, and whoever accepts it may change every word. Nothing is written
before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from loratui.lab.notes.observations import PERSON, Observation, observe
from loratui.lab.pictures.gallery import Gallery, Spot, Where
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.features import feature_of, place_words
from loratui.lab.scores.scores import Mean, Place, Score
from loratui.lab.scores.statistics import LEARNED, NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN

ACCEPTED = "measure, accepted"  # whose words an observation is that a person accepted as they were
PICTURES = 4  # that a suggestion points at


@dataclass(frozen=True)
class Suggestion:
    """An observation that nobody has made yet. `pictures` are below the run folder."""

    note: str
    feature: str
    verdict: str = ""
    step: int | None = None
    pictures: tuple[str, ...] = ()


def suggestion(run: RunFolder, score: Score, *, bare: bool = False) -> Suggestion:
    """What the measure would say. `bare`: only of what and by which pictures, for a person's own words."""
    kind = score.verdict.verdict
    note = score.verdict.why
    if score.later:
        note += " It was expected only after the run."
    said = Suggestion(
        note=note,
        feature=feature_of(score),
        verdict=UNCERTAIN if kind == TOO_FEW else kind,  # too few is a reason, and the note tells it
        step=score.place.step,
        pictures=_files(run, score.place, _telling_seeds(score)),
    )
    return replace(said, note="", verdict="") if bare else said


def mean_suggestion(run: RunFolder, mean: Mean, *, bare: bool = False) -> Suggestion:
    """The same of a measure that is a number. It has no verdict: no value of it was expected."""
    feature = " · ".join((mean.name, *place_words(mean.place)))
    note = "" if bare else mean_words(mean)
    return Suggestion(note, feature, "", mean.place.step, ())


def mean_words(mean: Mean) -> str:
    """Such as `0.31 with the LoRA, 0.27 without (24 pairs); change +0.04 (0.01 to 0.07, p = 0.012)`."""
    if mean.base is None or mean.lora is None:
        return "uncertain: it could not be measured in any pair of pictures"
    pairs = f"{mean.n} pair{'s' if mean.n != 1 else ''}"
    told = f"{mean.lora:.3g} with the LoRA, {mean.base:.3g} without ({pairs})"
    change = mean.change
    if change is None:
        return f"{told}; one pair tells no change"
    if change.low == -float("inf") or change.high == float("inf"):
        return f"{told}; change {change.estimate:+.3g}, too few pairs for an interval"
    return f"{told}; change {change.estimate:+.3g} ({change.low:+.3g} to {change.high:+.3g}, p = {change.p:.2g})"


def accept(run: RunFolder, accepted: Suggestion | Score, **changes: Any) -> Observation:
    """Write it down as an observation. With `changes` of its fields that differ, it is a person's own."""
    said = suggestion(run, accepted) if isinstance(accepted, Score) else accepted
    final = replace(said, **changes)
    by = ACCEPTED if final == said and said.note else PERSON
    return observe(run, final.note, feature=final.feature, verdict=final.verdict, step=final.step,
                   pictures=final.pictures, by=by)  # fmt: skip


def _telling_seeds(score: Score) -> list[int]:
    """The seeds whose pictures show best what the verdict says."""
    kind = score.verdict.verdict

    def rank(place: int) -> tuple[int, ...]:
        base, lora = score.base_seen[place], score.lora_seen[place]
        if kind in (LEARNED, PARTLY):
            return (lora is not True, base is not False)
        if kind == NOT_SHOWN:
            return (lora is not False, base is not False)
        return (lora is not None,)

    order = sorted(range(len(score.seeds)), key=lambda place: (*rank(place), place))
    return [score.seeds[place] for place in order[:PICTURES]]


def _files(run: RunFolder, place: Place, seeds: Sequence[int]) -> tuple[str, ...]:
    gallery = Gallery(run)
    gallery.refresh()
    wheres = (Where(Spot(place.prompt, place.inference_steps, seed), place.scale, place.step) for seed in seeds)
    paths = (gallery.path(where) for where in wheres)
    return tuple(path.relative_to(run.path).as_posix() for path in paths if path is not None)
