"""Runs that other processes train, seen from the plain command line: --status, --attach and --stop."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loratui.lab.run import launch
from loratui.lab.run.events import EventLog, read_series
from loratui.lab.run.live import LiveWatch
from loratui.lab.run.lock import RunLock, device_name, device_turn, is_locked
from loratui.lab.run.runs import RunFolder, list_runs, read_state
from tests.commands import LIMIT, Bench, Terminal, assert_only_its_own_sequences, controls, plain_text
from tests.processes import new_run, write_project

QUIET = ("sample.every=never", "train.log_every=1", "lora.rank=2", "train.checkpoint_every=end")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Runs commands in a folder of the test's own; no worker below it outlives the test."""
    yield Bench(tmp_path)
    for live in LiveWatch(tmp_path / "projects").look():
        launch.stop(live.run, "kill")


@pytest.fixture
def project(bench: Bench, tiny_model: Path) -> Path:
    return write_project(bench.home / "projects" / "shapes", tiny_model)


def told(run: RunFolder, *events: tuple[str, dict[str, object]]) -> RunFolder:
    """The run with a log that says this."""
    with EventLog(run.events_file) as log:
        for kind, fields in events:
            log.emit(kind, **fields)
    run.lock_file.touch()
    return run


def began(total: int, step: int = 0) -> tuple[str, dict[str, object]]:
    return "state", {"state": "running", "step": step, "total": total, "device": "CPU", "arithmetic": "one and one"}


def stepped(step: int) -> tuple[str, dict[str, object]]:
    return "step", {"step": step, "epoch": 1, "loss": 0.5, "smoothed": 0.25, "lr": 1e-4, "it_s": 2.0, "memory": 1}


def ended(state: str, step: int, **fields: object) -> tuple[str, dict[str, object]]:
    return "state", {"state": state, "step": step, "seconds": 12.0, "log": "log.txt", **fields}


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# -- the whole story ---------------------------------------------------------------------------------------------------


def test_a_live_run_is_listed_watched_left_and_stopped(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=1000000")
    launch.start(run)
    terminal = Terminal(bench, "--attach", "projects/shapes")
    terminal.read_until(r"[1-9]\d*/1000000 .* left")
    assert "\x1b[1A" in terminal.seen  # progress that is drawn over
    terminal.press(b"\x03")
    assert terminal.end() == 130
    for words in ("detached; the run goes on (running, step ", f"loratui --attach projects/shapes/runs/{run.id}",
                  f"loratui --stop projects/shapes/runs/{run.id}"):  # fmt: skip
        assert words in terminal.last_lines
    assert_only_its_own_sequences(terminal.seen)
    assert is_locked(run.lock_file)

    outcome = bench("--status")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    header, line = outcome.stdout.splitlines()
    assert header.split() == ["state", "step", "%", "loss", "left", "device", "project", "run"]
    pattern = rf"▶ running +\d+/1000000 +0 +\d\.\d+ +[\d:]+ +CPU.* +shapes +projects/shapes/runs/{run.id}"
    assert re.fullmatch(pattern, line), line

    # Another one watches in a pipe, from the first line to the last, while it is asked to stop.
    command = [sys.executable, "-m", "loratui", "--attach", str(run.path)]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=bench.home,
                               env=bench.environment, encoding="utf-8")  # fmt: skip
    gone = Terminal(bench, "--attach", str(run.path))
    gone.read_until(r"/1000000 .* left")
    gone.hang_up()  # nobody else minds
    asked = bench("--stop", "projects/shapes")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "asked to save and end" in asked.stdout
    output, errors = watcher.communicate(timeout=LIMIT)
    state = read_state(run)
    assert (watcher.returncode, errors, state.name) == (143, "", "stopped")
    for words in ("training on CPU", "step 1/1000000 ", f"stopped at step {state.step} of 1000000: it was asked to",
                  f"steps       {state.step} of 1000000", "go on with: loratui --resume projects/"):  # fmt: skip
        assert words in output
    assert controls(output) == set()
    assert max(read_series(run.events_file).steps) == state.step

    assert re.search(rf"■ stopped +{state.step}/1000000 .* shapes ", bench("--status").stdout)
    assert "nobody is training this run (stopped)" in bench.refuses("--stop", str(run.path))


