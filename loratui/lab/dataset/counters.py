"""Randomness from counters: every draw is a pure function of (seed, stream, step, slot), never of earlier draws.

Each purpose has its own stream, so switching one on moves nothing in the others. Only raw Philox output is used:
numpy promises those bits for ever, while the methods of Generator may change between versions. Nothing is kept, so
nothing has to be saved to resume.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WORD = 2**64 - 1


class Stream(IntEnum):
    """One number a purpose. Never renumber: a number is part of what a seed means."""

    ORDER_IN_BUCKET = 1
    ORDER_OF_BATCHES = 2
    TAG_SHUFFLE = 3
    CAPTION_DROPOUT = 4
    FLIP = 5


def bits(seed: int, stream: Stream, step: int, slot: int = 0, count: int = 1) -> npt.NDArray[np.uint64]:
    """`count` random 64-bit words: Philox4x64-10 with key (seed, stream) and counter (0.., slot, step, 0)."""
    import numpy as np

    key = np.array([seed & _WORD, int(stream)], dtype=np.uint64)
    counter = np.array([0, slot, step, 0], dtype=np.uint64)  # the first word counts the blocks drawn
    drawn: Any = np.random.Philox(key=key, counter=counter).random_raw(count)
    return np.asarray(drawn, dtype=np.uint64)


def uniform(seed: int, stream: Stream, step: int, slot: int = 0) -> float:
    """One number in [0, 1)."""
    return (int(bits(seed, stream, step, slot)[0]) >> 11) * 2.0**-53


def permutation(length: int, seed: int, stream: Stream, step: int, slot: int = 0) -> npt.NDArray[np.int64]:
    """The numbers below `length` in a random order: the order that sorts `length` random words."""
    import numpy as np

    return np.argsort(bits(seed, stream, step, slot, length), kind="stable")
