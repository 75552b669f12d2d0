"""What a run trains on, made ready: model, LoRA, cached tensors, optimiser, and the batches of every step.

`Task.batches(step)` is a pure function of the frozen record and the step. Nothing here writes to the run folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from loratui.engine import adapter, noise, optimizer
from loratui.engine.cache import TensorCache
from loratui.engine.families.family import Family
from loratui.lab.dataset.captions import caption_at
from loratui.lab.dataset.dataset import load_pixels
from loratui.lab.dataset.order import Order, flip_at
from loratui.lab.errors import LabError
from loratui.lab.files import sha256_file
from loratui.lab.project.plan import Plan
from loratui.lab.project.settings import Settings
from loratui.lab.run.record import FrozenImage, Record

ON_DEVICE_BYTES = 2 << 30  # a cached table up to this size lives on the device
CAPTIONS_KEPT = 4096  # encoded captions held in memory; shuffled tags may make endlessly many
PROBE_SAMPLES = 8
TOGETHER = 16  # images encoded at once


@dataclass(frozen=True)
class Batch:
    """One forward and backward pass. `share` is its part of the step: the samples it holds, of all in the step."""

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    captions: torch.Tensor  # hidden states, or token ids where the text encoder is trained
    share: float


class Captions:
    """Rows for captions, each encoded once: hidden states when the encoder is frozen, token ids when it is trained."""

    def __init__(self, family: Family, cache: TensorCache, encoder_hash: str, trained: bool) -> None:
        self.family, self.cache, self.encoder_hash, self.trained = family, cache, encoder_hash, trained
        self.rows: dict[str, torch.Tensor] = {}

    def take(self, texts: Sequence[str]) -> torch.Tensor:
        """(n, 77, width) states or (n, 77) ids, on the device."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.rows]
        if missing:
            if len(self.rows) + len(missing) > CAPTIONS_KEPT:
                self.rows.clear()
                missing = list(dict.fromkeys(texts))
            self.rows.update(zip(missing, self._encode(missing), strict=True))
        return torch.stack([self.rows[text] for text in texts])

    def _encode(self, texts: list[str]) -> list[torch.Tensor]:
        if self.trained:
            return list(self.family.token_ids(texts))
        with torch.no_grad():
            # One at a time: among others a text would be encoded to other last bits, and its pictures with it.
            found = self.cache.fill(
                [self.cache.key("states", text, self.encoder_hash) for text in texts],
                lambda chunk: [self.family.encode_tokens(self.family.token_ids([texts[i]]))[0] for i in chunk],
            )
        return [states.to(self.family.device) for states in found]


@dataclass
class Adapted:
    """A base model with LoRA layers in it: all that drawing needs."""

    record: Record
    family: Family
    models: dict[str, nn.Module]
    captions: Captions


