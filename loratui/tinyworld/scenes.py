"""The world the embedded base model knows: captioned 64x64 pictures of simple things.

`scene_at(seed, index)` is a pure function: the same pair is the same scene and the same caption, always.
About one combination in ten of colour, object and background colour is held out, so that a prompt can
ask for what the model never saw. How the things look is in `things`; nothing here trains anything.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from loratui.tinyworld.drawing import RGB, Pen
from loratui.tinyworld.grounds import GRASS, SKY, WALLS, gradient, indoors, jitter, outdoors
from loratui.tinyworld.things import draw_thing
from loratui.tinyworld.wording import pick, worded

SIZE = 64  # pixels, both ways
SCALE = 4  # drawn this much larger, then averaged down
WIDE = SIZE * SCALE

COLOURS: dict[str, RGB] = {
    "red": (222, 26, 34),
    "orange": (255, 138, 0),
    "yellow": (255, 226, 28),
    "green": (28, 158, 62),
    "blue": (30, 76, 222),
    "purple": (124, 40, 164),
    "pink": (255, 142, 196),
    "brown": (122, 70, 30),
    "gray": (134, 134, 134),
    "black": (18, 18, 20),
    "white": (252, 252, 252),
}
SHAPES = ("circle", "square", "triangle", "star", "heart")
THINGS = (
    *("monster", "apple", "cube", "cup", "deer", "hat", "car", "house", "tree", "flower"),
    *("fish", "bird", "boat", "book", "mushroom", "umbrella", "chair", "lamp"),
)
OBJECTS = SHAPES + THINGS
PLACES = ("indoor", "outdoor")
NUMBERS = ("one", "several", "many")
SIZES = ("normal", "small", "large")
POSITIONS = ("centre", "left", "right", "top", "bottom")
STYLES = ("filled", "outline", "blurry", "monochrome")
EXTRAS = {"deer": ("santa hat", "red nose"), "hat": ("santa hat",)}

FACTS: dict[str, tuple[str, ...]] = {
    "object": OBJECTS,
    "colour": tuple(COLOURS),
    "background": (*COLOURS, "gradient", *PLACES),
    "gradient_colour": tuple(COLOURS),
    "number": NUMBERS,
    "size": SIZES,
    "position": POSITIONS,
    "style": STYLES,
    "hat": ("santa hat",),
    "nose": ("red nose",),
}


@dataclass(frozen=True)
class Scene:
    """All that a picture depends on. `seed` drives looks and jitter and nothing that a caption can say."""

    object: str
    colour: str | None  # None in monochrome pictures: a gray object, its colour unnamed
    background: str  # a colour for a plain background, or "gradient", "indoor", "outdoor"
    background_colour: str | None  # of a plain or gradient background; None if there is none to name
    number: str  # "one", "several", "many"
    size: str  # "normal", "small", "large"
    position: str  # "centre", "left", "right", "top", "bottom"
    style: str  # "filled", "outline", "blurry", "monochrome"
    extras: tuple[str, ...]  # "santa hat", "red nose"
    seed: int


@dataclass(frozen=True)
class Captioned:
    """A caption, and exactly the facts it states (a subset of `facts(scene)`)."""

    text: str
    stated: dict[str, str]


def held_out(colour: str, object: str, background: str) -> bool:
    """Whether this triple (background: a colour name) is never trained on; about one in ten, fixed for ever."""
    return zlib.crc32(f"{colour} {object} on {background}".encode()) % 10 == 0


def lab(colour: RGB) -> tuple[float, float, float]:
    """CIELAB (D65) of an sRGB colour, by the formulas of IEC 61966-2-1 and CIE 15."""
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour))
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(a: RGB, b: RGB) -> float:
    """CIE 1976 colour difference of two sRGB colours."""
    return math.dist(lab(a), lab(b))


@cache
def contrasting(colour: str, background: str) -> bool:
    """Whether an object of this colour stands out; `background` is a colour, "indoor" or "outdoor"."""
    if background == "indoor":
        return all(distance(COLOURS[colour], wall) > 22 for wall in WALLS)
    if background == "outdoor":
        return all(distance(COLOURS[colour], part) > 28 for part in (SKY, GRASS))
    return distance(COLOURS[colour], COLOURS[background]) > 36


def allowed(colour: str, object: str, background: str, background_colour: str | None, hold_out: bool) -> bool:
    """Whether the world has this object in this colour there: it can be seen, and is not held out."""
    if background_colour is None:
        return contrasting(colour, background)
    return contrasting(colour, background_colour) and not (hold_out and held_out(colour, object, background_colour))


def random_scene(rng: np.random.Generator, *, hold_out: bool = True) -> Scene:
    """One scene of the world. With `hold_out` it is never one of the held-out triples."""
    core = rng.random() < 0.5  # one filled object on a plain background: what experiments are about
    number = "one" if core else _choose(rng, NUMBERS, (0.5, 0.28, 0.22))
    style = "filled" if core else _choose(rng, STYLES, (0.62, 0.13, 0.12, 0.13))
    kind = "plain" if core else _choose(rng, ("plain", "gradient", *PLACES), (0.25, 0.25, 0.25, 0.25))
    position = _choose(rng, POSITIONS, (0.84, 0.04, 0.04, 0.04, 0.04)) if number == "one" else "centre"
    size = _choose(rng, SIZES, (0.8, 0.1, 0.1)) if number == "one" and position == "centre" else "normal"
    while True:
        object = OBJECTS[rng.integers(len(OBJECTS))]
        colour = pick(rng, tuple(COLOURS))
        ground = "white" if rng.random() < 0.4 else pick(rng, tuple(COLOURS))
        if style == "monochrome":
            plain = "black" if rng.random() < 0.25 else "white"
            named = {"plain": plain}.get(kind)
            break
        named = ground if kind in ("plain", "gradient") else None
        if allowed(colour, object, kind, named, hold_out):
            break
    extras = tuple(extra for extra in EXTRAS.get(object, ()) if rng.random() < 0.15)
    if object == "hat" and rng.random() < 0.12:
        extras = ("santa hat",)
    return Scene(
        object=object,
        colour=None if style == "monochrome" else colour,
        background=(named or kind) if kind == "plain" else kind,
        background_colour=named,
        number=number,
        size=size,
        position=position,
        style=style,
        extras=extras,
        seed=int(rng.integers(2**31)),
    )


def plain_scene(object: str, colour: str, background: str, seed: int) -> Scene:
    """One filled object of normal size in the middle of a plain background: what the judges are shown."""
    return Scene(object, colour, background, background, "one", "normal", "centre", "filled", (), seed)


def scene_at(seed: int, index: int) -> tuple[Scene, Captioned]:
    """Scene and caption number `index` of the endless world `seed`: a pure function of the two."""
    rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, index, 0]))
    scene = random_scene(rng)
    return scene, captioned(scene, rng)


def facts(scene: Scene) -> dict[str, str]:
    """Everything in FACTS that is true of the scene, said or not."""
    true = {
        "object": scene.object,
        "background": scene.background,
        "number": scene.number,
        "size": scene.size,
        "position": scene.position,
        "style": scene.style,
    }
    if scene.colour is not None:
        true["colour"] = scene.colour
    if scene.background == "gradient" and scene.background_colour is not None:
        true["gradient_colour"] = scene.background_colour
    for extra in scene.extras:
        true["hat" if extra == "santa hat" else "nose"] = extra
    return true


# Pictures


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene, 64x64 RGB: a pure function of it."""
    look = Random(scene.seed)
    colour = jitter(COLOURS[scene.colour], look) if scene.colour else _gray(look)
    image, ground = _background(scene, look)
    canvas = ImageDraw.Draw(image)
    for x, y, radius in _spots(scene, look):
        pen = Pen(
            canvas,
            *(x * WIDE, y * WIDE, radius * WIDE),
            turn=look.uniform(-0.12, 0.12),
            mirrored=look.random() < 0.5,
            colour=colour,
            ground=ground,
            outlined=scene.style == "outline",
        )
        draw_thing(pen, scene.object, look, scene.extras)
    image = image.reduce(SCALE)
    if scene.style == "blurry":
        image = image.filter(ImageFilter.GaussianBlur(look.uniform(1.8, 2.6)))
    if scene.style == "monochrome":
        image = image.convert("L").convert("RGB")
    return image


