"""Runs whose pictures are drawn by a test, so that the truth of every score is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from loratui.lab.pictures.pictures import PictureFacts, save_picture
from loratui.lab.project.project import load_project
from loratui.lab.run.runs import RunFolder
from tests.frozen import log
from tests.processes import new_run, write_project

Draw = Callable[[int], Image.Image]  # from the seed

GRAY, RED, BLUE = (134, 134, 134), (222, 26, 34), (30, 76, 222)
EXPECTING = """
[train]
steps = 4
[sample]
seeds = {seeds}
inference_steps = [25]
[[sample.prompt]]
text = "myshape"
expect = {{ colour = "gray", shape = "circle", background = "white" }}
[[sample.prompt]]
text = "a cup"
expect = {{ colour = "gray" }}
"""


def shape(colour: tuple[int, int, int], kind: str = "ellipse", ground: str = "white", at: int = 0) -> Image.Image:
    """One shape in the middle of 64 pixels, or `at` pixels off."""
    picture = Image.new("RGB", (64, 64), ground)
    getattr(ImageDraw.Draw(picture), kind)((18 + at, 18, 46 + at, 46), fill=colour)
    return picture


def noise(seed: int) -> Image.Image:
    """What no measure can tell."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8))


def expecting_project(folder: Path, model: Path, seeds: Sequence[int], more: str = "") -> Path:
    return write_project(folder, model, EXPECTING.format(seeds=list(seeds)) + more)


def drawn_run(project: Path, *overrides: str) -> RunFolder:
    """A frozen run that says it finished, without a picture."""
    run = new_run(project, *overrides)
    log(run, "state", state="finished", step=4, total=4, seconds=60.0, lora_sha256="ab" * 32)
    return run


def put(run: RunFolder, prompt: int, seed: int, picture: Image.Image, step: int | None = None, scale: float = 1.0,
        steps: int = 25) -> Path:  # fmt: skip
    """A picture where the worker would have put it; of the base without a step."""
    text = load_project(run.project_folder).settings.sample.prompt[prompt].text
    name = "base" if step is None else f"scale{scale:g}"
    folder = run.samples / ("base" if step is None else f"step-{step:06d}")
    folder.mkdir(exist_ok=True)
    path = folder / f"p{prompt:02d}-seed{seed}-steps{steps}-{name}.png"
    facts = PictureFacts(text, "", seed, steps, 5.0, *picture.size, "tiny", scale=None if step is None else scale)
    save_picture(path, np.asarray(picture), facts)
    return path


def put_all(run: RunFolder, prompt: int, seeds: Sequence[int], base: Draw, lora: Draw, step: int = 4) -> None:
    for seed in seeds:
        put(run, prompt, seed, base(seed))
        put(run, prompt, seed, lora(seed), step)
