"""A run folder: unique, frozen before the first step, its state told by its log and lock, its training state kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.files import atomic_path
from loratui.lab.run.events import EventLog
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import (
    RunFolder,
    create_run,
    damage_of,
    find_run,
    latest_resume,
    list_runs,
    prune_resume,
    read_state,
    remove_leftovers,
    resumes,
    saving_resume,
)

RECORD = {
    "run": {"name": "myshape", "created": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)},
    "settings": {
        "question": 'say "hi"\n\x1b',
        "train": {"learning_rate": 1e-4, "epochs": 10},
        "sample": {"seeds": [1, 2]},
    },
    "model": {"name": "tinyworld", "hash": {"unet": "ab" * 32}},
    "versions": {"loratui": "0.1.0"},
}
CAPTIONS = [
    {"name": "1.png", "sha256": "11" * 32, "caption": "myshape, 灰色\nsecond line", "repeats": 25},
    {"name": "[odd] name.png", "sha256": "22" * 32, "caption": "", "repeats": 25},
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path, "myshape")


def frozen(project: Path, name: str, now: datetime | None = None) -> RunFolder:
    run = create_run(project, name, now)
    run.freeze(RECORD, CAPTIONS)
    return run


def save_state(run: RunFolder, step: int) -> None:
    with saving_resume(run, step) as folder:
        (folder / "optimizer").write_text(str(step))


def test_a_run_has_a_name_that_sorts_by_time_and_says_what_it_is(tmp_path: Path) -> None:
    there = timezone(timedelta(hours=2))
    first = create_run(tmp_path, "Grey shapes: ../monster", datetime(2025, 1, 2, 3, 4, 5, tzinfo=there))
    later = create_run(tmp_path, "a", datetime(2025, 1, 2, 1, 4, 6, tzinfo=UTC))
    assert first.path.parent == tmp_path / "runs"
    assert first.id[:-4] == "20250102-010405-grey-shapes-monster-"
    assert first.id < later.id
    assert first.project_folder == tmp_path
    assert create_run(tmp_path, "///").id.split("-")[2] == "run"
    assert len(create_run(tmp_path, "ü" * 300).id.encode()) < 255


def test_runs_made_at_the_same_moment_are_different_runs(tmp_path: Path) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_run(tmp_path, "same", now), range(300)))
    assert len({run.id for run in made}) == 300
    assert all(run.samples.is_dir() for run in made)


def test_a_place_where_no_run_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LabError, match=str(tmp_path / "runs")):
        create_run(tmp_path, "x")


def test_what_is_frozen_is_what_is_read(run: RunFolder) -> None:
    run.freeze(RECORD, CAPTIONS)
    assert run.read_record() == RECORD
    assert run.read_captions() == CAPTIONS


def test_a_frozen_run_never_changes(run: RunFolder) -> None:
    run.freeze(RECORD, CAPTIONS)
    before = run.record_file.read_bytes(), run.captions_file.read_bytes()
    with pytest.raises(LabError, match=r"run\.toml.*frozen"):
        run.freeze({"settings": {}}, [])
    assert (run.record_file.read_bytes(), run.captions_file.read_bytes()) == before


def test_a_file_name_that_is_no_text_is_refused_in_words(run: RunFolder) -> None:
    with pytest.raises(LabError, match=r"captions\.toml.*rename"):
        run.freeze(RECORD, [{"name": os.fsdecode(b"caf\xe9.png")}])
    assert not run.is_frozen


def test_a_damaged_record_is_named_with_its_place(run: RunFolder) -> None:
    with pytest.raises(LabError, match=r"run\.toml: missing"):
        run.read_record()
    run.record_file.write_text("a = 1\nb = = 2\n")
    with pytest.raises(LabError, match=r"run\.toml.*line 2"):
        run.read_record()


def test_only_frozen_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    first = frozen(tmp_path, "z", datetime(2025, 1, 1, tzinfo=UTC))
    second = frozen(tmp_path, "a", datetime(2025, 2, 1, tzinfo=UTC))
    create_run(tmp_path, "not-frozen-yet")
    (tmp_path / "runs" / "notes.txt").write_text("mine")
    assert list_runs(tmp_path) == [first, second]


def test_a_run_is_found_by_path_id_part_of_the_id_or_as_the_last(tmp_path: Path) -> None:
    monster = frozen(tmp_path, "monster", datetime(2025, 1, 1, tzinfo=UTC))
    shape = frozen(tmp_path, "myshape", datetime(2025, 2, 1, tzinfo=UTC))
    for which in (str(monster.path), monster.id, "monster", "20250101"):
        assert find_run(tmp_path, which) == monster
    assert find_run(tmp_path, "last") == shape
    with pytest.raises(LabError, match=r"several runs match.*monster.*myshape"):
        find_run(tmp_path, "2025")
    with pytest.raises(LabError, match=r"'nosuch': there is no such run; runs: .*monster"):
        find_run(tmp_path, "nosuch")


def test_a_run_nobody_took_up_is_queued(run: RunFolder) -> None:
    assert read_state(run).name == "queued"


def test_the_state_follows_the_worker(run: RunFolder) -> None:
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        assert read_state(run).name == "queued"
        log.emit("state", state="queued")
        assert read_state(run).name == "queued"
        log.emit("state", state="running", step=0)
        log.emit("step", step=40, loss=0.1)
        state = read_state(run)
        assert (state.name, state.paused, state.step, state.is_final) == ("running", False, 40, False)
        log.emit("state", state="paused", step=41)
        state = read_state(run)
        assert (state.name, state.paused, state.step) == ("running", True, 41)
        log.emit("state", state="failed", reason="out of memory")
    state = read_state(run)
    assert (state.name, state.paused, state.reason, state.is_final) == ("failed", False, "out of memory", True)


def test_a_worker_killed_at_any_point_leaves_an_interrupted_run(run: RunFolder) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from loratui.lab.run.events import EventLog; from loratui.lab.run.lock import RunLock\n"
        "from loratui.lab.run.runs import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1]))\n"
        "with RunLock(run.lock_file), EventLog(run.events_file) as log:\n"
        "    if sys.argv[2] == 'training': log.emit('state', state='running', step=0); log.emit('step', step=7)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    for point, step in (("start", 0), ("training", 7)):
        killed = subprocess.run([sys.executable, "-c", script, str(run.path), point])
        assert killed.returncode == -signal.SIGKILL
        assert (read_state(run).name, read_state(run).step) == ("interrupted", step)


def test_a_resumed_run_is_no_longer_what_it_ended_as(run: RunFolder) -> None:
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        log.emit("state", state="stopped", step=5)
        log.emit("state", state="queued")
        assert read_state(run).name == "queued"
        log.emit("state", state="running", step=5)
        assert read_state(run).name == "running"


def test_the_two_newest_training_states_are_kept(run: RunFolder) -> None:
    assert latest_resume(run) is None
    for step in (50, 100, 999_999, 1_000_000):
        save_state(run, step)
    assert [step for step, _ in resumes(run)] == [1_000_000, 999_999]
    latest = latest_resume(run)
    assert latest == run.resume_folder(1_000_000)
    assert (latest / "optimizer").read_text() == "1000000"
    assert len(list(run.resume.iterdir())) == 2


def test_the_same_step_can_be_saved_again(run: RunFolder) -> None:
    save_state(run, 5)
    with saving_resume(run, 5) as folder:
        (folder / "optimizer").write_text("again")
    assert (run.resume_folder(5) / "optimizer").read_text() == "again"
    assert [path.name for path in run.resume.iterdir()] == ["step-000005"]


def test_a_save_that_fails_changes_nothing(run: RunFolder) -> None:
    save_state(run, 5)
    with pytest.raises(OSError, match="full"), saving_resume(run, 10) as folder:
        (folder / "optimizer").write_text("ha")
        raise OSError("disk full")
    assert latest_resume(run) == run.resume_folder(5)
    assert [path.name for path in run.resume.iterdir()] == ["step-000005"]


def test_a_save_killed_in_the_middle_is_never_resumed_from_and_is_cleared_by_the_next(run: RunFolder) -> None:
    save_state(run, 5)
    script = (
        "import os, signal, sys; from pathlib import Path; from loratui.lab.run.runs import RunFolder, saving_resume\n"
        "with saving_resume(RunFolder(Path(sys.argv[1])), 10) as folder:\n"
        "    (folder / 'optimizer').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(run.path)]).returncode == -signal.SIGKILL
    (run.resume / "step-000007").mkdir()  # complete by name only
    assert len(list(run.resume.iterdir())) == 3
    assert latest_resume(run) == run.resume_folder(5)
    save_state(run, 15)
    assert sorted(path.name for path in run.resume.iterdir()) == ["step-000005", "step-000015"]


def test_pruning_leaves_alone_what_it_does_not_know(run: RunFolder) -> None:
    (run.resume / "mine").mkdir()
    (run.resume / "note.txt").write_text("x")
    prune_resume(run)
    assert {path.name for path in run.resume.iterdir()} == {"mine", "note.txt"}


def test_leftovers_of_a_killed_worker_are_removed_and_nothing_else(run: RunFolder) -> None:
    (run.samples / "base").mkdir()
    for folder in (run.checkpoints, run.samples, run.samples / "base"):
        for name in (".step-1.png.abc.part", "step-1.png", ".mine"):
            (folder / name).touch()
    remove_leftovers(run)
    for folder in (run.checkpoints, run.samples, run.samples / "base"):
        assert {path.name for path in folder.iterdir()} - {"base"} == {"step-1.png", ".mine"}


def test_runs_made_in_one_second_are_listed_in_the_order_they_were_made(tmp_path: Path) -> None:
    made = [create_run(tmp_path, "one", datetime(2026, 1, 1, 12, 0, 59, tzinfo=UTC)) for _ in range(12)]
    assert [run.id for run in made] == sorted(run.id for run in made)


def test_a_run_made_after_the_clock_was_put_back_is_the_newest_all_the_same(tmp_path: Path) -> None:
    before = create_run(tmp_path, "z", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    after = create_run(tmp_path, "a", datetime(2025, 1, 1, tzinfo=UTC))
    assert before.id < after.id
    assert after.id.startswith("20260201-000000-a-")
    assert create_run(tmp_path, "b", datetime(2026, 3, 1, tzinfo=UTC)).id.startswith("20260301-000000-b-")


def test_a_name_that_somebody_made_up_keeps_no_run_from_being_made(tmp_path: Path) -> None:
    for name in ("99999999-999999-x", "notes", "99991231-235959-x"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        assert create_run(tmp_path, "b", datetime(2026, 3, 1, tzinfo=UTC)).path.is_dir()


def test_a_state_says_by_itself_whether_it_is_as_it_was_written(run: RunFolder) -> None:
    save_state(run, 5)
    state = run.resume_folder(5)
    assert damage_of(state) == ""
    assert subprocess.run(["sha256sum", "-c", "--quiet", "COMPLETE"], cwd=state).returncode == 0
    (state / "optimizer").write_text("other")
    assert damage_of(state) == "optimizer is not as it was written"
    (state / "optimizer").unlink()
    assert damage_of(state) == "optimizer is missing"
    (state / "COMPLETE").write_text("0" * 64 + "  ../../thesis.txt\n")
    assert "not as it was written" in damage_of(state)


def test_what_is_no_log_is_said_and_waited_for_by_nobody(run: RunFolder) -> None:
    os.mkfifo(run.events_file)
    os.mkfifo(run.lock_file)
    state = read_state(run)
    assert (state.name, state.reason) == ("interrupted", f"{run.events_file}: a FIFO and no regular file")


def test_what_a_live_writer_is_writing_is_no_leftover(run: RunFolder) -> None:
    with atomic_path(run.samples / "a.png") as part:
        part.write_text("half")
        remove_leftovers(run)
        assert part.exists()
    assert (run.samples / "a.png").read_text() == "half"


def test_nothing_is_pruned_or_removed_through_a_link(run: RunFolder, tmp_path: Path) -> None:
    run.freeze(RECORD, CAPTIONS)
    victim = tmp_path / "home"
    (victim / "step-000001").mkdir(parents=True)
    (victim / ".x.part").mkdir()
    run.resume.rmdir()
    run.resume.symlink_to(victim)
    for doing in (remove_leftovers, prune_resume, resumes):
        with pytest.raises((OSError, LabError), match=r"resume.*symbolic link|symbolic link.*resume"):
            doing(run)
    assert sorted(path.name for path in victim.iterdir()) == [".x.part", "step-000001"]
