"""Writing files so that a power cut, a full disk or a kill never leaves half of one, and where the cache lives.

Nothing here knows what the files mean.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A hidden temporary name beside `path` to write to; on leaving it becomes `path`, whole and on disk.

    When the block raises, the temporary file is removed and an old `path` is as it was. A symbolic link stays a link:
    what it points at is replaced. OSError names `path`, not the temporary file.
    """
    target = path.resolve()
    part = _part_name(target)
    try:
        try:
            part.touch(exist_ok=False)
            mode = (target if target.exists() else part).stat().st_mode & 0o777
            yield part
            _fsync(part)
            part.chmod(mode)  # some writers make files that only their owner can read
            part.replace(target)
            fsync_folder(target.parent)
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace the content of `path` (text as UTF-8) in one move. The folder must exist."""
    content = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path) as part:
        part.write_bytes(content)


def append_line(path: Path, line: str) -> None:
    """Add one line in a single write, so that lines of several writers never mix. A missing newline is added."""
    content = line.encode("utf-8") if line.endswith("\n") else f"{line}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        append_whole(descriptor, content, path)
    finally:
        os.close(descriptor)


def append_whole(descriptor: int, content: bytes, path: Path) -> None:
    """One write or an OSError that names `path`; a disk that took only a part of the line is full."""
    try:
        written = os.write(descriptor, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if written != len(content):
        raise OSError(errno.ENOSPC, "no space left for the whole line", str(path))


def sha256_file(path: Path) -> str:
    """Hex digest of the file's bytes; constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """LORATUI_CACHE, else XDG_CACHE_HOME/loratui, else ~/.cache/loratui. It may not exist yet."""
    own = os.environ.get("LORATUI_CACHE", "")
    if own:
        return Path(own).expanduser().absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules: a relative path is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "loratui"


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` last. Some network file systems cannot, and that is no reason to fail."""
    with contextlib.suppress(OSError):
        _fsync(folder)


def remove_parts(folder: Path) -> None:
    """Remove what writers that were killed left behind in `folder`. Call it only where no other writer can be."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        if part.is_file():
            part.unlink(missing_ok=True)


def _part_name(target: Path) -> Path:
    # The name is cut so that the longest legal file name still leaves room for the random part.
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}{PART_SUFFIX}")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
