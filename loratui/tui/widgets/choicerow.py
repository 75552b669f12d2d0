"""One of a few words in a row: left and right choose, a click chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget


class ChoiceRow(Widget, can_focus=True):
    """The chosen word stands in brackets, so that it can be read without colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Left", show=False, id="choice.left", tooltip="The choice before"),
        Binding("right,l,space", "move(1)", "Right", show=False, id="choice.right", tooltip="The next choice"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"choice-row--chosen", "choice-row--label"}
    DEFAULT_CSS = """
    ChoiceRow {
        height: 1;
        & > .choice-row--chosen { text-style: bold; }
        &:focus > .choice-row--chosen { text-style: bold reverse; }
        & > .choice-row--label { text-style: dim; }
    }
    """

    @dataclass
    class Changed(Message):
        row: ChoiceRow
        value: str

        @property
        def control(self) -> ChoiceRow:
            return self.row

    def __init__(self, options: Sequence[tuple[str, str]], *, label: str = "", id: str | None = None) -> None:
        """`options` are (value, word)."""
        super().__init__(id=id)
        self._options, self._label = tuple(options), label
        self._at = 0
        self._spots: list[tuple[int, int]] = []

    @property
    def value(self) -> str:
        return self._options[self._at][0]

    def choose(self, value: str) -> None:
        """Choose by value, and tell."""
        at = next(place for place, option in enumerate(self._options) if option[0] == value)
        if at != self._at:
            self._at = at
            self.refresh()
            self.post_message(self.Changed(self, value))

    def action_move(self, by: int) -> None:
        self.choose(self._options[(self._at + by) % len(self._options)][0])

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        label, chosen = (
            self.get_component_rich_style(f"choice-row--{part}", partial=True) for part in ("label", "chosen")
        )
        segments = [Segment(f"{self._label} ", label)] if self._label else []
        column = len(self._label) + 1 if self._label else 0
        self._spots = []
        for place, (_, word) in enumerate(self._options):
            shown = f"[{word}]" if place == self._at else f" {word} "
            segments += [Segment(shown, chosen if place == self._at else None), Segment(" ")]
            self._spots.append((column, column + len(shown)))
            column += len(shown) + 1
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(base)

    def on_click(self, event: events.Click) -> None:
        for place, (start, end) in enumerate(self._spots):
            if start <= event.x < end:
                self.choose(self._options[place][0])
