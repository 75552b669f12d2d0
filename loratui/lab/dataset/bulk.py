"""One change to many captions, shown before it is made: what each caption would become, and how often it applies.

All pure but for a regular expression that might take for ever, which is tried in a process of its own (regexguard.py).
Captions an operation does not apply to stay verbatim. Saving is done by captionstore.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from loratui.lab.dataset.captions import join_tags, split_tags
from loratui.lab.dataset.captiontext import unwanted
from loratui.lab.dataset.dataset import natural
from loratui.lab.dataset.regexguard import substitute
from loratui.lab.dataset.tagstats import frequencies
from loratui.lab.errors import LabError


class Captioned(Protocol):
    """What has a caption: an entry of the caption store."""

    @property
    def name(self) -> str: ...
    @property
    def caption(self) -> str: ...


@dataclass(frozen=True)
class Change:
    """What one caption would become."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Add:
    """Add a tag, or several with commas between, where it is not there yet; before tag number `position`, from 0."""

    tag: str
    position: int | Literal["start", "end"] = "end"


@dataclass(frozen=True)
class Remove:
    """Remove a whole tag, or several with commas between."""

    tag: str


@dataclass(frozen=True)
class Replace:
    """Replace text wherever it stands, or only where it is a whole tag; with `regex`, `by` may name groups."""

    find: str
    by: str
    regex: bool = False
    whole_tags: bool = False


@dataclass(frozen=True)
class Reorder:
    """Put tags in order: of the alphabet, most frequent first, or these tags first. The first `keep` stay in place."""

    by: Literal["alphabet", "frequency"] | tuple[str, ...] = "alphabet"
    keep: int = 0


@dataclass(frozen=True)
class Deduplicate:
    """Keep the first of tags that stand several times in a caption."""


Operation = Add | Remove | Replace | Reorder | Deduplicate


def preview(op: Operation, entries: Sequence[Captioned]) -> list[Change]:
    """Every caption that would change. LabError when the operation cannot be meant so."""
    return [
        Change(entry.name, entry.caption, after)
        for entry, (after, _) in zip(entries, _applied(op, [entry.caption for entry in entries]), strict=True)
        if after != entry.caption
    ]


def matches(op: Operation, entries: Sequence[Captioned]) -> int:
    """How many places in all these captions the operation applies to: tags, or finds of a text. LabError as above."""
    return sum(count for _, count in _applied(op, [entry.caption for entry in entries]))


def _applied(op: Operation, captions: list[str]) -> list[tuple[str, int]]:
    """What each caption becomes, and in how many places the operation applies."""
    if isinstance(op, Add):
        return _added(op, captions)
    if isinstance(op, Remove):
        return _removed(op, captions)
    if isinstance(op, Replace):
        return _replaced(op, captions)
    if isinstance(op, Reorder):
        return _reordered(op, captions)
    return _deduplicated(captions)


def _added(op: Add, captions: list[str]) -> list[tuple[str, int]]:
    tags = list(dict.fromkeys(_given(op.tag, "add")))
    results = []
    for caption in captions:
        old = split_tags(caption)
        new = [tag for tag in tags if tag not in old]
        at = len(old) if op.position == "end" else 0 if op.position == "start" else op.position
        results.append((_rejoined(caption, [*old[:at], *new, *old[at:]]), len(new)))
    return results


def _removed(op: Remove, captions: list[str]) -> list[tuple[str, int]]:
    tags = frozenset(_given(op.tag, "remove"))
    results = []
    for caption in captions:
        old = split_tags(caption)
        kept = [tag for tag in old if tag not in tags]
        results.append((_rejoined(caption, kept), len(old) - len(kept)))
    return results


def _replaced(op: Replace, captions: list[str]) -> list[tuple[str, int]]:
    if not op.find.strip() and (op.whole_tags or not op.find):
        raise LabError("nothing to find; write the text that is to be replaced")
    if not op.regex and (reason := unwanted(op.by)):
        raise LabError(f"the replacement holds {reason}")
    if op.whole_tags:
        return _tags_replaced(op, captions)
    if op.regex:
        made = substitute(op.find, op.by, captions)
    else:
        made = [(caption.replace(op.find, op.by), caption.count(op.find)) for caption in captions]
    return [(_tidied(caption, after), count) for caption, (after, count) in zip(captions, made, strict=True)]


def _tags_replaced(op: Replace, captions: list[str]) -> list[tuple[str, int]]:
    known = list(dict.fromkeys(tag for caption in captions for tag in split_tags(caption)))
    if op.regex:
        made = substitute(op.find, op.by, known, whole=True)
        become = {tag: after for tag, (after, count) in zip(known, made, strict=True) if count}
    else:
        become = {op.find.strip(): op.by}
    results = []
    for caption in captions:
        old = split_tags(caption)
        new = [part for tag in old for part in split_tags(become.get(tag, tag))]
        results.append((_rejoined(caption, new), sum(tag in become for tag in old)))
    return results


def _reordered(op: Reorder, captions: list[str]) -> list[tuple[str, int]]:
    key: Callable[[str], Any]
    if op.by == "alphabet":
        key = natural
    elif op.by == "frequency":
        counts = {count.tag: count.images for count in frequencies(captions)}
        key = lambda tag: -counts[tag]  # noqa: E731
    else:
        first = {tag: place for place, tag in enumerate(op.by)}
        key = lambda tag: first.get(tag, len(first))  # noqa: E731
    results = []
    for caption in captions:
        tags = split_tags(caption)
        after = _rejoined(caption, [*tags[: op.keep], *sorted(tags[op.keep :], key=key)])
        results.append((after, int(after != caption)))
    return results


def _deduplicated(captions: list[str]) -> list[tuple[str, int]]:
    results = []
    for caption in captions:
        tags = split_tags(caption)
        kept = list(dict.fromkeys(tags))
        results.append((_rejoined(caption, kept), len(tags) - len(kept)))
    return results


def _given(text: str, verb: str) -> list[str]:
    """The tags that a person named."""
    tags = split_tags(text)
    if not tags:
        raise LabError(f"no tag to {verb}; write one, or several with commas between")
    if reason := unwanted(text):
        raise LabError(f"the tag holds {reason}")
    return tags


def _rejoined(caption: str, tags: list[str]) -> str:
    """The caption of these tags; verbatim when they are the same."""
    return caption if tags == split_tags(caption) else join_tags(tags)


def _tidied(before: str, after: str) -> str:
    """Without the commas that have nothing between them any more."""

    def empty(caption: str) -> int:
        return sum(not part.strip() for part in caption.split(",")) if caption.strip() else 0

    if after == before:
        return before
    if "\n" in after or "\r" in after:
        raise LabError("the replacement puts a line break into a caption, which is one line; put a comma there")
    return join_tags(split_tags(after)) if empty(after) > empty(before) else after.strip()
