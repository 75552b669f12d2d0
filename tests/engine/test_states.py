"""A saved state is believed only if it is as it was written; else the one before it is gone on from, in words."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from loratui.engine.export import payload_hash
from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder, read_state
from tests.processes import final_lora, losses, new_run, sample_pixels, train, write_project

SETTINGS = """
[lora]
rank = 1
[train]
steps = 6
checkpoint_every = 2
log_every = 1
[sample]
every = "end"
seeds = [1]
inference_steps = [1]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return write_project(tmp_path_factory.mktemp("states") / "shapes", tiny_model, SETTINGS)


@pytest.fixture(scope="module")
def whole(project: Path) -> RunFolder:
    run = new_run(project)
    assert train(run) == 0
    return run


@pytest.fixture(scope="module")
def killed_at_5(project: Path) -> RunFolder:
    run = new_run(project)
    assert train(run, kill_at=5) == -9
    assert [path.name for path in sorted(run.resume.iterdir())] == ["step-000002", "step-000004"]
    return run


@pytest.fixture
def run(killed_at_5: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy: its project is that of the other, by the paths in its record."""
    (tmp_path / "runs").mkdir()
    return RunFolder(shutil.copytree(killed_at_5.path, tmp_path / "runs" / killed_at_5.id))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def say(**changed: object) -> Callable[[Path], None]:
    def write(state: Path) -> None:
        table = json.loads((state / "progress.json").read_text())
        (state / "progress.json").write_text(json.dumps(table | changed))
        (state / "COMPLETE").write_text("")  # as earlier versions left it: only what it says can tell

    return write


def hold(content: object) -> Callable[[Path], None]:
    def write(state: Path) -> None:
        torch.save(content, state / "state.pt")
        (state / "COMPLETE").write_text("")

    return write


def pickled(state: Path) -> None:
    (state / "state.pt").write_bytes(pickle.dumps({"weights": Path("x")}))
    (state / "COMPLETE").write_text("")


def linked(state: Path) -> None:
    (state / "state.pt").rename(state.parent.parent / "elsewhere")
    (state / "state.pt").symlink_to(state.parent.parent / "elsewhere")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit of the weights": (lambda state: flip(state / "state.pt"), "state.pt is not as it was written"),
    "a bit of the progress": (lambda state: flip(state / "progress.json"), "progress.json is not as it was written"),
    "a bit of the mark": (lambda state: flip(state / "COMPLETE"), "progress.jsnn is missing"),
    "no weights": (lambda state: (state / "state.pt").unlink(), "state.pt is missing"),
    "half of the weights": (lambda state: (state / "state.pt").write_bytes(b"PK"), "state.pt is not as it was written"),
    "a link": (linked, "state.pt: a symbolic link, which is not followed"),
    "an earlier step": (say(step=1), "progress.json says step 1, in a run of 6 steps"),
    "a far step": (say(step=99999999999), "progress.json says step 99999999999, in a run of 6 steps"),
    "a step before the first": (say(step=-5), "step -5 is no step"),
    "a step that is none": (say(step="x"), "step 'x' is no step"),
    "no number": (say(seconds=None), "seconds None is no number"),
    "not a number": (say(weight=float("nan")), "weight nan is no number"),
    "other words": (lambda s: ((s / "progress.json").write_text("[1]"), (s / "COMPLETE").write_text(""))[0], "cannot"),
    "a list": (hold([1, 2]), "cannot be read"),
    "nothing in it": (hold({}), "cannot be read"),
    "other layers": (hold({"weights": {}, "optimizer": {}, "scaler": {}}), "adapts other layers"),
    "code": (pickled, "holds more than numbers, and no such file is ever loaded"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_state_is_said_and_the_one_before_is_gone_on_from(
    run: RunFolder, whole: RunFolder, what: str
) -> None:
    damage, words = DAMAGES[what]
    damage(run.resume_folder(4))
    assert train(run) == 0
    said = [event["text"] for event in read_events(run.events_file)[0] if event["kind"] == "warning"]
    assert len(said) == 1
    assert words in said[0]
    assert said[0].startswith(str(run.resume_folder(4)))
    assert said[0].endswith("going on from the saved state of step 2 instead")
    assert "weights_only" not in said[0]
    assert losses(run) == losses(whole)
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))
    assert sample_pixels(run) == sample_pixels(whole)


def test_where_no_state_is_whole_it_is_said_what_is_left_and_how_to_go_on(run: RunFolder, whole: RunFolder) -> None:
    for step in (2, 4):
        flip(run.resume_folder(step) / "state.pt")
    before = {path: path.read_bytes() for path in run.checkpoints.iterdir()}
    assert train(run) == 2
    state = read_state(run)
    assert state.name == "failed"
    assert "none of the saved states can be gone on from; the LoRAs of steps 2, 4 are kept" in state.reason
    assert f"Move {run.resume} away and resume" in state.reason
    assert {path: path.read_bytes() for path in run.checkpoints.iterdir()} == before

    run.resume.rename(run.path / "moved")
    assert train(run) == 0
    assert losses(run) == losses(whole)
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))


def test_a_state_of_an_earlier_version_without_digests_is_gone_on_from(run: RunFolder, whole: RunFolder) -> None:
    for step in (2, 4):
        (run.resume_folder(step) / "COMPLETE").write_text("")
    assert train(run) == 0
    assert [event for event in read_events(run.events_file)[0] if event["kind"] == "warning"] == []
    assert payload_hash(final_lora(run)) == payload_hash(final_lora(whole))
