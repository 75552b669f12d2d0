"""Lending the terminal to the person's own editor."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from loratui.tui.app import BenchApp


def edit_file(app: BenchApp, file: Path, line: int = 0) -> None:
    """Open a file in the preferred editor and wait for it to end. LabError when that cannot be."""
    command = app.preferences.editor_command
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LabError(f"editor = {command!r}: {error}; correct it in the preferences") from None
    at = [f"+{line}"] if line and Path(words[0]).name in ("vi", "vim", "nvim", "nano", "emacs", "micro", "kak") else []
    try:
        with app.suspend():
            code = subprocess.call([*words, *at, str(file)])
    except SuspendNotSupported:
        raise LabError("this terminal cannot be lent to an editor; edit the file in another one") from None
    except OSError as error:
        raise LabError(f"{command}: {error.strerror}; set $EDITOR, or editor in the preferences") from None
    if code:
        raise LabError(f"{command}: ended with code {code}; what it saved is read now")