def test_a_run_that_waits_is_listed_and_watched_until_it_is_stopped(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET)
    with device_turn(device_name("auto"), label="someone else") as mine:
        assert mine
        launch.start(run)
        terminal = Terminal(bench, "--attach", str(run.path))
        terminal.read_until(r"waiting for \S+ behind 1: someone else")
        line = bench("--status").stdout.splitlines()[-1]
        assert re.match(r"◌ queued +0/3\d* +0 +- +- +\S+, behind 1 +shapes ", line), line
        launch.stop(run, "ask")
        assert terminal.end() == 143
    assert "stopped: stopped while it waited for its turn" in plain_text(terminal.seen)


# -- status ------------------------------------------------------------------------------------------------------------


def test_status_of_nothing_says_what_to_do(bench: Bench) -> None:
    outcome = bench("--status")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "nothing is being trained, nothing waits, nothing is unfinished" in outcome.stdout
    assert "loratui --run PROJECT" in outcome.stdout
    assert json.loads(bench("--status", "--json").stdout)["runs"] == []
    assert "nowhere: there is no such folder" in bench.refuses("--status", "nowhere")
    assert not (bench.home / ".local").exists()


def test_a_run_whose_log_cannot_be_read_is_named_and_hides_no_other(
    bench: Bench, project: Path, tiny_model: Path
) -> None:
    odd = new_run(project, *QUIET)
    os.mkfifo(odd.events_file)
    odd.lock_file.touch()
    other = told(new_run(write_project(project.parent / "other", tiny_model), *QUIET), began(9), stepped(1))
    outcome = bench("--status", "projects")
    assert outcome.returncode == 0
    assert f"{odd.events_file}: a FIFO and no regular file" in outcome.stdout
    assert other.id in outcome.stdout


def test_status_as_json_tells_all_of_it(bench: Bench, project: Path) -> None:
    run = told(new_run(project, *QUIET), began(40), stepped(10), ("state", {"state": "paused", "step": 10}))
    old = told(new_run(project, *QUIET), began(9), ("step", {"step": 3, "loss": float("nan")}))
    with RunLock(run.lock_file):
        outcome = bench("--status", "projects", "--json")
    said = json.loads(outcome.stdout)
    assert said["folder"] == str(project.parent)
    paused, dead = said["runs"]
    assert paused == {
        "run": str(run.path), "project": "shapes", "state": "running", "paused": True, "live": True, "step": 10,
        "total": 40, "loss": 0.25, "seconds_left": 15.0, "device": "CPU", "ahead": 0, "reason": "",
    }  # fmt: skip
    assert (dead["run"], dead["state"], dead["live"], dead["loss"]) == (str(old.path), "interrupted", False, "nan")


def test_status_shows_odd_names_harmlessly_and_in_columns(bench: Bench, tiny_model: Path) -> None:
    for name in ("sh\x1b[2Jape\u202e", "图图图"):
        project = write_project(bench.home / "projects" / name, tiny_model)
        told(new_run(project, *QUIET), began(40), stepped(10), ended("failed", 10, reason="\x1b]0;x\x07"))
    outcome = bench("--status")
    header, *lines = outcome.stdout.splitlines()
    assert controls(outcome.stdout) == set()
    assert len(lines) == 2
    assert all(line.startswith("✗ failed") for line in lines)
    chinese = next(line for line in lines if "图" in line)
    assert chinese[: chinese.index("projects/")].count("图") == 3
    assert chinese.index("projects/") + 3 == header.index("run", header.index("project"))  # each is two columns wide


