"""Which runs of a project train the very same thing as a wanted one: those need not be made again.

What is only drawn, logged or said differently does not count, nor do machines and versions of libraries; captions count
by the letter, also where they are the same tokens. Read from records alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.project.project import Project
from loratui.lab.run.lock import is_locked
from loratui.lab.run.looked import Looked, look_at
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder, RunState, list_runs, read_state
from loratui.lab.run.trained import trained_as
from loratui.lab.run.wanted import Wanted


@dataclass(frozen=True)
class Made:
    """A run that trains what is wanted."""

    run: RunFolder
    state: RunState
    alive: bool

    @property
    def is_finished(self) -> bool:
        return self.state.name == "finished" and not self.alive


class Shelf:
    """The runs of a project, each read once, to be searched for those that train what is wanted."""

    def __init__(self, looked: Looked) -> None:
        self._runs = list(_read(looked.wanted.project))

    def find(self, looked: Looked) -> Made | None:
        """A finished run, else one that is being trained, else the newest unfinished one; of several the one that was
        made as what is wanted, else the newest."""
        identity = {key: value for key, value in looked.wanted.identity.items() if key != "overrides"}
        limit = looked.wanted.project.settings.train.max_minutes
        best: tuple[tuple[bool, bool, bool, str], Made] | None = None
        for run, key, said, minutes in self._runs:
            if key != looked.key:
                continue
            made = Made(run, read_state(run), is_locked(run.lock_file))
            if made.is_finished and made.state.reason == "max_minutes" and minutes != limit:
                continue  # it was given another time, and is not what would be trained now
            same = {name: said[name] for name in ("variant", "repeat", "matrix") if said.get(name)} == identity
            rank = (made.is_finished, made.alive, same, run.id)
            if best is None or rank > best[0]:
                best = rank, made
        return best[1] if best else None


def _read(project: Project) -> Iterator[tuple[RunFolder, dict[str, Any], dict[str, Any], float]]:
    for run in list_runs(project.folder):
        try:
            record, said = read_record(run), run.read_record().get("run", {})
            yield run, trained_as(record), dict(said), record.settings.train.max_minutes
        except (LabError, OSError):  # a damaged one is nobody's
            continue


def find_made(wanted: Wanted) -> RunFolder | None:
    """The run of the project that trains the very same thing: a finished one, else one that is not; None without any.

    What is only drawn, logged or said differently does not count, nor do machines and versions; captions count by the
    letter. LabError when the base model is not there.
    """
    looked = look_at([wanted], judge=False).runs[0]
    made = Shelf(looked).find(looked) if looked.setup.checked else None
    return made.run if made else None
