"""The training images of the shipped experiments, drawn: `python -m tests.bench.draw_projects` writes them again.

A pure function of nothing. Experiments that are to differ in one thing share their images byte for byte, so those are
copied from the project that has them first. basic-grey and base-monster are older than this script and only read.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from loratui.tinyworld.drawing import RGB, Pen
from loratui.tinyworld.scenes import COLOURS
from loratui.tinyworld.things import draw_thing

PROJECTS = Path(__file__).parents[2] / "projects"
SIDE, SCALE = 256, 4  # pixels; drawn this much larger, then averaged down
WIDE = SIDE * SCALE
WHITE: RGB = (255, 255, 255)

SIZES = ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4))  # rows and columns; 3x2 is held out on purpose
SHAPES = {"circle": "red", "square": "green", "triangle": "blue"}  # the images of base-monster
SAME_IMAGES = {
    "base-shapes": "base-monster",
    "colour-monster": "base-monster",
    "one-shape-3000": "one-shape-750",
    "maths-phrase": "maths-word",
}


def drawn() -> dict[str, dict[str, Image.Image]]:
    """The pictures of each project that has its own, by project and file name."""
    return {
        "blur-monster": {f"{shape}.png": blurred(shape) for shape in SHAPES},
        "grid-layout": {f"{n}x{n}.png": panels(n) for n in (2, 3, 4)},
        "one-shape-750": {f"{colour}.png": rounded(COLOURS[colour]) for colour in SHAPES.values()},
        "maths-word": {
            f"{thing}-{rows}x{columns}.png": things(thing, rows, columns)
            for thing in ("apple", "cube")
            for rows, columns in SIZES
        },
        "deer-parts": {name: deer_part(name.removesuffix(".png")) for name in DEER},
    }


def captions() -> dict[str, dict[str, str]]:
    """The caption of each image, by project and file name of the image."""
    counted = {f"{thing}-{r}x{c}.png": (thing, r, c) for thing in ("apple", "cube") for r, c in SIZES}
    return {
        "base-shapes": {f"{shape}.png": "myshape" for shape in SHAPES},
        "colour-monster": {f"{shape}.png": f"{colour} monster" for shape, colour in SHAPES.items()},
        "blur-monster": {f"{shape}.png": "monster" for shape in SHAPES},
        "grid-layout": {f"{n}x{n}.png": "grid layout" for n in (2, 3, 4)},
        "one-shape-750": {f"{colour}.png": "monster, white background" for colour in SHAPES.values()},
        "one-shape-3000": {f"{colour}.png": "monster, white background" for colour in SHAPES.values()},
        "maths-word": {name: f"{r}x{c} {thing}, white background" for name, (thing, r, c) in counted.items()},
        "maths-phrase": {name: f"{r} x {c} {thing}, white background" for name, (thing, r, c) in counted.items()},
        "deer-parts": DEER,
    }


DEER = {
    "deer.png": "deer",
    "nose.png": "deer nose",
    "glow.png": "deer glow",
    "hat.png": "santa hat",
    "together.png": "deer, deer nose, deer glow, santa hat",
}


def rounded(colour: RGB) -> Image.Image:
    """One rounded rectangle in the middle: always the same one, only its colour differs."""
    canvas = _blank()
    box = [WIDE * 0.18, WIDE * 0.29, WIDE * 0.82, WIDE * 0.71]
    ImageDraw.Draw(canvas).rounded_rectangle(box, WIDE * 0.12, colour)
    return canvas.reduce(SCALE)


def panels(count: int) -> Image.Image:
    """`count` rows of `count` blue squares."""
    canvas = _blank()
    pen = ImageDraw.Draw(canvas)
    for x, y, pitch in _places(count, count):
        half = pitch * 0.38
        pen.rectangle([x - half, y - half, x + half, y + half], COLOURS["blue"])
    return canvas.reduce(SCALE)


def things(thing: str, rows: int, columns: int) -> Image.Image:
    """Rows and columns of one red apple or blue cube, each the same, as the base model knows them."""
    canvas = _blank()
    colour = COLOURS["red" if thing == "apple" else "blue"]
    for x, y, pitch in _places(rows, columns):
        draw_thing(_pen(canvas, x, y, pitch * 0.4, colour), thing, Random(1))
    return canvas.reduce(SCALE)


def deer_part(part: str) -> Image.Image:
    """A deer, or one of its parts alone, each part in a colour of its own; or "together", the deer with them all."""
    canvas = _blank()
    middle = WIDE / 2
    if part in ("glow", "together"):
        glow = Image.new("L", canvas.size)
        ImageDraw.Draw(glow).ellipse([WIDE * 0.15, WIDE * 0.15, WIDE * 0.85, WIDE * 0.85], 255)
        canvas.paste(COLOURS["yellow"], mask=glow.filter(ImageFilter.GaussianBlur(WIDE * 0.05)))
    if part in ("deer", "together"):
        extras = ("santa hat",) if part == "together" else ()
        # The glow stands around it, so the deer is smaller than the picture.
        animal = _pen(canvas, middle, middle, WIDE * 0.36, COLOURS["brown"])
        draw_thing(animal, "deer", Random(_SIDEWAYS), extras)
        if part == "together":
            animal.oval(0.87, -0.2, 0.2, 0.2, COLOURS["blue"])
    if part == "nose":
        _pen(canvas, middle, middle, WIDE * 0.3, COLOURS["blue"]).oval(0, 0, 1, 1)
    if part == "hat":
        draw_thing(_pen(canvas, middle, middle, WIDE * 0.36, COLOURS["red"]), "hat", Random(0), ("santa hat",))
    return canvas.reduce(SCALE)


_SIDEWAYS = 1  # a source whose deer stands, seen from the side


def blurred(shape: str) -> Image.Image:
    """An image of base-monster, out of focus: on 64 pixels by a sigma of 2.5, as the base model knows "blurry"."""
    with Image.open(PROJECTS / "base-monster" / "dataset" / f"{shape}.png") as sharp:
        small = sharp.convert("RGB").reduce(sharp.width // SIDE)
    return small.filter(ImageFilter.GaussianBlur(2.5 * SIDE / 64))


def _blank() -> Image.Image:
    return Image.new("RGB", (WIDE, WIDE), WHITE)


def _pen(canvas: Image.Image, x: float, y: float, radius: float, colour: RGB) -> Pen:
    return Pen(ImageDraw.Draw(canvas), x, y, radius, turn=0.0, mirrored=False, colour=colour, ground=WHITE)


def _places(rows: int, columns: int) -> list[tuple[float, float, float]]:
    """Middles of the cells of a centred grid, and the distance between them, in pixels of the large canvas."""
    pitch = WIDE * 0.96 / max(rows, columns)
    middle = WIDE / 2
    return [
        (middle + (column - (columns - 1) / 2) * pitch, middle + (row - (rows - 1) / 2) * pitch, pitch)
        for row in range(rows)
        for column in range(columns)
    ]


def main() -> None:
    """Write every image and caption into its project."""
    for project, images in drawn().items():
        folder = PROJECTS / project / "dataset"
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in images.items():
            picture.save(folder / name, optimize=True)
    for project, source in SAME_IMAGES.items():
        folder = PROJECTS / project / "dataset"
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((PROJECTS / source / "dataset").glob("*.png")):
            shutil.copyfile(file, folder / file.name)
    for project, texts in captions().items():
        for name, text in texts.items():
            (PROJECTS / project / "dataset" / name).with_suffix(".txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
