"""Disturb the real command line in every way we can think of, and say what was lost.

    python -m tests.campaign [--minutes N] [--seed S] [--only NAME,…] [--try NUMBER] [--keep FOLDER]

    kills       SIGKILL at every kind of moment, then --resume: the same files, weights, pixels and losses, to the bit
    signals     storms of SIGINT, SIGTERM, SIGHUP, and requests to stop; the same
    full-disk   a disk that fills up, then room; the same, and the message speaks of space
    mutations   one damaged file of a project, run, model or cache, and every verb that reads it
    images      a dataset with a hostile image, checked and trained
    links       a link to somebody else's file or folder in place of one in a run, and every verb that writes
    fifos       a FIFO, an endless device or a folder under a file's name, and every verb that looks

The minutes are shared out by the campaigns' weights, after half a minute in which the project and its runs are made;
each has at least one try. Each try has luck of its own, made of
the seed, the campaign's name and the number of the try: the same seed repeats the same tries, and `--try` repeats one
of them (times within a process vary, moments that are counted in changes on the disk do not). What is lost is printed
with its way back, and its tree is kept below a folder that is named. The exit code is 1 if anything was lost.

Add a way to disturb as a module with a CAMPAIGN; add to what counts as lost in `judges`, and prove in `test_judges`
that the new judge can fail. Nothing of a try is left behind: not a process, a mount, or a folder.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Before anything of torch or the hub is imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tests.campaign import children, fifos, full_disk, images, kills, links, mutations, signals
from tests.campaign.ground import Ground
from tests.campaign.tries import Keeper, Result, conduct

CAMPAIGNS = tuple(module.CAMPAIGN for module in (kills, signals, full_disk, mutations, images, links, fifos))
TOLD = 3  # ways back for one and the same loss


def main() -> int:
    names = [campaign.name for campaign in CAMPAIGNS]
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default=",".join(names), metavar="NAME,…", help=", ".join(names))
    parser.add_argument("--try", type=int, default=None, dest="number", metavar="NUMBER")
    parser.add_argument("--keep", type=Path, default=None, metavar="FOLDER", help="for what is lost")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"no such campaign: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    chosen = [campaign for campaign in CAMPAIGNS if campaign.name in wanted]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(f"seed {seed}, {args.minutes:g} minutes: {', '.join(campaign.name for campaign in chosen)}")
    children.warm()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # so that what is below is cleared away
    keeper = Keeper(args.keep or Path(tempfile.gettempdir()) / f"loratui-campaign-lost-{seed}-{os.getpid()}")
    base = Path(tempfile.mkdtemp(prefix="loratui-campaign-"))
    results = []
    try:
        ground = Ground(base)
        for name in dict.fromkeys(campaign.ground for campaign in chosen):
            ground.reset(name)
        began = time.monotonic()
        weights = sum(campaign.weight for campaign in chosen)
        for campaign in chosen:
            left = args.minutes * 60 - (time.monotonic() - began)
            share = max(0.0, left) * campaign.weight / weights
            weights -= campaign.weight
            result = conduct(campaign, ground, seed, share, keeper, args.number)
            results.append(result)
            said = result.not_possible or f"{result.tried} tried, {result.lost} lost, {result.seconds:.0f} s"
            console.print(f"{campaign.name}: {said}", markup=False)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    tell(console, results)
    if any(result.lost for result in results):
        console.print(f"kept in {keeper.folder}", markup=False, soft_wrap=True)
        return 1
    return 0


def tell(console: Console, results: list[Result]) -> None:
    """Each loss with its ways back, then the table."""
    for result in results:
        for what, ways in sorted(result.losses.items(), key=lambda loss: -len(loss[1])):
            console.print(f"\nlost, {result.name}: {what}", markup=False, soft_wrap=True)
            for way in ways[:TOLD]:
                console.print(f"    {way}", markup=False, soft_wrap=True)
            if len(ways) > TOLD:
                console.print(f"    … and {len(ways) - TOLD} times more")
    table = Table("campaign", "tried", "survived", "lost", "kinds of loss", title="What was tried, and what was lost")
    for column in table.columns[1:]:
        column.justify = "right"
    for result in results:
        figures = (result.tried, result.tried - result.lost, result.lost, len(result.losses))
        row = [str(figure) for figure in figures] if result.tried else ["not possible here", "", "", ""]
        table.add_row(escape(result.name), *row)
    console.print()
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
