"""The loss chart: true to its numbers, readable without colour, cheap to keep up to date, never the app's end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widget import Widget

from loratui.lab.run.curves import Curves, Span
from loratui.lab.run.events import EventLog
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import RunFolder
from loratui.tui.widgets import losschart
from loratui.tui.widgets.chartparts import ChartSeries, span_of
from loratui.tui.widgets.losschart import LossChart
from loratui.tui.widgets.plot import GUTTER, Chart, Curve, draw, step_ticks, y_axis
from loratui.tui.widgets.trace import trace
from tests.tui.conftest import run, until

WIDTH, HEIGHT = 60, 16


class ChartApp(App[None]):
    """A chart and nothing else."""

    def __init__(self, *series: Curves) -> None:
        super().__init__()
        self.moved: list[int | None] = []
        self.chart = LossChart([ChartSeries(curves.run.id, curves) for curves in series])

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_loss_chart_moved(self, message: LossChart.Moved) -> None:
        self.moved.append(message.step)

    def lines(self) -> list[str]:
        """What stands on the screen."""
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]


def log_of(folder: Path, losses: Sequence[float], total: int = 0, **last: object) -> Curves:
    """The curves of a log with these losses at steps 1, 2, …"""
    folder.mkdir(parents=True, exist_ok=True)
    with EventLog(folder / "events.jsonl") as log:
        if total:
            log.emit("state", state="running", step=0, total=total, device="cpu")
        add(log, 1, losses)
        if last:
            log.emit("state", **last)
    curves = Curves(RunFolder(folder))
    curves.poll()
    return curves


def add(log: EventLog, first: int, losses: Sequence[float]) -> None:
    for step, loss in enumerate(losses, start=first):
        smoothed = loss if math.isfinite(loss) else 0.5
        log.emit("step", step=step, epoch=1, loss=loss, smoothed=smoothed, lr=1e-4, it_s=9.0, memory=0)


def shown(curves: Curves, *keys: str) -> list[str]:
    """The chart's lines after some keys."""

    async def look() -> list[str]:
        app = ChartApp(curves)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            app.chart.focus()
            await pilot.press(*keys)
            await pilot.pause()
            return app.lines()

    return run(look())


def note_painting(widget: Widget, painted: list[Region]) -> None:
    """Write down the regions of a widget that are to be painted."""
    refresh = widget.refresh

    def noting(*regions: Region, **kinds: Any) -> Any:
        painted.extend(regions or [widget.size.region])
        return refresh(*regions, **kinds)

    widget.refresh = noting  # type: ignore[method-assign]


def row_of(lines: list[str], column: int) -> list[int]:
    """The rows of the plot with something in a column."""
    return [y for y, line in enumerate(lines) if "\u2800" < line[column] <= "\u28ff"]


