"""Starting runs as processes of their own, and ending them: what the bench does instead of training.

A worker is `python -m loratui --worker RUN`, in a session of its own and with files for its streams, so that neither a
closed terminal nor the end of whoever started it reaches it. It is alive exactly while it holds the run's lock. What
it does is the engine's business; how it is doing is read from the run folder (`live`, `events`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import loratui
from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, open_file, read_text
from loratui.lab.plain import plain
from loratui.lab.run import requests
from loratui.lab.run.forking import look_at_fork
from loratui.lab.run.lock import holder, is_locked
from loratui.lab.run.resuming import find_unfinished, reconcile, refuse_finished, take_up
from loratui.lab.run.runs import RunFolder, read_state
from loratui.lab.run.series import freeze_looked, freeze_wanted, refuse_errors, series_plan
from loratui.lab.run.wanted import Wanted, wanted_runs

START_SECONDS = 60.0  # a machine that swaps may need long to import Python's own modules
KILL_SECONDS = 10.0
_TAIL_BYTES = 4000

_PATHS = ("LORATUI_CACHE", "HF_HOME", "HF_HUB_CACHE")  # relative ones would mean another place in the worker

How = Literal["ask", "term", "kill"]


# -- starting ---------------------------------------------------------------------------------------------------------


def start(run: RunFolder) -> int:
    """Start a worker on a frozen run, and wait until it has the run's lock; returns its pid.

    LabError with what it said when it ended at once, or when another worker has the run. Requests to stop or to pause
    that an earlier worker never took are withdrawn: they were not meant for this one.
    """
    run = RunFolder(run.path.absolute())
    run.read_record()  # says what is missing
    if is_locked(run.lock_file):
        raise LabError(
            f"{run.path}: a worker has this run already ({read_state(run).name}); watch it, or ask it to stop"
        )
    refuse_finished(run)
    for name in ("stop", "pause"):
        requests.take(run, name)
    output = run.worker_file
    with os.fdopen(open_file(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
        said_before = file.tell()
        process = subprocess.Popen(
            # -P: no folder that happens to be the current one may hide a module.
            [sys.executable, "-P", "-m", "loratui", "--worker", str(run.path)],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd="/", env=child_environment(),
            start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and not _has_lock(run, process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    if process.returncode is None:
        # Whoever started it may live long, and would keep it as a zombie after its end.
        threading.Thread(target=process.wait, name=f"waits for worker {process.pid}", daemon=True).start()
    elif process.returncode and read_state(run).name != "stopped":
        raise LabError(f"{run.path}: the worker ended at once: {_why(process.returncode, output, said_before)}")
    return process.pid


def start_project(file: Path, overrides: Sequence[str] = ()) -> RunFolder:
    """Check a project, freeze a run of it and start a worker on that. LabError as for `--run`; nothing is left then."""
    return _start_new(freeze_wanted(wanted_runs(file, overrides)[0]))


def start_wanted(wanted: Sequence[Wanted]) -> list[RunFolder]:
    """Start what is left of a series: each run has a worker of its own, and they wait for the device in this order.

    All are looked at and frozen before the first begins. What is finished or being trained already is left alone, and
    what is unfinished is gone on with. Returns the runs that were started. LabError when the check finds errors, and
    nothing is started then; or when a worker ends at once: those started before it go on.
    """
    plan = series_plan(wanted, download=True)
    assert plan.look is not None
    refuse_errors(plan.look, wanted[0].project)
    started: list[RunFolder] = []
    fresh: list[RunFolder] = []
    for row, looked, made in zip(plan.rows, plan.look.runs, plan.made, strict=True):
        if row.state == "finished" or (made is not None and made.alive):
            continue
        if made is not None:
            take_up(made.run, looked.record)
            started.append(made.run)
        else:
            started.append(freeze_looked(looked))
            fresh.append(started[-1])
    for place, run in enumerate(started):
        try:
            _start_new(run) if run in fresh else start(run)
        except BaseException:
            for other in started[place + 1 :]:
                if other in fresh:
                    shutil.rmtree(other.path, ignore_errors=True)
            raise
    return started


def resume(run: RunFolder, allow_changes: bool = False, overrides: Sequence[str] = ()) -> list[str]:
    """Go on with an unfinished run that nobody trains; returns lines worth reading.

    LabError with the differences when settings or data changed since and `allow_changes` is not given.
    """
    run = find_unfinished(run.path)
    notes = reconcile(run, overrides, allow_changes)
    start(run)
    return notes


def fork(run: RunFolder, overrides: Sequence[str] = ()) -> tuple[RunFolder, list[str]]:
    """The run's project, as it is now, frozen and started again with these changes on top of the run's own overrides.

    The new record says its parent and what differs (`run.parent`, `run.changes_from_parent`). Returned with it are
    lines worth reading: what changed, and a warning where that is more than one factor. LabError when nothing differs.
    """
    asked = look_at_fork(run, overrides, download=True)
    return _start_new(asked.freeze()), list(asked.notes)


def _start_new(run: RunFolder) -> RunFolder:
    try:
        start(run)
    except BaseException:
        if not run.lock_file.exists():  # no worker ever took it up: it would wait for one for ever
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def child_environment() -> dict[str, str]:
    """Ours, so that the worker finds the same models, cache and packages; a crash in native code leaves a traceback."""
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    for name in _PATHS:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).expanduser().absolute())
    modules = [str(Path(part).absolute()) for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    root = Path(loratui.__file__).parent.parent.absolute()
    if root.name not in ("site-packages", "dist-packages"):  # run from a checkout
        modules.insert(0, str(root))
    return {**environment, "PYTHONPATH": os.pathsep.join(modules)}


def _has_lock(run: RunFolder, pid: int) -> bool:
    try:
        return read_text(run.lock_file).strip() == str(pid)
    except (OSError, ValueError):
        return False


def _why(code: int, output: Path, begin: int) -> str:
    """The last that the worker said, or else how it ended."""
    with open_binary(output) as file:
        file.seek(max(begin, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        said = file.read().decode("utf-8", "replace").strip()
    if said:
        return plain(said, newlines=True)
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


# -- ending -----------------------------------------------------------------------------------------------------------


def stop(run: RunFolder, how: How = "ask") -> None:
    """End a live run, waiting or training. Each of the three leaves the last complete state to go on from.

    ask: a request that the worker takes at its next step; it saves. term: SIGTERM, which does the same; a second one
    ends it at once. kill: SIGKILL to the worker, and to all it started where it leads a group of its own; returns when
    the run is free. LabError when nobody has the run, or when it cannot be made sure which process does.
    """
    if not is_locked(run.lock_file):
        raise LabError(f"{plain(run.path)}: nobody is training this run ({read_state(run).name})")
    if how == "ask":
        requests.post(run, "stop")
        return
    pid = holder(run.lock_file)
    if pid is None:
        if not is_locked(run.lock_file):
            return  # it ended meanwhile
        raise LabError(
            f"{plain(run.path)}: the process that has this run is not on this machine, or not yours; "
            "ask it to stop, or signal it where it was started"
        )
    try:
        if how == "term":
            os.kill(pid, signal.SIGTERM)
            return
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:  # started from a script, say, whose other processes are none of our business
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise LabError(f"{plain(run.path)}: process {pid} has this run and belongs to another user") from error
    deadline = time.monotonic() + KILL_SECONDS
    while is_locked(run.lock_file):
        if time.monotonic() > deadline:
            raise LabError(
                f"{plain(run.path)}: process {pid} was killed and still has the run; it hangs in a driver or on a disk"
            )
        time.sleep(0.02)
