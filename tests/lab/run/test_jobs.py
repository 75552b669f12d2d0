"""A job is a process of its own: it says how it is doing, ends when it is told to, and outlives whoever started it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.jobs import Job, jobs_folder, list_jobs, start_job
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import RunFolder
from tests.frozen import log_steps, write_bare_project
from tests.processes import new_run, write_project
from tests.talking import Process

START = """
import sys; from pathlib import Path; from loratui.lab.run.jobs import start_job
print(start_job(Path(sys.argv[1]), "check").file, flush=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_bare_project(tmp_path / "shapes", "[train]\nsteps = 4\n", "circle.png", "square.png")


def soon(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def over(job: Job) -> str:
    soon(lambda: job.poll().is_over)
    return job.poll().state


@pytest.fixture
def watching(tmp_path: Path, tiny_model: Path) -> RunFolder:
    """A run that is being trained as far as anybody can tell, so that a job that watches it lasts."""
    run = new_run(write_project(tmp_path / "watched", tiny_model))
    log_steps(run, [0.5], 4)
    return run


def test_what_a_job_says_is_kept_with_how_it_ended(project: Path) -> None:
    job = start_job(project, "check")
    assert not job.poll().is_over or job.poll().state != "interrupted"
    assert over(job) in ("done", "failed")  # 1 where the check has warnings
    assert job.file.parent == project / ".loratui" / "jobs" and job.verb == "check"
    assert job.poll().last_line and job.poll().last_line == job.tail()[-1]
    assert list_jobs(project) == [job] and job.began > 0


def test_a_job_that_fails_says_why_in_its_last_lines(project: Path) -> None:
    (project / "project.toml").write_text("[train]\nepochs = 0\n", encoding="utf-8")
    job = start_job(project, "check")
    assert over(job) == "failed"
    state = job.poll()
    assert state.code == 2 and "project.toml:2: train.epochs" in state.last_line


def test_a_job_that_lasts_is_running_until_it_is_cancelled(watching: RunFolder) -> None:
    with RunLock(watching.lock_file):
        job = start_job(watching, "attach")
        assert job.poll().state == "running"
        with pytest.raises(LabError, match="this is being done already"):
            start_job(watching, "attach")
        soon(lambda: bool(job.tail()))
        assert job.poll().state == "running"
        job.cancel()
        assert job.poll().state == "cancelled"
        job.cancel()  # nothing is left to end
        again = start_job(watching, "attach")
        again.cancel()  # when it has only just begun
        assert again.poll().state == "cancelled"
    assert list_jobs(watching) == [job, again] and jobs_folder(watching) == watching.path / "jobs"


def test_a_job_whose_process_was_killed_is_interrupted_and_not_running(watching: RunFolder) -> None:
    with RunLock(watching.lock_file):
        job = start_job(watching, "attach")
        soon(lambda: bool(job.tail()))
        os.killpg(job._record()["pid"], signal.SIGKILL)
        assert over(job) == "interrupted"


def test_a_job_goes_on_when_whoever_started_it_has_ended(project: Path, start: Callable[..., Process]) -> None:
    process = start(START, str(project))
    job = Job(Path(process.says()))
    process.kill()
    assert over(job) in ("done", "failed") and job.tail()


def test_what_a_job_says_is_plain_and_of_overwritten_lines_the_last(tmp_path: Path) -> None:
    file = tmp_path / "20250101T000000-sample.txt"
    file.write_bytes(b"first\r\n\x1b[32mdrawing 1 of 4\rdrawing 2 of 4\x1b[0m\r\n\n\x1b]0;title\x07evil\x9b31m [red]\n")
    lines = Job(file).tail()
    assert lines[:2] == ["first", "drawing 2 of 4"]
    assert "[red]" in lines[2] and "\x1b" not in lines[2] and "\x9b" not in lines[2]
    assert Job(file).poll().state == "interrupted" and Job(file).words == "sample"


def test_jobs_of_one_second_are_listed_as_they_were_started(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    folder = jobs_folder(run)
    folder.mkdir(parents=True)
    names = ["20250101T000000-drift.txt", "20250101T000000-2-sample.txt", "20250101T000000-10-drift.txt",
             "20250101T000001-drift.txt"]  # fmt: skip
    for name in reversed([*names, "notes.txt"]):
        (folder / name).touch()
    assert [job.file.name for job in list_jobs(run)] == names
