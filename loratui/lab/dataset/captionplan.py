"""What an edit, an undo or a redo is to do to one caption file, decided from the file as it is at that moment.

Files are read here and not written: all files of a step are decided on before the first is written (captionwrite.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

from loratui.lab.dataset.captionfiles import MOST
from loratui.lab.dataset.captiontext import CaptionLine, find_caption, put_caption
from loratui.lab.dataset.captionwrite import Signature, Write, signed
from loratui.lab.dataset.edithistory import FileEdit
from loratui.lab.errors import LabError
from loratui.lab.plain import plain


@dataclass(frozen=True)
class Conflict:
    """A caption that `base` was the last known state of: `ours` was to be written, but the file says `theirs` now."""

    name: str
    base: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Found:
    """A caption file as it is now."""

    data: bytes
    line: CaptionLine
    signature: Signature

    @property
    def text(self) -> str:
        return self.line.text


@dataclass(frozen=True)
class Planned:
    """A file to be written, and what for."""

    write: Write
    edit: FileEdit


def look(path: Path, where: str) -> Found | None:
    """The caption file as it is; None when there is none. LabError when it cannot be edited. `where` names it."""
    shown = plain(where)
    try:
        mode = path.lstat().st_mode
        if S_ISLNK(mode):
            raise LabError(
                f"{shown}: a link to {plain(path.readlink())}, which others may use too; "
                "edit that file, or put a copy in the place of the link"
            )
        if S_ISDIR(mode):
            raise LabError(f"{shown}: a folder in the place of a caption file; rename it or move it elsewhere")
        if not S_ISREG(mode):
            raise LabError(f"{shown}: not a regular file; put a text file in its place")
        if not mode & 0o222 or not os.access(path, os.W_OK):
            raise LabError(f"{shown}: read-only; allow writing with chmod u+w, or leave this caption as it is")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(MOST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{shown}: cannot be read: {error.strerror}; make it readable") from error
    try:
        return Found(data, find_caption(data), signed(status))
    except ValueError as error:
        raise LabError(f"{shown}: {error}; save it again as UTF-8, as plain text") from error


def plan_edit(name: str, path: Path, below: str, found: Found | None, before: str, text: str) -> Planned:
    """Put `text` into the file `path`, which is `below` the dataset folder. LabError when that cannot be."""
    if found is None:
        edit = FileEdit(name, below, before, text, False, 0)
        return Planned(Write(path, new_file(text), None), edit)
    try:
        data = put_caption(found.data, found.line, text)
    except ValueError as error:
        raise LabError(f"{plain(below)}: {error}; delete the other lines in a text editor first") from error
    edit = FileEdit(name, below, found.text, text, True, found.line.start)
    return Planned(Write(path, data, found.signature), edit)


def plan_undo(edit: FileEdit, path: Path, found: Found | None) -> Planned | Conflict | None:
    """Take an edit back; None when the file is already as it was before."""
    conflict = Conflict(edit.name, edit.after, edit.before, found.text if found else "")
    if found is None:
        return conflict if edit.existed else None
    if not edit.existed:
        untouched = found.data == new_file(edit.after)
        return Planned(Write(path, None, found.signature), edit) if untouched else conflict
    if found.text == edit.before:
        return None
    return _put_back(edit, path, found, edit.after, edit.before) or conflict


def plan_redo(edit: FileEdit, path: Path, found: Found | None) -> Planned | Conflict | None:
    """Do an edit that was taken back again; None when the file is already as the edit left it."""
    conflict = Conflict(edit.name, edit.before, edit.after, found.text if found else "")
    if found is None:
        return conflict if edit.existed else Planned(Write(path, new_file(edit.after), None), edit)
    if found.text == edit.after:
        return None
    return (_put_back(edit, path, found, edit.before, edit.after) if edit.existed else None) or conflict


def new_file(text: str) -> bytes:
    """The content of a caption file that is made here."""
    return f"{text}\n".encode()


def _put_back(edit: FileEdit, path: Path, found: Found, expected: str, text: str) -> Planned | None:
    if found.text != expected:
        return None
    try:
        data = put_caption(found.data, found.line, text, edit.at)
    except ValueError:  # lines were added, and the first of them would become the caption
        return None
    return Planned(Write(path, data, found.signature), edit)
