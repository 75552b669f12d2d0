"""Who has the devices of this machine and who waits for them: to look at, to put in another order, to take out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from loratui.lab.errors import LabError
from loratui.lab.run import launch, queue
from loratui.lab.run.queue import Ticket
from loratui.lab.run.runs import RunFolder
from loratui.lab.words import STATE_SIGNS, state_sign
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.places import Place
from loratui.tui.text import cell, line
from loratui.tui.widgets.table import VimTable

if TYPE_CHECKING:
    from loratui.lab.run.live import LiveRun
    from loratui.tui.app import BenchApp

LOOK_SECONDS = 1.0
EMPTY = (
    "Nothing is being trained on this machine, and nothing waits.\n\nA run that is started while another one has its "
    "device waits here for its turn."
)


class QueuePanel(Vertical):
    """All that have or wait for a device, of any project of this user. `reload()` looks again; it does so by itself."""

    help_text = (
        "Runs take turns on a device, in this order; the one with ▶ has it. K and J let a waiting run go earlier or "
        "later, d takes it out: a run that waits ends before it began, one that trains saves first. Enter opens its "
        "page. What other programs do with the device is not known here."
    )
    CHANGES: ClassVar[frozenset[str]] = frozenset({"earlier", "later", "remove"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("K,shift+up", "earlier", "Earlier", id="queue.earlier", key_display="K",
                tooltip="Let this run have its turn before the one above it"),
        Binding("J,shift+down", "later", "Later", id="queue.later", key_display="J",
                tooltip="Let the one below this run go first"),
        Binding("d", "remove", "Take out", id="queue.remove",
                tooltip="Ask this run to stop: it saves, and can be resumed"),
        Binding("enter", "open", "Open", id="queue.open", show=False, tooltip="Go to the page of this run"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    QueuePanel { height: 1fr; }
    QueuePanel > VimTable { height: 1fr; }
    QueuePanel > .empty { display: none; }
    QueuePanel.-empty > VimTable { height: 1; }
    QueuePanel.-empty > .empty { display: block; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.tickets: list[Ticket] = []
        self._shown: list[tuple[str, ...]] = []

    def compose(self) -> ComposeResult:
        table = VimTable(header=False)
        table.add_columns("place", "device", "step", "project", "run")
        yield table
        yield Static(EMPTY, classes="empty", markup=False)

    def on_mount(self) -> None:
        self.reload()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self.screen.is_current and self.is_on_screen:
            self.reload()

    @property
    def bench(self) -> BenchApp:
        """The app, by its own type."""
        from loratui.tui.app import BenchApp

        assert isinstance(self.app, BenchApp)
        return self.app

    @property
    def table(self) -> VimTable:
        return self.query_one(VimTable)

    @property
    def selected(self) -> Ticket | None:
        """The ticket under the cursor."""
        row = self.table.cursor_row
        return self.tickets[row] if 0 <= row < len(self.tickets) else None

    # -- showing ----------------------------------------------------------------------------------------------

    @work(exclusive=True, group="queue", exit_on_error=False)
    async def reload(self) -> None:
        """Look again, and show what differs."""
        try:
            found = await self._aside(queue.tickets)
        except (LabError, OSError) as error:
            self._show([], str(error))
        else:
            self._show(found)

    async def _aside(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.bench.threads, function, *args)

    def _show(self, found: Sequence[Ticket], problem: str = "") -> None:
        live = {item.run.path: item for item in self.bench.live}
        rows = [_words(ticket, live.get(ticket.run) if ticket.run else None) for ticket in found]
        under = self.selected
        moved = [t.key for t in found] != [t.key for t in self.tickets]
        self.tickets = list(found)
        self.query_one(Static).update(line(problem) if problem else EMPTY)
        self.set_class(not found, "-empty")
        if rows == self._shown:
            return
        if moved or len(rows) != len(self._shown):
            self.table.clear()
            for ticket, row in zip(found, rows, strict=True):
                self.table.add_row(*_cells(ticket, row))
            # The cursor stays on its run, wherever that went.
            place = next((i for i, t in enumerate(found) if under and t.key == under.key), self.table.cursor_row)
            self.table.move_cursor(row=max(0, place))
        else:
            for number, (ticket, row, before) in enumerate(zip(found, rows, self._shown, strict=True)):
                for column, (new, old, content) in enumerate(zip(row, before, _cells(ticket, row), strict=True)):
                    if new != old:
                        self.table.update_cell_at((number, column), content, update_width=True)  # type: ignore[arg-type]
        self._shown = rows
        self.refresh_bindings()

    # -- keys -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CHANGES and self.bench.readonly:
            return False
        ticket = self.selected if self.is_mounted else None
        if action == "earlier":
            return True if ticket and ticket.ahead > 1 else None
        if action == "later":
            return True if ticket and ticket.ahead and self._is_followed(ticket) else None
        if action in ("remove", "open"):
            return True if ticket and ticket.run else None
        return True

    def _is_followed(self, ticket: Ticket) -> bool:
        return any(other.device == ticket.device and other.ahead > ticket.ahead for other in self.tickets)

    def action_earlier(self) -> None:
        self._move(-1)

    def action_later(self) -> None:
        self._move(1)

    @work(group="queue-move", exit_on_error=False)
    async def _move(self, by: int) -> None:
        ticket = self.selected
        if ticket is None:
            return
        try:
            await self._aside(queue.move, ticket, by)
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.reload()

    @work(group="queue-remove", exit_on_error=False)
    async def action_remove(self) -> None:
        ticket = self.selected
        if ticket is None or ticket.run is None:
            return
        waits = "It has not had its turn yet." if ticket.ahead else "It saves first, and what it made stays."
        question = Confirm(
            f"Stop {ticket.label}?", f"{waits} Resume goes on with it later.", yes="Stop it", no="Leave it"
        )
        if not await self.app.push_screen_wait(question):
            return
        try:
            await self._aside(launch.stop, RunFolder(ticket.run), "ask")
        except (LabError, OSError) as error:
            self.bench.fail(error)
        else:
            self.bench.say(f"asked {ticket.label} to stop")
        self.reload()

    def action_open(self) -> None:
        ticket = self.selected
        if ticket and ticket.run:
            self.bench.go(Place("run", RunFolder(ticket.run).project_folder, (ticket.run,)))

    @on(DataTable.RowSelected)
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_open()

    @on(DataTable.RowHighlighted)
    def _row_highlighted(self) -> None:
        self.refresh_bindings()


def _words(ticket: Ticket, live: LiveRun | None) -> tuple[str, ...]:
    """What a row says: its place, the device, how far it is, its project, its run."""
    if ticket.has_device:
        place = f"{state_sign(live.state.name, live.state.paused) if live else STATE_SIGNS['running']} now"
    else:
        place = f"{STATE_SIGNS['queued']} {ticket.ahead}"
    step = ""
    if live and ticket.has_device and live.total:
        step = f"{live.state.step}/{live.total}" if live.state.name == "running" else "getting ready"
    project = RunFolder(ticket.run).project_folder.name if ticket.run else ""
    return (place, ticket.device, step, project, ticket.label)


def _cells(ticket: Ticket, words: tuple[str, ...]) -> list[Text]:
    style = "bold" if ticket.has_device else ""
    return [cell(word, limit, style) for word, limit in zip(words, (8, 16, 24, 24, 80), strict=True)]
