"""A page of the samples grid as strips: headings, labels, pictures, and a frame around the chosen one.

Takes everything it paints as values and keeps nothing; which page is shown, and when, is the panel's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from loratui.tui.gridlayout import Heading, Page, Slot
from loratui.tui.pixels import Drawn


class Styles(NamedTuple):
    """The styles of everything that is not a picture."""

    plain: Style
    muted: Style
    heading: Style
    chosen: Style
    accent: Style


@dataclass(frozen=True)
class View:
    """A page ready to be painted. Labels, words and notes are plain text; `below` stands under the pictures."""

    page: Page
    columns: int  # of a thumbnail
    rows: int
    headings: Mapping[int, tuple[str, str]]  # by group: the prompt, and what is expected
    labels: Mapping[Slot, str]
    drawn: Mapping[Slot, Drawn | None]  # None is not decoded yet, absent was not drawn
    below: Mapping[Slot, str] = field(default_factory=dict)
    extra: int = 0


def paint(view: View, y: int, width: int, chosen: Slot | None, flipped: str | None, styles: Styles) -> Strip:
    """Row `y` of the grid. `flipped` is the label of the chosen picture while its twin is shown in its place."""
    for heading in view.page.headings:
        if heading.y == y:
            return _heading(view, heading, width, styles)
    parts: list[tuple[int, Strip]] = []
    for slot in view.page.slots:
        row = y - slot.y
        if -1 <= row < view.rows + view.extra:
            parts += _slot(view, slot, row, slot == chosen, flipped, styles)
    segments: list[Segment] = []
    at = 0
    for x, strip in sorted(parts, key=lambda part: part[0]):
        if x > at:
            segments.append(Segment(" " * (x - at), styles.plain))
        segments += strip
        at = x + strip.cell_length
    return Strip(segments, at).adjust_cell_length(width, styles.plain)


def frame(view: View, slot: Slot) -> list[Region]:
    """What of a slot looks different when it is chosen: its label and its frame, not the picture."""
    return [
        Region(slot.x, slot.y - 1, view.columns, 1),
        Region(slot.x - 1, slot.y, 1, view.rows),
        Region(slot.x + view.columns, slot.y, 1, view.rows),
    ]


def changes(before: View, now: View) -> list[Region]:
    """What differs between two views of the same page: from step to step, base pictures stay."""
    found = []
    for slot in now.page.slots:
        drawn = slot in before.drawn, before.drawn.get(slot), before.below.get(slot)
        if drawn != (slot in now.drawn, now.drawn.get(slot), now.below.get(slot)):
            found.append(Region(slot.x, slot.y, now.columns, now.rows + now.extra))
        if before.labels[slot] != now.labels[slot]:
            found.append(Region(slot.x, slot.y - 1, now.columns, 1))
    return found


def _heading(view: View, heading: Heading, width: int, styles: Styles) -> Strip:
    prompt, expected = view.headings[heading.group]
    notes = "  continued" if heading.continued else ""
    if expected:
        notes += f"  expected: {expected}"
    prompt = cut(prompt, max(8, width - min(cell_len(notes), width // 2)))
    notes = cut(notes, max(0, width - cell_len(prompt)))
    strip = Strip([Segment(prompt, styles.heading), Segment(notes, styles.muted)])
    return strip.adjust_cell_length(width, styles.plain)


def _slot(
    view: View, slot: Slot, row: int, chosen: bool, flipped: str | None, styles: Styles
) -> list[tuple[int, Strip]]:
    if row == -1:
        label = view.labels.get(slot, "")
        text = cut(flipped if chosen and flipped else label, view.columns)
        return [(slot.x, _fixed(text, view.columns, styles.chosen if chosen else styles.muted))]
    if row >= view.rows:
        return [(slot.x, _fixed(view.below.get(slot, ""), view.columns, styles.plain))]
    found = [(slot.x, _picture(view, slot, row, styles))]
    if chosen:
        found.append((slot.x - 1, Strip([Segment("▐", styles.accent)], 1)))
        found.append((slot.x + view.columns, Strip([Segment("▌", styles.accent)], 1)))
    return found


def _picture(view: View, slot: Slot, row: int, styles: Styles) -> Strip:
    drawn = view.drawn.get(slot)
    if drawn is not None and len(drawn.strips) == view.rows:
        return drawn.strips[row]
    words = "loading…" if drawn is None else "✗ broken"
    words = words if slot in view.drawn else "not drawn"
    text = words if row == view.rows // 2 else ""
    left = max(0, view.columns - cell_len(text)) // 2
    return _fixed(" " * left + text, view.columns, styles.muted)


def _fixed(text: str, columns: int, style: Style) -> Strip:
    return Strip([Segment(set_cell_size(text, columns), style)], columns)


def cut(text: str, columns: int) -> str:
    """At most so many cells of plain text, with … where something was cut."""
    if cell_len(text) <= columns:
        return text
    return set_cell_size(text, max(0, columns - 1)).rstrip() + "…" if columns > 0 else ""
