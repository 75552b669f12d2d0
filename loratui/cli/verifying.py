"""The verb that looks whether a run is whole: --verify."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from loratui.cli.output import make_console, print_json, say

if TYPE_CHECKING:
    from rich.table import Table

    from loratui.lab.run.verify import Fault, Verification


def verb(args: argparse.Namespace) -> int:
    """--verify: what is there of what the plan promised, and what to do where it is not. 0 whole, 1 not."""
    from loratui.cli.progress import telling
    from loratui.lab.run.meant import meant_run
    from loratui.lab.run.verify import verify

    run = meant_run(args.verify)
    console = make_console(args.json)
    with telling(console, "looked at", "pictures") as (progress, _):
        found = verify(run, progress)
    if args.json:
        print_json({"folder": str(run.path), **found.as_json()})
    else:
        console.print(_table(found))
        say(console, [""])
        for remedy, faults in _by_remedy(found):
            say(console, [*(f"{fault.file}: {fault.what}" for fault in faults), f"  → {remedy}", ""])
        say(console, found.remarks)
        say(console, [f"{run.id}: {'whole' if found.whole else 'not whole'}"])
    return 0 if found.whole else 1


def _by_remedy(found: Verification) -> Iterable[tuple[str, list[Fault]]]:
    groups: dict[str, list[Fault]] = {}
    for fault in found.faults:
        groups.setdefault(fault.remedy, []).append(fault)
    return groups.items()


def _table(found: Verification) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("", "whole", "of"):
        table.add_column(head, header_style="dim", justify="left" if not head else "right")
    for subject, (whole, wanted) in found.counts.items():
        table.add_row(subject, f"{whole:,}", f"{wanted:,}", style="" if whole == wanted else "red")
    return table
