"""A table of things to pick from: it keeps its place when rows come and go, and repaints only cells that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events

from loratui.tui.widgets.table import VimTable


@dataclass(frozen=True)
class Column:
    """`width` in cells; with a `most` it grows with the widest cell up to that. Columns with a `share` divide the room
    that is left. Those with a `from_width` are shown only in tables at least so wide."""

    key: str
    title: str
    width: int = 0
    most: int = 0
    share: int = 0
    from_width: int = 0


Row = tuple[str, tuple[Text, ...]]  # a key, and a cell for each column of all


def widths(columns: Sequence[Column], room: int, widest: Mapping[str, int], padding: int = 1) -> dict[str, int]:
    """The widths of the columns that are shown in so many cells, in order; `widest` are the cells there are.

    Where there is too little room, columns that grew shrink again; then those go that are shown only in wide tables.
    """
    shown = [column for column in columns if room >= column.from_width]
    own = {c.key: max(c.width, min(c.most, widest.get(c.key, 0))) for c in shown}
    left = room - sum(own.values()) - 2 * padding * len(shown)
    for column in shown:
        if left < 0:
            given = min(-left, own[column.key] - column.width)
            own[column.key], left = own[column.key] - given, left + given
    if left < 0 and any(column.from_width for column in shown):
        last = max(shown, key=lambda column: column.from_width)
        return widths([column for column in columns if column is not last], room, widest, padding)
    shares = sum(column.share for column in shown) or 1
    return {column.key: max(1, own[column.key] + max(0, left) * column.share // shares) for column in shown}


class PickTable(VimTable):
    """Give it rows with `show_rows`. A click goes to a row; two clicks, or enter, open it (`RowSelected`)."""

    DEFAULT_CSS = """
    PickTable { height: 1fr; overflow-x: hidden; }
    """

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._all = tuple(columns)
        self._widths: dict[str, int] = {}
        self._rows: dict[str, tuple[Text, ...]] = {}
        self._keys: list[str] = []
        self._pick: str | None = None  # of rows that came before there was room for them

    @property
    def picked(self) -> str | None:
        """The key of the row under the cursor."""
        if self._pick is not None:
            return self._pick
        return self._keys[self.cursor_row] if 0 <= self.cursor_row < len(self._keys) else None

    def show_rows(self, rows: Sequence[Row], pick: str | None = None) -> None:
        """Show these rows, with the cursor on `pick`, else where it was, else on the row that took its place."""
        new = dict(rows)
        if list(new) == self._keys:
            for key, cells in new.items():
                self.change_row(key, cells)
            room = self._room
            if room > 0 and self._wanted(room) != self._widths:
                self._put(self.cursor_row, self.scroll_y)
            if pick in new and pick != self.picked:
                self.move_cursor(row=self._keys.index(pick))
            return
        wish = pick if pick in new else self.picked if self.picked in new else None
        at, top = self.cursor_row, self.scroll_y
        self._rows, self._keys = new, list(new)
        self._put(self._keys.index(wish) if wish is not None else min(at, len(new) - 1), top)

    def change_row(self, key: str, cells: tuple[Text, ...]) -> None:
        """Replace the cells of one row; nothing happens when they are the same, or the row is gone."""
        before = self._rows.get(key)
        if before is None or (len(before) == len(cells) and all(map(_same, before, cells))):
            return
        self._rows[key] = cells
        if self.row_count != len(self._keys):  # not laid out yet
            return
        for column, old, new in zip(self._all, before, cells, strict=True):
            if column.key in self._widths and not _same(old, new):
                self.update_cell(key, column.key, new)

    @property
    def _room(self) -> int:
        """Cells for the columns. One is left to the scroll bar, there or not, so that nothing moves with it."""
        return self.outer_size.width - self.gutter.width - 1

    def _wanted(self, room: int) -> dict[str, int]:
        widest: dict[str, int] = {}
        for number, column in enumerate(self._all):
            if column.most:
                widest[column.key] = max((cells[number].cell_len for cells in self._rows.values()), default=0)
        return widths(self._all, room, widest)

    def _put(self, row: int, top: float) -> None:
        """Fill the table, as wide as it is, and go to a row."""
        room = self._room
        if room < 1:
            self._pick = self._keys[row] if 0 <= row < len(self._keys) else None
            return
        self._pick = None
        wanted = self._wanted(room)
        self.clear(columns=wanted != self._widths)
        if wanted != self._widths:
            self._widths = wanted
            for column in self._all:
                if column.key in wanted:
                    self.add_column(Text(column.title), width=wanted[column.key], key=column.key)
        for key, cells in self._rows.items():
            self.add_row(*(c for c, column in zip(cells, self._all, strict=True) if column.key in wanted), key=key)
        if row > 0:
            self.move_cursor(row=row, scroll=False)
            self.scroll_to(y=top, animate=False, immediate=True)
            self.call_after_refresh(self._scroll_cursor_into_view)

    def on_resize(self, event: events.Resize) -> None:
        if self._keys and self._wanted(self._room) != self._widths:
            self._put(self._keys.index(self.picked) if self.picked in self._keys else 0, self.scroll_y)

    async def _on_click(self, event: events.Click) -> None:
        row = event.style.meta.get("row")
        if isinstance(row, int) and row >= 0:
            # Textual opens a row when the very cell under the cursor is clicked, so the cursor goes to that cell.
            self.move_cursor(row=row, column=event.style.meta.get("column", 0), scroll=False)
            if event.chain != 2:
                event.prevent_default()


def _same(one: Text, other: Text) -> bool:
    """Whether two cells look the same. Rich's own == does not ask for the style of the whole."""
    return one == other and one.style == other.style and one.justify == other.justify


def fitted(text: Text) -> Text:
    """A cell that ends in … where its column is too narrow."""
    text.overflow = "ellipsis"
    text.no_wrap = True
    return text
