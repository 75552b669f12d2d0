"""The lines of text around the grid of samples: the slider, what is chosen, labels, and words for having none."""

from __future__ import annotations

from textwrap import wrap

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from loratui.lab.pictures.gallery import Gallery, Where
from loratui.tui import slider
from loratui.tui.gridpaint import Styles, cut

_EMPTY = (
    "No samples yet.",
    "They appear here as the run draws them: the base model's picture beside the LoRA's, from the same noise.",
    "When that is, [sample] every in the settings says; a live run also draws some when it is asked.",
)


def empty_words(loaded: bool, width: int) -> list[str]:
    """What stands where no samples are."""
    if not loaded:
        return ["looking for samples…"]
    lines: list[str] = []
    for words in _EMPTY:
        lines += ["", *wrap(words, max(10, min(72, width - 2)))] if lines else [words]
    return lines


def scale_words(scale: float | None, scales: tuple[float, ...]) -> str:
    """What a column is called; a scale is named only where it says something."""
    if scale is None:
        return "base"
    return "LoRA" if set(scales) == {1.0} else f"scale {scale:g}"


def label(where: Where, scales: tuple[float, ...], width: int) -> str:
    """The words over a picture; the seed stands over the first of its row."""
    words = scale_words(where.scale, scales)
    if where.scale is not None:
        return words
    for text in (f"seed {where.spot.seed} · {words}", f"seed {where.spot.seed}", f"{where.spot.seed}"):
        if cell_len(text) <= width:
            return text
    return words


class SliderLine:
    """`step 225 ━━┼━●─┼─ 3 of 5` and what else is the same for the whole grid."""

    def __init__(self) -> None:
        self._steps: tuple[int, ...] = ()
        self._at = 0
        self._words = ("", "")
        self._span = (0, 0)  # columns of the track

    def set(self, gallery: Gallery, chosen: Where, following: bool, inference_steps: int) -> None:
        self._steps = gallery.steps
        self._at = self._steps.index(chosen.step) if chosen.step in self._steps else 0
        left = f"step {chosen.step}" if self._steps else "base model only"
        notes = [f"{self._at + 1} of {len(self._steps)}"] if len(self._steps) > 1 else []
        if following and len(self._steps) > 1:
            notes.append("newest")
        if len(gallery.inference_steps) > 1:
            notes.append(f"{inference_steps} inference step{'s' if inference_steps != 1 else ''}")
        self._words = (left, " · ".join(notes))

    def strip(self, width: int, styles: Styles) -> Strip:
        left, notes = self._words
        room = width - cell_len(left) - cell_len(notes) - 4
        self._span = (0, 0)
        segments = [Segment(cut(left, width), styles.heading)]
        if len(self._steps) > 1 and room >= slider.LEAST:
            start = cell_len(left) + 2
            self._span = (start, start + min(room, 60))
            segments.append(Segment("  ", styles.plain))
            wide = self._span[1] - start
            segments += slider.track(wide, len(self._steps), self._at, styles.muted, styles.accent)
        segments.append(Segment("  " + notes if notes else "", styles.muted))
        return Strip(segments).adjust_cell_length(width, styles.plain)

    def step_at(self, x: int) -> int | None:
        """The step at a column of the line; None beside the track."""
        start, end = self._span
        if not start <= x < end:
            return None
        return self._steps[slider.place_at(end - start, len(self._steps), x - start)]


def foot(chosen: Where, gallery: Gallery, page: int, pages: int, width: int, styles: Styles) -> Strip:
    """What is chosen, and which page this is."""
    made = "base model" if chosen.scale is None else f"LoRA at scale {chosen.scale:g}, step {chosen.step}"
    left = f"seed {chosen.spot.seed} · {made}"
    if gallery.path(chosen) is None:
        left += " · not drawn"
    right = f"page {page} of {pages}" if pages > 1 else ""
    left = cut(left, width - cell_len(right) - 1 if right else width)
    gap = " " * max(0, width - cell_len(left) - cell_len(right))
    return Strip([Segment(left + gap + right, styles.muted)]).adjust_cell_length(width, styles.plain)
