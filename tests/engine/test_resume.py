"""A run that was killed and resumed is the run that was not: the same weights, losses and pictures, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.engine.export import payload_hash
from loratui.lab.run.runs import RunFolder, read_state
from tests.processes import final_lora, losses, new_run, sample_pixels, train, write_project

SETTINGS = """
[dataset]
shuffle_tags = true
caption_dropout = 0.2
flip = true
[lora]
rank = 2
dropout = 0.2
[train]
steps = 6
batch_size = 2
noise_offset = 0.05
min_snr_gamma = 5
schedule = "cosine"
warmup_steps = 2
checkpoint_every = 2
log_every = 1
probe_every = 3
[sample]
every = "end"
seeds = [1, 2]
inference_steps = [2]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return write_project(tmp_path_factory.mktemp("resume") / "shapes", tiny_model, SETTINGS)


@pytest.fixture(scope="module")
def whole(project: Path) -> RunFolder:
    run = new_run(project)
    assert train(run) == 0
    return run


def assert_same(run: RunFolder, whole: RunFolder) -> None:
    assert read_state(run).name == "finished"
    assert losses(run) == losses(whole)
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))
    assert sample_pixels(run) == sample_pixels(whole)


def test_the_same_project_twice_is_the_same_lora(project: Path, whole: RunFolder) -> None:
    again = new_run(project)
    assert train(again) == 0
    assert_same(again, whole)


def test_another_seed_is_another_lora(project: Path, whole: RunFolder) -> None:
    other = new_run(project, "train.seed=1")
    assert train(other) == 0
    assert payload_hash(final_lora(other)) != payload_hash(final_lora(whole))


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_killed_after_any_step_and_resumed(project: Path, whole: RunFolder, step: int) -> None:
    run = new_run(project)
    assert train(run, kill_at=step) == -9
    assert read_state(run).name == "interrupted"
    assert train(run) == 0
    assert_same(run, whole)


@pytest.mark.parametrize("moment", ["write", "mark", "rename"])
def test_killed_inside_a_save(project: Path, whole: RunFolder, moment: str) -> None:
    run = new_run(project)
    assert train(run, kill_at=4, kill_in=moment) == -9
    assert train(run) == 0
    assert_same(run, whole)


def test_killed_twice_in_a_row(project: Path, whole: RunFolder) -> None:
    run = new_run(project)
    assert train(run, kill_at=3) == -9
    assert train(run, kill_at=5) == -9
    assert train(run) == 0
    assert_same(run, whole)


def test_two_states_are_kept_and_both_are_complete(whole: RunFolder) -> None:
    names = sorted(path.name for path in whole.resume.iterdir())
    assert names == ["step-000004", "step-000006"]
    assert all((whole.resume / name / "COMPLETE").is_file() for name in names)
