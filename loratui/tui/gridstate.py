"""What the grid of samples shows and where one stands in it: moves, the slider, and the page that follows from them.

No widget and no disk: it answers from a gallery that someone else refreshes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loratui.lab.pictures.gallery import Gallery, Spot, Where
from loratui.tui.gridlayout import Layout, Page, Slot, arrange


@dataclass(frozen=True)
class Plan:
    """A page of a step, and which file goes where (None: not drawn)."""

    step: int
    layout: Layout
    number: int  # of the page, from 0
    where: Mapping[Slot, Where]
    files: Mapping[Slot, Path | None]

    @property
    def page(self) -> Page:
        return self.layout.pages[self.number]

    def slot_of(self, where: Where) -> Slot | None:
        """Where a picture stands on this page."""
        if where.step == self.step:
            for slot in self.page.slots:
                if self.where[slot] == where:
                    return slot
        return None


class GridState:
    """Where one stands. While `following`, the step is the newest there is."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.chosen: Where | None = None
        self.following = True
        self.inference_steps = 0
        self.moved = False  # the person chose; before that, the first picture with the LoRA is stood on

    @property
    def file(self) -> Path | None:
        """The picture that is stood on."""
        return self.gallery.path(self.chosen) if self.chosen is not None else None

    def settle(self) -> None:
        """After the gallery changed: stand where one stood, or on the first picture where nothing was chosen yet."""
        gallery = self.gallery
        if gallery.empty:
            self.chosen = None
            return
        if self.inference_steps not in gallery.inference_steps:
            self.inference_steps = gallery.inference_steps[-1]
        step = self.chosen.step if self.chosen is not None else 0
        if self.following or step not in gallery.steps:
            step = gallery.steps[-1] if gallery.steps else 0
        rows = self.rows(step)
        if self.chosen is None or not self.moved:
            self.chosen = Where(rows[0], min(gallery.scales, key=lambda scale: abs(scale - 1), default=None), step)
        else:
            self.chosen = replace(
                self.chosen, spot=self.chosen.spot if self.chosen.spot in rows else rows[0], step=step
            )

    def rows(self, step: int) -> tuple[Spot, ...]:
        """The rows at a step; never none while there are samples."""
        found = self.gallery.rows(step, self.inference_steps)
        return found or tuple(s for s in self.gallery.spots if s.inference_steps == self.inference_steps)

    def at_step(self, step: int) -> Where | None:
        """Move the slider; on the newest step it follows the run from there."""
        if self.chosen is None or step not in self.gallery.steps:
            return None
        self.following = step == self.gallery.steps[-1]
        rows = self.rows(step)
        return replace(self.chosen, spot=self.chosen.spot if self.chosen.spot in rows else rows[0], step=step)

    def steps_on(self, by: int) -> Where | None:
        """So many steps later; it stops at the ends."""
        steps = self.gallery.steps
        if self.chosen is None or not steps:
            return None
        here = steps.index(self.chosen.step) if self.chosen.step in steps else len(steps) - 1
        return self.at_step(steps[min(max(here + by, 0), len(steps) - 1)])

    def next_length(self) -> Where | None:
        """The same seed with the next number of inference steps, the first after the last."""
        lengths = self.gallery.inference_steps
        if self.chosen is None or len(lengths) < 2:
            return None
        self.inference_steps = lengths[(lengths.index(self.inference_steps) + 1) % len(lengths)]
        spot = self.chosen.spot
        near = min(self.rows(self.chosen.step), key=lambda row: (row.prompt != spot.prompt, abs(row.seed - spot.seed)))
        return replace(self.chosen, spot=near)

    def page_on(self, plan: Plan, by: int) -> Where | None:
        """The first picture of the page so many on, of the same column where there is one; None at the ends."""
        number = min(max(plan.number + by, 0), len(plan.layout.pages) - 1)
        slots = plan.layout.pages[number].slots
        if number == plan.number or not slots or self.chosen is None:
            return None
        there = [plan.where[slot] for slot in slots]
        return next((where for where in there if where.scale == self.chosen.scale), there[0])

    def plan(self, chosen: Where, width: int, height: int, extra: int, most: int) -> Plan:
        """The page with the chosen picture in a box of cells; the rest as `gridlayout.arrange`."""
        groups: dict[int, list[Spot]] = {}
        for spot in self.rows(chosen.step):
            groups.setdefault(spot.prompt, []).append(spot)
        members, columns = list(groups.values()), self.gallery.columns
        layout = arrange(width, height, [len(spots) for spots in members], len(columns), extra=extra, most=most)
        where = {s: Where(members[s.group][s.block], columns[s.column], chosen.step) for s in layout.slots}
        files = {slot: self.gallery.path(one) for slot, one in where.items()}
        at = next((slot for slot, one in where.items() if one == chosen), None)
        number = layout.page_of(at.group, at.block, at.column) if at is not None else 0
        return Plan(chosen.step, layout, number, where, files)
