"""Which seeds show what was expected: a sign for each, without and with the LoRA, and the two pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from loratui.lab.pictures.gallery import Where
from loratui.lab.plain import plain
from loratui.lab.scores.features import feature_of
from loratui.lab.scores.onepicture import HELD_SIGNS, HELD_WORDS
from loratui.lab.scores.scores import Score
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line
from loratui.tui.widgets.linelist import fitted
from loratui.tui.widgets.thumb import Thumb

LABEL = 6  # columns of `seed`, `base` and `LoRA`


@dataclass(frozen=True)
class Chosen:
    """A picture, and whether to write a note on it."""

    where: Where
    note: bool = False


class SeedGrid(ScrollView, can_focus=True):
    """Three lines for as many seeds as there is room for: the seed, the base's sign, the LoRA's."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"seed-grid--held", "seed-grid--not", "seed-grid--dim", "seed-grid--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Seed before", show=False, id="seeds.before", tooltip="The seed before"),
        Binding("right,l", "move(1)", "Next seed", show=False, id="seeds.after", tooltip="The next seed"),
        Binding("up,k", "turn(-1)", "Up", show=False, id="seeds.up", tooltip="The base's picture, or the line above"),
        Binding("down,j", "turn(1)", "Down", show=False, id="seeds.down", tooltip="The LoRA's, or the line below"),
        Binding("home", "move(-100000)", "First", show=False, id="seeds.first", tooltip="The first seed"),
        Binding("end", "move(100000)", "Last", show=False, id="seeds.last", tooltip="The last seed"),
    ]
    DEFAULT_CSS = """
    SeedGrid { height: auto; max-height: 12; background: $surface; overflow-x: hidden; scrollbar-size: 1 1; }
    SeedGrid > .seed-grid--held { color: $text-success; text-style: bold; }
    SeedGrid > .seed-grid--not { color: $text-error; }
    SeedGrid > .seed-grid--dim { color: $foreground 60%; }
    SeedGrid > .seed-grid--cursor { background: $primary 60%; text-style: bold; }
    """

    class Moved(Message):
        """The cursor stands on another picture."""

    def __init__(self, score: Score) -> None:
        super().__init__(id="seeds")
        self.score = score
        self.at, self.lora = 0, True
        self._cell = max((len(str(seed)) for seed in score.seeds), default=1) + 1

    @property
    def across(self) -> int:
        """Seeds in a line."""
        return max(1, (self.size.width - 1 - LABEL) // self._cell)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        across = max(1, (width - 1 - LABEL) // self._cell)
        return self._height(across)

    def _height(self, across: int) -> int:
        blocks = -(-len(self.score.seeds) // across)
        return 4 * blocks - 1

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(event.size.width, self._height(self.across))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        block, which = divmod(y + int(self.scroll_offset.y), 4)
        seeds = range(block * self.across, min(len(self.score.seeds), (block + 1) * self.across))
        if which == 3 or not seeds:
            return Strip.blank(self.size.width, self.rich_style)
        label = ("seed", "base", "LoRA")[which]
        cells = [fitted(label, LABEL, self._look("dim"))]
        for place in seeds:
            if which == 0:
                cells.append(fitted(f"{self.score.seeds[place]} ", self._cell, self._look("dim"), right=True))
                continue
            held = (self.score.base_seen if which == 1 else self.score.lora_seen)[place]
            style = self._look({True: "held", False: "not", None: "dim"}[held])
            if place == self.at and (which == 2) == self.lora:
                style += Style(bgcolor=self.get_component_rich_style("seed-grid--cursor").bgcolor, bold=True)
            cells += [Segment(" " * (self._cell - 2)), Segment(HELD_SIGNS[held], style), Segment(" ")]
        return Strip(cells).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"seed-grid--{name}", partial=True)

    def go(self, at: int, lora: bool) -> None:
        at = max(0, min(at, len(self.score.seeds) - 1))
        if (at, lora) != (self.at, self.lora):
            self.at, self.lora = at, lora
            top = at // self.across * 4
            if not self.scroll_offset.y <= top <= self.scroll_offset.y + self.size.height - 3:
                self.scroll_to(y=top, animate=False, immediate=True)
            self.refresh()
            self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        self.go(self.at + by, self.lora)

    def action_turn(self, by: int) -> None:
        if (by > 0) != self.lora:
            self.go(self.at, by > 0)
        elif 0 <= self.at + by * self.across < len(self.score.seeds):
            self.go(self.at + by * self.across, by < 0)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        block, which = divmod(place.y + int(self.scroll_offset.y), 4)
        at = block * self.across + (place.x - LABEL) // self._cell
        if which < 3 and place.x >= LABEL and at < len(self.score.seeds):
            self.go(at, which != 1)


class SeedsDialog(Dialog[Chosen]):
    """The picture that was chosen, or None. `path` says where a picture of the run is, None where it is gone."""

    HELP = (
        "Each seed is one noise, drawn without and with the LoRA. Left and right go from seed to seed, up and down "
        "between the base's picture and the LoRA's; enter opens it large, n writes a note on it."
    )
    WIDTH = 84
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,v", "open", "Open", id="seeds.open", tooltip="See this picture large, with its measures"),
        Binding("n", "note", "Note", id="seeds.note", tooltip="Write down what is seen in this picture"),
        Binding("f", "differ", "Next that differs", id="seeds.differ",
                tooltip="The next seed in which base and LoRA differ"),
    ]  # fmt: skip
    CHANGES: ClassVar[frozenset[str]] = frozenset({"note"})
    DEFAULT_CSS = """
    SeedsDialog #why { color: $text-muted; height: auto; max-height: 3; }
    SeedsDialog #pair { height: 12; margin-top: 1; }
    SeedsDialog Thumb { width: 1fr; height: 1fr; }
    SeedsDialog.-short #pair { height: 8; margin-top: 0; }
    SeedsDialog #keys { color: $text-muted; height: 1; margin-top: 1; }
    """

    def __init__(
        self, score: Score, wheres: Sequence[tuple[Where, Where]], path: Callable[[Where], Path | None]
    ) -> None:
        super().__init__(f"{feature_of(score)} at step {score.place.step:,}")
        self.score, self._wheres, self._path = score, wheres, path

    def content(self) -> ComposeResult:
        yield Static(line(self.score.verdict.why), id="why", markup=False)
        yield SeedGrid(self.score)
        with Horizontal(id="pair"):
            yield Thumb(empty="not drawn", id="base")
            yield Thumb(empty="not drawn", id="lora")
        yield Static("← → seed · ↑ ↓ base/LoRA · f next that differs · enter opens it · n note", id="keys")

    @property
    def grid(self) -> SeedGrid:
        return self.query_one(SeedGrid)

    def on_mount(self) -> None:
        self.grid.focus()
        self._show()

    @on(SeedGrid.Moved)
    def _show(self) -> None:
        at, seed = self.grid.at, self.score.seeds[self.grid.at]
        seen = (self.score.base_seen[at], self.score.lora_seen[at])
        for where, name, word, held in zip(self._wheres[at], ("base", "lora"), ("base", "LoRA"), seen, strict=True):
            chosen = (name == "lora") == self.grid.lora
            words = f"{word}, seed {seed}: {HELD_WORDS[held]}"
            self.query_one(f"#{name}", Thumb).show(self._path(where), plain(f"▸ {words}" if chosen else words))

    @on(Thumb.Opened)
    def _clicked(self, event: Thumb.Opened) -> None:
        event.stop()
        self.grid.go(self.grid.at, event.thumb.id == "lora")
        self.action_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (action in self.CHANGES and getattr(self.app, "readonly", False))

    def _chosen(self) -> Where:
        return self._wheres[self.grid.at][self.grid.lora]

    def action_open(self) -> None:
        if self._path(self._chosen()) is not None:
            self.dismiss(Chosen(self._chosen()))

    def action_note(self) -> None:
        if self._path(self._chosen()) is not None:
            self.dismiss(Chosen(self._chosen(), note=True))

    def action_differ(self) -> None:
        """From here on, and from the beginning again."""
        count, score = len(self.score.seeds), self.score
        for place in [*range(self.grid.at + 1, count), *range(self.grid.at + 1)]:
            if score.base_seen[place] is not score.lora_seen[place]:
                self.grid.go(place, True)
                return
