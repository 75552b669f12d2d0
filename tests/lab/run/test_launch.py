"""Workers are processes of their own: whoever started them may go, and each way to end one leaves what goes on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loratui.engine.export import payload_hash
from loratui.lab.errors import LabError
from loratui.lab.run import launch, requests
from loratui.lab.run.live import LiveWatch
from loratui.lab.run.lock import RunLock, device_name, device_turn, holder, is_locked
from loratui.lab.run.queue import tickets
from loratui.lab.run.resuming import reconcile
from loratui.lab.run.runs import RunFolder, latest_resume, list_runs, read_state
from tests.processes import final_lora, losses, new_run, train, write_project
from tests.talking import Process

QUIET = ("sample.every=never", "train.log_every=1", "lora.rank=2", "train.checkpoint_every=end", "train.steps=120")
START = """
import sys; from pathlib import Path; from loratui.lab.run import launch; from loratui.lab.run.runs import RunFolder
print(launch.start(RunFolder(Path(sys.argv[1]))), flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("launch")


@pytest.fixture(scope="module")
def project(shelf: Path, tiny_model: Path) -> Path:
    return write_project(shelf / "shapes", tiny_model)


@pytest.fixture
def busy() -> Iterator[None]:
    """The device is taken, so that a worker waits for it and imports nothing heavy."""
    with device_turn(device_name("auto"), label="someone else") as mine:
        assert mine
        yield


@pytest.fixture(autouse=True)
def none_left(shelf: Path) -> Iterator[None]:
    yield
    for live in LiveWatch(shelf).look():
        launch.stop(live.run, "kill")


def until(condition: Callable[[], object], limit: float = 60) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Not even a zombie of ours is left."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Shell:
    """A process whose controlling terminal is a pseudo-terminal that can be hung up."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.master, slave = pty.openpty()

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([sys.executable, "-c", script, *arguments], stdin=slave, stdout=slave,
                                        stderr=slave, preexec_fn=take_terminal)  # fmt: skip
        os.close(slave)

    def says(self) -> str:
        said = b""
        while not said.endswith(b"\n"):
            said += os.read(self.master, 1)
        return said.decode().strip()

    def hang_up(self) -> int:
        os.close(self.master)
        return self.process.wait(60)


def test_a_run_that_was_hung_up_stopped_and_killed_ends_in_the_same_bits(project: Path) -> None:
    long = (*QUIET, "train.steps=300")  # so that on a busy machine, too, it is still at it when it is killed
    whole = new_run(project, *long)
    assert train(whole) == 0

    run = new_run(project, *long)
    shell = Shell(START, str(run.path))
    pid = int(shell.says())
    assert holder(run.lock_file) == pid
    assert os.getsid(pid) == pid
    assert shell.hang_up() == -signal.SIGHUP  # it dies of it, as Python does
    until(lambda: losses(run))
    assert is_locked(run.lock_file)

    launch.stop(run, "ask")
    until(lambda: not is_locked(run.lock_file))
    state = read_state(run)
    assert (state.name, state.reason) == ("stopped", "stop")
    assert latest_resume(run) == run.resume_folder(state.step)

    assert launch.resume(run) == []
    child = holder(run.lock_file)
    assert child is not None
    until(lambda: max(losses(run)) > state.step + 3)
    launch.stop(run, "kill")
    assert not is_locked(run.lock_file)
    assert read_state(run).name == "interrupted"
    until(lambda: is_gone(child))

    assert launch.resume(run) == []
    until(lambda: read_state(run).name == "finished" and not is_locked(run.lock_file))
    assert losses(run) == losses(whole)
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))
    assert "finished" in run.log_file.read_text(encoding="utf-8")
    assert run.worker_file.read_text(encoding="utf-8") == ""  # of libraries, too
    with pytest.raises(LabError, match="finished at step 300; there is nothing to go on with"):
        launch.resume(run)


def test_one_that_waits_for_its_turn_is_seen_and_can_be_asked_to_stop(project: Path, busy: None) -> None:
    run = new_run(project, *QUIET)
    pid = launch.start(run)
    until(lambda: "waiting" in (run.log_file.read_text() if run.log_file.exists() else ""))
    assert "behind 1: someone else" in run.log_file.read_text(encoding="utf-8")
    assert read_state(run).name == "queued"
    first, second = tickets()
    assert (first.label, second.label, second.run, second.pid) == ("someone else", run.id, run.path, pid)
    launch.stop(run, "ask")
    until(lambda: not is_locked(run.lock_file))
    assert (read_state(run).name, read_state(run).step) == ("stopped", 0)
    assert requests.pending(run) == {}
    until(lambda: is_gone(pid))
    assert [ticket.label for ticket in tickets()] == ["someone else"]


@pytest.mark.parametrize(("how", "state"), [("term", "stopped"), ("kill", "interrupted")])
def test_one_that_waits_can_be_signalled(project: Path, busy: None, how: launch.How, state: str) -> None:
    run = new_run(project, *QUIET)
    pid = launch.start(run)
    until(lambda: len(tickets()) == 2)
    launch.stop(run, how)
    until(lambda: not is_locked(run.lock_file))
    assert read_state(run).name == state
    until(lambda: is_gone(pid))
    assert len(tickets()) == 1


def test_killing_takes_what_the_worker_started_and_nothing_else(project: Path, start: Callable[..., Process]) -> None:
    run = new_run(project, *QUIET)
    script = """
import os, subprocess, sys; from pathlib import Path; from loratui.lab.run.lock import RunLock
if sys.argv[2] == "leads":
    os.setsid()
with RunLock(Path(sys.argv[1])):
    print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
    sys.stdin.readline()
"""
    worker = start(script, str(run.lock_file), "leads")
    helper = int(worker.says())
    launch.stop(run, "kill")
    assert worker.process.wait(60) == -signal.SIGKILL
    until(lambda: is_gone(helper) or _is_zombie(helper))

    worker = start(script, str(run.lock_file), "follows")  # in our own group, as a command of a script is
    helper = int(worker.says())
    launch.stop(run, "kill")
    assert worker.process.wait(60) == -signal.SIGKILL
    assert not is_gone(helper)
    os.kill(helper, signal.SIGKILL)


def _is_zombie(pid: int) -> bool:
    """Where nobody takes in orphans, that is as far as they go."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    return False


def test_a_run_has_one_worker(project: Path, busy: None) -> None:
    run = new_run(project, *QUIET)
    pid = launch.start(run)
    with pytest.raises(LabError, match=r"a worker has this run already \(queued\)"):
        launch.start(run)
    with pytest.raises(LabError, match="another worker has this run"):
        launch.resume(run)
    assert holder(run.lock_file) == pid


def test_of_two_who_start_a_run_at_once_one_is_told(project: Path, busy: None, start: Callable[..., Process]) -> None:
    run = new_run(project, *QUIET)
    script = "print('ready', flush=True); input()\n" + START
    both = [start(script, str(run.path)) for _ in range(2)]
    assert [one.says() for one in both] == ["ready", "ready"]
    for one in both:
        one.go_on()
    said = sorted((one.says() for one in both), key=len)
    assert said == ["", str(holder(run.lock_file))]  # the other ended with an error


def test_a_worker_that_ends_at_once_says_why(project: Path) -> None:
    run = new_run(project, *QUIET)
    record = run.record_file.read_text(encoding="utf-8")
    run.record_file.write_text(record.replace("rank = 2", 'rank = "much"'), encoding="utf-8")
    with pytest.raises(LabError, match=r"(?s)the worker ended at once: .*run\.toml: damaged: lora\.rank"):
        launch.start(run)
    assert "damaged" in run.worker_file.read_text(encoding="utf-8")
    with pytest.raises(LabError, match=r"run\.toml: missing"):
        launch.start(RunFolder(project / "runs" / "nothing"))


def test_a_worker_has_the_surroundings_of_who_started_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LORATUI_CACHE", "cache")  # relative to a folder that is not the worker's
    monkeypatch.setenv("PYTHONPATH", os.path.relpath(Path(launch.__file__).parents[3]))
    run = new_run(project, *QUIET)
    with device_turn(device_name("auto"), label="someone else"):
        launch.start(run)
        until(lambda: [ticket.run for ticket in tickets()] == [None, run.path])
        launch.stop(run, "kill")


def test_a_request_that_an_earlier_worker_never_took_does_not_stop_the_next(project: Path, busy: None) -> None:
    run = new_run(project, *QUIET)
    requests.post(run, "stop")
    requests.post(run, "pause")
    launch.start(run)
    until(lambda: len(tickets()) == 2)
    assert requests.pending(run) == {}
    assert is_locked(run.lock_file)


def test_what_nobody_trains_cannot_be_stopped(project: Path) -> None:
    run = new_run(project, *QUIET)
    for how in ("ask", "term", "kill"):
        with pytest.raises(LabError, match=r"nobody is training this run \(queued\)"):
            launch.stop(run, how)  # type: ignore[arg-type]
    assert requests.pending(run) == {}


def test_nobody_is_signalled_whose_lock_it_is_not(project: Path) -> None:
    run = new_run(project, *QUIET)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with RunLock(run.lock_file):
        run.lock_file.write_text(f"{bystander.pid}\n")
        for how in ("term", "kill"):
            with pytest.raises(LabError, match="not on this machine, or not yours"):
                launch.stop(run, how)  # type: ignore[arg-type]
    bystander.communicate(b"\n", 60)
    assert bystander.returncode == 0


# -- from a project, and from another run ------------------------------------------------------------------------------


def test_a_project_is_checked_frozen_and_started(project: Path, busy: None) -> None:
    run = launch.start_project(project / "project.toml", QUIET)
    assert is_locked(run.lock_file)
    assert run.read_record()["run"]["overrides"] == list(QUIET)
    assert run in list_runs(project)


def test_a_project_with_errors_leaves_nothing(shelf: Path, tiny_model: Path) -> None:
    broken = write_project(shelf / "broken", tiny_model)
    (broken / "dataset/circle.png").write_bytes(b"no picture")
    with pytest.raises(LabError, match=r"(?s)broken/project\.toml: nothing was started.*circle\.png"):
        launch.start_project(broken)
    assert not (broken / "runs").exists()


def test_a_project_whose_worker_cannot_be_started_leaves_nothing(
    shelf: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = write_project(shelf / "doomed", tiny_model)
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(LabError, match=r"(?s)the worker ended at once: .*nowhere"):
        launch.start_project(doomed, QUIET)
    assert list_runs(doomed) == []


def test_a_fork_records_its_parent_and_exactly_what_changed(project: Path, busy: None) -> None:
    parent = new_run(project, *QUIET)
    child, notes = launch.fork(parent, ["train.learning_rate=0.001"])
    assert is_locked(child.lock_file)
    said = child.read_record()["run"]
    assert (said["parent"], said["changes_from_parent"]) == (parent.id, ["train.learning_rate: 0.0001 → 0.001"])
    assert said["overrides"] == [*QUIET, "train.learning_rate=0.001"]
    assert notes == [f"differs from {parent.id}: train.learning_rate: 0.0001 → 0.001"]

    # Nor does going on with it, changed once more, forget where it came from.
    launch.stop(child, "kill")
    reconcile(child, ["train.learning_rate=0.01"], allow_changes=True)
    after = tomllib.loads(child.record_file.read_text(encoding="utf-8"))["run"]
    assert (after["parent"], after["changes_from_parent"]) == (parent.id, said["changes_from_parent"])


def test_a_fork_of_a_fork_says_each_override_once(project: Path, busy: None) -> None:
    parent = new_run(project, *QUIET)
    child, _ = launch.fork(parent, ["train.steps=300"])
    launch.stop(child, "kill")
    grandchild, _ = launch.fork(child, ["train.steps=400"])
    said = grandchild.read_record()["run"]
    assert said["overrides"] == [*QUIET[:-1], "train.steps=400"]
    assert (said["parent"], said["changes_from_parent"]) == (child.id, ["train.steps: 300 → 400"])


def test_a_fork_that_changes_nothing_is_refused(project: Path, busy: None) -> None:
    parent = new_run(project, *QUIET)
    before = list_runs(project)
    for same in ([], ["train.steps=120"], ["lora.rank=8", "lora.rank=2"]):
        with pytest.raises(LabError, match="nothing differs from this run"):
            launch.fork(parent, same)
    assert list_runs(project) == before


def test_a_fork_that_changes_two_things_says_so(shelf: Path, tiny_model: Path, busy: None) -> None:
    project = write_project(shelf / "captioned", tiny_model)
    parent = new_run(project, *QUIET)
    (project / "dataset/wide.txt").write_text("myshape, broad", encoding="utf-8")
    child, notes = launch.fork(parent, [])  # the caption alone is a change
    assert notes == [f'differs from {parent.id}: caption of wide.png: "wide" → "broad"']
    launch.stop(child, "kill")
    child, notes = launch.fork(parent, ["lora.rank=4"])
    assert notes[-1].startswith("warning: 2 factors differ from the parent")
    assert child.read_record()["run"]["changes_from_parent"] == [
        "lora.rank: 2 → 4", 'caption of wide.png: "wide" → "broad"',
    ]  # fmt: skip


def test_a_fork_needs_its_project(shelf: Path, tiny_model: Path) -> None:
    project = write_project(shelf / "gone", tiny_model)
    parent = new_run(project, *QUIET)
    (project / "project.toml").unlink()
    with pytest.raises(LabError, match=r"gone/project\.toml: the project of this run is gone"):
        launch.fork(parent, ["lora.rank=4"])
