"""What may stand under a file's name below a run or a project, and the names that the program itself uses there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.ground import PROJECT, Ground

# Verbs by the words for them in `verbs.VERBS`.
_RESUME = ("resume",)
_DRAWS = ("sample-new", "knock-out", "attribute-new", "drift-new")
_TELLS = ("status", "findings", "report", "compare", "attach")


@dataclass(frozen=True)
class Name:
    """A file or folder that the program reads or writes: its path (A and B stand for runs), and who touches it."""

    path: str
    writers: Sequence[str]
    lookers: Sequence[str]
    folder: bool = False


NAMES = (
    Name("B/lock", _RESUME, ("status", "attach-b", "stop", "findings")),
    Name("B/.reserve", _RESUME, ("status",)),
    Name("B/events.jsonl", ("resume", "stop"), ("status", "attach-b", "findings", "report", "compare-b")),
    Name("B/log.txt", _RESUME, ("status", "attach-b")),
    Name("B/worker.txt", _RESUME, ("status", "attach-b")),
    Name("B/traceback.txt", _RESUME, ("status",)),
    Name("B/scores.json", ("resume", "measure-b"), ("findings", "report", "status")),
    Name("B/readings.jsonl", ("resume", "measure-b"), ("findings", "report")),
    Name("B/run.toml", ("resume", "resume-changed"), ("status", "findings", "attach-b", "report")),
    Name("B/captions.toml", ("resume", "resume-changed"), ("status", "findings", "compare-b", "attach-b")),
    Name("B/checkpoints/step-000012.safetensors", _RESUME, ("status", "measure-b")),
    Name("B/checkpoints/step-000009.safetensors", _RESUME, ("measure-b", "report")),
    Name("B/samples/step-000012/p00-seed1-steps1-scale1.png", _RESUME, ("measure-b", "report", "findings")),
    Name("B/samples/base/p00-seed1-steps1-base.png", _RESUME, ("measure-b", "report", "findings")),
    Name("B/samples/sheet-step-000012.png", _RESUME, ("report", "status")),
    Name("B/samples/step-000012", _RESUME, ("measure-b", "report"), folder=True),
    Name("B/samples/base", _RESUME, ("measure-b", "report"), folder=True),
    Name("B/samples", ("resume", "measure-b"), ("measure-b", "report", "findings"), folder=True),
    Name("B/checkpoints", _RESUME, ("status", "report", "compare-b"), folder=True),
    Name("B/resume", _RESUME, ("status", "attach-b"), folder=True),
    Name("B/resume/step-000012", _RESUME, ("status",), folder=True),
    Name("B/requests", ("resume", "stop"), ("status",), folder=True),
    Name("B/requests/stop", ("resume", "stop"), ("status",)),
    Name("B/requests/sample", _RESUME, ("status",)),
    Name("B/observations.toml", ("resume", "note-b"), ("findings", "report", "compare-b")),
    Name("A/scores.json", ("measure-json", "sample-new"), ("findings", "report", "compare", "reproduce")),
    Name("A/readings.jsonl", ("sample-new", "measure"), ("measure", "report")),
    Name("A/weights.json", ("weights-new", "weights"), ("weights", "report", "compare")),
    Name("A/drift.json", ("drift-new", "drift"), ("drift", "report", "findings")),
    Name("A/attribution.json", ("attribute-new", "attribute"), ("attribute", "report", "findings")),
    Name("A/attribution.png", ("attribute-new", "attribute"), ("report",)),
    Name("A/knockout.json", ("knock-out-new", "knock-out"), ("knock-out", "report", "weights")),
    Name("A/knockout", ("knock-out-new",), ("knock-out", "report"), folder=True),
    Name("A/observations.toml", ("note",), ("findings", "report", "compare", "findings-csv")),
    Name("A/samples/step-000012", ("sample-new",), _TELLS, folder=True),
    Name("A/samples/step-000012/p00-seed7-steps1-scale1.png", ("sample-new",), ("measure", "report")),
    Name("A/samples/base/p00-seed7-steps1-base.png", ("sample-new",), ("measure", "report")),
    Name("A/samples/asked.json", ("sample-new",), ("measure", "report")),
    Name("A/training", ("measure", "attribute-new"), ("measure", "report"), folder=True),
    Name("A/jobs", ("report", "bench-run"), ("bench-run", "report"), folder=True),
    Name("A/lock", ("sample-new", "measure"), ("status", "measure", "attach")),
    Name("A/events.jsonl", ("sample-new", "measure"), _TELLS),
    Name("A/captions.toml", ("measure", "note"), (*_TELLS, "from")),
    Name("A/run.toml", ("measure", "note"), (*_TELLS, "from")),
    Name("A/checkpoints/step-000012.safetensors", ("sample-new",), ("weights", "drift", "compare", "report")),
    Name(f"{PROJECT}/.loratui", ("report", "bench-dataset"), ("check", "bench-dataset"), folder=True),
    Name(f"{PROJECT}/.loratui/jobs", ("report",), ("bench-findings",), folder=True),
    Name(f"{PROJECT}/.loratui/edits.jsonl", ("bench-dataset",), ("bench-dataset",)),
    Name(f"{PROJECT}/.loratui/unsaved.jsonl", ("bench-dataset",), ("bench-dataset",)),
    Name(f"{PROJECT}/.loratui/project.toml.draft", ("bench-settings",), ("bench-settings",)),
    Name(f"{PROJECT}/project.toml", ("check",), ("check", "status", "plan", "findings", "report", "resume")),
    Name(f"{PROJECT}/dataset/circle.txt", ("check",), ("check", "report", "plan", "resume")),
    Name(f"{PROJECT}/dataset/circle.png", ("check",), ("check", "report", "plan", "resume")),
    Name("model/unet/config.json", ("check",), ("check", "resume", "plan")),
    Name("model/model_index.json", ("check",), ("check", "resume", "plan")),
    Name("model/unet/diffusion_pytorch_model.safetensors", ("check",), ("check", "resume", "plan")),
    Name("model/tokenizer/vocab.json", ("check",), ("check", "resume", "plan")),
    Name("config.toml", ("check",), ("status-home", "bench-likes")),
)  # fmt: skip


def path_of(ground: Ground, name: Name) -> Path:
    runs = dict(zip("ABCD", ground.runs(), strict=True))
    first, _, rest = name.path.partition("/")
    return runs[first] / rest if first in runs else ground.place.folder / name.path


def clear(path: Path) -> None:
    """Make room under a name, and the folder that it is in."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)


def put_fifo(path: Path) -> None:
    clear(path)
    os.mkfifo(path)


def put_endless(path: Path) -> None:
    clear(path)
    path.symlink_to("/dev/zero")


def put_folder(path: Path) -> None:
    clear(path)
    path.mkdir()
