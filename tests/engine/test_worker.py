"""What a run does when it is asked, signalled, starved or broken: it obeys, it saves, and it says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.engine.export import payload_hash
from loratui.lab.run import requests
from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder, latest_resume, list_runs, read_state
from tests.processes import SERVER, _child, final_lora, losses, new_run, train, write_project

QUIET = ("sample.every=never", "train.log_every=1", "lora.rank=2")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return write_project(tmp_path_factory.mktemp("worker") / "shapes", tiny_model)


def until(condition: Callable[[], object], limit: float = 60) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def events(run: RunFolder, kind: str) -> list[dict]:  # type: ignore[type-arg]
    return [event for event in read_events(run.events_file)[0] if event["kind"] == kind]


def start(run: RunFolder):  # type: ignore[no-untyped-def]
    child = SERVER.Process(target=_child, args=(run.path, 0, "", dict(os.environ)))
    child.start()
    return child


def test_requests_to_a_live_run(project: Path) -> None:
    run = new_run(project, *QUIET[1:], "train.steps=100000", "train.checkpoint_every=end", "sample.every=end",
                  "sample.inference_steps=[1]", "sample.seeds=[1]")  # fmt: skip
    worker = start(run)
    until(lambda: losses(run))

    requests.post(run, "checkpoint")
    until(lambda: list(run.checkpoints.glob("*.safetensors")))

    requests.post(run, "sample", {"prompts": ["square --d 9 --s 2"]})
    until(lambda: list(run.samples.glob("step-*/p03-seed9-steps2*")))

    requests.post(run, "pause")
    until(lambda: read_state(run).paused)
    held = max(losses(run))
    assert latest_resume(run) is not None
    (run.requests / "pause").unlink()
    until(lambda: max(losses(run)) > held)

    requests.post(run, "stop")
    worker.join(60)
    assert worker.exitcode == 143
    state = read_state(run)
    assert (state.name, state.reason) == ("stopped", "stop")
    assert final_lora(run).name == f"step-{state.step:06d}.safetensors"
    assert requests.pending(run) == {}


def test_a_stopped_run_goes_on_where_it_was(project: Path) -> None:
    whole = new_run(project, *QUIET, "train.steps=30")
    assert train(whole) == 0
    run = new_run(project, *QUIET, "train.steps=30")
    worker = start(run)
    until(lambda: losses(run))
    requests.post(run, "stop")
    worker.join(60)
    assert worker.exitcode == 143
    assert train(run) == 0
    assert losses(run) == losses(whole)
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_stops(project: Path, number: int, code: int) -> None:
    before = set(list_runs(project))
    command = [sys.executable, "-m", "loratui", "--run", str(project), "--json"]
    for setting in (*QUIET, "train.steps=100000"):
        command += ["--set", setting]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: set(list_runs(project)) - before)
    run = (set(list_runs(project)) - before).pop()
    until(lambda: losses(run))
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    record = json.loads(output)
    assert record["state"] == "stopped"
    assert record["step"] == read_state(run).step == max(losses(run))
    assert Path(record["lora"]).is_file()


def test_a_second_signal_ends_it_at_once_on_the_last_state(project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=100000")
    requests.post(run, "pause")  # holds the worker where a first signal would let it save and leave
    worker = start(run)
    until(lambda: read_state(run).paused)
    os.kill(worker.pid, signal.SIGSTOP)  # so that both signals are waiting before it can act on the first
    os.kill(worker.pid, signal.SIGINT)
    os.kill(worker.pid, signal.SIGTERM)
    os.kill(worker.pid, signal.SIGCONT)
    worker.join(60)
    assert worker.exitcode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert read_state(run).name == "interrupted"
    assert latest_resume(run) is not None


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=200", "train.learning_rate=10", "train.max_grad_norm=0",
                  "lora.targets=conv", "lora.alpha=100000", "train.checkpoint_every=1")  # fmt: skip
    assert train(run) == 1
    state = read_state(run)
    assert state.name == "failed"
    assert "the loss is" in state.reason
    assert ".png" in state.reason
    assert "train.learning_rate = 10" in state.reason
    good = max(losses(run))
    assert f"step {good + 1}:" in state.reason
    assert final_lora(run).name == f"step-{good:06d}.safetensors"
    assert latest_resume(run).name == f"step-{good:06d}"  # type: ignore[union-attr]


def test_a_failed_sample_does_not_end_the_training(project: Path) -> None:
    run = new_run(
        project, *QUIET[1:], "train.steps=4", "sample.every=2", "sample.inference_steps=[1]", "sample.seeds=[1]"
    )
    (run.samples / "step-000002").write_text("in the way", encoding="utf-8")
    assert train(run) == 0
    warnings = [event["text"] for event in events(run, "warning")]
    assert "sampling at step 2 failed" in warnings[0]
    assert warnings[-1].startswith("not whole: 4 of what the plan promised is missing or damaged")
    assert all("missing" in warning and "--checkpoint 2 draws it" in warning for warning in warnings[1:-1])
    assert events(run, "state")[-1]["whole"] is False
    assert list(run.samples.glob("step-000004/*.png"))


def test_max_minutes_finishes_early_with_everything_saved(project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=100000", "train.max_minutes=0.02")
    assert train(run) == 0
    state = read_state(run)
    assert (state.name, state.reason) == ("finished", "max_minutes")
    assert final_lora(run).name == f"step-{state.step:06d}.safetensors"


def test_two_workers_never_share_a_run(project: Path) -> None:
    run = new_run(project, *QUIET, "train.steps=100000")
    worker = start(run)
    until(lambda: losses(run))
    assert train(run) == 1  # LabError, raised before anything is written
    requests.post(run, "stop")
    worker.join(60)
    assert worker.exitcode == 143


def test_runs_on_one_device_take_turns(project: Path) -> None:
    first, second = (new_run(project, *QUIET, "train.steps=100000") for _ in range(2))
    one = start(first)
    until(lambda: losses(first))
    two = start(second)
    until(lambda: read_state(second).name == "queued" and events(second, "state"))
    assert not losses(second)
    requests.post(first, "stop")
    until(lambda: losses(second))
    requests.post(second, "stop")
    one.join(60)
    two.join(60)
    assert (one.exitcode, two.exitcode) == (143, 143)
