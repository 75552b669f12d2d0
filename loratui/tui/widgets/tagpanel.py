"""The tags of a dataset by how many images have them, and beside them the tags that stand together with one of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from loratui.lab.dataset.tagstats import TagCount
from loratui.lab.plain import plain
from loratui.tui.text import safe_title
from loratui.tui.widgets.linelist import Cells, LineList, fitted

CHOSEN_SIGN = "▸"


class TagList(LineList):
    """Counts and tags."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Filter by it", id="tags.filter",
                tooltip="Show only the images that have this tag, or no longer"),
    ]  # fmt: skip
    DEFAULT_CSS = "TagList { width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(header=True, id=id)
        self.tags: Sequence[TagCount] = ()
        self.heading = ""
        self.chosen: Collection[str] = ()

    @property
    def current(self) -> str | None:
        return self.tags[self.cursor].tag if 0 <= self.cursor < len(self.tags) else None

    def set_tags(self, tags: Sequence[TagCount], heading: str, current: str | None = None) -> None:
        """Show these; `heading` stands above them."""
        self.tags, self.heading = tags, heading
        places = (row for row, count in enumerate(tags) if count.tag == current)
        self.set_rows(len(tags), next(places, max(0, self.cursor) if current is None else 0))

    def draw_header(self, width: int) -> Cells:
        return [fitted(self.heading, width)]

    def draw(self, row: int, width: int) -> Cells:
        count = self.tags[row]
        sign = CHOSEN_SIGN if count.tag in self.chosen else " "
        return [
            Segment(sign, self.look("mark")),
            fitted(f"{count.images:,} ", 7, self.look("dim"), right=True),
            fitted(plain(count.tag, 200), max(0, width - 8)),
        ]


class TagPanel(Horizontal):
    """Both lists. `Wanted` asks for a filter by a tag, `Looked` for what stands together with one."""

    help_text = (
        "All tags of the dataset with the number of images that have them. Enter, or a double click, shows only the "
        "images with that tag, and again all. On the right stand the tags that occur together with the one under the "
        "cursor, with the number of images that have both."
    )
    DEFAULT_CSS = """
    TagPanel { height: 1fr; }
    TagPanel > #together { margin-left: 1; }
    """

    @dataclass
    class Wanted(Message):
        tag: str

    @dataclass
    class Looked(Message):
        tag: str

    def compose(self) -> ComposeResult:
        yield TagList(id="tags")
        yield TagList(id="together")

    @property
    def all_tags(self) -> TagList:
        return self.query_one("#tags", TagList)

    def show_tags(self, tags: Sequence[TagCount]) -> None:
        """The frequencies; the cursor stays on its tag."""
        safe_title(self, f"Tags {len(tags):,}" if tags else "Tags", 5)
        if list(tags) != list(self.all_tags.tags):
            self.all_tags.set_tags(tags, "images tag" if tags else "no tags yet", self.all_tags.current)

    def show_together(self, tag: str, tags: Sequence[TagCount]) -> None:
        """What stands together with a tag; late answers about another one are dropped."""
        if tag == self.all_tags.current:
            words = f"with {plain(tag, 60)}" if tags else "alone"
            self.query_one("#together", TagList).set_tags(tags, words)

    def show_chosen(self, tags: Collection[str]) -> None:
        """Sign the tags that the filter asks for."""
        for tag_list in self.query(TagList):
            if set(tags) != set(tag_list.chosen):
                tag_list.chosen = frozenset(tags)
                tag_list.refresh()

    @on(TagList.Highlighted, "#tags")
    def _looked(self, event: TagList.Highlighted) -> None:
        event.stop()
        tag = self.all_tags.current
        if tag is None:
            self.query_one("#together", TagList).set_tags((), "")
        else:
            self.post_message(self.Looked(tag))

    @on(TagList.Highlighted, "#together")
    def _ignored(self, event: TagList.Highlighted) -> None:
        event.stop()

    @on(TagList.Chosen)
    def _wanted(self, event: TagList.Chosen) -> None:
        event.stop()
        tag = event.list.current if isinstance(event.list, TagList) else None
        if tag is not None:
            self.post_message(self.Wanted(tag))
