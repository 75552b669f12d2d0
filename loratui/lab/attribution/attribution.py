"""Which tag took in what, as a table: units (tags, their words, no tag) against features of the training images.

Plain objects that are kept in `attribution.json` of the run, a table a checkpoint, and read back without numpy. What
is drawn for them is planned in `plan`, the rule by which a cell gets its word is in `rule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.attribution.plan import Asked, Feature, Unit
from loratui.lab.derived import declared, read_derived, write_derived
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import LEARNED, NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN, Paired, Rate, Verdict

VERSION = 1  # of the file; another one is judged anew
CARRIED, UNASKED = "carried", "unasked"
WORDS = (CARRIED, PARTLY, UNASKED, NOT_SHOWN, UNCERTAIN, TOO_FEW)
GOES, IN_PART, STAYS, OPEN = "goes", "goes in part", "stays", "open"
ANY_WORD, LEFT_OUT, REPLACED = "any word", "left out", "replaced"


@dataclass(frozen=True)
class Test:
    """One comparison of two prompts, both with the LoRA: `more` with the unit, `fewer` the other way round."""

    question: str  # ANY_WORD, LEFT_OUT or REPLACED
    whole: str  # the prompt that has the unit
    other: str
    lora: Rate  # of `whole`
    lora_other: Rate
    more: int
    fewer: int
    p: float
    gone: Rate  # of the pictures of `whole` that show it, those of `other` that do not
    outcome: str  # GOES, IN_PART, STAYS or OPEN
    suggested: Verdict  # of `lora_other` against `lora`; it says what would settle an open one


@dataclass(frozen=True)
class Cell:
    """One unit and one feature; `base` and `lora` are of the unit alone."""

    unit: str
    feature: int  # its place in the table's features
    base: Rate
    lora: Rate
    paired: Paired
    alone: Verdict
    tests: tuple[Test, ...]
    verdict: Verdict  # one of WORDS

    @property
    def partly(self) -> str:
        """Why it is only partly, in two or three words; "" where it is not."""
        if self.verdict.verdict != PARTLY:
            return ""
        if self.alone.verdict not in (LEARNED, PARTLY):
            return "only in company"
        return "also without it" if any(test.outcome in (STAYS, IN_PART) for test in self.tests) else "not in most"


@dataclass(frozen=True)
class Shown:
    """One prompt and one feature: the evidence behind the cells."""

    text: str
    feature: int
    base: Rate
    lora: Rate


@dataclass(frozen=True)
class Example:
    """Pictures of a unit alone from one seed. Paths as posix, below the run folder."""

    unit: str
    seed: int
    base: str
    lora: str


@dataclass(frozen=True)
class Attribution:
    """The table of one checkpoint."""

    run: str
    project: str
    step: int
    scale: float
    inference_steps: int
    seeds: tuple[int, ...]
    untrained: str
    units: tuple[Unit, ...]
    prompts: tuple[Asked, ...]
    features: tuple[Feature, ...]
    left_out: tuple[str, ...]
    cells: tuple[Cell, ...]
    shown: tuple[Shown, ...]
    examples: tuple[Example, ...] = ()

    def cell(self, unit: Unit, feature: int) -> Cell:
        return next(cell for cell in self.cells if (cell.unit, cell.feature) == (unit.name, feature))

    @property
    def needed(self) -> int:
        """Seeds that would about settle half of the cells that have too few pictures; 0 where there are none."""
        open_ones = sorted(cell.verdict.needed for cell in self.cells if cell.verdict.verdict == TOO_FEW)
        known = [needed for needed in open_ones if needed > len(self.seeds)]
        return known[(len(known) - 1) // 2] if known else 0

    def examples_of(self, unit: Unit) -> tuple[Example, ...]:
        return tuple(one for one in self.examples if one.unit == unit.name)


def attribution_file(run: RunFolder) -> Path:
    return run.path / "attribution.json"


def write_attribution(run: RunFolder, one: Attribution) -> None:
    """Add a table to the file, in the place of an earlier one of its checkpoint and scale."""
    try:
        kept = [other for other in read_attributions(run) if (other.step, other.scale) != (one.step, one.scale)]
    except LabError:
        kept = []  # damaged: it is derived from pictures that are still there
    tables = sorted([*kept, one], key=lambda table: (table.step, table.scale))
    write_derived(attribution_file(run), VERSION, {"tables": [asdict(table) for table in tables]})


def read_attribution(run: RunFolder, step: int | None = None) -> Attribution | None:
    """The table of a step, else of the last one; None where there is none. LabError for a damaged file."""
    tables = [table for table in read_attributions(run) if step in (None, table.step)]
    return tables[-1] if tables else None


def read_attributions(run: RunFolder) -> tuple[Attribution, ...]:
    """All tables, by step; none of another version. LabError for a damaged file."""
    return read_derived(attribution_file(run), VERSION, _tables, "loratui --attribute makes it anew") or ()


def _tables(document: Mapping[str, Any]) -> tuple[Attribution, ...]:
    tables: tuple[Attribution, ...] = declared(tuple[Attribution, ...], document["tables"])
    for table in tables:
        numbers = range(len(table.features))
        cells = {(cell.unit, cell.feature) for cell in table.cells}
        places = {(unit.name, number) for unit in table.units for number in numbers}
        if not places or not places <= cells:
            raise ValueError("a table needs a cell for each of its units and features")
        shown = {(one.text, one.feature) for one in table.shown}
        if not shown >= {(text, number) for text, _ in shown for number in numbers}:
            raise ValueError("a prompt needs a rate for each feature")
        if any(cell.verdict.verdict not in WORDS or not _is_told(cell) for cell in table.cells):
            raise ValueError("a cell says what none can say")
        if any(feature not in numbers for _, feature in cells | shown):
            raise ValueError("there is no such feature")
    return tables


def _is_told(cell: Cell) -> bool:
    questions, outcomes = (ANY_WORD, LEFT_OUT, REPLACED), (GOES, IN_PART, STAYS, OPEN)
    return all(test.question in questions and test.outcome in outcomes for test in cell.tests)
