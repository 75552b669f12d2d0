"""On which line of a TOML document each key and each array item stands.

tomllib says what a document holds but not where. This scanner walks the same text for the lines alone: it trusts that
tomllib has accepted the document, so it knows strings, brackets and keys, and no rules about values.
"""

from __future__ import annotations

import re
import tomllib

from loratui.lab.project.schema import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = {
    '"""': re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{1,2}(?!"))?', re.DOTALL),
    "'''": re.compile(r"'''.*?'''(?:'{1,2}(?!'))?", re.DOTALL),
    '"': re.compile(r'"(?:\\.|[^"\\\n])*"'),
    "'": re.compile(r"'[^'\n]*'"),
}


def lines_of(text: str) -> dict[KeyPath, int]:
    """Line numbers, from 1, of a valid document: of table headers, keys and array items, by their path.

    Of a table written in several places the first line counts.
    """
    return Scanner(text).document()


def line_at(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of `path`, or of the nearest thing that holds it; None when nothing of it is written."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class Scanner:
    """Walks a document once. tomltext.py takes note of more than lines on the same walk."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.counted = 0  # up to where the newlines are counted
        self.line = 1
        self.lines: dict[KeyPath, int] = {}
        self.array_lengths: dict[KeyPath, int] = {}  # of arrays of tables written with [[...]]

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.position < len(self.text):
            if self.text.startswith("[[", self.position):
                table = self._header(2)
            elif self.text.startswith("[", self.position):
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self.lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise AssertionError(f"not the TOML that tomllib accepted, at character {self.position}")
        self.position = match.end()
        return match[0]

    def _note(self, path: KeyPath) -> None:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        self.lines.setdefault(path, self.line)

    def _header(self, brackets: int) -> KeyPath:
        self.position += brackets
        names = self._key()
        path: KeyPath = ()
        for depth, name in enumerate(names, start=1):
            path = (*path, name)
            self._note(path)
            if brackets == 2 and depth == len(names):
                self.array_lengths[path] = self.array_lengths.get(path, 0) + 1
            if path in self.array_lengths:  # [a.b] under [[a]] speaks of the last a
                path = (*path, self.array_lengths[path] - 1)
                self._note(path)
        self._skip(_SPACES)
        self.position += brackets
        return path

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip(_SPACES)
            quote = self.text[self.position]
            if quote in "\"'":
                written = self._skip(_STRINGS[quote])
                names.append(str(tomllib.loads(f"key = {written}")["key"]))
            else:
                names.append(self._skip(_BARE_KEY))
            self._skip(_SPACES)
            if not self.text.startswith(".", self.position):
                return names
            self.position += 1

    def _pair(self, table: KeyPath) -> None:
        path = table
        for name in self._key():
            path = (*path, name)
            self._note(path)
        self.position += 1  # the equals sign
        self._skip(_SPACES)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start = self.text[self.position : self.position + 3]
        if start[0] == "[":
            self._array(path)
        elif start[0] == "{":
            self._inline_table(path)
        elif start in _STRINGS:
            self._skip(_STRINGS[start])
        elif start[0] in _STRINGS:
            self._skip(_STRINGS[start[0]])
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.position += 1
        index = 0
        self._skip(_BLANK)
        while self.text[self.position] != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._comma()
        self.position += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.position += 1
        self._skip(_BLANK)
        while self.text[self.position] != "}":
            self._pair(path)
            self._comma()
        self.position += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self.text[self.position] == ",":
            self.position += 1
            self._skip(_BLANK)
