"""A curve in one row of text, for lists and headers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

_LEVELS = "▁▂▃▄▅▆▇█"


def trace(values: Iterable[float], width: int) -> str:
    """The finite values as at most `width` bars, each the mean of what it stands for; empty when there are none."""
    finite = [value for value in values if math.isfinite(value)]
    bars = min(width, len(finite))
    if bars <= 0:
        return ""
    edges = [index * len(finite) // bars for index in range(bars + 1)]
    means = [math.fsum(value / (end - start) for value in finite[start:end]) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    if not low < high:
        return _LEVELS[3] * bars
    scale = high / 2 - low / 2  # halves, so that the greatest floats do not overflow
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round((mean / 2 - low / 2) / scale * top)] for mean in means)
