"""The samples of a run as a grid: a row for each prompt, seed and length of denoising, a column for the base model and
each scale, a slice for each step at which pictures were drawn.

The grid is read from file names alone, so that thousands of pictures are listed in milliseconds; what made a picture
is read from the picture, one at a time. Nothing is written, and pictures are not opened to be shown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from loratui.lab.errors import LabError
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.run.runs import RunFolder

_PICTURE = re.compile(r"p(\d{2,6})-seed(\d{1,20})-steps(\d{1,6})-(?:base|scale(-?\d+(?:\.\d+)?(?:e[-+]\d+)?))\.png")
_STEP = re.compile(r"step-(\d{6,12})")
# The run's own sheet of a step, and those of pictures that somebody asked for, each of one page or several.
_SHEET = re.compile(r"sheet-step-(\d{1,12})(?:-asked-([0-9a-f]{8}))?(?:-(\d{1,6}))?\.png")
_FRESH_NS = 2 * 10**9  # a folder changed this recently may change again without a new time stamp

Axis = Literal["seed", "prompt", "step", "inference_steps", "scale"]


@dataclass(frozen=True, order=True)
class Spot:
    """A row of the grid: the prompt's number, the length of denoising, and the seed."""

    prompt: int
    inference_steps: int
    seed: int


@dataclass(frozen=True)
class Where:
    """A picture's place. `scale` is None for the base model; `step` is then the one it is shown beside."""

    spot: Spot
    scale: float | None
    step: int


@dataclass(frozen=True)
class PromptWords:
    """A prompt as it is shown: its text, and what should be seen, such as `colour gray · shape circle`."""

    text: str
    expected: str = ""


Pictures = dict[tuple[Spot, float | None], str]  # file names