# -- attach ------------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_told_from_its_start_with_the_code_of_its_end(bench: Bench, project: Path) -> None:
    run = told(new_run(project, *QUIET), began(2), stepped(1), stepped(2),
               ended("finished", 2, total=2, reason="finished", exit_code=0))  # fmt: skip
    outcome = bench("--attach", "projects/shapes")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines()[:3] == [f"run projects/shapes/runs/{run.id}", "one and one", "training on CPU"]
    for words in ("step 1/2 epoch 1 loss 0.5000", "finished, 0:12 in all", "steps       2 of 2"):
        assert words in outcome.stdout
    as_json = bench("--attach", str(run.record_file), "--json")
    assert json.loads(as_json.stdout)["state"] == "finished"
    assert as_json.stdout.count("\n") == 1
    assert "training on CPU" in as_json.stderr


def test_a_finished_run_that_more_pictures_were_drawn_of_is_finished_all_the_same(bench: Bench, project: Path) -> None:
    sample = ("sample", {"step": 4, "path": "samples/step-000004/p00.png"})
    run = told(new_run(project), began(4), stepped(4), ended("finished", 4, exit_code=0), sample)
    outcome = bench("--attach", str(run.path))
    assert outcome.returncode == 0, outcome.stdout
    assert "interrupted" not in outcome.stdout
    assert "finished, 0:12 in all" in outcome.stdout


def test_a_failed_run_says_why_where_errors_are_told(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET)
    told(run, began(2), stepped(1), ended("failed", 1, reason="the \x1b[2Jimage is gone", exit_code=2))
    outcome = bench("--attach", str(run.path))
    assert (outcome.returncode, outcome.stderr) == (2, "the ␛[2Jimage is gone\n")
    assert "failed" in outcome.stdout
    assert controls(outcome.stdout) == set()


def test_earlier_sittings_are_told_too_and_only_the_last_end_counts(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET)
    told(run, began(9), stepped(1), ended("stopped", 1, total=9, reason="SIGINT", exit_code=130))
    told(run, ("state", {"state": "queued"}), began(9, 1), stepped(2), ended("stopped", 2, total=9, reason="SIGTERM"))
    outcome = bench("--attach", str(run.path))
    assert outcome.returncode == 143
    first, second = (
        outcome.stdout.index(f"stopped at step {step} of 9: {why}") for step, why in ((1, "ctrl-c"), (2, "SIGTERM"))
    )
    assert first < outcome.stdout.index("going on from step 1 of 9") < second
    assert outcome.stdout.count("steps       ") == 1

    terminal = Terminal(bench, "--attach", str(run.path))
    assert terminal.end() == 143
    assert plain_text(terminal.seen).count("stopped at step") == 2
    assert terminal.seen.count("\x1b[?25l") == terminal.seen.count("\x1b[?25h") == 1  # one live region, to the end


def test_a_run_that_nobody_trains_says_what_to_do(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET)
    outcome = bench("--attach", str(run.path))
    assert outcome.returncode == 1
    assert f"no worker has taken this run up yet; start it with: loratui --resume projects/shapes/runs/{run.id}" in (
        outcome.stdout
    )
    told(run, began(9), stepped(4))
    outcome = bench("--attach", str(run.path))
    assert outcome.returncode == 1
    assert "interrupted at step 4: its worker is gone; go on with: loratui --resume " in outcome.stdout
    assert json.loads(bench("--attach", str(run.path), "--json").stdout) == {
        "state": "interrupted", "step": 4, "run": str(run.path),
    }  # fmt: skip


def test_what_is_no_run_is_not_attached_to(bench: Bench, project: Path) -> None:
    assert "nowhere: no such run or project" in bench.refuses("--attach", "nowhere")
    assert "there are no runs here; start one with: loratui --run projects/shapes" in (
        bench.refuses("--attach", "projects/shapes")
    )
    assert "--json goes with" in bench.refuses("--stop", "x", "--json")


# -- the worker --------------------------------------------------------------------------------------------------------


def test_a_worker_tells_nobody_but_its_folder(bench: Bench, project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=2")
    outcome = bench("--worker", str(run.path))
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert read_state(run).name == "finished"
    assert "step 2/2" in run.log_file.read_text(encoding="utf-8")
    assert "run.toml: missing" in bench.refuses("--worker", "projects/shapes")
    assert list_runs(project) == [run]
