"""Writing files so that a power cut, a full disk or a kill never leaves half of one, and where the cache lives.

Reading is bounded and never waits: what is no regular file, or larger than anything we write, is an OSError that says
so. A run folder, and the folder .loratui of a project, are ours alone, and may have been made by a stranger: below
them no symbolic link is followed, since what it points at would be written to. The person's own files (images,
captions, project.toml, exports) may be links, and so may a run, or `runs`, as a whole. What files mean is not known
here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"
RECORD = "run.toml"  # a folder that holds it is a run's
HIDDEN = ".loratui"
MOST_BYTES = 64 << 20  # of a file that is read as a whole; the largest, the captions of 100,000 images, have half of it
_WRITER = re.compile(r"\.([0-9a-f]{6})-(\d{1,10})-[0-9a-f]{8}\.part$")
_DAY = 86400.0
_DEPTH = 4  # folders of a run that lie in each other, and one more
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
          stat.S_IFBLK: "a device"}  # fmt: skip


def refuse_links(path: Path) -> bool:
    """Whether `path` lies below a folder that is ours alone. OSError where it, or a folder on the way, is a link."""
    way = [str(path.absolute())]
    inside = 0  # how many of `way` lie in the outermost such folder: a link inside a run may point at another run
    for _ in range(_DEPTH):
        folder, _, name = way[-1].rpartition("/")
        if name == HIDDEN:
            inside = len(way)
        way.append(folder or "/")
        if os.path.lexists(f"{folder}/{RECORD}"):
            inside = len(way) - 1
    for one in reversed(way[:inside]):
        if Path(one).is_symlink():
            remedy = "which is not followed here; put what it points at in its place"
            raise OSError(errno.ELOOP, f"a symbolic link, {remedy}", one)
    return inside > 0


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file, which `flags` may create; below what is ours, links are refused.

    OSError, at once, for a folder, a FIFO or a device: nothing waits for what may never come.
    """
    ours = refuse_links(path)
    with contextlib.suppress(FileNotFoundError):
        _refuse_odd(path, path.stat())  # before it is opened: a device may do something on that alone
    extra = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if ours else 0)
    descriptor = os.open(path, flags | extra, 0o666)
    try:
        _refuse_odd(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_odd(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"{kind} and no regular file", str(path))


def open_binary(path: Path) -> io.BufferedReader:
    """A regular file to read bytes from, as `open_file` gives it."""
    return os.fdopen(open_file(path), "rb")


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file. OSError for one of more than `most` bytes, and as `open_file` has it."""
    with open_binary(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB; it is none of ours", str(path))
    return content


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """The same as UTF-8 text. ValueError when it is not."""
    return read_file(path, most).decode("utf-8")


def make_folder(path: Path) -> None:
    """The folder and those above it, where they are not there yet. OSError where a link stands in the way."""
    refuse_links(path)
    path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A hidden temporary name beside `path` to write to; on leaving it becomes `path`, whole and on disk.

    When the block raises, the temporary file is removed and an old `path` is as it was. A symbolic link stays a link,
    and what it points at is replaced; below what is ours it is refused. OSError names `path`, not the temporary file.
    """
    target = path if refuse_links(path) else path.resolve()
    part = _part_name(target)
    try:
        try:
            if target.exists():
                _refuse_odd(path, target.stat())
            part.touch(exist_ok=False)
            mode = (target if target.exists() else part).stat().st_mode & 0o777
            yield part
            _fsync(part)
            part.chmod(mode)  # some writers make files that only their owner can read
            part.replace(target)
            fsync_folder(target.parent)
        except OSError as error:
            if error.errno is None or error.filename not in (None, str(part)):
                raise
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # a read-only file system says so even of what is not there
            part.unlink()


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace the content of `path` (text as UTF-8) in one move. The folder must exist."""
    content = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path) as part:
        part.write_bytes(content)


def append_line(path: Path, line: str) -> None:
    """Add one line in a single write, so that lines of several writers never mix. A missing newline is added."""
    content = line.encode("utf-8") if line.endswith("\n") else f"{line}\n".encode()
    descriptor = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
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
    """Hex digest of a regular file's bytes; constant memory."""
    with open_binary(path) as file:
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
    """Remove what writers that were killed left behind in `folder`; what a live one is writing stays."""
    refuse_links(folder)
    for part in folder.glob(f".*{PART_SUFFIX}"):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(part.lstat().st_mode) and not _may_be_written(part):
                part.unlink()


def _may_be_written(part: Path) -> bool:
    """Whether the process that the name tells of may live: it does here, or it is another machine's, for a day."""
    found = _WRITER.search(part.name)
    if found is None:
        return False  # an earlier version's, of which none runs any more
    if found[1] != _machine():
        return time.time() - part.lstat().st_mtime < _DAY
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # of somebody else
        return True
    return True


def _machine() -> str:
    return hashlib.sha256(platform.node().encode("utf-8", "replace")).hexdigest()[:6]


def _part_name(target: Path) -> Path:
    # The name is cut so that the longest legal file name still leaves room for who writes it, and something random.
    return target.with_name(f".{target.name[:40]}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{PART_SUFFIX}")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
