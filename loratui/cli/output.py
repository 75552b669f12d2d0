"""Where words of the command line go: standard output for what was asked for, standard error for what went wrong."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console


def tell(what: object) -> None:
    """Standard error is where people read why."""
    print(plain(what, newlines=True), file=sys.stderr)


def make_console(as_json: bool = False) -> Console:
    """With --json, standard output belongs to the JSON; people read standard error."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would leave with 1, which means warnings here

    return Piped(stderr=as_json, highlight=False)


def say(console: Console, lines: Iterable[str]) -> None:
    """Lines for people, from wherever they come."""
    from rich.text import Text

    for line in lines:
        console.print(Text(plain(line, newlines=True)), soft_wrap=True)


def print_json(document: Any) -> None:
    """One object on one line, in ASCII."""
    print(json.dumps(document, ensure_ascii=True))


def command(verb: str, path: Path) -> str:
    """A command that can be pasted: `loratui --resume projects/grey/runs/…`."""
    from loratui.lab.run.story import near

    return f"loratui {verb} {shlex.quote(near(path, Path.cwd()))}"
