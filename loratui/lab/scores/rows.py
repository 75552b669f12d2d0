"""Scores of several runs beside each other: each expectation with its rates, and a paired test between the runs.

Expectations are matched by the words of their prompt; where a tag was replaced, by the prompt's number. Runs are tested
on the same seeds, which is the same noise. A difference is also held against the noise of repeats, runs that differ
in their training seed alone: pictures of one run can not know how much another training would have changed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loratui.lab.errors import LabError
from loratui.lab.notes.comparison import MeasureRow, letter
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.lab.scores.features import expectation_of, newest_scores, place_words, remembered_scores
from loratui.lab.scores.scores import Score, scores_file
from loratui.lab.scores.statistics import Paired, mcnemar
from loratui.lab.weights.weights import Cosine, RunWeights, read_weights, weights_file

if TYPE_CHECKING:
    from loratui.lab.scores.band import Band, Spread
    from loratui.lab.weights.alike import Alike

NOTHING = "–"  # where a run was not asked that, or was not measured
SEEDS = 3  # training seeds from which on a difference is held against their spread


@dataclass(frozen=True)
class Versus:
    """A run against the first that has the expectation. `only_base` of the pair is "only the first showed it"."""

    first: int  # places among the runs
    other: int
    paired: Paired | None  # None where the pictures were not drawn alike, or share no seeds
    seeds: int
    repeat: bool  # they differ in their training seed alone: all that differs is noise
    within_noise: bool | None  # None without repeats enough


@dataclass(frozen=True)
class SideBySide:
    """One expectation in each of the runs; None where a run has none, or is not measured."""

    label: str
    scores: tuple[Score | None, ...]
    versus: tuple[Versus, ...]
    noise: tuple[Spread | None, ...]  # of each run and its repeats

    @property
    def same_base(self) -> bool:
        """Whether the base model's rate is one for all."""
        return len({score.base for score in self.scores if score is not None}) == 1


def measured(runs: Sequence[RunFolder]) -> list[MeasureRow]:
    """What the comparison shows of measures; nothing where no run has scores. See `comparison.MEASURES`."""
    try:
        return [*(_row(one) for one in side_by_side(runs)), *_cosines(runs)]
    except LabError as error:
        return [MeasureRow("measures", ("cannot be read",) * len(runs), str(error))]


def side_by_side(runs: Sequence[RunFolder]) -> list[SideBySide]:
    """All expectations of the runs at their last checkpoints. LabError for damaged files. Needs no numpy."""
    found: list[tuple[tuple[Any, ...], list[Score | None]]] = []
    for index, run in enumerate(runs):
        scores = remembered_scores(run)
        for score in newest_scores(scores) if scores is not None else ():
            asked = (score.place.inference_steps, score.name, repr(score.wanted))
            _place(found, index, len(runs), (score.place.text, *asked), score)
    return [_compared(runs, tuple(scores)) for _, scores in found]


def _place(
    found: list[tuple[tuple[Any, ...], list[Score | None]]], index: int, count: int, key: tuple[Any, ...], score: Score
) -> None:
    """Beside the score of the same words, else of the same prompt's number in a run that has not these words."""
    for known, scores in found:
        if known == key and scores[index] is None:
            scores[index] = score
            return
    for known, scores in found:
        others = [one for one in scores if one is not None]
        if known[1:] == key[1:] and scores[index] is None and all(o.place.prompt == score.place.prompt for o in others):
            scores[index] = score
            return
    row: list[Score | None] = [None] * count
    row[index] = score
    found.append((key, row))


def _compared(runs: Sequence[RunFolder], scores: tuple[Score | None, ...]) -> SideBySide:
    there = [score for score in scores if score is not None]
    texts = dict.fromkeys(place_words(score.place)[0] for score in there)
    unusual = place_words(there[0].place)[1:]
    noise = tuple(None if score is None else _noise(run, score) for run, score in zip(runs, scores, strict=True))
    label = " · ".join((expectation_of(there[0]), " / ".join(texts), *unusual))
    return SideBySide(label, scores, tuple(_versus(runs, scores, noise)), noise)


def _versus(
    runs: Sequence[RunFolder], scores: Sequence[Score | None], noise: Sequence[Spread | None]
) -> Iterator[Versus]:
    having = [(index, score) for index, score in enumerate(scores) if score is not None]
    first, a = having[0]
    for other, b in having[1:]:
        alike = a.place.scale == b.place.scale and _drawn(runs[first], a) == _drawn(runs[other], b)
        paired, seeds = paired_test(a, b) if alike else (None, 0)
        repeat = runs[other].path.absolute() in {run.path.absolute() for run in _band(runs[first]).runs[1:]}
        within = None if repeat else _within(a, b, noise[first], noise[other])
        yield Versus(first, other, paired, seeds, repeat, within)


def paired_test(a: Score, b: Score) -> tuple[Paired | None, int]:
    """McNemar's test of two runs on the seeds that both have and both could measure, and how many those are."""
    seen = {seed: held for seed, held in zip(a.seeds, a.lora_seen, strict=True) if held is not None}
    both = [(seen[seed], held) for seed, held in zip(b.seeds, b.lora_seen, strict=True)
            if seed in seen and held is not None]  # fmt: skip
    return (mcnemar([one for one, _ in both], [other for _, other in both]) if both else None), len(both)


def _drawn(run: RunFolder, score: Score) -> tuple[Any, ...]:
    """How the pictures of a score were drawn, its words and scale left out."""
    try:
        stamp = run.record_file.stat().st_mtime_ns
        return _ways(run, stamp).get(score.place.prompt, ())
    except (OSError, LabError):  # that a record is damaged, the comparison itself says
        return ()