@dataclass
class Task(Adapted):
    """Everything the loop needs."""

    accelerator: Accelerator
    optimizer: torch.optim.Optimizer
    order: Order
    plan: Plan
    tables: dict[tuple[tuple[int, int], bool], torch.Tensor]  # by bucket and mirrored: latents of its images, stacked
    rows: list[int] = field(default_factory=list)  # by image: its row in its bucket's table
    probe_rows: list[int] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.record.settings

    @property
    def images(self) -> Sequence[FrozenImage]:
        return self.record.images

    def slots(self, step: int) -> list[list[tuple[int, bool, str]]]:
        """Image index, mirrored, caption, of every sample of 0-based `step`, by micro-batch."""
        dataset, seed = self.settings.dataset, self.settings.train.seed
        out: list[list[tuple[int, bool, str]]] = []
        slot = 0
        for micro in self.order.micro_batches(step):
            out.append([])
            for index in micro:
                caption = caption_at(self.images[index].caption, dataset, seed, step, slot)
                out[-1].append((index, dataset.flip and flip_at(seed, step, slot), caption))
                slot += 1
        return out

    def batches(self, step: int) -> list[Batch]:
        """The micro-batches of 0-based `step`: of each, the part that belongs to this process."""
        train, rank, world = self.settings.train, self.accelerator.process_index, self.accelerator.num_processes
        slots = self.slots(step)
        total = sum(len(micro) for micro in slots)
        batches = []
        for number, micro in enumerate(slots):
            size = self.images[micro[0][0]].bucket
            shape = (len(micro), *self.tables[size, False].shape[1:])
            draw = noise.training_draw(train.seed, step, number, shape, self.family.train_timesteps, train.noise_offset)
            mine = micro[rank::world]
            if not mine:
                continue
            latents = torch.stack([self.tables[size, flip][self.rows[index]] for index, flip, _ in mine])
            batches.append(
                Batch(
                    latents=latents.to(self.family.device, non_blocking=True),
                    noise=draw.noise[rank::world].to(self.family.device, non_blocking=True),
                    timesteps=draw.timesteps[rank::world].to(self.family.device, non_blocking=True),
                    captions=self.captions.take([caption for _, _, caption in mine]),
                    share=len(mine) / total,
                )
            )
        return batches

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean weighted squared error of one batch, a scalar on the device."""
        family, gamma = self.family, self.settings.train.min_snr_gamma
        with family.autocast():
            states = family.encode_tokens(batch.captions) if self.captions.trained else batch.captions
            noisy = family.add_noise(batch.latents, batch.noise, batch.timesteps)
            predicted = family.predict(noisy, batch.timesteps, states)
        error = (predicted - family.target(batch.latents, batch.noise, batch.timesteps)).square().mean(dim=(1, 2, 3))
        if gamma:
            error = error * family.loss_weights(batch.timesteps, gamma)
        return error.mean()

    @torch.no_grad()
    def probe(self) -> tuple[float, list[tuple[int, float]]]:
        """Mean squared error on fixed images, noise and timesteps: comparable between steps and between runs.

        All together, and by timestep.
        """
        with adapter.strength(self.models, 1.0):
            size = self.images[self.probe_rows[0]].bucket
            latents = torch.stack([self.tables[size, False][self.rows[i]] for i in self.probe_rows])
            draw = noise.probe_draw(tuple(latents.shape), self.family.train_timesteps)
            batch = Batch(
                latents=latents.to(self.family.device),
                noise=draw.noise.to(self.family.device),
                timesteps=draw.timesteps.to(self.family.device),
                captions=self.captions.take([self.images[i].caption for i in self.probe_rows]),
                share=1.0,
            )
            with self.family.autocast():
                states = self.family.encode_tokens(batch.captions) if self.captions.trained else batch.captions
                noisy = self.family.add_noise(batch.latents, batch.noise, batch.timesteps)
                predicted = self.family.predict(noisy, batch.timesteps, states)
            target = self.family.target(batch.latents, batch.noise, batch.timesteps)
            errors = (predicted - target).square()
            each = zip(draw.timesteps.tolist(), errors.mean(dim=(1, 2, 3)).tolist(), strict=True)
            return float(errors.mean()), list(each)


def adapt(record: Record, family: Family) -> Adapted:
    """The model with fresh LoRA layers. The dataset is not looked at."""
    captions = Captions(family, TensorCache("captions"), record.encoder_hash, record.settings.lora.text_encoder)
    return Adapted(record, family, adapter.inject(family, record.settings.lora, record.settings.train.seed), captions)


def prepare(record: Record, family: Family, accelerator: Accelerator, say: Callable[[str], None]) -> Task:
    """Load, adapt and cache. `say` is told, in words, what takes time."""
    settings = record.settings
    latents = TensorCache("latents")
    tables, rows = _latent_tables(record, family, latents, say)
    adapted = adapt(record, family)
    models, captions = adapted.models, adapted.captions
    if settings.train.gradient_checkpointing:
        family.gradient_checkpointing()
    if not settings.lora.text_encoder:
        say("encoding captions")
        texts = [image.caption for image in record.images] + [""] * (settings.dataset.caption_dropout > 0)
        captions.take(list(dict.fromkeys(texts))[:CAPTIONS_KEPT])
    built = accelerator.prepare(optimizer.build(models, settings.train))
    sizes = [image.bucket for image in record.images]
    order = Order(
        sizes,
        [image.repeats for image in record.images],
        settings.train.batch_size,
        settings.train.gradient_accumulation,
        settings.train.seed,
    )
    first = [i for i, size in enumerate(sizes) if size == sizes[0]]
    probe_rows = [first[k % len(first)] for k in range(PROBE_SAMPLES)]
    return Task(record, family, models, captions, accelerator, built, order, record.plan, tables, rows, probe_rows)


def _latent_tables(
    record: Record, family: Family, cache: TensorCache, say: Callable[[str], None]
) -> tuple[dict[tuple[tuple[int, int], bool], torch.Tensor], list[int]]:
    """Latents by bucket, plain and, where samples are mirrored, mirrored; and each image's row in its table."""
    say(f"encoding {len(record.images)} images")
    buckets: dict[tuple[int, int], list[int]] = {}
    rows = []
    for index, image in enumerate(record.images):
        members = buckets.setdefault(image.bucket, [])
        rows.append(len(members))
        members.append(index)
    tables = {}
    for size, members in buckets.items():
        images = [record.images[index] for index in members]
        for flip in (False, True) if record.settings.dataset.flip else (False,):
            batches = (images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER))
            table = torch.stack([one for batch in batches for one in _latents(record, family, cache, batch, flip)])
            tables[size, flip] = table.to(family.device) if table.nbytes < ON_DEVICE_BYTES else table
    return tables, rows


def _latents(
    record: Record, family: Family, cache: TensorCache, images: Sequence[FrozenImage], flip: bool
) -> list[torch.Tensor]:
    """Of images of one size that go through the autoencoder together.

    How many do has a say in the last bits. So it is part of the key, and where one is missing all are encoded: what
    happens to be in the cache must not decide what is trained on.
    """
    size = images[0].bucket
    keys = [cache.key(image.sha256, size, flip, len(images), record.vae_hash) for image in images]
    found = [latents for key in keys if (latents := cache.get(key)) is not None]
    if len(found) == len(keys):
        return found
    stack = np.stack([load_pixels(Path(image.path), *size) for image in images])
    encoded = list(family.encode_images(stack[:, :, ::-1] if flip else stack))
    for key, latents in zip(keys, encoded, strict=True):
        cache.put(key, latents)
    return encoded


def reconstruct(record: Record, family: Family, image: FrozenImage) -> np.ndarray:
    """uint8 (height, width, 3): a training image as the autoencoder gives it back, at the size of training."""
    check_images(replace(record, images=(image,)))
    [latents] = _latents(record, family, TensorCache("latents"), [image], False)
    return family.decode(latents[None])[0]


def check_images(record: Record) -> None:
    """Refuse to train on images that are not the ones the record froze."""
    for image in record.images:
        path = Path(image.path)
        if not path.is_file():
            raise LabError(f"{path}: this image of the run is gone; put it back, or start a new run")
        if sha256_file(path) != image.sha256:
            raise LabError(
                f"{path}: this image changed since the run was made; put the old one back, or start a new run "
                "(--resume RUN --allow-changes goes on with the new one, and says so in the record)"
            )
