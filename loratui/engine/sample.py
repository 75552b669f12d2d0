"""Pictures with the LoRA and their twins without, from the same noise.

A cell is everything that determines one picture. What was drawn is never drawn again: a file that says that the very
same things made it is left as it is. Base pictures depend on nothing a training changes, so they are drawn once for a
base model, kept by content in the cache, and reused by every run.

The last bits of a picture depend on how many rows went through the model together (a matrix product of another height
is added up in another order), though not on which rows those were, nor on the place among them. So every batch of a
run has the same height: `Sampler.rows`, a function of the frozen record alone, and what is missing to it is filled up
with rows that are thrown away. That is why a cell has the same bits whatever else was asked for with it, while it was
trained or years later. The device, the number of threads and torch itself have a say in the last bits, too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from loratui.engine import noise
from loratui.engine.adapter import strength
from loratui.engine.cache import FORMAT, keep
from loratui.engine.machine import describe
from loratui.engine.task import Adapted
from loratui.lab.files import cache_folder, make_folder, read_file, write_atomic
from loratui.lab.pictures.cells import Cell, Drawn, cells, facts_of, is_drawn, picture_path, write_sheets
from loratui.lab.pictures.pictures import damage_of_picture, save_picture
from loratui.lab.run.record import Record
from loratui.lab.run.runs import RunFolder

__all__ = ["Cell", "Drawn", "Sampler", "batch_rows", "cells", "write_sheets"]


def batch_rows(record: Record) -> int:
    """How many pictures go through the model together: at most sample.batch_size, and as few as make no more batches.

    So the run's own seeds fill their batches, or nearly: of 20 seeds at 8 a batch, three batches of 7.
    """
    most = max((len(prompt.seeds) for prompt in record.prompts), default=1)
    return math.ceil(most / math.ceil(most / record.settings.sample.batch_size)) if most else 1


class Sampler:
    """Draws cells with a live model."""

    def __init__(self, run: RunFolder, task: Adapted) -> None:
        self.run, self.task = run, task
        self.family, self.record = task.family, task.record
        self.rows = batch_rows(task.record)
        self.base_cache = cache_folder() / "pictures"

    def draw(self, wanted: Sequence[Cell], step: int, payload: str) -> Iterator[Drawn]:
        """Each cell with its picture in samples/, drawn unless it is there; base pictures from the cache if it can."""
        groups: dict[tuple[object, ...], list[Cell]] = {}
        for cell in wanted:
            if self.is_drawn(cell, step, payload):
                yield self._drawn(cell, step, new=False)
            elif cell.scale is None and (kept := self._kept(cell)) is not None:
                path = self.path(cell, step)
                make_folder(path.parent)
                write_atomic(path, kept)
                yield self._drawn(cell, step)
            else:
                groups.setdefault(cell.group, []).append(cell)
        for members in groups.values():
            for start in range(0, len(members), self.rows):
                yield from self._draw_together(members[start : start + self.rows], step, payload)

    def is_drawn(self, cell: Cell, step: int, payload: str) -> bool:
        """Whether the picture of a cell is there, made with the LoRA of that step."""
        return is_drawn(self.path(cell, step), facts_of(self.record, self.run, cell, step, payload))

    def path(self, cell: Cell, step: int) -> Path:
        return picture_path(self.run, cell, step)

    def _kept(self, cell: Cell) -> bytes | None:
        """The base picture in the cache; None when there is none that is whole and what it is taken for."""
        path = self.base_cache / self._base_key(cell)
        if damage_of_picture(path) or not is_drawn(path, facts_of(self.record, self.run, cell, 0, "")):
            return None
        content = read_file(path)
        size = cell.width.to_bytes(4, "big") + cell.height.to_bytes(4, "big")
        return content if content[16:24] == size else None  # where a PNG has it

    def _drawn(self, cell: Cell, step: int, new: bool = True) -> Drawn:
        return Drawn(cell, self.path(cell, step), 0 if cell.scale is None else step, new)

    def _draw_together(self, batch: list[Cell], step: int, payload: str) -> Iterator[Drawn]:
        for cell, picture in zip(batch, self.pictures(batch), strict=True):
            facts = facts_of(self.record, self.run, cell, step, payload)
            path = self.path(cell, step)
            make_folder(path.parent)
            save_picture(path, picture, facts)
            if cell.scale is None:
                keep(self.base_cache / self._base_key(cell), read_file(path))
            yield self._drawn(cell, step)

    @torch.no_grad()
    def pictures(self, batch: Sequence[Cell]) -> np.ndarray:
        """uint8 (n, height, width, 3) of cells, at most `rows`, that differ in nothing but their seeds."""
        family, cell = self.family, batch[0]
        rows = [*batch, *[batch[-1]] * (self.rows - len(batch))]
        h, w = cell.height // family.vae_factor, cell.width // family.vae_factor
        start = torch.cat([noise.picture_noise(c.seed, family.latent_channels, h, w) for c in rows])
        with strength(self.task.models, cell.scale), family.autocast():
            states = self.states(cell.prompt).expand(len(rows), -1, -1)
            empty = self.states(cell.negative_prompt).expand(len(rows), -1, -1)
            latents = family.sample(start, states, empty, cell.inference_steps, cell.guidance_scale)
        return family.decode(latents)[: len(batch)]

    def states(self, text: str) -> torch.Tensor:
        """(1, 77, width): from the cache when frozen, from the adapted encoder when it is being trained."""
        if self.task.captions.trained:
            return self.family.encode_tokens(self.family.token_ids([text]))
        return self.task.captions.take([text])

    def _base_key(self, cell: Cell) -> str:
        """Everything that a base picture's bits depend on; its place in the project is not part of that."""
        parts = [
            FORMAT,
            asdict(replace(cell, number=0)),
            self.record.base_hash,
            describe(self.family.device),
            str(self.family.dtype),
            self.rows,
            torch.__version__,
        ]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return f"{digest[:2]}/{digest}.png"
