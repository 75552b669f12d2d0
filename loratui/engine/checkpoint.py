"""The state a run resumes from, whole or not at all.

LoRA weights, optimiser, step and the running averages: no RNG state, since nothing random depends on history. How
it gets onto the disk so that a kill at any instruction leaves at least the state before, is `runs.saving_resume`.
"""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

import torch

from loratui.engine import export
from loratui.engine.task import Task
from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, read_text
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder, damage_of, saving_resume

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
            writer = _Writer(file)
            try:
                torch.save(state, writer)  # type: ignore[arg-type]
            except RuntimeError as error:  # torch tells of a write that failed in words of its own
                raise writer.error or error from error
        (folder / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")


def load(folder: Path, step: int, task: Task) -> Progress:
    """Put the saved state of a step into a prepared task; returns where it stood.

    LabError, in words, for one that is not whole, is not of that step, or does not fit the task; then the task holds
    nothing that may be trained from until another state was loaded.
    """
    if damage := damage_of(folder):
        raise LabError(f"{folder}: {damage}")
    try:
        with open_binary(folder / "state.pt") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
        weights, optimizer, scaler = state["weights"], state["optimizer"], state["scaler"]
        pairs = {str(key): (down, up) for key, (down, up) in weights.items()}
        progress = _progress(json.loads(read_text(folder / "progress.json", 1 << 16)))
    except pickle.UnpicklingError as error:  # torch's own words tell how to run the code that is in it
        raise LabError(f"{folder}: state.pt holds more than numbers, and no such file is ever loaded") from error
    except OSError as error:
        raise LabError(f"{folder}: {Path(error.filename or 'state.pt').name}: {error.strerror}") from error
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError) as error:
        raise LabError(f"{folder}: cannot be read: {plain(error, 200)}") from error
    if progress.step != step or step > task.plan.total_steps:
        raise LabError(
            f"{folder}: progress.json says step {progress.step}, in a run of {task.plan.total_steps:,} steps"
        )
    live = export.adapter_weights(task.models)
    if {key: (pair.down.shape, pair.up.shape) for key, pair in live.items()} != {
        key: (down.shape, up.shape) for key, (down, up) in pairs.items()
    }:
        raise LabError(f"{folder}: the saved state adapts other layers than this run's settings ask for")
    try:
        loaded = {key: export.LoraPair(down, up, live[key].alpha) for key, (down, up) in pairs.items()}
        export.set_adapter_weights(task.models, loaded)
        task.optimizer.load_state_dict(optimizer)
        if scaler and task.accelerator.scaler is not None:
            task.accelerator.scaler.load_state_dict(scaler)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise LabError(f"{folder}: the optimiser's state does not fit: {plain(error, 200)}") from error
    return progress


def _progress(table: dict[str, Any]) -> Progress:
    """The same from its JSON. ValueError, TypeError or LookupError where it is none."""
    progress = Progress(**{field.name: table[field.name] for field in fields(Progress)})
    if type(progress.step) is not int or progress.step < 0:
        raise ValueError(f"progress.json: step {progress.step!r} is no step")
    for name in ("smoothed", "weight", "first_probe", "last_probe", "seconds", "started_at"):
        value, probe = getattr(progress, name), name in ("first_probe", "last_probe")
        # A probe may overflow in half precision while the losses of training do not.
        fine = value is None if value is None else type(value) in (int, float) and (probe or math.isfinite(value))
        if not fine or (value is None and not probe and name != "smoothed"):
            raise ValueError(f"progress.json: {name} {value!r} is no number")
    return progress


class _Writer:
    """A file that remembers why it could not be written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.error = file, None

    error: OSError | None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()
