"""The verbs that look at runs other processes train: --status and --attach; and --stop, which asks one to end."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.cli.output import command, make_console, print_json, say
from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.console import Watcher
    from loratui.lab.run.events import Event
    from loratui.lab.run.live import LiveRun
    from loratui.lab.run.runs import RunFolder

POLL_SECONDS = 0.2
_CHUNK = 1 << 20  # bytes of the log at a time: a long one does not fit into memory as events
_STYLES = {"running": "green", "queued": "cyan", "failed": "red", "interrupted": "yellow"}


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    if args.attach:
        return attach(args.attach, as_json=args.json)
    if args.stop:
        return stop(args.stop)
    return status(args.status, as_json=args.json)


# -- status -----------------------------------------------------------------------------------------------------------


def status(folder: str, as_json: bool = False) -> int:
    """--status: a line for each live or waiting run, and for each project's last unfinished one.

    `folder` is one of projects or one project; empty: the one that the bench would open.
    """
    from loratui.lab.preferences import default_folder, read_preferences
    from loratui.lab.run.live import LiveWatch, unfinished

    place = (Path(folder).expanduser() if folder else default_folder(read_preferences()[0])).absolute()
    if folder and not place.is_dir():
        raise LabError(f"{folder}: there is no such folder; give a folder of projects, or one project")
    rows = [*LiveWatch(place).look(), *unfinished(place)]
    if as_json:
        print_json({"folder": str(place), "runs": [_as_json(row) for row in rows]})
        return 0
    console = make_console()
    if rows:
        _table(console, rows)
        # A worker that is gone left no reason: what there is, is why its log cannot be read.
        say(console, (row.state.reason for row in rows if row.state.name == "interrupted" and row.state.reason))
    else:
        say(console, [f"{place}: nothing is being trained, nothing waits, nothing is unfinished",
                      "train a project with: loratui --run PROJECT"])  # fmt: skip
    return 0


def _as_json(row: LiveRun) -> dict[str, Any]:
    import math

    loss = str(row.loss) if row.loss is not None and not math.isfinite(row.loss) else row.loss
    return {
        "run": str(row.run.path), "project": row.project, "state": row.state.name, "paused": row.state.paused,
        "live": row.live, "step": row.state.step, "total": row.total, "loss": loss,
        "seconds_left": row.seconds_left, "device": row.device, "ahead": row.ahead, "reason": row.state.reason,
    }  # fmt: skip


def _table(console: Console, rows: list[LiveRun]) -> None:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    from loratui.lab.plain import plain
    from loratui.lab.run.story import duration, near, number
    from loratui.lab.words import state_words

    cells = [("state", "step", "%", "loss", "left", "device", "project", "run")]
    for row in rows:
        waits = f", behind {row.ahead}" if row.ahead else ", getting ready"
        device = plain(row.device, 24) + (waits if row.live and row.state.name == "queued" else "")
        cells.append((
            state_words(row.state.name, row.state.paused),
            f"{row.state.step}/{row.total}" if row.total else str(row.state.step),
            str(100 * row.state.step // row.total) if row.total else "-",
            number(row.loss),
            duration(row.seconds_left) if row.seconds_left is not None else "-",
            device or ("no worker" if row.state.name == "queued" else "-"),
            plain(row.project, 24),
            near(row.run.path, Path.cwd()),
        ))  # fmt: skip
    widths = [max(cell_len(line[column]) for line in cells) for column in range(7)]
    styles = ["dim", *("" for _ in rows)]
    signs = ["dim", *(_STYLES.get(row.state.name, "") for row in rows)]
    for line, style, sign in zip(cells, styles, signs, strict=True):
        numbers = [text.rjust(width) for text, width in zip(line[1:5], widths[1:5], strict=True)]
        words = [set_cell_size(text, width) for text, width in zip(line[5:7], widths[5:7], strict=True)]
        first = Text(set_cell_size(line[0], widths[0]), style=sign)
        # Lines and not cells: a path that the terminal itself wraps can be copied whole.
        console.print(first + Text("  " + "  ".join([*numbers, *words, line[7]]), style=style), soft_wrap=True)


# -- attach -----------------------------------------------------------------------------------------------------------


def attach(which: Path, as_json: bool = False) -> int:
    """--attach: what happened so far, quickly, and then what happens. Ends with the run, with the code of its end."""
    from loratui.console import Watcher
    from loratui.lab.run.live import find_watched
    from loratui.lab.run.record import read_record
    from loratui.lab.run.runs import read_state

    run = find_watched(which)
    console = make_console(as_json)
    watcher = Watcher(console, run, read_record(run).plan, pictures="none")
    try:
        with watcher:
            end = follow(run, watcher)
    except KeyboardInterrupt:
        state = read_state(run)
        if state.is_final:
            raise
        say(console, [f"detached; the run goes on ({state.name}, step {state.step})",
                      f"watch it again: {command('--attach', run.path)}",
                      f"stop it:        {command('--stop', run.path)}"])  # fmt: skip
        return 130
    if end is None:
        return _tell_dead(run, console, as_json)
    from loratui.cli.training import tell_end

    tell_end(run, console, end, as_json)
    return exit_code_of(end)


def follow(
    run: RunFolder, watcher: Watcher, offset: int = 0, looked: Callable[[], object] = lambda: None
) -> Event | None:
    """Feed the log, from `offset` on, to the watcher until the run is over.

    Returns its last event, None where no worker wrote one. `looked` is called each time before the log is looked at.
    """
    from loratui.lab.run.events import read_events
    from loratui.lab.run.lock import is_locked
    from loratui.lab.run.runs import FINAL
    from loratui.lab.run.story import Story

    end: Event | None = None
    while True:
        looked()
        alive = is_locked(run.lock_file)  # first: what a worker that ends wrote last is read below
        while True:
            before = offset
            events, offset = read_events(run.events_file, offset, _CHUNK)
            for event in events:
                if end is not None and event["kind"] != "state":
                    continue  # further pictures of a finished run, which its own story does not tell
                if end is not None:  # it went on after that
                    watcher({"kind": "message", "t": end["t"], "text": "".join(Story(Path.cwd()).lines(end)[-1:])})
                    end = None
                if event["kind"] == "state" and event.get("state") in FINAL:
                    end = event
                else:
                    watcher(event)
            if offset == before:
                break
        if not alive:
            if end is not None:
                watcher(end)
            return end
        watcher.pictures = "auto"  # those drawn from now on; the old ones would fill the screen
        time.sleep(POLL_SECONDS)


def _tell_dead(run: RunFolder, console: Console, as_json: bool) -> int:
    from loratui.lab.run.runs import read_state

    state = read_state(run)
    if as_json:
        print_json({"state": state.name, "step": state.step, "run": str(run.path)})
    if state.name == "queued":
        words = "no worker has taken this run up yet; start it with"
    else:
        words = f"interrupted at step {state.step}: its worker is gone; go on with"
    say(console, [f"{words}: {command('--resume', run.path)}"])
    return 1


def exit_code_of(end: Event) -> int:
    """What `--run` exited with."""
    code = end.get("exit_code")
    if isinstance(code, int):
        return code
    return {"finished": 0, "stopped": 143}.get(str(end.get("state")), 1)  # of a log that does not say


# -- stop -------------------------------------------------------------------------------------------------------------


def stop(which: Path) -> int:
    """--stop: ask a run to save and end, and say so. It ends at its next step, or when its pictures are drawn."""
    from loratui.lab.run import launch
    from loratui.lab.run.live import find_watched

    run = find_watched(which)
    launch.stop(run, "ask")
    say(make_console(), ["asked to save and end; go on with it later: " + command("--resume", run.path)])
    return 0
