"""Too little disk, too little memory: the last good state stays whole and the message says what to lower."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loratui.lab.run.events import read_events
from loratui.lab.run.runs import read_state
from tests.processes import new_run, train, write_project

QUIET = ("train.log_every=1", "lora.rank=2", "train.steps=2")


def test_a_full_disk_stops_the_run_cleanly_and_it_goes_on_once_there_is_room(tmp_path: Path, tiny_model: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-m", "tests.engine.full_disk", str(disk), str(tiny_model)]
    done = subprocess.run(["unshare", "-rm", *command], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["exit"] == 1
    assert seen["state"] == "failed"
    assert "no space left on the disk; free some and resume the run" in seen["reason"]
    assert seen["resume"] == "step-000003"
    assert seen["left"] == []
    assert seen["resumed"] == 0
    assert seen["same_losses"]
    assert seen["same_lora"]


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path) -> Path:
    return write_project(tmp_path / "shapes", tiny_model)


def test_no_memory_for_training_says_how_much_was_missing_and_what_to_lower(project: Path) -> None:
    run = new_run(project, *QUIET, "sample.every=never", "train.batch_size=512", "dataset.repeats=512")
    assert train(run, spare_megabytes=400) == 1
    state = read_state(run)
    assert state.name == "failed"
    assert "out of memory" in state.reason
    assert "allocate" in state.reason
    assert "train.batch_size" in state.reason


def test_no_memory_for_a_sample_leaves_the_training_alone(project: Path) -> None:
    seeds = ",".join(str(seed) for seed in range(64))
    run = new_run(project, *QUIET, "sample.every=1", "sample.width=384", "sample.height=384", f"sample.seeds=[{seeds}]",
                  "sample.batch_size=64", "sample.inference_steps=[1]")  # fmt: skip
    assert train(run, spare_megabytes=400) == 0
    warnings = [event["text"] for event in read_events(run.events_file)[0] if event["kind"] == "warning"]
    warnings = [text for text in warnings if text.startswith("sampling ")]
    assert len(warnings) == 2
    assert all("out of memory" in text and "training goes on" in text for text in warnings)
    assert read_state(run).name == "finished"
