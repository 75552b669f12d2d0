"""What comes before the first step of a run: the project is examined, and its record frozen in a folder of its own.

Whoever starts a run, or goes on with a changed one, comes through here. Nothing is trained and nothing is shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from loratui.lab.check.check import Report, check
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.models import ModelFolder, model_facts, resolve_model
from loratui.lab.patience import Progress, quiet
from loratui.lab.project.project import Project
from loratui.lab.run.record import frozen_project
from loratui.lab.run.records import Frozen
from loratui.lab.run.runs import RunFolder, create_run


def examined(project: Project, progress: Progress = quiet, download: bool = False) -> tuple[ModelFolder, Report]:
    """The project's base model, and all that can be known before training. LabError when there is no such model.

    A model of the hub is fetched only with `download`, which is for those who start a run.
    """
    base = project.settings.base
    model = resolve_model(base.model, project.folder, base.revision, base.variant, download)
    facts = model_facts(model)
    resolution = project.settings.dataset.resolution or facts.resolution
    return model, check(project, Tokenizer.load(model.path / "tokenizer"), resolution, facts.align, progress)


def refuse_errors(report: Report) -> None:
    """LabError when the check found anything with which no run starts."""
    if report.errors:
        raise LabError("nothing was trained: mend the errors above first; warnings may stay")


def new_run(
    project: Project, model: ModelFolder, report: Report, overrides: Sequence[str], folder: Path | None = None
) -> RunFolder:
    """A frozen run of an examined project, in its own folder or below another one. LabError leaves nothing behind."""
    refuse_errors(report)
    record = frozen_project(project, model, {"overrides": list(overrides)}, report.base.scan)
    return frozen_run(record, project.name, folder or project.folder)


def frozen_run(record: Frozen, name: str, folder: Path) -> RunFolder:
    """A new run below a project's folder that is made of this record. LabError leaves nothing behind."""
    run = create_run(folder.absolute(), name)
    try:
        run.freeze(record.record, record.captions)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run
