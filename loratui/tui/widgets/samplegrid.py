"""The grid of samples on the screen: one page of pictures in bands, and the frame around one of them.

It shows what it is given and repaints what changed; which page that is, the panel decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region
from textual.strip import Strip

from loratui.tui.gridlayout import Layout, Slot
from loratui.tui.gridpaint import Styles, View, changes, frame, paint
from loratui.tui.pixels import Drawn
from loratui.tui.widgets.band import Band
from loratui.tui.widgets.thumb import centred


class SampleGrid(Horizontal):
    """`show(view, …)` a page, or `say(words)` why there is none."""

    COMPONENT_CLASSES: ClassVar = {f"grid--{part}" for part in ("muted", "heading", "chosen", "accent")}
    DEFAULT_CSS: ClassVar[str] = """
    SampleGrid { height: 1fr; }
    SampleGrid > .grid--muted { color: $foreground 60%; }
    SampleGrid > .grid--heading { text-style: bold; }
    SampleGrid > .grid--chosen { text-style: bold reverse; }
    SampleGrid > .grid--accent { color: $primary; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view: View | None = None
        self.slot: Slot | None = None  # the chosen one
        self.flipped = ""  # its label while its twin is shown in its place
        self._words: Sequence[str] = ()
        self._lines: dict[int, Strip] = {}  # as far as they are painted

    def compose(self) -> ComposeResult:
        yield Band(self._line)

    def on_resize(self) -> None:
        self._lines.clear()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines.clear()

    def say(self, words: Sequence[str]) -> None:
        """Words in place of pictures."""
        if self.view is not None or words != self._words:
            self.view, self.slot, self._words = None, None, words
            self._set_bands([self.size.width])
            self._changed()

    def show(self, view: View, layout: Layout, slot: Slot | None) -> None:
        """A page of a layout. Where it is the page that is shown already, only what differs is painted."""
        before, old = self.view, self.slot
        moved = slot != old or self.flipped
        self.view, self.slot, self.flipped = view, slot, ""
        ends = {one.x + view.columns for one in layout.slots}
        if self._set_bands([*sorted(ends)[:-1], self.size.width]):
            self._lines.clear()  # the layout that follows paints all of it
        elif before is None or before.page != view.page or before.headings != view.headings:
            self._changed()
        else:
            frames = [region for one in (old, slot) if one is not None and moved for region in frame(view, one)]
            self._changed(*changes(before, view), *frames)

    def stand_on(self, slot: Slot) -> None:
        """Move the frame."""
        if self.view is not None:
            before, self.slot = self.slot, slot
            self._changed(*(region for one in (before, slot) if one is not None for region in frame(self.view, one)))

    def flip(self, drawn: Drawn, label: str) -> None:
        """Another picture in the chosen one's place, until the next page or frame."""
        view, slot = self.view, self.slot
        if view is not None and slot is not None:
            self.view, self.flipped = replace(view, drawn={**view.drawn, slot: drawn}), label
            self._changed(Region(slot.x, slot.y - 1, view.columns, view.rows + 1))

    def slot_at(self, x: int, y: int) -> Slot | None:
        """The picture at a place in the grid, its label included."""
        view = self.view
        for slot in view.page.slots if view is not None else ():
            if view and 0 <= x - slot.x < view.columns and -1 <= y - slot.y < view.rows + view.extra:
                return slot
        return None

    # -- painting ---------------------------------------------------------------------------------------------

    def _set_bands(self, ends: Iterable[int]) -> bool:
        """A band ends with each column of pictures; frames are at the left ends of bands, where they cost least.

        True when bands are not where they were, so that a layout follows.
        """
        spans = list(itertools.pairwise([0, *ends]))
        bands = list(self.query_children(Band))
        if [(band.start, band.end) for band in bands if band.display] == spans:
            return False
        if len(bands) < len(spans):
            more = [Band(self._line) for _ in range(len(spans) - len(bands))]
            self.mount(*more)
            bands += more
        for number, band in enumerate(bands):
            band.display = number < len(spans)
            if band.display:
                band.span(*spans[number])
        return True

    def _changed(self, *regions: Region) -> None:
        """Paint again what changed, all of it without regions."""
        if regions:
            for y in {y for region in regions for y in region.line_range}:
                self._lines.pop(y, None)
        else:
            self._lines.clear()
        for band in self.query_children(Band):
            band.changed(*regions)

    def _line(self, y: int) -> Strip:
        line = self._lines.get(y)
        if line is None:
            line = self._lines[y] = self._paint(y)
        return line

    def _paint(self, y: int) -> Strip:
        width, height = self.size
        styles = self.line_styles
        if self.view is not None:
            return paint(self.view, y, width, self.slot, self.flipped or None, styles)
        at = y - max(0, (height - len(self._words)) // 2)
        if 0 <= at < len(self._words):
            return centred(self._words[at], width, styles.muted)
        return Strip.blank(width, styles.plain)

    @property
    def line_styles(self) -> Styles:
        """The styles of the lines of text, also of those around the grid."""
        styles: list[Style] = [
            self.get_component_rich_style(f"grid--{part}") for part in ("muted", "heading", "chosen", "accent")
        ]
        return Styles(self.rich_style, *styles)
