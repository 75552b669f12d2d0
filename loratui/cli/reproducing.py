"""The verb that runs experiments: --reproduce trains what is not trained yet, draws, measures, and holds claims to it.

Whatever is there already is used, so the same command goes on where it was broken off.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.cli.output import make_console, print_json, say
from loratui.lab.errors import LabError
from loratui.lab.files import write_atomic

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.project.project import Project
    from loratui.lab.run.runs import RunFolder
    from loratui.lab.run.wanted import Wanted

NAME = "reproduction"


@dataclass(frozen=True)
class _Task:
    """A project, what of it is trained, and what is not as it would be the same."""

    project: Project
    wanted: tuple[Wanted, ...]
    same: tuple[tuple[str, str], ...]


def verb(args: argparse.Namespace) -> int:
    """--reproduce: every project below the folders, or those that are named."""
    console = make_console(args.json)
    files, home = _projects(args.reproduce or [Path("projects")])
    tasks = [_task(file, download=not args.plan) for file in files]
    silent = [task.project.name for task in tasks if not task.project.claims]
    if len(silent) == len(tasks):
        raise LabError("none of these projects has a [[claim]] to be held against its pictures")
    say(console, [f"{name}: has no [[claim]], and is left out" for name in silent])
    tasks = [task for task in tasks if task.project.claims]
    if args.plan:
        return _plan(console, tasks, args.json)
    place = (args.output or home / f"{NAME}.md").absolute()
    if place.is_dir():
        place = place / f"{NAME}.md"
    return _reproduce(console, tasks, place, args.json)


def _projects(places: Sequence[Path]) -> tuple[list[Path], Path]:
    """The files of the projects, and the folder that the result goes to."""
    from loratui.lab.project.projects import list_projects

    files: list[Path] = []
    for place in places:
        if place.is_file() or (place / "project.toml").is_file():
            files.append(place)
        elif place.is_dir():
            files += [folder for folder in list_projects(place) if (folder / "project.toml").is_file()]
        else:
            raise LabError(f"{place}: there is no such folder; give a folder of projects, or a project")
    if not files:
        raise LabError(f"{places[0]}: there are no projects in this folder")
    first = places[0]
    return files, first if first.is_dir() else first.parent


def _task(file: Path, download: bool) -> _Task:
    """What has to be trained of a project: variants that train what another one does are left out, and named."""
    from loratui.lab.dataset.tokens import Tokenizer
    from loratui.lab.run.looked import look_at
    from loratui.lab.run.wanted import EVERY, wanted_runs

    wanted = wanted_runs(file, variants=[EVERY])
    look = look_at(wanted, judge=False, download=download)
    kept: list[tuple[Wanted, object]] = []
    same: list[tuple[str, str]] = []
    for looked in look.runs:
        key = looked.trained_as(Tokenizer.load(looked.model.path / "tokenizer"))
        twin = next((other for other, known in kept if known == key), None)
        if twin is None:
            kept.append((looked.wanted, key))
        else:
            same.append((looked.wanted.variant, twin.variant))
    return _Task(wanted[0].project, tuple(one for one, _ in kept), tuple(same))


def _plan(console: Console, tasks: Sequence[_Task], as_json: bool) -> int:
    from loratui.cli.plans import plan_json, print_plan
    from loratui.lab.run.series import series_plan
    from loratui.lab.run.story import duration

    plans = [(task, series_plan(task.wanted)) for task in tasks]
    if as_json:
        print_json({"projects": [{"project": task.project.name, **plan_json(plan)} for task, plan in plans]})
        return 0
    for task, plan in plans:
        say(console, ["", task.project.name])
        print_plan(console, plan)
    seconds = [plan.seconds for _, plan in plans]
    told = (
        duration(sum(s for s in seconds if s is not None)) if all(s is not None for s in seconds) else "not known yet"
    )
    steps = sum(plan.total_steps for _, plan in plans)
    say(console, ["", f"{len(plans)} projects, {steps:,} steps left to train; estimated time: {told}"])
    return 0


def _reproduce(console: Console, tasks: Sequence[_Task], place: Path, as_json: bool) -> int:
    from loratui.lab.scores.claims import answer_claims
    from loratui.lab.scores.reproduction import Experiment, reproduction, to_markdown, trained

    made: list[tuple[_Task, dict[str, RunFolder]]] = []
    for number, task in enumerate(tasks, start=1):
        say(console, ["", f"{number} of {len(tasks)}: {task.project.name}: {task.project.settings.question}"])
        made.append((task, {one.variant: _made(console, one) for one in task.wanted}))
    everyone = [run for _, runs in made for run in runs.values()]
    experiments, rows = [], []
    for task, runs in made:
        rows += [trained(task.project, variant, run) for variant, run in runs.items()]
        every = runs | {name: runs[twin] for name, twin in task.same}
        named = tuple((name, twin or task.project.name) for name, twin in task.same)
        say(console, [f"measuring {task.project.name}"])
        answers = answer_claims(task.project, every, everyone)
        experiments.append(Experiment(task.project.name, task.project.settings.question, answers, named))
    told = reproduction(experiments, rows)
    write_atomic(place, to_markdown(told))
    if as_json:
        print_json(told.as_json)
    else:
        _tell(console, experiments)
        say(console, ["", ", ".join(f"{count} {answer}" for answer, count in told.counts.most_common()), str(place)])
    return 0


def _made(console: Console, wanted: Wanted) -> RunFolder:
    """The finished run of it, with all pictures that the project asks for now."""
    from loratui.cli.series import train_wanted
    from loratui.engine.later import draw_more, reconstructions
    from loratui.lab.run.asking import checkpoint_steps
    from loratui.lab.run.runs import read_state

    run = train_wanted(wanted, console)
    state = read_state(run)
    if state.name != "finished":
        raise LabError(f"{run.path}: {state.name} {state.reason}; the same command again goes on with it")
    captions = [str(image["caption"]) for image in run.read_captions()]
    sample = wanted.project.settings.sample
    drawn = draw_more(run, sample.resolved(captions), checkpoint_steps(run)[-1:], sample.scales)
    new = sum(one.new for one in drawn)
    if new:
        say(console, [f"{new} pictures more"])
    reconstructions(run)
    return run


def _tell(console: Console, experiments: Sequence[object]) -> None:
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.scores.reproduction import SIGNS, Experiment

    for one in experiments:
        assert isinstance(one, Experiment)
        table = Table(title=Text(one.project), title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for head in ("claim", "with the LoRA", "without, or beside", "answer"):
            table.add_column(head, header_style="dim")
        for answer in one.answers:
            cells = (answer.claim, answer.measured, answer.base)
            told = Text(SIGNS[answer.answer])
            if answer.note:
                told.append(f"\n{answer.note}", style="dim")
            table.add_row(*(Text(cell) for cell in cells), told)
        console.print(table)
