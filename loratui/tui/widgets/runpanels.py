"""The small panels of a run's page: the line that says how it stands, its numbers, its log, and the row of panel names.

They show what they are given, and paint only what differs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from loratui.lab.run.logtail import LogTail
from loratui.lab.run.runfacts import Row, Standing, progress_bar
from loratui.lab.words import state_words
from loratui.tui.widgets.textlines import Line, TextLines

_STYLES = {
    "running": "$text-success", "finished": "$text-success", "failed": "$text-error",
    "interrupted": "$text-warning", "queued": "$foreground 70%", "stopped": "$text-warning",
}  # fmt: skip
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d) ")
LABEL_WIDTH = 9
LOG_LINES = 2000  # drawn; the log tail keeps more


class StateLine(Static):
    """Sign, state, how far, and the sentence with the key that helps."""

    DEFAULT_CSS = "StateLine { height: auto; max-height: 4; padding: 0 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.words = ""
        self._rows = 0

    def show(self, standing: Standing, total: int, sentence: str, left: str, which: str) -> None:
        """Update when the words differ. `which` run it is stands at the right, where there is room."""
        state = standing.state
        known = state.name in _STYLES
        words = state_words(state.name, state.paused) if known else state.name
        style = "$text-warning bold" if state.paused else f"{_STYLES.get(state.name, '')} bold".strip()
        parts: list[str | tuple[str, str]] = [(words, style)]
        if state.name == "running":
            room = max(10, min(40, self.screen.size.width // 4))
            parts += [f"  {state.step:,}/{total:,} {progress_bar(state.step, total, room)}" if total else ""]
            parts += [f"  {left} left" if left and not state.paused else ""]
        if sentence:
            between = {"running": "  ", "queued": ": ", "failed": ": "}.get(state.name, " ")
            parts += [between, sentence]
        content = Content.assemble(*(part for part in parts if part))
        room = self.screen.size.width - 2 - content.cell_length - cell_len(which)
        if room >= 2:
            content = Content.assemble(content, " " * room, (which, "$foreground 60%"))
        if (told := content.plain) != self.words:
            rows, self._rows = self._rows, -(-content.cell_length // max(1, self.screen.size.width - 2))
            self.words = told
            self.update(content, layout=rows != self._rows)


class NumbersPanel(TextLines):
    """Names and values."""

    help_text = (
        "What the run says of itself: how far it is, its losses, its pace, and what it was made from. The smoothed "
        "loss is a running mean of the raw one. The probe loss is measured on fixed noise and timesteps, so it is the "
        "one to compare between steps."
    )
    empty_words = "reading…"

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows."""
        styled = {"step": "strong"}
        self.set_lines([((f"{word:<{LABEL_WIDTH}}", "dim"), (value, styled.get(word, ""))) for word, value in rows])


class RunLog(TextLines):
    """The end of the log. It follows a growing log until somebody scrolls up; `end` follows again."""

    help_text = (
        "What the run tells as it goes on, as in its log.txt. It follows the end; scroll up to stay at a place, end "
        "follows again."
    )
    follows = True
    empty_words = "The log is empty: the run has said nothing yet."

    def show(self, log: LogTail) -> None:
        """Show the newest lines."""
        kept = list(log.lines)[-LOG_LINES:]
        lines = [_log_line(line) for line in kept]
        if lines and (not log.is_whole or log.taken > len(kept)):
            lines.insert(0, ((f"… earlier lines are in {log.run.log_file.name}", "dim"),))
        self.set_lines(lines)


def _log_line(line: str) -> Line:
    found = _MOMENT.match(line)
    moment, text = (f"{found[1]} ", line[found.end() :]) if found else ("", line)
    style = "warning" if text.startswith("warning:") else "error" if text.startswith("failed") else ""
    return ((moment, "dim"), (text, style)) if moment else ((text, style),)


class PanelTabs(Static):
    """The names of the panels where there is room for one only; a click or its number shows it."""

    DEFAULT_CSS = "PanelTabs { height: 1; padding: 0 1; color: $foreground 60%; }"

    class Picked(Message):
        """A name was clicked. Panels are counted from 1."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._spots: list[tuple[int, int, int]] = []
        self._told: tuple[tuple[str, ...], int] = ((), 0)

    def show(self, names: Sequence[str], current: int) -> None:
        """Show these names, the current one set off."""
        if (tuple(names), current) == self._told:
            return
        self._told = tuple(names), current
        parts: list[tuple[str, str]] = []
        self._spots, column = [], 0
        for number, name in enumerate(names, start=1):
            words = f" {number} {name} "
            parts += [(words, "reverse bold" if number == current else ""), (" ", "")]
            self._spots.append((column, column + len(words), number))
            column += len(words) + 1
        self.update(Content.assemble(*parts))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        for start, end, number in self._spots if place is not None else ():
            if place is not None and start <= place.x < end:
                self.post_message(self.Picked(number))
