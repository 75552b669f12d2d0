"""Charts are sound SVG, say what they show, and draw no line where there is no number."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from loratui.lab.report.chart import (
    Axis,
    Chart,
    Line,
    inline,
    nice_ticks,
    share_axis,
    standalone,
    steps_axis,
    strip,
    value_axis,
)
from loratui.lab.scores.statistics import Rate

SVG = "{http://www.w3.org/2000/svg}"


def chart(*lines: Line, title: str = "colour gray", about: str = "it rises") -> Chart:
    return Chart(title, about, steps_axis(100), share_axis("pictures"), lines)


def paths(drawn: str) -> list[str]:
    return re.findall(r'<path class="line [a-z]+" d="([^"]*)"', drawn)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, (0, 0.25, 0.5, 0.75, 1)), (0, 3000, (0, 1000, 2000, 3000)), (0, 0.06, (0, 0.02, 0.04, 0.06)),
     (0.3, 0.7, (0.3, 0.4, 0.5, 0.6, 0.7)), (5, 5, (5,)), (0, math.inf, (0,))],
)  # fmt: skip
def test_ticks_are_round_and_few(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("last", [1, 7, 150, 750, 3000, 9000, 123_457])
def test_a_steps_axis_names_its_last_step_and_no_other_close_to_it(last: int) -> None:
    ticks = [value for value, _ in steps_axis(last).ticks]
    assert ticks[-1] == last
    assert all(value < 0.9 * last for value in ticks[:-1])
    assert 2 <= len(ticks) <= 6


@pytest.mark.parametrize("values", [[], [math.nan], [2.0], [0.0], [-3.0, 4.0], [1e-9, 2e-9], [math.inf, 1.0]])
def test_an_axis_of_values_has_room_for_all_that_are_finite(values: list[float]) -> None:
    axis = value_axis("loss", values)
    assert axis.low < axis.high
    assert all(axis.low <= value <= axis.high for value in values if math.isfinite(value))


def test_a_chart_says_what_it_shows_in_words() -> None:
    root = ET.fromstring(standalone(chart(Line("lora", ((0, 0.1), (100, 0.9))), title="a <b> & c", about="from 10 %")))
    assert root.findtext(f"{SVG}title") == "a <b> & c"
    assert root.findtext(f"{SVG}desc") == "from 10 %"
    assert root.get("aria-labelledby") == "c-t c-d"


def test_what_is_no_number_interrupts_the_line_and_the_band() -> None:
    points = ((0, 0.1), (20, 0.2), (40, math.nan), (60, 0.4), (80, 0.5), (100, 0.6))
    band = tuple((x, y - 0.1, y + 0.1) for x, y in points)
    drawn = inline(chart(Line("lora", points, band)), "c")
    assert len(paths(drawn)) == 2
    assert drawn.count('class="band lora"') == 2
    assert "nan" not in drawn


def test_a_single_point_is_a_dot() -> None:
    drawn = inline(chart(Line("lora", ((100, 0.5),))), "c")
    assert paths(drawn) == []
    assert drawn.count('<circle class="dot lora"') == 1


def test_values_outside_the_axis_stay_inside_the_field() -> None:
    drawn = inline(chart(Line("lora", ((-50, -3.0), (900, 7.0)))), "c")
    [path] = paths(drawn)
    assert all(0 <= float(number) <= 1000 for number in re.findall(r"-?[\d.]+", path))


def test_a_standalone_chart_brings_its_colours_and_an_inline_one_does_not() -> None:
    one = chart(Line("lora", ((0, 0.1), (100, 0.9))))
    assert "<style>" in standalone(one) and "prefers-color-scheme" in standalone(one)
    assert "<style>" not in inline(one, "c")
    assert standalone(one) == standalone(one)


def test_a_strip_shows_both_rates_and_leaves_out_what_was_not_measured() -> None:
    drawn = strip(Rate(35, 39, 1), Rate(0, 0, 40))
    assert "LoRA 35/39" in drawn and "base 0/0" in drawn
    assert drawn.count("<circle") == 1
    assert 'cx="89.74%"' in drawn


def test_an_axis_knows_shares() -> None:
    assert [Axis("", 0, 4, ()).share(value) for value in (-1, 0, 1, 4, 9)] == [0, 0, 0.25, 1, 1]
