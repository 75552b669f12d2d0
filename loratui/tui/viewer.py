"""A picture outside the bench's frames: at full resolution on the bare terminal, or in a program of the desktop.

Graphics never mix with Textual's frames: the app is suspended, the picture written whole, and any key comes back.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TextIO

from loratui.lab.errors import LabError
from loratui.lab.pictures.inline import Terminal, block_sequence, chosen_protocol, full_picture, terminal_of
from loratui.lab.pictures.thumbnails import thumbnail
from loratui.lab.plain import plain

_OPEN = "\x1b[?1049h\x1b[?25l\x1b[0m\x1b[2J\x1b[H"
_CLOSE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_FORGET = {"kitty": "\x1b_Ga=d,d=A,q=2\x1b\\"}


def full_screen(path: Path, caption: str, box: Terminal, preference: str = "auto", truecolour: bool = True) -> str:
    """Everything that is written to show a picture on a whole terminal, its last row saying what it is."""
    protocol, passthrough = chosen_protocol(preference)
    room = box._replace(rows=max(1, box.rows - 1))
    note = "any key comes back"
    if passthrough:
        note = "in tmux this needs allow-passthrough on; any key comes back"
    try:
        if protocol == "blocks":
            cells = thumbnail(path, room.columns, room.rows)
            picture = (
                plain(cells.problem, room.columns * 2) if cells.problem else _placed(block_sequence(cells, truecolour))
            )
        else:
            picture = full_picture(path, protocol, room, passthrough)
    except (LabError, OSError) as error:
        picture = plain(error, 500)
    words = plain(f"{caption} — {note}", max(1, box.columns - 1))
    return f"{_OPEN}{picture}\x1b[0m\x1b[{box.rows};1H{words}"


def _placed(lines: str) -> str:
    # Each line is placed by itself: whether a full line wraps is a matter on which terminals differ.
    return "".join(f"\x1b[{row};1H{line}" for row, line in enumerate(lines.split("\n"), 1))


def show_full(path: Path, caption: str, preference: str = "auto", truecolour: bool = True) -> None:
    """Show a picture on the terminal that a suspended app left, until a key is pressed or the terminal goes away."""
    terminal = sys.__stderr__  # where Textual writes
    keys = sys.__stdin__
    if terminal is None or keys is None:
        return
    box = terminal_of(terminal.fileno())
    forget = _FORGET.get(chosen_protocol(preference)[0], "")
    with contextlib.suppress(OSError), _every_key(keys):
        _write(terminal, full_screen(path, caption, box, preference, truecolour))
        try:
            _wait(keys)
        finally:
            _write(terminal, forget + _CLOSE)


def _write(terminal: TextIO, text: str) -> None:
    terminal.write(text)
    terminal.flush()


def _wait(keys: TextIO) -> None:
    """Until a key, all of whose bytes are taken; an end of input is one too."""
    descriptor = keys.fileno()
    with _ended_by_signals():
        if os.read(descriptor, 1):
            while select.select([descriptor], [], [], 0.05)[0] and os.read(descriptor, 256):
                pass


@contextlib.contextmanager
def _every_key(keys: TextIO) -> Iterator[None]:
    """Keys one by one and unseen, ctrl+c among them."""
    import termios

    descriptor = keys.fileno()
    try:
        before = termios.tcgetattr(descriptor)
    except termios.error as error:
        raise OSError("not a terminal") from error
    now = termios.tcgetattr(descriptor)
    now[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, now)  # keys held down before do not count
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


class _Ended(Exception):
    """A signal that is meant for the app came while nothing but a key was waited for."""


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """The event loop stands still here, so signals end the waiting and are handed on to it."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise _Ended

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        with contextlib.suppress(_Ended):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:
            os.kill(os.getpid(), one)


def open_outside(path: Path, command: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Open a picture in `command`, or in the desktop's own viewer. Returns why not, "" when it was started."""
    env = os.environ if environment is None else environment
    if command:
        try:
            words = shlex.split(command)
        except ValueError as error:
            return f"viewer = {command!r}: {error}"
    elif sys.platform == "darwin":
        words = [] if env.get("SSH_CONNECTION") else ["open"]
    else:
        words = ["xdg-open"] if env.get("DISPLAY") or env.get("WAYLAND_DISPLAY") else []
    if not words:
        return "there is no desktop at this end of the connection to open it on"
    if shutil.which(words[0]) is None:
        return f"{words[0]} is not installed here; set viewer in the preferences"
    try:
        subprocess.Popen(
            [*words, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return f"{words[0]}: {error}"
    return ""