def test_a_falling_loss_falls_from_left_to_right_between_ticks_that_hold_it(tmp_path: Path) -> None:
    lines = shown(log_of(tmp_path, [1 - step / 120 for step in range(100)], state="finished", step=100))
    ends = [row_of(lines, column)[0] for column in (GUTTER, WIDTH // 2, WIDTH - 1)]
    assert ends == sorted(ends)
    assert ends[0] < ends[1] < ends[2]
    numbers = [float(line[: GUTTER - 1]) for line in lines if line[: GUTTER - 1].strip()[:1].isdigit() and "┤" in line]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] >= 1
    assert numbers[-1] <= 1 - 99 / 120
    assert lines[-1].split() == ["0", "50", "100"]


@pytest.mark.parametrize(
    "losses",
    [[], [0.5], [0.25] * 50, [0.0] * 50, [math.nan] * 50, [-3.0, -2.0, -5.0], [math.inf, 1.0, -math.inf], [1e-9, 1e30],
     [3e38, -3e38] * 9, [5e-324] * 3],
    ids=["none", "one", "constant", "zero", "nan", "negative", "inf", "far", "greatest", "least"],
)  # fmt: skip
def test_odd_series_are_drawn_or_said_to_be_none(tmp_path: Path, losses: list[float]) -> None:
    curves = log_of(tmp_path, losses)
    for keys in ((), ("l",), ("w",), ("l", "w"), ("left", "left", "home")):
        lines = shown(curves, *keys)
        drawn = any(row_of(lines, column) for column in range(GUTTER, WIDTH))
        assert drawn or any("No losses yet" in line or "not finite" in line for line in lines) or "l" in keys


def test_steps_without_a_finite_loss_are_crosses_on_the_axis_and_break_the_curve(tmp_path: Path) -> None:
    losses = [0.5] * 40 + [math.nan] * 20 + [0.5] * 40
    lines = shown(log_of(tmp_path, losses, state="failed", step=100, reason="step 101: the loss is nan, on a.png"))
    axis = lines[-2]
    crosses = [x for x, sign in enumerate(axis) if sign == "x"]
    middle = GUTTER + (WIDTH - GUTTER) // 2
    assert middle in crosses
    assert WIDTH - 1 in crosses
    assert len(crosses) < 20
    assert "x loss not finite" in lines[0]


def test_marks_on_the_axis_can_be_read_without_colour(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        add(log, 1, [0.5] * 50)
        log.emit("checkpoint", step=25, path="a")
        log.emit("warning", text="[red]odd[/]\x1b[31m")
        log.emit("checkpoint", step=10, path="a")
        log.emit("sample", step=10, path="b")
        log.emit("probe", step=40, loss=0.75)
        log.emit("state", state="finished", step=50)
    curves = Curves(RunFolder(tmp_path))
    curves.poll()
    lines = shown(curves)
    span = Span(0, 50)
    signs = {lines[-2][GUTTER + span.column(step, WIDTH - GUTTER)]: step for step in (10, 25, 50)}
    assert signs == {"◆": 10, "▲": 25, "!": 50}
    assert any("●" in line for line in lines[1:-2])


def test_the_cursor_tells_the_numbers_of_a_step(tmp_path: Path) -> None:
    curves = log_of(tmp_path, [step / 100 for step in range(1, 31)], state="finished", step=30)

    async def walk() -> None:
        app = ChartApp(curves)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            app.chart.focus()
            assert app.chart.step == 30, "with the cursor away it is about the newest step"
            await pilot.press("left")
            assert "step 30 " in app.lines()[0] and "raw 0.3000" in app.lines()[0]
            await pilot.press("left", "left")
            assert "step 28 " in app.lines()[0] and "raw 0.2800" in app.lines()[0]
            await pilot.press("home")
            assert "step 1 " in app.lines()[0]
            await pilot.press("left")
            assert app.chart.step == 1
            await pilot.press("right")
            assert app.chart.step == 2
            await pilot.press("shift+right")
            assert 5 <= (app.chart.step or 0) <= 10
            await pilot.press("end")
            assert "raw" in app.lines()[0] and "step" not in app.lines()[0]
        assert app.moved[:4] == [30, 29, 28, 1]
        assert app.moved[-1] is None

    run(walk())


def test_the_axis_of_a_growing_run_doubles_and_holds_still_in_between(tmp_path: Path) -> None:
    def last(steps: int, total: int = 750, **state: object) -> int:
        folder = tmp_path / f"{steps}-{total}"
        folder.mkdir(exist_ok=True)
        with RunLock(folder / "lock"):
            curves = log_of(folder, [0.5] * steps, total=total, **state)
            return span_of([ChartSeries("", curves)]).last

    ends = {1: 23, 20: 23, 100: 187, 187: 187, 188: 375, 375: 375, 376: 750, 750: 750}
    assert {steps: last(steps) for steps in ends} == ends
    assert last(40, total=0) == 64
    assert last(40, state="finished", step=40) == 40


def test_only_what_came_out_different_is_painted_and_nothing_when_nothing_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losschart, "REDRAW_SECONDS", 0.0)
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    curves = log_of(tmp_path, [0.5, 0.25] * 100, total=1000)

    async def grow() -> None:
        app = ChartApp(curves)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            await pilot.pause()
            painted: list[Region] = []
            for piece in app.chart.children:
                note_painting(piece, painted)
            curves.poll()
            app.chart.refresh_chart()
            assert painted == []
            with EventLog(tmp_path / "events.jsonl") as log:
                add(log, 201, [0.375, 0.3])
            curves.poll()
            app.chart.refresh_chart()
            assert painted
            assert sum(region.area for region in painted) < WIDTH * HEIGHT / 8
            await pilot.pause()
            kept = app.lines()
            app.chart.query("*").refresh()
            await pilot.pause()
            assert app.lines() == kept, "painting everything shows nothing else"

    run(grow())
    lock.release()


def test_a_second_run_is_laid_over_the_first(tmp_path: Path) -> None:
    one = log_of(tmp_path / "one", [0.2] * 50, state="finished", step=50)
    two = log_of(tmp_path / "two", [0.8] * 90, state="finished", step=90)

    async def look() -> list[str]:
        app = ChartApp(one, two)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            await pilot.pause()
            app.chart.focus()
            await pilot.press("left")
            assert "two 0.8000" in app.lines()[0]
            return app.lines()

    lines = run(look())
    left, right = row_of(lines, GUTTER + 4), row_of(lines, WIDTH - 4)
    assert len(right) == 1
    assert right[0] in left
    assert max(left) > right[0], "the first run lies below, and ends earlier"


def test_a_log_axis_has_as_far_from_one_to_ten_as_from_ten_to_a_hundred() -> None:
    columns = [(value, value, value) for value in (1.0, 10.0, 100.0) for _ in range(40)]
    rows = draw(Chart(Span(0, 100), [Curve("raw", columns)], logarithmic=True), GUTTER + 60, 23)
    text = ["".join(sign for sign, _ in row) for row in rows]
    low, middle, high = (row_of(text, column)[0] for column in (GUTTER + 10, GUTTER + 30, GUTTER + 50))
    assert low - middle == middle - high > 5
    below = draw(Chart(Span(0, 100), [Curve("raw", [(-1.0, -1.0, -1.0)] * 120)], logarithmic=True), GUTTER + 60, 23)
    assert all(sign == " " for row in below for sign, _ in row)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0213, 0.0468), (-5.0, 1234.5), (1e-7, 3e-7), (999.0, 1001.0)])
