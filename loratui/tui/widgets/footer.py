"""The line of keys at the foot: what can be done now, as many as fit, each clickable. It never promises a dead key."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import RenderResult
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

EVERYWHERE = ("go_menu", "help")  # these come last, and always have room


def _cells(key: tuple[object, ...]) -> int:
    return cell_len(str(key[0])) + 1 + cell_len(str(key[1])) + 2


class BenchFooter(Widget):
    """Shows the screen's bindings that ask to be shown. Rendered only when they differ from what is shown."""

    DEFAULT_CSS = """
    BenchFooter {
        dock: bottom; height: 1; background: $panel; color: $foreground;
    }
    """
    COMPONENT_CLASSES: ClassVar = {"bench-footer--key", "bench-footer--off"}
    DEFAULT_CSS += """
    BenchFooter > .bench-footer--key { color: $text-accent; text-style: bold; }
    BenchFooter > .bench-footer--off { text-style: dim; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str, str, bool]] = []  # key shown, label, action, enabled
        self._spots: list[tuple[int, int, str]] = []  # from column, to column, action

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._update_keys)
        self.call_after_refresh(self._update_keys, self.screen)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _update_keys(self, screen: Screen[object]) -> None:
        if not self.is_attached or screen is not self.screen:
            return
        keys: dict[str, tuple[str, str, str, bool]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in keys and binding.description:
                shown = self.app.get_key_display(binding)
                keys[binding.action] = (shown, binding.description, binding.action, active.enabled)
        if (now := list(keys.values())) != self._keys:
            self._keys = now
            self.refresh()

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        key_style, off = (
            self.get_component_rich_style(f"bench-footer--{part}", partial=True) for part in ("key", "off")
        )
        width, column = self.size.width, 1
        segments = [Segment(" ", base)]
        self._spots = []
        last = [key for key in self._keys if key[2] in EVERYWHERE]
        room = width - sum(_cells(key) for key in last)
        for key, label, action, enabled in [*(key for key in self._keys if key not in last), *last]:
            words = _cells((key, label))
            if action in EVERYWHERE:
                room = width
            if column + words - 1 > room:
                continue  # a shorter one may still fit; help lists them all
            segments.append(Segment(key, base + (key_style if enabled else off)))
            segments.append(Segment(f" {label}  ", base + (Style.null() if enabled else off)))
            if enabled:
                self._spots.append((column, column + words - 2, action))
            column += words
        return Strip(segments).adjust_cell_length(width, base)

    async def on_click(self, event: events.Click) -> None:
        for start, end, action in self._spots:
            if start <= event.x < end:
                await self.screen.run_action(action)
                return
