"""Commands of loratui as processes of their own group: started, watched, hit at a chosen moment, and never left over.

Most are forked from this process, which has imported the engine once: what runs is `loratui.cli.main` all the same,
without the five seconds of imports. `fresh` starts the interpreter anew, for what happens during start-up.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pkgutil
import resource
import select
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tests.campaign import bench

ROOT = Path(__file__).parent.parent.parent
MEMORY = 6 << 30  # bytes of address space beyond what the imports took
# Audit events of CPython that stand for a change on the disk; "open" counts when it may write.
_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink")
_PDEATHSIG = 1  # of prctl
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Place:
    """Where commands are given, with a home and a cache of their own."""

    folder: Path
    cache: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def surroundings(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")}
        return {
            **kept, "HOME": str(self.folder), "LORATUI_CACHE": str(self.cache), "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
            "LORATUI_CONFIG": str(self.folder / "config.toml"), "COLUMNS": "120", **self.environment,
        }  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """A command that is over. `code` is negative for a signal, as subprocess has it."""

    words: tuple[str, ...]
    code: int
    said: str  # both streams; bytes that are not UTF-8 as surrogates
    seconds: float
    hung: bool = False
    memory: int = 0  # most bytes it had resident

    @property
    def line(self) -> str:
        return "loratui " + shlex.join(self.words)  # or bench SCREEN PROJECT RUN …: the bench, opened there


class Child:
    """A command on its way."""

    def __init__(self, pid: int, words: Sequence[str], output: Path) -> None:
        self.pid, self.words, self.output = pid, tuple(words), output
        self.began = time.monotonic()
        self._descriptor = os.pidfd_open(pid)
        self._ended: Ended | None = None

    def over(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(select.select([self._descriptor], [], [], max(0.0, seconds))[0])

    def said(self) -> str:
        return self.output.read_bytes().decode("utf-8", "surrogateescape")

    def hit(self, number: int) -> None:
        """A signal to its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self, limit: float) -> Ended:
        """How it ended; killed, and `hung`, where it did not within `limit` seconds from its start."""
        if self._ended is None:
            hung = not self.over(self.began + limit - time.monotonic())
            seconds = time.monotonic() - self.began
            self.hit(signal.SIGKILL)  # also what it started and left behind
            _, status, used = os.wait4(self.pid, 0)
            os.close(self._descriptor)
            code = os.waitstatus_to_exitcode(status)
            self._ended = Ended(self.words, code, self.said(), seconds, hung, used.ru_maxrss << 10)
            self.output.unlink()
        return self._ended


class Counted:
    """Something done right before the n-th change a command makes to files below a folder. Repeats exactly."""

    def __init__(self, folder: Path, number: int, act: Callable[[], object]) -> None:
        self._below, self._number, self._act = f"{folder}/", number, act
        self.count = 0

    def arm(self) -> None:
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        changes = event in _CHANGES or (event == "open" and isinstance(given[2], int) and given[2] & _WRITES)
        if changes and isinstance(given[0], (str, os.PathLike)) and os.fspath(given[0]).startswith(self._below):
            self.count += 1
            if self.count == self._number:
                self._act()


def start(
    place: Place, words: Sequence[str], *, fresh: bool = False, memory: int | None = None, moment: Counted | None = None
) -> Child:
    """A command in a session of its own; `moment` goes only with one that is not `fresh`."""
    output = place.folder / f".said-{time.monotonic_ns()}"
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        child = Child(pid, words, output)
        while not output.exists():  # from then on it has a group, and there is something to read
            if child.over(0.0002) and not output.exists():
                raise RuntimeError(f"{words}: could not even be started")
        return child
    code = 1
    try:
        os.setsid()
        _settle(place, output, memory)
        if fresh:
            command = [sys.executable, "-m", "loratui", *words]
            os.execve(sys.executable, command, place.surroundings())
        if moment is not None:
            moment.arm()
        _main(words)
    except BaseException as error:
        code = _code_of(error)
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def call(place: Place, *words: str, limit: float = 60, fresh: bool = False, memory: int | None = MEMORY) -> Ended:
    """A command to its end."""
    return start(place, words, fresh=fresh, memory=memory).end(limit)


def apart(work: Callable[[], object], limit: float = 300) -> None:
    """Do `work` in a child, so that this process never has threads or tensors of its own. RuntimeError if it fails."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    descriptor = os.pidfd_open(pid)
    if not select.select([descriptor], [], [], limit)[0]:
        os.kill(pid, signal.SIGKILL)
    os.close(descriptor)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"{work} failed")


def warm() -> None:
    """Import all that a verb may need, so that forks have it. Call it once, before the first command."""
    import loratui.cli
    import loratui.engine
    import loratui.lab
    import loratui.tui

    names = ["loratui.console", "loratui.engine.families.sd1", *_rare()]
    for package in (loratui.cli, loratui.lab, loratui.engine, loratui.tui):
        names += [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # forks share these pages as long as nobody counts through them


def _rare() -> Iterator[str]:
    """What the engine imports only when it trains."""
    yield from ("rich.table", "rich.live", "PIL.PngImagePlugin", "tomlkit", "tomli_w", "scipy.stats", "scipy.ndimage")
    yield from ("accelerate.optimizer", "peft.tuners.lora", "transformers.models.clip.modeling_clip")
    yield from ("diffusers.models.unets.unet_2d_condition", "diffusers.models.autoencoders.autoencoder_kl")


def _settle(place: Place, output: Path, memory: int | None) -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, int(signal.SIGKILL))  # however we end, it does not stay behind
    part = output.with_suffix(".part")
    out = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.closerange(3, 256)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.chdir(place.folder)
    os.environ.clear()
    os.environ.update(place.surroundings())
    if memory is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        room = pages * os.sysconf("SC_PAGE_SIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)
    sys.argv = ["loratui"]
    part.rename(output)  # from here on it has a group of its own, and somewhere to speak


def _main(words: Sequence[str]) -> NoReturn:
    import tempfile

    tempfile.tempdir = None  # it was asked for before the fork
    if words[0] == bench.WORD:
        sys.exit(bench.look(list(words[1:])))
    from loratui.cli import main

    main(list(words))
    sys.exit(0)


def _code_of(error: BaseException) -> int:
    """What the interpreter would exit with, after it has said what it would say."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    with contextlib.suppress(BaseException):
        traceback.print_exception(error)
    return 1
