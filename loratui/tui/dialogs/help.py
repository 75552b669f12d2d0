"""F1: what the focused widget and its screen are for, and every key that works, from the bindings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from loratui.tui.dialogs.base import Dialog

if TYPE_CHECKING:
    from textual.app import App


class HelpDialog(Dialog[None]):
    """Help for where one is."""

    TITLE_TEXT = "Help"
    WIDTH = 84
    DEFAULT_CSS = "HelpDialog VerticalScroll { height: auto; max-height: 34; }"

    def __init__(self, screen: Screen[None]) -> None:
        super().__init__()
        self._of = screen

    def content(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(help_text(self.app, self._of), markup=False)


def help_text(app: App[object], screen: Screen[None]) -> Content:
    """The words and keys, the focused widget's first."""
    parts: list[Content | str | tuple[str, str]] = []
    focused = screen.focused
    node: DOMNode | None = focused
    while node is not None and node is not screen:
        words = getattr(node, "help_text", "")
        if isinstance(words, str) and words.strip():
            parts += [words.strip(), "\n\n"]
            break
        node = node.parent
    words = getattr(screen, "HELP", "")
    if words.strip():
        parts += [words.strip(), "\n"]
    for title, rows in _keys(app, screen):
        parts += ["\n", (title, "bold"), "\n"]
        width = max(len(key) for key, _, _ in rows)
        for key, label, tooltip in rows:
            parts += [(f"  {key:>{width}}", "bold"), f"  {tooltip or label}\n"]
    return Content.assemble(*parts)


def _keys(app: App[object], screen: Screen[None]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    groups: dict[str, dict[str, tuple[str, str, str]]] = {"This panel": {}, "This screen": {}, "Everywhere": {}}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not active.enabled or not (binding.description or binding.tooltip):
            continue
        if active.node is app or (binding.id or "").startswith("bench."):
            group = "Everywhere"
        else:
            group = "This screen" if active.node is screen else "This panel"
        key = app.get_key_display(binding)
        if binding.action in groups[group]:
            before = groups[group][binding.action]
            if key not in before[0].split(" "):
                groups[group][binding.action] = (f"{before[0]} {key}", *before[1:])
        else:
            groups[group][binding.action] = (key, binding.description, binding.tooltip)
    return [(title, list(rows.values())) for title, rows in groups.items() if rows]
