"""Where a caption is written: one line, shown wrapped. It tells of every change and writes nothing itself.

Text that holds characters which could do something to a terminal is shown made plain, and is not edited here: what
would be saved is not what is seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from loratui.lab.dataset.captionfiles import is_control
from loratui.lab.plain import plain

LONGEST = 20_000  # characters; longer captions are shown cut, and edited in an editor made for it


class CaptionEdit(TextArea):
    """Shows the caption of one image; `text_now` is what it is now."""

    help_text = (
        "The caption of the image under the cursor: tags parted by commas. It is saved as you type. Enter is done, "
        "ctrl+down and ctrl+up go to the next and the previous image while you stay here, ctrl+z undoes typing. "
        "Escape leads back to the list, where z undoes across files."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "done", "Done", id="caption.done", priority=True, tooltip="Save, and go back to the list"),
        Binding("ctrl+down", "neighbour(1)", "Next image", id="caption.next", priority=True,
                tooltip="Save, and edit the next image's caption"),
        Binding("ctrl+up", "neighbour(-1)", "Previous", id="caption.previous", priority=True, show=False,
                tooltip="Save, and edit the previous image's caption"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CaptionEdit {
        border: none; padding: 0; background: $background; height: 1fr; scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .text-area--cursor-line { background: $background; }
    }
    """

    @dataclass
    class Typed(Message):
        """The person changed the caption."""

        edit: CaptionEdit
        name: str
        text: str

        @property
        def control(self) -> CaptionEdit:
            return self.edit

    @dataclass
    class Done(Message):
        """Enter; or with `by`, on to a neighbour."""

        edit: CaptionEdit
        by: int = 0

        @property
        def control(self) -> CaptionEdit:
            return self.edit

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", soft_wrap=True, show_line_numbers=False, tab_behavior="focus", id=id)
        self.cursor_blink = False
        self.highlight_cursor_line = False
        self.image: str | None = None
        self.locked = False  # looked at only
        self._known = ""
        self._fresh = False  # nobody has been in this caption yet

    def present(self, image: str | None, caption: str, *, locked: bool = False) -> None:
        """Show the caption of an image. Where the very same text stands already, the cursor stays."""
        shown = plain(caption, LONGEST)
        same_image = image == self.image
        self.image = image
        self.locked = locked or image is None or shown != caption
        self.read_only = self.locked
        self._known = shown
        at = min(self.cursor_location, (0, len(shown))) if same_image else (0, 0)
        if shown != self.text:
            self.load_text(shown)
        elif not same_image:
            self.history.clear()
        if not same_image and self.has_focus:
            at = (0, len(shown))
        self._fresh = not same_image and not self.has_focus
        self.move_cursor(at)

    def on_focus(self) -> None:
        """Typing goes on where the caption ends; until then its beginning is shown."""
        if self._fresh:
            self._fresh = False
            self.move_cursor(self.document.end)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self.image is None or self.locked or self.text == self._known:
            return
        self._known = self.text
        self.post_message(self.Typed(self, self.image, self.text))

    def action_done(self) -> None:
        self.post_message(self.Done(self))

    def action_neighbour(self, by: int) -> None:
        self.post_message(self.Done(self, by))

    def on_paste(self, event: events.Paste) -> None:
        """One line stays one line: line ends become spaces, and what cannot be seen is left out."""
        event.prevent_default()
        event.stop()
        self._insert(event.text)

    def action_paste(self) -> None:
        self._insert(self.app.clipboard)

    def _insert(self, text: str) -> None:
        if not self.read_only:
            self.replace(one_line(text), *self.selection, maintain_selection_offset=False)


def one_line(text: str) -> str:
    """Text that may be typed into a caption."""
    joined = re.sub(r"\s*(?:\r\n|[\r\n\u2028\u2029\x0b\x0c\x85])+\s*", " ", text).replace("\t", " ")
    return "".join(c for c in joined.encode("utf-8", "replace").decode() if not is_control(c) and plain(c) == c)


def why_locked(caption: str) -> str:
    """Why a caption is not edited here; empty when it is."""
    if len(caption) > LONGEST:
        return f"{len(caption):,} characters long: e opens it in your editor"
    if plain(caption) == caption:
        return ""
    if cleaned(caption) != caption:
        return "holds characters that cannot be seen: c takes them out, e opens it in your editor"
    return "holds joining marks that a terminal cannot show: e opens it in your editor"


def cleaned(caption: str) -> str:
    """The caption without control characters; a tab becomes a space."""
    return "".join(c for c in caption.replace("\t", " ") if not is_control(c))
