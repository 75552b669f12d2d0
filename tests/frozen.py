"""Runs written by hand: frozen, with a log, in milliseconds and without training. For tests of those who only look."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from loratui.lab.project.settings import Settings, settings_to_dict
from loratui.lab.run.runs import RunFolder, create_run

START = datetime(2025, 1, 1, tzinfo=UTC)


def write_bare_project(folder: Path, text: str = 'question = "What is learned?"\n', *images: str) -> Path:
    """A project of images of one colour, each with a caption."""
    (folder / "dataset").mkdir(parents=True)
    (folder / "project.toml").write_text(text, encoding="utf-8")
    for number, name in enumerate(images):
        file = folder / "dataset" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (10 * number % 256, 90, 90)).save(file, "PNG")
        file.with_suffix(".txt").write_text(f"myshape, {file.stem}\n", encoding="utf-8")
    return folder


def freeze_run(
    folder: Path, minute: int = 0, parent: str = "", captions: tuple[str, ...] = ("a",), **lora: Any
) -> RunFolder:
    """A frozen run of a project, made at `minute`; `lora` are settings of that table."""
    run = create_run(folder, folder.name, START + timedelta(minutes=minute))
    settings = settings_to_dict(Settings())
    settings["lora"] |= lora
    record = {
        "run": {"project": folder.name, "parent": parent},
        "settings": settings,
        "model": {"name": "tinyworld", "sha256": {"unet": "0" * 64}},
        "versions": {"torch": "2.6"},
        "machine": {"cores": 2},
    }
    listed = [
        {"name": f"{n}.png", "path": f"/{n}.png", "sha256": "0" * 64, "caption": c, "repeats": 1, "bucket": [64, 64]}
        for n, c in enumerate(captions)
    ]
    run.freeze(record, listed)
    return run


def log(run: RunFolder, kind: str, **fields: Any) -> None:
    """Add one event, and the lock that a worker leaves."""
    with run.events_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, "t": 1.0, **fields}, separators=(",", ":")) + "\n")
    run.lock_file.touch()


def log_steps(run: RunFolder, losses: list[Any], total: int) -> None:
    """The log of a run that was begun and has not ended."""
    log(run, "state", state="running", step=0, total=total)
    lines = [
        json.dumps({"kind": "step", "t": 2.0, "step": step, "loss": loss, "smoothed": loss, "lr": 1e-4},
                   separators=(",", ":"))
        for step, loss in enumerate(losses, start=1)
    ]  # fmt: skip
    with run.events_file.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def finish(run: RunFolder, state: str = "finished", steps: int = 4) -> None:
    """A whole log: a falling loss and an end."""
    log_steps(run, [round(1 / (step + 1), 4) for step in range(steps)], steps)
    log(run, "state", state=state, step=steps, total=steps, reason=state)
