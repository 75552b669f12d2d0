"""Renaming, putting away and throwing away a project, each as one move that can be taken back.

Nothing is ever deleted: what is thrown away lies in `.trash` beside the projects until a person empties it. A project
that somebody trains is left where it is. A project folder that is a symbolic link is moved as a link; what it leads to
stays untouched.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import PART_SUFFIX, fsync_folder, write_atomic
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.projectnames import checked_name
from loratui.lab.project.projects import ARCHIVED, is_archived
from loratui.lab.run.glance import signature
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder, list_runs

TRASH = ".trash"
_TRASHED = re.compile(r"(\d{8}-\d{6})-(.+)", re.DOTALL)


def rename_project(project: Path, name: str, progress: Progress = quiet) -> Path:
    """Give a project another name; returns where it is now. Runs and what they need move along.

    LabError when the name is no good, or while one of its runs is being trained.
    """
    target = project.parent / name
    if name == project.name:
        return project
    same = target.exists() and target.samefile(project)  # Shapes and shapes, where the two are one name
    if not same:
        checked_name(name, project.parent)
    _refuse_live(project, "rename it")
    return _moved(project, target, progress)


def rename_back(project: Path, before: Path) -> Path:
    """Take a rename back. The old name need not be one that a new project could have, as it is one that was there."""
    if os.path.lexists(before):
        raise LabError(f"{plain(before)}: is there again, as another project; rename that first")
    _refuse_live(project, "rename it back")
    return _moved(project, before, quiet)


def archive(project: Path) -> None:
    """Put a project away: it stays where it is, with a file in it that keeps it off the list. Runs go on."""
    words = (
        "This project is put away: loratui does not list it (X in the list of projects shows it).\n"
        "Delete this file, or press x there, to have it back. Nothing else was changed.\n"
    )
    with _told(project / ARCHIVED, "put away"):
        write_atomic(project / ARCHIVED, words)


def unarchive(project: Path) -> None:
    """Have a project back on the list."""
    with _told(project / ARCHIVED, "had back"):
        (project / ARCHIVED).unlink(missing_ok=True)


def toggle_archived(project: Path) -> bool:
    """Put away what is listed, and have back what was put away; returns whether it is away now."""
    if is_archived(project):
        unarchive(project)
        return False
    archive(project)
    return True


@dataclass(frozen=True)
class Trashed:
    """A project in the trash. `time` says when it was thrown away, as YYYYmmdd-HHMMSS, local."""

    path: Path
    name: str
    time: str


def trash(project: Path, progress: Progress = quiet) -> Trashed:
    """Throw a project away: into `.trash` beside it, under its name with the time before it. Nothing is deleted.

    LabError while one of its runs is being trained.
    """
    _refuse_live(project, "throw it away")
    folder = project.parent / TRASH
    with _told(folder, "used as a trash"):
        folder.mkdir(exist_ok=True)
    now = time.time()
    name = os.fsdecode(os.fsencode(project.name)[:230])  # with the time before it, still a name a disk can take
    while True:
        moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        target = folder / f"{moment}-{name}"
        if signature(target) is None and not target.is_symlink():
            return Trashed(_moved(project, target, progress), project.name, moment)
        now += 1


def trash_run(run: RunFolder, progress: Progress = quiet) -> Trashed:
    """Throw a run away: into `.trash` beside the project's other runs. Nothing is deleted; `restore` has it back.

    LabError while somebody trains it.
    """
    if is_locked(run.lock_file):
        raise LabError(f"{plain(run.path)}: is being trained; stop it first, or wait until it is done")
    return trash(run.path, progress)


def list_trash(folder: Path) -> list[Trashed]:
    """What lies in the trash of a folder of projects, the last thrown away first."""
    try:
        found = [(path, match) for path in (folder / TRASH).iterdir() if (match := _TRASHED.fullmatch(path.name))]
    except OSError:
        return []
    return sorted((Trashed(path, match[2], match[1]) for path, match in found), key=lambda t: t.time, reverse=True)


def restore(trashed: Path, progress: Progress = quiet) -> Path:
    """Have a project back from the trash, under its old name, or with a number behind it where that was taken."""
    match = _TRASHED.fullmatch(trashed.name)
    if match is None or trashed.parent.name != TRASH:
        raise LabError(f"{plain(trashed)}: is nothing that was thrown away; it would lie in a folder {TRASH}")
    folder = trashed.parent.parent
    target = folder / match[2]
    number = 1
    while signature(target) is not None or target.is_symlink():
        number += 1
        target = folder / f"{match[2]}-{number}"
    return _moved(trashed, target, progress)


def _refuse_live(project: Path, what: str) -> None:
    live = [plain(run.id) for run in list_runs(project) if is_locked(run.lock_file)]
    if live:
        runs = f"its run {live[0]} is" if len(live) == 1 else f"its runs {', '.join(live[:3])} are"
        raise LabError(f"{plain(project)}: {runs} being trained; stop that first, or wait until it is done, to {what}")


def _moved(source: Path, target: Path, progress: Progress) -> Path:
    """Move in one step, or where the disk cannot, copy whole and only then take the old folder away."""
    with _told(source, f"moved to {target.name}"):
        try:
            source.rename(target)
        except OSError as error:
            # Other disks, and folders that lie in a lower layer of a container's overlay.
            if error.errno != errno.EXDEV or source.is_symlink():
                raise
            _carry(source, target, progress)
        fsync_folder(target.parent)
        if source.parent != target.parent:
            fsync_folder(source.parent)
    return target


def _carry(source: Path, target: Path, progress: Progress) -> None:
    part = target.with_name(f".{target.name[:40]}.{time.time_ns():x}{PART_SUFFIX}")
    total = sum(len(names) for _, _, names in os.walk(source))
    done = 0

    def copy(one: str, other: str) -> object:
        nonlocal done
        progress(done, total)
        done += 1
        return shutil.copy2(one, other, follow_symlinks=False)

    try:
        shutil.copytree(source, part, symlinks=True, copy_function=copy)
        os.sync()  # the copy must be on the disk before the original goes
        part.rename(target)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, shutil.Error):  # it went on to the end and tells of every file: the first says enough
            raise OSError(errno.EIO, str(error.args[0][0][2]), str(source)) from error
        raise
    try:
        shutil.rmtree(source)
    except OSError as error:
        raise LabError(
            f"{plain(target)}: is whole, but what it was copied from cannot be taken away: {plain(source)}: "
            f"{plain(error.strerror, 200)}; remove that by hand"
        ) from error


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """An OSError in the block becomes a LabError that says what could not be done, and why."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise LabError(f"{plain(path)}: cannot be {plain(what)}: {plain(why, 300)}{_remedy(error.errno)}") from error


def _remedy(number: int | None) -> str:
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; make its folder writable, or work on a copy"
    if number == errno.EBUSY:
        return "; a disk is mounted there, and only that mount can be moved"
    return "; make room first" if number in (errno.ENOSPC, errno.EDQUOT) else ""
