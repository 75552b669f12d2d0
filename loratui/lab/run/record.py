"""The frozen record of a run: everything it depends on, made before the first step and read back by the worker.

`freeze` gathers settings, captions, image hashes, the base model's hashes and versions into run.toml and
captions.toml; `read_record` gives them back as plain objects. What two records differ in is `records`' subject.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from loratui import __version__
from loratui.lab.dataset.buckets import training_sizes
from loratui.lab.dataset.dataset import Scan, TrainingImage, scan_dataset
from loratui.lab.derived import declared
from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import open_binary
from loratui.lab.modelfiles import PARTS
from loratui.lab.models import ModelFolder, model_facts, model_hash
from loratui.lab.plain import plain
from loratui.lab.project.plan import Plan, plan
from loratui.lab.project.project import Project, variant_caption
from loratui.lab.project.settings import ResolvedPrompt, Settings, settings_from_dict, settings_to_dict
from loratui.lab.run.records import Frozen
from loratui.lab.run.runs import RunFolder, undamaged

LIBRARIES = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy", "pillow")


@dataclass(frozen=True)
class FrozenImage:
    """A training image as the run saw it. `bucket` is (width, height) in pixels."""

    name: str
    path: str
    sha256: str
    caption: str
    repeats: int
    bucket: tuple[int, int]


@dataclass(frozen=True)
class Record:
    """What a worker needs to know; nothing in it changes while the run lives."""

    project: str
    question: str
    settings: Settings
    images: tuple[FrozenImage, ...]
    model: ModelFolder
    hashes: Mapping[str, str]  # by part of the base model
    resolution: int  # pixels, the training resolution
    align: int  # picture sizes are multiples of this many pixels

    @cached_property
    def plan(self) -> Plan:
        return plan(self.images, self.settings, [image.bucket for image in self.images])

    @property
    def base_name(self) -> str:
        return self.model.name

    @cached_property
    def base_hash(self) -> str:
        """One hash for all parts of the base model."""
        return _together(self.hashes, *sorted(self.hashes))

    @property
    def vae_hash(self) -> str:
        return self.hashes["vae"]

    @cached_property
    def encoder_hash(self) -> str:
        return _together(self.hashes, "text_encoder", "tokenizer")

    @cached_property
    def prompts(self) -> tuple[ResolvedPrompt, ...]:
        return self.sized(self.settings.sample.resolved([image.caption for image in self.images]))

    def sized(self, prompts: tuple[ResolvedPrompt, ...]) -> tuple[ResolvedPrompt, ...]:
        """Prompts with their picture sizes filled in and rounded to what the model can draw."""

        def fit(size: int) -> int:
            return max(self.align, round((size or self.resolution) / self.align) * self.align)

        return tuple(replace(p, width=fit(p.width), height=fit(p.height)) for p in prompts)


def output_name(record: Record, step: int) -> str:
    """What the LoRA of a step calls itself in its metadata and in the pictures made with it."""
    return f"{record.project}-{step:06d}"


def _together(hashes: Mapping[str, str], *parts: str) -> str:
    return hashlib.sha256("".join(f"{part}={hashes[part]};" for part in parts).encode()).hexdigest()


def frozen(
    project: str,
    settings: Settings,
    images: list[tuple[TrainingImage, tuple[int, int]]],
    model: ModelFolder,
    extra: Mapping[str, Any] | None = None,
) -> Frozen:
    """The record of a run that would start now. `extra` goes into the table that is never compared (parent, …)."""
    facts = model_facts(model)
    record = {
        "run": {"project": project, "command": sys.argv[1:], **(extra or {})},
        "settings": settings_to_dict(settings),
        "model": {
            "name": model.name,
            "path": str(model.path),
            "family": model.family,
            "variant": model.variant,
            "resolution": settings.dataset.resolution or facts.resolution,
            "align": facts.align,
            "sha256": dict(model_hash(model)),
        },
        "versions": {"loratui": __version__, "python": platform.python_version(), **_versions()},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count() or 0},
    }
    captions = [
        {
            "name": image.name,
            "path": str(image.path.absolute()),
            "sha256": image.sha256,
            "caption": image.caption,
            "repeats": image.repeats,
            "bucket": list(bucket),
        }
        for image, bucket in images
    ]
    return Frozen(record, captions)


def frozen_project(project: Project, model: ModelFolder, extra: Mapping[str, Any], scan: Scan | None = None) -> Frozen:
    """The record of a run of a project's settings. `scan` is its dataset where it was read already."""
    settings = project.settings
    scan = scan or scan_dataset(project.dataset_folder(), settings.dataset)
    facts = model_facts(model)
    resolution = settings.dataset.resolution or facts.resolution
    sizes = training_sizes(scan.images, settings.dataset, resolution, facts.align)
    images = scan.images
    if project.variant is not None:
        images = tuple(replace(image, caption=variant_caption(image.caption, project.variant)) for image in images)
    return frozen(project.name, settings, list(zip(images, sizes, strict=True)), model,
                  {"project_file": str(project.file.absolute()), **extra})  # fmt: skip


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def read_record(run: RunFolder) -> Record:
    """The frozen record of a run. LabError when it is missing, damaged or edited into something impossible."""
    record, captions = run.read_record(), run.read_captions()
    with undamaged(run.captions_file):
        images: tuple[FrozenImage, ...] = declared(tuple[FrozenImage, ...], captions)
    with undamaged(run.record_file):
        model = record["model"]
        return Record(
            project=record["run"]["project"],
            question=record["settings"]["question"],
            settings=settings_from_dict(record["settings"]),
            images=images,
            model=ModelFolder(model["name"], Path(model["path"]), model["family"], model["variant"]),
            hashes={part: model["sha256"][part] for part in PARTS},
            resolution=model["resolution"],
            align=model["align"],
        )


def readable_runs(runs: Iterable[RunFolder], problems: list[str]) -> list[RunFolder]:
    """Those whose record can be read: of each other run a line in `problems`, so that one does not blind the rest."""
    found = []
    for run in runs:
        try:
            read_record(run)
            refuse_odd_log(run)
        except LabError as error:
            problems.append(f"{plain(run.id)} is left out: {error}")
        else:
            found.append(run)
    return found


def refuse_odd_log(run: RunFolder) -> None:
    """LabError where the log of a run is there and is no file that can be read."""
    try:
        open_binary(run.events_file).close()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LabError(f"{run.events_file}: cannot be read: {cause_of(error)}") from error
