"""What people paste or drop into a terminal to name files, as paths: quoted, escaped, as URLs, many at once.

Only looked at, to tell a space inside a name from one between two names; nothing is opened.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from loratui.lab.dataset.imagefiles import FORMATS

_URL = re.compile(r"file:(//[^/\s]*)?(?=/)", re.IGNORECASE)
_BEGINS = re.compile(r"/|~|\.{1,2}/|file:/|[A-Za-z]:\\", re.IGNORECASE)  # what only the beginning of a path looks like
_DRIVE = re.compile(r"[A-Za-z]:\\")
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_MOST_SPACES = 12  # in an unquoted name


@dataclass(frozen=True)
class _Piece:
    """A word as a shell would read it; `text[start:end]` is how it was written."""

    word: str
    start: int
    end: int
    bare: bool  # neither quoted nor a URL


def read_paste(text: str) -> list[Path]:
    """The paths in a pasted text, each once, in its order; relative ones as they are, `~` expanded.

    One on a line needs no quoting. Several on one line are separated by spaces, as shells and file managers write
    them; spaces inside an unquoted name are told from those between names by what there is on the disk.
    """
    found: dict[Path, None] = {}
    for line in re.split(r"[\r\n]+", text.replace("\0", "")):
        for word in _words(line.strip()):
            found[_path(word)] = None
    return list(found)


def _words(line: str) -> list[str]:
    if not line:
        return []
    if not _URL.match(line) and os.path.lexists(_path(line)):
        return [line]
    pieces = _pieces(line)
    words: list[str] = []
    at = 0
    while at < len(pieces):
        last = _last_piece(line, pieces, at)
        words.append(pieces[at].word if last == at else line[pieces[at].start : pieces[last].end])
        at = last + 1
    return words


def _last_piece(line: str, pieces: list[_Piece], first: int) -> int:
    """The last piece of the path that begins with the first: the same one, unless spaces belong to the name."""
    ends = []
    for at in range(first, min(first + _MOST_SPACES, len(pieces))):
        if not pieces[at].bare or (at > first and _BEGINS.match(pieces[at].word)):
            break
        if pieces[at].word.lower().endswith(tuple(FORMATS)):
            ends.append(at)
    for last in reversed(ends):
        if os.path.lexists(_path(line[pieces[first].start : pieces[last].end])):
            return last
    if not ends or not _BEGINS.match(pieces[first].word) or os.path.lexists(_path(pieces[first].word)):
        return first
    return ends[0]  # nothing of it is there; up to the ending of a picture it is one name, for a message to show


def _pieces(line: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        else:
            pieces.append(_piece(line, at))
            at = pieces[-1].end
    return pieces


def _piece(line: str, start: int) -> _Piece:
    """The word that begins here. Quotes count where a word begins with one: an apostrophe in a name is a letter."""
    quoted = line[start] in "'\"" and _closing(line, start) > 0
    escapes = not _DRIVE.match(line, start)
    word, at = "", start
    while at < len(line) and not line[at].isspace():
        end = _closing(line, at) if quoted and line[at] in "'\"" else -1
        if end > 0:
            word += line[at + 1 : end] if line[at] == "'" else re.sub(r'\\(["\\$`])', r"\1", line[at + 1 : end])
            at = end + 1
        elif line[at] == "\\" and escapes and at + 1 < len(line):
            word += line[at + 1]
            at += 2
        else:
            word += line[at]
            at += 1
    return _Piece(word, start, at, not quoted and not _URL.match(word))


def _closing(line: str, at: int) -> int:
    """Where the quote that opens here is closed; -1 when it is not."""
    if line[at] == "'":
        return line.find("'", at + 1)
    match = _DOUBLE_QUOTED.match(line, at)
    return match.end() - 1 if match else -1


def _path(word: str) -> Path:
    if match := _URL.match(word):
        return Path(os.fsdecode(unquote_to_bytes(word[match.end() :]).replace(b"\0", b"")))
    try:
        return Path(word).expanduser()
    except RuntimeError:  # no such user
        return Path(word)
