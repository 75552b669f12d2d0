"""What is alive below a folder is seen, with how far it is, and looking again reads only what is new."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run import live, runs
from loratui.lab.run.events import EventLog
from loratui.lab.run.live import LiveWatch, find_watched, unfinished
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import RunFolder, create_run
from tests.processes import new_run, write_project
from tests.talking import Process

HOLD = """
import sys; from pathlib import Path; from loratui.lab.run.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True); sys.stdin.readline()
"""


def frozen(project: Path, name: str = "shapes") -> RunFolder:
    """A run folder as far as looking goes."""
    run = create_run(project, name)
    run.freeze({"run": {"project": name}}, [])
    return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Events have the time that the test says."""
    now = [1000.0]
    monkeypatch.setattr("loratui.lab.run.events.time.time", lambda: now[0])

    def go(seconds: float) -> None:
        now[0] += seconds

    return go


def test_nothing_is_live_where_nobody_trains(tmp_path: Path) -> None:
    assert LiveWatch(tmp_path / "nowhere").look() == ()
    frozen(tmp_path / "shapes")
    assert LiveWatch(tmp_path).look() == ()


def test_a_run_is_live_from_its_lock_to_its_end(tmp_path: Path, clock: Callable[[float], None]) -> None:
    run = frozen(tmp_path / "shapes")
    watch = LiveWatch(tmp_path)
    assert watch.look() == ()
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        (seen,) = watch.look()
        assert (seen.run, seen.project, seen.state.name, seen.loss) == (run, "shapes", "queued", None)

        log.emit("state", state="queued", ahead=2, holder="other", device="cuda:0")
        (seen,) = watch.look()
        assert (seen.state.name, seen.ahead, seen.device) == ("queued", 2, "cuda:0")

        log.emit("state", state="running", step=0, total=100, device="NVIDIA H100")
        for step in range(1, 21):
            clock(0.5)
            log.emit("step", step=step, loss=0.5, smoothed=0.25, it_s=2.0)
        (seen,) = watch.look()
        assert (seen.state.name, seen.state.step, seen.total, seen.ahead) == ("running", 20, 100, 0)
        assert (seen.loss, seen.device) == (0.25, "NVIDIA H100")
        assert seen.seconds_left == pytest.approx(40)

        log.emit("state", state="paused", step=20)
        assert watch.look()[0].state.paused
        log.emit("step", step=21, loss=math.nan, smoothed=math.nan)
        loss = watch.look()[0].loss
        assert loss is not None
        assert math.isnan(loss)
        log.emit("state", state="stopped", step=21)
        assert watch.look() == ()  # though its worker has the lock for a moment longer
    assert watch.look() == ()


def test_one_that_is_taken_up_again_is_live_again(tmp_path: Path) -> None:
    run = frozen(tmp_path / "shapes")
    with EventLog(run.events_file) as log:
        log.emit("state", state="running", step=0, total=100)
        log.emit("step", step=50, loss=0.5)
        log.emit("state", state="stopped", step=50)
        with RunLock(run.lock_file):
            log.emit("state", state="queued")
            (seen,) = LiveWatch(tmp_path).look()
            assert (seen.state.name, seen.state.step, seen.total) == ("queued", 50, 100)
            log.emit("state", state="running", step=40, total=100)
            (seen,) = LiveWatch(tmp_path).look()
            assert (seen.state.name, seen.state.step) == ("running", 40)


def test_a_worker_that_was_killed_is_not_live(tmp_path: Path, start: Callable[..., Process]) -> None:
    run = frozen(tmp_path / "shapes")
    worker = start(HOLD, str(run.lock_file))
    assert worker.says() == "held"
    watch = LiveWatch(tmp_path)
    assert [seen.run for seen in watch.look()] == [run]
    worker.kill()
    assert run.lock_file.read_text() != ""
    assert watch.look() == ()


def test_those_that_train_come_before_those_that_wait(tmp_path: Path) -> None:
    found = [frozen(tmp_path / name, name) for name in ("a", "b", "c", "d")]
    with ExitStack() as stack:
        for run, state in zip(found, ("queued", "running", "queued", "running"), strict=True):
            stack.enter_context(RunLock(run.lock_file))
            log = stack.enter_context(EventLog(run.events_file))
            log.emit("state", state=state, ahead=2 if run.project_folder.name == "a" else 1)
        assert [seen.project for seen in LiveWatch(tmp_path).look()] == ["b", "d", "c", "a"]


def test_runs_of_one_project_are_found_from_the_project_too(tmp_path: Path) -> None:
    run = frozen(tmp_path / "shapes")
    frozen(tmp_path / ".trash" / "old")
    with RunLock(run.lock_file):
        assert [seen.run for seen in LiveWatch(tmp_path / "shapes").look()] == [run]
        assert [seen.run for seen in LiveWatch(tmp_path).look()] == [run]
        assert LiveWatch(tmp_path / "shapes" / "runs").look() == ()


def test_a_run_that_is_made_while_one_looks_is_found(tmp_path: Path) -> None:
    watch = LiveWatch(tmp_path)
    watch.look()
    for name in ("a", "a", "b"):
        run = frozen(tmp_path / name)
        with RunLock(run.lock_file):
            assert [seen.run for seen in watch.look()] == [run]


