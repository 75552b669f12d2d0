"""Charts as SVG: lines with bands over a horizontal axis, drawn without any library.

Horizontal places are shares of the width, and texts keep their size however wide the chart is, so that one drawing
fits a phone and a page. Colours come from the page by the classes of the lines; `standalone` brings its own.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from loratui.lab.plain import plain
from loratui.lab.scores.statistics import Rate

TOP, BOTTOM = 10, 22  # pixels above and below the field
WIDE = 720  # pixels of a standalone chart
_INNER = 1000  # of the field's own coordinates
_EDGE, _HEAD = 12, 28  # pixels around a standalone chart, and for its title

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, which differ; ticks are values and their texts."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True)
class Line:
    """`role` is its class: lora, base, noise, raw, faint. Values that are not finite interrupt it.

    A band is the low and high value at each place. `names` stand beside points.
    """

    role: str
    points: tuple[Point, ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    dots: bool = False
    names: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True)
class Chart:
    """`title` and `about` are also what a screen reader says; from outside or not, they are escaped here."""

    title: str
    about: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = field(default=())
    height: int = 200  # pixels of the field


def nice_ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round values within the range, at most so many."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return (low,)
    rough = (high - low) / max(1, most - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * by for by in (1, 2, 2.5, 5, 10, 20) if (high - low) / (size * by) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    return tuple(step * n for n in range(first, first + most + 1) if step * n <= high + step * 1e-9)


def steps_axis(last: int) -> Axis:
    """Training steps from 0 on."""
    high = max(1, last)
    ticks = [tick for tick in nice_ticks(0, high) if tick == int(tick) and tick < 0.88 * high]
    return Axis("training step", 0, high, tuple((tick, f"{tick:,.0f}") for tick in (*ticks, high)))


def share_axis(label: str) -> Axis:
    """Shares of pictures."""
    return Axis(label, 0, 1, tuple((t / 4, f"{25 * t} %") for t in range(5)))


def value_axis(label: str, values: Sequence[float], from_zero: bool = False) -> Axis:
    """Numbers of any size, with room for all that are finite."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    low = min(0.0, low) if from_zero else low
    if high - low <= 1e-12 * max(abs(high), abs(low), 1e-9):
        low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
    ticks = nice_ticks(low, high)
    if len(ticks) > 1 and not from_zero:
        low = min(low, ticks[0])
    return Axis(label, low, high + 0.04 * (high - low), tuple((t, f"{t:.3g}") for t in ticks))


def inline(chart: Chart, id: str) -> str:
    """For a page that has the classes; as wide as its place."""
    return _svg(chart, id, "")


