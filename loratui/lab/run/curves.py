"""The curves of a run, read from its event log while it grows: loss, smoothed loss, learning rate, probe loss, marks.

`Curves` reads only what is new, in a thread if asked to, and keeps numbers and no events, so that a log of a million
steps opens in a second or two. What a killed run logged past the step it resumed from is gone, as in `events.Series`,
which says the same of a short log with every field kept. Nothing is drawn here.
"""

from __future__ import annotations

import math
import os
import re
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loratui.lab.files import open_binary
from loratui.lab.patience import Progress, quiet
from loratui.lab.run.events import Event, parse_event, parse_number
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder, RunState, state_from
from loratui.lab.run.story import Pace
from loratui.lab.run.track import STEP_MAX, Track

CHUNK = 1 << 19  # bytes read and parsed together
FIELDS = ("loss", "smoothed", "lr")
PROBE = "probe"
MARKS = ("checkpoint", "sample", "warning", "nan")
WARNINGS_KEPT = 100

# Lines as EventLog writes them for the two kinds that come by the million; every other line goes through json.
_NUMBER = rb"(-?[\d.]+(?:e[-+]?\d+)?)"
_LINE = re.compile(
    rb'\{"kind":"step","t":(\d+\.?\d*),"step":(\d{1,10}),"epoch":\d+,"loss":%b,"smoothed":%b,"lr":%b[^\n{]*\}\n'
    % ((_NUMBER,) * 3)
    + rb'|\{"kind":"probe","t":[\d.]+,"step":(\d{1,10}),"loss":%b[^\n{]*\}\n' % _NUMBER
    + rb"|([^\n]*\n)"
)
_TIME, _STEP, _PROBE, _OTHER = 0, 1, 5, 7  # groups of the pattern; values follow their step
_Row = tuple[bytes, ...]
_NOT_FINITE = re.compile(r"step (\d+): the loss is (?:nan|-?inf)\b")


@dataclass(frozen=True)
class Span:
    """The steps that a chart shows, from its left edge to its right one."""

    first: int
    last: int

    def edges(self, columns: int) -> list[float]:
        """The steps at which the columns begin; the last column holds its end as well."""
        return [self.first + (self.last - self.first) * column / columns for column in range(columns)]

    def column(self, step: float, columns: int) -> int:
        """The column a step falls into. Steps outside fall into the first or the last."""
        share = (step - self.first) / max(1, self.last - self.first)
        return min(columns - 1, max(0, int(share * columns)))


