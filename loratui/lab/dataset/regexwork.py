"""The work of regexguard.py, as a program that reads a question and writes the answer, both JSON.

It runs in a process of its own so that it can be ended, and imports nothing but the standard library.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Sequence


def substitute_all(
    pattern: re.Pattern[str], by: str, texts: Sequence[str], whole: bool, most: int
) -> list[tuple[str, int]]:
    """Each text with up to `most` finds replaced, and their number; with `whole`, only where all of a text fits."""
    if not whole:
        return [pattern.subn(by, text, count=most) for text in texts]
    matches = [pattern.fullmatch(text) for text in texts]
    return [(match.expand(by), 1) if match else (text, 0) for match, text in zip(matches, texts, strict=True)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    source, by, texts, whole, most = json.load(sys.stdin)
    json.dump(substitute_all(re.compile(source), by, texts, whole, most), sys.stdout)