def standalone(chart: Chart) -> str:
    """A file of its own: light, or dark where its reader has it so."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _svg(chart, "c", _STYLE) + "\n"


def strip(lora: Rate, base: Rate) -> str:
    """Two rates with their intervals on a line from 0 to 100 %, the LoRA's above the base's."""
    parts = ['<svg class="strip" height="30" width="100%" role="img">',
             f"<title>{_text(f'LoRA {lora.words}; base {base.words}')}</title>"]  # fmt: skip
    parts += [f'<line class="grid" x1="{at}%" x2="{at}%" y1="0" y2="30"/>' for at in (0, 25, 50, 75, 100)]
    for role, rate, y in (("lora", lora, 9), ("base", base, 21)):
        if rate.n:
            low, high = (_percent(end) for end in rate.interval)
            parts.append(f'<line class="range {role}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
            parts.append(f'<circle class="dot {role}" cx="{_percent(rate.k / rate.n)}" cy="{y}" r="4.5"/>')
    return "".join([*parts, "</svg>"])


def _svg(chart: Chart, id: str, style: str) -> str:
    height = TOP + chart.height + BOTTOM
    naming = f'role="img" aria-labelledby="{id}-t {id}-d"'
    said = f'<title id="{id}-t">{_text(chart.title)}</title><desc id="{id}-d">{_text(chart.about)}</desc>'
    if not style:
        return f'<svg class="chart" width="100%" height="{height}" {naming}>{said}{_drawn(chart)}</svg>'
    wide, high = WIDE + 2 * _EDGE, height + _HEAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" {naming}>'
        f'{said}<style>{style}</style><rect class="paper" width="{wide}" height="{high}"/>'
        f'<text class="title" x="{_EDGE}" y="18">{_text(chart.title, 100)}</text>'
        # A field of its own, so that shares of the width are of this one.
        f'<svg x="{_EDGE}" y="{_HEAD}" width="{WIDE}" height="{height}" overflow="visible">{_drawn(chart)}</svg></svg>'
    )


def _drawn(chart: Chart) -> str:
    parts = _rules(chart)
    parts.append(f'<svg x="0" y="{TOP}" width="100%" height="{chart.height}" viewBox="0 0 {_INNER} {_INNER}" '
                 'preserveAspectRatio="none">')  # fmt: skip
    for line in chart.lines:
        parts += [_band(chart, part, line.role) for part in _whole(line.band) if len(part) > 1]
    for line in chart.lines:
        parts += [_path(chart, part, line.role) for part in _whole(line.points) if len(part) > 1]
    parts += ["</svg>", *_ticks(chart)]
    for line in chart.lines:
        parts += _dots(chart, line)
    return "".join(parts)


def _rules(chart: Chart) -> list[str]:
    heights = [f"{_y(chart, value):.1f}" for value, _ in chart.y.ticks]
    bottom = TOP + chart.height
    return [*(f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>' for y in heights),
            f'<line class="axis" x1="0" x2="100%" y1="{bottom}" y2="{bottom}"/>']  # fmt: skip


def _ticks(chart: Chart) -> list[str]:
    parts = [f'<text class="tick" x="0" y="{_y(chart, value) - 3:.1f}">{_text(text)}</text>'
             for value, text in chart.y.ticks]  # fmt: skip
    for value, text in chart.x.ticks:
        share = chart.x.share(value)
        anchor = "start" if share < 0.03 else "end" if share > 0.97 else "middle"
        parts.append(f'<text class="tick" x="{_percent(share)}" y="{TOP + chart.height + 15}" '
                     f'text-anchor="{anchor}">{_text(text)}</text>')  # fmt: skip
    return parts


def _dots(chart: Chart, line: Line) -> list[str]:
    parts = []
    whole = [(x, y) for x, y in line.points if math.isfinite(y)]
    if line.dots or len(whole) == 1:  # one point has no line
        for x, y in whole:
            parts.append(f'<circle class="dot {line.role}" cx="{_percent(chart.x.share(x))}" '
                         f'cy="{_y(chart, y):.1f}" r="3.2"/>')  # fmt: skip
    for x, y, text in line.names:
        share = chart.x.share(x)
        anchor, dx = ("end", -8) if share > 0.75 else ("start", 8)
        parts.append(f'<text class="name" x="{_percent(share)}" dx="{dx}" y="{_y(chart, y) - 6:.1f}" '
                     f'text-anchor="{anchor}">{_text(text)}</text>')  # fmt: skip
    return parts


def _whole(points: Sequence[tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    """Stretches without a hole."""
    grouped = itertools.groupby(points, key=lambda point: all(math.isfinite(value) for value in point))
    return [list(stretch) for finite, stretch in grouped if finite]


def _path(chart: Chart, points: Sequence[tuple[float, ...]], role: str) -> str:
    return f'<path class="line {role}" d="M{"L".join(_inner(chart, x, y) for x, y in points)}"/>'


def _band(chart: Chart, band: Sequence[tuple[float, ...]], role: str) -> str:
    there = [_inner(chart, x, high) for x, _, high in band]
    back = [_inner(chart, x, low) for x, low, _ in reversed(band)]
    return f'<path class="band {role}" d="M{"L".join([*there, *back])}Z"/>'


def _inner(chart: Chart, x: float, y: float) -> str:
    return f"{_INNER * chart.x.share(x):.1f} {_INNER * (1 - chart.y.share(y)):.1f}"


def _y(chart: Chart, value: float) -> float:
    return TOP + chart.height * (1 - chart.y.share(value))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _text(text: object, limit: int | None = None) -> str:
    return html.escape(plain(text, limit))


_STYLE = """
svg{--paper:#fdfcfa;--ink:#22211f;--muted:#66625b;--rule:#dedad2;--lora:#1c5fa8;--base:#8d6a2c;--noise:#7a5aa6;
font:13px system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#17181b;--ink:#e8e5df;--muted:#a5a199;--rule:#3a3b40;--lora:#7db3ee;
--base:#d0a660;--noise:#b79be0}}
.paper{fill:var(--paper)}text{fill:var(--muted)}.title{fill:var(--ink);font-weight:600}.name{fill:var(--ink)}
.grid{stroke:var(--rule)}.axis{stroke:var(--muted)}.line{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
.band{stroke:none;opacity:.18}.lora{stroke:var(--lora)}.base{stroke:var(--base)}.noise{stroke:var(--noise)}
.raw{stroke:var(--muted)}.faint{stroke:var(--lora);opacity:.35}.band.lora{fill:var(--lora)}.band.base{fill:var(--base)}
.band.noise{fill:var(--noise)}.band.raw{fill:var(--muted)}.line.base{stroke-dasharray:6 4}
.dot{stroke-width:1.5;fill:var(--lora)}.dot.base{fill:var(--paper)}
""".replace("\n", "")
