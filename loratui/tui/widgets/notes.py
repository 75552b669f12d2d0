"""The observations of one run as a list to write in, for the page of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import DataTable, Static

from loratui.lab.errors import LabError
from loratui.lab.notes.notebook import verdict_words, when
from loratui.lab.notes.observations import Observation, edit, read_observations, strike
from loratui.lab.run.runs import RunFolder
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.text import cell, line, tint
from loratui.tui.widgets.picktable import Column, PickTable, Row, fitted

Context = tuple[int | None, Sequence[Path | str]]  # the step and the pictures that a new note is about
# Names of colours, which Textual takes from the theme there is when it paints: a change of theme needs nothing more.
_COLOURS = {"learned": "green", "partly": "yellow", "not shown": "red", "uncertain": "blue"}
_COLUMNS = (
    Column("verdict", "verdict", 11),
    Column("feature", "feature", 6, most=16),
    Column("step", "step", 4, most=8, from_width=30),
    Column("note", "note", 8, share=1),
)
EMPTY = (
    "No observations yet.\n\nLook at the samples, press n, and write what you see: which feature, and whether it was "
    "learned, partly, not shown, or you are uncertain."
)


def verdict_cell(observation: Observation) -> Text:
    """Sign and word of a verdict; that it is struck out shows without colour as well."""
    if observation.struck:
        return cell("struck out", style="dim")
    return cell(verdict_words(observation.verdict), style=tint(_COLOURS.get(observation.verdict, "")))


def text_cell(observation: Observation, text: object, limit: int | None = None) -> Text:
    """A cell of a row; crossed out where the observation is struck out."""
    return cell(text, limit, "dim strike" if observation.struck else "")


class NotesPanel(Vertical):
    """`panel.reload()` reads again; `panel.write(step, pictures)` opens the dialog for a new one."""

    help_text = (
        "What was seen in this run, newest last. n writes a new observation about the step or the pictures under the "
        "cursor, enter edits one, d strikes it out. Nothing is ever overwritten: edits and what was struck out stay "
        "in the run's observations.toml."
    )
    CHANGES: ClassVar[frozenset[str]] = frozenset({"new", "edit", "strike"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "Note", id="notes.new", tooltip="Write an observation"),
        Binding("enter", "edit", "Edit", id="notes.edit", tooltip="Say this observation differently", show=False),
        Binding(
            "d", "strike", "Strike out", id="notes.strike", tooltip="Strike this observation out, or bring it back"
        ),
    ]
    DEFAULT_CSS = """
    NotesPanel { height: 1fr; }
    NotesPanel > PickTable { height: 1fr; }
    NotesPanel > .empty { display: none; }
    NotesPanel.-empty > PickTable { height: 1; }
    NotesPanel.-empty > .empty { display: block; }
    """

    class Changed(Message):
        """An observation was written, edited or struck out."""

        def __init__(self, panel: NotesPanel, observation: Observation) -> None:
            super().__init__()
            self.panel, self.observation = panel, observation

        @property
        def control(self) -> NotesPanel:
            return self.panel

    def __init__(self, run: RunFolder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.run = run
        self.context: Callable[[], Context] | None = None  # what `n` in this panel is about; the run's page says it
        self.observations: list[Observation] = []
        self._problem = ""

    def compose(self) -> ComposeResult:
        table = PickTable(_COLUMNS)
        table.show_header = False
        yield table
        yield Static(EMPTY, classes="empty", markup=False)

    def on_mount(self) -> None:
        self.reload()

    @property
    def table(self) -> PickTable:
        return self.query_one(PickTable)

    @property
    def selected(self) -> Observation | None:
        """The observation under the cursor."""
        picked = self.table.picked
        return next((o for o in self.observations if o.id == picked), None)

    @work(exclusive=True, group="notes", exit_on_error=False)
    async def reload(self) -> None:
        """Read the file again, and show what differs."""
        problem = ""
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, read_observations, self.run)
        except LabError as error:
            found, problem = [], str(error)
        if (found, problem) == (self.observations, self._problem) and self.table.row_count == len(found):
            self.set_class(not found, "-empty")
            return
        at_end = self.table.cursor_row >= len(self.observations) - 1
        grown = len(found) > len(self.observations)
        self.observations, self._problem = found, problem
        self.query_one(Static).update(line(problem) if problem else EMPTY)
        self.set_class(not found, "-empty")
        self._fill(len(found) - 1 if at_end or grown else self.table.cursor_row)
        self.refresh_bindings()

    def _fill(self, row: int) -> None:
        rows: list[Row] = []
        for o in self.observations:
            step = f"@{o.step}" if o.step is not None else ""
            told = (text_cell(o, o.feature, 100), text_cell(o, step), text_cell(o, o.note or when(o.time), 400))
            rows.append((o.id, tuple(map(fitted, (verdict_cell(o), *told)))))
        self.table.show_rows(rows, self.observations[row].id if 0 <= row < len(self.observations) else None)

    # -- writing ----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CHANGES and getattr(self.app, "readonly", False):
            return False
        return action not in ("edit", "strike") or self.selected is not None

    def write(self, step: int | None = None, pictures: Sequence[Path | str] = ()) -> None:
        """Open the dialog for a new observation about a step and pictures."""
        self._write(step, tuple(pictures), None)

    def action_new(self) -> None:
        step, pictures = self.context() if self.context is not None else (None, ())
        self.write(step, pictures)

    def action_edit(self) -> None:
        if self.selected is not None:
            self._write(None, (), self.selected)

    @on(DataTable.RowSelected)
    def _row_chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self.check_action("edit", ()):
            self.action_edit()

    @work(exclusive=True, group="note")
    async def _write(self, step: int | None, pictures: tuple[Path | str, ...], old: Observation | None) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        saved = await self.app.push_screen_wait(NoteDialog(self.run, step, pictures, old))
        if saved is not None:
            self._changed(saved)

    @work(exclusive=True, group="note")
    async def action_strike(self) -> None:
        if self.selected is not None:
            changed = await ask_to_strike(self, self.run, self.selected)
            if changed is not None:
                self._changed(changed)

    def _changed(self, observation: Observation) -> None:
        self.reload()
        self.post_message(self.Changed(self, observation))


async def ask_to_strike(widget: Widget, run: RunFolder, old: Observation) -> Observation | None:
    """Strike an observation out, or bring back one that is, after asking. None when it was left as it is."""
    detail = f"{verdict_words(old.verdict)}  {old.feature}\n{old.note}"
    if old.struck:
        question = Confirm("Let it count again?", detail, yes="Bring back", no="Leave it")
    else:
        question = Confirm("Strike this observation out?", f"{detail}\n\nIt stays in the file and can be brought back.",
                           yes="Strike out", no="Keep it")  # fmt: skip
    if not await widget.app.push_screen_wait(question):
        return None
    try:
        return await asyncio.get_running_loop().run_in_executor(None, edit if old.struck else strike, run, old.id)
    except (LabError, OSError) as error:
        fail = getattr(widget.app, "fail", None)
        if fail is not None:
            fail(error)
        return None
