"""Alive means locked, and workers on one device take turns, however their neighbours die."""

from __future__ import annotations

import errno
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.lock import RunLock, device_name, device_turn, holder, is_locked, queue_folder
from tests.talking import TAKE_TURN, Process

HOLD_LOCK = """
import sys; from pathlib import Path; from loratui.lab.run.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True); sys.stdin.readline()
print("released", flush=True); sys.stdin.readline()
"""


def test_a_run_is_locked_exactly_while_its_worker_lives(tmp_path: Path, start: Callable[..., Process]) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()
    worker = start(HOLD_LOCK, str(path))
    assert worker.says() == "held"
    assert is_locked(path)
    assert path.read_text() == f"{worker.process.pid}\n"
    assert holder(path) == worker.process.pid
    worker.go_on()
    assert worker.says() == "released"
    assert not is_locked(path)
    assert holder(path) is None
    assert path.read_text() == ""


def test_a_killed_worker_holds_nothing(tmp_path: Path, start: Callable[..., Process]) -> None:
    path = tmp_path / "lock"
    worker = start(HOLD_LOCK, str(path))
    assert worker.says() == "held"
    worker.kill()
    assert not is_locked(path)
    with RunLock(path):
        assert is_locked(path)


def test_a_pid_that_does_not_have_the_lock_is_not_believed(tmp_path: Path, start: Callable[..., Process]) -> None:
    path = tmp_path / "lock"
    worker = start(HOLD_LOCK, str(path))
    assert worker.says() == "held"
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    # As where the folder is shared with another machine, on which another process has that number.
    for said in (str(bystander.pid), "99999999", "0", "-1", "worker", ""):
        path.write_text(said)
        assert holder(path) is None
    assert is_locked(path)
    bystander.communicate(b"\n")


def test_a_second_worker_is_told_who_has_the_run(
    tmp_path: Path, start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loratui.lab.run.lock._PATIENCE", 0.05)
    path = tmp_path / "lock"
    worker = start(HOLD_LOCK, str(path))
    assert worker.says() == "held"
    with pytest.raises(LabError, match=rf"{path}.*process {worker.process.pid}"), RunLock(path):
        pass
    assert path.read_text() == f"{worker.process.pid}\n"


def test_a_child_process_does_not_keep_the_lock_alive(tmp_path: Path) -> None:
    with RunLock(tmp_path / "lock"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_locked(tmp_path / "lock")
    child.communicate(b"\n")


def test_workers_take_turns_in_ticket_order(tmp_path: Path, start: Callable[..., Process]) -> None:
    first = start(TAKE_TURN, str(tmp_path), "first")
    assert first.says() == "turn True"
    second = start(TAKE_TURN, str(tmp_path), "second")
    assert second.says() == "waiting behind 1: first"
    third = start(TAKE_TURN, str(tmp_path), "third")
    assert third.says() == "waiting behind 2: first"
    first.go_on()
    assert second.says() == "turn True"
    assert third.says() == "waiting behind 1: second"
    second.go_on()
    assert third.says() == "turn True"


def test_the_turn_passes_on_when_the_holder_is_killed(tmp_path: Path, start: Callable[..., Process]) -> None:
    holder = start(TAKE_TURN, str(tmp_path), "holder")
    assert holder.says() == "turn True"
    waiter = start(TAKE_TURN, str(tmp_path), "waiter")
    assert waiter.says() == "waiting behind 1: holder"
    holder.kill()
    assert waiter.says() == "turn True"


def test_a_waiter_that_is_killed_is_passed_over(tmp_path: Path, start: Callable[..., Process]) -> None:
    holder = start(TAKE_TURN, str(tmp_path), "holder")
    assert holder.says() == "turn True"
    killed = start(TAKE_TURN, str(tmp_path), "killed")
    assert killed.says() == "waiting behind 1: holder"
    last = start(TAKE_TURN, str(tmp_path), "last")
    assert last.says() == "waiting behind 2: holder"
    killed.kill()
    assert last.says() == "waiting behind 1: holder"
    holder.go_on()
    assert last.says() == "turn True"
    last.go_on()
    last.process.wait()
    assert [p.name for p in tmp_path.iterdir()] == ["lock"]


def test_one_who_waits_can_be_called_away(tmp_path: Path, start: Callable[..., Process]) -> None:
    holder = start(TAKE_TURN, str(tmp_path), "holder")
    assert holder.says() == "turn True"
    looks = iter([False, False, True])
    with device_turn("cpu", tmp_path, should_stop=lambda: next(looks), poll=0.001) as mine:
        assert not mine
    after = start(TAKE_TURN, str(tmp_path), "after")
    assert after.says() == "waiting behind 1: holder"


def test_who_waits_gets_in_line_again_when_the_tickets_were_cleared(
    tmp_path: Path, start: Callable[..., Process]
) -> None:
    holder = start(TAKE_TURN, str(tmp_path / "queue"), "holder")
    assert holder.says() == "turn True"
    waiter = start(TAKE_TURN, str(tmp_path / "queue"), "waiter")
    assert waiter.says() == "waiting behind 1: holder"
    shutil.rmtree(tmp_path / "queue")
    assert waiter.says() == "turn True"
    after = start(TAKE_TURN, str(tmp_path / "queue"), "after")
    assert after.says() == "waiting behind 1: waiter"
    holder.go_on()  # and gives back what is not there any more
    assert holder.process.wait() == 0


def test_an_error_in_the_turn_gives_the_device_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), device_turn("cpu", tmp_path):
        raise RuntimeError
    with device_turn("cpu", tmp_path, should_stop=lambda: True) as mine:
        assert mine


def test_a_file_system_without_locks_is_named_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LabError, match=rf"{tmp_path / 'lock'}: .*local disk"), RunLock(tmp_path / "lock"):
        pass
    with pytest.raises(LabError, match="LORATUI_CACHE"), device_turn("cpu", tmp_path):
        pass


def test_each_device_has_its_own_queue_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path))
    assert queue_folder("cuda:0").parent == queue_folder("cpu").parent
    assert queue_folder("cuda:0").is_relative_to(tmp_path / "queue")
    assert queue_folder("../../etc") != queue_folder("cpu")
    assert queue_folder("../../etc").resolve().is_relative_to(tmp_path / "queue")
    with device_turn("cuda:0") as one, device_turn("cuda:1") as other:
        assert one
        assert other


def test_the_first_visible_gpu_is_the_one_to_queue_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [device_name(d) for d in ("cuda", "cuda:1", "cpu", "mps")] == ["cuda:3", "cuda:5", "cpu", "mps"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert device_name("cuda:1") == "cuda:1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_name("auto") in ("cpu", "mps")
