"""The state a run resumes from, whole or not at all.

LoRA weights, optimiser, step and the running averages: no RNG state, since nothing random depends on history. How
it gets onto the disk so that a kill at any instruction leaves at least the state before, is `runs.saving_resume`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from loratui.engine import export
from loratui.engine.task import Task
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder, saving_resume

DECAY = 0.98  # of the smoothed loss, a step


@dataclass
class Progress:
    """What the run knows of itself besides weights. Losses are plain means of squared error."""

    step: int = 0
    smoothed: float | None = None  # exponential moving average of the loss, corrected for its start
    weight: float = 0.0  # how much of that average is filled: 1 - decay^n
    first_probe: float | None = None
    last_probe: float | None = None
    seconds: float = 0.0  # spent training, over all sittings
    started_at: float = 0.0  # Unix time of the first sitting

    def follow(self, loss: float) -> float:
        """Take one step's loss into the average; returns the average."""
        raw = (self.smoothed or 0.0) * self.weight * DECAY + (1 - DECAY) * loss
        self.weight = 1 - (1 - self.weight) * DECAY
        self.smoothed = raw / self.weight
        return self.smoothed


def save(run: RunFolder, task: Task, progress: Progress) -> None:
    """Write the state of `progress.step`; the newest two are kept. OSError when the disk is full."""
    scaler = task.accelerator.scaler
    state = {
        "weights": {key: [pair.down, pair.up] for key, pair in export.adapter_weights(task.models).items()},
        "optimizer": task.optimizer.state_dict(),
        "scaler": scaler.state_dict() if scaler is not None else {},
    }
    with saving_resume(run, progress.step) as folder:
        with (folder / "state.pt").open("wb") as file:
            torch.save(state, file)
        (folder / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")


def load(folder: Path, task: Task) -> Progress:
    """Put a saved state into a prepared task; returns where it stood."""
    try:
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
        raise LabError(
            f"{folder}: this saved state cannot be read ({error}); delete the folder to resume from the one before"
        ) from error
    live = export.adapter_weights(task.models)
    if set(live) != set(state["weights"]):
        raise LabError(f"{folder}: the saved state adapts other layers than this run's settings ask for")
    weights = {key: export.LoraPair(down, up, live[key].alpha) for key, (down, up) in state["weights"].items()}
    export.set_adapter_weights(task.models, weights)
    task.optimizer.load_state_dict(state["optimizer"])
    if state["scaler"] and task.accelerator.scaler is not None:
        task.accelerator.scaler.load_state_dict(state["scaler"])
    return progress
