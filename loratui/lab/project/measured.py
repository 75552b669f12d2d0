"""What past runs took on this machine, read from their folders: seconds for a step, a probe, a save and a picture.

A run that was made on another machine and copied here does not count. Only the ends of logs are read, and nothing is
stored: run folders hold all there is to know. What follows from it for a new run is estimate.py's.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary
from loratui.lab.project.prompts import ResolvedPrompt
from loratui.lab.project.settings import Settings, settings_from_dict
from loratui.lab.run.events import parse_number
from loratui.lab.run.runs import RunFolder, list_runs

_HEAD, _TAIL = 32_768, 262_144  # bytes of a log that are read: how it began, and how it went of late
_RUNS, _PROJECTS = 40, 20  # looked at


@dataclass(frozen=True)
class Job:
    """What makes a run take long. `pixels` is the mean area of a training picture."""

    model: str
    device: str  # as set: auto, cpu, cuda:1, …
    pixels: float
    batch: int  # images in one step, accumulation counted in
    kind: tuple[Any, ...]  # of which nothing is known by scaling: precision, targets, optimizer, …
    rank: int
    steps: int = 0
    saves: int = 0
    probes: int = 0
    pictures: int = 0  # with the LoRA, in the whole run
    picture_work: float = 0.0  # of one picture on average: pixels × passes through the model


@dataclass(frozen=True)
class Measured:
    """What a run took, in seconds and bytes; 0 where it did not get as far."""

    job: Job
    device: str  # in words, as its log says
    step: float
    start: float = 0.0
    probe: float = 0.0
    save: float = 0.0
    picture: float = 0.0
    checkpoint_bytes: int = 0
    state_bytes: int = 0
    picture_bytes: float = 0.0  # one picture, its share of the contact sheet counted in


def measured(folders: Iterable[Path]) -> list[Measured]:
    """What the runs of these projects took on this machine; of the first folder first, newest first."""
    found: list[Measured] = []
    looked = 0
    for folder in folders:
        for run in reversed(list_runs(folder)):
            if looked == _RUNS:
                return found
            looked += 1
            one = measure(run)
            if one is not None:
                found.append(one)
    return found


def measured_near(project: Path) -> list[Measured]:
    """What runs of the project took here, and then those of the projects beside it."""
    try:
        beside = [place for place in sorted(project.parent.iterdir()) if place != project and (place / "runs").is_dir()]
    except OSError:
        beside = []
    return measured([project, *beside[:_PROJECTS]])


def measure(run: RunFolder) -> Measured | None:
    """What one run took; None when it was trained on another machine, has no steps yet, or is damaged."""
    try:
        record = run.read_record()
        if record["machine"] != this_machine():
            return None
        settings = settings_from_dict(record["settings"])
        model, resolution = str(record["model"]["name"]), int(record["model"]["resolution"])
    except (LabError, KeyError, TypeError, ValueError, OverflowError):
        return None
    events = _events(run.events_file)
    paces = {e["t"]: e["it_s"] for e in events if e.get("kind") == "step" and _positive(e.get("it_s"))}
    if not paces:
        return None
    took = _durations(events)
    works = [
        picture_work(prompt, n, resolution) for prompt in settings.sample.resolved(()) for n in prompt.inference_steps
    ]
    sample = settings.sample
    plain_work = [
        _pass(sample.width, sample.height, sample.guidance_scale, n, resolution) for n in sample.inference_steps
    ]
    works = works or plain_work
    job = kind_of_job(settings, model, float(_pixels(run, resolution)), picture_work=sum(works) / len(works))
    device = next((str(e["device"]) for e in events if e.get("state") == "running" and "device" in e), "")
    return Measured(
        job=job,
        device=device,
        step=1 / median(paces.values()),
        start=took["start"],
        probe=took["probe"],
        save=took["save"],
        picture=took["picture"],
        checkpoint_bytes=_size([next(iter(sorted(run.checkpoints.glob("step-*.safetensors"))), None)]),
        state_bytes=_size(next(iter(sorted(run.resume.glob("step-*"))), run.resume).glob("*.pt")),
        picture_bytes=_picture_bytes(run),
    )


def this_machine() -> dict[str, Any]:
    """As the record of a run says it."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count() or 0}


