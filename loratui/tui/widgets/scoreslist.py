"""The rows of a run's scores: each expectation without and with the LoRA, then the measures that are numbers.

Rows are made from scores that someone else reads; every rate is told with its number of pictures and its interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment

from loratui.lab.scores.accepting import mean_words
from loratui.lab.scores.features import expectation_of, place_words
from loratui.lab.scores.scores import ALL, Copies, Mean, Moved, Place, RunScores, Score
from loratui.lab.scores.statistics import Rate
from loratui.lab.words import verdict_words
from loratui.tui.widgets.linelist import Cells, LineList, fitted

VERDICT = 18  # columns of the longest, `… too few pictures`
RATE, INTERVAL = 6, 9  # columns of `23/24`, and of `(80–99 %)`
WITH_INTERVALS = 75  # columns from which the base's interval has room too; the line below the table tells it anyway
WITH_UNSURE = 92
_PARTS = {"learned": "good", "partly": "warning", "not shown": "error"}

Measure = Score | Mean | Copies | Moved


@dataclass(frozen=True)
class Row:
    """A line of the list: a heading, or a measure with its place."""

    heading: str = ""
    measure: Measure | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What stays when there are newer numbers."""
        one = self.measure
        if one is None:
            return (self.heading,)
        place = one.place
        return (type(one).__name__, getattr(one, "name", ""), place.prompt, place.inference_steps)


def rows_of(scores: RunScores, step: int | None, scale: float) -> list[Row]:
    """The rows at a step, of each prompt at its last one where `step` is None: what was expected, then the numbers."""
    rows: list[Row] = []
    for place in _places(scores, step, scale):
        told = [score for score in scores.scores if score.place == place]
        if told:
            rows += [Row(_heading(place)), *(Row(measure=score) for score in told)]
    for place in _places(scores, step, scale):
        kinds: tuple[Sequence[Measure], ...] = (scores.means, scores.copies, scores.moved)
        numbers = [one for kind in kinds for one in kind if one.place == place]
        if numbers:
            rows += [Row(f"{_heading(place)} · numbers"), *(Row(measure=one) for one in numbers)]
    return rows


def measures_of(scores: RunScores, kind: type[Measure]) -> Sequence[Measure]:
    """All of one kind, of all checkpoints."""
    kinds: dict[type[Measure], Sequence[Measure]] = {
        Score: scores.scores, Mean: scores.means, Copies: scores.copies, Moved: scores.moved,
    }  # fmt: skip
    return kinds[kind]


def line_of(one: Measure) -> tuple[object, ...]:
    """What the points of one curve against steps have in common."""
    place = one.place
    return getattr(one, "name", ""), place.prompt, place.inference_steps, place.scale


def scales_of(scores: RunScores) -> tuple[float, ...]:
    """The strengths of the LoRA that were measured."""
    places = [*(score.place for score in scores.scores), *(mean.place for mean in scores.means)]
    return tuple(sorted({place.scale for place in places}))


def _places(scores: RunScores, step: int | None, scale: float) -> Iterator[Place]:
    """Those to show, in the order of the prompts; the longest denoising, which finishes the pictures, first."""
    found: dict[tuple[int, int], Place] = {}
    kinds: tuple[Sequence[Measure], ...] = (scores.scores, scores.means, scores.copies, scores.moved)
    for place in (one.place for kind in kinds for one in kind):
        key = (place.prompt, place.inference_steps)
        if place.scale != scale or (step is not None and place.step != step):
            continue
        if key not in found or place.step > found[key].step:
            found[key] = place
    yield from sorted(found.values(), key=lambda place: (place.prompt, -place.inference_steps))


def _heading(place: Place) -> str:
    return " · ".join((*place_words(place), f"at step {place.step:,}"))


