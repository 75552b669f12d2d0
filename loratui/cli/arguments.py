"""What may stand on the command line, what goes with what, and what is said of anything else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from loratui import __version__
from loratui.cli.output import tell

MODULES = {  # of loratui.cli; each has `verb(args) -> exit code` for its verbs
    "run": "training", "from_run": "training", "resume": "training", "worker": "training",
    "check": "looking", "explain": "looking", "verify": "verifying",
    "status": "watching", "attach": "watching", "stop": "watching",
    "sample": "drawing", "drift": "drawing", "attribute": "attributing", "weights": "weighing",
    "measure": "measuring", "findings": "telling", "note": "telling", "compare": "telling",
    "report": "reporting", "reproduce": "reproducing",
    "serve": "bench",
}  # fmt: skip
_JSON = ("run", "from_run", "check", "resume", "status", "attach", "verify", "sample", "drift", "attribute", "weights",
         "measure", "findings", "compare", "reproduce")  # fmt: skip
# Options, where argparse keeps them, and the verbs they go with.
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "--set": ("overrides", ("run", "from_run", "check", "resume")),
    "--dry-run": ("dry_run", ("run",)),
    "--variant": ("variant", ("run",)),
    "--all-variants": ("all_variants", ("run",)),
    "--matrix": ("matrix", ("run",)),
    "--repeats": ("repeats", ("run",)),
    "--plan": ("plan", ("run", "from_run", "reproduce")),
    "--allow-changes": ("allow_changes", ("resume",)),
    "--prompt": ("prompt", ("sample",)),
    "--negative": ("negative", ("sample",)),
    "--guidance": ("guidance", ("sample",)),
    "--inference-steps": ("inference_steps", ("sample",)),
    "--seeds": ("seeds", ("sample", "drift", "attribute", "weights")),
    "--scale": ("scale", ("sample",)),
    "--checkpoint": ("checkpoint", ("sample", "drift", "attribute", "weights")),
    "--knock-out": ("knock_out", ("weights",)),
    "--verdict": ("verdict", ("note",)),
    "--feature": ("feature", ("note",)),
    "--picture": ("picture", ("note",)),
    "--step": ("step", ("note",)),
    "--format": ("format", ("findings",)),
    "--sort": ("sort", ("findings",)),
    "--output": ("output", ("findings", "compare", "report", "reproduce")),
    "--json": ("json", _JSON),
    "--port": ("port", ("serve",)),
}
EXAMPLES = """examples:
  loratui                                                open the bench on ./projects
  loratui --check projects/basic-grey                    everything that can be known before training
  loratui --run projects/basic-grey/project.toml         train it
  loratui --run projects/basic-grey --set train.epochs=2 --set lora.rank=4
  loratui --run projects/basic-grey --dry-run            do all but train
  loratui --resume projects/basic-grey                   go on with its last unfinished run, to the same bits
  loratui --status                                       what is being trained, what waits, what is unfinished
  loratui --attach projects/basic-grey                   watch its live run; ctrl-c leaves it running
  loratui --run projects/maths-word --all-variants       the project and each of its variants, one after the other
  loratui --from RUN --set train.seed=7                  a finished run again with one thing changed
  loratui --verify RUN                                   whether it holds all that its plan promised
  loratui --sample RUN --seeds 1-100 --checkpoint all    more pictures of it, beside the base model's
  loratui --measure RUN                                  what was learned, with intervals
  loratui --report projects/basic-grey                   the lab article, as HTML and Markdown
  loratui --reproduce projects                           the experiments of the two articles, and how they came out
  loratui --explain train.min_snr_gamma                  what a setting means

exit codes: 0 done, 1 failed (--check: warnings; --verify: not whole), 2 bad input, 130 stopped by ctrl-c, 143 by a
request or SIGTERM
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
        verbs = [verb for verb in MODULES if getattr(args, verb) is not None]
        for option, (name, goes_with) in OPTIONS.items():
            if getattr(args, name) not in (None, False, []) and not set(verbs) & set(goes_with):
                self.error(f"{option} goes with {', '.join(_flag(verb) for verb in goes_with)}")
        if args.readonly and verbs not in ([], ["serve"]):
            self.error(f"--readonly goes with the bench itself, not with {_flag(verbs[0])}")
        if verbs and args.folder is not None:
            self._refuse(str(args.folder))
        return args

    def _refuse(self, word: str) -> NoReturn:
        import difflib

        if not word.startswith("-"):
            self.error(f"unexpected argument {word!r}: a verb takes one value")
        near = difflib.get_close_matches(word.partition("=")[0], self._option_string_actions, 1)
        self.error(f"{word}: unknown option" + (f"; did you mean {near[0]}?" if near else ""))


