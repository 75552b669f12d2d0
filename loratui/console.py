"""What a person sees of a headless run: one live region on a terminal, log lines elsewhere, a small table at the end.

The watcher is a listener of events and nothing more: it never decides anything, and a run goes on without it. Where
the output is no terminal, or a dumb one, not one control sequence is written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from loratui.lab.pictures.inline import half_blocks, picture_protocol, picture_sequence
from loratui.lab.plain import plain
from loratui.lab.project.plan import Plan
from loratui.lab.run.events import Event
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.story import LogWriter, Story, duration, near, number, pace

__all__ = ["LogWriter", "Watcher", "final_table"]

REFRESH_SECONDS = 0.1
PICTURE_ROWS = 20
_FINAL = ("finished", "stopped", "failed")


class Watcher:
    """Shows a run while it is made. `with Watcher(console, run, plan) as watcher: work(run, [watcher])`

    `pictures`: "auto" shows new contact sheets where the terminal is known to take pictures, "blocks" draws them in
    half blocks, "none" only names them. `dry`: the run folder is about to go, and is not named.
    """

    def __init__(
        self,
        console: Console,
        run: RunFolder,
        plan: Plan,
        pictures: Literal["auto", "blocks", "none"] = "auto",
        dry: bool = False,
    ) -> None:
        self.console, self.run, self.plan, self.pictures, self.dry = console, run, plan, pictures, dry
        self._story = Story(Path.cwd())
        self._latest: Event = {}
        self._status, self._device = "getting ready", ""
        self._live: Live | None = None
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        with _as_long_as_someone_reads(self.console):
            self._begin()
        return self

    def _begin(self) -> None:
        if not self.dry:
            self._say(f"run {near(self.run.path, Path.cwd())}")
        if _is_live(self.console):
            self._say(self.plan.arithmetic)
            self._live = Live(
                self._region(), console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop"
            )
            self._live.start(refresh=True)

    def __exit__(self, *_: object) -> None:
        with _as_long_as_someone_reads(self.console):
            self._close()

    def __call__(self, event: Event) -> None:
        with _as_long_as_someone_reads(self.console):
            self._take_in(event)

    def _take_in(self, event: Event) -> None:
        lines = self._story.lines(event)
        if self._live is None:
            self._say_lines(event, lines)
            return
        kind = event["kind"]
        if kind == "step":
            self._latest, self._status = event, ""
            lines = []
        elif kind == "state":
            lines = self._set_status(event, lines)
        elif kind == "checkpoint":
            lines = []  # the log has them all, the end names the last
        elif kind == "sample":
            self._status = f"drawing pictures: {self._story.pictures}" if self._story.pictures else ""
        self._say_lines(event, lines)
        if kind == "sample" and event.get("sheet"):
            self._show_picture(Path(str(event.get("path", ""))))
        if kind == "state" and event.get("state") in _FINAL:
            self._close()
        elif kind == "state" or lines or time.monotonic() - self._drawn_at >= REFRESH_SECONDS:
            self._drawn_at = time.monotonic()
            self._live.update(self._region(), refresh=True)

    def _say_lines(self, event: Event, lines: Iterable[str]) -> None:
        style = "yellow" if event["kind"] == "warning" else ""
        for line in lines:
            # Why a run failed is told where errors are told, not here.
            self._say("failed" if event.get("state") == "failed" and line.startswith("failed: ") else line, style)

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(_fitting(self.console, line, style), soft_wrap=True)

    def _set_status(self, event: Event, lines: list[str]) -> list[str]:
        """Take in a change of state; returns the lines that the live region cannot say."""
        state = event.get("state")
        if state == "queued":
            self._status = lines[-1] if lines else "getting ready"
        elif state == "running":
            self._status, self._device = "", str(event.get("device", self._device))
            return lines[:1] if event.get("step") and "device" in event else []
        elif state == "paused":
            self._status = "paused"
        elif state in ("stopped", "failed"):
            return lines[-1:]
        return []

    def _show_picture(self, path: Path) -> None:
        protocol = picture_protocol() if self.pictures == "auto" else None
        columns = max(10, self.console.width - 2)
        with contextlib.suppress(OSError, ValueError):  # only an extra: its path has been said
            if self.pictures == "blocks":
                self.console.print(half_blocks(path, min(columns, 80), PICTURE_ROWS))
            elif protocol is not None:
                self.console.print(_Raw(picture_sequence(path, protocol, columns, PICTURE_ROWS)))

    def _region(self) -> RenderableType:
        place, event = self._story.pace, self._latest
        total = place.total or self.plan.total_steps
        width = self.console.width
        words = [f"{place.step}/{total}"]
        if "epoch" in event:
            words.append(f"epoch {event['epoch']}")
        if place.seconds_left is not None:
            words.append(f"{duration(place.seconds_left)} left")
        text = "  ".join(words)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=total, completed=place.step, width=max(4, min(50, width - len(text) - 2))),
            Text(text, no_wrap=True, overflow="ellipsis"),
        )
        return Group(bar, _one_line(self.console, self._numbers(event)))

    def _numbers(self, event: Event) -> str:
        """The most important first: a narrow terminal cuts the end."""
        words = [self._status] if self._status else []
        if event:
            words += [f"loss {number(event.get('loss'))}", f"smooth {number(event.get('smoothed'))}"]
            words += [f"lr {event['lr']:.1e}"] if isinstance(event.get("lr"), float) else []
            words += [pace(event["it_s"])] if "it_s" in event else []
            words += [memory] if (memory := _bytes(event.get("memory"))) else []
        words += [plain(self._device, 40)] if self._device else []
        return "  ".join(words)

    def _close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def final_table(console: Console, record: Mapping[str, Any]) -> None:
    """How it ended, from the fields of the run's last event: a few numbers, and where everything is."""
    rows = list(_numbers_at_the_end(record))
    for name in ("lora", "sheet", "log", "run"):
        if record.get(name):
            rows.append(("LoRA" if name == "lora" else name, near(record[name], Path.cwd())))
    with _as_long_as_someone_reads(console):
        for name, value in rows:
            # Lines and not cells: a path that is wrapped by the terminal itself can be copied whole.
            line = Text.assemble((f"{name:<12}", "dim" if _is_live(console) else ""), _fitting(console, value))
            console.print(line, soft_wrap=True)


