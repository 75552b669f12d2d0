"""One thing to train: a project as written, or with a variant, a cell of its matrix, or another training seed.

`wanted_runs` lists those that were asked for; `wanted_again` finds out from its record what a run is of, as its project
is now. A variant and a seed are names of a change: the project that a `Wanted` holds has them applied, and whatever
examines, freezes or compares it needs to know nothing more of them. What is made already is series.py's.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.checking import check, near_words
from loratui.lab.project.layers import conflicts, layered
from loratui.lab.project.project import Project, Variant, load_project, variant_settings
from loratui.lab.project.schema import SEED_MAX, Problem, show
from loratui.lab.project.settings import RULES, build, flat
from loratui.lab.run.runs import RunFolder

EVERY = "*"  # among the names of variants: the project as written, and all of them
AS_WRITTEN = "as written"
_MOST_RUNS = 1000


class VariantGone(LabError):
    """The project has no variant any more of which a run was made."""


@dataclass(frozen=True)
class Wanted:
    """A run to be made. `project` has the variant's settings and edits its captions; `variant` "" is the project
    itself; `repeat` n trains with its seed + n."""

    project: Project
    variant: str = ""
    repeat: int = 0
    overrides: tuple[str, ...] = ()
    label: str = AS_WRITTEN
    matrix: Mapping[str, Any] = field(default_factory=dict)  # checked values by dotted key

    @property
    def is_as_written(self) -> bool:
        """Whether it is the project itself, with no variant, no cell of the matrix and its own seed."""
        return not (self.variant or self.matrix or self.repeat)

    @property
    def name(self) -> str:
        """What its run folder is named after."""
        parts = [self.project.name, self.variant, *_cell_words(self.matrix)]
        return "-".join(part for part in (*parts, f"r{self.repeat}" if self.repeat else "") if part)

    @property
    def identity(self) -> dict[str, Any]:
        """What its record says of it in the table `run`, and `wanted_again` reads back."""
        said: dict[str, Any] = {"overrides": list(self.overrides)}
        if self.variant:
            said["variant"] = self.variant
        if self.repeat:
            said["repeat"] = self.repeat
        if self.matrix:
            plain_values = flat(build(self.matrix))
            said["matrix"] = {key: plain_values[key] for key in self.matrix}
        return said


def wanted_runs(
    file: Path,
    overrides: Sequence[str] = (),
    variants: Sequence[str] | None = None,
    matrix: bool = False,
    repeats: int = 1,
) -> tuple[Wanted, ...]:
    """The runs that were asked for, in the order in which they are made: each variant, each cell, each seed.

    `variants`: None for the project as written, which is also the name ""; else names, EVERY for all. With `matrix`
    each of them once for each combination. LabError with what is wrong.
    """
    project = load_project(file, overrides)
    if not 1 <= repeats <= _MOST_RUNS:
        raise LabError(f"--repeats {repeats}: expected a number from 1, such as 3, to {_MOST_RUNS}")
    if matrix and not project.matrix:
        raise LabError(f"{plain(project.file)}: has no [matrix]; write one, as: [matrix] and lora.rank = [4, 8]")
    for key in project.overrides:
        if matrix and key in project.matrix:
            raise LabError(f"--set {key}: the matrix varies it; leave out one of them")
    cells: list[dict[str, Any]] = [{}]
    if matrix:
        cells = [
            dict(zip(project.matrix, values, strict=True)) for values in itertools.product(*project.matrix.values())
        ]
    chosen = _chosen(project, variants)
    if len(chosen) * len(cells) * repeats > _MOST_RUNS:
        raise LabError(f"{plain(project.file)}: these are {len(chosen) * len(cells) * repeats:,} runs; ask for fewer")
    return tuple(
        _wanted(project, variant, repeat, tuple(overrides), cell)
        for variant, cell in itertools.product(chosen, cells)
        for repeat in range(repeats)
    )


def wanted_again(run: RunFolder, file: Path, overrides: Sequence[str] = ()) -> Wanted:
    """What the run was made of, as the project in `file` says it now, with further overrides over everything.

    One that names the training seed, or a key of the matrix, takes the place of what the run had there. LabError when
    the project is not in order, or its variant is gone.
    """
    said = run.read_record().get("run", {})
    project = load_project(file, [*said.get("overrides", []), *overrides])
    further = {override.partition("=")[0].strip() for override in overrides}
    name, repeat = str(said.get("variant", "")), said.get("repeat", 0)
    table = said.get("matrix", {})
    if not isinstance(repeat, int) or not isinstance(table, Mapping):
        raise LabError(f"{plain(run.record_file)}: damaged: run.repeat or run.matrix; start a new run")
    problems: list[Problem] = []
    cell = {
        key: check(RULES[key], value, (key,), problems)
        for key, value in table.items()
        if key in RULES and key not in further
    }
    if problems:
        raise LabError(f"{plain(run.record_file)}: damaged: run.matrix: {problems[0].text}; start a new run")
    every = last_of_each([*said.get("overrides", []), *overrides])
    if name and name not in [variant.name for variant in project.variants]:
        raise VariantGone(f'{plain(project.file)}: the variant "{plain(name)}" of this run is gone; put it back')
    (variant,) = _chosen(project, (name,))
    return _wanted(project, variant, 0 if "train.seed" in further else repeat, tuple(every), cell)


def last_of_each(overrides: Sequence[str]) -> list[str]:
    """Without those that a later one of the same key overrides."""
    return list({override.partition("=")[0].strip(): override for override in overrides}.values())


def _chosen(project: Project, names: Sequence[str] | None) -> list[Variant | None]:
    if names is None:
        return [None]
    known = {variant.name: variant for variant in project.variants}
    found: dict[str, Variant | None] = {}
    for name in names:
        if name == EVERY:
            found |= {"": None, **known}
        elif not name:
            found[name] = None
        elif name in known:
            found[name] = known[name]
        elif known:
            raise LabError(f"{plain(project.file)}: there is no variant {show(name)}; {near_words(name, known)}")
        else:
            raise LabError(f"{plain(project.file)}: there is no variant {show(name)}, and no [[variant]] at all")
    return list(found.values())


def _wanted(
    project: Project, variant: Variant | None, repeat: int, overrides: tuple[str, ...], cell: Mapping[str, Any]
) -> Wanted:
    label = " ".join(([variant.name] if variant else []) + _cell_words(cell)) or AS_WRITTEN
    made = project
    if variant is not None or cell:
        own = variant.overrides if variant else {}
        known = conflicts(layered(project.given, project.overrides))
        clash = [c for c in conflicts(layered(project.given, own, cell, project.overrides)) if c not in known]
        if clash:
            raise LabError(f"{plain(project.file)}: {label}: {clash[0].subject}: {clash[0].message}")
        made = replace(project, settings=variant_settings(project, variant or Variant(), cell), variant=variant)
    if repeat:
        seed = (made.settings.train.seed + repeat) % (SEED_MAX + 1)
        made = replace(made, settings=replace(made.settings, train=replace(made.settings.train, seed=seed)))
        label = f"{label}, seed {seed}"
    if made is not project:
        made = replace(made, variants=())  # what is checked with it is it alone
    return Wanted(made, variant.name if variant else "", repeat, overrides, label, dict(cell))


def _cell_words(cell: Mapping[str, Any]) -> list[str]:
    """`rank=4`, `steps=100`: the last part of a key where no other ends so."""
    lasts = [key.rpartition(".")[2] for key in cell]
    words = []
    for (key, value), last in zip(cell.items(), lasts, strict=True):
        name = last if lasts.count(last) == 1 else key
        words.append(f"{name}={plain(_value_words(value), 40)}")
    return words


def _value_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(_value_words(item) for item in value)
    return str(getattr(value, "text", value))
