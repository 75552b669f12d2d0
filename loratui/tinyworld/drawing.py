"""A pen for bold flat icons, on a Pillow canvas.

An object is drawn within its own square [-1, 1] x [-1, 1] (x to the right, y down). The pen places that
square on the canvas, turned, mirrored and in the object's colour, filled or as an outline. What is drawn
with it is in `things`; where, and on what background, in `scenes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]
Tone = Literal["main", "dark", "light"] | RGB

WHITE: RGB = (250, 250, 250)
INK: RGB = (25, 25, 30)

_CIRCLE = tuple((math.cos(i * math.tau / 28), math.sin(i * math.tau / 28)) for i in range(28))


def mix(a: RGB, b: RGB, amount: float) -> RGB:
    """`a` moved towards `b` by `amount` in 0..1, channel by channel in sRGB."""
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def luminance(colour: RGB) -> float:
    """Rec. 601 luma of an sRGB colour, 0..255: enough to choose a light or a dark detail."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


@dataclass(frozen=True)
class Pen:
    """Draws in an object's own square onto a canvas. Lengths given to its methods are in half-squares."""

    canvas: ImageDraw.ImageDraw
    x: float  # canvas pixels: where the middle of the object's square goes
    y: float
    radius: float  # canvas pixels: half the side of that square
    turn: float  # radians, clockwise
    mirrored: bool
    colour: RGB
    ground: RGB  # what lies behind, roughly: chooses the tone of stems and poles
    outlined: bool = False

    def tone(self, tone: Tone) -> RGB:
        """The colour meant: the object's own, its shaded or lit side, or one given outright."""
        if tone == "main":
            return self.colour
        if tone == "dark":  # black cannot be shaded: its second tone is lighter
            return mix(self.colour, (0, 0, 0), 0.28) if luminance(self.colour) > 45 else mix(self.colour, WHITE, 0.22)
        if tone == "light":
            return mix(self.colour, (255, 255, 255), 0.38)
        return tone

    @property
    def ink(self) -> RGB:
        """A neutral that shows on the object: dark on light colours, light on dark ones."""
        return INK if luminance(self.colour) > 60 else (205, 205, 205)

    @property
    def pale(self) -> RGB:
        """A light neutral that shows on the object, white unless the object is white."""
        return WHITE if luminance(self.colour) < 225 else (175, 180, 190)

    @property
    def pole(self) -> RGB:
        """A neutral that shows on the ground, for thin parts."""
        return (60, 55, 55) if luminance(self.ground) > 95 else (205, 200, 195)

    def place(self, points: Sequence[Point]) -> list[Point]:
        """Points of the object's square as canvas pixels."""
        c, s = math.cos(self.turn) * self.radius, math.sin(self.turn) * self.radius
        m = -1.0 if self.mirrored else 1.0
        return [(self.x + c * m * px - s * py, self.y + s * m * px + c * py) for px, py in points]

    def polygon(self, points: Sequence[Point], tone: Tone = "main") -> None:
        """Fill a polygon; in an outlined drawing the object's own tones become lines around the ground's colour."""
        placed = self.place(points)
        if self.outlined and isinstance(tone, str):
            self.canvas.polygon(placed, fill=self.ground)
            self.canvas.line([*placed, placed[0], placed[1]], self.colour, max(5, round(self.radius * 0.11)), "curve")
        else:
            self.canvas.polygon(placed, fill=self.tone(tone))

    def oval(self, x: float, y: float, rx: float, ry: float, tone: Tone = "main", tilt: float = 0.0) -> None:
        """Fill an ellipse about (x, y), turned by `tilt` radians."""
        c, s = math.cos(tilt), math.sin(tilt)
        self.polygon([(x + rx * c * u - ry * s * v, y + rx * s * u + ry * c * v) for u, v in _CIRCLE], tone)

    def arc(self, x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
        """Points along an ellipse, from `start` to `end` degrees, clockwise from the right."""
        angles = [math.radians(start + (end - start) * i / 16) for i in range(17)]
        return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]

    def box(self, left: float, top: float, right: float, bottom: float, tone: Tone = "main") -> None:
        """Fill an upright rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], tone)

    def stroke(self, points: Sequence[Point], width: float, tone: Tone = "main") -> None:
        """A line of the given width through the points."""
        colour = self.colour if self.outlined and isinstance(tone, str) else self.tone(tone)
        self.canvas.line(self.place(points), colour, max(3, round(width * self.radius)), "curve")

    def eye(self, x: float, y: float, size: float) -> None:
        """A white eye with a dark pupil."""
        self.oval(x, y, size, size, WHITE)
        self.oval(x + size * 0.2, y, size * 0.55, size * 0.6, INK)
