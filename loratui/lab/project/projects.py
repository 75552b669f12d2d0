"""The shelf: which projects a folder holds, and what a person wants to know of each before opening it.

Reads names, small files and the ends of logs, and keeps what it read until a file changes, so that a shelf of a hundred
projects is told at once and looking again costs next to nothing. It writes nothing: making, renaming and removing
projects is in newproject.py and moving.py.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.dataset.dataset import count_images, natural
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.project.project import FILE_NAME, Project, load_project
from loratui.lab.run.glance import Glances, RunSummary, Signature, signature
from loratui.lab.run.runs import RunFolder, list_runs

if TYPE_CHECKING:
    from loratui.lab.notes.observations import Observation

__all__ = ["ARCHIVED", "ProjectSummary", "RunSummary", "Shelf", "is_archived", "list_projects", "summarise"]

ARCHIVED = "ARCHIVED"  # a file of this name in a project's folder: seen by whoever looks there, kept by every copy
_SETTLED = 2.0  # seconds; a folder that changed just now may change again within what its clock can tell apart


@dataclass(frozen=True)
class ProjectSummary:
    """`runs` are the oldest first. `error` is what is wrong with project.toml, "" when it is in order."""

    folder: Path
    name: str
    question: str = ""
    images: int = 0
    runs: tuple[RunSummary, ...] = ()
    error: str = ""
    last_observation: Observation | None = None
    archived: bool = False
    dataset: Path | None = None  # the folder of images; None where project.toml cannot be read

    @property
    def last_run(self) -> RunSummary | None:
        return self.runs[-1] if self.runs else None


def is_archived(project: Path) -> bool:
    return signature(project / ARCHIVED) is not None


def list_projects(folder: Path, archived: bool = False) -> list[Path]:
    """The folders in `folder` that hold a project.toml or runs, in natural order; hidden ones are passed over.

    Those put away are left out, unless `archived`. A folder that cannot be read, or is none, holds none.
    """
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and _is_project(path)]
    except OSError:
        return []
    return sorted((path for path in found if archived or not is_archived(path)), key=lambda path: natural(path.name))


def _is_project(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return (path / FILE_NAME).is_file() or (path / "runs").is_dir()
    return False


def summarise(folder: Path) -> ProjectSummary:
    """All that the shelf tells of one project. Never raises for what lies in its folder."""
    return Shelf(folder.parent).look(folder)


@dataclass
class _Memory:
    """What was read of a project, each beside the signatures of the files it came from."""

    file: tuple[Signature | None, Project | None, str] | None = None
    images: tuple[dict[Path, Signature | None], int] | None = None
    observations: dict[Path, tuple[Signature, Observation | None]] = field(default_factory=dict)


class Shelf:
    """The projects of a folder, remembered from one look to the next. Any thread may ask; one is answered at a time."""

    def __init__(self, folder: Path, archived: bool = False) -> None:
        self.folder, self.archived = folder, archived
        self.summaries: dict[Path, ProjectSummary] = {}  # of the last look, in the order of the list
        self.glances = Glances()
        self._memories: dict[Path, _Memory] = {}
        self._lock = threading.Lock()

    def list(self) -> tuple[Path, ...]:
        """The projects that are there now; nothing of them is read."""
        return tuple(list_projects(self.folder, self.archived))

    def look(self, project: Path) -> ProjectSummary:
        """One project as it is now."""
        with self._lock:
            summary = self.summaries[project] = self._summary(project)
            return summary

    def refresh(self, progress: Progress = quiet) -> frozenset[Path]:
        """Look at everything again: the projects that changed, came or went since the last look."""
        listed = self.list()
        changed = set()
        for number, project in enumerate(listed):
            progress(number, len(listed))
            before = self.summaries.get(project)
            if self.look(project) != before:
                changed.add(project)
        with self._lock:
            gone = self.summaries.keys() - set(listed)
            for project in gone:
                self._memories.pop(project, None)
                self.glances.forget(project)
            self.summaries = {project: self.summaries[project] for project in listed if project in self.summaries}
        progress(len(listed), len(listed))
        return frozenset(changed | gone)

    def news(self, run: RunFolder, before: RunFolder | None) -> str:
        """What is new in a run against its parent, else against `before`; one harmless line."""
        with self._lock:
            return self.glances.news(run, before)

    def _summary(self, folder: Path) -> ProjectSummary:
        memory = self._memories.setdefault(folder, _Memory())
        project, error = _read(folder, memory)
        dataset = project.dataset_folder() if project else folder / "dataset"
        runs = tuple(self.glances.look(run) for run in list_runs(folder))
        return ProjectSummary(
            folder=folder,
            name=folder.name,
            question=project.settings.question if project else "",
            images=_images(dataset, memory),
            runs=runs,
            error=error,
            last_observation=_last_observation([run.run for run in runs], memory),
            archived=is_archived(folder),
            dataset=dataset if project else None,
        )


def _read(folder: Path, memory: _Memory) -> tuple[Project | None, str]:
    file = folder / FILE_NAME
    mark = signature(file)
    if memory.file is None or memory.file[0] != mark:
        try:
            if mark is None:
                raise LabError(f"{file}: there is no such file; the runs below can still be looked at")
            memory.file = mark, load_project(file), ""
        except (LabError, OSError) as error:
            memory.file = mark, None, str(error)
    return memory.file[1], memory.file[2]


def _images(dataset: Path, memory: _Memory) -> int:
    """How many there are, counted again when a name came or went."""
    known = memory.images
    if known is None or dataset not in known[0] or any(signature(path) != mark for path, mark in known[0].items()):
        count, folders = count_images(dataset)
        marks = {path: signature(path) for path in (dataset, *folders)}
        if any(mark and time.time() - mark[2] / 1e9 < _SETTLED for mark in marks.values()):
            memory.images = None
            return count
        known = memory.images = marks, count
    return known[1]


def _last_observation(runs: list[RunFolder], memory: _Memory) -> Observation | None:
    """The newest one of the run whose notes were written to last; those struck out do not count."""
    written = [(mark, run) for run in runs if (mark := signature(run.observations_file)) is not None]
    for mark, run in sorted(written, key=lambda pair: pair[0][2], reverse=True):
        known = memory.observations.get(run.path)
        if known is None or known[0] != mark:
            known = memory.observations[run.path] = mark, _newest(run)
        if known[1] is not None:
            return known[1]
    return None


def _newest(run: RunFolder) -> Observation | None:
    from loratui.lab.notes.observations import read_observations

    try:
        standing = [observation for observation in read_observations(run) if not observation.struck]
    except (LabError, OSError):
        return None
    return max(standing, key=lambda observation: observation.time, default=None)
