"""The verbs that train: --run, --from, --resume, and --worker, which the bench starts.

One run is trained in this very process; several are series.py's.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.cli.output import command, make_console, print_json, say, tell
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.run.wanted import Wanted


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    from loratui.engine.worker import follow, is_follower

    if is_follower():
        return follow()
    if args.worker:
        return worker(args.worker)
    if args.resume:
        return resume(args.resume, args.overrides, allow_changes=args.allow_changes, as_json=args.json)
    if args.from_run:
        return fork(args.from_run, args.overrides, only_plan=args.plan, as_json=args.json)
    if args.plan or args.variant or args.all_variants or args.matrix or args.repeats is not None:
        return several(args)
    return run(args.run, args.overrides, dry=args.dry_run, as_json=args.json)


def run(path: Path, overrides: Sequence[str], dry: bool = False, as_json: bool = False) -> int:
    """--run: check, freeze, train. Warnings are shown; errors end it before anything is written."""
    import tempfile

    from loratui.lab.check.checkscreen import print_findings
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined, new_run

    project = load_project(path, overrides)
    model, report = examined(project, download=True)
    console = make_console(as_json)
    if report.findings:
        print_findings(console, report.findings)
    if dry:
        with tempfile.TemporaryDirectory(prefix="loratui-dry-run-") as folder:
            return _work(new_run(project, model, report, overrides, Path(folder)), console, as_json, dry=True)
    return _work(new_run(project, model, report, overrides), console, as_json)


def several(args: argparse.Namespace) -> int:
    """--run with variants, the matrix or repeats: what is left of them, one after the other. With --plan, what would
    be trained."""
    from loratui.cli.plans import plan_json, print_plan
    from loratui.lab.run.series import EVERY, series_plan, wanted_runs

    if args.variant and args.all_variants:
        raise LabError("--variant and --all-variants: all are trained anyway; leave out one of them")
    variants = [EVERY] if args.all_variants else args.variant
    repeats = 1 if args.repeats is None else args.repeats
    wanted = wanted_runs(args.run, args.overrides, variants, args.matrix, repeats)
    console = make_console(args.json)
    if args.plan:
        # Without any of them --run makes a new run each time, also where there is one.
        plan = series_plan(wanted, again=not (variants or args.matrix or args.repeats is not None))
        if args.json:
            print_json(plan_json(plan))
        else:
            print_plan(console, plan)
        return 2 if plan.errors else 0
    if args.dry_run:
        return _try_out(wanted, console, args.json)
    from loratui.cli.series import train_series

    return train_series(wanted, console, args.json)


def _try_out(wanted: Sequence[Wanted], console: Console, as_json: bool) -> int:
    import tempfile

    from loratui.cli.plans import print_plan
    from loratui.lab.run.series import freeze_looked, refuse_errors, series_plan

    if len(wanted) > 1:
        raise LabError(f"--dry-run tries one run, and these are {len(wanted)}; name one variant, and no repeats")
    plan = series_plan(wanted, again=True, download=True)
    assert plan.look is not None
    print_plan(console, plan)
    refuse_errors(plan.look, wanted[0].project)
    with tempfile.TemporaryDirectory(prefix="loratui-dry-run-") as folder:
        return _work(freeze_looked(plan.look.runs[0], Path(folder)), console, as_json, dry=True)


def fork(which: Path, overrides: Sequence[str], only_plan: bool = False, as_json: bool = False) -> int:
    """--from: a run again with something changed, after saying what differs; with --plan it is only said."""
    from loratui.cli.plans import plan_json, print_plan
    from loratui.lab.run.forking import look_at_fork

    place = which.expanduser().absolute()
    parent = RunFolder(place.parent if place.name == "run.toml" else place)
    if not parent.is_frozen:
        raise LabError(f"{which}: this is not a run; give the folder of one, such as projects/grey/runs/…")
    asked = look_at_fork(parent, overrides, download=not only_plan)
    console = make_console(as_json)
    if only_plan and as_json:
        print_json({**plan_json(asked.plan), "parent": parent.id, "changes": list(asked.changes)})
    else:
        print_plan(console, asked.plan, f"the run {parent.id}")
        say(console, [note for note in asked.notes if note.startswith("note: ")])
    if only_plan:
        return 2 if asked.plan.errors else 0
    return _work(asked.freeze(), console, as_json)


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
