"""What two or more runs show, set beside each other: pictures from the same noise, losses on one axis, observations.

Pictures are matched by what made them: prompt, guidance, size, seed, inference steps and scale. Where runs were given
other words for the same prompt, as when a tag was replaced, the prompts of one number are matched, and each run has
the base model's picture of its own words. What differs between the runs is comparison.py's subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.notes.comparison import letter
from loratui.lab.notes.observations import Observation, read_observations
from loratui.lab.pictures.gallery import Gallery, Spot, Where
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.run.curves import Curves, Span
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder

Words = tuple[str, str, float, int, int]  # prompt, negative prompt, guidance scale, width, height


@dataclass(frozen=True)
class Column:
    """One column of the pictures. `runs` are places among the runs: one, or all that share these base pictures."""

    runs: tuple[int, ...]
    is_base: bool
    label: str

    @property
    def run(self) -> int:
        return self.runs[0]


@dataclass(frozen=True)
class PictureRow:
    """One prompt, seed, number of inference steps and scale. `prompts` are numbers by run, None where it has none."""

    words: tuple[str, ...]  # the prompt's text, several where the runs say it differently
    prompts: tuple[int | None, ...]
    inference_steps: int
    seed: int
    scale: float


@dataclass(frozen=True)
class PictureCell:
    """A picture and the training step it was drawn at; no path where none was drawn."""

    path: Path | None
    step: int | None = None  # None for the base model


class Aligned:
    """The pictures of several runs as one grid. `refresh` looks at the disk; the rest answers from what it found."""

    def __init__(self, runs: Sequence[RunFolder]) -> None:
        self.runs = tuple(runs)
        self.galleries = tuple(Gallery(run) for run in runs)
        self.rows: tuple[PictureRow, ...] = ()
        self.columns: tuple[Column, ...] = ()
        self._records = [_record(run) for run in runs]
        self._said: dict[tuple[int, int], Words] = {}

    def refresh(self) -> bool:
        """Look for new pictures; True when anything changed. Reads few pictures' facts, and no pixels."""
        changed = [gallery.refresh() for gallery in self.galleries]  # each of them, whatever the first says
        if not any(changed) and self.columns:
            return False
        groups = self._groups()
        self.rows = tuple(self._rows(groups))
        self.columns = tuple(self._columns())
        return True

    def _columns(self) -> Iterator[Column]:
        """The runs, each behind the base model's pictures of its own words; those that share them stand together."""
        bases = {record.base_hash for record in self._records if record is not None}
        everyone = tuple(range(len(self.runs)))
        sharing: dict[object, tuple[int, ...]] = {}
        for index, record in enumerate(self._records):
            own = (record and record.base_hash, tuple(self._text(index, row.prompts[index]) for row in self.rows))
            sharing[own] = (*sharing.get(own, ()), index)
        if len(bases) <= 1 and all(len(row.words) == 1 for row in self.rows):
            sharing = {"all": everyone}
        for runs in sharing.values():
            names = [letter(index) for index in runs]
            yield Column(runs, True, f"base {' '.join(names)}" if len(sharing) > 1 else "base")
            yield from (Column((index,), False, name) for index, name in zip(runs, names, strict=True))

    def _text(self, index: int, number: int | None) -> str | None:
        return None if number is None else self._words(index, number)[0]

    @property
    def steps(self) -> tuple[int, ...]:
        """Every training step at which one of the runs drew pictures."""
        return tuple(sorted({step for gallery in self.galleries for step in gallery.steps}))

    @property
    def scales(self) -> tuple[float, ...]:
        return tuple(sorted({row.scale for row in self.rows}))

    def cell(self, row: PictureRow, column: Column, step: int) -> PictureCell:
        """The picture of a run at a step, or at the last one before it at which that run drew this one."""
        if column.is_base:
            for index in column.runs:
                path = self._path(index, row, None, step)
                if path is not None:
                    return PictureCell(path)
            return PictureCell(None)
        for earlier in reversed([s for s in self.galleries[column.run].steps if s <= step]):
            path = self._path(column.run, row, row.scale, earlier)
            if path is not None:
                return PictureCell(path, earlier)
        return PictureCell(None)

    def base(self, row: PictureRow, index: int) -> Path | None:
        """The base picture that a run itself drew."""
        steps = self.galleries[index].steps
        return self._path(index, row, None, steps[-1] if steps else 0)

    def _path(self, index: int, row: PictureRow, scale: float | None, step: int) -> Path | None:
        number = row.prompts[index]
        if number is None:
            return None
        return self.galleries[index].path(Where(Spot(number, row.inference_steps, row.seed), scale, step))

    def _groups(self) -> list[list[int | None]]:
        """Which prompts are the same, as numbers by run; in the order in which they come first."""
        groups: dict[Words, list[int | None]] = {}
        for index, gallery in enumerate(self.galleries):
            for number in sorted({spot.prompt for spot in gallery.spots}):
                group = groups.setdefault(self._words(index, number), [None] * len(self.runs))
                group[index] = number if group[index] is None else group[index]
        merged: list[tuple[Words, list[int | None]]] = []
        for words, group in groups.items():
            numbers = {number for number in group if number is not None}
            for other, into in merged:
                alone = all(a is None or b is None for a, b in zip(group, into, strict=True))
                same_number = len(numbers) == 1 and set(into) - {None} == numbers
                if alone and same_number and other[2:] == words[2:]:
                    into[:] = [a if a is not None else b for a, b in zip(into, group, strict=True)]
                    break
            else:
                merged.append((words, group))
        return [group for _, group in merged]

    def _words(self, index: int, number: int) -> Words:
        if (index, number) not in self._said:
            self._said[index, number] = self._read_words(index, number)
        return self._said[index, number]

    def _read_words(self, index: int, number: int) -> Words:
        record, gallery = self._records[index], self.galleries[index]
        prompts = record.prompts if record is not None else ()
        if number < len(prompts):
            p = prompts[number]
            return p.text, p.negative_prompt or "", float(p.guidance_scale or 0), int(p.width or 0), int(p.height or 0)
        for spot in gallery.spots:
            if spot.prompt == number:
                for scale in gallery.columns:
                    for step in gallery.steps or (0,):
                        path = gallery.path(Where(spot, scale, step))
                        facts = _facts(path) if path is not None else None
                        if facts is not None:
                            return facts
        return f"prompt {number}", "", 0.0, 0, 0

    def _rows(self, groups: Sequence[Sequence[int | None]]) -> list[PictureRow]:
        found = []
        for group in groups:
            words = dict.fromkeys(self._words(i, n)[0] for i, n in enumerate(group) if n is not None)
            spots = {
                (spot.inference_steps, spot.seed)
                for index, number in enumerate(group)
                for spot in self.galleries[index].spots
                if spot.prompt == number
            }
            scales = sorted({scale for gallery in self.galleries for scale in gallery.scales}) or [1.0]
            for steps, seed in sorted(spots, key=lambda spot: (-spot[0], spot[1])):  # finished pictures first
                rows = [PictureRow(tuple(words), tuple(group), steps, seed, scale) for scale in scales]
                found += [row for row in rows if self._is_drawn(row)] or rows[:1]
        return found

    def _is_drawn(self, row: PictureRow) -> bool:
        return any(
            self._path(index, row, row.scale, step) is not None
            for index, gallery in enumerate(self.galleries)
            for step in reversed(gallery.steps)
        )


