"""A plan of runs on the console and as JSON: each run, what it changes, what is left of it, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loratui.lab.plain import plain
from loratui.lab.run.series import Planned, SeriesPlan

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"finished": "green", "unfinished": "yellow"}
_MOST_ROWS = 60


def print_plan(console: Console, plan: SeriesPlan, held_against: str = "the project as written") -> None:
    """The plan, fit for 80 columns; `held_against` is what the factors are told against."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.project.estimate import NOTHING_KNOWN, size_words, time_words

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("run", max_width=32, overflow="fold")
    table.add_column("", no_wrap=True)  # whether it is made
    for name in ("steps", "time", "disk"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("changes", ratio=1, overflow="fold")
    for row in plan.rows[:_MOST_ROWS]:
        table.add_row(
            Text(plain(row.label)),
            Text(_state(row), style=_STYLES.get(row.state, "")),
            Text(f"{row.steps:,}"),
            Text(time_words(row.seconds) if row.seconds is not None else "–"),
            Text(size_words(row.bytes) if row.bytes else "–"),
            Text(plain("; ".join([*(row.changes or row.factors), *([row.note] if row.note else [])]), 400)),
        )
    console.print(table)
    if len(plan.rows) > _MOST_ROWS:
        console.print(Text(f"… and {len(plan.rows) - _MOST_ROWS:,} more", style="dim"))
    console.print(Text(_totals(plan), style="bold"))
    if plan.total_steps:
        basis = plan.basis or NOTHING_KNOWN
        console.print(Text(f"changes are against {plain(held_against)}; time and disk {plain(basis)}", style="dim"))
    for error in plan.errors:
        console.print(Text.assemble(("error ", "bold red"), plain(error, 600)))
    for warning in plan.warnings:
        console.print(Text.assemble(("warning ", "bold yellow"), plain(warning, 600)))


def _state(row: Planned) -> str:
    if row.state == "unfinished":
        return f"at step {row.steps - row.left:,}"
    return "the same" if row.twin and not row.run else row.state


def _totals(plan: SeriesPlan) -> str:
    from loratui.lab.project.estimate import size_words, time_words

    todo = [row for row in plan.rows if row.state != "finished"]
    twins = sum(bool(row.twin) and not row.run for row in plan.rows)
    done = len(plan.rows) - len(todo) - twins
    if not todo:
        return "nothing is left to train: all of it is finished"
    words = [f"{_many(len(todo), 'run')} to train", f"{_many(plan.total_steps, 'step')}"]
    words += [f"about {time_words(plan.seconds)}"] if plan.seconds else []
    words += [f"about {size_words(plan.bytes)}"] if plan.bytes else []
    ends = [f"{_many(done, 'run')} finished already"] if done else []
    ends += [f"{twins} the same as another"] if twins else []
    return "; ".join([", ".join(words), *ends])


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def plan_json(plan: SeriesPlan) -> dict[str, Any]:
    """The plan as plain values, complete and uncut."""
    return {
        "runs": [
            {
                "label": row.label,
                "variant": row.variant,
                "repeat": row.repeat,
                "state": row.state,
                "run": row.run or None,
                "steps": row.steps,
                "left": row.left,
                "seconds": row.seconds,
                "bytes": row.bytes or None,
                "factors": list(row.factors),
                "changes": list(row.changes),
                "same_as": row.twin or None,
                "note": row.note,
            }
            for row in plan.rows
        ],
        "total_steps": plan.total_steps,
        "seconds": plan.seconds,
        "bytes": plan.bytes or None,
        "basis": plan.basis,
        "warnings": list(plan.warnings),
        "errors": list(plan.errors),
    }
