"""When it was learned: expectations, losses, and learning against forgetting, as charts with their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from loratui.lab.report.article import Block, Code, Details, Figure, Paragraph, Table, Words, bare
from loratui.lab.report.chart import Chart, Line, share_axis, steps_axis, value_axis
from loratui.lab.report.material import Told
from loratui.lab.report.wording import badge, count, expectation, whereabouts
from loratui.lab.run.curves import PROBE, Curves, Span
from loratui.lab.run.story import number
from loratui.lab.scores.band import Band
from loratui.lab.scores.forgetting import Point, plane
from loratui.lab.scores.scores import ALL, Score

COLUMNS = 240
MOST_CURVES = 9  # before the fold
_KEYS = (("lora", "with the LoRA, with its 95 % interval"), ("base", "base model, from the same noise"))
_NOISE = ("noise", "from the lowest to the highest of its repeats with other training seeds")


def expectation_blocks(told: Told, band: Band) -> list[Block]:
    """Each expectation against steps, those of finished pictures first."""
    ordered = sorted(told.newest, key=lambda score: (score.place.inference_steps != told.length, score.name == ALL))
    curves = [(score, _curve(told, score)) for score in ordered]
    drawn = [(score, curve) for score, curve in curves if len(curve) > 1]
    if not drawn:
        if not told.newest:
            return []
        return [Paragraph("Pictures were measured at one checkpoint only, so there is no curve.", "note")]
    charts = [_chart(score, curve, band) for score, curve in drawn]
    noisy = any(line.role == "noise" for chart in charts for line in chart.lines)
    keys = (*_KEYS, _NOISE) if noisy else _KEYS
    caption = "How often the pictures of each checkpoint showed what was expected."
    if not noisy:
        caption += " There is no band of repeats: nothing was trained again with other seeds."
    tables = [_table(score, curve) for score, curve in drawn]
    name = f"{told.name or told.run.id}-expectations"
    blocks: list[Block] = [Figure(name, tuple(charts[:MOST_CURVES]), caption, tuple(tables[:MOST_CURVES]), keys)]
    if charts[MOST_CURVES:]:
        rest = Figure(f"{name}-more", tuple(charts[MOST_CURVES:]), caption, tuple(tables[MOST_CURVES:]), keys)
        blocks.append(Details(count(len(charts) - MOST_CURVES, "more curve"), (rest,)))
    return blocks


def _curve(told: Told, score: Score) -> tuple[Score, ...]:
    place = score.place
    return told.scores.curve(place.prompt, place.inference_steps, score.name, place.scale) if told.scores else ()


def _chart(score: Score, curve: Sequence[Score], band: Band) -> Chart:
    place = score.place
    share = lambda rate: rate.k / rate.n if rate.n else math.nan  # noqa: E731
    lines = []
    spreads = [(one, band.of(place.text, place.inference_steps, score.name, one.place.step)) for one in curve]
    noise = tuple((one.place.step, spread.low, spread.high) for one, spread in spreads if spread is not None)
    if noise:
        lines.append(Line("noise", band=noise))
    lines.append(
        Line(
            "lora",
            tuple((one.place.step, share(one.lora)) for one in curve),
            tuple((one.place.step, *one.lora.interval) for one in curve),
            dots=True,
        )
    )
    lines.append(Line("base", tuple((one.place.step, share(one.base)) for one in curve)))
    title = f"{bare(expectation(score))} · {bare(whereabouts(place, step=False))}"
    last = curve[-1]
    about = (f"Of the pictures at step {last.place.step}, {last.lora.words} with the LoRA, {last.base.words} without. "
             "All numbers are in the table below.")  # fmt: skip
    return Chart(title, about, steps_axis(last.place.step), share_axis("pictures"), tuple(lines), 150)


def _table(score: Score, curve: Sequence[Score]) -> Table:
    rows = tuple(
        (f"{one.place.step:,}", one.lora.words, one.base.words, f"{one.paired.p:.2g}", badge(one.verdict.verdict))
        for one in curve
    )
    caption: Words = (*expectation(score), " · ", *whereabouts(score.place, step=False))
    return Table(("step", "with the LoRA", "base", "p", "suggested"), rows, caption, frozenset({0, 3}))


# -- losses -----------------------------------------------------------------------------------------------------------


def loss_blocks(told: Told) -> list[Block]:
    curves = Curves(told.run)
    try:
        curves.poll()
    except OSError as error:
        return [Paragraph(f"Its log cannot be read: {error.strerror}", "warning")]
    if not curves.reach:
        return [Paragraph("It has logged no losses.", "note")]
    charts, rows = [], list(_loss_rows(curves))
    if curves.count():
        charts.append(_loss_chart(curves))
    if curves.count(PROBE):
        charts.append(_probe_chart(curves))
    bad = sorted(step for step, kind in curves.marks if kind == "nan")
    blocks: list[Block] = []
    if bad:
        blocks.append(
            Paragraph(f"The loss was no number at step {bad[0]:,}: nothing after that can be trusted.", "warning")
        )
    caption = (
        "The loss of each step is mostly the luck of its noise: the band is its range, the line its smoothed course. "
        "The probe is the loss on the same noise and timesteps each time, so that two steps can be compared. Neither "
        "tells what was learned."
    )
    table = Table(("step", "loss", "smoothed", "probe"), tuple(rows), "Losses", frozenset({0, 1, 2, 3}))
    keys = (("raw", "range of the loss"), ("lora", "smoothed loss; probe"))
    return [*blocks, Figure(f"{told.name or told.run.id}-losses", tuple(charts), caption, (table,), keys)]


def _loss_chart(curves: Curves) -> Chart:
    span = Span(0, max(1, curves.reach))
    at = [edge + (span.last - span.first) / COLUMNS / 2 for edge in span.edges(COLUMNS)]
    raw = [(x, box[0], box[1]) for x, box in zip(at, curves.envelope("loss", COLUMNS, span), strict=True) if box]
    smooth = [(x, y) for x, y in zip(at, curves.line("smoothed", COLUMNS, span), strict=True) if y is not None]
    # A few steps of bad luck would leave nothing of the rest.
    tops = sorted(high for _, _, high in raw)
    top = tops[int(0.97 * (len(tops) - 1))] if tops else 1.0
    axis = value_axis("loss", [top, *(y for _, y in smooth)], from_zero=True)
    last = smooth[-1][1] if smooth else math.nan
    about = f"The smoothed loss ends at {number(last)}, at step {curves.last_step:,}."
    lines = (Line("raw", band=tuple(raw)), Line("lora", tuple(smooth)))
    return Chart("loss", about, steps_axis(span.last), axis, lines, 170)


def _probe_chart(curves: Curves) -> Chart:
    steps, values = curves.points(PROBE)
    thin = max(1, len(steps) // COLUMNS)
    points = tuple(zip(steps[::thin], values[::thin], strict=True))
    about = f"From {number(values[0])} at step {steps[0]:,} to {number(values[-1])} at step {steps[-1]:,}."
    axis = value_axis("probe loss", [value for _, value in points], from_zero=True)
    return Chart("probe loss", about, steps_axis(max(1, curves.reach)), axis, (Line("lora", points),), 170)


def _loss_rows(curves: Curves) -> Iterator[tuple[str, ...]]:
    """A few steps, spread evenly."""
    last, many = curves.reach, 10
    seen: set[int] = set()
    for index in range(many + 1):
        found = [curves.at(name, last * index / many) for name in ("loss", "smoothed", PROBE)]
        at = next((point[0] for point in found if point is not None), None)
        if at is not None and at not in seen:
            seen.add(at)
            yield (f"{at:,}", *("–" if point is None else number(point[1]) for point in found))


# -- learning against forgetting --------------------------------------------------------------------------------------


def plane_blocks(told: Told) -> list[Block]:
    points = plane(told.scores) if told.scores is not None else ()
    if not points:
        return []
    known = [point for point in points if point.forgetting is not None and point.learning.n]
    if not known:
        return [Paragraph((("What it forgets cannot be told: no unrelated prompt and no empty one was drawn. A "
                           "[[sample.prompt]] with "), Code('text = ""'), " would do.", ), "note")]  # fmt: skip
    dots = tuple((point.learning.k / point.learning.n, point.forgetting or 0.0) for point in known)
    names = [(*dots[0], f"step {known[0].step:,}")]
    if len(known) > 1:
        names.append((*dots[-1], f"step {known[-1].step:,}"))
    ranges = [Line("faint", tuple((end, y) for end in point.learning.interval))
              for point, (_, y) in zip(known, dots, strict=True)]  # fmt: skip
    farthest = max(y for _, y in dots)
    chart = Chart(
        "checkpoint by checkpoint",
        f"From step {known[0].step:,} to {known[-1].step:,}: the share of trained pictures with all that was expected "
        f"goes from {100 * dots[0][0]:.0f} to {100 * dots[-1][0]:.0f} %, the change of other prompts from "
        f"{dots[0][1]:.3f} to {dots[-1][1]:.3f}.",
        replace(share_axis("pictures of trained tags that show all that was expected"), low=-0.05),
        value_axis("how far pictures of other prompts moved", [0.0, farthest * 1.15], from_zero=True),
        (*ranges, Line("lora", dots, dots=True, names=tuple(names))),
        220,
    )
    rows = tuple(_plane_row(point) for point in points)
    table = Table(("step", "all that was expected", "base", "others moved", "trained moved", "specificity"), rows,
                  "Learning and forgetting by checkpoint", frozenset({0, 3, 4, 5}))  # fmt: skip
    caption = (
        "Each dot is a checkpoint. To the right: the share of pictures of trained tags that show all that was "
        "expected; the faint lines are its 95 % intervals. Up: how far pictures of unrelated and empty prompts have "
        "moved from the base model's (RMSE over all pixels, 0 to 1). A LoRA that learns without forgetting goes right "
        "along the bottom."
    )
    return [Figure(f"{told.name or told.run.id}-plane", (chart,), caption, (table,))]


def _plane_row(point: Point) -> tuple[str, ...]:
    def short(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    specific = "–" if point.specificity is None else f"{point.specificity:.2f}"
    return (f"{point.step:,}", point.learning.words, point.base.words, short(point.forgetting), short(point.wanted),
            specific)  # fmt: skip
