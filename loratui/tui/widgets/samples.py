"""The samples of a run: a paged grid with the base model beside the LoRA, and a slider over the steps.

Turning a page or moving the slider is one repaint of what changed. What there is comes from lab's gallery, read in a
thread; a live run's owner calls `refresh_samples` when pictures were drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from loratui.lab.pictures.gallery import Gallery, Where
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.tui.gridlayout import PAGE_CELLS, Slot
from loratui.tui.gridpaint import View
from loratui.tui.gridstate import GridState, Plan
from loratui.tui.pixels import CELL_BYTES, PIXELS, Drawn, Key, draw, look_of
from loratui.tui.places import Place
from loratui.tui.samplelines import SliderLine, empty_words, foot, label
from loratui.tui.widgets.band import Band
from loratui.tui.widgets.samplegrid import SampleGrid
from loratui.tui.widgets.thumb import DEBOUNCE, PATIENCE

if TYPE_CHECKING:
    from textual import events

    from loratui.tui.app import BenchApp

USUAL = 120 * 40  # cells of a terminal on which a page turns for 60 kB; larger ones may cost more
_FAR = 10**6


class SamplesPanel(Widget, can_focus=True):
    """The grid of a run's samples. `selected` is the picture that is stood on; `measures` may say words under each."""

    DEFAULT_CSS = """
    SamplesPanel { height: 1fr; min-height: 6; layout: vertical; }
    SamplesPanel > .line { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,v", "open", "Open", id="samples.open",
                tooltip="See the chosen picture large, with all that made it"),
        Binding("comma,less_than_sign", "step(-1)", "Earlier", id="samples.earlier",
                tooltip="The same pictures at the step before"),
        Binding("full_stop,greater_than_sign", "step(1)", "Later", id="samples.later",
                tooltip="The same pictures at the next step"),
        Binding("home", f"step(-{_FAR})", "First step", id="samples.first", show=False,
                tooltip="The first step with pictures"),
        Binding("end", f"step({_FAR})", "Newest step", id="samples.newest", show=False,
                tooltip="The newest step, and follow the run from there"),
        Binding("b", "flip", "Base/LoRA", id="samples.flip",
                tooltip="Swap the chosen picture for its twin from the same noise"),
        Binding("i", "inference_steps", "Denoising", id="samples.inference", show=False,
                tooltip="Show the pictures of another number of inference steps"),
        Binding("left,h", "move(-1,0)", "Left", id="samples.left", show=False, tooltip="The picture before"),
        Binding("right,l", "move(1,0)", "Right", id="samples.right", show=False, tooltip="The next picture"),
        Binding("up,k", "move(0,-1)", "Up", id="samples.up", show=False, tooltip="The picture above"),
        Binding("down,j", "move(0,1)", "Down", id="samples.down", show=False, tooltip="The picture below"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", id="samples.page_up", show=False, tooltip="The page before"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", id="samples.page_down", show=False, tooltip="The next page"),
    ]  # fmt: skip
    help_text = (
        "Samples are pictures drawn with the LoRA, each beside the one that the base model draws from the same noise: "
        "what differs between the two is what was learned. Rows are prompts and seeds. The slider on top goes through "
        "the steps at which pictures were drawn; on its right end it follows a live run."
    )

    class Chosen(Message):
        """Another picture is stood on, or the same at another step. `path` is None where it was not drawn."""

        def __init__(self, panel: SamplesPanel, path: Path | None, where: Where) -> None:
            super().__init__()
            self.panel, self.path, self.where = panel, path, where

        @property
        def control(self) -> SamplesPanel:
            return self.panel

    def __init__(self, run: RunFolder, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.run = run
        self.gallery = Gallery(run)
        self.state = GridState(self.gallery)
        self.measures: Callable[[Path], str] | None = None
        self._loaded = False
        # Bytes to paint a cell, by inference steps (the fewer, the busier), once some pictures were decoded.
        self._costs: dict[int, float] = {}
        self._told: tuple[Path | None, Where] | None = None
        self._plan: Plan | None = None  # of the page that is shown
        self._slider = SliderLine()
        self._top = Band(self._top_line, classes="line")
        self._grid = SampleGrid()
        self._foot = Band(self._foot_line, classes="line")

    def compose(self) -> ComposeResult:
        yield self._top
        yield self._grid
        yield self._foot

    @property
    def selected(self) -> Path | None:
        """The file of the picture that is stood on."""
        return self.state.file

    def on_mount(self) -> None:
        self.refresh_samples()

    def on_resize(self, event: events.Resize) -> None:
        self._foot.display = self.content_size.height >= 8
        self._turn()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._loaded:
            self.call_later(self._turn)

    @work(exclusive=True, group="samples", exit_on_error=False)
    async def refresh_samples(self) -> None:
        """Look whether more was drawn, and show it. Where the slider was moved, the step stays."""
        changed = await self._aside(_read, self.gallery)
        if changed or not self._loaded:
            self._loaded = True
            self.state.settle()
            self.refresh_bindings()
            self._turn()

    def tell_measures(self, measures: Callable[[Path], str] | None) -> None:
        """Say other words under each picture from now on; None for none."""
        if measures is not None or self.measures is not None:
            self.measures = measures
            if self._loaded:
                self._turn()

    @property
    def picture_columns(self) -> int:
        """Cells across of a picture on the page that is shown."""
        return self._plan.layout.columns if self._plan is not None else 0

    def stand_at(self, where: Where) -> None:
        """Go to a prompt's pictures at a step, on this seed where it was drawn, else on its first."""
        if where.spot.inference_steps in self.gallery.inference_steps:
            self.state.inference_steps = where.spot.inference_steps
        self.state.following = where.step == max(self.gallery.steps, default=None)
        spots = [spot for spot in self.state.rows(where.step) if spot.prompt == where.spot.prompt]
        if spots:
            self.choose(replace(where, spot=where.spot if where.spot in spots else spots[0]))

    # -- turning pages ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Show the page with the chosen picture: at once where its pictures are known, else when they are decoded."""
        chosen, room = self.state.chosen, self._room
        if chosen is None or not self.is_attached or not room.area:
            if chosen is None and self.is_attached:
                self._plan = None
                self._grid.say(empty_words(self._loaded, room.width))
                self._lines_changed()
            return
        self._tell()
        plan = self.state.plan(chosen, room.width, room.height, int(self.measures is not None), self._most)
        look = look_of(self)
        files = [path for slot in plan.page.slots if (path := plan.files[slot]) is not None]
        keys = [(path, plan.layout.columns, plan.layout.rows, look) for path in files]
        known = {key[0]: drawn for key in keys if (drawn := PIXELS.get(key)) is not None}
        if len(known) == len(keys):
            self._put(plan, known)
        else:
            self._top.refresh()
        self._fill(plan, keys, known)

    @property
    def _most(self) -> int:
        """Cells of picture on a page: as many as can be sent fast, which depends on how busy the pictures are."""
        cost = self._costs.get(self.state.inference_steps, CELL_BYTES)
        return int(PAGE_CELLS * max(1.0, self.app.size.area / USUAL) * CELL_BYTES / cost)

    @work(exclusive=True, group="samples-page", exit_on_error=False)
    async def _fill(self, plan: Plan, keys: list[Key], known: dict[Path, Drawn]) -> None:
        """Decode what is not known, and see whether the rest is still what it was."""
        await asyncio.sleep(DEBOUNCE)
        complete = len(known) == len(keys)
        work = {self._aside(draw, key, known.get(key[0])): key for key in keys}
        waiting: set[asyncio.Future[Any]] = set(work)
        found = dict(known)
        patience = PATIENCE
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=None if complete else patience)
            patience *= 2
            for future in done:
                key = work[future]
                found[key[0]] = future.result()
                PIXELS.put(key, found[key[0]])
            if waiting and not complete:
                self._put(plan, found)
        length, busy = self.state.inference_steps, sum(drawn.bytes for drawn in found.values())
        if length not in self._costs and busy:
            self._costs[length] = max(8.0, busy / (len(found) * plan.layout.columns * plan.layout.rows))
            self._turn()
        elif not complete or any(found[path] is not known[path] for path in known):
            self._put(plan, found)

    def _put(self, plan: Plan, known: Mapping[Path, Drawn]) -> None:
        slots, scales, measures = plan.page.slots, self.gallery.scales, self.measures
        files = {slot: path for slot in slots if (path := plan.files[slot]) is not None}
        prompts = {slot.group: self.gallery.prompt(plan.where[slot].spot.prompt) for slot in slots}
        self._plan = plan
        view = View(
            page=plan.page,
            columns=plan.layout.columns,
            rows=plan.layout.rows,
            headings={n: (plain(p.text, 300) or "(no words)", plain(p.expected, 300)) for n, p in prompts.items()},
            labels={slot: label(plan.where[slot], scales, plan.layout.columns) for slot in slots},
            drawn={slot: known.get(path) for slot, path in files.items()},
            below={slot: plain(measures(path), 80) for slot, path in files.items()} if measures else {},
            extra=int(measures is not None),
        )
        self._grid.show(view, plan.layout, self._slot)
        self._lines_changed()

    def _lines_changed(self) -> None:
        self._top.refresh()
        self._foot.refresh()

    def _aside(self, function: Callable[..., Any], *args: object) -> asyncio.Future[Any]:
        threads = getattr(self.app, "threads", None)
        return asyncio.get_running_loop().run_in_executor(threads, function, *args)

    def _tell(self) -> None:
        chosen = self.state.chosen
        if chosen is not None and self._told != (told := (self.selected, chosen)):
            self._told = told
            self.post_message(self.Chosen(self, *told))

    # -- the lines around the grid ------------------------------------------------------------------------------

    @property
    def _room(self) -> Region:
        """The grid's box."""
        width, height = self.content_size
        return Region(0, 0, max(0, width), max(0, height - (2 if height >= 8 else 1)))

    def _top_line(self, y: int) -> Strip:
        chosen, styles, width = self.state.chosen, self._grid.line_styles, self.content_size.width
        if chosen is None or self._plan is None:
            return Strip.blank(width, styles.plain)
        self._slider.set(self.gallery, chosen, self.state.following, self.state.inference_steps)
        return self._slider.strip(width, styles)

    def _foot_line(self, y: int) -> Strip:
        chosen, plan, styles, width = self.state.chosen, self._plan, self._grid.line_styles, self.content_size.width
        if chosen is None or plan is None:
            return Strip.blank(width, styles.plain)
        return foot(chosen, self.gallery, plan.number + 1, len(plan.layout.pages), width, styles)

    @property
    def _slot(self) -> Slot | None:
        """Where the chosen picture stands on the page that is shown."""
        chosen = self.state.chosen
        return self._plan.slot_of(chosen) if self._plan is not None and chosen is not None else None

    # -- keys -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        chosen = self.state.chosen
        if action == "open":
            return self.selected is not None
        if action == "step":
            return len(self.gallery.steps) > 1
        if action == "flip":
            return chosen is not None and self.gallery.twin(chosen) is not None
        if action == "inference_steps":
            return len(self.gallery.inference_steps) > 1
        if action in ("move", "page"):
            return chosen is not None
        return True

    def choose(self, where: Where | None) -> None:
        """Stand on a picture."""
        if where is None or where == self.state.chosen:
            return
        self.state.chosen, self.state.moved = where, True
        self.refresh_bindings()
        slot = self._slot
        if slot is None or self._grid.flipped:
            self._turn()
            return
        self._grid.stand_on(slot)
        self._lines_changed()
        self._tell()

    def action_move(self, across: int, down: int) -> None:
        plan, slot = self._plan, self._slot
        if plan is not None and slot is not None:
            self.choose(plan.where[plan.layout.beside(slot, across, down)])

    def action_page(self, by: int) -> None:
        if self._plan is not None:
            self.choose(self.state.page_on(self._plan, by))

    def action_step(self, by: int) -> None:
        self.choose(self.state.steps_on(by))
        self._top.refresh()  # whether it follows may be all that changed

    def action_inference_steps(self) -> None:
        self.choose(self.state.next_length())

    @work(exclusive=True, group="samples-flip", exit_on_error=False)
    async def action_flip(self) -> None:
        grid, view, slot, chosen = self._grid, self._grid.view, self._slot, self.state.chosen
        twin = self.gallery.twin(chosen) if chosen is not None else None
        if view is None or slot is None or chosen is None or twin is None:
            return
        path = self.gallery.path(chosen if grid.flipped else twin)
        if path is None:
            return
        key = (path, view.columns, view.rows, look_of(self))
        drawn = PIXELS.get(key) or await self._aside(draw, key)
        PIXELS.put(key, drawn)
        if grid.view is view and self._slot == slot:
            words = "⇄ LoRA" if chosen.scale is None else "⇄ base"
            grid.flip(drawn, "" if grid.flipped else words)

    def action_open(self) -> None:
        if (path := self.selected) is not None:
            place = Place("picture", self.run.project_folder, (self.run.path,), path)
            cast("BenchApp", self.app).go(place)

    # -- mouse ------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        offset = Offset(event.screen_x, event.screen_y) - self.content_region.offset
        if offset.y < 1:
            step = self._slider.step_at(offset.x)
            if step is not None:
                self.choose(self.state.at_step(step))
            return
        slot = self._grid.slot_at(offset.x, offset.y - 1)
        if slot is not None and self._plan is not None:
            if slot == self._slot:
                self.action_open()
            else:
                self.choose(self._plan.where[slot])

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_page(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_page(-1)


def _read(gallery: Gallery) -> bool:
    changed = gallery.refresh()
    if changed:
        gallery.read_words()
    return changed
