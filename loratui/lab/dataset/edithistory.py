"""What was done to captions, step by step, in an append-only file: what undo and redo go by.

Every line is a JSON object: a step with the captions before and after, a correction of a step that could not be
written whole, or one undo or redo. Where undo stands follows from reading all lines, so that several windows and
a restart see the same. Captions are not touched here: captionstore.py does what a step says.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import append_whole, make_folder, open_binary, open_file
from loratui.lab.plain import plain

_PATIENCE = 10.0  # seconds to wait for another window that is saving
_FILES = b',"files":['  # a quote inside a JSON string is escaped, so these bytes stand nowhere else


@dataclass(frozen=True)
class FileEdit:
    """One caption of a step. `path` is below the dataset folder; `at` is the byte its text begins at."""

    name: str
    path: str
    before: str
    after: str
    existed: bool
    at: int


@dataclass(frozen=True)
class Step:
    """One edit of one or many captions."""

    number: int
    what: str
    files: tuple[FileEdit, ...]


@dataclass(frozen=True)
class _Known:
    """A step as it is remembered: its captions stay in the file. `paths` are those it is about, None being all."""

    number: int
    what: str
    offset: int
    length: int
    paths: frozenset[str] | None = None


@dataclass
class _Read:
    """What the lines up to `size` say."""

    inode: int = 0
    size: int = 0
    last: int = 0
    undo: list[_Known] = field(default_factory=list)
    redo: list[_Known] = field(default_factory=list)


class EditHistory:
    """The steps made in one dataset folder. Steps of other folders may share the file."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        # Relative, so that a project can be renamed or moved with its history.
        self._folder = os.path.relpath(folder.absolute(), path.parent.absolute())
        self._read = _Read()
        self._locked = -1
        self._writing, self._reading = threading.Lock(), threading.Lock()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """No other thread or window changes the history meanwhile. Makes the file. LabError when it stays taken."""
        with self._writing:
            try:
                make_folder(self.path.parent)
                file = open_file(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            except OSError as error:
                raise LabError(
                    f"{plain(self.path)}: the history for undo cannot be written ({error.strerror}), so nothing was "
                    "changed; make its folder writable"
                ) from error
            try:
                _wait_for(file, self.path)
                self._locked = file
                yield
            finally:
                self._locked = -1
                os.close(file)

    @property
    def next_undo(self) -> str | None:
        """What the last step that stands did; None without one."""
        known, _ = self._tops()
        return known.what if known else None

    @property
    def next_redo(self) -> str | None:
        """What the step did that was undone last; None without one."""
        _, known = self._tops()
        return known.what if known else None

    def last_done(self) -> Step | None:
        """The step that undo is about. Call it while `locked`."""
        known, _ = self._tops()
        return self._step(known) if known else None

    def last_undone(self) -> Step | None:
        """The step that redo is about. Call it while `locked`."""
        _, known = self._tops()
        return self._step(known) if known else None

    def add(self, what: str, files: Collection[FileEdit]) -> int:
        """Write a step down before it is done; its number. Call it while `locked`."""
        with self._reading:
            number = self._up_to_date().last + 1
        head = {"step": number, "time": round(time.time(), 3), "folder": self._folder, "what": what}
        self._append(head, [_packed(file) for file in files])
        return number

    def correct(self, number: int, paths: Collection[str]) -> None:
        """A step could only be done to these files. Call it while `locked`."""
        self._append({"corrected": number, "folder": self._folder}, sorted(paths))

    def undone(self, number: int, paths: Collection[str]) -> None:
        """A step was undone in these files. Call it while `locked`."""
        self._append({"undone": number, "folder": self._folder}, sorted(paths))

    def redone(self, number: int, paths: Collection[str]) -> None:
        """A step was done again in these files. Call it while `locked`."""
        self._append({"redone": number, "folder": self._folder}, sorted(paths))

    # --- the file -------------------------------------------------------------------------------------------------

    def _append(self, head: Mapping[str, Any], files: list[Any]) -> None:
        assert self._locked >= 0, "the history is written while it is locked"
        content = _json(head)[:-1] + _FILES + b",".join(_json(file) for file in files) + b"]}\n"
        size = os.fstat(self._locked).st_size
        if size and os.pread(self._locked, 1, size - 1) != b"\n":
            content = b"\n" + content  # a line was torn by a power cut or a full disk: it stays alone
        try:
            append_whole(self._locked, content, self.path)
            os.fsync(self._locked)
        except OSError as error:
            raise LabError(f"{plain(self.path)}: the history for undo cannot be written: {error.strerror}") from error

    def _tops(self) -> tuple[_Known | None, _Known | None]:
        with self._reading:
            read = self._up_to_date()
            return read.undo[-1] if read.undo else None, read.redo[-1] if read.redo else None

    def _up_to_date(self) -> _Read:
        try:
            status = self.path.stat()
        except OSError:
            self._read = _Read()
            return self._read
        read = self._read
        if read.inode != status.st_ino or read.size > status.st_size:
            read = self._read = _Read(inode=status.st_ino)
        if read.size < status.st_size:
            with contextlib.suppress(OSError), open_binary(self.path) as file:
                file.seek(read.size)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # torn, or being written
                    self._take(read, line)
                    read.size += len(line)
        return read

    def _take(self, read: _Read, line: bytes) -> None:
        start = line.find(_FILES)
        if start < 0 or not line.endswith(b"]}\n"):
            return
        try:
            head = json.loads(line[:start] + b"}")
        except (ValueError, RecursionError):
            return
        number = next((head[key] for key in ("step", "corrected", "undone", "redone") if key in head), None)
        if not isinstance(number, int):
            return
        if "step" in head:
            read.last = max(read.last, number)
        if head.get("folder") != self._folder:
            return
        if "step" in head:
            read.undo.append(_Known(number, str(head.get("what", "")), read.size, len(line)))
            read.redo.clear()
            return
        try:
            paths = frozenset(map(str, json.loads(line[start + len(_FILES) - 1 : -2])))
        except (ValueError, TypeError, RecursionError):
            return
        source, target = (read.redo, read.undo) if "redone" in head else (read.undo, read.redo)
        if not source or source[-1].number != number:
            return
        known = source.pop()
        if known.paths is not None:
            paths &= known.paths
        if paths:
            (source if "corrected" in head else target).append(replace(known, paths=paths))

    def _step(self, known: _Known) -> Step:
        try:
            with open_binary(self.path) as file:
                file.seek(known.offset)
                packed = json.loads(file.read(known.length))["files"]
            files = tuple(_unpacked(item) for item in packed)
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise LabError(
                f"{plain(self.path)}: the step “{plain(known.what)}” can no longer be read; "
                "move the file away to begin a new history"
            ) from error
        return Step(known.number, known.what, tuple(f for f in files if known.paths is None or f.path in known.paths))


def _wait_for(file: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LabError(
                    f"{plain(path)}: another window is still saving captions; try again in a moment"
                ) from None
            time.sleep(0.01)
        except OSError:
            return  # a file system without locks: then one window at a time is up to the person


def _json(value: object) -> bytes:
    # ASCII, so that names which are not UTF-8 can be written too.
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _packed(file: FileEdit) -> list[Any]:
    return [file.name, file.path, file.before, file.after, file.existed, file.at]


def _unpacked(item: Any) -> FileEdit:
    """One caption of a step; ValueError for what this program would not have written, such as a path that climbs."""
    name, path, before, after, existed, at = item
    texts_fit = all(isinstance(text, str) for text in (name, path, before, after))
    if not texts_fit or not isinstance(existed, bool) or not isinstance(at, int) or at < 0:
        raise ValueError("not an edit of a caption")
    parts = PurePosixPath(path).parts
    if not parts or len(parts) > 2 or parts[0] == "/" or ".." in parts or "\0" in path:
        raise ValueError("not a file of the dataset")
    if any(end in text for text in (before, after) for end in "\r\n"):
        raise ValueError("not one line")
    return FileEdit(name, path, before, after, existed, at)
