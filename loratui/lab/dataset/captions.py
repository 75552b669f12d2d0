"""Tags: what a caption is made of, how a person's edits change it, and which words each step trains on.

All pure functions. What a step sees depends on (seed, step, slot) alone, not on what was drawn before, so a resumed
run reads the same captions. No files are read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from loratui.lab.dataset.counters import Stream, permutation, uniform

if TYPE_CHECKING:
    from loratui.lab.project.settings import Dataset

JOIN = ", "


def split_tags(caption: str) -> list[str]:
    """The tags between the commas, stripped; empty ones are dropped."""
    return [tag for part in caption.split(",") if (tag := part.strip())]


def join_tags(tags: Sequence[str]) -> str:
    return JOIN.join(tags)


def edit_tags(
    caption: str, replace: Mapping[str, str] | None = None, drop: Sequence[str] = (), add: Sequence[str] = ()
) -> str:
    """The caption with whole tags replaced, then dropped, then added at the end; verbatim when nothing applies.

    Tags are compared exactly. A replacement may hold commas (one tag becomes several); an added tag that is there
    already is not added twice.
    """
    before = split_tags(caption)
    after = [tag for old in before for tag in split_tags((replace or {}).get(old, old)) if tag not in drop]
    for tag in add:
        if tag not in after:
            after.append(tag)
    return caption if after == before else join_tags(after)


def shuffled(caption: str, keep: int, seed: int, step: int, slot: int) -> str:
    """The tags after the first `keep` in a random order; verbatim when there are fewer than two of them."""
    tags = split_tags(caption)
    fixed, rest = tags[:keep], tags[keep:]
    if len(rest) < 2:
        return caption
    order = permutation(len(rest), seed, Stream.TAG_SHUFFLE, step, slot)
    return join_tags([*fixed, *(rest[i] for i in order)])


def caption_at(caption: str, dataset: Dataset, seed: int, step: int, slot: int) -> str:
    """The caption the `slot`-th image of `step` (0-based) is trained with.

    In the order of sd-scripts: first the whole caption is dropped ("") with probability `caption_dropout`, then the
    tags are shuffled. Without either it is the caption verbatim.
    """
    if dataset.caption_dropout > 0 and uniform(seed, Stream.CAPTION_DROPOUT, step, slot) < dataset.caption_dropout:
        return ""
    if dataset.shuffle_tags:
        return shuffled(caption, dataset.keep_tags, seed, step, slot)
    return caption
