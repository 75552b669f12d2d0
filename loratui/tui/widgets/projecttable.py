"""The rows of the list of projects, and of the list of runs: what each cell says, and in which order of importance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from loratui.lab.plain import plain
from loratui.lab.words import STATE_SIGNS, VERDICT_SIGNS, state_words
from loratui.tui.text import cell, tint
from loratui.tui.widgets.picktable import Column, Row, fitted
from loratui.tui.widgets.trace import trace

if TYPE_CHECKING:
    from loratui.lab.project.projects import ProjectSummary, RunSummary

TRACE, LAST_TRACE = 8, 10  # cells for the loss of a run, and of a project's last run
PROJECT_COLUMNS = (
    Column("name", "project", 12, most=32),
    Column("images", "images", 6),
    Column("runs", "runs", 6, most=18),
    Column("loss", "last loss", LAST_TRACE, from_width=50),
    Column("question", "question", 10, share=5, from_width=60),
    Column("note", "last observation", 10, share=4, from_width=110),
)
RUN_COLUMNS = (
    Column("mark", "", 1),
    Column("when", "run", 12, most=17),
    Column("state", "state", 10, most=13),
    Column("step", "step", 4, most=15, from_width=56),
    Column("loss", "loss", TRACE, from_width=64),
    Column("last", "", 6, from_width=90),
    Column("news", "what is new in it", 10, share=1),
)
_STYLES = {
    "queued": "cyan", "running": "bold green", "paused": "yellow", "finished": "green", "stopped": "yellow",
    "failed": "bold red", "interrupted": "bold yellow",
}  # fmt: skip
_ORDER = tuple(STATE_SIGNS)


def unread_row(project: Path) -> Row:
    """A project of which only the name is known yet."""
    return str(project), (fitted(cell(project.name, 200)), *(Text("…", "dim") for _ in PROJECT_COLUMNS[1:]))


def project_row(summary: ProjectSummary) -> Row:
    """A project: a sign before the name when it is broken or put away, then what there is in it."""
    sign = ("✗ ", tint("bold red")) if summary.error else ("▫ ", "dim") if summary.archived else ""
    name = Text.assemble(sign, cell(summary.name, 200), (" put away" if summary.archived else "", "dim"))
    question = cell(summary.question, 400)
    if summary.error:
        question = cell(_fault(summary.error), 400, tint("red"))
    last = summary.last_run
    cells = (
        name,
        Text(f"{summary.images:,}" if summary.images else "none", "" if summary.images else "dim", justify="right"),
        state_counts(summary.runs),
        Text(trace(last.trace, LAST_TRACE) if last else "", "cyan"),
        question,
        _observation(summary),
    )
    return str(summary.folder), tuple(fitted(text) for text in cells)


def state_counts(runs: Iterable[RunSummary]) -> Text:
    """`3 ✓2 ▶1`: how many runs, and how many in each state."""
    counts: dict[str, int] = {}
    for run in runs:
        name = "paused" if run.state.paused else run.state.name
        counts[name] = counts.get(name, 0) + 1
    if not counts:
        return Text("none", "dim")
    text = Text(f"{sum(counts.values())}")
    for name in sorted(counts, key=_ORDER.index):
        text.append(f" {STATE_SIGNS[name]}{counts[name]}", tint(_STYLES[name]))
    return text


def run_row(run: RunSummary, marked: bool, news: str | None) -> Row:
    """A run; `news` is None while it is not known."""
    state = run.state
    style = tint(_STYLES["paused" if state.paused else state.name])
    steps = f"{state.step:,}/{run.total:,}" if run.total else f"{state.step:,}" if state.step else ""
    cells = (
        Text("●" if marked else "", "bold magenta"),
        cell(when(run.run.id)),
        Text(state_words(state.name, state.paused), style),
        Text(steps, justify="right"),
        Text(trace(run.trace, TRACE), "cyan"),
        Text(f"{run.loss:.4f}" if run.loss is not None else "", justify="right"),
        Text("…", "dim") if news is None else cell(news, 400),
    )
    return str(run.run.path), tuple(fitted(text) for text in cells)


def when(run_id: str) -> str:
    """`2 Jan 01:04 3f2a`: when a run was made, by the clock here, and the end of its id; the id where it is another."""
    parts = run_id.split("-")
    try:
        made = datetime.strptime("".join(parts[:2]), "%Y%m%d%H%M%S").replace(tzinfo=UTC).astimezone()
    except (ValueError, OverflowError):
        return plain(run_id, 17)
    this_year = made.year == datetime.now().year
    return f"{made.day:2} {made:%b} {made:{'%H:%M' if this_year else '%Y'}} {plain(parts[-1], 4)}"


def _observation(summary: ProjectSummary) -> Text:
    last = summary.last_observation
    if last is None:
        return Text("")
    words = f"{last.feature}: {last.note}" if last.feature else last.note
    return cell(f"{VERDICT_SIGNS.get(last.verdict, '·')} {' '.join(words.split())}", 400)


def _fault(error: str) -> str:
    """The first line of what is wrong, without the path that the list says already."""
    first = error.splitlines()[0]
    at = first.find("project.toml")
    return first[at:] if at >= 0 else first


def sorted_runs(runs: Iterable[RunSummary]) -> list[RunSummary]:
    """The newest first."""
    return sorted(runs, key=lambda run: run.run.id, reverse=True)


def filtered(summaries: Mapping[Path, ProjectSummary], folders: Iterable[Path], words: str) -> list[Path]:
    """The projects in whose name or question each of the words occurs."""
    wanted = words.casefold().split()
    found = []
    for folder in folders:
        summary = summaries.get(folder)
        text = f"{folder.name} {summary.question if summary else ''}".casefold()
        if all(word in text for word in wanted):
            found.append(folder)
    return found


def no_projects(folder: Path, others: bool, find: str, readonly: bool) -> Content:
    """What to say in place of a list without rows."""
    if others:
        return Content.assemble("No project has ", (plain(find, 60), "bold"), " in its name or question.\n",
                                ("esc", "bold"), " shows all again.")  # fmt: skip
    head = f"There are no projects in {plain(folder, 300)} yet." if folder.is_dir() else (
        f"There is no folder {plain(folder, 300)} yet."
    )  # fmt: skip
    if readonly:
        return Content(f"{head}\n\nThis is a read-only bench: without --readonly, n makes a project.")
    return Content.assemble(
        head, "\n\n", ("n", "bold"), " makes the first one: from a folder of images, from an example that trains in "
        "minutes without a GPU, or from nothing.\n", ("X", "bold"), " shows those that were put away, ", ("z", "bold"),
        " those in the trash.",
    )  # fmt: skip


def no_runs(summary: ProjectSummary | None) -> Content:
    """What to say in place of a list of runs."""
    if summary is None:
        return Content("The runs of a project are listed here, the newest first.")
    if summary.error:
        return Content.assemble("No runs. project.toml is not in order: ", ("e", "bold"), " opens it in your editor.")
    if not summary.images:
        return Content.assemble("No runs, and no images yet: ", ("t", "bold"), " brings images in.")
    return Content.assemble("No runs yet. ", ("R", "bold"), " shows what a run would be, and starts it; ",
                            ("s", "bold"), " opens the settings first.")  # fmt: skip