def test_of_a_long_log_only_the_end_is_read_and_later_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = frozen(tmp_path / "shapes")
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        log.emit("state", state="running", step=0, total=9999, device="CPU")
        for step in range(1, 2001):
            log.emit("step", step=step, loss=0.5, smoothed=0.5, it_s=10.0)
        size = run.events_file.stat().st_size
        offsets: list[int] = []
        read = live.read_events

        def reading(path: Path, offset: int) -> object:
            offsets.append(offset)
            return read(path, offset)

        monkeypatch.setattr(live, "read_events", reading)
        watch = LiveWatch(tmp_path)
        (seen,) = watch.look()
        assert (seen.state.step, seen.total, seen.loss, seen.device) == (2000, 9999, 0.5, "CPU")
        log.emit("step", step=2001, loss=0.4, smoothed=0.45, it_s=10.0)
        (seen,) = watch.look()
        assert (seen.state.step, seen.loss) == (2001, 0.45)
        assert seen.seconds_left is not None
        assert offsets == [size, size]


def test_a_log_that_is_met_in_the_middle_of_a_line_loses_nothing(tmp_path: Path) -> None:
    run = frozen(tmp_path / "shapes")
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        log.emit("state", state="running", step=0, total=9999)
        for step in range(1, 2001):
            log.emit("step", step=step, loss=0.5, smoothed=0.5, it_s=10.0)
        with run.events_file.open("ab") as file:
            file.write(b'{"kind":"step","t":1,"st')
            file.flush()
            watch = LiveWatch(tmp_path)
            assert watch.look()[0].state.step == 2000
            file.write(b'ep":2001}\n')
            file.flush()
            assert watch.look()[0].state.step == 2001


def test_lines_that_someone_else_wrote_do_not_end_the_watch(tmp_path: Path) -> None:
    run = frozen(tmp_path / "shapes")
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        run.events_file.write_text(
            '{"kind":"step"}\n{"kind":"state","t":"x"}\n{"kind":"state","t":1,"state":["queued"],"ahead":"many"}\n'
            '{"kind":"step","t":1,"step":"x","loss":[],"it_s":"fast"}\nnonsense\n'
        )
        log.emit("step", step=3, loss=0.5)
        (seen,) = LiveWatch(tmp_path).look()
        assert (seen.state.step, seen.loss, seen.ahead, seen.total) == (3, 0.5, 0, 0)


def test_what_nobody_trains_costs_no_look_into_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        run = frozen(tmp_path / "shapes")
        with RunLock(run.lock_file):
            pass
    watch = LiveWatch(tmp_path)
    watch.look()
    looked: list[Path] = []
    monkeypatch.setattr(live, "is_locked", looked.append)
    monkeypatch.setattr(runs, "last_event", lambda path, kind: looked.append(path))
    assert watch.look() == ()
    assert looked == []


def test_the_total_of_one_that_waits_is_by_its_record(tmp_path: Path, tiny_model: Path) -> None:
    run = new_run(write_project(tmp_path / "shapes", tiny_model), "train.steps=77")
    with RunLock(run.lock_file):
        (seen,) = LiveWatch(tmp_path).look()
    assert seen.total == 77


# -- what is unfinished, and which run one means -----------------------------------------------------------------------


def test_the_last_unfinished_run_of_each_project_is_told(tmp_path: Path) -> None:
    first, second, third = (frozen(tmp_path / "shapes", name) for name in ("a", "b", "c"))
    other = frozen(tmp_path / "other")
    for run, state in ((first, "failed"), (second, "stopped"), (third, "finished"), (other, "finished")):
        with EventLog(run.events_file) as log:
            log.emit("state", state="running", step=0, total=10)
            log.emit("step", step=5, loss=0.5, smoothed=0.4)
            log.emit("state", state=state, step=5, reason="because")
    found = unfinished(tmp_path)
    newest = max((first, second), key=lambda run: run.id)
    assert [one.run for one in found] == [newest]
    assert (found[0].state.step, found[0].total, found[0].loss, found[0].live) == (5, 10, 0.4, False)
    assert unfinished(tmp_path / "shapes") == found
    with RunLock(newest.lock_file):
        assert [one.run for one in unfinished(tmp_path)] == [min((first, second), key=lambda run: run.id)]
    assert unfinished(tmp_path / "nowhere") == ()


def test_the_run_to_watch_is_the_one_given_or_the_live_or_the_newest(tmp_path: Path) -> None:
    project = tmp_path / "shapes"
    first, second = sorted((frozen(project, name) for name in ("a", "b")), key=lambda run: run.id)
    (project / "project.toml").touch()
    assert find_watched(first.path) == find_watched(first.record_file) == first
    assert find_watched(project) == find_watched(project / "project.toml") == second
    with RunLock(first.lock_file):
        assert find_watched(project) == first
    with pytest.raises(LabError, match="nowhere: no such run or project"):
        find_watched(tmp_path / "nowhere")
    with pytest.raises(LabError, match="there are no runs here; start one with: loratui --run "):
        find_watched(tmp_path)
