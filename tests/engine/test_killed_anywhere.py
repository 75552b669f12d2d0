"""A run killed at any call that changes the disk ends, resumed, with the very files and bits of one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.engine.export import payload_hash
from loratui.lab.run import requests
from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder, read_state
from loratui.lab.run.verify import verify
from tests.processes import losses, new_run, sample_pixels, train, write_project

SETTINGS = """
[lora]
rank = 1
[train]
steps = 4
checkpoint_every = 2
log_every = 1
probe_every = 2
[sample]
every = 2
seeds = [1]
inference_steps = [1]
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray" }
"""
PARTS = 4  # so that they can be tried side by side


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return write_project(tmp_path_factory.mktemp("killed") / "shapes", tiny_model, SETTINGS)


@pytest.fixture(scope="module")
def whole(project: Path) -> RunFolder:
    run = new_run(project)
    assert train(run, calls=project / "calls.txt") == 0
    return run


def files(run: RunFolder) -> set[str]:
    """All below the run, but what was recorded of how it went."""
    return {str(path.relative_to(run.path)) for path in run.path.rglob("*")} - {"traceback.txt"}


def told(run: RunFolder) -> set[tuple[object, ...]]:
    """What the log says is there."""
    return {
        (event["kind"], event["step"], event.get("sha256"), Path(event["path"]).relative_to(run.path))
        for event in read_events(run.events_file)[0]
        if event["kind"] in ("checkpoint", "sample")
    }


def loras(run: RunFolder) -> dict[str, str]:
    return {path.name: payload_hash(path) for path in run.checkpoints.iterdir()}


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_call_that_changes_the_disk(project: Path, whole: RunFolder, part: int) -> None:
    calls = (project / "calls.txt").read_text().splitlines()
    assert len(calls) > 50
    wanted = files(whole), told(whole), losses(whole), loras(whole), sample_pixels(whole)
    for number in range(1 + part, len(calls) + 1, PARTS):
        run = new_run(project)
        where = f"killed at call {number}: {calls[number - 1]}"
        assert train(run, calls=project / f"calls-{part}.txt", kill_call=number) == -9, where
        assert train(run) == 0, where
        assert read_state(run).name == "finished", where
        assert (files(run), told(run), losses(run), loras(run), sample_pixels(run)) == wanted, where
        assert verify(run).faults == (), where


@pytest.mark.parametrize("settings", [(), ("train.steps=2",)], ids=["in the middle", "at the end"])
def test_a_signal_while_pictures_are_drawn_ends_the_run_at_that_step_and_the_rest_is_drawn_later(
    project: Path, settings: tuple[str, ...]
) -> None:
    settings = (*settings, "sample.seeds=[1,2,3]")
    undisturbed, run = new_run(project, *settings), new_run(project, *settings)
    assert train(undisturbed) == 0
    assert train(run, interrupt_at="sample") == 128 + 2
    assert (read_state(run).name, read_state(run).step) == ("stopped", 2)
    assert len(sample_pixels(run)) < len(sample_pixels(undisturbed))
    assert train(run) == 0
    assert read_state(run).name == "finished"
    assert (files(run), sample_pixels(run)) == (files(undisturbed), sample_pixels(undisturbed))


def test_what_was_asked_for_is_done_by_who_goes_on_with_the_run(project: Path) -> None:
    run = new_run(project, "sample.seeds=[1,2,3]")
    requests.post(run, "sample", {"prompts": ["a cat"]})
    requests.post(run, "checkpoint")
    assert train(run, interrupt_at="sample") == 128 + 2
    assert list(run.samples.glob("sheet-step-*-asked-*.png")) == []
    assert train(run) == 0
    assert verify(run).whole
    [sheet] = run.samples.glob("sheet-step-*-asked-*.png")
    step = int(sheet.name[len("sheet-step-") :][:6])
    assert run.checkpoint_file(step).exists()
    assert len({path.name[:3] for path in (run.samples / f"step-{step:06d}").iterdir()}) >= 1
    assert list(run.requests.iterdir()) == []


def test_what_is_asked_for_at_a_step_of_the_plan_takes_nothing_from_it(project: Path) -> None:
    run = new_run(project, "train.checkpoint_every=1", "sample.every=1")
    requests.post(run, "sample", {"prompts": ["a cat"]})
    assert train(run) == 0
    assert verify(run).whole
    assert {path.name[:3] for path in (run.samples / "step-000001").iterdir()} == {"p00", "p01"}
    assert len(list(run.samples.glob("sheet-step-000001*.png"))) == 2
