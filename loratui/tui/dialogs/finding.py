"""All there is about one feature in one run, and the way to that run."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.text import line, lines


class FindingDialog(Confirm):
    """True to go to the run. The words scroll where they are more than fit."""

    WIDTH = 84
    BINDINGS = [  # noqa: RUF012
        Binding("o", "yes", "Run", id="finding.run", tooltip="Go to the run"),
        Binding("up,k", "scroll(-1)", show=False, id="finding.up"),
        Binding("down,j", "scroll(1)", show=False, id="finding.down"),
    ]
    DEFAULT_CSS = """
    FindingDialog VerticalScroll { height: auto; max-height: 60vh; scrollbar-size-vertical: 1; }
    FindingDialog VerticalScroll Static { height: auto; }
    """

    def content(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(lines(self._detail, 20_000), markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line("Stay here (esc)"), id="no", variant="primary")
            yield Button(line("Go to its run (o)"), id="yes")

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
