"""Arguments in, one function per verb; each imports what it needs only then.

Verbs are flags, one a call. Standard output carries what was asked for (a table, JSON), standard error what went
wrong. Exit codes: 0 done, 1 failed (or warnings, for --check), 2 bad input, 128 + signal when stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui import __version__
from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.check import Report
    from loratui.lab.models import ModelFolder
    from loratui.lab.project import Project
    from loratui.lab.runs import RunFolder

EXAMPLES = """examples:
  loratui --check projects/basic-grey                    everything that can be known before training
  loratui --run projects/basic-grey/project.toml         train it
  loratui --run projects/basic-grey --set train.epochs=2 --set lora.rank=4
  loratui --run projects/basic-grey --dry-run            do all but train
  loratui --resume projects/basic-grey                   go on with its last unfinished run, to the same bits
  loratui --explain train.min_snr_gamma                  what a setting means

exit codes: 0 done, 1 failed (--check: warnings), 2 bad input, 130 stopped by ctrl-c, 143 by a request or SIGTERM
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="loratui",
        description="A lab bench for LoRA science in a terminal. Without a verb it opens the bench on FOLDER.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="folder of projects to open the bench on")
    verbs = p.add_argument_group("verbs, one a call").add_mutually_exclusive_group()
    verbs.add_argument("--run", type=Path, metavar="PROJECT", help="train a project.toml, or the one in a folder")
    verbs.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run, or with a project's last unfinished one"
    )
    verbs.add_argument("--check", type=Path, metavar="PROJECT", help="say all that can be known before training")
    verbs.add_argument(
        "--explain", nargs="?", const="", metavar="KEY", help="explain a setting; without KEY, list them all"
    )
    verbs.add_argument("--version", action="version", version=f"loratui {__version__}")
    options = p.add_argument_group("options")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
                         help="override a setting of project.toml; may be given several times")  # fmt: skip
    options.add_argument("--dry-run", action="store_true", help="with --run: load, cache, try one step; keep nothing")
    options.add_argument("--allow-changes", action="store_true",
                         help="with --resume: go on although settings or data changed")  # fmt: skip
    options.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return p


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point: runs a verb and exits with its code."""
    arguments = parser()
    args = arguments.parse_args(argv)
    _refuse_idle_options(arguments, args)
    try:
        sys.exit(_verb(args))
    except LabError as error:
        from loratui.lab.plain import plain

        print(plain(error, newlines=True), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _refuse_idle_options(p: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """An option that its verb would not look at is a mistake, and is said to be one."""
    if args.overrides and args.run is None and args.check is None and args.resume is None:
        p.error("--set goes with --run, --check or --resume")
    if args.dry_run and args.run is None:
        p.error("--dry-run goes with --run")
    if args.allow_changes and args.resume is None:
        p.error("--allow-changes goes with --resume")
    if args.folder is not None and any(v is not None for v in (args.run, args.resume, args.check, args.explain)):
        p.error(f"unexpected argument {str(args.folder)!r}: a verb takes one value")


def _verb(args: argparse.Namespace) -> int:
    if args.run is not None:
        return run(args.run, args.overrides, dry=args.dry_run, as_json=args.json)
    if args.resume is not None:
        return resume(args.resume, args.overrides, allow_changes=args.allow_changes, as_json=args.json)
    if args.check is not None:
        return check(args.check, args.overrides, as_json=args.json)
    if args.explain is not None:
        return explain(args.explain)
    print(
        "The bench in the terminal is not built yet. Try one of these:\n"
        "  loratui --check PROJECT    loratui --run PROJECT    loratui --explain    loratui --help"
    )
    return 0


def _console(as_json: bool = False) -> Console:
    """With --json, standard output belongs to the JSON; people read standard error."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False)


def _examined(project: Project) -> tuple[ModelFolder, Report]:
    from loratui.lab.check import check as examine
    from loratui.lab.models import model_facts, resolve_model
    from loratui.lab.tokens import Tokenizer

    base = project.settings.base
    model = resolve_model(base.model, project.folder, base.revision, base.variant)
    facts = model_facts(model)
    resolution = project.settings.dataset.resolution or facts.resolution
    return model, examine(project, Tokenizer.load(model.path / "tokenizer"), resolution, facts.align)


def check(path: Path, overrides: Sequence[str], as_json: bool = False) -> int:
    """--check: findings and arithmetic on one screen. 0 clean, 1 warnings, 2 errors."""
    from loratui.lab.checkscreen import print_report, report_json
    from loratui.lab.project import load_project

    project = load_project(path, overrides)
    _, report = _examined(project)
    if as_json:
        _print_json(report_json(report))
    else:
        print_report(_console(), report, project)
    return report.exit_code


def explain(key: str) -> int:
    """--explain: the documentation of one setting, or of all."""
    from loratui.lab import explain as documentation

    print(documentation.explain(key) if key else documentation.explain_all())
    return 0


def run(path: Path, overrides: Sequence[str], dry: bool = False, as_json: bool = False) -> int:
    """--run: check, freeze, train. Warnings are shown; errors end it before anything is written."""
    import tempfile

    from loratui.lab.project import load_project
    from loratui.lab.record import frozen_project
    from loratui.lab.runs import create_run

    project = load_project(path, overrides)
    model, report = _examined(project)
    console = _console(as_json)
    _show_findings(console, report)
    record = frozen_project(project, model, {"overrides": list(overrides)})
    if dry:
        with tempfile.TemporaryDirectory(prefix="loratui-dry-run-") as folder:
            new = create_run(Path(folder), project.name)
            new.freeze(record.record, record.captions)
            return _work(new, console, as_json, dry=True)
    new = create_run(project.folder, project.name)
    new.freeze(record.record, record.captions)
    return _work(new, console, as_json)


def resume(which: Path, overrides: Sequence[str], allow_changes: bool = False, as_json: bool = False) -> int:
    """--resume: go on from the last saved state. Changed settings or data are refused unless allowed."""
    from loratui.lab.resuming import find_unfinished, reconcile

    run = find_unfinished(which)
    console = _console(as_json)
    for line in reconcile(run, overrides, allow_changes):
        console.print(line, markup=False)
    return _work(run, console, as_json)


def _show_findings(console: Console, report: Report) -> None:
    from loratui.lab.checkscreen import print_findings

    if report.findings:
        print_findings(console, report.findings)
    if report.exit_code == 2:
        raise LabError("nothing was trained: mend the errors above first; warnings may stay")


def _work(run: RunFolder, console: Console, as_json: bool, dry: bool = False) -> int:
    from loratui.console import LogWriter, Watcher, final_table
    from loratui.engine.worker import work
    from loratui.lab.record import read_record

    record = read_record(run)
    with LogWriter(run.log_file) as log, Watcher(console, run, record.plan) as watcher:
        outcome = work(run, [log, watcher], dry=dry)
    if as_json:
        _print_json(outcome.record)
    elif outcome.state == "failed":
        print(outcome.record["reason"], file=sys.stderr)
    if not as_json:
        final_table(console, outcome.record)
    return outcome.exit_code


def _print_json(document: Any) -> None:
    import json

    print(json.dumps(document, ensure_ascii=True))
