"""Pictures of several runs beside each other, from the same noise: the base model's first, and one slider for all.

Laid out and painted as the samples of one run are; which pictures belong together is lab's `sidebyside`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import work
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from loratui.lab.notes.comparison import letter
from loratui.lab.notes.notebook import short_run
from loratui.lab.notes.sidebyside import Aligned, Column, PictureCell, PictureRow
from loratui.lab.plain import plain
from loratui.tui import slider
from loratui.tui.gridlayout import PAGE_CELLS, Layout, Slot, arrange
from loratui.tui.gridpaint import Styles, View, cut, paint
from loratui.tui.pixels import PIXELS, Drawn, Key, draw, look_of
from loratui.tui.places import Place
from loratui.tui.widgets.thumb import DEBOUNCE, PATIENCE, centred

if TYPE_CHECKING:
    from textual import events

    from loratui.tui.app import BenchApp

TOP = 1  # rows above the grid: the slider
USUAL = 120 * 40  # cells of a terminal on which a page is painted in 60 kB; larger ones may cost more
_FAR = 10**6
_EMPTY = "No samples in these runs yet. They appear here as the runs draw them."


class AlignedPictures(Widget, can_focus=True):
    """`panel.show(aligned)` shows what an `Aligned` found; call it again after each `refresh()` of that."""

    help_text = (
        "Each row is one prompt and seed: the picture of the base model, then that of each run, all from the same "
        "noise. The slider goes through the steps at which any of the runs drew pictures; a run that drew none at a "
        "step shows its last one before, and says which."
    )
    COMPONENT_CLASSES: ClassVar = {f"aligned--{part}" for part in ("muted", "heading", "chosen", "accent")}
    DEFAULT_CSS = """
    AlignedPictures { height: 1fr; min-height: 6; }
    AlignedPictures > .aligned--muted { color: $foreground 60%; }
    AlignedPictures > .aligned--heading { text-style: bold; }
    AlignedPictures > .aligned--chosen { text-style: bold reverse; }
    AlignedPictures > .aligned--accent { color: $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,v", "open", "Open", id="aligned.open",
                tooltip="See the chosen picture large, with all that made it"),
        Binding("i", "inference_steps", "Denoising", id="aligned.inference",
                tooltip="Show the pictures of another number of inference steps"),
        Binding("left,h", "move(-1,0)", "Left", id="aligned.left", show=False, tooltip="The picture before"),
        Binding("right,l", "move(1,0)", "Right", id="aligned.right", show=False, tooltip="The next picture"),
        Binding("up,k", "move(0,-1)", "Up", id="aligned.up", show=False, tooltip="The picture above"),
        Binding("down,j", "move(0,1)", "Down", id="aligned.down", show=False, tooltip="The picture below"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", id="aligned.page_up", show=False, tooltip="The page before"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", id="aligned.page_down", show=False,
                tooltip="The next page"),
        Binding("home", f"step(-{_FAR})", "First step", id="aligned.first", show=False,
                tooltip="The first step with pictures"),
        Binding("end", f"step({_FAR})", "Newest step", id="aligned.newest", show=False,
                tooltip="The newest step, and follow the runs from there"),
    ]  # fmt: skip

    class Stepped(Message):
        """The slider stands at another step."""

        def __init__(self, panel: AlignedPictures, step: int) -> None:
            super().__init__()
            self.panel, self.step = panel, step

        @property
        def control(self) -> AlignedPictures:
            return self.panel

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.aligned: Aligned | None = None
        self.step = 0
        self.inference_steps = 0
        self._following = True
        self._chosen: tuple[PictureRow, int] | None = None  # the row, and the place of the column
        self._layout: Layout | None = None
        self._cells: dict[Slot, PictureCell] = {}
        self._number = 0  # of the page
        self._view: View | None = None
        self._track = (0, 0)  # columns of the slider's track

    # -- what is shown ----------------------------------------------------------------------------------------

    def show(self, aligned: Aligned) -> None:
        """Show these pictures. One stays on the row one stood on, and at the step, unless that follows the runs."""
        self.aligned = aligned
        steps = aligned.steps
        if steps and (self._following or self.step not in steps):
            self.step = steps[-1]
        lengths = self._lengths
        if lengths and self.inference_steps not in lengths:
            self.inference_steps = lengths[-1]
        rows = [row for group in self._groups() for row in group]
        if self._chosen is None or self._chosen[0] not in rows or self._chosen[1] >= len(aligned.columns):
            self._chosen = (rows[0], min(1, len(aligned.columns) - 1)) if rows else None
        self.refresh_bindings()
        self._turn()

    @property
    def selected(self) -> tuple[Column, PictureCell] | None:
        """The column and the picture that is stood on."""
        if self.aligned is None or self._chosen is None:
            return None
        column = self.aligned.columns[self._chosen[1]]
        return column, self.aligned.cell(self._chosen[0], column, self.step)

    @property
    def _lengths(self) -> list[int]:
        return sorted({row.inference_steps for row in self.aligned.rows}) if self.aligned else []

    def _groups(self) -> list[list[PictureRow]]:
        groups: dict[tuple[object, ...], list[PictureRow]] = {}
        for row in self.aligned.rows if self.aligned else ():
            if row.inference_steps == self.inference_steps:
                groups.setdefault((row.prompts, row.scale), []).append(row)
        return list(groups.values())

    def _turn(self) -> None:
        """Lay the page with the chosen picture out, and show it: at once where its pictures are known."""
        aligned, chosen, room = self.aligned, self._chosen, self._room
        if aligned is None or chosen is None or not self.is_attached or not room.area:
            self._view = None
            self.refresh()
            return
        groups = self._groups()
        most = int(PAGE_CELLS * max(1.0, self.app.size.area / USUAL))
        layout = arrange(room.width, room.height, [len(rows) for rows in groups], len(aligned.columns), most=most)
        at = next(((g, b) for g, rows in enumerate(groups) for b, row in enumerate(rows) if row == chosen[0]), (0, 0))
        self._layout, self._number = layout, layout.page_of(*at, chosen[1])
        page = layout.pages[self._number]
        rows = {slot: groups[slot.group][slot.block] for slot in page.slots}
        self._cells = {slot: aligned.cell(row, aligned.columns[slot.column], self.step) for slot, row in rows.items()}
        headings = {n: (_prompt(rows[0]), _notes(rows[0], aligned)) for n, rows in enumerate(groups)}
        labels = {slot: self._label(slot, rows[slot], layout.columns) for slot in page.slots}
        view = View(page, layout.columns, layout.rows, headings, labels, {})
        look = look_of(self)
        keys = {cell.path: (cell.path, layout.columns, layout.rows, look)
                for cell in self._cells.values() if cell.path is not None}  # fmt: skip
        known = {path: drawn for path, key in keys.items() if (drawn := PIXELS.get(key)) is not None}
        self._put(view, known)
        self._fill(view, keys, known)

    @work(exclusive=True, group="aligned", exit_on_error=False)
    async def _fill(self, view: View, keys: Mapping[Path, Key], known: Mapping[Path, Drawn]) -> None:
        """Decode what is not known, and see whether the rest is still what it was."""
        await asyncio.sleep(DEBOUNCE)
        loop, threads = asyncio.get_running_loop(), getattr(self.app, "threads", None)
        work = {loop.run_in_executor(threads, draw, key, known.get(path)): path for path, key in keys.items()}
        waiting, found, patience = set(work), dict(known), PATIENCE
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=patience)
            patience *= 2
            for future in done:
                path = work[future]
                found[path] = future.result()
                PIXELS.put(keys[path], found[path])
            if found != known:
                self._put(view, found)

    def _put(self, view: View, known: Mapping[Path, Drawn]) -> None:
        drawn = {slot: known.get(cell.path) for slot, cell in self._cells.items() if cell.path is not None}
        self._view = View(view.page, view.columns, view.rows, view.headings, view.labels, drawn)
        self.refresh()

    def _label(self, slot: Slot, row: PictureRow, width: int) -> str:
        column = self.aligned.columns[slot.column] if self.aligned else None
        if column is None:
            return ""
        if column.is_base:
            return _fitting((f"seed {row.seed} · {column.label}", column.label), width)
        step = self._cells[slot].step
        at = f" · {step}" if step is not None else ""
        return _fitting((f"{column.label}{at}", column.label), width)

    # -- painting ---------------------------------------------------------------------------------------------

    @property
    def _room(self) -> Region:
        width, height = self.content_size
        return Region(0, TOP, max(0, width), max(0, height - TOP - (1 if height >= 8 else 0)))

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        styles, room = self._styles, self._room
        if self._view is None or self.aligned is None:
            words = "looking for samples…" if self.aligned is None else _EMPTY
            return centred(words if y == height // 2 else "", width, styles.muted)
        if y < room.y:
            return self._slider(width, styles)
        if y < room.bottom:
            return paint(self._view, y - room.y, width, self._slot, None, styles)
        return self._foot(width, styles)

    @property
    def _styles(self) -> Styles:
        parts = (self.get_component_rich_style(f"aligned--{part}") for part in ("muted", "heading", "chosen", "accent"))
        return Styles(self.rich_style, *parts)

    @property
    def _slot(self) -> Slot | None:
        if self._chosen is None or self._view is None:
            return None
        row, column = self._chosen
        groups = self._groups()
        return next((slot for slot in self._view.page.slots
                     if slot.column == column and groups[slot.group][slot.block] == row), None)  # fmt: skip

    def _slider(self, width: int, styles: Styles) -> Strip:
        steps = self.aligned.steps if self.aligned else ()
        at = steps.index(self.step) if self.step in steps else 0
        left = f"step {self.step}" if steps else "base model only"
        notes = [f"{at + 1} of {len(steps)}"] if len(steps) > 1 else []
        if len(self._lengths) > 1:
            notes.append(f"{self.inference_steps} inference step{'s' if self.inference_steps != 1 else ''}")
        words = " · ".join(notes)
        segments = [Segment(cut(left, width), styles.heading)]
        room = min(60, width - cell_len(left) - cell_len(words) - 4)
        self._track = (0, 0)
        if len(steps) > 1 and room >= slider.LEAST:
            self._track = (cell_len(left) + 2, cell_len(left) + 2 + room)
            segments.append(Segment("  ", styles.plain))
            segments += slider.track(room, len(steps), at, styles.muted, styles.accent)
        segments.append(Segment("  " + words if words else "", styles.muted))
        return Strip(segments).adjust_cell_length(width, styles.plain)

    def _foot(self, width: int, styles: Styles) -> Strip:
        picked, pages = self.selected, len(self._layout.pages) if self._layout else 1
        if picked is None or self._chosen is None or self.aligned is None:
            return Strip.blank(width, styles.plain)
        (column, cell), row = picked, self._chosen[0]
        run = plain(short_run(self.aligned.runs[column.run].id), 40)
        made = column.label if column.is_base else f"{letter(column.run)} {run}, scale {row.scale:g}"
        made += f", step {cell.step}" if cell.step is not None else ""
        left = f"seed {row.seed} · {made}" + ("" if cell.path else " · not drawn")
        right = f"page {self._number + 1} of {pages}" if pages > 1 else ""
        left = cut(left, max(0, width - cell_len(right) - 1))
        gap = " " * max(0, width - cell_len(left) - cell_len(right))
        return Strip([Segment(left + gap + right, styles.muted)]).adjust_cell_length(width, styles.plain)

    def on_resize(self, event: events.Resize) -> None:
        self._turn()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._view is not None:
            self.call_later(self._turn)

    # -- keys and mouse ---------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open":
            return self.selected is not None and self.selected[1].path is not None
        if action == "inference_steps":
            return len(self._lengths) > 1
        return self._chosen is not None if action in ("move", "page", "step") else True

    def _choose(self, slot: Slot) -> None:
        row = self._groups()[slot.group][slot.block]
        if (row, slot.column) != self._chosen:
            self._chosen = (row, slot.column)
            self.refresh_bindings()
            if self._view is not None and slot in self._view.page.slots:
                self.refresh()
            else:
                self._turn()

    def action_move(self, across: int, down: int) -> None:
        slot = self._slot
        if self._layout is not None and slot is not None:
            self._choose(self._layout.beside(slot, across, down))

    def action_page(self, by: int) -> None:
        if self._layout is not None and self._chosen is not None:
            number = min(max(self._number + by, 0), len(self._layout.pages) - 1)
            slots = self._layout.pages[number].slots
            if number != self._number and slots:
                self._choose(next((slot for slot in slots if slot.column == self._chosen[1]), slots[0]))

    def action_step(self, by: int) -> None:
        steps = self.aligned.steps if self.aligned else ()
        if steps:
            here = steps.index(self.step) if self.step in steps else len(steps) - 1
            self.go_to_step(steps[min(max(here + by, 0), len(steps) - 1)])

    def go_to_step(self, step: int) -> None:
        """Move the slider; on the newest step it follows the runs from there."""
        steps = self.aligned.steps if self.aligned else ()
        if step in steps and step != self.step:
            self.step, self._following = step, step == steps[-1]
            self._turn()
            self.post_message(self.Stepped(self, step))

    def action_inference_steps(self) -> None:
        lengths = self._lengths
        if len(lengths) > 1 and self._chosen is not None and self.aligned is not None:
            self.inference_steps = lengths[(lengths.index(self.inference_steps) + 1) % len(lengths)]
            row, column = self._chosen
            rows = [other for group in self._groups() for other in group]
            near = sorted(rows, key=lambda other: (other.prompts != row.prompts, other.seed != row.seed))
            self._chosen = (near[0], column) if near else None
            self._turn()

    def action_open(self) -> None:
        picked = self.selected
        if picked is not None and picked[1].path is not None:
            path = picked[1].path
            run = path.parent.parent.parent
            cast("BenchApp", self.app).go(Place("picture", run.parent.parent, (run,), path))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self._view is None or self.aligned is None:
            return
        start, end = self._track
        if offset.y < TOP:
            if start <= offset.x < end:
                steps = self.aligned.steps
                self.go_to_step(steps[slider.place_at(end - start, len(steps), offset.x - start)])
            return
        for slot in self._view.page.slots:
            x, y = offset.x - slot.x, offset.y - TOP - slot.y
            if 0 <= x < self._view.columns and -1 <= y < self._view.rows:
                if slot == self._slot:
                    self.action_open()
                else:
                    self._choose(slot)
                return

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_page(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_page(-1)


def _fitting(texts: Sequence[str], width: int) -> str:
    return next((text for text in texts if cell_len(text) <= width), texts[-1])


def _prompt(row: PictureRow) -> str:
    return " | ".join(plain(words, 200) or "(no words)" for words in row.words)


def _notes(row: PictureRow, aligned: Aligned) -> str:
    return f"scale {row.scale:g}" if len(aligned.scales) > 1 else ""
