"""Who is alive, and whose turn it is: locks that the kernel takes back from a process however it ends.

Both are `flock`s, so there is no heartbeat, no stale pid and nothing to clean up. A process that forks hands its
locks to the child; what the child `exec`s does not get them. Nothing here trains or waits for training.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import cache_folder
from loratui.lab.plain import plain

_PATIENCE = 1.0  # seconds; someone who only looks whether the lock is held holds it for a moment


class RunLock:
    """Held by the worker of a run for as long as it lives. `with RunLock(run.lock_file): …`

    LabError when another process has it. The pid inside is for people: only the lock itself says who is alive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def acquire(self) -> None:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(file, self.path):
            if time.monotonic() > deadline:
                holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
                os.close(file)
                raise LabError(
                    f"{self.path}: another worker has this run"
                    + (f" (process {plain(holder)})" if holder else "")
                    + "; watch it, or ask it to stop, instead of starting it again"
                )
            time.sleep(0.02)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock. The file need not exist, and is not made."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(file, path, fcntl.LOCK_SH)
    finally:
        os.close(file)


@contextlib.contextmanager
def device_turn(
    device: str,
    ticket_dir: Path | None = None,
    on_wait: Callable[[int, str], None] | None = None,
    *,
    label: str = "",
    should_stop: Callable[[], bool] | None = None,
    poll: float = 0.2,
) -> Iterator[bool]:
    """Wait for `device` in ticket order and hold it: yields True when it is ours, False when `should_stop()` said so.

    The lowest ticket whose owner lives has the device; a ticket is a file that its owner keeps locked, so that of a
    dead process counts for nothing. `on_wait(ahead, label)` is called whenever the number of workers ahead changes,
    with the label of the one that has the device. `poll` is in seconds.
    """
    folder = ticket_dir if ticket_dir is not None else queue_folder(device)
    folder.mkdir(parents=True, exist_ok=True)
    number, ticket = _draw(folder, label or f"process {os.getpid()}")
    try:
        shown: tuple[int, str] | None = None
        mine = False
        while True:
            ahead, holder = _ahead(folder, number)
            mine = not ahead
            if mine or (should_stop is not None and should_stop()):
                break
            if on_wait is not None and (ahead, holder) != shown:
                shown = (ahead, holder)
                on_wait(ahead, holder)
            time.sleep(poll)
        yield mine
    finally:
        with _mutex(folder):
            (folder / _ticket_name(number)).unlink(missing_ok=True)
            os.close(ticket)


def queue_folder(device: str) -> Path:
    """Where the tickets for a device are: a queue for each machine, since several may share a home folder."""
    parts = [re.sub(r"[^\w.-]+", "-", part).strip(".") or "unnamed" for part in (platform.node(), device)]
    return cache_folder() / "queue" / parts[0] / parts[1]


def device_name(device: str = "auto") -> str:
    """The name to queue under, without torch: "auto" and "cuda" become cuda:N, mps or cpu by what the machine shows."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    numbers = [part.strip() for part in visible.split(",")] if visible is not None else []
    if device == "auto":
        if platform.system() == "Darwin":
            return "mps" if platform.machine() == "arm64" else "cpu"
        nodes = any(Path("/dev").glob("nvidia[0-9]*")) or any(Path(p).exists() for p in ("/dev/kfd", "/dev/dxg"))
        if not nodes or (numbers and numbers[0] in ("", "-1")):
            return "cpu"
        device = "cuda"
    name, _, index = device.partition(":")
    if name != "cuda":
        return device
    position = int(index) if index.isdecimal() else 0
    # cuda:0 means the first of the devices that this process may see.
    return f"cuda:{numbers[position] if position < len(numbers) else position}"


def _try_lock(file: int, path: Path, how: int = fcntl.LOCK_EX) -> bool:
    try:
        _flock(file, path, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flock(file: int, path: Path, how: int) -> None:
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise LabError(
                f"{path}: this file system has no file locks ({error.strerror}); keep runs and the cache "
                "(LORATUI_CACHE) on a local disk"
            ) from error
        raise


@contextlib.contextmanager
def _mutex(folder: Path) -> Iterator[None]:
    """Tickets are drawn and looked at by one process at a time; it takes microseconds."""
    path = folder / "lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _flock(file, path, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _ticket_name(number: int) -> str:
    return f"ticket-{number:08d}"


def _tickets(folder: Path) -> list[tuple[int, Path]]:
    found = [(int(p.name[7:]), p) for p in folder.glob("ticket-*") if p.name[7:].isdecimal()]
    return sorted(found)


def _draw(folder: Path, label: str) -> tuple[int, int]:
    with _mutex(folder):
        number = max((n for n, _ in _tickets(folder)), default=0) + 1
        path = folder / _ticket_name(number)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        _try_lock(file, path)
        os.write(file, label.encode("utf-8", "replace"))
        return number, file


def _ahead(folder: Path, number: int) -> tuple[int, str]:
    """How many live tickets are lower than `number`, and the label of the lowest. Dead ones are removed."""
    count, holder = 0, ""
    with _mutex(folder):
        for other, path in _tickets(folder):
            if other >= number:
                break
            if is_locked(path):
                holder = holder or path.read_text(encoding="utf-8", errors="replace")
                count += 1
            else:
                path.unlink(missing_ok=True)
    return count, holder
