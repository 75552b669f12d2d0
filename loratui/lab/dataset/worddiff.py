"""Which words of two captions differ, so that a person sees a change at a glance. Pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORDS = re.compile(r"\s+|,|[^\s,]+")
_MOST = 2000  # words; longer texts are compared as a whole

Part = tuple[str, bool]  # text, and whether it differs


def word_diff(before: str, after: str) -> tuple[list[Part], list[Part]]:
    """Both texts cut into parts that are the same in the other one and parts that are not."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old), len(new)) > _MOST:
        return [(before, True)], [(after, True)]
    left: list[Part] = []
    right: list[Part] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        differs = kind != "equal"
        if a < b:
            left.append(("".join(old[a:b]), differs))
        if c < d:
            right.append(("".join(new[c:d]), differs))
    return left, right