class Curves:
    """What a run's events say in numbers. `poll()` reads on; everything else answers from what was read.

    One thread may poll while another asks. `version` changes whenever an answer may have changed.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.version = 0
        self.size = 0  # bytes of the log when it was last looked at
        self._lock = threading.Lock()
        self._polling = threading.Lock()
        self._alive = self._taken_up = False
        self._file: tuple[int, int] | None = None
        self._reset()

    def _reset(self) -> None:
        self.offset = 0
        self.total = 0  # steps asked for; 0 before the run says so
        self.latest: Event | None = None  # the last step event that counts
        self.said: Event | None = None  # the last state event
        self.started: Event = {}  # the last state event that names a device
        self.message = ""  # what the worker said last, such as what it loads
        self.warnings: deque[tuple[int, str]] = deque(maxlen=WARNINGS_KEPT)
        self.samples = 0  # sample events so far: when it grows there are new pictures
        self.pace = Pace()
        self._steps, self._probes = Track(FIELDS), Track((PROBE,))
        self._marks = {kind: Track(()) for kind in MARKS}
        self._step = 0  # the step that events without one belong to
        self._spent = self._began = self._worked = 0.0  # seconds of earlier sittings; this one's first and last moment

    # -- reading --------------------------------------------------------------------------------------------------

    def poll(self, progress: Progress = quiet) -> bool:
        """Read what is new; tells whether anything changed. `progress` hears bytes read and may raise Cancelled.

        A last line without its newline waits for the next call; a log that was replaced is read anew. OSError when
        the log is there and cannot be read.
        """
        with self._polling:
            before = self.version
            alive = is_locked(self.run.lock_file)  # before the events: see runs.read_state
            taken_up = alive or self.run.lock_file.exists()
            try:
                with open_binary(self.run.events_file) as file:
                    self._read(file.fileno(), progress)
            except FileNotFoundError:
                if self._file is not None:
                    self._start_over(None)
            if (alive, taken_up) != (self._alive, self._taken_up):
                self._alive, self._taken_up = alive, taken_up
                self.version += 1
            return self.version != before

    def _start_over(self, file: tuple[int, int] | None) -> None:
        with self._lock:
            self._reset()
            self._file = file
            self.version += 1

    def _read(self, descriptor: int, progress: Progress) -> None:
        status = os.fstat(descriptor)
        self.size = status.st_size
        file = (status.st_dev, status.st_ino)
        if file != self._file or self.size < self.offset:
            self._start_over(file)
        size = CHUNK
        while content := os.pread(descriptor, size, self.offset):
            end = content.rfind(b"\n") + 1
            if not end:
                if len(content) < size:
                    return
                size *= 2  # a line longer than what was read
                continue
            self._take_in(content[:end])
            size = CHUNK
            progress(self.offset, self.size)

    def _take_in(self, content: bytes) -> None:
        rows: list[_Row] = _LINE.findall(content)
        others = [index for index, row in enumerate(rows) if row[_OTHER]]
        with self._lock:
            start = 0
            for index in others:
                self._numbers(rows[start:index])
                self._event(parse_event(rows[index][_OTHER]))
                start = index + 1
            self._numbers(rows[start:])
            self._steps.summarise("loss")
            self._find_latest(content)
            self.offset += len(content)
            self.version += 1

    def _numbers(self, rows: Sequence[_Row]) -> None:
        """Take in step and probe lines that nothing else stands between."""
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        if any(columns[_PROBE]):
            _extend(self._probes, list(zip(*(row[_PROBE:_OTHER] for row in rows if row[_PROBE]), strict=True)))
            rows = [row for row in rows if row[_STEP]]
            columns = list(zip(*rows, strict=True))
        if rows:
            _extend(self._steps, columns[_STEP:_PROBE])
            for row in (rows[0], rows[-1]):
                self._clock({"kind": "step", "t": float(row[_TIME]), "step": int(row[_STEP])})

    def _event(self, event: Event | None) -> None:
        if event is None:
            return
        kind, step = event["kind"], event.get("step")
        at = step if isinstance(step, int) and not isinstance(step, bool) and abs(step) <= STEP_MAX else None
        if kind == "state":
            self._state(event, at)
        elif kind in ("message", "warning"):
            self.message = str(event.get("text", ""))
            if kind == "warning":
                self.warnings.append((self._step, self.message))
                self._mark(kind, self._step)
        elif at is None:
            return
        elif kind == "step":
            self._put(self._steps, at, [event.get(field) for field in FIELDS])
            self._clock(event)
        elif kind == "probe":
            self._put(self._probes, at, [event.get("loss")])
        elif kind in ("checkpoint", "sample"):
            self.samples += kind == "sample"
            self._mark(kind, at)

    def _put(self, track: Track, step: int, values: Iterable[Any]) -> None:
        numbers = [math.nan if (number := parse_number(value)) is None else number for value in values]
        track.extend([step], [[number] for number in numbers])
        if not math.isfinite(numbers[0]):
            self._mark("nan", step)

    def _mark(self, kind: str, step: int) -> None:
        self._marks[kind].extend([step], ())

    def _state(self, event: Event, step: int | None) -> None:
        name = event.get("state")
        self.said = event
        if isinstance(event.get("total"), int):
            self.total = event["total"]
        if name == "queued" or (name == "running" and "device" in event):  # a new sitting
            self._spent += self._worked - self._began
            self._began = self._worked = 0.0
            self.started = event if name == "running" else {}
        if name == "running" and step is not None:
            for track in (self._steps, self._probes, *self._marks.values()):
                track.cut(step)
        if name == "failed" and (found := _NOT_FINITE.match(str(event.get("reason", "")))):
            self._mark("nan", min(int(found[1]), STEP_MAX))
        self._clock(event)

    def _clock(self, event: Event) -> None:
        """Follow the time and the step that an event names."""
        now, step = parse_number(event.get("t")), event.get("step")
        if isinstance(step, int) and event["kind"] in ("state", "step"):
            self._step = max(-STEP_MAX, min(step, STEP_MAX))
        if now is not None and math.isfinite(now):
            self.pace.feed({**event, "t": now})
            if event["kind"] == "step" or self.started:
                self._began = self._began or now
                self._worked = max(self._began, now)

    def _find_latest(self, content: bytes) -> None:
        """Keep the last step line whole, if it still counts."""
        steps, place = self._steps.steps, content.rfind(b'{"kind":"step",')
        if place >= 0 and (event := parse_event(content[place : content.find(b"\n", place)])) is not None:
            self.latest = event
        if self.latest is not None and (not steps or self.latest.get("step") != steps[-1]):
            self.latest = None

    # -- asking ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """How the run stands, as `runs.read_state` would say."""
        with self._lock:
            latest = {"step": self._steps.steps[-1]} if len(self._steps) else None
            return state_from(self.said, latest, self._alive, self._taken_up)

    @property
    def alive(self) -> bool:
        """Whether a worker had the run when it was last looked at."""
        return self._alive

    @property
    def last_step(self) -> int:
        """The last step with a number; 0 before any."""
        with self._lock:
            return max(0, *(track.steps[-1] for track in (self._steps, self._probes) if len(track)), 0)

    @property
    def reach(self) -> int:
        """The last step that a chart shows: with a number, or with a loss that was none."""
        with self._lock:
            tracks = (self._steps, self._probes, self._marks["nan"])
            return max(0, *(track.steps[-1] for track in tracks if len(track)), 0)

    @property
    def seconds(self) -> float:
        """Time spent training, over all sittings, as far as the events tell."""
        if self.said is not None and isinstance(self.said.get("seconds"), (int, float)):
            return float(self.said["seconds"])
        return self._spent + self._worked - self._began

    @property
    def marks(self) -> list[tuple[int, str]]:
        """Where checkpoints, samples and warnings fell, and losses that were not finite: (step, kind), kind by kind."""
        with self._lock:
            return [(step, kind) for kind, track in self._marks.items() for step in track.steps]

    def count(self, field: str = "loss") -> int:
        """How many points there are."""
        with self._lock:
            return len(self._track(field))

    def points(self, field: str) -> tuple[list[int], list[float]]:
        """All steps and values of a field. Of a long run use `envelope` or `line`, which are as short as asked for."""
        with self._lock:
            track = self._track(field)
            return track.steps.tolist(), track.values[field].tolist()

    def at(self, field: str, step: float) -> tuple[int, float] | None:
        """The point nearest to a step; its value may be nan."""
        with self._lock:
            track = self._track(field)
            place = track.nearest(step)
            return None if place is None else (track.steps[place], track.values[field][place])

    def walk(self, step: float, by: float) -> int | None:
        """The step of a point about `by` steps away from `step`, and at least the next one; None without points."""
        with self._lock:
            steps, place = self._steps.steps, self._steps.nearest(step + by)
            if place is None:
                return None
            if by and (steps[place] - step) * by <= 0:  # it did not get away from where it was
                place = min(len(steps) - 1, max(0, place + (1 if by > 0 else -1)))
            return steps[place]

    def envelope(self, field: str, columns: int, span: Span) -> list[tuple[float, float, float] | None]:
        """For each column of the span the least, the greatest and the last finite value; None where there is none."""
        with self._lock:
            track = self._track(field)
            found: list[tuple[float, float, float] | None] = []
            for start, end in self._slices(track, columns, span):
                extremes = track.extremes(field, start, end)
                last = track.last_finite(field, start, end) if extremes else None
                found.append(None if extremes is None or last is None else (*extremes, last))
            return found

    def line(self, field: str, columns: int, span: Span) -> list[float | None]:
        """For each column of the span the last finite value, None where there is none."""
        with self._lock:
            track = self._track(field)
            return [track.last_finite(field, *slice_) for slice_ in self._slices(track, columns, span)]

    def _track(self, field: str) -> Track:
        return self._probes if field == PROBE else self._steps

    @staticmethod
    def _slices(track: Track, columns: int, span: Span) -> Iterator[tuple[int, int]]:
        start, end = track.places(span.first, span.last)
        edges = [bisect_left(track.steps, edge, start, end) for edge in span.edges(columns)]
        yield from zip([start, *edges[1:]], [*edges[1:], end], strict=True)


def _extend(track: Track, columns: Sequence[tuple[bytes, ...]]) -> None:
    """Steps and their values as bytes. What is no number after all, or beyond all steps, is left out."""
    try:
        track.extend(map(int, columns[0]), [map(float, column) for column in columns[1:]])
    except (ValueError, OverflowError):
        if len(columns[0]) > 1:
            for row in zip(*columns, strict=True):
                _extend(track, [(value,) for value in row])
