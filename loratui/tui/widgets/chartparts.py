"""What a loss chart is made of: which steps it spans, its curves as dots, and the line of words above it.

From the curves of runs to a `plot.Chart` and to cells; nothing is painted and nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from loratui.lab.plain import plain
from loratui.lab.run.curves import PROBE, Curves, Span
from loratui.lab.run.story import number
from loratui.tui.widgets.plot import MARK_SIGNS, Cell, Chart, Column, Curve, dot_columns, limits

SHORTEST = 16  # steps that the axis spans at least
POINT_GAP = 12  # columns of dots between two points of the probe loss
_WORDS = {"checkpoint": "checkpoint", "sample": "samples", "warning": "warning", "nan": "loss not finite"}


@dataclass(frozen=True)
class ChartSeries:
    """A run to draw. `label` is outside text and may be anything."""

    label: str
    curves: Curves


@dataclass(frozen=True)
class Shown:
    """How the runs are looked at."""

    logarithmic: bool = False
    whole: bool = False  # the whole range of the raw loss, else close up on smoothed and probe loss
    cursor: int | None = None  # a step


def span_of(series: Sequence[ChartSeries]) -> Span:
    """The steps to show: of a run that may go on, up to a round share of all its steps, so that the axis holds still
    until it is full, and then doubles."""
    last, whole, open_end = 0, 0, False
    for item in series:
        curves = item.curves
        last, whole = max(last, curves.reach), max(whole, curves.total)
        open_end = open_end or curves.state.name in ("queued", "running")
    if not open_end:
        return Span(0, max(1, last))
    end = max(whole, SHORTEST)
    while end < last:
        end *= 2
    while end // 2 >= max(last, SHORTEST):
        end //= 2
    return Span(0, end)


def chart_of(series: Sequence[ChartSeries], span: Span, shown: Shown, width: int) -> Chart:
    """The runs as a chart of `width` cells: the first with all it has, of the others the smoothed and probe loss."""
    columns = dot_columns(width)
    curves: list[Curve] = []
    points: list[tuple[int, float, str, str]] = []
    close: list[float] = []
    for place, item in enumerate(series):
        raw, smooth, probe = ("raw", "smooth", "probe") if place == 0 else ("", "other", "otherprobe")
        if raw and item.curves.count():
            curves.append(Curve(raw, item.curves.envelope("loss", columns, span)))
        probed, smoothed = (item.curves.line(field, columns, span) for field in (PROBE, "smoothed"))
        curves.append(Curve(probe, _flat(probed), dashed=True))
        curves.append(Curve(smooth, _flat(smoothed), thick=True, dashed=place > 1))
        points += [(step, value, "●" if place == 0 else "○", probe) for step, value in _thinned(probed, span)]
        close += [value for value in (*probed, *smoothed) if value is not None]
    marks = series[0].curves.marks if series else []
    return Chart(
        span=span,
        curves=curves,
        points=points[::-1],
        marks=[mark for mark in marks if span.first <= mark[0] <= span.last],
        breaks=[step for step, kind in marks if kind == "nan"],
        logarithmic=shown.logarithmic,
        cursor=shown.cursor,
        bounds=None if shown.whole else _roomy(limits(close, shown.logarithmic), shown.logarithmic),
    )


def _roomy(bounds: tuple[float, float] | None, logarithmic: bool) -> tuple[float, float] | None:
    """A little more than the bounds, so that some of the raw loss is seen around the lines."""
    if bounds is None:
        return None
    low, high = bounds
    return (low / 1.5, high * 1.5) if logarithmic else (low, high + (high - low) / 4)


def _flat(line: Sequence[float | None]) -> list[Column]:
    return [None if value is None else (value, value, value) for value in line]


def _thinned(line: Sequence[float | None], span: Span) -> list[tuple[int, float]]:
    """At most so many points of a line that they can be told apart, as steps and values."""
    points = [
        (round(edge), value) for edge, value in zip(span.edges(len(line)), line, strict=True) if value is not None
    ]
    return points[:: -(-len(points) * POINT_GAP // len(line)) or 1]


# -- in words ---------------------------------------------------------------------------------------------------------


def words_above(
    series: Sequence[ChartSeries], shown: Shown, width: int, epoch_of: Callable[[int], int] | None = None
) -> list[Cell]:
    """The line above the plot: the numbers under the cursor, or what the signs mean."""
    cells = _legend(series, shown) if shown.cursor is None else _reading(series, shown.cursor, epoch_of)
    if len(cells) > width > 0:
        cut = cells[: width - 1]
        while cut and (cut[-1][0] == " " or cell_len(cut[-1][0]) > 1):
            cut.pop()
        cells = [*cut, ("…", "label")]
    return [*cells, *[(" ", "label")] * (width - len(cells))]


def _reading(series: Sequence[ChartSeries], step: int, epoch_of: Callable[[int], int] | None) -> list[Cell]:
    curves = series[0].curves
    line = cells(f"step {step}", "cursor")
    if epoch_of is not None:
        line += cells(f"  epoch {epoch_of(step)}", "label")
    for word, name in (("raw", "loss"), ("smooth", "smoothed")):
        line += [*cells(f"  {word} ", "label"), *cells(number(_exactly(curves.at(name, step), step)), word)]
    if (probe := curves.at(PROBE, step)) is not None:
        at = "" if probe[0] == step else f" (at {probe[0]})"
        line += [*cells("  probe ", "label"), *cells(number(probe[1]), "probe"), *cells(at, "label")]
    if (rate := _exactly(curves.at("lr", step), step)) is not None:
        line += cells(f"  lr {rate:.1e}", "label")
    for item in series[1:]:
        if (found := item.curves.at("smoothed", step)) is not None:
            line += cells(f"  {plain(item.label, 20)} {number(found[1])}", "other")
    return line


def _legend(series: Sequence[ChartSeries], shown: Shown) -> list[Cell]:
    curves = series[0].curves
    line = [*cells("⣿", "raw"), *cells(" raw  ", "label"), *cells("⠶⠶", "smooth"), *cells(" smoothed", "label")]
    if curves.count(PROBE):
        line += [*cells("  ●", "probe"), *cells(" probe", "label")]
    for item in series[1:]:
        line += [*cells("  ⠶⠶○ ", "other"), *cells(plain(item.label, 24), "label")]
    for kind in dict.fromkeys(kind for _, kind in curves.marks):
        meaning = _WORDS[kind]
        if kind in ("checkpoint", "sample") and _together(curves):  # of two signs in one place the later is seen
            if kind == "checkpoint":
                continue
            meaning = "checkpoint, samples"
        line += [*cells(f"  {MARK_SIGNS[kind]}", kind), *cells(f" {meaning}", "label")]
    words = [word for word, on in (("log axis", shown.logarithmic), ("whole range", shown.whole)) if on]
    return line + cells("".join(f"  {word}" for word in words), "label")


def _together(curves: Curves) -> bool:
    """Whether every checkpoint has samples, and all samples a checkpoint."""
    saved, drawn = ({step for step, kind in curves.marks if kind == wanted} for wanted in ("checkpoint", "sample"))
    return saved == drawn


def _exactly(point: tuple[int, float] | None, step: int) -> float | None:
    return point[1] if point is not None and point[0] == step else None


def cells(text: str, part: str) -> list[Cell]:
    """A list as long as the text is wide: the second half of a wide letter is an empty string."""
    found: list[Cell] = []
    for letter in text:
        wide = cell_len(letter)
        if wide == 0 and found:
            found[-1] = (found[-1][0] + letter, part)
        elif wide:
            found += [(letter, part), *[("", part)] * (wide - 1)]
    return found
