"""What is done to a finished run, or to a project, by a process of its own: more pictures, measures, the report.

A job is `python -m loratui --VERB FOLDER …`, in a session of its own, so that it ends its work when whoever started it
is gone. What it says is kept in jobs/<time>-<verb>.txt, and how it ended beside that, in a .json. It is alive exactly
while a process holds the lock on that .txt, which it has as its standard output. What the verbs do is not known here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from loratui.lab.errors import LabError
from loratui.lab.files import make_folder, open_binary, read_text, refuse_links, write_atomic
from loratui.lab.plain import plain
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder

PATIENCE_SECONDS = 3.0  # with a job that was asked to end, before it is killed
_TAIL_BYTES = 8000
_MODULE = "loratui.lab.run.jobs"
_NAME = re.compile(r"\d{8}T\d{6}(?:-\d+)?-([a-z]+)")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")

State = Literal["running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class JobState:
    """How a job stands. `interrupted`: its process is gone and could not say how it ended."""

    state: State
    last_line: str = ""  # that it said, plain
    code: int | None = None  # exit code, where it has one

    @property
    def is_over(self) -> bool:
        return self.state != "running"


@dataclass(frozen=True)
class Job:
    """One job by the file of its output. Making the object touches nothing on disk."""

    file: Path

    @property
    def verb(self) -> str:
        match = _NAME.match(self.file.name)
        return match[1] if match else ""

    @property
    def began(self) -> float:
        """Unix seconds; 0.0 where its record says nothing."""
        began = self._record().get("began")
        return float(began) if isinstance(began, (int, float)) else 0.0

    @property
    def arguments(self) -> tuple[str, ...]:
        """What it was started with after the folder; empty where its record is gone."""
        given = self._record().get("arguments")
        return tuple(str(item) for item in given) if isinstance(given, list) else ()

    @property
    def words(self) -> str:
        """`sample --seeds 1-8`: what it does."""
        return plain(" ".join([self.verb, shlex.join(self.arguments)]).strip(), 300)

    def poll(self) -> JobState:
        """How it stands, and the last line that it said. Cheap, and never raises."""
        alive = is_locked(self.file)
        record = self._record()  # after the look at the lock: it is written before that is given back
        line = next(reversed(self.tail(1)), "")
        if alive:
            return JobState("running", line)
        code = record.get("code")
        if record.get("cancelled") and code != 0:
            return JobState("cancelled", line, code)
        if not isinstance(code, int):
            return JobState("interrupted", line)
        return JobState("done" if code == 0 else "failed", line, code)

    def tail(self, count: int = 12) -> list[str]:
        """The last lines that it said, plain; of a line that was written over again, its last version."""
        try:
            with open_binary(self.file) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                said = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        lines = [_ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2].rstrip() for line in said.split("\n")]
        return [plain(line, 400) for line in lines if line.strip()][-count:]

    def cancel(self) -> None:
        """End it and all that it started: asked first, killed after a moment. Nothing happens when it is over.

        LabError when it cannot be made sure which process it is.
        """
        if not is_locked(self.file):
            return
        pid = self._pid()
        if not isinstance(pid, int) or pid <= 1 or not _has_open(pid, self.file):
            if not is_locked(self.file):
                return
            raise LabError(f"{self.file}: the process of this job is not on this machine, or not yours")
        write_atomic(_mark(self.file), "")
        for number, patience in ((signal.SIGTERM, PATIENCE_SECONDS), (signal.SIGKILL, PATIENCE_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
            deadline = time.monotonic() + patience
            while is_locked(self.file) and time.monotonic() < deadline:
                time.sleep(0.02)
            if not is_locked(self.file):
                return
        raise LabError(f"{self.file}: process {pid} was killed and is still there; it hangs in a driver or on a disk")

    def _pid(self) -> object:
        """Of its supervisor, which may only just be starting."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "pid" not in self._record() and is_locked(self.file) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._record().get("pid")

    def _record(self) -> dict[str, Any]:
        try:
            record = json.loads(read_text(self.file.with_suffix(".json")))
        except (OSError, ValueError, RecursionError):
            return {}
        found = record if isinstance(record, dict) else {}
        return {**found, "cancelled": True} if _mark(self.file).exists() else found


