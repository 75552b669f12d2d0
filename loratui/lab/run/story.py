"""The lines a person would read of a run, made from its events: for log.txt, and for output that is no terminal.

Knows which steps are worth a line; draws nothing and trains nothing.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from loratui.lab.files import append_line, open_file
from loratui.lab.plain import plain
from loratui.lab.run.events import Event

_REASONS = {"stop": "it was asked to", "SIGINT": "ctrl-c", "SIGHUP": "its terminal was closed",
            "max_minutes": "train.max_minutes is over"}  # fmt: skip
BURST_SECONDS = 0.05
SECONDS, SHARE = 5.0, 0.05  # a step gets a line when this much time and this share of the run went by since the last


class Pace:
    """Where a run is and how long the rest will take, by the events' own clock. Pauses do not count."""

    def __init__(self) -> None:
        self.step = self.total = 0
        self._each = 0.0  # seconds a step
        self._began: tuple[float, int] | None = None  # time and step at which this sitting began
        self._last: tuple[float, int] | None = None  # of the last step event
        self._paused_at = 0.0

    def feed(self, event: Event) -> None:
        now, step = float(event["t"]), event.get("step")
        if isinstance(step, int) and event["kind"] in ("state", "step"):
            self.step = step
        if event["kind"] == "state":
            self._take_state(event, now)
        elif event["kind"] == "step" and isinstance(step, int):
            # Steps are told in bursts, all with the time of the last: only the end of a burst says how long they took.
            if self._began and self._last and now - self._last[0] > BURST_SECONDS and self._last[1] > self._began[1]:
                self._each = (self._last[0] - self._began[0]) / (self._last[1] - self._began[1])
            elif not self._each and isinstance(event.get("it_s"), (int, float)) and event["it_s"] > 0:
                self._each = 1 / event["it_s"]
            self._last = (now, step)

    def _take_state(self, event: Event, now: float) -> None:
        if isinstance(event.get("total"), int):
            self.total = event["total"]
        if event.get("state") == "paused":
            self._paused_at = now
        elif event.get("state") == "running":
            if self._began and self._paused_at:
                away = now - self._paused_at
                self._began = (self._began[0] + away, self._began[1])
                self._last = (self._last[0] + away, self._last[1]) if self._last else None
            else:
                self._began, self._last = (now, self.step), None
            self._paused_at = 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this sitting, pictures and saving counted in; None before the first steps."""
        return self._each * (self.total - self.step) if self._each and self.total else None


class Story:
    """Feed it events in their order; it gives back lines, each harmless on a terminal.

    Paths below `folder` are told from there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pace = Pace()
        self.pictures = 0  # drawn since the last contact sheet
        self._told: tuple[float, int] | None = None  # time and step of the last step line
        self._untold: Event | None = None
        self._probe = ""

    def lines(self, event: Event) -> list[str]:
        """The lines that this event is worth, often none."""
        self.pace.feed(event)
        kind = event["kind"]
        if kind == "state":
            return self._state(event)
        if kind == "step":
            self._untold = event
            return self._step_line() if self._is_worth_a_line(event) else []
        if kind == "probe":
            self._probe = number(event.get("loss"))
        elif kind == "checkpoint":
            return [f"step {event.get('step')}: saved {near(event.get('path', ''), self.folder)}"]
        elif kind == "sample":
            return self._sample(event)
        elif kind in ("warning", "message"):
            text = _indented(event.get("text", ""))
            return [f"warning: {text}" if kind == "warning" else text]
        return []

    def _state(self, event: Event) -> list[str]:
        state, step, total = event.get("state"), self.pace.step, self.pace.total
        reason = _indented(event.get("reason") or "")
        if state == "queued":
            if not event.get("ahead"):
                return []
            device, holder = plain(event.get("device", "the device")), plain(event.get("holder", ""), 100)
            return [f"waiting for {device} behind {event['ahead']}: {holder}"]
        if state == "running":
            self._told = None
            if "device" not in event:
                return [f"going on at step {step}"]
            lines = [f"going on from step {step} of {total}"] if step else []
            lines += [plain(event["arithmetic"])] if event.get("arithmetic") else []
            weights = f", {event['trainable']:,} weights to train" if isinstance(event.get("trainable"), int) else ""
            return [*lines, f"training on {plain(event['device'])}{weights}"]
        if state == "paused":
            return [*self._step_line(), f"paused at step {step}"]
        if state == "failed":
            return [*self._step_line(), f"failed: {reason}" if reason else "failed"]
        if state in ("finished", "stopped"):
            at = f" at step {step} of {total}" if total and step != total else ""
            took = f", {duration(event['seconds'])} in all" if isinstance(event.get("seconds"), (int, float)) else ""
            because = f": {_REASONS.get(reason, reason)}" if reason and reason != "finished" else ""
            return [*self._step_line(), f"{state}{at}{because}{took}"]
        return []

    def _is_worth_a_line(self, event: Event) -> bool:
        if self._told is None or event.get("step") == self.pace.total:
            return True
        later, further = event["t"] - self._told[0], self.pace.step - self._told[1]
        return bool(later >= SECONDS and further >= SHARE * self.pace.total)

    def _step_line(self) -> list[str]:
        event, self._untold = self._untold, None
        if event is None:
            return []
        self._told = (event["t"], event["step"])
        of = f"/{self.pace.total}" if self.pace.total else ""
        words = [f"step {event['step']}{of}"]
        words += [f"epoch {event['epoch']}"] if "epoch" in event else []
        words += [f"loss {number(event.get('loss'))} (smooth {number(event.get('smoothed'))})"]
        words += [f"probe {self._probe}"] if self._probe else []
        words += [f"lr {event['lr']:.1e}"] if isinstance(event.get("lr"), float) else []
        words += [pace(event["it_s"])] if "it_s" in event else []
        left = self.pace.seconds_left
        words += [f"{duration(left)} left"] if left is not None else []
        return [" ".join(words)]

    def _sample(self, event: Event) -> list[str]:
        if not event.get("sheet"):
            self.pictures += 1
            return []
        count, self.pictures = self.pictures, 0
        return [f"step {event.get('step')}: {_count(count)}contact sheet {near(event.get('path', ''), self.folder)}"]


