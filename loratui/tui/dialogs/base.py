"""What dialogs share: a box in the middle, a title, and escape."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from loratui.tui.text import panel_title

T = TypeVar("T")


class Dialog(ModalScreen[T], Generic[T]):
    """Subclasses yield their widgets from `content()`; `nothing` is what escape answers."""

    TITLE_TEXT: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    WIDTH: ClassVar[int] = 70
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel", tooltip="Leave without doing anything")
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 50%; }
    Dialog > #box {
        width: 70; max-width: 94%; height: auto; max-height: 94%; padding: 0 1;
        border: round $primary; background: $surface; border-title-color: $text; border-title-style: bold;
        border-subtitle-color: $text-muted;
    }
    Dialog Input { height: 3; border: round $foreground 30%; background: $surface; padding: 0 1; }
    Dialog Input:focus { border: round $primary; }
    Dialog .hint { color: $text-muted; }
    Dialog .fault { color: $text-error; }
    Dialog .buttons { height: 3; align-horizontal: right; margin: 0; }
    Dialog Button { margin-left: 1; min-width: 12; }
    """

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self._title_text = title or self.TITLE_TEXT

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = panel_title(None, self._title_text, 80)
            box.border_subtitle = "esc leaves"
            box.styles.width = self.WIDTH
            yield from self.content()

    def content(self) -> ComposeResult:
        yield from ()

    def nothing(self) -> T | None:
        return None

    def action_cancel(self) -> None:
        self.dismiss(self.nothing())
