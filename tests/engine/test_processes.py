"""Several processes train one run: the same steps, the same LoRA, one log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors import safe_open

from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder, list_runs, read_state, resumes
from tests.processes import final_lora, losses, new_run, train, write_project

SETTINGS = ("sample.every=end", "sample.seeds=[1]", "sample.inference_steps=[1]", "train.steps=7", "train.batch_size=2",
            "train.log_every=3", "lora.rank=2", "dataset.buckets=false", "train.device=cpu")  # fmt: skip


def test_two_processes_train_what_one_trains(tmp_path: Path, tiny_model: Path) -> None:
    project = write_project(tmp_path / "shapes", tiny_model)
    alone = new_run(project, *SETTINGS)
    assert train(alone) == 0

    command = [sys.executable, "-m", "accelerate.commands.launch",
               "--cpu", "--num_processes", "2", "--num_machines", "1",
               "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
               "-m", "loratui", "--run", str(project)]  # fmt: skip
    for setting in SETTINGS:
        command += ["--set", setting]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]

    runs = [run for run in list_runs(project) if run != alone]
    assert len(runs) == 1
    together = runs[0]
    assert read_state(together).name == "finished"
    events = read_events(together.events_file)[0]
    assert [event["step"] for event in events if event["kind"] == "step"] == list(range(1, 8))
    assert_close(alone, together)

    # Both go on from the same state, when the newest is damaged.
    lines = together.events_file.read_text().splitlines(keepends=True)
    together.events_file.write_text("".join(line for line in lines if '"state":"finished"' not in line))
    (_, newest), (before, _) = resumes(together)
    state = bytearray((newest / "state.pt").read_bytes())
    state[len(state) // 2] ^= 1
    (newest / "state.pt").write_bytes(state)
    launch = command[: command.index("--run")]
    done = subprocess.run(
        [*launch, "--resume", str(together.path)], capture_output=True, text=True, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"going on from the saved state of step {before} instead" in done.stdout
    assert_close(alone, together)


def assert_close(alone: RunFolder, together: RunFolder) -> None:
    assert read_state(together).name == "finished"
    for step, loss in losses(alone).items():
        assert abs(losses(together)[step] - loss) < 1e-4 * loss
    with safe_open(final_lora(alone), "pt") as one, safe_open(final_lora(together), "pt") as two:
        assert set(one.keys()) == set(two.keys())
        for key in set(one.keys()):
            torch.testing.assert_close(two.get_tensor(key), one.get_tensor(key), rtol=1e-3, atol=1e-5)