class LogWriter:
    """A listener that keeps log.txt: the story of a run, each line with its local time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._story = Story(path.parent)

    def __call__(self, event: Event) -> None:
        moment = datetime.fromtimestamp(event["t"]).strftime("%Y-%m-%d %H:%M:%S")
        for line in self._story.lines(event):
            append_line(self.path, f"{moment} {line}")

    def __enter__(self) -> LogWriter:
        """OSError where no line could be written: before the run, and not in the middle of it."""
        os.close(open_file(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close: each line is on disk as it is written."""


def duration(seconds: float) -> str:
    """0:29, 12:05, 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def pace(steps_a_second: Any) -> str:
    """21.3 it/s, or 7.1 s/it where a step takes longer than a second."""
    if isinstance(steps_a_second, (int, float)) and 0 < steps_a_second < 1:
        return f"{1 / steps_a_second:.1f} s/it"
    return f"{number(steps_a_second, 1)} it/s"


def near(path: object, folder: Path) -> str:
    """A path as it is written in `folder`: relative where it is below, else in full. Harmless on a terminal."""
    place = Path(str(path))
    return plain(place.relative_to(folder) if place.is_relative_to(folder) else place)


def number(value: Any, digits: int = 4) -> str:
    """A loss or a pace as text; nan and infinite values arrive as words, and stay."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10 ** (1 - digits) else f"{value:.2e}"
    return "-" if value is None else plain(value, 12)


def _count(pictures: int) -> str:
    return f"{pictures} picture{'s' if pictures != 1 else ''}, " if pictures else ""


def _indented(text: object) -> str:
    return plain(text, 4000, newlines=True).replace("\n", "\n    ")
