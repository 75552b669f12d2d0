"""Which tags the captions have, how often, and which of them come together. Counts only; nothing is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loratui.lab.dataset.captions import split_tags


@dataclass(frozen=True)
class TagCount:
    """A tag and the number of images that have it, however often it stands in a caption."""

    tag: str
    images: int


def frequencies(captions: Iterable[str]) -> list[TagCount]:
    """All tags, most frequent first, then in alphabetical order. Tags are compared exactly."""
    return _ranked(Counter(tag for caption in captions for tag in dict.fromkeys(split_tags(caption))))


def together(captions: Iterable[str], tag: str) -> list[TagCount]:
    """The other tags of the images that have `tag`, by the number of images that have both."""
    counts: Counter[str] = Counter()
    for caption in captions:
        tags = dict.fromkeys(split_tags(caption))
        if tag in tags:
            counts.update(other for other in tags if other != tag)
    return _ranked(counts)


def _ranked(counts: Counter[str]) -> list[TagCount]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0].casefold(), item[0]))
    return [TagCount(tag, images) for tag, images in ranked]
