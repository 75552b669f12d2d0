"""Projects whose runs are drawn by a test, with every count known, on a model that has no weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

from PIL import Image

from loratui.lab.run.runs import RunFolder
from tests.frozen import log
from tests.lab.scores.drawnruns import BLUE, GRAY, RED, expecting_project, put, shape
from tests.processes import new_run

SEEDS = tuple(range(1, 9))
Draw = Callable[[int], Image.Image]


def gray_project(folder: Path, model: Path, more: str = "") -> Path:
    """What is expected: gray, a circle and white of `myshape`; gray of `a cup`."""
    return expecting_project(folder, model, SEEDS, more)


def told_run(project: Path, *overrides: str) -> RunFolder:
    """A run with losses and an end, and no picture."""
    run = new_run(project, *overrides)
    log(run, "state", state="running", step=0, total=4, device="CPU, 1 thread")
    for step in range(5):
        log(run, "probe", step=step, loss=0.02 - 0.003 * step)
        if step:
            log(run, "step", step=step, epoch=1, loss=0.1 / step, smoothed=0.1 / step, lr=1e-4, it_s=2.0)
    log(run, "state", state="finished", step=4, total=4, seconds=63.0)
    return run


def draw(run: RunFolder, prompt: int, base: Draw, lora: Draw, step: int = 4, steps: int = 25) -> None:
    """The pictures of all seeds, without and with the LoRA."""
    with mock.patch("os.fsync"):
        for seed in SEEDS:
            put(run, prompt, seed, base(seed), steps=steps)
            put(run, prompt, seed, lora(seed), step, steps=steps)


def gray_run(project: Path, *overrides: str) -> RunFolder:
    """Learned: gray, in 8 of 8 pictures, of the base in none. A circle and white: 8 of 8 with and without. A cup is
    never gray."""
    run = told_run(project, *overrides)
    draw(run, 0, lambda _: shape(RED), lambda seed: shape(GRAY if seed > 4 else RED), step=2)
    draw(run, 0, lambda _: shape(RED), lambda _: shape(GRAY))
    draw(run, 1, lambda _: shape(RED), lambda _: shape(BLUE))
    return run
