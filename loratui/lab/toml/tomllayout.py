"""Where everything of a TOML document stands in its text: values, keys, tables, and the comments that go with them.

Made for one change at a time (tomltext.py): positions are those of the text it was made of. Nothing is changed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from loratui.lab.project.schema import KeyPath
from loratui.lab.toml.places import Scanner

Span = tuple[int, int]
_AFTER = re.compile(r"[ \t]*(#[^\r\n]*)?")
_ALONE = re.compile(r"[ \t]*,?[ \t]*(#[^\n]*)?\r?\n")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


@dataclass(frozen=True)
class Pair:
    """A key with its value. `inline` when it stands in braces or brackets, not on a line of its own."""

    path: KeyPath
    start: int
    end: int
    section: int  # how many headers stand before it
    inline: bool


@dataclass(frozen=True)
class Header:
    """A `[table]` or `[[table]]` line; the path of the second ends in its number."""

    path: KeyPath
    start: int
    end: int


@dataclass
class Layout:
    """The places of a valid document."""

    text: str
    pairs: list[Pair] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    values: dict[KeyPath, Span] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Layout:
        return _LayoutScanner(text).layout()

    # -- lines --------------------------------------------------------------------------------------------------

    def line_start(self, position: int) -> int:
        return self.text.rfind("\n", 0, position) + 1

    def line_end(self, position: int) -> int:
        """Behind the newline of the line that `position` is on."""
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end + 1

    def indent(self, position: int) -> str:
        start = self.line_start(position)
        line = self.text[start:position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def line_added(self, position: int, line: str) -> str:
        """The text with a line put at the start of a line, or at its end."""
        before, after, newline = self.text[:position], self.text[position:], newline_of(self.text)
        if before and not before.endswith("\n"):
            return f"{before}{newline}{line}{after}"
        return f"{before}{line}{newline}{after}"

    def block_added(self, position: int, block: str) -> str:
        """The text with lines put at the start of a line, blank lines around a table."""
        before, after, newline = self.text[:position], self.text[position:], newline_of(self.text)
        if before and not before.endswith("\n"):
            before += newline
        is_table = block.startswith("[")
        lead = newline if is_table and before and not _ends_blank(before) else ""
        starts_table = after.lstrip(" \t").startswith(("[", "#"))
        trail = newline if after and (is_table or starts_table) and not after.startswith(("\n", "\r\n")) else ""
        return f"{before}{lead}{block}{newline}{trail}{after}"

    # -- tables -------------------------------------------------------------------------------------------------

    def header_of(self, pair: Pair) -> KeyPath:
        return self.headers[pair.section - 1].path if pair.section else ()

    def holds(self, path: KeyPath) -> bool:
        paths = [*(pair.path for pair in self.pairs), *(header.path for header in self.headers)]
        return any(found[: len(path)] == path for found in paths)

    def items(self, path: KeyPath) -> list[Span]:
        """The items of an array that is written in brackets."""
        found: list[Span] = []
        while (*path, len(found)) in self.values:
            found.append(self.values[(*path, len(found))])
        return found

    def root_end(self) -> int:
        """Where a key before the first table can be put: behind the last one, else behind the remarks at the top."""
        roots = [pair for pair in self.pairs if not pair.section and not pair.inline]
        if roots:
            return self.line_end(roots[-1].end)
        first = self._with_comments(self.headers[0].start) if self.headers else len(self.text)
        blank = re.search(r"\n[ \t]*\r?\n", self.text[:first])
        return blank.end() if blank else 0 if self.headers else len(self.text)

    def place_for(self, path: KeyPath, order: Sequence[str], array: bool = False) -> int:
        """Where the header of a new table belongs: behind its like, else before the first that `order` has later."""
        if array:
            like = [n for n, header in enumerate(self.headers) if header.path[0] == path[0]]
            if like:
                return self._section_end(like[-1])
        ranks = {name: rank for rank, name in enumerate(order)}
        own = ranks.get(str(path[0]), len(ranks))
        for number, header in enumerate(self.headers):
            inside = header.path[: len(path)] == path  # [sample] before its own [[sample.prompt]]
            later = ranks.get(str(header.path[0]), len(ranks)) > own
            if (inside and not array) or later:
                return self._with_comments(self.headers[number].start)
        return len(self.text)

    def extent(self, path: KeyPath) -> Span:
        """From where to where a table of an array is written, with the comments above it, without the gap below."""
        if path in self.values:
            return self.values[path]
        first = next(n for n, header in enumerate(self.headers) if header.path == path)
        last = first
        while last + 1 < len(self.headers) and self.headers[last + 1].path[: len(path)] == path:
            last += 1
        start, end = self._with_comments(self.headers[first].start), self._section_end(last)
        return start, start + len(self.text[start:end].rstrip())

    def written_of(self, path: KeyPath) -> list[tuple[int, int, str]]:
        """What to cut out so that nothing of `path` is left, in order: from, to, and what to leave there."""
        if path in self.values:
            pair = next((pair for pair in self.pairs if pair.path == path), None)
            if pair is not None and not pair.inline:
                return [self._line_of(pair)]
            return [(*self._from_list(path, pair), "")]
        cuts = [
            self._line_of(pair)
            for pair in self.pairs
            if pair.path[: len(path)] == path and not pair.inline and len(self.header_of(pair)) < len(path)
        ]
        for number, header in enumerate(self.headers):
            if header.path[: len(path)] == path:
                start = self._with_comments(header.start)
                if cuts and cuts[-1][1] == start:
                    cuts[-1] = (cuts[-1][0], self._section_end(number), cuts[-1][2])
                else:
                    cuts.append((start, self._section_end(number), ""))
        return sorted(cuts)

    def _line_of(self, pair: Pair) -> tuple[int, int, str]:
        after = _AFTER.match(self.text, pair.end)
        comment = after[1] if after and after[1] else ""
        if comment:
            return pair.start, after.end() if after else pair.end, comment.rstrip()
        return self.line_start(pair.start), self.line_end(pair.end), ""

    def _from_list(self, path: KeyPath, pair: Pair | None) -> Span:
        """The place of an entry between commas, with one comma."""
        start = pair.start if pair else self.values[path][0]
        end = pair.end if pair else self.values[path][1]
        line = self.line_start(start), self.line_end(end)
        if pair is None and _ALONE.fullmatch(self.text[line[0] : start] + self.text[end : line[1]]):
            return line  # its neighbours keep the comments beside them; a last comma is allowed in a list
        gap = _GAP.match(self.text, end)
        behind = gap.end() if gap else end
        if self.text[behind] == ",":
            after = re.compile(r"[ \t]*").match(self.text, behind + 1)
            following = after.end() if after else behind + 1
            return (start, following) if self.text[following] not in "]}" else (self._comma_before(start), behind)
        return self._comma_before(start), end

    def _comma_before(self, start: int) -> int:
        ends = [place[1] for place in self.values.values() if place[1] <= start]
        last = max(ends, default=start)
        return last if "," in self.text[last:start] else start

    def _section_end(self, number: int) -> int:
        """Where the next table begins, its own comments counted to it."""
        if number + 1 == len(self.headers):
            return len(self.text)
        return self._with_comments(self.headers[number + 1].start)

    def _with_comments(self, start: int) -> int:
        """The start of the comment lines that stand directly above a header, else of the header's own line."""
        floor = max((pair.end for pair in self.pairs if pair.end <= start), default=0)
        floor = max([floor, *(header.end for header in self.headers if header.end <= start)])
        start = self.line_start(start)
        while start > floor:
            above = self.line_start(start - 1)
            if above < floor or not self.text[above:start].lstrip(" \t").startswith("#"):
                break
            start = above
        return start


def newline_of(text: str) -> str:
    """How most lines of the text end."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def _ends_blank(text: str) -> bool:
    return not text.rstrip(" \t").removesuffix("\n").removesuffix("\r").rpartition("\n")[2].strip()


class _LayoutScanner(Scanner):
    """The walk over a document that also keeps where keys, values and headers begin and end."""

    def layout(self) -> Layout:
        self._depth = 0
        self._entered: list[KeyPath] = []
        self._found = Layout(self.text)
        self.document()
        return self._found

    def _header(self, brackets: int) -> KeyPath:
        start = self.position
        path = super()._header(brackets)
        self._found.headers.append(Header(path, start, self.position))
        return path

    def _pair(self, table: KeyPath) -> None:
        start, known = self.position, len(self._entered)
        super()._pair(table)
        path = self._entered[known]  # the first value entered since: those inside it came later
        end = self._found.values[path][1]
        self._found.pairs.append(Pair(path, start, end, len(self._found.headers), self._depth > 0))

    def _value(self, path: KeyPath) -> None:
        start = self.position
        self._entered.append(path)
        self._depth += 1
        super()._value(path)
        self._depth -= 1
        end = start + len(self.text[start : self.position].rstrip(" \t\r"))
        self._found.values[path] = (start, end)
