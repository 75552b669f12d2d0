"""A folder of projects that is the same on every machine, for pictures of screens: nothing in it was trained.

Texts, times, ids and losses are written down or computed here, and every image is of one colour, so that no decoder
and no resampling can make a difference. Only the records are made by the code that freezes runs.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from PIL import Image

from loratui.lab.models import resolve_model
from loratui.lab.project.project import load_project
from loratui.lab.run.record import frozen_project
from loratui.lab.run.runs import RunFolder
from tests.pictures import draw_sample, places

START = 1_710_498_245  # Friday 15 March 2024, 10:24:05 UTC
STEPS, EVERY = 300, 75
FINISHED, VARIED = "20240315-102405-shapes-40df", "20240315-110000-shapes-1587"
QUESTION = "Three grey shapes, one tag: what is learned first?"
IMAGES = {
    "circle": ((200, 60, 60), "myshape, circle"),
    "square": ((60, 160, 80), "myshape, square"),
    "triangle": ((60, 80, 200), "myshape, triangle, on a very white background"),
    "wheel": ((120, 120, 120), "myshape"),
}
PROJECT = f"""question = "{QUESTION}"

[base]
model = "tinyworld"

[dataset]
path = "dataset"          # drawn for the tests
repeats = 25
trigger = "myshape"

[lora]
rank = 8
alpha = 8

[train]
epochs = 3                # 4 images x 25 repeats x 3 epochs / batch 1 = 300 steps
learning_rate = 3e-4

[sample]
every = "epoch"
seeds = [1, 2, 3]

[[sample.prompt]]
text = "myshape"
expect = {{ colour = "gray", shape = "circle" }}
"""
NOTES = """[[observation]]
id = "2bc13eee"
time = 2024-03-15T10:41:00Z
run = "{run}"
step = 150
feature = "colour"
verdict = "learned"
note = "The shade of grey comes first: by step 150 every sample is grey, whatever its shape."
pictures = ["samples/step-000150/p00-seed1-steps25-scale1.png"]

[[observation]]
id = "92c4a634"
time = 2024-03-15T10:44:00Z
run = "{run}"
step = 225
feature = "shape"
verdict = "partly"
note = "Circles for two of three seeds."

[[observation]]
id = "c6587ae2"
time = 2024-03-15T10:46:00Z
run = "{run}"
feature = "background"
verdict = "uncertain"
note = "Pale grey at best."
"""


def fixed_shelf(folder: Path) -> Path:
    """Make the projects `shapes` (two finished runs), `halfway` (an interrupted one), `empty` and `broken`."""
    shapes = _project(folder / "shapes")
    _run(shapes, FINISHED)
    _run(shapes, VARIED, rank=2)
    halfway = _project(folder / "halfway")
    _run(halfway, "20240316-080000-halfway-77aa", until=190)
    (folder / "empty" / "dataset").mkdir(parents=True)
    (folder / "empty" / "project.toml").write_text('[base]\nmodel = "tinyworld"\n[dataset]\npath = "dataset"\n')
    (folder / "broken").mkdir()
    (folder / "broken" / "project.toml").write_text('question = "what\n[[[\n')
    return folder


def _project(folder: Path) -> Path:
    dataset = folder / "dataset"
    dataset.mkdir(parents=True)
    (folder / "project.toml").write_text(PROJECT, encoding="utf-8")
    for name, (colour, caption) in IMAGES.items():
        Image.new("RGB", (64, 64), colour).save(dataset / f"{name}.png")
        if caption:
            (dataset / f"{name}.txt").write_text(caption + "\n", encoding="utf-8")
    return folder


def _run(project: Path, name: str, rank: int = 8, until: int = STEPS) -> RunFolder:
    run = RunFolder(project / "runs" / name)
    for folder in (run.checkpoints, run.resume, run.samples, run.requests):
        folder.mkdir(parents=True)
    overrides = [f"lora.rank={rank}"] if rank != 8 else []
    record = frozen_project(
        load_project(project, overrides), resolve_model("tinyworld", project), {"overrides": overrides}
    )
    run.freeze(record.record, record.captions)
    run.lock_file.touch()
    run.events_file.write_text(
        "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in _events(run, until))
    )
    steps = list(range(EVERY, until + 1, EVERY))
    for where in places(steps, (1, 2, 3)):
        draw_sample(run, where, 64)
    lines = ["loading tinyworld on CPU, 1 thread, float32", "4 images × 25 repeats × 3 epochs ÷ batch 1 = 300 steps"]
    lines += [f"step {step}: saved checkpoints/step-{step:06d}.safetensors" for step in steps]
    lines += ["finished, 0:30 in all"] if until == STEPS else []
    run.log_file.write_text("".join(f"2024-03-15 10:24:{5 + n:02d} {line}\n" for n, line in enumerate(lines)))
    for step in steps:
        run.checkpoint_file(step).write_bytes(b"x" * 50_000 * rank)
    if until < STEPS:
        (run.resume_folder(steps[-1])).mkdir()
        (run.resume_folder(steps[-1]) / "COMPLETE").touch()
    elif rank == 8:
        run.observations_file.write_text(NOTES.format(run=name), encoding="utf-8")
    return run


def _events(run: RunFolder, until: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"kind": "message", "t": START + 0.5, "text": "loading tinyworld on CPU, 1 thread, float32"},
        {"kind": "state", "t": START + 1.0, "state": "running", "step": 0, "total": STEPS, "device": "CPU, 1 thread",
         "arithmetic": "4 images × 25 repeats × 3 epochs ÷ batch 1 = 300 steps", "trainable": 143360},
    ]  # fmt: skip
    smoothed = 0.04
    for step in range(1, until + 1):
        at = START + 1 + step / 10
        loss = round(0.004 + 0.03 * math.exp(-step / 80) + 0.006 * (step * 37 % 11) / 11, 6)
        smoothed = round(0.95 * smoothed + 0.05 * loss, 6)
        told.append({"kind": "step", "t": at, "step": step, "epoch": 1 + (step - 1) // 100, "loss": loss,
                     "smoothed": smoothed, "lr": 0.0003, "it_s": 10.0, "memory": 554250240})  # fmt: skip
        if step % 50 == 0 or step == 1:
            told.append({"kind": "probe", "t": at, "step": step, "loss": round(0.004 + 0.01 * math.exp(-step / 90), 6)})
        if step % EVERY == 0:
            path = f"checkpoints/step-{step:06d}.safetensors"
            told.append({"kind": "checkpoint", "t": at, "step": step, "path": str(run.path / path), "sha256": "1" * 64})
            folder = run.samples / f"step-{step:06d}"
            told += [{"kind": "sample", "t": at, "step": step, "path": str(folder / f"p00-seed{n}-steps25-scale1.png")}
                     for n in (1, 2, 3)]  # fmt: skip
    if until == STEPS:
        told.append({"kind": "state", "t": START + 31.0, "state": "finished", "run": str(run.path), "step": STEPS,
                     "total": STEPS, "seconds": 30.0, "loss": smoothed, "first_probe": 0.0139, "last_probe": 0.0044,
                     "memory": 554250240, "reason": "finished"})  # fmt: skip
    return told
