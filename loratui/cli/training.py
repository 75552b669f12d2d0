"""The verbs that train in this process: --run, --resume, and --worker, which the bench starts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.cli.output import command, make_console, print_json, say, tell
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from rich.console import Console


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    from loratui.engine.worker import follow, is_follower

    if is_follower():
        return follow()
    if args.worker:
        return worker(args.worker)
    if args.resume:
        return resume(args.resume, args.overrides, allow_changes=args.allow_changes, as_json=args.json)
    return run(args.run, args.overrides, dry=args.dry_run, as_json=args.json)


def run(path: Path, overrides: Sequence[str], dry: bool = False, as_json: bool = False) -> int:
    """--run: check, freeze, train. Warnings are shown; errors end it before anything is written."""
    import tempfile

    from loratui.lab.check.checkscreen import print_findings
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined, new_run

    project = load_project(path, overrides)
    model, report = examined(project)
    console = make_console(as_json)
    if report.findings:
        print_findings(console, report.findings)
    if dry:
        with tempfile.TemporaryDirectory(prefix="loratui-dry-run-") as folder:
            return _work(new_run(project, model, report, overrides, Path(folder)), console, as_json, dry=True)
    return _work(new_run(project, model, report, overrides), console, as_json)


def resume(which: Path, overrides: Sequence[str], allow_changes: bool = False, as_json: bool = False) -> int:
    """--resume: go on from the last saved state. Changed settings or data are refused unless allowed."""
    from loratui.lab.run.resuming import find_unfinished, reconcile

    run = find_unfinished(which)
    console = make_console(as_json)
    say(console, reconcile(run, overrides, allow_changes))
    return _work(run, console, as_json)


def worker(path: Path) -> int:
    """--worker: train a frozen run, and tell nobody but its folder."""
    from loratui.engine.worker import work
    from loratui.lab.run.story import LogWriter

    run = RunFolder(path.absolute())
    with LogWriter(run.log_file) as log:
        outcome = work(run, [log])
    if outcome.state == "failed":
        tell(outcome.record["reason"])
    return outcome.exit_code


def _work(run: RunFolder, console: Console, as_json: bool, dry: bool = False) -> int:
    from loratui.console import LogWriter, Watcher
    from loratui.engine.worker import work
    from loratui.lab.run.record import read_record

    record = read_record(run)
    with LogWriter(run.log_file) as log, Watcher(console, run, record.plan, dry=dry) as watcher:
        outcome = work(run, [log, watcher], dry=dry)
    tell_end(run, console, outcome.record, as_json)
    return outcome.exit_code


def tell_end(run: RunFolder, console: Console, record: Mapping[str, Any], as_json: bool) -> None:
    """How a run ended, from its last event, and how to go on with it."""
    from loratui.console import final_table
    from loratui.lab.run.runs import latest_resume

    if record.get("state") == "failed":
        tell(record.get("reason", "failed"))
    if as_json:
        print_json(record)
    else:
        final_table(console, record)
    if record.get("state") != "finished" and latest_resume(run):
        say(console, [f"go on with: {command('--resume', run.path)}"])
