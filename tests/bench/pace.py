"""Three loops that train the same LoRA on the same data, made to take turns: who does how many steps a second.

`Run` is a real run of loratui: its own loop with all that happens between two steps, logging, probing and saving as
by default. `Bare` is the limit: forward, backward and optimiser step of the same PEFT model on tensors made ready
beforehand. The third, what people would otherwise run, is in `script`. Nothing here judges the figures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol, Self

import torch
from rich.console import Console
from torch.nn import functional as F

from loratui.console import LogWriter, Watcher
from loratui.engine.loop import train
from loratui.engine.optimizer import set_rate
from loratui.engine.signals import Signals
from loratui.engine.sitting import Sitting
from loratui.engine.task import Task
from loratui.lab.run.events import EventLog
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder


class Loop(Protocol):
    def advance(self, steps: int) -> None:
        """Train so many more steps."""


class Run:
    """A frozen run in this process, with the listeners that the command line gives it. Draws no pictures."""

    def __init__(self, run: RunFolder) -> None:
        record = read_record(run)
        self._nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # closed in __exit__
        self._watcher = Watcher(Console(file=self._nowhere), run, record.plan)
        self._log = EventLog(run.events_file, [LogWriter(run.log_file), self._watcher])
        self._sitting = Sitting(run, record, self._log, Signals())
        self._done = 0

    def __enter__(self) -> Self:
        self._watcher.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.__exit__()
        self._log.close()
        self._nowhere.close()

    @property
    def task(self) -> Task:
        return self._sitting.task

    def advance(self, steps: int) -> None:
        end = self._done + steps

        def after(done: int, loss: torch.Tensor, rate: float) -> str | None:
            self._done = done
            return self._sitting.after(done, loss, rate) or ("its turn is over" if done == end else None)

        train(self.task, self._done, after)


class Bare:
    """No data, no noise, no clipping, no log. At learning rate 0, so that the run it shares a model with stays put."""

    def __init__(self, task: Task, ready: int = 75) -> None:
        self._family, self._unet, self._optimizer = task.family, task.family.denoiser, task.optimizer
        self._trained = [vector for group in task.optimizer.param_groups for vector in group["params"]]
        self._batches = []
        for batch in (task.batches(step)[0] for step in range(ready)):
            noisy = task.family.add_noise(batch.latents, batch.noise, batch.timesteps)
            target = task.family.target(batch.latents, batch.noise, batch.timesteps)
            self._batches.append((noisy, batch.timesteps, batch.captions, target))

    def advance(self, steps: int) -> None:
        set_rate(self._optimizer, 0.0)
        for step in range(steps):
            noisy, timesteps, states, target = self._batches[step % len(self._batches)]
            with self._family.autocast():
                predicted = self._unet(noisy, timesteps, states, return_dict=False)[0]
            loss = F.mse_loss(predicted.float(), target)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            for vector in self._trained:
                vector.grad.zero_()


@dataclass(frozen=True)
class Paces:
    """Steps a second of each loop in each round."""

    rounds: Mapping[str, Sequence[float]]

    def typical(self, name: str) -> float:
        return median(self.rounds[name])

    def ratios(self, name: str, to: str) -> list[float]:
        """Round by round, since a machine's own pace drifts from one to the next."""
        return [a / b for a, b in zip(self.rounds[name], self.rounds[to], strict=True)]


def take_turns(loops: Mapping[str, Loop], steps: int, rounds: int, told: Callable[[str], None]) -> Paces:
    """Each loop trains `steps` steps in each of `rounds` rounds, the order reversed every other; one round warms up."""
    paces: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(-1, rounds):
        told("warming up" if number < 0 else f"round {number + 1} of {rounds}")
        for name in list(loops)[:: 1 if number % 2 else -1]:
            _wait_for_device()
            start = time.perf_counter()
            loops[name].advance(steps)
            _wait_for_device()
            if number >= 0:
                paces[name].append(steps / (time.perf_counter() - start))
    return Paces(paces)


def _wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
