"""A series of runs, or a run again with a change, planned and started by a child process while an interface goes on.

The child reads images and hashes the model, and says the plan as plain values; nothing of what it needs for that is
loaded here. The workers that it starts are processes of their own and outlive it. What a plan is, series.py says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab.apart import answer, ask
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from loratui.lab.run.series import SeriesPlan
    from loratui.lab.run.wanted import Wanted


@dataclass(frozen=True)
class Asked:
    """Which runs of a project: `variants` by name, "" the project as written; each in every cell of the matrix, each
    with so many training seeds."""

    file: Path
    overrides: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("",)
    matrix: bool = False
    repeats: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether it is the project as written, once."""
        return self.variants == ("",) and not self.matrix and self.repeats == 1


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan, as `series.Planned`."""

    label: str
    steps: int
    left: int
    seconds: float | None
    bytes: int
    factors: tuple[str, ...]
    state: str
    run: str = ""
    note: str = ""
    changes: tuple[str, ...] = ()  # the factors with their values


@dataclass(frozen=True)
class PlanTold:
    """As `series.SeriesPlan`, in plain values. `changes` are of a run made from another: what differs from it."""

    rows: tuple[PlannedRun, ...]
    total_steps: int
    seconds: float | None
    bytes: int
    warnings: tuple[str, ...] = ()
    basis: str = ""
    errors: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def to_start(self) -> tuple[PlannedRun, ...]:
        """Those that a start would begin, or go on with."""
        return tuple(row for row in self.rows if row.left)


def plan_apart(asked: Asked, progress: Progress = quiet) -> PlanTold:
    """What would be trained. What `progress` raises ends the child. LabError as of `wanted_runs` and `series_plan`."""
    return _read(_ask("plan", {**asdict(asked), "file": str(asked.file.absolute())}, asked.file, progress))


def start_apart(asked: Asked, progress: Progress = quiet) -> list[RunFolder]:
    """Start what is left of it, as `launch.start_wanted`; the runs that were started."""
    found = _ask("start", {**asdict(asked), "file": str(asked.file.absolute())}, asked.file, progress)
    return [RunFolder(Path(path)) for path in found["runs"]]


def plan_fork_apart(run: RunFolder, overrides: Sequence[str], progress: Progress = quiet) -> PlanTold:
    """What the run again with these changes would be, as `forking.look_at_fork`; LabError when nothing differs."""
    return _read(_ask("fork", {"run": str(run.path.absolute()), "overrides": list(overrides)}, run.path, progress))


def start_fork_apart(run: RunFolder, overrides: Sequence[str], progress: Progress = quiet) -> RunFolder:
    """Start it, as `launch.fork`."""
    asked = {"run": str(run.path.absolute()), "overrides": list(overrides)}
    return RunFolder(Path(_ask("start-fork", asked, run.path, progress)["runs"][0]))


def _ask(what: str, asked: dict[str, Any], about: Path, progress: Progress) -> dict[str, Any]:
    return ask("loratui.lab.run.seriesapart", [what, json.dumps(asked)], f"{plain(about)}: looking at it", progress)


def _read(found: dict[str, Any]) -> PlanTold:
    rows = tuple(
        PlannedRun(**{**row, "factors": tuple(row["factors"]), "changes": tuple(row["changes"])})
        for row in found["rows"]
    )
    lists = {name: tuple(found[name]) for name in ("warnings", "errors", "changes")}
    return PlanTold(rows, found["total_steps"], found["seconds"], found["bytes"], basis=found["basis"], **lists)


# --- in the child -----------------------------------------------------------------------------------------------------


def _work(progress: Progress) -> dict[str, Any]:
    what, asked = sys.argv[1], json.loads(sys.argv[2])
    if what == "fork":
        from loratui.lab.run.forking import look_at_fork

        fork = look_at_fork(RunFolder(Path(asked["run"])), asked["overrides"], progress)
        return {**_told(fork.plan), "changes": fork.changes}
    if what == "start-fork":
        from loratui.lab.run.launch import fork as start_fork

        made, _ = start_fork(RunFolder(Path(asked["run"])), asked["overrides"])
        return {"runs": [str(made.path)]}
    if what == "plan":
        from loratui.lab.run.series import series_plan

        return {**_told(series_plan(_wanted(asked), progress)), "changes": ()}
    from loratui.lab.run.launch import start_wanted

    return {"runs": [str(run.path) for run in start_wanted(_wanted(asked))]}


def _wanted(asked: dict[str, Any]) -> tuple[Wanted, ...]:
    from loratui.lab.run.wanted import wanted_runs

    return wanted_runs(Path(asked["file"]), asked["overrides"], asked["variants"], asked["matrix"], asked["repeats"])


def _told(plan: SeriesPlan) -> dict[str, Any]:
    names = PlannedRun.__dataclass_fields__
    return {
        "rows": [{name: getattr(row, name) for name in names} for row in plan.rows],
        **{name: getattr(plan, name) for name in ("total_steps", "seconds", "bytes", "warnings", "basis", "errors")},
    }


if __name__ == "__main__":
    answer(_work)