def _numbers_at_the_end(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if record.get("reason") == "dry run":
        yield "dry run", "loaded, cached, tried one step and one picture; nothing was kept"
        yield "one step", f"{number(record.get('step_seconds'))} s"
        yield "all steps", f"{record.get('total')}, about {duration(record.get('estimated_seconds') or 0)}"
    elif "step" in record:
        total = record.get("total")
        yield "steps", f"{record['step']} of {total}" if total else str(record["step"])
    if isinstance(record.get("seconds"), (int, float)):
        yield "time", duration(record["seconds"])
    if record.get("first_probe") is not None:
        yield "probe loss", f"{number(record['first_probe'])} at first, {number(record.get('last_probe'))} at last"
    if isinstance(record.get("relative_delta"), float):
        yield "weights", f"moved by {record['relative_delta']:.2%} of their size"
    if memory := _bytes(record.get("memory")):
        yield "memory", memory
    if record.get("whole") is False:
        yield "not whole", "some of what the plan promised is missing: loratui --verify tells what, and what to do"


class _Raw:
    """Characters for the terminal itself, which take no width in the layout."""

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._sequence, None, [(ControlType.CARRIAGE_RETURN,)])
        yield Segment.line()


def _is_live(console: Console) -> bool:
    # FORCE_COLOR makes rich call a file a terminal; a live region in a file would be garbage.
    return console.is_terminal and console.file.isatty() and not console.is_dumb_terminal


@contextlib.contextmanager
def _as_long_as_someone_reads(console: Console) -> Iterator[None]:
    """When the terminal or the reader of the pipe is gone, the rest goes nowhere, and the run goes on."""
    try:
        yield
        console.file.flush()
    except (OSError, SystemExit):  # rich leaves by SystemExit when a pipe is broken
        # What is still in the buffer would fail once more when the process ends, and turn its exit code into 120.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, console.file.fileno())
        os.close(nowhere)


def _fitting(console: Console, line: str, style: str = "") -> Text:
    """A line that this console's encoding can carry."""
    encoding = console.encoding
    shown = plain(line, newlines=True).encode(encoding, "replace").decode(encoding)
    return Text(shown, style=style if _is_live(console) else "")


def _one_line(console: Console, line: str) -> Text:
    text = _fitting(console, line)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _bytes(value: object) -> str:
    return f"{value / 2**30:.1f} GiB" if isinstance(value, int) and value > 0 else ""
