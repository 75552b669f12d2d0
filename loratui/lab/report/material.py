"""What an article is made from: a project's runs as they stand, which of them are told in full, and their numbers.

Reads everything, measures pictures that were not measured yet, and words nothing. A file that is broken becomes a
problem that is told, and everything else is told all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.notes.comparison import letter
from loratui.lab.notes.notebook import short_run
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.gallery import Gallery
from loratui.lab.project.project import Project, load_project
from loratui.lab.run.record import Record, read_record, refuse_odd_log
from loratui.lab.run.runs import RunFolder, RunState, list_runs, read_state
from loratui.lab.scores.features import newest_scores, remembered_scores
from loratui.lab.scores.scores import RunScores, Score

IN_FULL = 6  # runs with charts and pictures; older ones stand in a table


@dataclass(frozen=True)
class Told:
    """A run. `name` is its letter where it is told in full, "" else; without a record `problem` says why."""

    run: RunFolder
    name: str
    state: RunState
    record: Record | None
    said: Mapping[str, Any]  # run.toml as it is
    scores: RunScores | None
    problem: str = ""

    @property
    def label(self) -> str:
        """`run B (basic-grey-7a52)`."""
        short = short_run(self.run.id)
        return f"run {self.name} ({short})" if self.name else short

    @property
    def about(self) -> Mapping[str, Any]:
        found = self.said.get("run", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def variant(self) -> str:
        return str(self.about.get("variant") or "")

    @property
    def is_as_written(self) -> bool:
        """Whether nobody changed anything for this run: no variant, no cell of a matrix, no --set, no other seed."""
        return not any(self.about.get(key) for key in ("variant", "repeat", "matrix", "overrides", "parent"))

    @cached_property
    def gallery(self) -> Gallery:
        found = Gallery(self.run)
        found.refresh()
        found.read_words()
        return found

    @cached_property
    def newest(self) -> tuple[Score, ...]:
        """The scores it is judged by."""
        return newest_scores(self.scores) if self.scores is not None else ()

    @property
    def length(self) -> int:
        """The longest denoising that anything was expected of."""
        return max((score.place.inference_steps for score in self.newest), default=0)

    @property
    def finished_pictures(self) -> tuple[Score, ...]:
        """The scores of its pictures drawn in full."""
        return tuple(score for score in self.newest if score.place.inference_steps == self.length)


@dataclass(frozen=True)
class Material:
    """A project. `runs` are all, oldest first; `full` are those told in full, in the same order."""

    folder: Path
    name: str
    question: str
    project: Project | None
    runs: tuple[Told, ...]
    main: Told | None  # the run that the answer speaks of
    problems: tuple[str, ...]

    @property
    def full(self) -> tuple[Told, ...]:
        return tuple(told for told in self.runs if told.name)

    @property
    def others(self) -> tuple[Told, ...]:
        return tuple(told for told in self.runs if not told.name)


def gather(folder: Path, progress: Progress = quiet) -> Material:
    """Read a project's folder, or that of a project.toml. LabError where it is no project."""
    folder = (folder.parent if folder.is_file() else folder).absolute()
    runs = list_runs(folder)
    if not (folder / "project.toml").is_file() and not runs:
        raise LabError(f"{folder}: not a project; give the folder of a project.toml")
    problems: list[str] = []
    project: Project | None = None
    try:
        project = load_project(folder)
    except LabError as error:
        problems.append(str(error))
    read = [_read(run) for run in runs]
    main = _main([told for told in read if told.record is not None], project)
    chosen = _chosen(read, main)
    letters = {run.path: letter(index) for index, run in enumerate(chosen)}
    told = []
    for one in read:
        scores, problem = None, one.problem
        try:
            if one.run.path in letters:
                place = list(letters).index(one.run.path)
                scores = _measured(one.run, _within(progress, place, len(letters)))
            else:
                scores = remembered_scores(one.run)
        except (LabError, OSError) as error:
            problems.append(str(error))
        told.append(Told(one.run, letters.get(one.run.path, ""), one.state, one.record, one.said, scores, problem))
    question = project.settings.question if project is not None else ""
    if not question:
        question = next((one.record.question for one in reversed(told) if one.record and one.record.question), "")
    answering = next((one for one in told if main is not None and one.run == main.run), None)
    return Material(folder, folder.name, question, project, tuple(told), answering, tuple(problems))


def _within(progress: Progress, place: int, many: int) -> Progress:
    """The progress of one run among several, in hundredths of a run."""
    return lambda done, total: progress(100 * place + (100 * done // total if total else 0), 100 * many)


def _read(run: RunFolder) -> Told:
    state, record, said, problem = read_state(run), None, {}, ""
    try:
        said = run.read_record()
        refuse_odd_log(run)
        record = read_record(run)
    except LabError as error:
        problem = str(error)
    return Told(run, "", state, record, said, None, problem)


def _main(read: Sequence[Told], project: Project | None) -> Told | None:
    """The run of the project as it is written, when it ended and drew pictures; else whatever comes nearest."""

    def rank(told: Told) -> tuple[bool, bool, bool, bool, str]:
        drawn = any(told.run.samples.glob("step-*/*.png"))
        as_now = told.record is not None and project is not None and told.record.settings == project.settings
        return (drawn, told.state.name == "finished" and told.is_as_written, as_now, told.is_as_written, told.run.id)

    return max(read, key=rank, default=None)


def _chosen(read: Sequence[Told], main: Told | None) -> list[RunFolder]:
    """The newest runs, and the main one whatever its age; oldest first."""
    sound = [told.run for told in read if told.record is not None]
    if main is None or len(sound) <= IN_FULL:
        return sound[-IN_FULL:]
    others = [run for run in sound if run != main.run][-(IN_FULL - 1) :]
    return [run for run in sound if run == main.run or run in others]


def _measured(run: RunFolder, progress: Progress) -> RunScores | None:
    """The scores of the pictures that are there now; None without any."""
    from loratui.lab.scores.scoring import is_current, refresh

    known = remembered_scores(run)
    if is_current(run, known):
        return known
    return refresh(run, progress) if any(run.samples.glob("step-*/*.png")) else None
