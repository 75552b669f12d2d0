"""What may stand on the command line, what goes with what, and what is said of anything else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from loratui import __version__
from loratui.cli.output import tell

VERBS = ("run", "resume", "check", "explain", "status", "attach", "stop", "serve", "worker")
EXAMPLES = """examples:
  loratui                                                open the bench on ./projects
  loratui --check projects/basic-grey                    everything that can be known before training
  loratui --run projects/basic-grey/project.toml         train it
  loratui --run projects/basic-grey --set train.epochs=2 --set lora.rank=4
  loratui --run projects/basic-grey --dry-run            do all but train
  loratui --resume projects/basic-grey                   go on with its last unfinished run, to the same bits
  loratui --status                                       what is being trained, what waits, what is unfinished
  loratui --attach projects/basic-grey                   watch its live run; ctrl-c leaves it running
  loratui --explain train.min_snr_gamma                  what a setting means

exit codes: 0 done, 1 failed (--check: warnings), 2 bad input, 130 stopped by ctrl-c, 143 by a request or SIGTERM
"""


class Arguments(argparse.ArgumentParser):
    """Says what is wrong in one line, not after eight lines of usage."""

    def error(self, message: str) -> NoReturn:
        tell(f"loratui: {message}; loratui --help shows what there is")
        sys.exit(2)

    def understood(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The arguments; leaves with 2 for a word that means nothing, or that its verb would not look at."""
        args, unknown = self.parse_known_args(argv)
        if unknown:
            self._refuse(unknown[0])
        verbs = [verb for verb in VERBS if getattr(args, verb) is not None]
        for option, given, goes_with in (
            ("--set", args.overrides, ("run", "check", "resume")),
            ("--dry-run", args.dry_run, ("run",)),
            ("--allow-changes", args.allow_changes, ("resume",)),
            ("--json", args.json, ("run", "check", "resume", "status", "attach")),
            ("--port", args.port is not None, ("serve",)),
        ):
            if given and not set(verbs) & set(goes_with):
                self.error(f"{option} goes with {', '.join('--' + verb for verb in goes_with)}")
        if args.readonly and verbs not in ([], ["serve"]):
            self.error(f"--readonly goes with the bench itself, not with --{verbs[0]}")
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
    """The parser of the whole command line."""
    p = Arguments(
        prog="loratui",
        description="A lab bench for LoRA science in a terminal. Without a verb it opens the bench on FOLDER.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("folder", nargs="?", type=Path, metavar="FOLDER",
                   help="folder of projects to open the bench on; or a project, or a run, to open there")  # fmt: skip
    verbs = p.add_argument_group("verbs, one a call").add_mutually_exclusive_group()
    verbs.add_argument("--run", type=Path, metavar="PROJECT", help="train a project.toml, or the one in a folder")
    verbs.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run, or with a project's last unfinished one"
    )
    verbs.add_argument("--check", type=Path, metavar="PROJECT", help="say all that can be known before training")
    verbs.add_argument("--status", nargs="?", const="", metavar="FOLDER",
                       help="list what is trained, what waits, and what is unfinished")  # fmt: skip
    verbs.add_argument("--attach", type=Path, metavar="RUN", help="watch a run, or a project's live or newest one")
    verbs.add_argument("--stop", type=Path, metavar="RUN", help="ask a live or waiting run to save and end")
    verbs.add_argument("--serve", nargs="?", const="", metavar="FOLDER",
                       help="the bench in a browser on this machine; needs textual-serve")  # fmt: skip
    verbs.add_argument(
        "--explain", nargs="?", const="", metavar="KEY", help="explain a setting; without KEY, list them all"
    )
    verbs.add_argument("--worker", type=Path, metavar="RUN", help="what the bench starts: train a run that is made")
    verbs.add_argument("--version", action="version", version=f"loratui {__version__}")
    options = p.add_argument_group("options")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
                         help="override a setting of project.toml; may be given several times")  # fmt: skip
    options.add_argument("--dry-run", action="store_true", help="with --run: load, cache, try one step; keep nothing")
    options.add_argument("--allow-changes", action="store_true",
                         help="with --resume: go on although settings or data changed")  # fmt: skip
    options.add_argument("--json", action="store_true", help="print the result as one JSON object")
    options.add_argument("--readonly", action="store_true", help="open the bench for looking only")
    options.add_argument("--port", type=int, metavar="N", help="with --serve: the port to listen on (8000)")
    return p
