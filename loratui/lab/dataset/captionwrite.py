"""Many small files replaced as nearly at once as a disk allows.

First everything is written under temporary names and put on disk: a full disk or a cancelled edit ends here, with
nothing changed. Then every name is moved into place, but never over a file that changed meanwhile. Nothing here knows
what the files mean.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.files import fsync_folder
from loratui.lab.patience import Cancelled, Progress, quiet

Signature = tuple[int, int, int]  # (mtime in ns, bytes, inode): what shows that another program wrote a file
_PREFIX, _SUFFIX = ".loratui-", ".part"
_ALONE = 16  # files up to which threads do not pay


@dataclass(frozen=True)
class Write:
    """A file to be written (or removed, with `data` None). `seen` is how it was when it was read, None: not there."""

    path: Path
    data: bytes | None
    seen: Signature | None


@dataclass(frozen=True)
class Written:
    """What became of the writes: paths that are done, with how they are now; those that met a file which changed
    meanwhile; and the error that ended the rest.
    """

    done: dict[Path, Signature | None]
    stale: tuple[Path, ...]
    error: OSError | None


def signed(status: os.stat_result) -> Signature:
    return status.st_mtime_ns, status.st_size, status.st_ino


def signature(path: Path | str) -> Signature | None:
    """What tells one version of a file from another; None when it is not there. Links count as what they lead to."""
    try:
        return signed(os.stat(path))  # noqa: PTH116  # a Path for each of 10,000 takes longer than the look itself
    except OSError:
        return None


def write_all(writes: Sequence[Write], progress: Progress = quiet) -> Written:
    """Do them in order. Raises OSError, or what progress raises, only as long as nothing has changed.

    Progress counts every file twice: as it is prepared, and as it is moved into place, which is not ended any more.
    """
    parts = [write.path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}") for write in writes]
    try:
        signatures: list[Signature | None] = []
        for made in _prepared(list(zip(writes, parts, strict=True))):
            signatures.append(made)
            progress(len(signatures), 2 * len(writes))
        return _moved(writes, parts, signatures, progress)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a writer that was killed left in `folder`. Call it only while nobody else writes there."""
    with os.scandir(folder) as found:
        left = [entry.name for entry in found if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)]
    for name in left:
        (folder / name).unlink(missing_ok=True)


def _prepared(pairs: Sequence[tuple[Write, Path]]) -> Iterator[Signature | None]:
    if len(pairs) <= _ALONE:
        yield from map(_prepare, pairs)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:  # a disk syncs many files in the time of one
        for at in range(0, len(pairs), 256):  # in portions, so that cancelling need not wait for all
            yield from pool.map(_prepare, pairs[at : at + 256])


def _prepare(pair: tuple[Write, Path]) -> Signature | None:
    write, part = pair
    if write.data is None:
        return None
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(file, "wb") as stream:
            stream.write(write.data)
            stream.flush()
            with contextlib.suppress(FileNotFoundError):  # a new file, or one that is found to be stale
                os.fchmod(file, write.path.stat().st_mode & 0o7777)
            os.fsync(file)
            return signed(os.fstat(file))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(write.path)) from error


def _moved(
    writes: Sequence[Write], parts: Sequence[Path], signatures: Sequence[Signature | None], progress: Progress
) -> Written:
    done: dict[Path, Signature | None] = {}
    stale: list[Path] = []
    failure: OSError | None = None
    for number, (write, part, made) in enumerate(zip(writes, parts, signatures, strict=True), start=1):
        try:
            progress(len(writes) + number, 2 * len(writes))
        except Cancelled:
            progress = quiet  # too late: half of an edit is worse than all of it
        if signature(write.path) != write.seen:
            stale.append(write.path)
            continue
        try:
            if made is None:
                write.path.unlink()
            else:
                part.replace(write.path)
        except OSError as error:
            failure = OSError(error.errno, error.strerror, str(write.path))
            break
        done[write.path] = made
    for folder in {path.parent for path in done}:
        fsync_folder(folder)
    return Written(done, tuple(stale), failure)
