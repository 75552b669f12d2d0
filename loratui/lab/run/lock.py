"""Who is alive, and whose turn it is: locks that the kernel takes back from a process however it ends.

Both are `flock`s, so there is no heartbeat, no stale pid and nothing to clean up. A process that forks hands its
locks to the child; what the child `exec`s does not get them. Nothing here trains or waits for training. What waits
is listed and moved in `queue`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import cache_folder, open_file, read_text
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
        try:
            file = open_file(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise LabError(f"{error.filename or self.path}: cannot be opened: {error.strerror}") from error
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
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:  # of a full disk
            os.close(file)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
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
        file = open_file(path)
    except OSError:
        return False
    try:
        return not _try_lock(file, path, fcntl.LOCK_SH)
    finally:
        os.close(file)


def holder(path: Path) -> int | None:
    """The pid of the live process that holds the lock, where that can be made sure of; None where it cannot.

    The pid in the file is believed only if that process has the very file open (or, without /proc, is a loratui): it
    may be of a process that is long gone, or of another machine that shares the folder.
    """
    if not is_locked(path):
        return None
    try:
        said = read_text(path, 64).strip()
        pid = int(said) if said.isdecimal() else 0
        if pid <= 0:
            return None
        if not Path("/proc/self/fd").is_dir():
            return pid if "loratui" in _command_line(pid) else None
        file = path.stat()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # one that it closed meanwhile
                if os.path.samestat(link.stat(), file):
                    return pid
    except (OSError, ValueError):  # it is gone, or belongs to someone else
        pass
    return None


def _command_line(pid: int) -> str:
    import subprocess

    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Slip:
    """What stands in the ticket of a waiting process. `run` is the folder of its run, where it has one."""

    label: str
    device: str = ""
    pid: int = 0
    run: str = ""


@contextlib.contextmanager
def device_turn(
    device: str,
    ticket_dir: Path | None = None,
    on_wait: Callable[[int, str], None] | None = None,
    *,
    label: str = "",
    run: Path | None = None,
    should_stop: Callable[[], bool] | None = None,
    poll: float = 0.2,
) -> Iterator[bool]:
    """Wait for `device` in ticket order and hold it: yields True when it is ours, False when `should_stop()` said so.

    The lowest ticket whose owner lives has the device; a ticket is a file that its owner keeps locked, so that of a
    dead process counts for nothing. Others may give waiting tickets new numbers meanwhile: an owner knows its ticket
    by the open file. `on_wait(ahead, label)` is called whenever the number of workers ahead changes, with the label of
    the one that has the device. `label` and `run` tell others who waits. `poll` is in seconds.
    """
    folder = ticket_dir if ticket_dir is not None else queue_folder(device)
    folder.mkdir(parents=True, exist_ok=True)
    slip = Slip(label or f"process {os.getpid()}", device, os.getpid(), str(run) if run else "")
    ticket = _draw(folder, slip)
    try:
        shown: tuple[int, str] | None = None
        mine = False
        while True:
            found = _ahead(folder, ticket)
            if found is None:  # someone cleared the folder: wait at the end of what there is now
                os.close(ticket)
                folder.mkdir(parents=True, exist_ok=True)
                ticket = _draw(folder, slip)
                continue
            mine = not found[0]
            if mine or (should_stop is not None and should_stop()):
                break
            if on_wait is not None and found != shown:
                shown = found
                on_wait(*found)
            time.sleep(poll)
        yield mine
    finally:
        _give_back(folder, ticket)


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
def mutex(folder: Path) -> Iterator[None]:
    """Tickets are drawn, looked at and moved by one process at a time; it takes microseconds."""
    path = folder / "lock"
    file = open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        _flock(file, path, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """All tickets with their numbers, in order, those of dead processes too. Only inside `mutex`."""
    found = [(int(p.name[7:]), p) for p in folder.glob("ticket-*") if p.name[7:].isdecimal()]
    return sorted(found)


def ticket_path(folder: Path, number: int) -> Path:
    """Where the ticket of that number is."""
    return folder / f"ticket-{number:08d}"


def read_slip(path: Path) -> Slip:
    """What stands in a ticket; whatever else someone wrote there is its label."""
    text = path.read_text(encoding="utf-8", errors="replace")
    with contextlib.suppress(ValueError, LookupError, RecursionError, TypeError, AttributeError):
        said = json.loads(text)
        return Slip(str(said["label"]), str(said.get("device", "")), int(said.get("pid", 0)), str(said.get("run", "")))
    return Slip(text)


def _draw(folder: Path, slip: Slip) -> int:
    with mutex(folder):
        number = max((n for n, _ in numbered(folder)), default=0) + 1
        path = ticket_path(folder, number)
        file = open_file(path, os.O_RDWR | os.O_CREAT)
        _try_lock(file, path)
        os.write(file, json.dumps(asdict(slip)).encode("ascii"))
        return file


def _ahead(folder: Path, ticket: int) -> tuple[int, str] | None:
    """How many live tickets are before ours, and the label of the first. None when ours is gone.

    Those of dead processes are removed.
    """
    count, first = 0, ""
    if not folder.is_dir():
        return None
    with mutex(folder):
        for _, path in numbered(folder):
            if _is_file(path, ticket):
                return count, first
            if is_locked(path):
                first = first or read_slip(path).label
                count += 1
            else:
                path.unlink(missing_ok=True)
    return None


def _give_back(folder: Path, ticket: int) -> None:
    try:
        if folder.is_dir():
            with mutex(folder):
                for _, path in numbered(folder):
                    if _is_file(path, ticket):
                        path.unlink()
    finally:
        os.close(ticket)


def _is_file(path: Path, file: int) -> bool:
    return os.path.samestat(path.stat(), os.fstat(file))
