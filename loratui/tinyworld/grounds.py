"""What is behind the things: plain and gradient grounds, a room, the open air."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from loratui.tinyworld.drawing import RGB, mix

WALLS: tuple[RGB, ...] = ((228, 214, 184), (198, 214, 216), (226, 206, 210))
FLOORS: tuple[RGB, ...] = ((168, 124, 84), (146, 132, 120))
SKY: RGB = (158, 212, 248)
GRASS: RGB = (142, 204, 104)


def jitter(colour: RGB, look: Random) -> RGB:
    """The colour, each channel up to five levels away."""
    return tuple(min(255, max(0, c + look.randint(-5, 5))) for c in colour)  # type: ignore[return-value]


def gradient(ground: RGB, wide: int, look: Random) -> Image.Image:
    """From the colour to a darker one (a lighter one, if it is dark), downwards or upwards; `wide` pixels square."""
    other = mix(ground, (0, 0, 0), 0.6) if sum(ground) > 300 else mix(ground, (255, 255, 255), 0.55)
    top, bottom = (ground, other) if look.random() < 0.5 else (other, ground)
    column = Image.new("RGB", (1, 2), top)
    column.putpixel((0, 1), bottom)
    ramp = column.resize((1, wide), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))
    return ramp.resize((wide, wide), Image.Resampling.NEAREST)


def outdoors(wide: int, look: Random) -> Image.Image:
    image = Image.new("RGB", (wide, wide), jitter(SKY, look))
    canvas = ImageDraw.Draw(image)
    horizon = look.uniform(0.62, 0.76) * wide
    grass = jitter(GRASS, look)
    if look.random() < 0.6:
        x, y, r = (look.choice((0.12, 0.88)) * wide, 0.13 * wide, 0.09 * wide)
        canvas.ellipse((x - r, y - r, x + r, y + r), (255, 238, 120))
    if look.random() < 0.5:
        x = look.uniform(0.1, 0.9) * wide
        canvas.ellipse((x - 120, horizon - 34, x + 120, horizon + 60), mix(grass, (60, 120, 60), 0.35))
    canvas.rectangle((0, horizon, wide, wide), grass)
    return image


def indoors(wide: int, look: Random) -> tuple[Image.Image, RGB]:
    wall = jitter(look.choice(WALLS), look)
    image = Image.new("RGB", (wide, wide), wall)
    canvas = ImageDraw.Draw(image)
    floor = look.uniform(0.72, 0.82) * wide
    canvas.rectangle((0, floor, wide, wide), jitter(look.choice(FLOORS), look))
    canvas.rectangle((0, floor - 7, wide, floor), mix(wall, (255, 255, 255), 0.6))
    left = look.choice((0.04, 0.68)) * wide
    kind = look.random()
    if kind < 0.5:  # a window
        canvas.rectangle((left, 16, left + 70, 96), (250, 250, 250))
        for x in (left + 7, left + 38):
            for y in (23, 59):
                canvas.rectangle((x, y, x + 25, y + 30), SKY)
    elif kind < 0.8:  # a picture
        canvas.rectangle((left, 20, left + 66, 76), (110, 80, 50))
        canvas.rectangle((left + 8, 28, left + 58, 68), (205, 195, 165))
    return image, wall
