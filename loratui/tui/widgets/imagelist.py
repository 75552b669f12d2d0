"""The images of a dataset as rows: mark, name, caption, tokens, and what the check says of each.

What stands in a row is asked of its source when the row is drawn, so that a change of one image repaints one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message

from loratui.lab.plain import plain
from loratui.tui.widgets.linelist import Cells, LineList, fitted

MARK_SIGN = "●"
_TOKENS, _PROBLEMS = 6, 7  # cells
_CAPTION_CHARACTERS = 400


@dataclass(frozen=True)
class ImageRow:
    """What is shown of an image. `tokens` is None while they are not known."""

    name: str
    caption: str
    has_caption: bool
    marked: bool
    tokens: int | None
    too_long: bool
    errors: int
    warnings: int


class ImageList(LineList):
    """`source(name)` gives the row of an image."""

    help_text = (
        "The images of this dataset, with their captions. Space marks an image, a marks all that are shown; what b "
        "(bulk) changes are the marked ones, or without marks all that are shown. Enter goes to the caption. Paste "
        "paths of pictures here to copy them into the dataset."
    )
    edits = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Edit", id="images.edit", tooltip="Edit the caption of this image"),
        Binding("space", "mark", "Mark", id="images.mark", tooltip="Mark or unmark this image, and go to the next"),
        Binding("shift+down,J", "mark_on(1)", "Mark down", show=False, id="images.mark_down",
                tooltip="Mark this image and go down"),
        Binding("shift+up,K", "mark_on(-1)", "Mark up", show=False, id="images.mark_up",
                tooltip="Mark this image and go up"),
    ]  # fmt: skip

    @dataclass
    class MarkWanted(Message):
        """The person wants an image marked: turned round, or (`on`) marked in any case."""

        list: ImageList
        name: str
        on: bool = False

        @property
        def control(self) -> ImageList:
            return self.list

    def __init__(self, source: Callable[[str], ImageRow], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(header=True, id=id, classes=classes)
        self._source = source
        self._places: dict[str, int] = {}
        self._name_width = 12
        self.names: Sequence[str] = ()
        self._last: str | None = None  # where the cursor was before a filter let nothing through
        self.wanted: str | None = None  # an image to go to when it is next among the names

    @property
    def current(self) -> str | None:
        """The image under the cursor."""
        return self.names[self.cursor] if 0 <= self.cursor < len(self.names) else None

    def set_names(self, names: Sequence[str], current: str | None) -> None:
        """Show these images; the cursor stays on `current`, or where it was in the list when that is gone."""
        current = self._last = current or self._last
        self.names = names
        self._places = {name: row for row, name in enumerate(names)}
        # The names that are looked at first decide how wide the column is; a few long ones do not.
        lengths = sorted(len(name) for name in names[:200])
        self._name_width = max(12, lengths[len(lengths) * 9 // 10]) if lengths else 12
        if self.wanted in self._places:
            current, self.wanted = self.wanted, None
        self.set_rows(len(names), self._places.get(current or "", max(self.cursor, 0)))

    def go_to(self, name: str) -> None:
        if name in self._places:
            self.move_to(self._places[name])

    def refresh_image(self, name: str) -> None:
        """Paint the row of an image again."""
        if name in self._places:
            self.refresh_row(self._places[name])

    def _widths(self, width: int) -> tuple[int, int, int, int]:
        """The cells for name, caption, tokens and problems; narrow lists go without the last ones."""
        room = width - 2
        tokens = _TOKENS if room >= 40 else 0
        problems = _PROBLEMS if room >= 52 else 3 if room >= 30 else 0
        room -= tokens + problems
        name = min(self._name_width, max(10, room * 2 // 5)) + 1
        return name, max(0, room - name), tokens, problems

    def draw_header(self, width: int) -> Cells:
        name, caption, tokens, problems = self._widths(width)
        return [
            Segment("  "),
            fitted("image", name),
            fitted("caption", caption),
            fitted("tokens", tokens, right=True),
            fitted("check" if problems > 3 else "", problems, right=True),
        ]

    def draw(self, row: int, width: int) -> Cells:
        name, caption, tokens, problems = self._widths(width)
        shown = self._source(self.names[row])
        words = plain(shown.caption, _CAPTION_CHARACTERS) or ("empty" if shown.has_caption else "no caption")
        count = "" if shown.tokens is None else f"{shown.tokens}{'!' if shown.too_long else ''}"
        return [
            Segment(f"{MARK_SIGN} ", self.look("mark")) if shown.marked else Segment("  "),
            fitted(_shortened(plain(shown.name), name - 1), name),
            fitted(words, max(0, caption - 1), None if shown.caption else self.look("dim")),
            Segment(" " if caption else ""),
            fitted(count, tokens, self.look("warning") if shown.too_long else self.look("dim"), right=True),
            *self._signs(shown, problems),
        ]

    def _signs(self, row: ImageRow, width: int) -> Cells:
        """`✗1 !2`: errors before warnings; in a narrow list only the graver of the two."""
        parts = [(f"✗{row.errors}", "error")] if row.errors else []
        parts += [(f"!{row.warnings}", "warning")] if row.warnings and (width > 3 or not parts) else []
        used = sum(len(text) for text, _ in parts) + len(parts)
        signs = [Segment(f" {text}", self.look(style)) for text, style in parts]
        return [Segment(" " * max(0, width - used)), *signs] if width else []

    def clicked(self, row: int, column: int) -> bool:
        if column < 2:
            self.post_message(self.MarkWanted(self, self.names[row]))
        return column < 2

    def action_mark(self) -> None:
        if self.current is not None:
            self.post_message(self.MarkWanted(self, self.current))
            self.move_to(self.cursor + 1)

    def action_mark_on(self, by: int) -> None:
        if self.current is not None:
            self.post_message(self.MarkWanted(self, self.current, on=True))
            self.move_to(self.cursor + by)


def _shortened(name: str, width: int) -> str:
    """The name, its middle left out when it is long: the end tells images apart."""
    if len(name) <= width or width < 5:
        return name
    return f"{name[: (width - 1) // 2]}…{name[len(name) - width // 2 :]}"