@pytest.mark.parametrize("rows", [1, 4, 10, 50])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_an_axis_holds_its_values_between_few_round_ends(low: float, high: float, rows: int, logarithmic: bool) -> None:
    if logarithmic and low <= 0:
        low = 1e-3
    axis = y_axis(low, high, rows, logarithmic)
    ends = (10**axis.low, 10**axis.high) if logarithmic else (axis.low, axis.high)
    assert ends[0] <= low * (1 + 1e-6) + 1e-12 and ends[1] >= high * (1 - 1e-6)
    assert len(axis.ticks) <= max(rows, 4)
    assert axis.dot(high, 4 * rows) <= axis.dot(low, 4 * rows)  # type: ignore[operator]


def test_step_ticks_are_round_and_not_too_many() -> None:
    for last, width in ((1, 50), (23, 50), (750, 90), (100_000, 20), (2**31 - 1, 200)):
        ticks = step_ticks(Span(0, last), width)
        assert ticks[0] == 0
        assert len(ticks) <= width // 6 + 2
        assert all(tick % ticks[1] == 0 for tick in ticks) if len(ticks) > 1 else True


def test_a_tiny_chart_and_a_resize_end_nothing(tmp_path: Path) -> None:
    curves = log_of(tmp_path, [0.5, 0.25, 0.1] * 30)

    async def shrink() -> None:
        app = ChartApp(curves)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            for size in ((1, 1), (6, 3), (8, 2), (200, 60), (12, 5)):
                await pilot.resize_terminal(*size)
                await until(pilot, lambda size=size: app.size == size)  # type: ignore[misc]
                assert len(app.lines()) == size[1]

    run(shrink())


def test_a_label_of_wide_and_joined_letters_keeps_the_line_as_wide_as_it_is(tmp_path: Path) -> None:
    curves = log_of(tmp_path / ("中文" * 9 + "e\u0301"), [0.5] * 9, state="finished", step=9)
    other = log_of(tmp_path / "x", [0.5] * 9, state="finished", step=9)

    async def look() -> None:
        app = ChartApp(other, curves)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            for width in range(30, 60):
                await pilot.resize_terminal(width, HEIGHT)
                await until(pilot, lambda width=width: app.size.width == width)  # type: ignore[misc]
                app.chart.redraw()
                assert {strip.cell_length for strip in app.chart._strips} == {width}
                assert all(sum(s.cell_length for s in strip) == width for strip in app.chart._strips)

    run(look())


def test_a_trace_is_of_finite_values_only() -> None:
    assert trace([], 10) == trace([math.nan, math.inf], 10) == trace([1.0], 0) == ""
    assert trace([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8) == "▁▂▃▄▅▆▇█"
    assert trace([0.0, math.nan, 7.0, -math.inf], 8) == "▁█"
    assert trace([3.0] * 100, 4) == "▄▄▄▄"
    assert len(trace([step % 17 for step in range(1000)], 40)) == 40
    assert trace([-1.7e308, 1.7e308], 5) == "▁█"
