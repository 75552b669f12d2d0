"""What the three trainers share: resumable state, a schedule, an average of the weights, and a report line.

A stage is its model, its optimiser and a step counter in one file, replaced atomically, so a stage killed at any
moment goes on from its last save. Everything random is a function of (seed, step); nothing else need be kept.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn


def generator(seed: int, step: int, stream: int = 0) -> torch.Generator:
    """A CPU generator that depends on nothing but its arguments."""
    return torch.Generator().manual_seed((seed * 1_000_003 + stream) * 2_147_483_647 + step)


def rate(step: int, steps: int, peak: float, warmup: int = 200, decay: float = 0.35) -> float:
    """Learning rate of a step: a linear rise, a plateau, and a cosine fall over the last `decay` of all steps."""
    fall = max(0.0, (step - steps * (1 - decay)) / (steps * decay))
    return peak * min(1.0, (step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, fall)))


def autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16)


SAVE_EVERY = 250  # steps


@dataclass
class Stage:
    """One trained part. `state` is a file; `average` is the exponential moving average of the weights."""

    name: str
    model: nn.Module
    steps: int
    peak: float
    state: Path
    average_decay: float = 0.0
    weight_decay: float = 0.01
    log_every: int = 50
    step: int = 0
    average: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            parameters, lr=self.peak, betas=(0.9, 0.99), weight_decay=self.weight_decay, fused=True
        )
        if self.average_decay:
            self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        if self.state.exists():
            saved = torch.load(self.state, map_location="cpu", weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average = {k: v.to(self.average[k].device) for k, v in saved["average"].items()}
            self.step = saved["step"]

    def save(self) -> None:
        part = self.state.with_suffix(".part")
        with part.open("wb") as file:
            torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                        "average": self.average, "step": self.step}, file)  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.state)

    def finished(self) -> dict[str, torch.Tensor]:
        """The weights to keep: the average where there is one."""
        return self.average or self.model.state_dict()

    def run(self, loss_at: Callable[[int], dict[str, torch.Tensor]], report: Path, deadline: float) -> bool:
        """Train until `steps` or the deadline (time.monotonic seconds). `loss_at(step)['loss']` is minimised.

        Returns True when all steps are done.
        """
        self.model.train()
        since, seen = time.monotonic(), self.step
        totals: dict[str, float] = {}
        while self.step < self.steps and time.monotonic() < deadline:
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.step, self.steps, self.peak)
            parts = loss_at(self.step)
            parts["loss"].backward()
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            if self.average:
                self._follow()
            for key, value in {**parts, "norm": norm}.items():
                totals[key] = totals.get(key, 0.0) + float(value.detach())
            if self.step % self.log_every == 0 or self.step == self.steps:
                count, seconds = self.step - seen, time.monotonic() - since
                line = {
                    "stage": self.name,
                    "step": self.step,
                    "of": self.steps,
                    "steps_per_s": round(count / seconds, 3),
                    **{k: round(v / count, 5) for k, v in totals.items()},
                }
                print(json.dumps(line), flush=True)
                with report.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                since, seen, totals = time.monotonic(), self.step, {}
            if self.step % SAVE_EVERY == 0:
                self.save()
        self.save()
        return self.step >= self.steps

    @torch.no_grad()
    def _follow(self) -> None:
        # A young average would remember the random start: let it look back no further than a tenth of its life.
        keep = min(self.average_decay, self.step / (self.step + 10))
        mine, other = list(self.average.values()), list(self.model.state_dict().values())
        floating = [i for i, v in enumerate(mine) if v.is_floating_point()]
        torch._foreach_lerp_([mine[i] for i in floating], [other[i] for i in floating], 1 - keep)


def batches(seed: int, size: int, count: int, start: int) -> Iterator[torch.Tensor]:
    """Endless batches of indices below `size`; every epoch is another permutation; `start` is the first step."""
    step, epoch, order = start, -1, torch.empty(0)
    per = size // count
    while True:
        if step // per != epoch:
            epoch = step // per
            order = torch.randperm(size, generator=generator(seed, epoch, stream=7))
        yield order[step % per * count :][:count]
        step += 1
