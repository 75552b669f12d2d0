"""A terminal for tests: a program under a real pseudo-terminal, its bytes as they come, and real key bytes to it.

It keeps what was written and finds text in it with the control sequences taken out; it draws no screen. It answers
the questions a terminal is asked at the start, at once or late.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KEYS = {
    "enter": "\r", "tab": "\t", "escape": "\x1b", "space": " ", "backspace": "\x7f", "up": "\x1b[A", "down": "\x1b[B",
    "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~", "f1": "\x1bOP", "ctrl+p": "\x10", "ctrl+s": "\x13", "ctrl+q": "\x11", "ctrl+c": "\x03",
}  # fmt: skip
SEQUENCE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    rb"|\x1b[P_^X][^\x1b]*\x1b\\"  # DCS, APC, PM, SOS
    rb"|\x1b[ -/]*[0-~]"  # two and three characters
)
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[c": b"\x1b[?62c", b"\x1b[6n": b"\x1b[1;1R", b"\x1b[?u": b""}


class Terminal:
    """`with Terminal([...]) as terminal:` starts the program and, in the end, kills it if it is still there."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 120,
        rows: int = 40,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        self.command, self.size, self.cwd = list(command), (columns, rows), cwd
        self.env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("TMUX", "STY", "SSH_TTY", "SSH_CONNECTION", "TERM_PROGRAM", "NO_COLOR", "COLUMNS", "LINES"):
            self.env.pop(name, None)
        for name, value in (env or {}).items():
            if value is None:
                self.env.pop(name, None)
            else:
                self.env[name] = value
        self.raw = bytearray()
        self.first_byte = 0.0
        self.last_byte = 0.0
        self.exit_code: int | None = None
        self._answered = 0

    def __enter__(self) -> Terminal:
        self.began = time.perf_counter()
        self.pid, self.file = pty.fork()
        if self.pid == 0:  # the program's side
            try:
                if self.cwd:
                    os.chdir(self.cwd)
                self._set_size()
                os.execvpe(self.command[0], self.command, self.env)
            finally:
                os._exit(127)
        os.set_inheritable(self.file, False)  # another terminal's program must not keep this one open
        self._set_size(self.file)
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(5)
        if self.file >= 0:
            os.close(self.file)

    def _set_size(self, file: int = 0) -> None:
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", self.size[1], self.size[0], 0, 0))

    # -- what comes out -----------------------------------------------------------------------------------------

    def read(self, seconds: float) -> int:
        """Take what is written within `seconds`, at most one portion; how many bytes."""
        if self.file < 0 or not select.select([self.file], [], [], seconds)[0]:
            return 0
        try:
            data = os.read(self.file, 1 << 16)
        except OSError:  # the program's side is closed
            data = b""
        if data:
            self.last_byte = time.perf_counter()
            self.first_byte = self.first_byte or self.last_byte
            self.raw += data
            self._answer()
        return len(data)

    def _answer(self) -> None:
        for question, answer in ANSWERS.items():
            if question in self.raw[self._answered :] and answer:
                os.write(self.file, answer)
        self._answered = max(0, len(self.raw) - 16) if b"\x1b" in self.raw[-16:] else len(self.raw)

    def text(self, since: int = 0) -> str:
        """What was written from byte `since` on, without its control sequences."""
        return SEQUENCE.sub(b"", bytes(self.raw[since:])).decode("utf-8", "replace")

    def wait_for(self, what: str | Callable[[], bool], seconds: float = 60, since: int = 0) -> None:
        """Until the text was written, or the condition holds. AssertionError with the last text when it does not."""
        deadline = time.monotonic() + seconds
        while not (what() if callable(what) else what in self.text(since)):
            taken = self.read(0.05)
            if time.monotonic() > deadline or (not taken and self._gone()):
                raise AssertionError(f"{what!r} was not seen; the last that was:\n{self.text(since)[-3000:]}")

    def settle(self, quiet: float = 0.3, seconds: float = 10) -> None:
        """Until nothing was written for `quiet` seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.read(quiet):
            pass

    # -- what goes in -------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """The bytes of keys, by name or as characters."""
        for key in keys:
            os.write(self.file, KEYS.get(key, key).encode("utf-8"))

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self._set_size(self.file)
        os.kill(self.pid, signal.SIGWINCH)

    def hang_up(self) -> None:
        """Close the terminal, as a dropped connection does."""
        os.close(self.file)
        self.file = -1

    def wait(self, seconds: float = 60) -> int | None:
        """The exit code, -N for a signal; None when it does not end."""
        deadline = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < deadline:
            if self.file >= 0:
                self.read(0.02)
            if self._gone():
                break
            if self.file < 0:
                time.sleep(0.01)
        return self.exit_code

    def _gone(self) -> bool:
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None
