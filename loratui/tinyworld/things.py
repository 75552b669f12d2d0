"""The shapes of things: how an apple, a deer or a chair is drawn as a bold, distinct silhouette.

One function an object, drawing with a pen within the square [-1, 1] x [-1, 1]. An object has several
looks: proportions and details come from the random source it is given. Most of it is in the pen's own
colour; eyes, wheels, stems and windows are small and neutral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from loratui.tinyworld.drawing import INK, RGB, WHITE, Pen, Point, Tone, luminance, mix

TRUNK: RGB = (110, 72, 40)
LEAF: RGB = (40, 120, 50)
GLASS: RGB = (190, 222, 240)
SANTA_RED: RGB = (215, 25, 35)


def circle(pen: Pen, look: Random) -> None:
    pen.oval(0, 0, 0.95, 0.95)


def square(pen: Pen, look: Random) -> None:
    pen.box(-0.86, -0.86, 0.86, 0.86)


def triangle(pen: Pen, look: Random) -> None:
    pen.polygon([(0, -0.95), (1, 0.8), (-1, 0.8)])


def star(pen: Pen, look: Random) -> None:
    inner = look.uniform(0.38, 0.46)
    radii = [1.05 if i % 2 == 0 else inner for i in range(10)]
    angles = [math.pi * (i / 5 - 0.5) for i in range(10)]
    pen.polygon([(r * math.cos(a), r * math.sin(a) + 0.06) for r, a in zip(radii, angles, strict=True)])


def heart(pen: Pen, look: Random) -> None:
    angles = [i * math.tau / 36 for i in range(36)]
    height = [13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a) for a in angles]
    pen.polygon([(math.sin(a) ** 3, -h / 16 - 0.1) for a, h in zip(angles, height, strict=True)])


def monster(pen: Pen, look: Random) -> None:
    kind, eyes = look.randrange(3), look.choice((1, 2, 2, 3))
    for side in (-1, 1):
        pen.polygon([(side * 0.3, -0.55), (side * 0.68, -0.35), (side * 0.72, -1.05)], "dark")  # horns
        pen.oval(side * 0.36, 0.85, 0.26, 0.17, "dark")  # feet
        pen.polygon([(side * 0.6, -0.05), (side * 1.02, -0.22), (side * 0.98, 0.12), (side * 0.6, 0.35)], "dark")
    if kind == 0:  # furry ball
        teeth = [(0.86 if i % 2 else 0.72, i * math.tau / 32) for i in range(32)]
        pen.polygon([(r * math.cos(a), r * math.sin(a) + 0.05) for r, a in teeth])
    elif kind == 1:  # hooded
        pen.polygon([*pen.arc(0, 0, 0.75, 0.78, 180, 360), (0.78, 0.85), (-0.78, 0.85)])
    else:  # pear
        pen.polygon([*pen.arc(0, -0.15, 0.62, 0.6, 190, 350), *pen.arc(0, 0.3, 0.84, 0.56, -10, 190)])
    size = (0.3, 0.22, 0.17)[eyes - 1]
    for i in range(eyes):
        pen.eye((i - (eyes - 1) / 2) * size * 2.15, -0.25, size)
    pen.polygon([(-0.5, 0.18), (0.5, 0.18), *pen.arc(0, 0.2, 0.5, 0.42, 0, 180)], INK)
    for x in (-0.3, 0.0, 0.3):
        pen.polygon([(x - 0.15, 0.18), (x + 0.15, 0.18), (x, 0.42)], WHITE)


def apple(pen: Pen, look: Random) -> None:
    width, lean = look.uniform(0.52, 0.6), look.uniform(-0.05, 0.2)
    outline = [*pen.arc(-0.36, -0.02, width, 0.55, 125, 330), *pen.arc(0.36, -0.02, width, 0.55, 210, 415)]
    pen.polygon(
        [*outline, (0.62, 0.62), (0.36, 0.9), (0.14, 0.93), (0, 0.86), (-0.14, 0.93), (-0.36, 0.9), (-0.62, 0.62)]
    )
    pen.stroke([(0, -0.3), (0.02, -0.6), (lean, -0.95)], 0.15, TRUNK if pen.ground != TRUNK else pen.pole)
    if look.random() < 0.8:
        pen.oval(0.42, -0.76, 0.34, 0.16, LEAF, -0.4)
    if look.random() < 0.5:
        pen.oval(-0.55, -0.1, 0.11, 0.22, "light" if pen.ink == INK else pen.ink, 0.3)


def cube(pen: Pen, look: Random) -> None:
    tall = look.uniform(0.9, 1.05)
    top, bottom = -0.95, -0.95 + 2 * tall
    pen.polygon([(0, top), (0.88, top + 0.45), (0, top + 0.9), (-0.88, top + 0.45)], "light")
    pen.polygon([(-0.88, top + 0.45), (0, top + 0.9), (0, bottom), (-0.88, bottom - 0.45)])
    shade: Tone = mix(pen.colour, (0, 0, 0), 0.42)
    pen.polygon(
        [(0.88, top + 0.45), (0, top + 0.9), (0, bottom), (0.88, bottom - 0.45)], "dark" if pen.outlined else shade
    )


def cup(pen: Pen, look: Random) -> None:
    if look.random() < 0.6:  # a mug
        narrow = look.uniform(0, 0.12)
        pen.stroke(pen.arc(0.5, 0.1, 0.45, 0.4, -90, 90), 0.2)
        pen.polygon(
            [(-0.85, -0.65), (0.5, -0.65), (0.5 - narrow, 0.8), *pen.arc(-0.175, 0.8, 0.675 - narrow, 0.15, 0, 180)]
        )
        rim = -0.175
    else:  # a teacup on its saucer
        pen.oval(-0.1, 0.75, 0.9, 0.17, "dark")
        pen.stroke(pen.arc(0.55, -0.1, 0.38, 0.3, -90, 110), 0.17)
        pen.polygon([(-0.85, -0.6), (0.65, -0.6), *pen.arc(-0.1, -0.6, 0.75, 1.35, 0, 180)])
        rim = -0.1
    pen.oval(rim, -0.63, 0.7, 0.2, "light")
    pen.oval(rim, -0.6, 0.55, 0.12, (70, 45, 35))


def antlers(pen: Pen, x: float, y: float, spread: float) -> None:
    """A pair of branching antlers growing up from (x, y)."""
    for side in (-1, 1):
        at = x + side * 0.08
        pen.stroke([(at, y), (at + side * spread, y - 0.28), (at + side * spread * 1.15, y - 0.66)], 0.1, pen.pole)
        pen.stroke([(at + side * spread * 0.7, y - 0.2), (at + side * spread * 0.35, y - 0.52)], 0.09, pen.pole)
        pen.stroke([(at + side * spread, y - 0.28), (at + side * spread * 2, y - 0.45)], 0.09, pen.pole)


def santa_hat(pen: Pen, x: float, y: float, size: float, tone: Tone) -> None:
    """A pointed hat with a trim and a bobble; (x, y) is the middle of its brim, `size` half its width."""
    pen.polygon([(x - size, y), (x - size * 0.3, y - size * 1.35), (x + size * 1.25, y - size * 1.0),
                 (x + size * 0.7, y - size * 0.75), (x + size, y)], tone)  # fmt: skip
    trim = WHITE if luminance(pen.ground) < 225 and luminance(pen.tone(tone)) < 225 else (222, 226, 232)
    pen.oval(x, y, size * 1.12, size * 0.27, trim)
    pen.oval(x + size * 1.2, y - size * 0.85, size * 0.32, size * 0.32, trim)


def deer(pen: Pen, look: Random, extras: Sequence[str] = ()) -> None:
    nose: RGB = SANTA_RED if "red nose" in extras else INK
    bulge = 0.2 if "red nose" in extras else 0.1
    if look.random() < 0.7:  # standing, from the side
        leg, back = look.uniform(0.15, 0.19), look.uniform(-0.02, 0.08)
        for x, tone in ((-0.72, "dark"), (-0.5, "main"), (0.1, "dark"), (0.3, "main")):
            pen.polygon([(x - leg / 2, 0.4), (x + leg / 2, 0.4), (x + leg / 2.6, 1), (x - leg / 2.6, 1)], tone)  # type: ignore[arg-type]
        pen.polygon([(0.05, 0.3), (0.3, -0.35), (0.62, -0.3), (0.46, 0.45)])
        pen.oval(-0.2, 0.3 + back / 2, 0.68, 0.3)
        pen.oval(-0.88, 0.14, 0.13, 0.1, pen.pale, 0.6)
        antlers(pen, 0.42, -0.42, 0.24)
        pen.oval(0.58, -0.3, 0.33, 0.19, "main", 0.3)
        pen.oval(0.2, -0.38, 0.16, 0.08, "dark", 0.3)
        pen.oval(0.52, -0.35, 0.065, 0.065, pen.ink)
        pen.oval(0.87, -0.2, bulge, bulge, nose)
        if "santa hat" in extras:
            santa_hat(pen, 0.4, -0.48, 0.3, SANTA_RED)
    else:  # the face, from the front
        antlers(pen, 0, -0.2, 0.36)
        for side in (-1, 1):
            pen.oval(side * 0.6, -0.12, 0.28, 0.13, "dark", side * -0.35)
        pen.polygon(
            [*pen.arc(0, 0, 0.5, 0.4, 180, 360), (0.27, 0.75), *pen.arc(0, 0.72, 0.27, 0.26, 0, 180), (-0.27, 0.75)]
        )
        for side in (-1, 1):
            pen.oval(side * 0.24, 0.02, 0.1, 0.12, pen.ink)
        pen.oval(0, 0.72, 0.09 + bulge * 0.8, 0.06 + bulge * 0.8, nose)
        if "santa hat" in extras:
            santa_hat(pen, 0, -0.3, 0.42, SANTA_RED)


def hat(pen: Pen, look: Random, extras: Sequence[str] = ()) -> None:
    if "santa hat" in extras:
        santa_hat(pen, -0.1, 0.6, 0.78, "main")
        return
    kind = look.randrange(3)
    if kind == 0:  # top hat
        wide = look.uniform(0.52, 0.6)
        pen.oval(0, 0.66, 1, 0.24)
        pen.polygon([(-wide - 0.06, -0.8), (wide + 0.06, -0.8), (wide, 0.68), *pen.arc(0, 0.68, wide, 0.14, 0, 180)])
        pen.oval(0, -0.8, wide + 0.06, 0.12, "dark")
        pen.polygon(
            [(-wide, 0.25), (wide, 0.25), (wide, 0.55), *pen.arc(0, 0.55, wide, 0.14, 0, 180), (-wide, 0.55)], pen.ink
        )
    elif kind == 1:  # cap
        pen.polygon([(-0.85, 0.4), *pen.arc(-0.15, 0.35, 0.7, 0.9, 180, 360), (0.55, 0.4)])
        pen.polygon([(-0.1, 0.28), (0.5, 0.2), *pen.arc(0.55, 0.42, 0.5, 0.2, -70, 100), (-0.1, 0.5)], "dark")
        pen.oval(-0.15, -0.55, 0.11, 0.07, "dark")
    else:  # wide-brimmed, with a ribbon
        pen.oval(0, 0.42, 1.05, 0.3)
        pen.polygon(
            [(-0.55, 0.4), *pen.arc(0, -0.1, 0.5, 0.5, 190, 350), (0.55, 0.4), *pen.arc(0, 0.4, 0.55, 0.15, 0, 180)]
        )
        pen.polygon([(-0.53, 0.12), (0.53, 0.12), (0.55, 0.4), *pen.arc(0, 0.38, 0.55, 0.15, 0, 180)], pen.pale)


def car(pen: Pen, look: Random) -> None:
    kind = look.randrange(3)
    if kind == 0:  # saloon
        pen.polygon([(-0.55, 0.05), (-0.35, -0.5), (0.28, -0.5), (0.58, 0.05)])
        pen.polygon([(-1, 0.05), (0.9, 0.02), (1.02, 0.2), (1.02, 0.45), (-1.02, 0.45)])
        panes = [(-0.4, 0.02, -0.27, -0.38, -0.05), (0.05, 0.02, 0.05, -0.38, 0.22)]
    elif kind == 1:  # van
        pen.polygon([(-1, -0.6), (0.6, -0.6), (0.85, -0.05), (1.02, 0.05), (1.02, 0.48), (-1, 0.48)])
        panes = [(-0.85, -0.05, -0.85, -0.45, -0.3), (0.15, -0.05, 0.15, -0.45, 0.52)]
    else:  # beetle
        pen.polygon([*pen.arc(0, 0.3, 0.78, 0.85, 180, 360), (0.95, 0.25), (1.02, 0.48), (-1.02, 0.48), (-0.95, 0.25)])
        panes = [(-0.5, 0.02, -0.35, -0.35, -0.05), (0.06, 0.02, 0.06, -0.35, 0.35)]
    for left, bottom, top_left, top, top_right in panes:
        right = top_right + (0.15 if left > 0 else 0)
        pen.polygon([(left, bottom), (top_left, top), (top_right, top), (right, bottom)], GLASS)
    for x in (-0.55, 0.55):
        pen.oval(x, 0.48, 0.27, 0.27, pen.pole if pen.ground == pen.colour else INK)
        pen.oval(x, 0.48, 0.13, 0.13, (190, 190, 195))
    pen.oval(0.93, 0.2, 0.09, 0.08, (255, 240, 170))


def house(pen: Pen, look: Random) -> None:
    wide, eaves = look.uniform(0.68, 0.8), look.uniform(-0.15, 0.0)
    if look.random() < 0.6:
        pen.box(0.35, -0.85, 0.58, -0.2, "dark")
    pen.box(-wide, eaves, wide, 0.9)
    pen.polygon([(-1, eaves + 0.05), (0, -1), (1, eaves + 0.05)], "dark")
    pane = GLASS if luminance(pen.colour) < 225 else (130, 170, 200)
    if look.random() < 0.5:
        pen.box(-0.17, 0.3, 0.17, 0.9, pen.ink)
        for x in (-0.48, 0.48):
            pen.box(x - 0.16, 0.2, x + 0.16, 0.5, pane)
    else:
        pen.box(-0.5, 0.3, -0.14, 0.9, pen.ink)
        pen.box(0.12, 0.25, 0.55, 0.6, pane)


def tree(pen: Pen, look: Random) -> None:
    trunk = TRUNK if pen.ground[0] > 140 or pen.ground[2] > 100 or luminance(pen.ground) < 40 else pen.pole
    pen.polygon([(-0.13, 0.2), (0.13, 0.2), (0.19, 1), (-0.19, 1)], trunk)
    kind = look.randrange(3)
    if kind == 0:  # leafy: a cloud of leaves
        for x, y, r in (
            (-0.45, 0.05, 0.43),
            (0.45, 0.05, 0.43),
            (-0.25, -0.45, 0.43),
            (0.28, -0.45, 0.43),
            (0, -0.1, 0.5),
        ):
            pen.oval(x, y, r, r)
        for x, y in ((-0.35, -0.4), (0.3, -0.05), (-0.2, 0.2)):
            pen.oval(x, y, 0.13, 0.08, "dark")
    elif kind == 1:  # a fir
        for y, w, tone in ((0.6, 0.85, "dark"), (0.12, 0.68, "main"), (-0.35, 0.5, "main")):
            pen.polygon([(-w, y), (0, y - 0.72), (w, y)], tone)  # type: ignore[arg-type]
    else:  # a poplar with boughs
        pen.oval(0, -0.3, 0.55, 0.78)
        pen.stroke([(0, 0.4), (0, -0.2)], 0.1, trunk)
        pen.stroke([(-0.25, -0.25), (0, 0.05), (0.25, -0.15)], 0.08, trunk)


def flower(pen: Pen, look: Random) -> None:
    petals = look.choice((5, 6, 8))
    green = LEAF if pen.ground[1] < 140 or pen.ground[0] > 100 else pen.pole
    pen.stroke([(0, 0), (0.04, 0.5), (0, 1.02)], 0.13, green)
    pen.oval(0.28, 0.75, 0.28, 0.11, green, -0.5)
    pen.oval(-0.26, 0.85, 0.26, 0.11, green, 0.5)
    long = 0.3 if petals < 8 else 0.28
    for i in range(petals):
        a = (i + 0.5) * math.tau / petals
        pen.oval(0.42 * math.cos(a), 0.42 * math.sin(a) - 0.3, long, 0.82 / petals + 0.08, "main", a)
    pen.oval(0, -0.3, 0.23, 0.23, (250, 205, 40) if pen.colour[2] > 90 or pen.colour[1] < 130 else (90, 50, 25))


def fish(pen: Pen, look: Random) -> None:
    tall = look.uniform(0.42, 0.58)
    fork = look.uniform(0.65, 0.8)
    pen.polygon([(-0.45, 0), (-1.02, -0.5), (-1 + 0.35 * (0.9 - fork), 0), (-1.02, 0.5)], "dark")
    pen.polygon([(-0.25, -tall * 0.8), (0.0, -tall - 0.32), (0.35, -tall * 0.7)], "dark")
    pen.polygon([(-0.1, tall * 0.8), (-0.12, tall + 0.25), (0.2, tall * 0.8)], "dark")
    pen.polygon([*pen.arc(0.2, 0, 0.78, tall, -120, 120), (-0.7, 0)])
    if look.random() < 0.5:
        for x in (-0.2, 0.15):
            pen.polygon([(x, -tall * 0.8), (x + 0.16, -tall * 0.85), (x + 0.16, tall * 0.85), (x, tall * 0.8)], "light")
    else:
        pen.polygon([(-0.1, 0.05), (0.25, 0.0), (-0.15, 0.32)], "dark")
    pen.eye(0.62, -0.12, 0.15)


def bird(pen: Pen, look: Random) -> None:
    beak: RGB = (245, 150, 20) if pen.colour[2] > 60 or pen.colour[1] < 100 else (110, 70, 30)
    if look.random() < 0.6:  # standing
        for x in (-0.05, 0.22):
            pen.stroke([(x, 0.5), (x, 0.95), (x + 0.16, 0.97)], 0.08, pen.pole)
        pen.polygon([(-0.45, 0.0), (-1.05, -0.15), (-0.95, 0.2), (-0.4, 0.45)], "dark")
        pen.polygon([(0.75, -0.62), (1.1, -0.48), (0.75, -0.34)], beak)
        pen.oval(0, 0.15, 0.62, 0.48, "main", -0.35)
        pen.oval(0.48, -0.48, 0.36, 0.36)
        pen.oval(-0.15, 0.15, 0.4, 0.22, "dark", -0.1)
        pen.eye(0.58, -0.54, 0.12)
    else:  # flying
        lift = look.uniform(0.85, 1.0)
        pen.polygon([(-0.3, 0.1), (-0.05, -lift + 0.1), (0.2, -lift), (0.38, 0.05)], "dark")
        pen.polygon([(-0.45, 0.1), (-1.05, -0.1), (-0.9, 0.15), (-1.05, 0.4), (-0.45, 0.35)], "dark")
        pen.polygon([(0.85, 0.0), (1.12, 0.15), (0.82, 0.25)], beak)
        pen.oval(0, 0.2, 0.6, 0.3, "main", -0.08)
        pen.oval(0.6, 0.08, 0.3, 0.29)
        pen.polygon([(-0.35, 0.2), (-0.6, -lift + 0.15), (-0.3, -lift), (0.3, 0.2)])
        pen.eye(0.67, 0.02, 0.1)


def boat(pen: Pen, look: Random) -> None:
    pen.polygon([(-1, 0.4), (1, 0.4), (0.68, 0.88), (-0.72, 0.88)])
    kind = look.randrange(3)
    if kind < 2:  # a sailing boat
        pen.stroke([(-0.02, 0.42), (-0.02, -1)], 0.09, pen.pole)
        pen.polygon([(0.06, -0.95), (0.82, 0.25), (0.06, 0.25)], "light" if kind else "main")
        pen.polygon([(-0.1, -0.7), (-0.1, 0.25), (-0.72, 0.25)], "dark")
    else:  # a steamer
        pen.box(-0.6, 0.0, 0.55, 0.42, "light")
        pen.box(-0.1, -0.75, 0.25, 0.02, "dark")
        pen.box(-0.1, -0.55, 0.25, -0.35, pen.pale)
        for x in (-0.38, 0.0, 0.35):
            pen.oval(x, 0.2, 0.1, 0.1, pen.ink)


def book(pen: Pen, look: Random) -> None:
    paper: RGB = (248, 244, 228) if luminance(pen.ground) < 215 else (214, 206, 184)
    if look.random() < 0.55:  # closed, lying at a slant
        pen.polygon([(-0.62, 0.72), (0.55, 0.95), (0.9, 0.7), (0.85, -0.75), (-0.5, -0.9), (-0.78, -0.72)], "dark")
        pen.polygon([(-0.55, 0.66), (0.5, 0.86), (0.82, 0.62), (-0.3, 0.42)], paper)
        pen.polygon([(-0.78, -0.78), (-0.62, -0.95), (0.85, -0.78), (0.85, 0.55), (-0.55, 0.5), (-0.78, 0.62)])
        for y, right in ((-0.5, 0.6), (-0.22, 0.35)):
            pen.stroke([(-0.3, y - 0.06), (right, y)], 0.12, pen.pale)
        pen.stroke([(-0.55, -0.9), (-0.55, 0.5)], 0.07, "dark")
    else:  # open
        pen.polygon([(-1.05, -0.42), (0, -0.2), (1.05, -0.42), (1.05, 0.62), (0, 0.85), (-1.05, 0.62)])
        for side in (-1, 1):
            pen.polygon(
                [
                    (0, -0.3),
                    (side * 0.5, -0.62),
                    (side * 0.92, -0.52),
                    (side * 0.92, 0.36),
                    (side * 0.5, 0.28),
                    (0, 0.6),
                ],
                "light",
            )
            for y in (-0.28, -0.02):
                pen.stroke([(side * 0.2, y + 0.02), (side * 0.5, y - 0.14), (side * 0.76, y - 0.08)], 0.08, pen.ink)
        pen.stroke([(0, -0.3), (0, 0.82)], 0.09, "dark")


def mushroom(pen: Pen, look: Random) -> None:
    stem: RGB = (240, 228, 205) if luminance(pen.ground) < 190 else (222, 200, 160)
    wide = look.uniform(0.26, 0.34)
    pen.polygon([(-wide, 0), (wide, 0), (wide + 0.06, 0.8), *pen.arc(0, 0.82, wide + 0.06, 0.14, 0, 180)], stem)
    if look.random() < 0.7:  # domed
        pen.polygon([*pen.arc(0, 0.1, 0.98, 1.0, 180, 360), *pen.arc(0, 0.1, 0.98, 0.18, 0, 180)])
        spots: tuple[tuple[float, float, float], ...] = (
            (-0.5, -0.2, 0.17),
            (0.08, -0.5, 0.2),
            (0.55, -0.1, 0.15),
            (0.0, 0.0, 0.11),
        )
    else:  # bell-shaped
        pen.polygon(
            [
                (-0.85, 0.2),
                (-0.6, -0.4),
                *pen.arc(0, -0.5, 0.5, 0.48, 190, 350),
                (0.6, -0.4),
                (0.85, 0.2),
                *pen.arc(0, 0.2, 0.85, 0.14, 0, 180),
            ]
        )
        spots = ((-0.25, -0.5, 0.16), (0.3, -0.25, 0.17), (-0.4, 0.02, 0.14))
    for x, y, r in spots:
        pen.oval(x, y, r, r * 0.85, pen.pale)


def umbrella(pen: Pen, look: Random) -> None:
    ribs = look.choice((3, 4))
    pen.stroke([(0, -0.95), (0, 0.72), *pen.arc(0.18, 0.75, 0.18, 0.2, 180, 0)], 0.11, pen.pole)
    hem: list[Point] = []
    width = 2.0 / ribs
    for i in range(ribs):  # scallops from right to left
        hem += pen.arc(1 - width * (i + 0.5), 0.08, width / 2, 0.17, 360, 180)
    pen.polygon([*pen.arc(0, 0.08, 1, 0.93, 180, 360), *hem])
    for i in range(1, ribs):
        pen.stroke([(0, -0.85), ((1 - width * i) * 0.75, -0.35), (1 - width * i, 0.08)], 0.07, "dark")


def chair(pen: Pen, look: Random) -> None:
    slats = look.random() < 0.5
    for x in (-0.28, 0.66):
        pen.box(x, 0.15, x + 0.14, 0.82, "dark")
    pen.polygon([(-0.72, -1), (-0.56, -1), (-0.52, 1), (-0.68, 1)])
    pen.box(0.34, 0.2, 0.5, 1)
    if slats:
        pen.polygon([(-0.72, -1), (-0.56, -1), (-0.15, -0.85), (-0.12, -0.62), (-0.7, -0.75)])
        pen.polygon([(-0.7, -0.5), (-0.1, -0.4), (-0.08, -0.18), (-0.68, -0.25)])
        pen.polygon([(-0.26, -0.88), (-0.12, -0.84), (-0.06, 0.1), (-0.2, 0.1)])
    else:
        pen.polygon([(-0.74, -1), (-0.14, -0.86), (-0.06, 0.1), (-0.7, 0.15)])
    pen.polygon([(-0.7, 0.1), (-0.1, -0.05), (0.85, -0.02), (0.52, 0.3), (-0.68, 0.3)], "light")


def lamp(pen: Pen, look: Random) -> None:
    if look.random() < 0.65:  # a table lamp
        top = look.uniform(0.3, 0.42)
        pen.stroke([(0, 0.0), (0, 0.8)], 0.13, pen.pole)
        pen.polygon([(-0.5, 0.95), *pen.arc(0, 0.95, 0.5, 0.22, 180, 360)])
        pen.polygon([(-0.45, 0.15), (0.45, 0.15), (0.2, 0.32), (-0.2, 0.32)], (255, 225, 110))
        pen.polygon([(-top, -0.95), (top, -0.95), (0.88, 0.18), (-0.88, 0.18)])
        pen.polygon([(-0.8, 0.02), (0.8, 0.02), (0.88, 0.18), (-0.88, 0.18)], "dark")
    else:  # a desk lamp with a bent arm
        pen.stroke([(-0.3, 0.85), (-0.62, 0.1), (0.05, -0.6)], 0.15, pen.pole)
        pen.polygon([(-0.85, 0.98), *pen.arc(-0.3, 0.98, 0.55, 0.24, 180, 360)])
        pen.oval(0.52, -0.02, 0.24, 0.24, (255, 225, 110))
        pen.polygon([(-0.12, -0.72), (0.22, -0.95), (1.0, -0.28), (0.2, 0.3)])
        pen.oval(-0.62, 0.1, 0.13, 0.13, "dark")


DRAWERS: dict[str, Callable[..., None]] = {
    drawer.__name__: drawer
    for drawer in (
        *(circle, square, triangle, star, heart),
        *(monster, apple, cube, cup, deer, hat, car, house, tree, flower),
        *(fish, bird, boat, book, mushroom, umbrella, chair, lamp),
    )
}  # fmt: skip


def draw_thing(pen: Pen, name: str, look: Random, extras: Sequence[str] = ()) -> None:
    """Draw the object of that name with the pen; deer and hats can have extras."""
    if name in ("deer", "hat"):
        DRAWERS[name](pen, look, extras)
    else:
        DRAWERS[name](pen, look)
