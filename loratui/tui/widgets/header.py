"""The line at the head: where one is, where one can go, and the run that is being trained, on every screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import RenderResult
from textual.strip import Strip
from textual.widget import Widget

from loratui.lab.plain import plain
from loratui.lab.words import state_sign
from loratui.tui.places import SCREENS, TABS

if TYPE_CHECKING:
    from loratui.lab.run.live import LiveRun


class BenchHeader(Widget):
    """Tabs on the left, live runs on the right; both can be clicked."""

    COMPONENT_CLASSES: ClassVar = {f"bench-header--{part}" for part in ("here", "off", "live", "name")}
    DEFAULT_CSS = """
    BenchHeader { dock: top; height: 1; background: $panel; color: $foreground 80%; }
    BenchHeader > .bench-header--here { text-style: bold reverse; }
    BenchHeader > .bench-header--off { text-style: dim; }
    BenchHeader > .bench-header--live { color: $text-success; text-style: bold; }
    BenchHeader > .bench-header--name { color: $primary; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._spots: list[tuple[int, int, str]] = []
        self._live_spot = (0, 0)
        self._live_words = ""

    def on_mount(self) -> None:
        self.show_live(self._bench.live)

    @property
    def _bench(self):  # type: ignore[no-untyped-def]
        from loratui.tui.app import BenchApp

        assert isinstance(self.app, BenchApp)
        return self.app

    def show_live(self, live: Sequence[LiveRun]) -> None:
        """Show these runs; repainted only when the words differ."""
        words = live_words(live)
        if words != self._live_words:
            self._live_words = words
            self.refresh()

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        bench, screen = self._bench, self.screen
        here = getattr(getattr(screen, "place", None), "screen", "")
        base = self.rich_style
        here_style, off, live_style, name_style = (
            base + self.get_component_rich_style(f"bench-header--{part}", partial=True)
            for part in ("here", "off", "live", "name")
        )
        width = self.size.width
        right = self._live_words or ("readonly" if bench.readonly else "")
        right = plain(right, max(8, width // 3)) + " " if right else ""
        segments, column = [Segment(" loratui ", name_style)], 9
        self._spots = []
        room = width - cell_len(right)
        reachable = bench.reachable()
        tabs = [*TABS, here] if here and here not in TABS else [*TABS]
        for name in tabs:
            word = f" {SCREENS[name][1]} "
            if column + len(word) > room:
                break
            style = here_style if name == here else base if name in reachable else off
            segments.append(Segment(word, style))
            if name in reachable:
                self._spots.append((column, column + len(word), name))
            column += len(word)
        project = getattr(screen, "project", None)
        if project is not None and column + 8 < room:
            title = "  " + plain(project.name, room - column - 3)
            segments.append(Segment(title, base))
            column += cell_len(title)
        segments.append(Segment(" " * max(0, room - column), base))
        segments.append(Segment(right, live_style))
        self._live_spot = (room, width) if self._live_words else (0, 0)
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        if self._live_spot[0] <= event.x < self._live_spot[1]:
            self._bench.go_to_live()
            return
        for start, end, name in self._spots:
            if start <= event.x < end:
                self._bench.go_to_named(name)
                return


def live_words(live: Sequence[LiveRun]) -> str:
    """`▶ basic-grey 412/750 55%`, and how many more there are."""
    if not live:
        return ""
    first = next((item for item in live if item.state.name == "running"), live[0])
    words = f"{state_sign(first.state.name, first.state.paused)} {first.project}"
    if first.state.name == "queued":
        words += " queued"
    elif first.total:
        words += f" {first.state.step}/{first.total} {100 * first.state.step // first.total}%"
    return words + (f" +{len(live) - 1}" if len(live) > 1 else "")
