"""Where in the model a LoRA works: how much its pictures change when one block of it is switched off, or alone is on.

Plain objects that `knockout.json` in a run folder holds, read without numpy; drawing is `engine.knockout`'s business.
Distances are RMSE between pictures of the same noise. Blocks work on what others made, so shares need not add up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.derived import declared, read_derived, write_derived
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import Change

VERSION = 1
WITHOUT, ONLY = "without", "only"
CAUTION = "Blocks work on what others made, so the numbers need not add up; they say where, never what was learned."


@dataclass(frozen=True)
class Distance:
    """RMSE, 0..1, between pictures of the same seeds: of each, and their middle with its interval over the seeds."""

    values: tuple[float, ...]
    middle: Change

    @property
    def words(self) -> str:
        """Such as "0.031 (0.022 to 0.047)"; below six seeds there is no interval."""
        if not math.isfinite(self.middle.low) or not math.isfinite(self.middle.high):
            return f"{self.middle.estimate:.3f} (too few seeds)"
        return f"{self.middle.estimate:.3f} ({self.middle.low:.3f} to {self.middle.high:.3f})"


@dataclass(frozen=True)
class Knocked:
    """One block switched off (`how` WITHOUT), or alone on (ONLY)."""

    block: str
    how: str
    to_lora: Distance  # from the pictures of the whole LoRA
    to_base: Distance  # from those of the base model


@dataclass(frozen=True)
class KnockedPrompt:
    """What the blocks do to the pictures of one prompt. `moved`: from the base to the whole LoRA."""

    number: int
    text: str  # make it plain before it is shown
    inference_steps: int
    seeds: tuple[int, ...]
    moved: Distance
    blocks: tuple[Knocked, ...]

    def of(self, how: str) -> tuple[Knocked, ...]:
        return tuple(one for one in self.blocks if one.how == how)

    def share(self, one: Knocked) -> float | None:
        """Of the whole LoRA's effect: what goes with the block, or what it does alone. None where there is none."""
        whole = self.moved.middle.estimate
        part = one.to_lora if one.how == WITHOUT else one.to_base
        return part.middle.estimate / whole if whole else None


@dataclass(frozen=True)
class KnockOut:
    """Of one checkpoint. `sheets` are names below the run folder."""

    run: str
    step: int
    sha: str  # of the LoRA's tensors
    prompts: tuple[KnockedPrompt, ...]
    sheets: tuple[str, ...]


def knockout_file(run: RunFolder) -> Path:
    return run.path / "knockout.json"


def write_knockout(run: RunFolder, made: KnockOut) -> None:
    """Add it to the file, in the place of an earlier one of its step."""
    try:
        old = read_knockouts(run) or ()
    except LabError:
        old = ()
    kept = {one.step: one for one in (*old, made)}
    write_derived(knockout_file(run), VERSION, {"steps": [asdict(kept[step]) for step in sorted(kept)]})


def read_knockouts(run: RunFolder) -> tuple[KnockOut, ...] | None:
    """By step; None where no block was ever knocked out. LabError for a damaged file."""
    return read_derived(knockout_file(run), VERSION, _knockouts, "it is made anew")


def _knockouts(document: Mapping[str, Any]) -> tuple[KnockOut, ...]:
    steps: tuple[KnockOut, ...] = declared(tuple[KnockOut, ...], document["steps"])
    for prompt in itertools.chain.from_iterable(step.prompts for step in steps):
        without, only = ({one.block for one in prompt.of(how)} for how in (WITHOUT, ONLY))
        if without != only:
            raise ValueError("a block needs to be switched off, and to be alone on")
    return steps
