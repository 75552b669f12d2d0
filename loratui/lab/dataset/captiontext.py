"""Where the caption stands among the bytes of its file, how two people's changes to it become one, and what no edit
may bring in.

All pure functions. A caption is the first line that is not blank (see captionfiles.py); only its text is ever
replaced: byte order mark, spaces around it, line ends and all other lines keep their bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from loratui.lab.dataset.captionfiles import BOM, MOST, is_control
from loratui.lab.dataset.captions import join_tags, split_tags

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOT_CHARACTERS = ("Zl", "Zp", "Cs")  # separators of lines, and halves of a character that UTF-8 cannot write


@dataclass(frozen=True)
class CaptionLine:
    """The text of a caption is `data[start:end]`, in bytes; both are where it would go when there is none."""

    text: str
    start: int
    end: int
    more: bool  # further lines of text follow


def find_caption(data: bytes) -> CaptionLine:
    """The caption in the bytes of a caption file. ValueError when they are not UTF-8 or too many for a caption."""
    if len(data) > MOST:
        raise ValueError("is larger than a caption can be (1 MB)")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = "it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte {error.start + 1}"
        raise ValueError(f"is not UTF-8 text ({kind})") from error
    found: CaptionLine | None = None
    first = len(BOM) if data.startswith(BOM) else 0
    at = first
    for raw in _lines(data[first:]):
        line = raw.decode("utf-8")
        if text := line.strip():
            if found is not None:
                return CaptionLine(found.text, found.start, found.end, True)
            start = at + len(line[: line.index(text)].encode("utf-8"))
            found = CaptionLine(text, start, start + len(text.encode("utf-8")), False)
        at += len(raw)
    return found or CaptionLine("", first, first, False)


def put_caption(data: bytes, line: CaptionLine, text: str, at: int | None = None) -> bytes:
    """The file with another caption. `at` is the byte where a caption stood before it was emptied.

    ValueError when the caption is emptied and the next line would become the caption.
    """
    if not text and line.more:
        raise ValueError("has further lines of text, and without its first the next would become the caption")
    start = line.start
    if not line.text and at is not None and line.start <= at <= len(data) and _between_characters(data, at):
        start = at
    return data[:start] + text.encode("utf-8") + data[line.end if line.text else start :]


def unwanted(text: str, before: str = "") -> str:
    """What keeps `text` from being a caption, in words ("" when nothing does). What stood in `before` may stay."""
    if text.isprintable():
        return ""
    for character in text:
        if character in "\r\n":
            return f"a line break (U+{ord(character):04X}), and a caption is one line; put a comma there"
        hidden = is_control(character) or unicodedata.category(character) in _NOT_CHARACTERS
        if hidden and character not in before:
            name = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
            return f"{name}, which cannot be seen but is read as a token; delete it, retyping the line does it"
    return ""


# --- three-way merge ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Hunk:
    """The base tags from `start` up to `end` have become `tags`."""

    start: int
    end: int
    tags: tuple[str, ...]


def merge_captions(base: str, ours: str, theirs: str) -> str | None:
    """What `base` becomes with the changes of both, when they are about different tags; None when they are not.

    The order of the tags is kept; two additions at one place stand theirs first.
    """
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    tags, mine, other = split_tags(base), split_tags(ours), split_tags(theirs)
    if mine in (other, tags):
        return theirs  # only commas and spaces differ
    if other == tags:
        return ours
    if not tags:
        return None  # each wrote a caption where there was none
    left, right = _hunks(tags, mine), _hunks(tags, other)
    if any(_clash(a, b) for a in left for b in right) or _moved(tags, mine, other):
        return None
    gone = {i for hunk in (*left, *right) for i in range(hunk.start, hunk.end)}
    merged: list[str] = []
    for i in range(len(tags) + 1):
        new = [tag for hunk in right if hunk.start == i for tag in hunk.tags]
        merged += new
        # A tag that both added stands where they put it.
        merged += [tag for hunk in left if hunk.start == i for tag in hunk.tags if tag in tags or tag not in other]
        if i < len(tags) and i not in gone:
            merged.append(tags[i])
    return join_tags(merged)


def _hunks(before: Sequence[str], after: Sequence[str]) -> list[_Hunk]:
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [_Hunk(a1, a2, tuple(after[b1:b2])) for what, a1, a2, b1, b2 in codes if what != "equal"]


def _clash(a: _Hunk, b: _Hunk) -> bool:
    """Whether both change the same tag, and not by the same removal or into the same."""
    return max(a.start, b.start) < min(a.end, b.end) and (bool(a.tags) or bool(b.tags)) and a != b


def _moved(base: Sequence[str], mine: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a tag that one side removed or moved was put somewhere by the other: then nobody knows its place."""

    def changes(after: Sequence[str]) -> tuple[set[str], set[str]]:
        hunks = _hunks(base, after)
        removed = {tag for hunk in hunks for tag in base[hunk.start : hunk.end]}
        return removed, {tag for hunk in hunks for tag in hunk.tags}

    (mine_gone, mine_new), (other_gone, other_new) = changes(mine), changes(other)
    # Tags that stand several times have no place of their own.
    twice = {tag for tags in (base, mine, other) for tag, count in Counter(tags).items() if count > 1}
    touched = mine_gone | mine_new | other_gone | other_new
    return bool(mine_gone & other_new or other_gone & mine_new or twice & touched)


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends; a lone CR ends a line too."""
    ends = [match.end() for match in _LINE_END.finditer(data)]
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def _between_characters(data: bytes, at: int) -> bool:
    return at == len(data) or data[at] & 0xC0 != 0x80