class Gallery:
    """What samples a run has. `refresh` looks at the disk; all else answers from what it found."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.steps: tuple[int, ...] = ()
        self.spots: tuple[Spot, ...] = ()
        self.scales: tuple[float, ...] = ()
        self._steps: dict[int, Pictures] = {}
        self._base: Pictures = {}
        self._sheets: dict[int, tuple[str, ...]] = {}
        self._seen: dict[str, int] = {}  # folders by the time stamp under which they were listed
        self._known: dict[Spot, Spot] = {}  # one object for equal ones: there are thousands
        self._lock = threading.Lock()
        self._prompts: dict[int, PromptWords] = {}
        self._own = 0  # prompts of the run itself; others were asked for while it was trained

    def refresh(self) -> bool:
        """Look for what is new; True when anything changed. Only folders that changed are listed again.

        May run in a thread while others read: they see the old grid or the new one.
        """
        with self._lock:
            return self._refresh()

    def _refresh(self) -> bool:
        sheets: dict[int, list[tuple[str, int, str]]] = {}
        folders: dict[str, os.DirEntry[str]] = {}
        try:
            with os.scandir(self.run.samples) as entries:
                for entry in entries:
                    if match := _SHEET.fullmatch(entry.name):
                        sheets.setdefault(int(match[1]), []).append((match[2] or "", int(match[3] or 1), entry.name))
                    elif entry.name == "base" or _STEP.fullmatch(entry.name):
                        folders[entry.name] = entry
        except OSError:  # not drawn yet, or a disk that is gone for a moment
            folders = {}
        found = {step: tuple(name for _, _, name in sorted(pages)) for step, pages in sheets.items()}
        base, steps = self._base, dict(self._steps)
        for name in [name for name in self._seen if name not in folders]:
            del self._seen[name]
            if name == "base":
                base = {}
            else:
                steps.pop(_step(name), None)
        for name, entry in folders.items():
            pictures = self._look(name, entry)
            if pictures is None:
                continue
            if name == "base":
                base = pictures
            elif pictures:
                steps[_step(name)] = pictures
            else:
                steps.pop(_step(name), None)
        if (found, base, steps) == (self._sheets, self._base, self._steps):
            return False
        everywhere = {key for pictures in (base, *steps.values()) for key in pictures}
        self._sheets, self._base, self._steps = found, base, steps
        self.steps = tuple(sorted(steps))
        self.spots = tuple(sorted({spot for spot, _ in everywhere}))
        self.scales = tuple(sorted({scale for _, scale in everywhere if scale is not None}))
        return True

    def _look(self, name: str, entry: os.DirEntry[str]) -> Pictures | None:
        """What a folder holds, or None where it is as it was."""
        pictures: Pictures = {}
        try:
            stamp = entry.stat().st_mtime_ns
            if self._seen.get(name) == stamp:
                return None
            with os.scandir(entry.path) as files:
                for file in files:
                    if match := _PICTURE.fullmatch(file.name):
                        spot = Spot(int(match[1]), int(match[3]), int(match[2]))
                        scale = float(match[4]) if match[4] is not None else None
                        if (scale is None) == (name == "base"):
                            pictures[self._known.setdefault(spot, spot), scale] = file.name
        except OSError:
            return None
        self._seen[name] = stamp if time.time_ns() - stamp > _FRESH_NS else -1
        return pictures

    # -- what there is ----------------------------------------------------------------------------------------

    @property
    def empty(self) -> bool:
        return not self.spots

    @property
    def inference_steps(self) -> tuple[int, ...]:
        return tuple(sorted({spot.inference_steps for spot in self.spots}))

    @property
    def columns(self) -> tuple[float | None, ...]:
        """The base model, then each scale."""
        return (None, *self.scales)

    def rows(self, step: int, inference_steps: int) -> tuple[Spot, ...]:
        """The rows to show at a step: those of the run's own prompts, and of others only where they were drawn.

        So a grid keeps its shape from step to step, and while a step is being drawn. Call `read_words` before.
        """
        here = {spot for spot, _ in self._steps.get(step, {})}
        return tuple(
            spot
            for spot in self.spots
            if spot.inference_steps == inference_steps and (spot.prompt < self._own or spot in here)
        )

    def path(self, where: Where) -> Path | None:
        """The file of a picture, or None where it was not drawn."""
        if where.scale is None:
            name = self._base.get((where.spot, None))
            return self.run.samples / "base" / name if name else None
        name = self._steps.get(where.step, {}).get((where.spot, where.scale))
        return self.run.samples / f"step-{where.step:06d}" / name if name else None

    def sheets(self, step: int) -> tuple[Path, ...]:
        """The pages of a step's contact sheet, then those of what else was asked for at that step."""
        return tuple(self.run.samples / name for name in self._sheets.get(step, ()))

    @property
    def all_sheets(self) -> tuple[Path, ...]:
        return tuple(path for step in sorted(self._sheets) for path in self.sheets(step))

    def locate(self, path: Path) -> Where | None:
        """Where a picture of this run stands in the grid; None for a contact sheet and for what is not here."""
        match = _PICTURE.fullmatch(path.name)
        if match is None or path.parent.parent != self.run.samples:
            return None
        spot = Spot(int(match[1]), int(match[3]), int(match[2]))
        if path.parent.name == "base":
            return Where(spot, None, self._newest_with(spot)) if (spot, None) in self._base else None
        if not _STEP.fullmatch(path.parent.name):
            return None
        where = Where(spot, float(match[4]) if match[4] is not None else None, _step(path.parent.name))
        return where if self.path(where) else None

    def _newest_with(self, spot: Spot) -> int:
        having = [step for step in self.steps if any(one == spot for one, _ in self._steps.get(step, {}))]
        return having[-1] if having else (self.steps[-1] if self.steps else 0)

    # -- from one picture to the next -------------------------------------------------------------------------

    def move(self, where: Where, axis: Axis, by: int) -> Where | None:
        """The next place along an axis that has a picture, the rest unchanged; None at the end.

        From prompt to prompt, a seed that the other prompt lacks becomes its nearest.
        """
        if axis == "prompt":
            return self._other_prompt(where, by)
        values: Sequence[Any]
        here: Any
        make: Callable[[Any], Where]
        if axis == "step":
            values, here, make = self.steps, where.step, lambda step: replace(where, step=step)
        elif axis == "scale":
            values, here, make = self.columns, where.scale, lambda scale: replace(where, scale=scale)
        else:
            values = sorted({getattr(spot, axis) for spot in self.spots if spot.prompt == where.spot.prompt})
            here = getattr(where.spot, axis)
            make = lambda value: replace(where, spot=replace(where.spot, **{axis: value}))  # noqa: E731
        if here not in values:
            return None
        at = list(values).index(here) + by
        while 0 <= at < len(values):
            there = make(values[at])
            # The base model has no steps of its own: the slider moves on beside it.
            drawn = self.path(there) or (axis == "step" and where.scale is None)
            if drawn:
                return there
            at += 1 if by > 0 else -1
        return None

    def _other_prompt(self, where: Where, by: int) -> Where | None:
        prompts = sorted({spot.prompt for spot in self.spots})
        if where.spot.prompt not in prompts:
            return None
        at = prompts.index(where.spot.prompt) + by
        while 0 <= at < len(prompts):
            spots = [spot for spot in self.spots if spot.prompt == prompts[at]]
            spots.sort(key=lambda spot: (spot.inference_steps != where.spot.inference_steps,
                                         abs(spot.seed - where.spot.seed)))  # fmt: skip
            for spot in spots:
                there = replace(where, spot=spot)
                if self.path(there):
                    return there
            at += 1 if by > 0 else -1
        return None

    def twin(self, where: Where, scale: float | None = None) -> Where | None:
        """The same noise without the LoRA; from the base model, with it: at `scale`, else the scale nearest to 1."""
        if where.scale is not None:
            other = replace(where, scale=None)
            return other if self.path(other) else None
        wished = 1.0 if scale is None else scale
        for value in sorted(self.scales, key=lambda value: (value != wished, abs(value - wished))):
            other = replace(where, scale=value)
            if self.path(other):
                return other
        return None

    # -- words ------------------------------------------------------------------------------------------------

    def prompt(self, number: int) -> PromptWords:
        """The words of a prompt, as far as `read_words` found them."""
        return self._prompts.get(number) or PromptWords(f"prompt {number}")

    def read_words(self) -> None:
        """Read the prompts from the run's record, and those that are not in it from a picture drawn with them."""
        with self._lock:
            if not self._prompts:
                recorded = _recorded(self.run)
                self._own = len(recorded)
                self._prompts = dict(enumerate(recorded))
            for number in {spot.prompt for spot in self.spots} - set(self._prompts):
                if words := self._prompt_of_picture(number):
                    self._prompts[number] = PromptWords(words)

    def _prompt_of_picture(self, number: int) -> str | None:
        """From one of its pictures; of broken ones a few are tried."""
        own = (spot for spot in self.spots if spot.prompt == number)
        wheres = (Where(spot, scale, step) for spot in own for scale in self.columns for step in self.steps or (0,))
        paths = (path for where in wheres if (path := self.path(where)) is not None)
        for path in itertools.islice(paths, 3):
            with contextlib.suppress(LabError):
                facts = read_facts(path)
                if facts is not None:
                    return facts.prompt
        return None


def expected_words(expect: Mapping[str, Any]) -> str:
    """What a prompt's pictures should show, in one line."""
    return " · ".join(f"{name} {_value(value)}" for name, value in expect.items())


def _recorded(run: RunFolder) -> list[PromptWords]:
    """The run's prompts; none where its record cannot be read."""
    from loratui.lab.project.settings import settings_from_dict

    try:
        sample = settings_from_dict(run.read_record()["settings"]).sample
        own = sample.prompts or sample.prompt
        captions = [] if own else [str(image.get("caption", "")) for image in run.read_captions()]
        return [PromptWords(prompt.text, expected_words(prompt.expect)) for prompt in sample.resolved(captions)]
    except (LabError, KeyError, TypeError, AttributeError, ValueError):
        return []


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        numbers = len(value) == 2 and all(isinstance(item, (int, float)) for item in value)
        return ("–" if numbers else " or ").join(_value(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _step(name: str) -> int:
    return int(name.removeprefix("step-"))