def _spots(scene: Scene, look: Random) -> list[tuple[float, float, float]]:
    """Where the objects go: (x, y, half its side), as fractions of the picture."""
    if scene.number == "one":
        low, high = {"normal": (0.31, 0.38), "small": (0.16, 0.2), "large": (0.41, 0.45)}[scene.size]
        if scene.position != "centre":
            low, high = 0.2, 0.25
        radius = look.uniform(low, high)
        drift = min(0.05, max(0.01, 0.48 - radius))
        x, y = 0.5 + look.uniform(-drift, drift), 0.5 + look.uniform(-drift, drift)
        far = 0.48 - radius - look.uniform(0, 0.03)
        dx, dy = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}.get(scene.position, (0, 0))
        return [(x if not dx else 0.5 + dx * far, y if not dy else 0.5 + dy * far, radius)]
    several = scene.number == "several"
    wanted = look.choice((2, 3, 3, 4) if several else (6, 7, 8, 9, 10))
    radius = {2: 0.21, 3: 0.19, 4: 0.165}.get(wanted, 0.118)
    spots: list[tuple[float, float, float]] = []
    while len(spots) < wanted:
        tries = [(look.uniform(radius, 1 - radius), look.uniform(radius, 1 - radius)) for _ in range(6)]
        for x, y in tries:
            if all((x - a) ** 2 + (y - b) ** 2 > (2.05 * radius) ** 2 for a, b, _ in spots):
                spots.append((x, y, radius * look.uniform(0.88, 1.08)))
                break
        else:
            radius *= 0.98  # too crowded: smaller ones, until all fit
    return spots