# --- what a run folder says -------------------------------------------------------------------------------------------


def kind_of_job(settings: Settings, model: str, pixels: float, **rest: Any) -> Job:
    """The job without its amounts, which are `rest`."""
    train, lora = settings.train, settings.lora
    kind = (train.precision, lora.targets, lora.text_encoder, train.optimizer, train.gradient_checkpointing)
    batch = train.batch_size * train.gradient_accumulation
    return Job(model, train.device, pixels, batch, kind, lora.rank, **rest)


def picture_work(prompt: ResolvedPrompt, steps: int, resolution: int) -> float:
    """What one picture costs: pixels × passes through the model. A prompt without a size is drawn at `resolution`."""
    return _pass(prompt.width, prompt.height, prompt.guidance_scale, steps, resolution)


def _pass(width: int, height: int, guidance: float, steps: int, resolution: int) -> float:
    # With guidance the model is asked twice a step; decoding costs about as much as one more step.
    return (width or resolution) * (height or resolution) * (steps * (2 if guidance > 1 else 1) + 1)


def _pixels(run: RunFolder, resolution: int) -> float:
    """The mean area of its training pictures; of a great dataset the square's, which all buckets are near."""
    try:
        if run.captions_file.stat().st_size > _TAIL:
            return resolution * resolution
        areas = [image["bucket"][0] * image["bucket"][1] for image in run.read_captions()]
    except (LabError, OSError, KeyError, TypeError, IndexError):
        areas = []
    return sum(areas) / len(areas) if areas else resolution * resolution


def _events(path: Path) -> list[dict[str, Any]]:
    """The events at both ends of a log."""
    try:
        with open_binary(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            content = file.read(_HEAD)
            if size > _HEAD:
                start = max(_HEAD, size - _TAIL)
                file.seek(start)
                rest = file.read()
                content = content + rest if start == _HEAD else content + b"\n" + rest
    except OSError:
        return []
    events = []
    for line in content.split(b"\n"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        moment = parse_number(event.get("t")) if isinstance(event, dict) else None
        if moment is not None and math.isfinite(moment):
            events.append({**event, "t": moment})
    return events


def _durations(events: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Medians of what came between two events: before the first step, for a probe, a save, a picture."""
    spans: dict[str, list[float]] = {"start": [], "probe": [], "save": [], "picture": []}
    drawn, saved_at = 0, 0.0
    for before, event in pairwise(events):
        gap, kind = event["t"] - before["t"], event.get("kind")
        if kind == "state" and event.get("state") == "running" and "device" in event:
            spans["start"].append(event["t"] - events[0]["t"])
        elif kind == "probe" and before.get("kind") in ("step", "state"):
            spans["probe"].append(gap)
        elif kind == "checkpoint":
            spans["save"].append(gap)
            drawn, saved_at = 0, event["t"]
        elif kind == "sample" and not event.get("sheet"):
            drawn += 1
        elif kind == "sample" and drawn and saved_at:
            spans["picture"].append((event["t"] - saved_at) / drawn)
            drawn = 0
        elif kind in ("step", "state"):
            drawn, saved_at = 0, 0.0
    # The first start is the true one: later ones are of runs that were resumed, by the clock of the first event.
    return {
        name: max(0.0, median(found[:1] if name == "start" else found)) if found else 0.0
        for name, found in spans.items()
    }


def _picture_bytes(run: RunFolder) -> float:
    folder = next(iter(sorted(run.samples.glob("step-*/"))), None)
    if folder is None:
        return 0.0
    pictures = list(folder.glob("*.png"))
    sheets = list(run.samples.glob(f"sheet-{folder.name}*.png"))
    return _size([*pictures, *sheets]) / len(pictures) if pictures else 0.0


def _size(files: Iterable[Path | None]) -> int:
    total = 0
    for file in files:
        try:
            total += file.stat().st_size if file is not None else 0
        except OSError:
            continue
    return total


def _positive(value: Any) -> bool:
    number = parse_number(value)
    return number is not None and 0 < number < math.inf
