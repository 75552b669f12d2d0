"""A TOML file of `[[name]]` tables that several processes append to and none ever rewrites.

Each table is one write under a lock. What a killed writer left of one is passed over by readers, and kept as comments
by the next writer. A file that somebody broke by hand is refused with its line, and not touched. What the tables mean
is for others to say; a table written here ends with the key LAST, so that half of one can be told from a whole one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import MOST_BYTES, append_whole, fsync_folder, open_file, read_file, write_atomic
from loratui.lab.plain import plain

NAME = "observation"
FIRST, LAST = "id", "by"
_HEADER = f"[[{NAME}]]".encode("ascii")
_OURS = _HEADER + f'\n{FIRST} = "'.encode("ascii")  # how each table begins that is written here
_PATIENCE = 5.0  # seconds; whoever writes holds the file for a moment


def read_tables(file: Path) -> list[dict[str, Any]]:
    """The tables in the file, none when it is missing. LabError with the line when it is no TOML."""
    try:
        content = read_file(file)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabError(f"{file}: cannot be read: {error.strerror}") from error
    return _tables(file, _whole(file, content)[0])


def line_of(file: Path, index: int, key: str) -> str:
    """`line 12: ` of a key of a table, or of the table where it has no such key; "" when it can not be told."""
    from loratui.lab.toml.places import line_at, lines_of

    try:
        lines = lines_of(_whole(file, read_file(file))[0].decode("utf-8"))
    except (OSError, LabError):
        return ""
    line = line_at(lines, (NAME, index, key))
    return f"line {line}: " if line else ""


class Appending:
    """The file while this process alone may write to it: `with Appending(file) as log: log.append({…})`.

    `tables` is what it holds. LabError when it is broken or can not be written; it is then as it was.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> Appending:
        try:
            self._descriptor = _locked(self.file)
        except OSError as error:
            raise LabError(f"{self.file}: cannot be written: {error.strerror}; nothing was saved") from error
        try:
            self._content, self._torn = _whole(self.file, _read_all(self._descriptor))
            self.tables = _tables(self.file, self._content)
        except OSError as error:
            os.close(self._descriptor)
            raise LabError(f"{self.file}: cannot be read: {error.strerror}; nothing was saved") from error
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def append(self, table: Mapping[str, Any]) -> None:
        """One more table, on disk when this returns. Once for each lock."""
        import tomli_w

        lead = b"" if not self._content else b"\n" if self._content.endswith(b"\n") else b"\n\n"
        block = _HEADER + b"\n" + tomli_w.dumps(table).encode("utf-8")
        try:  # first: to a list that somebody wrote in one line, TOML allows nothing to be added
            tables = _tables(self.file, self._content + b"\n\n" + block)
        except ValueError as error:
            raise LabError(f"{self.file}: write each {NAME} below an own [[{NAME}]]; nothing was saved") from error
        try:
            if self._torn:
                write_atomic(self.file, self._content + lead + _commented(self._torn) + b"\n" + block)
            else:
                self._append(lead + block)
        except OSError as error:
            raise LabError(f"{self.file}: cannot be written: {error.strerror}; nothing was saved") from error
        self.tables = tables

    def _append(self, block: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            append_whole(self._descriptor, block, self.file)
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)  # a full disk took a part of it; those bytes are our own
            raise
        fsync_folder(self.file.parent)


def _locked(file: Path) -> int:
    """The open file, locked, and surely the one that has the name now."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = open_file(file, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    return descriptor
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                return descriptor  # without locks, appending in one write must do
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise LabError(f"{file}: another program holds it for writing; nothing was saved, try again")
        time.sleep(0.001)  # whoever just let go may be back at once; a longer one would be passed by again and again


def _read_all(descriptor: int) -> bytes:
    """OSError for more than anybody wrote down."""
    parts: list[bytes] = []
    size = 0
    while part := os.pread(descriptor, 1 << 20, size):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"larger than {MOST_BYTES >> 20} MiB; it is none of ours")
    return b"".join(parts)


def _whole(file: Path, content: bytes) -> tuple[bytes, bytes]:
    """The content that can be read, and the tail that a killed writer left, often empty. LabError when broken."""
    header = content.rfind(b"\n" + _HEADER) + 1
    try:
        _parsed(content)
    except ValueError as error:
        problem: ValueError | None = error
        if content.endswith(b"\n") and b"\n%b = " % LAST.encode("ascii") in content[header:]:
            raise _broken(file, error) from error  # it was whole once
    else:
        problem = None
        if content.endswith(b"\n") or not _ends_unfinished(content):
            return content, b""
    for start in (content.rfind(b"\n") + 1, header):
        begun = content[start if not content[start:].strip(b"\0") or _HEADER.startswith(content[start:]) else header :]
        if not begun.startswith(_OURS) and not _OURS.startswith(begun.strip(b"\0")):
            continue  # somebody is writing by hand, and is to be told
        with contextlib.suppress(ValueError):
            if not _ends_unfinished(content[:start]):
                return content[:start], content[start:]
    if problem is None:
        return content, b""
    raise _broken(file, problem)


def _ends_unfinished(content: bytes) -> bool:
    """Whether the last table lacks the key that ends each of ours. ValueError when it is not TOML."""
    tables = _parsed(content).get(NAME)
    last = tables[-1] if isinstance(tables, list) and tables else None
    return isinstance(last, dict) and FIRST in last and LAST not in last


def _parsed(content: bytes) -> dict[str, Any]:
    """ValueError when it is no TOML."""
    try:
        return tomllib.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError(cause_of(error)) from error


def _broken(file: Path, error: ValueError) -> LabError:
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return LabError(f"{file}: line {line}: not UTF-8 text; save it as UTF-8 in an editor")
    found = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
    where = f"line {found[1]}: " if found and found[1] else "at its end: " if found else ""
    what = plain(str(error)[: found.start()].strip() if found else error, 200)
    return LabError(f"{file}: {where}{what}; mend it in an editor: it is never rewritten, so nothing of it is lost")


def _commented(torn: bytes) -> bytes:
    text = plain(torn.decode("utf-8", "backslashreplace"), newlines=True).rstrip("\n")
    lines = ["a writer was ended in the middle of this:", *text.split("\n")]
    return "".join(f"# {line}\n" for line in lines).encode("utf-8")


def _tables(file: Path, content: bytes) -> list[dict[str, Any]]:
    listed = _parsed(content).get(NAME, [])
    if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
        raise LabError(f"{file}: {NAME!r} is not a list of tables; write [[{NAME}]]")
    return listed
