"""Runs to choose from, of all projects: those of one project first, the newest first, some of them marked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable, Static

from loratui.lab.notes.comparison import letter
from loratui.lab.notes.notebook import short_run
from loratui.lab.project.projects import list_projects
from loratui.lab.run.glance import Glances
from loratui.lab.run.runs import list_runs
from loratui.lab.words import state_words
from loratui.tui.text import cell
from loratui.tui.widgets.picktable import Column, PickTable, Row, fitted

LEAST = 2
_COLUMNS = (
    Column("mark", "", 2),
    Column("project", "project", 12, most=32),
    Column("run", "run", 18, most=40),
    Column("state", "state", 13),
    Column("steps", "steps", 6, from_width=90),
    Column("news", "what is new in it", 20, share=4),
)
_EMPTY = (
    "No runs yet.\n\nStart one from a project's settings (g s), then another with one thing changed, and come back."
)


@dataclass(frozen=True)
class _Seen:
    path: Path
    project: str
    state: str
    step: int
    news: str


class RunPicker(Vertical):
    """Space marks, enter compares what is marked: `RunPicker.Chosen` says which, in the order they were marked."""

    help_text = (
        "Choose the runs to compare: space marks one, enter compares those that are marked, or the marked one with the "
        "one under the cursor. The first one marked is A, what the others are compared with. Runs of other projects "
        "stand below those of this one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="picker.mark", tooltip="Mark this run for the comparison"),
        Binding("enter", "compare", "Compare", id="picker.compare", priority=True, tooltip="Compare the marked runs"),
    ]
    DEFAULT_CSS = """
    RunPicker > PickTable { height: 1fr; }
    RunPicker > #told { height: 1; color: $text-muted; }
    RunPicker.-none > PickTable { display: none; }
    RunPicker.-none > #told { height: auto; padding: 1 2; }
    """

    class Chosen(Message):
        """Two runs or more were chosen."""

        def __init__(self, runs: tuple[Path, ...]) -> None:
            super().__init__()
            self.runs = runs

    def __init__(
        self, folder: Path, project: Path | None, marked: Sequence[Path] = (), *, id: str | None = None,
        classes: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.folder, self.of_project = folder, project
        self.marked: list[Path] = list(marked)
        self._glances = Glances()
        self._seen: list[_Seen] = []

    def compose(self) -> ComposeResult:
        yield PickTable(_COLUMNS)
        yield Static("looking for runs…", id="told", markup=False)

    def on_mount(self) -> None:
        self.reload()

    @property
    def table(self) -> PickTable:
        return self.query_one(PickTable)

    @property
    def picked(self) -> Path | None:
        """The run under the cursor."""
        return Path(self.table.picked) if self.table.picked else None

    @work(exclusive=True, group="picker", exit_on_error=False)
    async def reload(self) -> None:
        """Look for runs again."""
        self._seen = await asyncio.get_running_loop().run_in_executor(None, self._look)
        self.marked = [path for path in self.marked if any(seen.path == path for seen in self._seen)]
        self._show()

    def _look(self) -> list[_Seen]:
        found: list[_Seen] = []
        for project in sorted(list_projects(self.folder), key=lambda path: path != self.of_project):
            runs = list_runs(project)
            told = []
            for before, run in zip([None, *runs], runs, strict=False):
                summary = self._glances.look(run)
                state = state_words(summary.state.name, summary.state.paused)
                told.append(_Seen(run.path, project.name, state, summary.state.step, self._glances.news(run, before)))
            found += reversed(told)
        return found

    def _show(self) -> None:
        rows: list[Row] = [(str(seen.path), self._cells(seen)) for seen in self._seen]
        self.table.show_rows(rows)
        if not rows:
            words = _EMPTY
        elif len(self.marked) < LEAST:
            words = "space marks a run; mark two or more, then enter compares them"
        else:
            words = f"{len(self.marked)} runs marked; enter compares them with the first, A"
        told = self.query_one("#told", Static)
        self.set_class(not rows, "-none")
        told.update(words)
        self.refresh_bindings()

    def _cells(self, seen: _Seen) -> tuple[Text, ...]:
        sign = letter(self.marked.index(seen.path)) if seen.path in self.marked else ""
        texts = (seen.project, short_run(seen.path.name), seen.state, seen.step, seen.news)
        return (cell(sign, style="bold reverse" if sign else ""), *(fitted(cell(text, 200)) for text in texts))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "mark":
            return self.picked is not None
        return action != "compare" or bool(self._seen)

    def _asked(self) -> tuple[Path, ...]:
        """Those marked; of a single one also the one under the cursor."""
        asked = list(self.marked)
        if len(asked) == 1 and self.picked is not None and self.picked not in asked:
            asked.append(self.picked)
        return tuple(asked)

    def action_mark(self) -> None:
        path = self.picked
        if path is None:
            return
        if path in self.marked:
            self.marked.remove(path)
        else:
            self.marked.append(path)
        self._show()
        self.table.action_cursor_down()

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _clicked(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_mark()

    def action_compare(self) -> None:
        asked = self._asked()
        if len(asked) < LEAST:
            self.app.notify("Mark two runs or more with space, then enter compares them.", markup=False)
        else:
            self.post_message(self.Chosen(asked))
