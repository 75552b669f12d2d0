"""Everything random in training, as pure functions of counters (design, law 2).

No generator lives longer than one call, so there is no state to save, a resumed run meets the noise it would have
met, and two variants of an experiment meet the same noise at the same step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch


def generator(*counters: int | str) -> torch.Generator:
    """A CPU generator seeded by nothing but `counters`: the same on every machine and device."""
    digest = hashlib.blake2b(repr(counters).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class Draw:
    """What one batch meets: noise (n, c, h, w) float32 and timesteps (n,) int64, on the CPU."""

    noise: torch.Tensor
    timesteps: torch.Tensor


def training_draw(seed: int, step: int, micro: int, shape: tuple[int, ...], timesteps: int, offset: float) -> Draw:
    """Noise and uniform timesteps of micro-batch `micro` of `step`; `offset` is the noise offset's strength.

    Noise offset (Guttenberg 2023) adds one normal number a channel to the whole latent, and the target with it.
    """
    g = generator("train", seed, step, micro)
    t = torch.randint(timesteps, (shape[0],), generator=g)
    noise = torch.randn(shape, generator=g)
    if offset:
        noise = noise + offset * torch.randn((*shape[:2], 1, 1), generator=g)
    return Draw(noise, t)


def probe_draw(shape: tuple[int, ...], timesteps: int) -> Draw:
    """The same noise and evenly spread timesteps at every probe of every run, whatever its seed.

    Raw training loss is mostly the luck of the timestep; with both fixed, what moves is the model.
    """
    n = shape[0]
    t = ((torch.arange(n) + 0.5) * timesteps / n).long()
    return Draw(torch.randn(shape, generator=generator("probe")), t)


def picture_noise(seed: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Starting noise (1, c, h, w) of a picture: what diffusers draws with a CPU generator of this seed."""
    return torch.randn((1, channels, height, width), generator=torch.Generator().manual_seed(seed))
