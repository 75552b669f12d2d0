"""The event log of a run: one JSON object a line, only ever appended to, read while it is written.

An event is `{"kind": …, "t": unix seconds, …}`. Kinds and their fields:

    state       state: queued | running | paused | finished | stopped | failed; running says the step it starts from
    step        step, epoch, loss, smoothed, lr, it_s, memory (bytes), …
    probe       step, loss: the loss on fixed noise and timesteps, so that two steps can be compared
    checkpoint  step, path          sample    step, path, sheet
    warning     text                message   text

Numbers that are not finite are the strings "nan", "inf" and "-inf", so that every line is valid JSON; `float()` reads
them back. This module gives the kinds no further meaning, except in `Series`, which knows that a resumed run says
again what the killed one said after its last saved step.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loratui.lab.files import append_whole, open_binary, open_file

Event = dict[str, Any]
Listener = Callable[[Event], None]
KINDS = ("state", "step", "probe", "checkpoint", "sample", "warning", "message")
_LAST_MOMENT = 253402300800  # seconds until the year 10000, which no calendar tells
_KEPT = ("state", "checkpoint")  # these are forced to disk


class EventLog:
    """Appends events to a file and hands each to the listeners.

    A line is one write, so a reader never sees two mixed; a line torn by a kill is closed first. A listener that
    raises is dropped and the fact logged: a terminal that went away must not end a training run.
    """

    def __init__(self, path: Path, listeners: Iterable[Listener] = ()) -> None:
        self.path = path
        self.listeners = list(listeners)
        self._file = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._torn = _ends_torn(self._file)

    def emit(self, kind: str, **fields: Any) -> Event:
        """Log one event and return it as it was written. OSError when the disk does not take it."""
        if kind not in KINDS:
            raise ValueError(f"unknown event kind {kind!r}; known are {', '.join(KINDS)}")
        event: Event = {"kind": kind, "t": round(time.time(), 3), **{k: _jsonable(v) for k, v in fields.items()}}
        line = json.dumps(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        content = b"\n" + line if self._torn else line
        self._torn = True
        append_whole(self._file, content, self.path)
        self._torn = False
        if kind in _KEPT:
            os.fsync(self._file)
        for listener in tuple(self.listeners):
            try:
                listener(event)
            except Exception as error:  # whatever a watcher does, the run goes on
                self.listeners.remove(listener)
                self.emit("warning", text=f"a listener was dropped: {type(error).__name__}: {error}")
        return event

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NoLog:
    """The log of a process that has nothing to say."""

    def emit(self, kind: str, **fields: Any) -> Event:
        return {"kind": kind, **fields}


def read_events(path: Path, offset: int = 0, limit: int = -1) -> tuple[list[Event], int]:
    """The events after byte `offset`, and the offset to ask with next time. Stops after about `limit` bytes, if given.

    A last line without its newline is left for the next call; a torn line in the middle is passed over. A file that
    is missing has no events; one that became shorter is read from its start.
    """
    try:
        with open_binary(path) as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            content = file.read(limit)
            if b"\n" not in content:  # a line longer than the limit
                content += file.readline()
    except FileNotFoundError:
        return [], 0
    end = content.rfind(b"\n") + 1
    events = [event for line in content[:end].split(b"\n") if (event := parse_event(line)) is not None]
    return events, offset + end


def last_event(path: Path, kind: str) -> Event | None:
    """The newest whole event of a kind, found from the end: cheap for a long log. None when there is none."""
    return next(events_back(path, kind), None)


def events_back(path: Path, kind: str) -> Iterator[Event]:
    """The whole events of a kind, newest first; what else is in a long log is not parsed."""
    needle = f'{{"kind":"{kind}",'.encode("ascii")
    try:
        with open_binary(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = len(content)
            while (place := content.rfind(needle, 0, place)) >= 0:
                end = content.find(b"\n", place)
                # A quotation mark inside a text is escaped, so only a line's own start can follow a newline.
                if end >= 0 and (place == 0 or content[place - 1 : place] == b"\n"):
                    event = parse_event(content[place:end])
                    if event is not None:
                        yield event
    except (FileNotFoundError, ValueError):  # ValueError: an empty file cannot be mapped
        return


class Series:
    """The numbers of a run by step, as they count: what a killed run logged past the step it resumed from is gone."""

    def __init__(self) -> None:
        self.steps: dict[int, Event] = {}
        self.probes: dict[int, Event] = {}

    def feed(self, events: Iterable[Event]) -> None:
        """Take in further events, in their order."""
        for event in events:
            step = event.get("step")
            if not isinstance(step, int) or isinstance(step, bool):
                continue
            kind = event["kind"]
            if kind == "state" and event.get("state") == "running":
                for series in (self.steps, self.probes):
                    for past in [s for s in series if s > step]:
                        del series[past]
            elif kind in ("step", "probe"):
                series = self.steps if kind == "step" else self.probes
                series.pop(step, None)
                series[step] = event

    def points(self, field: str, kind: str = "step") -> tuple[list[int], list[float]]:
        """Steps and values of one field, in step order; values may be nan or infinite."""
        series = self.probes if kind == "probe" else self.steps
        pairs = sorted((s, v) for s, event in series.items() if (v := parse_number(event.get(field))) is not None)
        return [s for s, _ in pairs], [v for _, v in pairs]


def read_series(path: Path) -> Series:
    """The whole log at `path` as series."""
    series = Series()
    series.feed(read_events(path)[0])
    return series


def _ends_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def parse_event(line: bytes) -> Event | None:
    """One line of a log; None when it is torn, or no event."""
    with contextlib.suppress(ValueError, RecursionError):
        event = json.loads(line)
        if isinstance(event, dict) and isinstance(event.get("kind"), str) and _is_moment(event.get("t")):
            return event
    return None


def _is_moment(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LAST_MOMENT


def parse_number(value: Any) -> float | None:
    """A number of an event, where not finite ones are words; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
        return math.inf if value > 0 else -math.inf
    if isinstance(value, float):
        return value
    return float(value) if value in ("nan", "inf", "-inf") else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    if hasattr(value, "tolist"):  # a number or an array of numpy or torch
        return _jsonable(value.tolist())
    return str(value)
