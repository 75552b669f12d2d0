"""Where the pictures of a grid stand: pages of thumbnails under headings, as large as the box allows.

Pure arithmetic in cells. A block is one row of the experiment (a prompt and a seed): the base model's picture and those
with the LoRA beside each other. Blocks flow from left to right and from one page to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

LEAST, GOOD, MOST = 3, 7, 20  # rows of a thumbnail: the smallest, the smallest worth looking at, the largest
SEVERAL = 4  # pictures that are wanted on a page before they become larger: two seeds, with the LoRA and without
LARGE = 12  # rows from which more pictures are better than larger ones
# Cells of pictures on a page of a usual terminal: at 42 bytes a cell, and what is around them, a page flip stays below
# 60 kB.
PAGE_CELLS = 1200


@dataclass(frozen=True)
class Slot:
    """One thumbnail: its block and column in the experiment, and its left upper cell below its label."""

    group: int
    block: int
    column: int
    x: int
    y: int
    line: int  # number of the row of thumbnails it stands in, from the first page on


@dataclass(frozen=True)
class Heading:
    group: int
    y: int
    continued: bool  # from the page before


@dataclass(frozen=True)
class Page:
    headings: tuple[Heading, ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Layout:
    """Thumbnails of `columns` x `rows` cells on pages."""

    columns: int
    rows: int
    pages: tuple[Page, ...]

    @property
    def slots(self) -> list[Slot]:
        return [slot for page in self.pages for slot in page.slots]

    def page_of(self, group: int, block: int, column: int) -> int:
        """The page with a picture on it; the first where there is none."""
        wanted = (group, block, column)
        for number, page in enumerate(self.pages):
            if any((slot.group, slot.block, slot.column) == wanted for slot in page.slots):
                return number
        return 0

    def beside(self, slot: Slot, across: int, down: int) -> Slot:
        """The slot to the left or right in the order of reading, or nearest above or below; itself at an end."""
        slots = self.slots
        if across:
            at = slots.index(slot) + across
            return slots[at] if 0 <= at < len(slots) else slot
        line = [other for other in slots if other.line == slot.line + down]
        return min(line, key=lambda other: abs(other.x - slot.x)) if line else slot


def arrange(
    width: int, height: int, groups: Sequence[int], columns: int, *, extra: int = 0, most: int = PAGE_CELLS
) -> Layout:
    """The best layout for a box of cells: `groups` are numbers of blocks, each block has `columns` pictures.

    All on one page where they are then still large enough to see something; else as much picture on a page as fits.
    `extra` rows are left free below each picture; `most` cells of pictures are on a page.
    """
    tallest = max(LEAST, min(MOST, height - 2 - extra, (width - 2) // 2))
    while tallest > LEAST and min(columns, 2) * 2 * tallest**2 > most:
        tallest -= 1
    tried = [_flow(width, height, rows, groups, columns, extra, most) for rows in range(tallest, LEAST - 1, -1)]
    for layout in tried:
        if len(layout.pages) == 1 and layout.rows >= GOOD:
            return layout
    pairs = [layout for layout in tried if min(columns, 2) * (layout.columns + 1) < width] or tried[-1:]
    enough = [layout for layout in pairs if GOOD <= layout.rows <= LARGE] or pairs[:1]
    several = [layout for layout in enough if len(layout.pages[0].slots) >= min(SEVERAL, len(layout.slots))]
    enough = several or enough
    # Cells of picture on the mean page: large pictures on full pages.
    return max(enough, key=lambda layout: len(layout.slots) * layout.rows * layout.columns / len(layout.pages))


def _flow(width: int, height: int, rows: int, groups: Sequence[int], columns: int, extra: int, most: int) -> Layout:
    thumb = 2 * rows
    wide = columns * (thumb + 1) + 1  # a free column on each side of a thumbnail, where its frame is drawn
    across = max(1, (width + 1) // (wide + 1))  # blocks are one column further apart
    in_line = min(columns, max(1, (width - 1) // (thumb + 1)))
    in_line = ceil(columns / ceil(columns / in_line))  # a block too wide for the box goes on below itself, evenly
    across = max(1, min(across, most // (in_line * rows * thumb)))
    tall = 1 + rows + extra
    pages: list[Page] = []
    headings: list[Heading] = []
    slots: list[Slot] = []
    y = line = 0

    def turn() -> None:
        nonlocal y
        pages.append(Page(tuple(headings), tuple(slots)))
        headings.clear()
        slots.clear()
        y = 0

    for group, blocks in enumerate(groups):
        for first in range(0, blocks, across):
            members = range(first, min(first + across, blocks))
            for start in range(0, columns, in_line):
                shown = range(start, min(start + in_line, columns))
                fresh = first == 0 and start == 0
                full = (len(slots) + len(members) * len(shown)) * rows * thumb > most
                if slots and (y + tall + fresh > height or full):
                    turn()
                if fresh or not y:
                    headings.append(Heading(group, y, not fresh))
                    y += 1
                for place, block in enumerate(members):
                    for at, column in enumerate(shown):
                        x = place * (wide + 1) + at * (thumb + 1) + 1
                        slots.append(Slot(group, block, column, x, y + 1, line))
                y += tall
                line += 1
    turn()
    return Layout(thumb, rows, tuple(page for page in pages if page.slots) or (Page((), ()),))
