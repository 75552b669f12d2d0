"""Runs made of samples alone, each in a colour of its own, for tests of what shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np

from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.pictures.pictures import PictureFacts, save_picture
from loratui.lab.run.runs import RunFolder

PROMPTS = ("a red circle", "a green square")


def colour(where: Where) -> tuple[int, int, int]:
    """What the picture at a place is filled with. A base picture does not depend on the step."""
    step = 0 if where.scale is None else where.step // 75
    return 40 * where.spot.seed, 20 * step, 10 + 60 * where.spot.prompt + (0 if where.scale is None else 120)


def places(
    steps: Sequence[int], seeds: Sequence[int], prompts: int = 1, lengths: Sequence[int] = (25,),
    scales: Sequence[float] = (1.0,),
) -> Iterator[Where]:  # fmt: skip
    """Every place of a full grid, base pictures once."""
    for number in range(prompts):
        for length in lengths:
            for seed in seeds:
                yield Where(Spot(number, length, seed), None, 0)
                for step in steps:
                    for scale in scales:
                        yield Where(Spot(number, length, seed), scale, step)


def file_of(run: RunFolder, where: Where) -> Path:
    """Where a run keeps that picture, as the worker names it."""
    spot = where.spot
    folder = "base" if where.scale is None else f"step-{where.step:06d}"
    scale = "base" if where.scale is None else f"scale{where.scale:g}"
    return run.samples / folder / f"p{spot.prompt:02d}-seed{spot.seed}-steps{spot.inference_steps}-{scale}.png"


def draw_sample(run: RunFolder, where: Where, size: int = 16, prompt: str | None = None) -> Path:
    """One picture of one colour, with its facts in it."""
    path = file_of(run, where)
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((size, size, 3), colour(where), dtype=np.uint8)
    spot, base = where.spot, where.scale is None
    words = prompt if prompt is not None else PROMPTS[spot.prompt % 2]
    facts = PictureFacts(
        words, "", spot.seed, spot.inference_steps, 5.0, size, size,
        "tinyworld", "b9c7e5a8df62", "" if base else f"shapes-{where.step:06d}", "" if base else "1aaada85c055",
        where.scale, 0 if base else where.step, "" if base else run.id,
    )  # fmt: skip
    with mock.patch("os.fsync"):  # these files need not outlive a power cut
        save_picture(path, array, facts)
    return path


def sampled_run(folder: Path, wheres: Iterator[Where] | Sequence[Where]) -> RunFolder:
    """A run with these samples and nothing else."""
    run = RunFolder(folder / "shapes" / "runs" / "20260101-000000-shapes-0000")
    run.samples.mkdir(parents=True)
    for where in wheres:
        draw_sample(run, where)
    return run
