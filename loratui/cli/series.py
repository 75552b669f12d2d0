"""Several runs one after the other, each in a process of its own: one that fails does not end the rest.

All are frozen before the first begins, so that what is edited meanwhile changes none of them. The workers are those
that the bench starts, and this process only watches: where it is killed, the one that is trained goes on, and asking
for the series again goes on with that. Ctrl-c, SIGTERM and a closed terminal save and end what is trained, and the
series with it.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from loratui.cli.output import print_json, say, tell
from loratui.cli.plans import plan_json, print_plan
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder, read_state
from loratui.lab.run.series import Looked, Planned, SeriesPlan, Wanted, freeze_looked, refuse_errors, series_plan

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Ended:
    """How a run of the series came out. `code` is what `--run` of it alone would have exited with."""

    row: Planned
    run: RunFolder | None
    state: str  # a state of runs, or "not begun"
    code: int = 0
    record: dict[str, Any] = field(default_factory=dict)
    had_been: bool = False  # finished before the series began, or trained for an earlier row of it


def train_series(wanted: Sequence[Wanted], console: Console, as_json: bool = False) -> int:
    """Show the plan, train what is left of it, and say how it came out.

    Returns the worst exit code of them, or that of the signal which ended them.
    """
    plan = series_plan(wanted, download=True)
    print_plan(console, plan)
    if plan.errors:
        raise LabError("nothing was trained: mend the errors above first; warnings may stay")
    with _Stops() as stops:
        ended = list(_train(plan, console, stops))
    code = 128 + stops.number if stops.number else max(one.code for one in ended)
    if as_json:
        runs = [_as_json(one, looked.wanted) for one, looked in zip(ended, _looked(plan), strict=True)]
        print_json({"plan": plan_json(plan), "runs": runs, "exit_code": code})
    else:
        _summary(console, ended)
    if any(one.state != "finished" for one in ended):
        say(console, ["the same command again goes on with what is not finished"])
    return code


def train_wanted(wanted: Wanted, console: Console) -> RunFolder:
    """Make sure that it is trained: a finished run of it is left alone, an unfinished one goes on, else one is made.

    A child process trains it, and its progress is told on the console. Returns its run, which may have failed
    (`read_state`). LabError where it cannot begin; leaves by SystemExit, its run saved, when it is told to end.
    """
    plan = series_plan([wanted], download=True)
    assert plan.look is not None
    refuse_errors(plan.look, wanted.project)
    with _Stops() as stops:
        (ended,) = _train(plan, console, stops)
    if stops.number:
        raise SystemExit(128 + stops.number)
    if ended.run is None:
        raise LabError(str(ended.record.get("reason", "the run could not begin")))
    return ended.run


# -- one after the other ----------------------------------------------------------------------------------------------


class _Stops:
    """Counts requests to end by a signal, while it is entered."""

    def __init__(self) -> None:
        self.number = 0  # of the first signal
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Stops:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means that a closed terminal is no matter
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.number = self.number or number
        self.count += 1


def _looked(plan: SeriesPlan) -> tuple[Looked, ...]:
    assert plan.look is not None
    return plan.look.runs


def _train(plan: SeriesPlan, console: Console, stops: _Stops) -> Iterator[Ended]:
    """Freeze what is new, then train what is left, row by row. What was frozen and never begun is removed again."""
    from loratui.lab.run.resuming import take_up

    runs: list[RunFolder | None] = []
    fresh: list[RunFolder] = []
    try:
        for row, looked, made in zip(plan.rows, _looked(plan), plan.made, strict=True):
            if made is not None:
                if row.state == "unfinished" and not made.alive:
                    say(console, take_up(made.run, looked.record))
                runs.append(made.run)
            elif row.state == "finished":  # by an earlier row
                runs.append(None)
            else:
                fresh.append(freeze_looked(looked))
                runs.append(fresh[-1])
        left = [run for row, run in zip(plan.rows, runs, strict=True) if row.state != "finished"]
        for row, run in zip(plan.rows, runs, strict=True):
            if row.state == "finished":
                yield Ended(row, run, "finished", had_been=True)
            elif stops.number or run is None:
                yield Ended(row, None if run in fresh else run, "not begun")
            else:
                if len(plan.rows) > 1:
                    say(console, ["", f"{left.index(run) + 1} of {len(left)}: {row.label}"])
                yield _train_one(row, run, console, stops)
    finally:
        for run in fresh:
            if not run.lock_file.exists():  # no worker ever took it up: it would wait for one for ever
                shutil.rmtree(run.path, ignore_errors=True)


def _train_one(row: Planned, run: RunFolder, console: Console, stops: _Stops) -> Ended:
    from loratui.cli.watching import exit_code_of, follow
    from loratui.console import Watcher, final_table
    from loratui.lab.run import launch
    from loratui.lab.run.lock import is_locked
    from loratui.lab.run.record import read_record

    told = run.events_file.stat().st_size if run.events_file.exists() else 0
    if is_locked(run.lock_file):
        say(console, ["it is being trained already, by a worker that goes on; watching that"])
    else:
        try:
            launch.start(run)
        except LabError as error:
            if not is_locked(run.lock_file):  # else somebody was quicker
                tell(error)
                return Ended(row, run if run.lock_file.exists() else None, "failed", 1, {"reason": str(error)})
    heard = 0

    def pass_on() -> None:
        """A second signal ends the worker at once, on its last saved state, as it would end one in this process."""
        nonlocal heard
        while heard < stops.count:
            heard += 1
            with contextlib.suppress(LabError):
                launch.stop(run, "term")

    with Watcher(console, run, read_record(run).plan) as watcher:
        end = follow(run, watcher, told, pass_on)
    if end is None:
        tell(f"{row.label}: its worker is gone without a word; {run.worker_file} may say more")
        return Ended(row, run, read_state(run).name, 1)
    if end.get("state") == "failed":
        tell(f"{row.label}: {end.get('reason', 'failed')}")
    final_table(console, end)
    return Ended(row, run, str(end["state"]), exit_code_of(end), dict(end))


# -- how it came out --------------------------------------------------------------------------------------------------


def _summary(console: Console, ended: Sequence[Ended]) -> None:
    from pathlib import Path

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.plain import plain
    from loratui.lab.run.story import near
    from loratui.lab.words import state_words

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("made of", max_width=32, overflow="ellipsis", no_wrap=True)
    table.add_column("came out", no_wrap=True)
    table.add_column("run", ratio=1, overflow="fold")
    for one in ended:
        words = one.state if one.state == "not begun" else state_words(one.state)
        if one.had_been:
            words += " before" if one.run else ": the same"
        place = near(one.run.path, Path.cwd()) if one.run else f'the run of "{one.row.twin}"' if one.row.twin else ""
        table.add_row(Text(plain(one.row.label)), Text(words), Text(plain(place)))
    console.print()
    console.print(table)


def _as_json(one: Ended, wanted: Wanted) -> dict[str, Any]:
    return {
        "label": one.row.label,
        **wanted.identity,
        "run": str(one.run.path) if one.run else None,
        "state": one.state,
        "had_been": one.had_been,
        "exit_code": one.code,
        "record": one.record,
    }
