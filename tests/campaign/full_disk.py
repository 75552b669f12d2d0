"""The run's folder on a file system of some kilobytes, until it is full; then room is made, and the run goes on.

The file system is mounted in a namespace of the try's own process, so that it ends with that process however it ends.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import re
import select
import signal
import sys
from pathlib import Path

from tests.campaign import children
from tests.campaign.judges import of_words
from tests.campaign.sittings import LIMIT, to_the_end, words_of
from tests.campaign.tries import Campaign, NotPossibleError, Try

SPEAKS_OF_SPACE = re.compile(r"no space left|No space left|not enough (space|room)|disk is full")
_NEWNS, _NEWUSER, _PRIVATE, _REMOUNT = 0x20000, 0x10000000, (1 << 18) | (1 << 14), 32
_PATIENCE = 3 * LIMIT


def attempt(one: Try) -> None:
    one.ground.reset("bare")
    (one.ground.project / "runs").mkdir()
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(reader)
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # it ends with us, and what it started ends with it
        outcome: object = None
        try:
            _inside(one)
            outcome = (one.told, one.lost, _copied_out(one))
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}" if not isinstance(error, NotPossibleError) else error.args
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(writer)
    if not select.select([reader], [], [], _PATIENCE)[0]:
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(pid, 0)
    outcome = pickle.loads(content) if content else "it hung"  # from our own child
    if isinstance(outcome, str):
        raise RuntimeError(outcome)
    if len(outcome) == 1:
        raise NotPossibleError(outcome[0])
    one.told, one.lost, _ = outcome


def _inside(one: Try) -> None:
    disk = one.ground.project / "runs"
    kilobytes = one.luck.choice([one.luck.randint(4, 200), one.luck.randint(100, 1500), one.luck.randint(300, 1500)])
    _mount(disk, kilobytes)
    one.tell(f"{disk.relative_to(one.ground.place.folder)} is a tmpfs of {kilobytes} kB")
    words = words_of(one.ground)
    ended = children.start(one.ground.place, words).end(LIMIT)
    one.tell(f"{ended.line}: ended with {ended.code}", ended.said[-1500:])
    one.judge(of_words(ended), ended.line)
    if ended.code != 0 and not SPEAKS_OF_SPACE.search(ended.said):
        last = ended.said.strip().splitlines()[-1:]
        one.judge([f"a full disk, and no word of space: {last}"], ended.line)
    _mount(disk, 64 << 10, _REMOUNT)
    to_the_end(one, full=True)


def _mount(folder: Path, kilobytes: int, flags: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not flags:
        user, group = os.getuid(), os.getgid()
        if libc.unshare(_NEWNS | (0 if user == 0 else _NEWUSER)):
            raise NotPossibleError("no mount namespace")
        if user:
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
        if libc.mount(b"none", b"/", None, ctypes.c_ulong(_PRIVATE), None):
            raise NotPossibleError("no private mounts")
    given = f"size={kilobytes}k".encode("ascii")
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(flags), given):
        raise NotPossibleError(f"no tmpfs: {os.strerror(ctypes.get_errno())}")


def _copied_out(one: Try) -> None:
    """What is lost is kept by the parent, who does not see this file system."""
    import shutil

    if one.lost:
        runs = one.ground.project / "runs"
        shutil.copytree(runs, one.ground.place.folder / "runs-on-the-full-disk", symlinks=True)


CAMPAIGN = Campaign("full-disk", 8, attempt)
