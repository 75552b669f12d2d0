"""Arguments in, one function per verb; each imports what it needs only then.

Verbs are flags, one a call. Standard output carries what was asked for (a table, JSON), standard error what went
wrong. Exit codes: 0 done, 1 failed (or warnings, for --check), 2 bad input, 128 + signal when stopped.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from loratui import __version__
from loratui.lab.errors import LabError
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.check import Report
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


class Arguments(argparse.ArgumentParser):
    """Says what is wrong in one line, not after eight lines of usage."""

    def error(self, message: str) -> NoReturn:
        _tell(f"loratui: {message}; loratui --help shows what there is")
        sys.exit(2)

    def understood(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The arguments; leaves with 2 for a word that means nothing, or that its verb would not look at."""
        args, unknown = self.parse_known_args(argv)
        if unknown:
            self._refuse(unknown[0])
        verbs = [verb for verb in ("run", "resume", "check", "explain") if getattr(args, verb) is not None]
        for option, given, goes_with in (
            ("--set", args.overrides, ("run", "check", "resume")),
            ("--dry-run", args.dry_run, ("run",)),
            ("--allow-changes", args.allow_changes, ("resume",)),
            ("--json", args.json, ("run", "check", "resume")),
        ):
            if given and not set(verbs) & set(goes_with):
                self.error(f"{option} goes with {', '.join('--' + verb for verb in goes_with)}")
        if verbs and args.folder is not None:
            self._refuse(str(args.folder))
        return args

    def _refuse(self, word: str) -> NoReturn:
        import difflib

        if not word.startswith("-"):
            self.error(f"unexpected argument {word!r}: a verb takes one value")
        near = difflib.get_close_matches(word.partition("=")[0], self._option_string_actions, 1)
        self.error(f"{word}: unknown option" + (f"; did you mean {near[0]}?" if near else ""))


def parser() -> Arguments:
    p = Arguments(
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter shows a question mark
    try:
        try:
            sys.exit(_verb(parser().understood(argv)))
        except LabError as error:
            _tell(error)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)
        except OSError as error:
            if error.filename is None:
                raise
            _tell(f"{error.filename}: {error.strerror}")
            sys.exit(1)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a reader that went away is still nothing to worry about
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(141)


def _tell(what: object) -> None:
    """Standard error is where people read why."""
    print(plain(what, newlines=True), file=sys.stderr)


def _verb(args: argparse.Namespace) -> int:
    if args.run is not None or args.resume is not None:
        from loratui.engine.worker import follow, is_follower

        if is_follower():
            return follow()
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

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would leave with 1, which means warnings here

    return Piped(stderr=as_json, highlight=False)


def check(path: Path, overrides: Sequence[str], as_json: bool = False) -> int:
    """--check: findings and arithmetic on one screen. 0 clean, 1 warnings, 2 errors."""
    from loratui.lab.checkscreen import print_report, report_json
    from loratui.lab.project import load_project
    from loratui.lab.starting import examined

    project = load_project(path, overrides)
    _, report = examined(project)
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
    from loratui.lab.starting import examined, new_run

    project = load_project(path, overrides)
    model, report = examined(project)
    console = _console(as_json)
    _show_findings(console, report)
    if dry:
        with tempfile.TemporaryDirectory(prefix="loratui-dry-run-") as folder:
            return _work(new_run(project, model, report, overrides, Path(folder)), console, as_json, dry=True)
    return _work(new_run(project, model, report, overrides), console, as_json)


def resume(which: Path, overrides: Sequence[str], allow_changes: bool = False, as_json: bool = False) -> int:
    """--resume: go on from the last saved state. Changed settings or data are refused unless allowed."""
    from loratui.lab.resuming import find_unfinished, reconcile

    run = find_unfinished(which)
    console = _console(as_json)
    _say(console, reconcile(run, overrides, allow_changes))
    return _work(run, console, as_json)


def _say(console: Console, lines: Iterable[str]) -> None:
    from rich.text import Text

    for line in lines:
        console.print(Text(plain(line, newlines=True)), soft_wrap=True)


def _show_findings(console: Console, report: Report) -> None:
    from loratui.lab.checkscreen import print_findings

    if report.findings:
        print_findings(console, report.findings)


def _work(run: RunFolder, console: Console, as_json: bool, dry: bool = False) -> int:
    import shlex

    from loratui.console import LogWriter, Watcher, final_table
    from loratui.engine.worker import work
    from loratui.lab.record import read_record
    from loratui.lab.runs import latest_resume
    from loratui.lab.story import near

    record = read_record(run)
    with LogWriter(run.log_file) as log, Watcher(console, run, record.plan, dry=dry) as watcher:
        outcome = work(run, [log, watcher], dry=dry)
    if outcome.state == "failed":
        _tell(outcome.record["reason"])
    if as_json:
        _print_json(outcome.record)
    else:
        final_table(console, outcome.record)
    if outcome.state != "finished" and latest_resume(run):
        _say(console, [f"go on with: loratui --resume {shlex.quote(near(run.path, Path.cwd()))}"])
    return outcome.exit_code


def _print_json(document: Any) -> None:
    import json

    print(json.dumps(document, ensure_ascii=True))