def _background(scene: Scene, look: Random) -> tuple[Image.Image, RGB]:
    """The empty picture, WIDE x WIDE, and the colour that stands for it behind an object."""
    if scene.background == "outdoor":
        return outdoors(WIDE, look), SKY
    if scene.background == "indoor":
        return indoors(WIDE, look)
    ground = jitter(COLOURS[scene.background_colour], look) if scene.background_colour else (215, 215, 215)
    if scene.background != "gradient":
        return Image.new("RGB", (WIDE, WIDE), ground), ground
    return gradient(ground, WIDE, look), ground


def _gray(look: Random) -> RGB:
    level = look.randint(90, 165)
    return (level, level, level)


# Captions


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of the many captions of the scene."""
    return captioned(scene, rng).text


def captioned(scene: Scene, rng: np.random.Generator) -> Captioned:
    """One of the many captions of the scene, with the facts it states."""
    true = facts(scene)
    bare = plain_scene(scene.object, scene.colour or "", scene.background, scene.seed) == scene
    canonical = bare and scene.background in COLOURS and rng.random() < 0.4
    form = rng.random()
    if canonical:
        said = {"object", "colour", "background", "number"}
    elif form < 0.05:
        said = {"object", "number"}
    elif form < 0.065:
        said = {"colour"}
    elif form < 0.08:
        said = {"background", "gradient_colour"}
    else:
        chances = {"colour": 0.85, "background": 0.75, "gradient_colour": 0.9}
        said = {"object", "number"} | {fact for fact in true if rng.random() < chances.get(fact, 0.9)}
    stated = {fact: value for fact, value in true.items() if fact in said}
    for fact, silent in (("size", "normal"), ("style", "filled")):
        if stated.get(fact) == silent:
            del stated[fact]
    if stated.get("position") == "centre" and (scene.number != "one" or rng.random() > 0.06):
        del stated["position"]
    if "background" not in stated:
        stated.pop("gradient_colour", None)
    if not stated:  # a monochrome picture whose colour was to be named: name the thing instead
        stated = {"object": scene.object, "number": scene.number}
    return Captioned(worded(stated, rng, canonical), stated)


def _choose(rng: np.random.Generator, values: tuple[str, ...], chances: tuple[float, ...]) -> str:
    """One of the values, with these chances, which sum to one."""
    at = rng.random()
    for value, chance in zip(values, chances, strict=True):
        at -= chance
        if at < 0:
            return value
    return values[-1]
