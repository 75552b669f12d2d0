"""A table with the keys of vim and less; otherwise Textual's own."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import DataTable


class VimTable(DataTable[object]):
    """Rows to stand on. Cells are rich Text made by `text.cell`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="table.down"),
        Binding("k", "cursor_up", "Up", show=False, id="table.up"),
        Binding("home", "scroll_top", "First", show=False, id="table.first"),
        Binding("end,G", "scroll_bottom", "Last", show=False, id="table.last"),
        Binding("ctrl+d", "page_down", "Page down", show=False, id="table.page_down"),
        Binding("ctrl+u", "page_up", "Page up", show=False, id="table.page_up"),
    ]
    DEFAULT_CSS = """
    VimTable { scrollbar-size: 1 1; background: $background; }
    VimTable > .datatable--header { text-style: none; color: $foreground 60%; background: $background; }
    VimTable > .datatable--cursor { background: $primary 15%; color: $foreground; text-style: none; }
    VimTable:focus { background-tint: $foreground 0%; }
    VimTable:focus > .datatable--cursor { background: $primary 45%; color: $foreground; text-style: bold; }
    VimTable:focus > .datatable--header { background-tint: $foreground 0%; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None, header: bool = True) -> None:
        super().__init__(
            cursor_type="row", show_header=header, zebra_stripes=False, cell_padding=1, id=id, classes=classes
        )
