"""How the bench keeps its memory small; without any of it, it works the same and takes a tenth more.

What is read is read in threads, in large pieces that are soon dropped; the C library would keep those for later, for
each thread anew. Here it is told to give them back. Where the library is another than glibc, nothing is done.
"""

from __future__ import annotations

import gc
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # of mallopt(3)
_PIECE = 1 << 16  # bytes from which a piece of memory has pages of its own


def start_quickly() -> None:
    """Have nothing looked at for garbage: up to the first paint there is hardly any. `settle` ends that."""
    gc.disable()


def settle() -> None:
    """After the first paint: what is there now stays, and is not looked at again whenever garbage is collected."""
    if gc.isenabled():
        return  # in a test, say, which has a process of its own to mind
    gc.collect()
    gc.freeze()
    gc.enable()
    _give_back()


def _give_back() -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    try:
        library = ctypes.CDLL(None)
        for name, value in (
            (_ARENA_MAX, 2), (_MMAP_THRESHOLD, _PIECE), (_TRIM_THRESHOLD, _PIECE), (_TOP_PAD, _PIECE),
        ):  # fmt: skip
            library.mallopt(name, value)
        library.malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        return
