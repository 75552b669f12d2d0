"""Numbers by step, many of them in little memory: what a chart draws from.

A track keeps one or more fields as 32-bit floats (seven digits: more than any screen shows) in the order of steps, and
knows the least and greatest value of each block of points, so that a million points reduce to the columns of a
terminal in a few milliseconds. It reads no file and knows nothing of runs; one thread at a time may use it.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import lt

BLOCK = 64
STEP_MAX = 2**31 - 1

Extremes = tuple[float, float]  # least and greatest


class Track:
    """The values of some fields at the steps that have any. A step is there once: said again, it is replaced."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.steps = array("i")
        self.values = {field: array("f") for field in fields}
        self._lows = {field: array("f") for field in fields}
        self._highs = {field: array("f") for field in fields}

    def __len__(self) -> int:
        return len(self.steps)

    def extend(self, steps: Iterable[int], columns: Iterable[Iterable[float]]) -> None:
        """Take in points, one column of values for each field. OverflowError for a step beyond STEP_MAX."""
        new = array("i", steps)
        values = [array("f", column) for column in columns]
        if not new:
            return
        in_order = all(map(lt, new, islice(new, 1, None))) and (not self.steps or self.steps[-1] < new[0])
        if in_order:
            self.steps.extend(new)
            for own, column in zip(self.values.values(), values, strict=True):
                own.extend(column)
            return
        for index, step in enumerate(new):
            self._put(step, [column[index] for column in values])

    def _put(self, step: int, values: Sequence[float]) -> None:
        place = bisect_left(self.steps, step)
        there = place < len(self.steps) and self.steps[place] == step
        if not there:
            self.steps.insert(place, step)
        for own, value in zip(self.values.values(), values, strict=True):
            if there:
                own[place] = value
            else:
                own.insert(place, value)
        self._forget_blocks(place)

    def cut(self, step: int) -> None:
        """Forget every point after `step`."""
        place = bisect_right(self.steps, step)
        del self.steps[place:]
        for own in self.values.values():
            del own[place:]
        self._forget_blocks(place)

    def _forget_blocks(self, place: int) -> None:
        for blocks in (*self._lows.values(), *self._highs.values()):
            del blocks[place // BLOCK :]

    def places(self, first: float, last: float) -> tuple[int, int]:
        """The points from step `first` to step `last`, as a half-open range of indexes."""
        return bisect_left(self.steps, first), bisect_right(self.steps, last)

    def nearest(self, step: float) -> int | None:
        """The index of the point nearest to a step; of two alike the earlier. None when there are no points."""
        if not self.steps:
            return None
        place = bisect_left(self.steps, step)
        near = [index for index in (place - 1, place) if 0 <= index < len(self.steps)]
        return min(near, key=lambda index: abs(self.steps[index] - step))

    def extremes(self, field: str, start: int, end: int) -> Extremes | None:
        """The least and greatest finite value of the points `start` to `end` (excluded). None where none is finite."""
        values = self.values[field]
        first, last = -(-start // BLOCK), end // BLOCK
        if first >= last:
            return _extremes(values[start:end])
        self.summarise(field)
        lows, highs = self._lows[field][first:last], self._highs[field][first:last]
        parts = [_extremes(values[start : first * BLOCK]), _extremes(values[last * BLOCK : end])]
        parts += [(min(lows), max(highs))] if lows else []
        found = [part for part in parts if part is not None and part[0] <= part[1]]
        return (min(low for low, _ in found), max(high for _, high in found)) if found else None

    def summarise(self, field: str) -> None:
        """Bring the blocks of a field up to date; done when needed, or earlier by whoever has time for it."""
        values, lows, highs = self.values[field], self._lows[field], self._highs[field]
        for block in range(len(lows), len(values) // BLOCK):
            found = _extremes(values[block * BLOCK : (block + 1) * BLOCK])
            # A block with nothing finite has its least above its greatest, and so never counts.
            lows.append(found[0] if found else math.inf)
            highs.append(found[1] if found else -math.inf)

    def last_finite(self, field: str, start: int, end: int) -> float | None:
        """The latest finite value of the points `start` to `end` (excluded), or None."""
        values = self.values[field]
        for index in range(end - 1, start - 1, -1):
            if math.isfinite(values[index]):
                return values[index]
        return None


def _extremes(values: Sequence[float]) -> Extremes | None:
    if not values:
        return None
    if not math.isfinite(sum(values)):  # one of them is not finite, or all together are too great
        values = [value for value in values if math.isfinite(value)]
        if not values:
            return None
    return min(values), max(values)
