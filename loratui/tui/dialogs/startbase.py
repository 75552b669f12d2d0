"""What dialogs before a start share: something is looked at, told, and started by a deliberate yes.

Everything is looked at in processes of their own; started workers live on without this interface.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.tui.dialogs.base import Dialog
from loratui.tui.outlooklines import fault_lines, joined
from loratui.tui.text import line

if TYPE_CHECKING:
    from loratui.lab.run.runs import RunFolder

MOST_LINES = 24  # of what was found, before it scrolls


class PlanDialog(Dialog[Path]):
    """What the dialogs before a start share: something that was looked at, shown, and started by a deliberate yes."""

    WIDTH: ClassVar[int] = 90
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,R", "start", "Start", id="start.yes", tooltip="Freeze what was looked at and start training"),
        Binding("n", "cancel", "Not yet", id="start.no", tooltip="Start nothing"),
        Binding("left,right", "other", show=False, id="start.other"),
        Binding("up,k", "scroll(-1)", show=False, id="start.up"),
        Binding("down,j", "scroll(1)", show=False, id="start.down"),
    ]
    DEFAULT_CSS = """
    PlanDialog #found { height: auto; max-height: 10; scrollbar-size-vertical: 1; padding: 0 1; }
    PlanDialog #found Static { height: auto; }
    PlanDialog .buttons { margin: 0; }
    """

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._gone = False
        self.is_starting = False

    def content(self) -> ComposeResult:
        yield from self.choices()
        with VerticalScroll(id="found", can_focus=False):
            yield Static(Content.styled("looking at images, captions and past runs…", "$foreground 60%"), markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line("Not yet (n)"), id="no", variant="primary")
            yield Button(line("Start (y)"), id="yes", disabled=True)

    def choices(self) -> ComposeResult:
        """What there is to choose from, above what was found."""
        yield from ()

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()
        self._look()

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """Leave the buttons on the screen: what was found has the room that is left, and scrolls."""
        box, found = self.query_one("#box"), self.query_one("#found")
        others = sum(c.outer_size.height + c.styles.margin.height for c in box.children if c is not found)
        found.styles.max_height = max(3, min(MOST_LINES, self.size.height * 94 // 100 - 2 - max(3, others)))

    # -- said by the dialog -------------------------------------------------------------------------------------

    def look(self) -> object:
        """Look at it, in a thread; `go_on` ends it when nobody waits for it any more."""
        return None

    def shown(self, found: object) -> list[Content]:
        """Take over what was found; the lines to show."""
        return []

    def start(self) -> list[RunFolder]:
        """Start it, in a thread; the runs that were started."""
        return []

    def forget(self) -> None:
        """What was seen is not so any more."""

    @property
    def is_ready(self) -> bool:
        """Whether everything was looked at and nothing forbids it."""
        return False

    # -- looking ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, self.look)
            lines = self.shown(found)
        except Cancelled:
            return
        except (LabError, OSError) as error:
            lines = fault_lines(str(error).splitlines())
        self.show_lines(lines)
        self.query_one("#yes", Button).disabled = not self.can_start
        self.refresh_bindings()

    def go_on(self, done: int, total: int) -> None:
        """A `Progress` that ends what nobody waits for."""
        if self._gone or getattr(self.app, "leaving", False):
            raise Cancelled

    def show_lines(self, lines: Sequence[Content]) -> None:
        if not self._gone:
            self.query_one("#found Static", Static).update(joined(lines))

    @property
    def can_start(self) -> bool:
        return self.is_ready and not self.is_starting

    # -- starting -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.can_start if action == "start" else True

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_start()
        else:
            self.action_cancel()

    def action_start(self) -> None:
        if self.can_start:
            self.is_starting = True
            self.query_one("#yes", Button).disabled = True
            self.show_lines([Content.styled(self.starting_words, "$foreground 60%")])
            self._start()

    @property
    def starting_words(self) -> str:
        return "freezing the run and starting its worker…"

    @work(exclusive=True, group="start", exit_on_error=False)
    async def _start(self) -> None:
        try:
            runs = await asyncio.get_running_loop().run_in_executor(None, self.start)
        except (LabError, OSError) as error:
            self.is_starting = False
            self.forget()
            self.show_lines(fault_lines(["nothing was started:", *str(error).splitlines()]))
            return
        if not self._gone:
            self.dismiss(runs[0].path if runs else None)

    def action_cancel(self) -> None:
        if not self.is_starting:  # a run that is being frozen is started in a moment, and then there is one
            self._gone = True
            self.dismiss(None)

    def action_other(self) -> None:
        self.focus_next(Button)

    def action_scroll(self, by: int) -> None:
        self.query_one("#found", VerticalScroll).scroll_relative(y=by, animate=False)
