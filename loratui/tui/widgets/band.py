"""A window on lines that its owner paints: columns `start` to `end` of them.

Textual sends a line from the left edge of the widget that changed. Where pictures stand side by side, a band for each
keeps what did not change off the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Band(Widget):
    """`line(y)` is the whole line, of which this shows its part."""

    DEFAULT_CSS: ClassVar[str] = """
    Band { width: 1fr; height: 1fr; }
    """

    def __init__(self, line: Callable[[int], Strip], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._line = line
        self.start, self.end = 0, 0

    def span(self, start: int, end: int) -> None:
        """Show these columns of the line; a layout follows, which paints it."""
        if (start, end) != (self.start, self.end):
            self.start, self.end = start, end
            self.styles.width = end - start

    def changed(self, *regions: Region) -> None:
        """Repaint what of these regions, in the owner's columns, is shown here; without any, all."""
        if not regions:
            self.refresh()
            return
        shown = [region.translate((-self.start, 0)).intersection(self.size.region) for region in regions]
        if shown := [region for region in shown if region.area]:
            self.refresh(*shown)

    def render_line(self, y: int) -> Strip:
        line = self._line(y)
        return line.crop(self.start, self.end) if self.end else line
