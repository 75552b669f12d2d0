"""A hand-written project.toml that is edited by a program: comments, order and formatting stay the person's own.

Edits are kept in memory with undo and redo until `save` writes the file whole, in one move. Another program's changes
are noticed: they are merged where they touch other keys, and asked about (`FileConflict`) where they touch the same;
nothing is ever overwritten unseen. How one key is changed in a text is tomltext.py's, which values fit project.py's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loratui.lab.errors import LabError
from loratui.lab.files import read_file, write_atomic
from loratui.lab.plain import plain
from loratui.lab.project.project import FILE_NAME, Project, project_of_text
from loratui.lab.project.schema import KeyPath
from loratui.lab.project.settings import ALL_RULES, RULES, TABLES
from loratui.lab.toml import tomltext
from loratui.lab.toml.textmerge import keep_line_ends, merge_lines
from loratui.lab.toml.tomllayout import newline_of
from loratui.lab.toml.tomlmerge import SameKeys, apply_changes, merge_documents

ORDER = ("question", *TABLES, "variant", "claim", "matrix", *ALL_RULES)  # where a new key or table is put
PROMPTS: KeyPath = ("sample", "prompt")
_BOM = "\ufeff"
_MOST_UNDONE = 500


@dataclass(frozen=True)
class Fault:
    """Something wrong with the text: its line, from 1, where it has one, and what."""

    line: int | None
    text: str


@dataclass(frozen=True)
class Edit:
    """One step of undo."""

    what: str
    before: str
    after: str


class FileConflict(LabError):
    """Another program changed the same keys meanwhile. `resolve` says whose are kept."""

    def __init__(self, file: Path, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        what = ", ".join(self.keys[:5]) or "the same lines"
        super().__init__(f"{file}: another program changed {plain(what, 200)} too; keep yours, or take what is there")


class ProjectFile:
    """The text of a project.toml: what the person has, and what is to become of it."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self._on_disk = content  # as it was read or written last
        self._seen = _look(path)
        self._text = self._base = _decoded(path, content)
        self._bom = content.startswith(_BOM.encode())
        self._own = False  # the text is the person's own, valid or not
        self._undo: list[Edit] = []
        self._redo: list[Edit] = []

    @classmethod
    def open(cls, path: Path) -> ProjectFile:
        """The file, or the project.toml of a folder. LabError when it cannot be read as UTF-8 text."""
        file = path / FILE_NAME if path.is_dir() else path
        return cls(file, _read(file))

    # -- what it says -------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The text with the edits, without a byte order mark."""
        return self._text

    @property
    def document(self) -> dict[str, Any] | None:
        """What the text says; None when it is not valid TOML."""
        try:
            return tomllib.loads(self._text)
        except (ValueError, RecursionError):
            return None

    @property
    def is_dirty(self) -> bool:
        return self._text != self._base

    def get(self, key: str) -> Any:
        """The value written for a dotted key; None when it is not written. TOML itself has no such value."""
        value: Any = self.document
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def prompts(self) -> list[dict[str, Any]]:
        """The [[sample.prompt]] tables, as they are written."""
        tables = self.get("sample.prompt")
        return [dict(table) for table in tables if isinstance(table, Mapping)] if isinstance(tables, list) else []

    def project(self, overrides: Sequence[str] = ()) -> Project:
        """The project of the edited text. LabError with all that is wrong with it."""
        return project_of_text(self.path, self._text, overrides)

    def problems(self, text: str | None = None) -> tuple[Fault, ...]:
        """Everything that is wrong with the text, or with another one, by the rules of load_project."""
        try:
            project_of_text(self.path, self._text if text is None else text)
        except LabError as error:
            return tuple(self._fault(line) for line in str(error).splitlines())
        return ()

    def _fault(self, line: str) -> Fault:
        placed = re.match(rf"{re.escape(str(self.path))}(?::(\d+))?: ", line)
        if placed is None:
            return Fault(None, line)
        return Fault(int(placed[1]) if placed[1] else None, line[placed.end() :])

    # -- edits --------------------------------------------------------------------------------------------------

    def set(self, key: str, value: Any, written: str = "") -> None:
        """Give a setting a plain value, which must fit (fieldtext.entered). `written` is how TOML is to say it."""
        if key not in RULES:
            raise LabError(f"{key}: no such setting")
        self._edited(tomltext.set_value(self._text, _path(key), value, written, ORDER), f"{key} = {written or value}")

    def unset(self, key: str) -> None:
        """Take a setting out, so that its default counts."""
        if self.get(key) is not None:
            self._edited(tomltext.unset_value(self._text, _path(key)), f"{key} back to its default")

    def add_prompt(self, table: Mapping[str, Any]) -> None:
        """One more [[sample.prompt]] table, the last."""
        self._edited(tomltext.add_table(self._text, PROMPTS, table, ORDER), "a new prompt")

    def set_prompt(self, index: int, name: str, value: Any, written: str = "") -> None:
        path = (*PROMPTS, index, name)
        self._edited(tomltext.set_value(self._text, path, value, written, ORDER), f"prompt {index + 1}: {name}")

    def unset_prompt(self, index: int, name: str) -> None:
        if name in self.prompts()[index]:
            text = tomltext.unset_value(self._text, (*PROMPTS, index, name))
            self._edited(text, f"prompt {index + 1}: {name} as in [sample]")

    def remove_prompt(self, index: int) -> None:
        self._edited(tomltext.remove_table(self._text, (*PROMPTS, index)), f"prompt {index + 1} removed")

    def move_prompt(self, index: int, to: int) -> None:
        """Put a prompt in another place; those between move up or down by one."""
        text, step = self._text, 1 if to > index else -1
        for place in range(index, to, step):
            text = tomltext.swap_tables(text, (*PROMPTS, place), place + step)
        self._edited(text, f"prompt {index + 1} moved")

    def restored(self, edited: str) -> str:
        """The text that an editor gives back: lines that were not touched keep their bytes and line ends."""
        return keep_line_ends(self._text, edited, newline_of(self._text), shown_line)

    def replace_text(self, edited: str, what: str = "the text") -> None:
        """The whole text as the person wrote it in an editor, valid or not. LabError when it is not Unicode."""
        text = self.restored(edited)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            char = plain(error.object[error.start])
            raise LabError(f"{self.path}: {char} is not Unicode text; take it out") from None
        self._edited(text, what)
        self._own = True

    def _edited(self, text: str, what: str) -> None:
        if text == self._text:
            return
        self._undo = [*self._undo[1 - _MOST_UNDONE :], Edit(plain(what, 60), self._text, text)]
        self._redo.clear()
        self._text = text

    # -- undo ---------------------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> str:
        """What undo would take back; empty when there is nothing."""
        return self._undo[-1].what if self._undo else ""

    @property
    def can_redo(self) -> str:
        return self._redo[-1].what if self._redo else ""

    def undo(self) -> str:
        """Take the last edit back, and only that: what came from another program since stays. Returns what it was."""
        return self._step(self._undo, self._redo, back=True)

    def redo(self) -> str:
        return self._step(self._redo, self._undo, back=False)

    def _step(self, taken: list[Edit], put: list[Edit], back: bool) -> str:
        if not taken:
            return ""
        edit = taken[-1]
        old, new = (edit.after, edit.before) if back else (edit.before, edit.after)
        text = new if self._text == old else merge_lines(old, new, self._text)
        if text is None:
            raise LabError(f"{self.path}: {edit.what}: the same lines were changed since, so this cannot be taken back")
        put.append(taken.pop())
        self._text, self._own = text, True
        return edit.what

    # -- the file -----------------------------------------------------------------------------------------------

    def changed_outside(self) -> bool:
        """Whether another program changed or removed the file. Cheap: the content is read only when its time moved."""
        seen = _look(self.path)
        if seen == self._seen:
            return False
        try:
            content = read_file(self.path)
        except OSError:
            return True
        if content == self._on_disk:
            self._seen = seen
            return False
        return True

    def reload(self) -> bool:
        """Take in what another program wrote, edits of one's own merged in. FileConflict when both changed one key."""
        if not self.changed_outside():
            return False
        content = _read(self.path)
        theirs = _decoded(self.path, content)
        if not self.is_dirty:
            self._take(content, theirs, theirs)
            return True
        try:
            self._take(content, theirs, merge_documents(self._base, self._text, theirs, ORDER))
        except SameKeys as clash:
            raise FileConflict(self.path, clash.keys) from None
        return True

    def resolve(self, whose: Literal["ours", "theirs"]) -> None:
        """After a FileConflict: keep one's own edits over what is there, or take what is there (undo brings back)."""
        content = _read(self.path)
        theirs = _decoded(self.path, content)
        if whose == "theirs":
            self._undo.append(Edit("your version", self._text, theirs))
            self._take(content, theirs, theirs)
        else:
            text = self._text if self._own else apply_changes(self._base, self._text, theirs, ORDER) or self._text
            self._take(content, theirs, text)

    def save(self, anyway: bool = False) -> str:
        """Write the file whole, merged with what another program wrote meanwhile; returns words when there are any.

        FileConflict when both changed the same. LabError when the text is not valid TOML, unless `anyway`: then the
        person's own text is written as it stands, and the words say so.
        """
        gone = anyway and not self.path.exists()  # then it is written anew
        merged = not gone and self.reload()
        if not gone and not self.is_dirty:
            return "another program changed the file: its version is shown now" if merged else ""
        if self.document is None and not (anyway and self._own):
            fault = self.problems()[0]
            place = f"{self.path}:{fault.line}" if fault.line else str(self.path)
            raise LabError(f"{place}: {fault.text}; the file is as it was")
        content = ((_BOM if self._bom else "") + self._text).encode("utf-8")
        write_atomic(self.path, content)
        self._on_disk, self._seen, self._base = content, _look(self.path), self._text
        if self.document is None:
            return "saved as it is, which is not valid TOML: nothing can be trained from it yet"
        return "merged with what another program changed" if merged else ""

    def _take(self, content: bytes, theirs: str, text: str) -> None:
        self._on_disk, self._seen, self._base, self._text = content, _look(self.path), theirs, text
        self._bom = content.startswith(_BOM.encode())


def shown_line(line: str) -> str:
    """A line as an editor may show it: tabs stay, what would move a cursor or hide becomes a sign."""
    return "\t".join(plain(part) for part in line.split("\t"))


def shown_text(text: str) -> str:
    """A whole text for an editor; `replace_text` brings back the bytes of the lines that are left as they are."""
    return "\n".join(shown_line(line.removesuffix("\r")) for line in text.split("\n"))


def _path(key: str) -> KeyPath:
    return tuple(key.split("."))


# --- the disk --------------------------------------------------------------------------------------------------------


def _read(file: Path) -> bytes:
    try:
        return read_file(file)
    except FileNotFoundError:
        raise LabError(f"{file}: there is no such file; it was removed or renamed") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabError(f"{file}: cannot be read: {reason}") from None


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise LabError(f"{file}:{line}: byte 0x{byte:02x} is not UTF-8; save the file with UTF-8 encoding") from None


def _look(file: Path) -> tuple[int, int, int] | None:
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
