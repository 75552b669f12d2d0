"""Two changed versions of one text made into one, where their changes are on different lines.

Whether the result means what it should is for the caller to judge: lines know nothing of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class _Change:
    start: int  # the lines from start to end of the base …
    end: int
    lines: tuple[str, ...]  # … become these


def merge_lines(base: str, ours: str, theirs: str) -> str | None:
    """`base` with the changes of both; None when they changed the same lines differently. Line ends are kept."""
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    lines = _lines(base)
    one, other = _changes(lines, _lines(ours)), _changes(lines, _lines(theirs))
    both = sorted({*one, *other}, key=lambda change: (change.start, change.end))
    for earlier, later in pairwise(both):
        same_place = (earlier.start, earlier.end) == (later.start, later.end)
        if same_place or later.start < earlier.end:
            return None
    for change in reversed(both):
        lines[change.start : change.end] = change.lines
    return "".join(lines)


def keep_line_ends(before: str, edited: str, newline: str, show: Callable[[str], str] = str) -> str:
    """The text that an editor gives back, where lines that were not edited keep the very bytes they had `before`.

    `show` is what the editor was given for a line: it may have made signs of what hides. New lines end in `newline`.
    """
    originals, after = _lines(before), [line.removesuffix("\n") for line in _lines(edited)]
    shown = [show(line.removesuffix("\n").removesuffix("\r")) for line in originals]
    kept: list[str] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, shown, after, autojunk=False).get_opcodes():
        kept += originals[i1:i2] if tag == "equal" else [line + newline for line in after[j1:j2]]
    # Only the last line may be without an end.
    kept = [line if line.endswith("\n") or n + 1 == len(kept) else line + newline for n, line in enumerate(kept)]
    text = "".join(kept)
    if edited.endswith("\n") == text.endswith("\n"):
        return text
    return text + newline if edited.endswith("\n") else text.removesuffix("\n").removesuffix("\r")


def _changes(base: Sequence[str], changed: Sequence[str]) -> list[_Change]:
    matcher = difflib.SequenceMatcher(None, base, changed, autojunk=False)
    return [_Change(i1, i2, tuple(changed[j1:j2])) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"]


def _lines(text: str) -> list[str]:
    """Only a newline ends a line: str.splitlines also knows form feeds and Unicode's own."""
    pieces = text.split("\n")
    ends = [f"{piece}\n" for piece in pieces[:-1]]
    return [*ends, pieces[-1]] if pieces[-1] else ends
