"""Pictures with the LoRA and their twins without, from the same noise.

A cell is everything that determines one picture. Base pictures depend on nothing a training changes, so they are
drawn once for a base model, kept by content in the cache, and reused by every run. Cells of one prompt are drawn
together, the seeds in batches of a fixed size, so that a picture's bits do not depend on what else was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from loratui import __version__
from loratui.engine import noise
from loratui.engine.adapter import strength
from loratui.engine.task import Task
from loratui.lab.files import atomic_path, cache_folder, write_atomic
from loratui.lab.pictures.pictures import PictureFacts, read_facts, save_picture
from loratui.lab.pictures.sheet import arrange, contact_sheets
from loratui.lab.project.settings import ResolvedPrompt
from loratui.lab.run.record import output_name
from loratui.lab.run.runs import RunFolder


@dataclass(frozen=True)
class Cell:
    """One picture. `scale` None is the base model; `number` is the prompt's place in the project."""

    number: int
    prompt: str
    negative_prompt: str
    seed: int
    inference_steps: int
    guidance_scale: float
    width: int
    height: int
    scale: float | None

    @property
    def name(self) -> str:
        scale = "base" if self.scale is None else f"scale{self.scale:g}"
        return f"p{self.number:02d}-seed{self.seed}-steps{self.inference_steps}-{scale}.png"

    @property
    def group(self) -> tuple[object, ...]:
        """Cells of one group may share a batch."""
        return tuple(v for k, v in asdict(self).items() if k != "seed")


@dataclass(frozen=True)
class Drawn:
    """A cell and the file that holds its picture."""

    cell: Cell
    path: Path


def cells(prompts: Sequence[ResolvedPrompt], scales: Sequence[float | None]) -> list[Cell]:
    """Every picture that the prompts ask for, at every scale, in the order of the contact sheet."""
    return [
        Cell(number, p.text, p.negative_prompt or "", seed, steps, p.guidance_scale, p.width, p.height, scale)
        for number, p in enumerate(prompts)
        for seed in p.seeds or ()
        for steps in p.inference_steps or ()
        for scale in scales
    ]


class Sampler:
    """Draws cells with a live task."""

    def __init__(self, run: RunFolder, task: Task) -> None:
        self.run, self.task = run, task
        self.family, self.record = task.family, task.record
        self.base_cache = cache_folder() / "pictures"

    def draw(self, wanted: Sequence[Cell], step: int, payload: str) -> Iterator[Drawn]:
        """Draw each cell into samples/ unless it is there, base pictures from the cache where it has them."""
        groups: dict[tuple[object, ...], list[Cell]] = {}
        for cell in wanted:
            groups.setdefault(cell.group, []).append(cell)
        size = self.record.settings.sample.batch_size
        for members in groups.values():
            for start in range(0, len(members), size):
                yield from self._draw_together(members[start : start + size], step, payload)

    def path(self, cell: Cell, step: int) -> Path:
        folder = "base" if cell.scale is None else f"step-{step:06d}"
        return self.run.samples / folder / cell.name

    def _draw_together(self, batch: list[Cell], step: int, payload: str) -> Iterator[Drawn]:
        if batch[0].scale is None:
            paths = [self.base_cache / self._base_key(cell) for cell in batch]
        else:
            paths = [self.path(cell, step) for cell in batch]
        if batch[0].scale is not None or not all(path.exists() for path in paths):
            for cell, path, picture in zip(batch, paths, self.pictures(batch), strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                save_picture(path, picture, self._facts(cell, step, payload))
        for cell, path in zip(batch, paths, strict=True):
            own = self.path(cell, step)
            if own != path:
                own.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(own, path.read_bytes())
            yield Drawn(cell, own)

    @torch.no_grad()
    def pictures(self, batch: Sequence[Cell]) -> np.ndarray:
        """uint8 (n, height, width, 3) of cells that differ in nothing but their seeds."""
        family, cell = self.family, batch[0]
        h, w = cell.height // family.vae_factor, cell.width // family.vae_factor
        start = torch.cat([noise.picture_noise(c.seed, family.latent_channels, h, w) for c in batch])
        with strength(self.task.models, cell.scale), family.autocast():
            states = self._states(cell.prompt).expand(len(batch), -1, -1)
            empty = self._states(cell.negative_prompt).expand(len(batch), -1, -1)
            latents = family.sample(start, states, empty, cell.inference_steps, cell.guidance_scale)
        return family.decode(latents)

    def _states(self, text: str) -> torch.Tensor:
        """(1, 77, width): from the cache when frozen, from the adapted encoder when it is being trained."""
        if self.task.captions.trained:
            return self.family.encode_tokens(self.family.token_ids([text]))
        return self.task.captions.take([text])

    def _base_key(self, cell: Cell) -> str:
        """Everything a base picture depends on; its place in the project is not part of that."""
        parts = [
            asdict(replace(cell, number=0)),
            self.record.base_hash,
            self.family.device.type,
            str(self.family.dtype),
        ]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return f"{digest[:2]}/{digest}.png"

    def _facts(self, cell: Cell, step: int, payload: str) -> PictureFacts:
        base = cell.scale is None
        return PictureFacts(
            prompt=cell.prompt,
            negative_prompt=cell.negative_prompt,
            seed=cell.seed,
            inference_steps=cell.inference_steps,
            guidance_scale=cell.guidance_scale,
            width=cell.width,
            height=cell.height,
            model=self.record.base_name,
            model_hash=self.record.base_hash,
            lora="" if base else output_name(self.record, step),
            lora_hash="" if base else payload,
            scale=cell.scale,
            step=0 if base else step,
            run="" if base else self.run.id,
            version=__version__,
        )


def write_sheets(run: RunFolder, drawn: Sequence[Drawn], title: str, step: int) -> list[Path]:
    """Contact sheets of one sampling: a row for each prompt and seed, the base beside each LoRA picture."""
    pictures = [(facts, d.path) for d in drawn if (facts := read_facts(d.path)) is not None]
    paths = []
    for page, sheet in enumerate(contact_sheets(*arrange(pictures), title, f"step {step}")):
        paths.append(run.samples / (f"sheet-step-{step:06d}" + (f"-{page + 1}" if page else "") + ".png"))
        with atomic_path(paths[-1]) as part:
            sheet.save(part, format="PNG")
    return paths