class ScoresList(LineList):
    """`show(rows)`; headings cannot be stood on."""

    help_text = (
        "What was learned, and how sure that is: for each expectation the share of pictures that show it, without and "
        "with the LoRA, from the same noise; k of n with its 95 % interval. Pictures in which a measure is uncertain "
        "are in neither number.\n\n"
        "✓ learned: more often than the base, and in most pictures. ~ partly: more often, but not surely in most. "
        "✗ not shown: by these prompts, any effect is small. … too few pictures: more would settle it, and about how "
        "many is told below. ? uncertain: too many pictures could not be measured.\n\n"
        "These are suggestions. a makes an observation of one, which you may change before it is saved; n one in your "
        "own words. Enter shows which seeds show it."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {"scores-list--good"}
    DEFAULT_CSS = """
    ScoresList { height: 1fr; min-height: 2; }
    ScoresList > .scores-list--good { color: $text-success; text-style: bold; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(header=True, id=id)
        self.rows: Sequence[Row] = ()

    @property
    def picked(self) -> Measure | None:
        """The measure under the cursor."""
        return self.rows[self.cursor].measure if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these, with the cursor on the measure it was on, else on the first."""
        if list(rows) == list(self.rows):
            return
        before = self.rows[self.cursor].key if 0 <= self.cursor < len(self.rows) else None
        self.rows = rows
        stands = [place for place, row in enumerate(rows) if row.measure is not None]
        at = next((place for place in stands if rows[place].key == before), stands[0] if stands else -1)
        self.set_rows(len(rows), at)

    def move_to(self, row: int) -> None:
        row = max(0, min(row, self.count - 1))
        by = 1 if row >= self.cursor else -1
        for way in (by, -by):
            at = row
            while 0 <= at < self.count and self.rows[at].measure is None:
                at += way
            if 0 <= at < self.count:
                super().move_to(at)
                if at <= 1:  # the first heading is seen again with the first row
                    self.scroll_to(y=0, animate=False, immediate=True)
                return

    # -- drawing --------------------------------------------------------------------------------------------------

    def draw_header(self, width: int) -> Cells:
        return self._columns(width, "expected", ("base", ""), ("LoRA", ""), "uncertain", Segment("suggested"))

    def draw(self, row: int, width: int) -> Cells:
        told = self.rows[row]
        one = told.measure
        if isinstance(one, Score):
            return self._score(one, width)
        if isinstance(one, Mean):
            return self._mean(one, width)
        if isinstance(one, Copies):
            name = "! photocopier" if one.photocopier else "copies"
            return self._number(name, copies_words(one), width, "warning" if one.photocopier else "")
        if isinstance(one, Moved):
            return self._number("moved", moved_words(one), width)
        return [fitted(told.heading, width, self.look("mark"))]

    def _score(self, score: Score, width: int) -> Cells:
        name = expectation_of(score) + (" †" if score.later else "")
        verdict = score.verdict.verdict
        part = _PARTS.get(verdict, "dim")
        style = self.get_component_rich_style("scores-list--good", partial=True) if part == "good" else self.look(part)
        unsure = f"{score.base.unsure}+{score.lora.unsure}" if score.base.unsure + score.lora.unsure else ""
        return self._columns(width, name, _rate(score.base), _rate(score.lora), unsure,
                             fitted(verdict_words(verdict), VERDICT, style), all_of=score.name == ALL)  # fmt: skip

    def _mean(self, mean: Mean, width: int) -> Cells:
        change = mean.change
        verdict = f"{change.estimate:+.2g} p {change.p:.1g}" if change is not None else "not enough pairs"
        base, lora = (f"{value:.3g}" if value is not None else "?" for value in (mean.base, mean.lora))
        pairs = f"{mean.n} pairs"
        return self._columns(width, mean.name, (base, ""), (lora, pairs), "", fitted(verdict, VERDICT))

    def _columns(
        self, width: int, name: str, base: tuple[str, str], lora: tuple[str, str], unsure: str, verdict: Segment,
        all_of: bool = False,
    ) -> Cells:  # fmt: skip
        cells: Cells = []
        for (rate, interval), shown in ((base, width >= WITH_INTERVALS), (lora, True)):
            cells += [fitted(rate, RATE + 1, right=True), Segment(" ")]
            cells += [fitted(interval, INTERVAL + 1, self.look("dim"))] if shown else []
        cells += [fitted(unsure, 10, self.look("dim"))] if width >= WITH_UNSURE else []
        cells += [Segment(" "), fitted(verdict.text, VERDICT, verdict.style)]
        room = width - sum(len(cell.text) for cell in cells)
        return [Segment("  "), fitted(name, room - 2, self.look("dim") if all_of else None), *cells]

    def _number(self, name: str, words: str, width: int, part: str = "") -> Cells:
        return [Segment("  "), fitted(name, 15, self.look(part) if part else None), Segment(" "),
                fitted(words, width - 18, self.look("dim"))]  # fmt: skip


def _rate(rate: Rate) -> tuple[str, str]:
    """`23/24` and `80–99 %`."""
    low, high = rate.interval
    return f"{rate.k}/{rate.n}", f"{100 * low:.0f}–{100 * high:.0f} %"


def copies_words(copies: Copies) -> str:
    """How many pictures are near copies of a training image."""
    told = f"{copies.copies} of {copies.n} are copies of training images, {copies.base_copies} of the base's"
    if copies.to_base is not None:
        told += f"; distance to the nearest ×{copies.to_base:.2f} of the base's"
    return told


def moved_words(moved: Moved) -> str:
    """How far the pictures are from the base's of the same seeds."""
    middle = moved.rmse_middle
    sure = f" ({middle.low:.3g} to {middle.high:.3g})" if middle is not None and abs(middle.low) != float("inf") else ""
    seeds = f"{moved.n} seed{'s' if moved.n != 1 else ''}"
    return f"from the base's pictures by {moved.rmse:.3g}{sure} of 1, {seeds}: {moved.group}"


def why_words(one: Measure | None) -> str:
    """All there is to say about a row."""
    if isinstance(one, Score):
        paired = one.paired
        pairs = paired.both + paired.only_base + paired.only_lora + paired.neither
        told = f"{one.verdict.why} Of {pairs} seeds sure in both: {paired.only_lora} only with the LoRA, "
        told += f"{paired.only_base} only without."
        return told + (" † Expected only after the run: hindsight." if one.later else "")
    if isinstance(one, Mean):
        return f"{one.name}: {mean_words(one)}."
    if isinstance(one, Copies):
        told = copies_words(one)
        if one.to_second is not None:
            told += f", and ×{one.to_second:.2f} of that to the second nearest"
        told += f"; two of its pictures differ by {one.diversity:.3g}"
        told += f", of the base's by {one.base_diversity:.3g}" if one.base_diversity is not None else ""
        return f"{told}.{' It draws its training images: a photocopier.' if one.photocopier else ''}"
    if isinstance(one, Moved):
        return f"{moved_words(one)}; {100 * one.changed:.0f} % of the pixels differ, {one.lab:.3g} in CIELAB."
    return ""