def jobs_folder(of: RunFolder | Path) -> Path:
    """Where the jobs of a run are kept, or those of a project's folder."""
    return of.path / "jobs" if isinstance(of, RunFolder) else of / ".loratui" / "jobs"


def list_jobs(of: RunFolder | Path) -> list[Job]:
    """The jobs of a run, or of a project, oldest first."""
    try:
        refuse_links(jobs_folder(of))
        files = [file for file in jobs_folder(of).iterdir() if file.suffix == ".txt" and _NAME.match(file.name)]
    except OSError:
        return []
    return [Job(file) for file in sorted(files, key=lambda file: _in_order(file.stem))]


def start_job(of: RunFolder | Path, verb: str, arguments: Sequence[str] = ()) -> Job:
    """Start `loratui --VERB FOLDER ARGUMENTS…` as a process of its own, and return at once.

    `of` is a run or a project's folder. LabError when the very same is being done there already.
    """
    folder = jobs_folder(of)
    where = (of.path if isinstance(of, RunFolder) else of).absolute()
    given = [str(argument) for argument in arguments]
    for job in list_jobs(of):
        if job.verb == verb and list(job.arguments) == given and not job.poll().is_over:
            raise LabError(f"{job.file}: this is being done already; look at its progress, or cancel it")
    try:
        make_folder(folder)
    except OSError as error:
        raise LabError(f"{error.filename}: {error.strerror}; nothing was started") from error
    file, output = _new_output(folder, verb)
    record = {"verb": verb, "folder": str(where), "arguments": given, "began": time.time()}
    write_atomic(file.with_suffix(".json"), json.dumps(record) + "\n")
    with output:
        # The lock goes with the open file to the child, and is free when the last process that has it is gone.
        fcntl.flock(output, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(file.absolute())],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", env=_environment(),
            start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=process.wait, name=f"waits for job {process.pid}", daemon=True).start()
    return Job(file)


def _new_output(folder: Path, verb: str) -> tuple[Path, Any]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for number in range(1, 1000):
        file = folder / (f"{stamp}-{number}-{verb}.txt" if number > 1 else f"{stamp}-{verb}.txt")
        with contextlib.suppress(FileExistsError):
            return file, file.open("xb", buffering=0)
    raise LabError(f"{folder}: too many jobs in one second")


def _in_order(name: str) -> tuple[str, int]:
    stamp, _, rest = name.partition("-")
    number = rest.partition("-")[0]
    return stamp, int(number) if number.isdecimal() else 1


def _mark(file: Path) -> Path:
    """A file that says that the job was cancelled: its own record is its supervisor's."""
    return file.with_suffix(".cancelled")


def _environment() -> dict[str, str]:
    """What is read by this bench: lines as they come, without colours."""
    from loratui.lab.run.launch import child_environment

    return {**child_environment(), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "160"}


def _has_open(pid: int, file: Path) -> bool:
    """Whether that process has this very file open: a pid may be of a process that is long gone."""
    if not Path("/proc/self/fd").is_dir():
        return True
    try:
        there = file.stat()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(link.stat(), there):
                    return True
    except OSError:
        pass
    return False


# --- in the job's own process -----------------------------------------------------------------------------------------


def supervise(file: Path) -> int:
    """Run the verb that the record beside `file` names, and write down how it ended; returns its exit code."""
    record_file = file.with_suffix(".json")
    record = json.loads(read_text(record_file))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # meant for the verb, which gets it too; this one tells how that ended
    write_atomic(record_file, json.dumps({**record, "pid": os.getpid()}) + "\n")
    command = [sys.executable, "-P", "-m", "loratui", f"--{record['verb']}", record["folder"], *record["arguments"]]
    # From the jobs' own folder: paths that a verb tells are then whole, and not those below the current one.
    code = subprocess.call(command, stdin=subprocess.DEVNULL, cwd=file.parent)
    write_atomic(record_file, json.dumps({**record, "pid": os.getpid(), "code": code, "ended": time.time()}) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(min(abs(supervise(Path(sys.argv[1]))), 255))