def _flag(verb: str) -> str:
    return "--from" if verb == "from_run" else f"--{verb}"


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
    verbs.add_argument("--from", type=Path, metavar="RUN", dest="from_run",
                       help="train a run's project again with one thing changed by --set")  # fmt: skip
    verbs.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run, or with a project's last unfinished one"
    )
    verbs.add_argument("--check", type=Path, metavar="PROJECT", help="say all that can be known before training")
    verbs.add_argument("--verify", type=Path, metavar="RUN", help="whether a run holds what its plan promised")
    verbs.add_argument("--status", nargs="?", const="", metavar="FOLDER",
                       help="list what is trained, what waits, and what is unfinished")  # fmt: skip
    verbs.add_argument("--attach", type=Path, metavar="RUN", help="watch a run, or a project's live or newest one")
    verbs.add_argument("--stop", type=Path, metavar="RUN", help="ask a live or waiting run to save and end")
    verbs.add_argument("--sample", type=Path, metavar="RUN", help="draw more pictures with a run's checkpoints")
    verbs.add_argument("--measure", type=Path, metavar="RUN", help="what its pictures show, beside the base model's")
    verbs.add_argument(
        "--attribute", type=Path, metavar="RUN", help="which tag took in what: each alone, left out, replaced"
    )
    verbs.add_argument("--drift", type=Path, metavar="RUN", help="how far it moved what it was not asked to move")
    verbs.add_argument(
        "--weights", type=Path, nargs="+", metavar="RUN", help="where its weights changed, and how alike runs are"
    )
    verbs.add_argument("--note", nargs=2, metavar=("RUN", "TEXT"), help="write down an observation")
    verbs.add_argument(
        "--findings", type=Path, metavar="PROJECT", help="features x runs: what was learned, and how sure that is"
    )
    verbs.add_argument(
        "--compare", type=Path, nargs="+", metavar="RUN", help="what differs between runs, and what shows"
    )
    verbs.add_argument(
        "--report", type=Path, metavar="PROJECT", help="write a project's lab article: HTML and Markdown"
    )
    verbs.add_argument("--reproduce", type=Path, nargs="*", metavar="PROJECT",
                       help="run experiments and hold their claims against what is measured")  # fmt: skip
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
    options.add_argument(
        "--variant", nargs="+", action="extend", metavar="NAME", help="with --run: train these variants"
    )
    options.add_argument(
        "--all-variants", action="store_true", help="with --run: train the project and all its variants"
    )
    options.add_argument("--matrix", action="store_true", help="with --run: train every combination of [matrix]")
    options.add_argument(
        "--repeats", type=int, metavar="N", help="with --run: train each N times, with training seeds of their own"
    )
    options.add_argument("--plan", action="store_true", help="say what would be trained, and end")
    options.add_argument(
        "--prompt", action="append", metavar="TEXT", help="with --sample: what to draw; may be given several times"
    )
    options.add_argument("--negative", metavar="TEXT", help="with --sample: what to steer away from")
    options.add_argument("--guidance", type=float, metavar="X", help="with --sample: how strongly to follow the prompt")
    options.add_argument("--inference-steps", metavar="N,…", help="with --sample: lengths of the denoising")
    options.add_argument("--seeds", metavar="1-100", help="seeds of pictures, such as 1-20,31")
    options.add_argument("--scale", metavar="X,…", help="with --sample: strengths of the LoRA, such as 0,0.5,1")
    options.add_argument("--checkpoint", metavar="STEP,…", help="all, last, or steps (last; with --weights all)")
    options.add_argument(
        "--knock-out", action="store_true", help="with --weights: draw with each block's LoRA switched off"
    )
    options.add_argument("--verdict", metavar="WORD", help="with --note: learned, partly, not shown, uncertain")
    options.add_argument("--feature", metavar="TEXT", help="with --note: what it is about, such as colour")
    options.add_argument(
        "--picture",
        action="append",
        metavar="FILE",
        help="with --note: a picture of the run; may be given several times",
    )
    options.add_argument("--step", type=int, metavar="N", help="with --note: the training step it speaks of")
    options.add_argument("--format", choices=("table", "markdown", "csv"), help="with --findings")
    options.add_argument("--sort", metavar="COLUMN", help="with --findings: the column to sort by")
    options.add_argument("--output", type=Path, metavar="PATH", help="where to write it")
    options.add_argument("--allow-changes", action="store_true",
                         help="with --resume: go on although settings or data changed")  # fmt: skip
    options.add_argument("--json", action="store_true", help="print the result as one JSON object")
    options.add_argument("--readonly", action="store_true", help="open the bench for looking only")
    options.add_argument("--port", type=int, metavar="N", help="with --serve: the port to listen on (8000)")
    return p
