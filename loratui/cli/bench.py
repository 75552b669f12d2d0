"""The bench itself: `loratui [FOLDER]` in this terminal, `--serve [FOLDER]` in a browser on this machine."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.cli.output import tell
from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from loratui.tui.places import Place

PORT = 8000


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    if args.serve is not None:
        return serve(args.serve, args.port or PORT, args.readonly)
    return bench(args.folder, args.readonly)


def bench(path: Path | None, readonly: bool = False) -> int:
    """Open the bench on a folder of projects, on a project or on a run."""
    if not _can_show():
        tell(
            "loratui: the bench needs a terminal for its input and output, and this is none. Without one there are\n"
            "  loratui --status   loratui --attach RUN   loratui --run PROJECT   loratui --check PROJECT"
        )
        return 2
    folder, place = (None, None) if path is None else where(path)
    # Its threads would be more memory than they save time, and it warns on the terminal when a worker is started.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from loratui.tui.memory import start_quickly

    start_quickly()
    from loratui.tui.app import BenchApp

    app = BenchApp(folder, readonly=readonly, start=place)
    app.run()
    return app.return_code or 0


def where(path: Path) -> tuple[Path, Place | None]:
    """The folder of projects to open, and the place in it. LabError when there is nothing at `path`."""
    from loratui.lab.run.runs import RunFolder
    from loratui.tui.places import Place

    folder = path.expanduser().absolute()
    if folder.is_file() and folder.name in ("project.toml", "run.toml"):
        folder = folder.parent
    if not folder.is_dir():
        raise LabError(f"{path}: there is no such folder; give a folder of projects, a project or a run")
    run = RunFolder(folder)
    if run.is_frozen:
        return run.project_folder.parent, Place("run", run.project_folder, (run.path,))
    if (folder / "project.toml").is_file():
        return folder.parent, Place("dataset", folder)
    return folder, None


def _can_show() -> bool:
    # TEXTUAL_DRIVER: a browser is at the other end of the pipes.
    streams = (sys.stdin, sys.stdout, sys.__stderr__)
    terminal = all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"
    return terminal or bool(os.environ.get("TEXTUAL_DRIVER"))


def serve(path: str, port: int = PORT, readonly: bool = False) -> int:
    """--serve: the same bench, one of its own for each tab of a browser on this machine. Ctrl-c ends it."""
    import importlib.util

    if importlib.util.find_spec("textual_serve") is None:
        raise LabError("--serve needs textual-serve, which is not installed: pip install 'loratui[serve]'")
    words = [sys.executable, "-m", "loratui"]
    if path:
        where(Path(path))  # says what is wrong with it, here and not in every browser
        words.append(str(Path(path).expanduser().absolute()))
    if readonly:
        words.append("--readonly")
    from loratui.cli.serving import serve_bench

    serve_bench(shlex.join(words), port)
    return 0
