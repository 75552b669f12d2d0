"""Which run somebody means who names one on the command line: by its folder, its project, or a part of its id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.live import find_watched
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.lab.run.story import near

_DEPTH = 3  # folders below the current one that may hold a project


def meant_run(which: Path | str, below: Path | None = None) -> RunFolder:
    """The run of a run folder; of a project its live run, else its newest; else the one run with that in its id.

    Ids are looked for in the projects below a folder, by default the current one. LabError with the runs that match.
    """
    path = Path(which).expanduser()
    if path.exists():
        return find_watched(path)
    name = str(which)
    runs = [] if "/" in name or not name else list(_runs_below(below or Path.cwd()))
    found = [run for run in runs if name in run.id]
    found = [run for run in found if run.id == name] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise LabError(f"{plain(name, 80)!r}: several runs match: {_named(found)}; give more of the id, or the path")
    known = f"; the newest are {_named(runs)}" if runs else ""
    raise LabError(f"{plain(name, 200)}: no such run or project; give the folder of a run, a project that has runs, or "
                   f"a part of the id of a run below {below or Path.cwd()}{known}")  # fmt: skip


def _named(runs: list[RunFolder]) -> str:
    newest = sorted(runs, key=lambda run: run.id)[-8:]
    return ", ".join(plain(near(run.path, Path.cwd()), 200) for run in newest)


def _runs_below(folder: Path, depth: int = _DEPTH) -> Iterator[RunFolder]:
    if (folder / "runs").is_dir():
        yield from list_runs(folder)
        return
    if depth > 0:
        try:
            inside = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
        except OSError:
            return
        for path in inside:
            yield from _runs_below(path, depth - 1)
