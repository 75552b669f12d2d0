"""Several runs by one command, in real processes: each has its own, and asking again goes on where it broke off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loratui.engine.export import payload_hash
from loratui.lab.run import launch
from loratui.lab.run.live import LiveWatch
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder, latest_resume, list_runs, read_state
from tests.commands import LIMIT, Bench, controls
from tests.processes import final_lora, losses, new_run, train, write_project

SMALL = """
[train]
steps = 4
log_every = 1
checkpoint_every = 2
device = "cpu"
[lora]
rank = 2
[sample]
every = "never"

[[variant]]
name = "broken"
train.precision = "fp16"
[[variant]]
name = "monster"
replace_tags = { myshape = "monster" }
[[variant]]
name = "same"
[matrix]
lora.rank = [2, 4]
"""
LONG = """
[train]
steps = 120
log_every = 1
checkpoint_every = 10
[lora]
rank = 2
[sample]
every = "never"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands run: an empty folder, with a cache of its own."""
    return tmp_path_factory.mktemp("series")


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    return Bench(home)


@pytest.fixture(scope="module")
def project(home: Path, tiny_model: Path) -> Path:
    return write_project(home / "shapes", tiny_model, SMALL)


@pytest.fixture(autouse=True)
def none_left(home: Path) -> Iterator[None]:
    yield
    for live in LiveWatch(home).look():
        launch.stop(live.run, "kill")


class Series:
    """The command in the background, its words in files."""

    def __init__(self, bench: Bench, *words: str) -> None:
        self._said, self._told = bench.home / "said.txt", bench.home / "told.txt"
        with self._said.open("wb") as said, self._told.open("wb") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "loratui", *words], cwd=bench.home, env=bench.environment,
                stdin=subprocess.DEVNULL, stdout=said, stderr=told, start_new_session=True,
                # Where the tests run in the background, every process they start would ignore ctrl-c.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    @property
    def said(self) -> str:
        """Its standard output."""
        return self._said.read_text(encoding="utf-8")

    @property
    def told(self) -> str:
        """Its standard error."""
        return self._told.read_text(encoding="utf-8")

    def wait(self) -> int:
        return self.process.wait(3 * LIMIT)

    def end(self, number: int) -> int:
        os.kill(self.process.pid, number)
        return self.wait()


def until(condition: Callable[[], object]) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + 3 * LIMIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def reached(project: Path, index: int, step: int) -> bool:
    runs = list_runs(project)
    return len(runs) > index and max(losses(runs[index]), default=0) >= step


def made_of(run: RunFolder) -> dict[str, Any]:
    return dict(run.read_record()["run"])


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_the_plan_alone_trains_nothing(bench: Bench, project: Path) -> None:
    outcome = bench("--run", "shapes", "--all-variants", "--plan")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    for words in ("as written", "monster", "captions: myshape → monster", 'trains what "as written"',
                  "3 runs to train, 12 steps; 1 the same as another",
                  "warning same: trains exactly what the project itself trains"):  # fmt: skip
        assert words in outcome.stdout, words
    assert list_runs(project) == []
    told = json.loads(bench("--run", "shapes", "--matrix", "--repeats", "2", "--plan", "--json").stdout)
    assert [run["label"] for run in told["runs"]] == [
        "rank=2", "rank=2, seed 1", "rank=4", "rank=4, seed 1",
    ]  # fmt: skip
    assert (told["total_steps"], told["runs"][2]["factors"]) == (16, ["lora.rank"])
    assert list_runs(project) == []


def test_what_cannot_be_asked_for_is_refused(bench: Bench, project: Path) -> None:
    assert 'there is no variant "monstr"; did you mean monster?' in bench.refuses(
        "--run", "shapes", "--variant", "monstr"
    )
    assert "leave out one of them" in bench.refuses("--run", "shapes", "--variant", "same", "--all-variants")
    assert "--repeats goes with --run" in bench.refuses("--check", "shapes", "--repeats", "2")
    assert "--dry-run tries one run, and these are 2" in bench.refuses("--run", "shapes", "--repeats", "2", "--dry-run")
    assert "this is not a run" in bench.refuses("--from", "shapes", "--set", "lora.rank=4")
    assert list_runs(project) == []


# -- training ---------------------------------------------------------------------------------------------------------


def test_one_that_fails_does_not_end_the_rest_and_asking_again_trains_what_is_left(bench: Bench, project: Path) -> None:
    series = Series(bench, "--run", "shapes", "--all-variants", "--json")
    assert series.wait() == 2, series.told
    told = json.loads(series.said)
    assert told["exit_code"] == 2
    assert [(run["label"], run["state"], run["exit_code"]) for run in told["runs"]] == [
        ("as written", "finished", 0), ("broken", "failed", 2), ("monster", "finished", 0), ("same", "finished", 0),
    ]  # fmt: skip
    written, broken, monster = list_runs(project)
    assert [made_of(run).get("variant") for run in (written, broken, monster)] == [
        None,
        "broken",
        "monster",
    ]
    assert [read_state(run).name for run in (written, broken, monster)] == ["finished", "failed", "finished"]
    for words in ("2 of 3: broken", "broken: ", "does not train on a CPU"):
        assert words in series.told, words

    again = bench("--run", "shapes", "--variant", "monster", "same")
    assert again.returncode == 0, again.stderr
    assert "nothing is left to train" in again.stdout
    assert again.stdout.count("✓ finished before") == 2
    assert list_runs(project) == [written, broken, monster]

    plain = bench("--run", "shapes")  # without variants or repeats it is a new run each time
    assert plain.returncode == 0
    assert len(list_runs(project)) == 4


def test_a_run_again_with_one_change_knows_where_it_came_from(bench: Bench, home: Path, tiny_model: Path) -> None:
    project = write_project(home / "parents", tiny_model, SMALL)
    assert bench("--run", "parents", "--variant", "monster").returncode == 0
    (parent,) = list_runs(project)
    place = str(parent.path.relative_to(home))
    plan = bench("--from", place, "--set", "train.steps=3", "--set", "lora.rank=4", "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "lora.rank: 2 → 4" in plan.stdout
    assert "warning 2 factors differ from the parent" in " ".join(plan.stdout.split())
    assert "nothing differs from this run" in bench.refuses("--from", place)
    assert list_runs(project) == [parent]

    outcome = bench("--from", place, "--set", "train.steps=3")
    assert outcome.returncode == 0, outcome.stderr
    assert "train.steps: 4 → 3" in outcome.stdout
    child = list_runs(project)[-1]
    said = child.read_record()["run"]
    assert (said["parent"], said["variant"]) == (parent.id, "monster")
    assert said["changes_from_parent"] == ["train.steps: 4 → 3"]
    assert read_state(child).step == 3


def test_a_variant_can_be_tried_out(bench: Bench, home: Path, tiny_model: Path) -> None:
    project = write_project(home / "tried", tiny_model, SMALL)
    outcome = bench("--run", "tried", "--variant", "monster", "--dry-run")
    assert outcome.returncode == 0, outcome.stderr
    assert "nothing was kept" in outcome.stdout
    assert list_runs(project) == []


# -- broken off -------------------------------------------------------------------------------------------------------


def test_a_series_that_is_killed_goes_on_to_the_same_bits(bench: Bench, home: Path, tiny_model: Path) -> None:
    project = write_project(home / "killed", tiny_model, LONG)
    series = Series(bench, "--run", "killed", "--repeats", "2")
    until(lambda: reached(project, 0, 15))
    assert series.end(signal.SIGKILL) == -signal.SIGKILL
    first, second = list_runs(project)  # all are frozen before the first begins
    assert is_locked(first.lock_file)  # its worker is a process of its own, and goes on
    launch.stop(first, "kill")
    half = read_state(first)
    assert half.name == "interrupted"

    series = Series(bench, "--run", "killed", "--repeats", "2")
    until(lambda: reached(project, 1, 15))  # the first went on and is finished
    assert f"at step {half.step}" in series.said
    assert (read_state(first).name, read_state(second).name) == ("finished", "running")
    assert series.end(signal.SIGKILL) == -signal.SIGKILL

    series = Series(bench, "--run", "killed", "--repeats", "2")  # the worker of the second still lives
    assert series.wait() == 0, series.told
    assert "being trained already" in series.said
    assert [read_state(run).name for run in list_runs(project)] == ["finished", "finished"]
    assert list_runs(project) == [first, second]

    whole = new_run(project)
    assert train(whole) == 0
    assert losses(first) == losses(whole)
    assert payload_hash(final_lora(first)) == payload_hash(final_lora(whole))
    assert losses(second).keys() == losses(whole).keys()
    assert losses(second) != losses(whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_live_run_and_ends_the_series(
    bench: Bench, home: Path, tiny_model: Path, number: int, code: int
) -> None:
    project = write_project(home / f"stopped-{code}", tiny_model, LONG)
    series = Series(bench, "--run", project.name, "--repeats", "3")
    until(lambda: reached(project, 0, 3))
    assert series.end(number) == code
    (run,) = list_runs(project)  # what was not begun is gone
    state = read_state(run)
    assert state.name == "stopped"
    assert not is_locked(run.lock_file)
    assert latest_resume(run) == run.resume_folder(state.step)
    assert "not begun" in series.said
    assert "the same command again goes on" in series.said
    assert "Traceback" not in series.said + series.told


def test_nothing_odd_in_a_project_reaches_the_plan(bench: Bench, home: Path, tiny_model: Path) -> None:
    odd = write_project(home / "od\x1b]0;owned\x07d \u202e[bold]", tiny_model, SMALL)
    text = (odd / "project.toml").read_text(encoding="utf-8")
    text = text.replace('"monster" }', '"mon\\u001b[2J\\u202e[red]" }')
    (odd / "project.toml").write_text(text, encoding="utf-8")
    outcome = bench("--run", odd.name, "--all-variants", "--plan")
    assert outcome.returncode == 0, outcome.stderr
    assert controls(outcome.stdout) == set()
    assert "[red]" in outcome.stdout


def test_a_series_starts_detached_and_waits_for_the_device_in_order(home: Path, tiny_model: Path) -> None:
    from loratui.lab.run.lock import device_name, device_turn
    from loratui.lab.run.queue import tickets
    from loratui.lab.run.series import wanted_runs

    project = write_project(home / "detached", tiny_model, LONG)
    with device_turn(device_name("auto"), label="someone else"):
        started = launch.start_wanted(wanted_runs(project, repeats=2))
        until(lambda: len(tickets()) == 3)
        assert [ticket.run for ticket in tickets()][1:] == [run.path for run in started]
        assert [made_of(run).get("repeat", 0) for run in started] == [0, 1]
        assert launch.start_wanted(wanted_runs(project, repeats=2)) == []  # they are on their way
        launch.stop(started[1], "ask")
        until(lambda: not is_locked(started[1].lock_file))
        assert launch.start_wanted(wanted_runs(project, repeats=2)) == [started[1]]
        for run in started:
            launch.stop(run, "kill")
