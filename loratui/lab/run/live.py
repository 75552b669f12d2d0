"""What is alive below a folder of projects: every run that a worker has, training or waiting for its turn.

Cheap enough to look once a second: what nobody has costs one `stat`, and of the log of a live run only what is new is
read. Also which run somebody means who wants to watch one. Of finished runs `runs.read_state` tells.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary
from loratui.lab.run.events import Event, last_event, parse_number, read_events
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import FINAL, RunFolder, RunState, list_runs, read_state
from loratui.lab.run.story import Pace

_SETTLED = 2.0  # seconds; a folder that changed less long ago may change again without its time showing it
_TAIL = 1 << 16  # bytes of a log that is met for the first time; what is older comes from its last state event


@dataclass(frozen=True)
class LiveRun:
    """How a run stands. `loss` is the smoothed one, and may be nan; `ahead` is how many it waits for.

    Nobody has a run that is not `live`; it is here because it is unfinished.
    """

    run: RunFolder
    project: str
    state: RunState
    total: int
    seconds_left: float | None
    loss: float | None
    device: str = ""
    ahead: int = 0
    live: bool = True


class LiveWatch:
    """Looks for live runs below a folder of projects, or below one project. May be asked from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[Path, tuple[int, list[str]]] = {}  # of folders: when they last changed, and what is in them
        self._known: dict[Path, _Follower] = {}
        self._one_at_a_time = threading.Lock()

    def look(self) -> tuple[LiveRun, ...]:
        """All live runs, those that train before those that wait, each in the order of their ids."""
        with self._one_at_a_time:
            found = [live for path in self._locked() if (live := self._follow(path)) is not None]
            alive = {live.run.path for live in found}
            self._known = {path: follower for path, follower in self._known.items() if path in alive}
        return tuple(sorted(found, key=lambda live: (live.state.name == "queued", live.ahead, live.run.id)))

    def _locked(self) -> Iterator[Path]:
        """The folders of runs whose lock somebody holds."""
        for runs in (self.folder / "runs", *(self.folder / name / "runs" for name in self._names(self.folder))):
            for name in self._names(runs):
                lock = runs / name / "lock"
                try:
                    held = lock.stat().st_size > 0  # a worker that ends in order leaves it empty
                except OSError:
                    continue
                if held and is_locked(lock):
                    yield runs / name

    def _names(self, folder: Path) -> list[str]:
        """The names of the folders in a folder, hidden ones aside; none where there is no such folder."""
        try:
            changed = folder.stat().st_mtime_ns
        except OSError:
            return []
        known = self._listed.get(folder)
        if known and known[0] == changed:
            return known[1]
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
        except OSError:
            return []
        if time.time() - changed / 1e9 > _SETTLED:
            self._listed[folder] = (changed, names)
        return names

    def _follow(self, path: Path) -> LiveRun | None:
        follower = self._known.get(path)
        if follower is None:
            follower = self._known[path] = _Follower(RunFolder(path))
        return follower.look()


class _Follower:
    """One live run, and how much of its log is read."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.pace = Pace()
        self.state: Event = {}
        self.step: Event = {}
        self.device = ""
        self.planned = 0  # steps, by the record
        self.offset = self._skip()

    def _skip(self) -> int:
        """Take in what counts of a long log, and say from where to read on."""
        try:
            size = self.run.events_file.stat().st_size
        except OSError:
            return 0
        if size <= _TAIL:
            return 0
        with contextlib.suppress(OSError):
            latest = [last_event(self.run.events_file, kind) for kind in ("state", "step")]
            for event in sorted((e for e in latest if e), key=lambda e: parse_number(e.get("t")) or 0.0):
                self._take(event)
            with open_binary(self.run.events_file) as file:
                file.seek(size - _TAIL)
                return size - _TAIL + file.read(_TAIL).rfind(b"\n") + 1
        return 0

    def look(self) -> LiveRun | None:
        events: list[Event] = []
        with contextlib.suppress(OSError):  # no log of ours: `read_state` says so
            events, self.offset = read_events(self.run.events_file, self.offset)
        for event in events:
            self._take(event)
        said = str(self.state.get("state", ""))
        if said in FINAL:  # it is about to end, or has just been taken up again
            return None
        name = "running" if said in ("running", "paused") else "queued"
        state = RunState(
            name, said == "paused", self.pace.step, str(self.state.get("reason", "")), float(self.state.get("t", 0.0))
        )
        ahead = self.state.get("ahead", 0) if name == "queued" else 0
        return LiveRun(
            self.run,
            self.run.project_folder.name,
            state,
            self.total,
            self.pace.seconds_left if name == "running" else None,
            self.loss,
            self.device,
            ahead if isinstance(ahead, int) else 0,
        )

    def _take(self, event: Event) -> None:
        try:
            self.pace.feed(event)
        except (KeyError, TypeError, ValueError):  # a line that someone else wrote
            return
        if event["kind"] == "state":
            self.state = event
            self.device = str(event.get("device", self.device))
        elif event["kind"] == "step":
            self.step = event

    @property
    def loss(self) -> float | None:
        return parse_number(self.step.get("smoothed", self.step.get("loss")))

    @property
    def total(self) -> int:
        """How many steps it will be; by its record, where it has not said so yet. 0 when neither tells."""
        if self.pace.total:
            return self.pace.total
        if not self.planned:
            from loratui.lab.run.record import read_record

            try:
                self.planned = read_record(self.run).plan.total_steps
            except LabError:
                return 0
        return self.planned


def unfinished(folder: Path) -> tuple[LiveRun, ...]:
    """Of each project below a folder, or of that project, the newest run that did not finish and nobody has.

    It is the one that `--resume PROJECT` goes on with.
    """
    found = []
    for project in (folder, *_folders(folder)):
        for run in reversed(list_runs(project)):
            state = read_state(run)
            if state.name == "finished" or is_locked(run.lock_file):
                continue
            follower = _Follower(run)
            follower.look()
            found.append(LiveRun(run, project.name, state, follower.total, None, follower.loss, live=False))
            break
    return tuple(found)


def find_watched(which: Path) -> RunFolder:
    """The run of a run folder, or of a project its live run, else its newest. LabError when there is none."""
    place = which.expanduser().absolute()
    given = RunFolder(place.parent if place.name == "run.toml" else place)
    if given.is_frozen:
        return given
    project = place.parent if place.is_file() else place
    if not project.is_dir():
        raise LabError(f"{which}: no such run or project; give the folder of a run, or a project that has runs")
    runs = list_runs(project)
    if not runs:
        raise LabError(f"{which}: there are no runs here; start one with: loratui --run {which}")
    return next((run for run in reversed(runs) if is_locked(run.lock_file)), runs[-1])


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
