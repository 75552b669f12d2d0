"""What every screen has: header, footer, the keys that work everywhere, help, and work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from loratui.tui.places import Place
from loratui.tui.widgets.footer import BenchFooter
from loratui.tui.widgets.header import BenchHeader

if TYPE_CHECKING:
    from pathlib import Path

    from loratui.tui.app import BenchApp

P = ParamSpec("P")
T = TypeVar("T")


class BenchScreen(Screen[None]):
    """A place in the bench. Subclasses say `body()`, and what F1 tells about them."""

    TITLE_WORD: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    CHANGES: ClassVar[frozenset[str]] = frozenset()  # actions that write something: not there in --readonly
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)  # Textual's own paints the whole screen anew

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # from 160 columns: -very-wide too
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012

    DEFAULT_CSS = """
    BenchScreen {
        layout: vertical;
        .panel {
            border: round $foreground 30%;
            border-title-color: $foreground 70%;
            border-subtitle-color: $foreground 60%;
            padding: 0 1;
        }
        .panel:focus, .panel:focus-within {
            border: round $primary;
            border-title-color: $text;
            border-title-style: bold;
        }
        .empty { color: $text-muted; padding: 1 2; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "go_menu", "Go", id="bench.go", tooltip="Go to another screen of this project"),
        Binding("colon", "go_anywhere", "Go to…", id="bench.anywhere", show=False,
                tooltip="Go to any project, run or screen by typing its name"),
        Binding("f1,question_mark", "help", "Help", id="bench.help", key_display="?",
                tooltip="What the focused panel is for, and all keys that work here"),
        Binding("slash", "filter", "Filter", id="bench.filter", show=False, tooltip="Type what to show only"),
        Binding("escape", "back", "Back", id="bench.back", show=False, tooltip="Go back to where you came from"),
        Binding("minus", "last", "Last place", id="bench.last", show=False, tooltip="Go to the place you were at"),
        Binding("q", "leave", "Quit", id="bench.quit", show=False,
                tooltip="Leave the bench; runs go on without it"),
        Binding("ctrl+r", "reload", "Reload", id="bench.reload", show=False, tooltip="Read everything from disk again"),
        *(Binding(str(n), f"panel({n})", f"Panel {n}", id=f"bench.panel{n}", show=False,
                  tooltip=f"Focus the panel that has {n} in its title") for n in range(1, 10)),
    ]  # fmt: skip

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.panels: Sequence[Widget] = ()
        self._shown_before = False

    @property
    def bench(self) -> BenchApp:
        """The app, by its own type."""
        from loratui.tui.app import BenchApp

        assert isinstance(self.app, BenchApp)
        return self.app

    @property
    def project(self) -> Path | None:
        """The project that this screen, or what is chosen on it, is about."""
        return self.place.project

    @property
    def run_path(self) -> Path | None:
        """The run that this screen, or what is chosen on it, is about."""
        return self.place.runs[0] if self.place.runs else None

    def compose(self) -> ComposeResult:
        # Now, when nothing is styled yet: a class that comes with the first resize has everything styled once more.
        self.update_classes(self._classes_for(self.app.size), update=False)
        yield BenchHeader()
        yield from self.body()
        yield BenchFooter()

    def body(self) -> ComposeResult:
        """The widgets between header and footer."""
        yield from ()

    # -- hooks ------------------------------------------------------------------------------------------------

    def on_show_again(self) -> None:
        """Called when the screen is the current one again: read again what may have changed."""

    def flush(self) -> None:
        """Called before the bench ends, however it ends: write what is not written yet. Must not wait for anything."""

    def filter_widget(self) -> Widget | None:
        """What `/` focuses, if this screen can be filtered."""
        return None

    def close_filter(self) -> bool:
        """Escape asks this first. True when there was a filter to close."""
        return False

    def panel_widgets(self) -> Sequence[Widget]:
        """The panels, in the order of their numbers."""
        return self.panels

    def action_reload(self) -> None:
        self.on_show_again()

    # -- help for subclasses ----------------------------------------------------------------------------------

    async def aside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` in a thread. Awaited in a worker, a worker that is replaced drops the result."""
        return await asyncio.get_running_loop().run_in_executor(self.bench.threads, lambda: function(*args, **kwargs))

    def every(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """A timer that fires only while this screen is on top: under a dialog every change repaints the whole."""

        def fire() -> None:
            if self.app.screen is self:
                callback()

        return self.set_interval(seconds, fire)

    def _classes_for(self, size: Size) -> dict[str, bool]:
        """Which classes say how much room there is."""
        classes = {"-very-wide": size.width >= 160}
        for room, steps in ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS)):
            passed = [name for least, name in sorted(steps or ()) if room >= least]
            classes |= {name: name in passed[-1:] for _, name in steps or ()}
        return classes

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= 160, "-very-wide")

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        # What is shown for the first time was styled a moment ago.
        event.refresh_styles = event.refresh_styles and self._shown_before
        for header in self.query(BenchHeader):
            header.show_live(self.bench.live)
        if self._shown_before:
            self.on_show_again()
        self._shown_before = True

    # -- keys -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CHANGES and self.bench.readonly:
            return False
        if action == "filter":
            return self.filter_widget() is not None
        if action == "panel":
            return isinstance(parameters[0], int) and parameters[0] <= len(self.panel_widgets())
        return True

    def action_go_menu(self) -> None:
        from loratui.tui.dialogs.go import GoMenu

        self.app.push_screen(GoMenu(self.bench.reachable()), self.bench.go_to_named)

    def action_go_anywhere(self) -> None:
        from loratui.tui.commands import places_palette

        self.app.push_screen(places_palette())

    def action_help(self) -> None:
        from loratui.tui.dialogs.help import HelpDialog

        self.app.push_screen(HelpDialog(self))

    def action_filter(self) -> None:
        widget = self.filter_widget()
        if widget is not None:
            widget.display = True
            self.set_focus(widget)  # at once, and not after the keys that may already be on their way

    def action_back(self) -> None:
        from textual.widgets import Input, TextArea  # slow to import, and not wanted before the first paint

        if self.close_filter():
            return
        if isinstance(self.focused, (Input, TextArea)) and self.panel_widgets():
            self.focus_panel(1)
            return
        self.bench.back()

    def action_last(self) -> None:
        self.bench.go_last()

    async def action_leave(self) -> None:
        await self.app.action_quit()

    def action_panel(self, number: int) -> None:
        self.focus_panel(number)

    def focus_panel(self, number: int) -> None:
        """Focus a panel by its number, from 1: itself, or the first in it that can be focused."""
        widgets = self.panel_widgets()
        if not 1 <= number <= len(widgets):
            return
        panel = widgets[number - 1]
        if panel.focusable:
            self.set_focus(panel)
            return
        for child in panel.query("*"):
            if child.focusable and child.display:
                self.set_focus(child)
                return
