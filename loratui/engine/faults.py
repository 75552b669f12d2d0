"""What goes wrong in training, and what a person can do about it."""

from __future__ import annotations

import errno

from loratui.lab.errors import LabError


class NotFiniteError(ArithmeticError):
    """A loss that is not a number any more: the weights behind it are of no use."""


def explain(error: Exception, saved: bool = True) -> str:
    """What went wrong, and what a person can do about it. `saved`: whether there is a state to go on from."""
    text = str(error)
    if isinstance(error, LabError | NotFiniteError):
        return text
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "the run folder"
        kept = "its last saved state is whole" if saved else "nothing was saved yet, and it begins anew"
        return f"{where}: no space left on the disk; free some and resume the run: {kept}"
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: it is gone; was its folder moved or deleted meanwhile? Put it back, or resume there"
    if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EINVAL, errno.EFBIG) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; make it writable (LORATUI_CACHE moves the cache elsewhere)"
    if out_of_memory(error):
        return (
            f"out of memory: {text.splitlines()[0]}; lower train.batch_size, dataset.resolution or sample.batch_size, "
            'set train.gradient_checkpointing = true, or train.precision = "bf16"'
        )
    return f"{type(error).__name__}: {text}"


def out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine ran out of memory; torch says it in several ways."""
    if isinstance(error, MemoryError):
        return True
    words = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
