"""The end of a run's log as lines, followed while it grows: a bounded number of them, however long the log is.

The lines are those of log.txt. A run that was trained without one (by a script that passes no listener) has its story
told from the end of its events instead. Lines are harmless on a screen; nothing is drawn here.
"""

from __future__ import annotations

import os
from collections import deque
from datetime import datetime
from pathlib import Path

from loratui.lab.files import open_binary
from loratui.lab.plain import plain
from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.story import Story

LINES_KEPT = 5000
LINE_LIMIT = 2000  # characters of one line that are shown
TAIL = 1 << 19  # bytes of a log that is met for the first time


class LogTail:
    """`poll()` reads what is new; `lines` are the newest ones. Meant for one thread at a time."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._start_over()

    def _start_over(self) -> None:
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.taken = 0  # lines that ever came in: those before the first kept one are only in the file
        self.is_whole = True  # whether what is before the first line was read, too
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._story: Story | None = None

    def poll(self) -> bool:
        """Read what is new; tells whether the lines changed. OSError when the log is there and cannot be read."""
        before, known = self.taken, self._file
        if self._follow(self.run.log_file):
            self._take_lines()
        elif self._follow(self.run.events_file):
            self._tell()
        return self.taken != before or self._file != known

    def _follow(self, path: Path) -> bool:
        """Whether this is the file to read; a file that was replaced or became shorter is begun anew."""
        try:
            status = path.stat()
        except OSError:
            return False
        file = (status.st_dev, status.st_ino)
        if file != self._file or status.st_size < self._offset:
            self._start_over()
            self._file = file
            self._offset = max(0, status.st_size - TAIL)
            self.is_whole = not self._offset
        return True

    def _take_lines(self) -> None:
        with open_binary(self.run.log_file) as file:
            file.seek(self._offset)
            # Never more than the tail at once: what a worker wrote in between is bounded by nothing.
            behind = max(0, os.fstat(file.fileno()).st_size - self._offset - TAIL)
            file.seek(behind, os.SEEK_CUR)
            self.is_whole = self.is_whole and not behind
            content = file.read(TAIL)
        end = content.rfind(b"\n") + 1
        lines = content[:end].split(b"\n")[:-1]
        if behind or (self._offset and not self.taken and not self.is_whole):
            lines = lines[1:]  # begun in the middle
        self._offset += behind + end
        for line in lines:
            self._add(line.rstrip(b"\r").decode("utf-8", "replace"))

    def _tell(self) -> None:
        if self._story is None:
            self._story = Story(self.run.path)
        events, self._offset = read_events(self.run.events_file, self._offset)
        for event in events:
            try:
                lines = self._story.lines(event)
                moment = datetime.fromtimestamp(event["t"]).strftime("%Y-%m-%d %H:%M:%S")
            except (KeyError, TypeError, ValueError, OverflowError, OSError):  # a line that no engine wrote
                continue
            for line in lines:
                for part in f"{moment} {line}".split("\n"):
                    self._add(part)

    def _add(self, line: str) -> None:
        self.lines.append(plain(line.replace("\t", "    "), LINE_LIMIT))
        self.taken += 1