@dataclass(frozen=True)
class FeatureRow:
    """What was seen of one feature in each run, oldest first. Those struck out are left out."""

    feature: str  # "" for observations about none
    observations: tuple[tuple[Observation, ...], ...]


def observations_by_feature(runs: Sequence[RunFolder], problems: list[str] | None = None) -> list[FeatureRow]:
    """A row for each feature, those named in more runs first. What is wrong with a file goes into `problems`."""
    by_name: dict[str, tuple[str, list[list[Observation]]]] = {}
    for index, run in enumerate(runs):
        try:
            observations = read_observations(run)
        except LabError as error:
            if problems is None:
                raise
            problems.append(str(error))
            continue
        for observation in observations:
            if not observation.struck:
                key = observation.feature.casefold()
                _, cells = by_name.setdefault(key, (observation.feature, [[] for _ in runs]))
                cells[index].append(observation)
    rows = [FeatureRow(name, tuple(map(tuple, cells))) for name, cells in by_name.values()]
    return sorted(rows, key=lambda row: (not row.feature, -sum(bool(seen) for seen in row.observations)))


def common_span(curves: Sequence[Curves]) -> Span:
    """The steps of all runs on one axis, from 0 to the last step of the longest."""
    return Span(0, max((curve.last_step for curve in curves), default=0))


def _record(run: RunFolder) -> Record | None:
    try:
        return read_record(run)
    except LabError:
        return None


def _facts(path: Path) -> Words | None:
    try:
        facts = read_facts(path)
    except LabError:
        return None
    if facts is None:
        return None
    return facts.prompt, facts.negative_prompt, facts.guidance_scale, facts.width, facts.height
