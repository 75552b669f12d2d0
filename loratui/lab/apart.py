"""Work in a child process, for an interface that goes on meanwhile and never imports what the work needs.

The child says lines of JSON: how far it is, then its answer, or what is wrong. What the work is, its module says.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import loratui
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain

_TOLD_EVERY = 0.1  # seconds between two lines of progress
_LOOKED_EVERY = 0.2  # seconds after which the caller's progress is called though nothing was heard
_NICE = 10  # a person is typing meanwhile


def ask(module: str, arguments: Sequence[object], what: str, progress: Progress = quiet) -> dict[str, Any]:
    """What a child that runs `module` answers. What `progress` raises ends the child.

    LabError with the child's own words when it could not do it, or with `what` broke off when it said none.
    """
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd="/", env=_environment(),
        )  # fmt: skip
        assert child.stdout is not None
        try:
            answer = _listen(child.stdout, progress)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if answer is None:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise LabError(f"{what} broke off: {plain(said[-1] if said else 'no word', 300)}")
    if "error" in answer:
        raise LabError(answer["error"])
    return answer


def _listen(pipe: IO[bytes], progress: Progress) -> dict[str, Any] | None:
    """The child's answer, or None when it ended without one."""
    rest, at = b"", (0, 0)
    while True:
        progress(*at)
        if not select.select([pipe], [], [], _LOOKED_EVERY)[0]:
            continue
        data = os.read(pipe.fileno(), 65536)
        if not data:
            return None
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "done" not in message:
                return dict(message)
            at = (message["done"], message["total"])


def _environment() -> dict[str, str]:
    root = str(Path(loratui.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        "TOKENIZERS_PARALLELISM": "false",
    }


# --- in the child -------------------------------------------------------------------------------------------------


def answer(work: Callable[[Progress], Mapping[str, Any]]) -> None:
    """Do it, niced, and say the progress and the answer on the standard output."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        _say(_done(work))


def _done(work: Callable[[Progress], Mapping[str, Any]]) -> Mapping[str, Any]:
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if done in (0, total) or now - told >= _TOLD_EVERY:
            told = now
            _say({"done": done, "total": total})

    try:
        return work(tell)
    except BrokenPipeError:
        raise
    except (LabError, OSError) as error:
        return {"error": str(error)}


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
