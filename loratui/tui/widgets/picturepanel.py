"""The image under the cursor, large."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from loratui.tui.widgets.imagelist import ImageList
from loratui.tui.widgets.thumb import Thumb


class PicturePanel(Vertical, can_focus=True):
    """The image under the cursor, large."""

    help_text = "The image under the cursor. Up and down go through the list; v opens it full size."
    DEFAULT_CSS = "PicturePanel > Thumb { width: 1fr; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "go(-1)", "Previous", show=False, id="dataset.picture_up"),
        Binding("down,j", "go(1)", "Next", show=False, id="dataset.picture_down"),
    ]

    def compose(self) -> ComposeResult:
        yield Thumb(empty="no image")

    def action_go(self, by: int) -> None:
        self.screen.query_one(ImageList).step(by)