@functools.lru_cache(maxsize=64)
def _ways(run: RunFolder, _stamp: int) -> dict[int, tuple[Any, ...]]:
    prompts = enumerate(read_record(run).prompts)
    return {n: (p.negative_prompt or "", p.guidance_scale, p.width, p.height) for n, p in prompts}


def _within(a: Score, b: Score, of_a: Spread | None, of_b: Spread | None) -> bool | None:
    """Whether the two rates, each widened to what its repeats reach, overlap. None where neither has repeats."""
    if (of_a is None and of_b is None) or not (a.lora.n and b.lora.n):
        return None
    spans = []
    for score, noise in ((a, of_a), (b, of_b)):
        rate = score.lora.k / score.lora.n
        spans.append((min(rate, noise.low), max(rate, noise.high)) if noise else (rate, rate))
    return spans[0][0] <= spans[1][1] and spans[1][0] <= spans[0][1]


def _noise(run: RunFolder, score: Score) -> Spread | None:
    """The spread over a run and two repeats at least: one repeat does not tell how far chance goes."""
    place = score.place
    if place.scale != 1:
        return None
    found = _band(run).of(place.text, place.inference_steps, score.name, place.step)
    return found if found is not None and len(found.rates) >= SEEDS else None


def _band(run: RunFolder) -> Band:
    """The band of a run, looked for again only when a run of its project comes, ends, or is measured."""
    return _found_band(run, tuple(_stamp(other) for other in list_runs(run.project_folder)))


def _stamp(run: RunFolder) -> tuple[object, ...]:
    stamps: list[object] = [run.id]
    for file, field in ((run.lock_file, "st_size"), (scores_file(run), "st_mtime_ns")):
        try:
            stamps.append(getattr(file.stat(), field))
        except OSError:
            stamps.append(None)
    return tuple(stamps)


@functools.lru_cache(maxsize=16)
def _found_band(run: RunFolder, _stamps: tuple[tuple[object, ...], ...]) -> Band:
    from loratui.lab.scores.band import noise_band, repeats_of

    return noise_band([run, *repeats_of(run)])


# -- in words ---------------------------------------------------------------------------------------------------------


def _row(one: SideBySide) -> MeasureRow:
    there = [score for score in one.scores if score is not None]
    several = len({score.place.step for score in there}) > 1
    texts = tuple(score_words(score, several, not one.same_base) for score in one.scores)
    note = [f"base {there[0].base.words}"] if one.same_base else []
    return MeasureRow(one.label, texts, " · ".join([*note, *(versus_words(v, one) for v in one.versus)]))


def _cosines(runs: Sequence[RunFolder]) -> Iterator[MeasureRow]:
    """How alike the runs changed the weights, where that was computed (`--weights`, `--compare`)."""
    known = known_alike(runs)
    cosines = [known.cosines.get((0, index)) for index in range(1, len(runs))] if known is not None else []
    if known is not None and any(cosines):
        texts = ["-" if one is None or one.overall is None else f"{one.overall:.3f}" for one in cosines]
        words = [f"{letter(n)}: {known.words_of(0, n)}" for n, one in enumerate(cosines, 1) if one is not None]
        yield MeasureRow("ΔW cosine with A", ("1", *texts), " · ".join(words))


def known_alike(runs: Sequence[RunFolder]) -> Alike | None:
    """What the runs' weights.json know of each other's last checkpoints; None where they know nothing."""
    from loratui.lab.weights.alike import Alike

    places = {run.id: index for index, run in enumerate(runs)}
    found: dict[tuple[int, int], Cosine] = {}
    for run in runs:
        weights = _weights(run)
        for one in weights.cosines if weights is not None else ():
            pair = (places.get(one.a), places.get(one.b))
            if pair[0] is None or pair[1] is None or pair[0] == pair[1]:
                continue
            key = (min(pair[0], pair[1]), max(pair[0], pair[1]))
            if key not in found or one.step_a + one.step_b > found[key].step_a + found[key].step_b:
                found[key] = one
    return Alike(tuple(run.id for run in runs), found, {}) if found else None


def _weights(run: RunFolder) -> RunWeights | None:
    try:
        stamp = weights_file(run).stat().st_mtime_ns
    except OSError:
        return None
    return _read_weights(run, stamp)


@functools.lru_cache(maxsize=32)
def _read_weights(run: RunFolder, _stamp: int) -> RunWeights | None:
    return read_weights(run)


def score_words(score: Score | None, step: bool = False, base: bool = False) -> str:
    """A rate with its interval; with the training step and the base model's where they are not told elsewhere."""
    if score is None:
        return NOTHING
    words = score.lora.words
    words += f" @{score.place.step}" if step else ""
    return words + (f", base {score.base.words}" if base else "")


def versus_words(versus: Versus, one: SideBySide) -> str:
    """Such as `of 24 shared seeds 7 only A, 0 only B: p = 0.016, beyond the noise of 3 training seeds`."""
    a, b = letter(versus.first), letter(versus.other)
    if versus.paired is None:
        return f"{a} and {b} share no seeds that were drawn alike: not tested"
    only_a, only_b = versus.paired.only_base, versus.paired.only_lora
    if not only_a and not only_b:
        words = f"{a} and {b} the same on {'all ' * (versus.seeds > 1)}{versus.seeds} shared seeds"
    else:
        words = f"of {versus.seeds} shared seeds {only_a} only {a}, {only_b} only {b}: p = {versus.paired.p:.2g}"
        words += "" if versus.paired.enough else ", too few differ to tell"
    if versus.repeat:
        return f"{words}, a repeat: noise"
    if versus.within_noise is not None:
        seeds = max(len(spread.rates) for spread in one.noise if spread is not None)
        words += f", {'within' if versus.within_noise else 'beyond'} the noise of {seeds} training seeds"
    return words
