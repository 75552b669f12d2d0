"""A run goes on as the run it was, or not at all, or with what changed told and recorded, as the person decides."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.errors import LabError
from loratui.lab.run.events import EventLog
from loratui.lab.run.lock import RunLock
from loratui.lab.run.record import read_record
from loratui.lab.run.resuming import find_unfinished, reconcile
from loratui.lab.run.runs import RunFolder, create_run, saving_resume
from tests.hollow import build_hollow_model, hollow_weights
from tests.processes import new_run, write_project

SETTINGS = """
[train]
steps = 8
[lora]
rank = 2
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "shapes", build_hollow_model(tmp_path / "hollow"), SETTINGS)


@pytest.fixture
def stopped(project: Path) -> RunFolder:
    return run_of(project, "stopped")


def run_of(project: Path, state: str = "", step: int = 4, reason: str = "", *overrides: str) -> RunFolder:
    """A run that a worker left in `state`, with its training state of `step` saved."""
    run = new_run(project, *overrides)
    if state:
        with RunLock(run.lock_file), EventLog(run.events_file) as log:
            log.emit("state", state=state, step=step, reason=reason)
    with saving_resume(run, step) as folder:
        (folder / "state.pt").write_bytes(b"weights")
    return run


@contextmanager
def alive(run: RunFolder) -> Iterator[None]:
    """While it lasts, a worker has the run."""
    with RunLock(run.lock_file):
        yield


def refusal(run: RunFolder, *overrides: str, allow: bool = False) -> str:
    """Why the run may not go on; nothing in its folder may have changed by asking."""
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(LabError) as refused:
        reconcile(run, overrides, allow)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    return str(refused.value)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def until_files(run: RunFolder) -> list[str]:
    return sorted(path.name for path in run.path.glob("*.until-*.toml"))


# -- which run --------------------------------------------------------------------------------------------------------


def runs_in_a_row(project: Path, *states: str) -> list[RunFolder]:
    """Runs made a minute apart, the oldest first."""
    runs = []
    for minute, state in enumerate(states):
        made = run_of(project, state)
        named = create_run(project, "shapes", datetime(2026, 1, 2, 3, minute, tzinfo=UTC))
        shutil.rmtree(named.path)
        made.path.rename(named.path)
        runs.append(named)
    return runs


@pytest.mark.parametrize("state", ["", "running", "stopped", "failed"])
def test_the_newest_unfinished_run_of_a_project_goes_on(project: Path, state: str) -> None:
    runs = runs_in_a_row(project, "stopped", state, "finished")
    assert find_unfinished(project) == runs[1]
    assert find_unfinished(project / "project.toml") == runs[1]


def test_a_run_is_given_by_its_folder_or_its_record(
    project: Path, stopped: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_unfinished(stopped.path) == find_unfinished(stopped.record_file) == stopped
    monkeypatch.chdir(project)
    found = find_unfinished(Path("runs") / stopped.id)
    assert found == stopped
    assert found.path.is_absolute()  # paths in its log must mean the same from everywhere
    assert find_unfinished(Path()) == stopped


def test_projects_that_share_a_folder_have_their_own_runs(project: Path) -> None:
    shutil.copy(project / "project.toml", project / "other.toml")
    other = run_of(project / "other.toml", "stopped")
    with pytest.raises(LabError, match="no unfinished run"):
        find_unfinished(project / "project.toml")
    assert find_unfinished(project / "other.toml") == other


def test_a_run_that_is_being_trained_is_left_alone(project: Path) -> None:
    old, new = runs_in_a_row(project, "stopped", "running")
    with alive(new):
        with pytest.raises(LabError, match="another worker has this run"):
            find_unfinished(new.path)
        assert find_unfinished(project) == old
        with alive(old), pytest.raises(LabError, match="no unfinished run but what is being trained now"):
            find_unfinished(project)


def test_a_finished_run_is_refused_with_its_last_step(project: Path) -> None:
    run = run_of(project, "finished", 8)
    with pytest.raises(LabError, match="finished at step 8; there is nothing to go on with"):
        find_unfinished(run.path)
    with pytest.raises(LabError, match=r"no unfinished run; start one with: loratui --run .*/shapes"):
        find_unfinished(project)


def test_what_is_neither_a_run_nor_a_project_is_told_so(tmp_path: Path, project: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="no such run or project"):
        find_unfinished(tmp_path / "nowhere")
    with pytest.raises(LabError, match="neither a run nor a project"):
        find_unfinished(tmp_path / "empty")
    with pytest.raises(LabError, match="never frozen"):
        find_unfinished(create_run(project, "torn").path)


# -- the same run -----------------------------------------------------------------------------------------------------


def test_nothing_changed_is_nothing_to_say(stopped: RunFolder) -> None:
    record = stopped.record_file.read_bytes()
    assert reconcile(stopped, (), False) == []
    assert reconcile(stopped, ("train.steps=8",), True) == []
    assert stopped.record_file.read_bytes() == record
    assert until_files(stopped) == []


def test_the_overrides_it_began_with_still_hold(project: Path) -> None:
    run = run_of(project, "stopped", 4, "", "train.learning_rate=3e-4", "lora.rank=4")
    assert reconcile(run, (), False) == []
    assert "train.learning_rate: 0.0003 → 0.0001" in refusal(run, "train.learning_rate=1e-4")


def test_other_versions_and_machines_are_only_pointed_out(stopped: RunFolder) -> None:
    edit(stopped.record_file, f"cores = {os.cpu_count()}", "cores = 9999")
    version = stopped.read_record()["versions"]["peft"]
    edit(stopped.record_file, f'peft = "{version}"', 'peft = "0.0.1"')
    assert reconcile(stopped, (), False) == [
        f"note: not as when the run began: versions.peft: 0.0.1 → {version}",
        f"note: not as when the run began: machine.cores: 9999 → {os.cpu_count()}",
    ]


def test_a_setting_that_a_newer_version_added_is_no_change(stopped: RunFolder) -> None:
    edit(stopped.record_file, "noise_offset = 0.0\n", "")
    assert reconcile(stopped, (), False) == []


def test_another_question_is_no_other_run(project: Path, stopped: RunFolder) -> None:
    edit(project / "project.toml", "[base]", 'question = "is it \x5cu001b[31mred?"\n[base]')
    assert reconcile(stopped, (), False) == [
        'note: the run keeps the question it began with: question: "" → is it ␛[31mred?'
    ]
    assert read_record(stopped).question == ""


# -- changes are refused ----------------------------------------------------------------------------------------------


def test_a_changed_setting_is_refused_with_both_values(project: Path, stopped: RunFolder) -> None:
    edit(project / "project.toml", "steps = 8", "steps = 12\nlearning_rate = 2e-4")
    assert refusal(stopped).splitlines() == [
        f"{stopped.path}: settings or data changed since this run began:",
        "  train.steps: 8 → 12",
        "  train.learning_rate: 0.0001 → 0.0002",
        "Undo the change, start a new run with --run, or go on all the same with --resume RUN --allow-changes.",
    ]


def test_an_override_is_a_change(stopped: RunFolder) -> None:
    assert "train.seed: 0 → 1" in refusal(stopped, "train.seed=1")
    assert refusal(stopped, "train.sed=1") == "--set train.sed=1: train.sed: unknown key; did you mean seed?"


def test_changed_captions_images_and_models_are_refused(tmp_path: Path, project: Path, stopped: RunFolder) -> None:
    (project / "dataset/circle.txt").write_text("monster\x1b[2J, circle\n", encoding="utf-8")
    Image.new("RGB", (96, 96), "red").save(project / "dataset/square.png")
    (project / "dataset/wide.png").unlink()
    Image.new("RGB", (96, 96), "blue").save(project / "dataset/zebra.png")
    (tmp_path / "hollow/unet/diffusion_pytorch_model.safetensors").write_bytes(hollow_weights("other"))
    told = refusal(stopped)
    for line in (
        'caption of circle.png: "myshape" → "monster␛[2J"',
        "image square.png: other content",
        "image wide.png: removed",
        "image zebra.png: added",
        "model.sha256.unet: ",
    ):
        assert f"\n  {line}" in told, line
    assert "\x1b" not in told


def test_a_project_that_is_wrong_now_is_told_with_its_line(project: Path, stopped: RunFolder) -> None:
    edit(project / "project.toml", "steps = 8", "stepps = 8")
    assert "project.toml:5: train.stepps: unknown key; did you mean steps?" in refusal(stopped, allow=True)


# -- or allowed -------------------------------------------------------------------------------------------------------


def test_allowed_changes_are_taken_in_and_the_old_record_is_kept(project: Path, stopped: RunFolder) -> None:
    old = {name: (stopped.path / name).read_bytes() for name in ("run.toml", "captions.toml")}
    (project / "dataset/circle.txt").write_text("monster, circle\n", encoding="utf-8")
    (told,) = reconcile(stopped, ("train.learning_rate=2e-4",), True)
    assert told.splitlines() == [
        "going on with changes; the old record is kept:",
        "  train.learning_rate: 0.0001 → 0.0002",
        '  caption of circle.png: "myshape" → "monster"',
    ]
    assert until_files(stopped) == ["captions.until-step-000004.toml", "run.until-step-000004.toml"]
    for name, content in old.items():
        assert (stopped.path / name.replace(".toml", ".until-step-000004.toml")).read_bytes() == content
    record = read_record(stopped)
    assert record.settings.train.learning_rate == 2e-4
    assert record.images[0].caption == "monster, circle"
    assert stopped.read_record()["run"]["changes"] == [
        {
            "until": "until-step-000004",
            "what": ["train.learning_rate: 0.0001 → 0.0002", 'caption of circle.png: "myshape" → "monster"'],
        }
    ]
    assert reconcile(stopped, (), False) == []  # it is this run now


def test_no_older_record_is_overwritten_by_further_changes(stopped: RunFolder) -> None:
    first = stopped.record_file.read_bytes()
    for rate in ("2e-4", "3e-4", "4e-4"):
        reconcile(stopped, (f"train.learning_rate={rate}",), True)
    assert (stopped.path / "run.until-step-000004.toml").read_bytes() == first
    kept = [name for name in until_files(stopped) if name.startswith("run.")]
    assert len({(stopped.path / name).read_bytes() for name in kept}) == 3
    assert [change["until"] + ".toml" for change in stopped.read_record()["run"]["changes"]] == [
        "until-step-000004.toml",
        "until-step-000004-2.toml",
        "until-step-000004-3.toml",
    ]


def test_changes_do_not_reach_a_run_that_is_being_trained(stopped: RunFolder) -> None:
    with alive(stopped):
        assert "another worker has this run" in refusal(stopped, "train.learning_rate=2e-4", allow=True)


def test_a_dataset_with_errors_is_refused_even_then(project: Path, stopped: RunFolder) -> None:
    (project / "dataset/square.png").write_bytes(b"no picture")
    told = refusal(stopped, allow=True)
    assert "the run cannot go on with what is there now:" in told
    assert "square.png: " in told
    shutil.rmtree(project / "dataset")
    assert "dataset" in refusal(stopped, allow=True)


@pytest.mark.parametrize(
    "change", ["lora.rank=4", "lora.targets=linear", "lora.text_encoder=true", "train.optimizer=prodigy"]
)
def test_what_does_not_fit_the_saved_state_is_refused_even_then(stopped: RunFolder, change: str) -> None:
    overrides = [change, *(["train.learning_rate=1"] if "prodigy" in change else [])]
    assert f"was saved with {change.partition('=')[0]} = " in refusal(stopped, *overrides, allow=True)


def test_before_anything_is_saved_everything_may_change(stopped: RunFolder) -> None:
    shutil.rmtree(stopped.resume)
    reconcile(stopped, ("lora.rank=4",), True)
    assert read_record(stopped).settings.lora.rank == 4
    assert until_files(stopped) == ["captions.until-step-000000.toml", "run.until-step-000000.toml"]


def test_fewer_steps_than_are_done_is_refused_even_then(stopped: RunFolder) -> None:
    assert "is past the 4 steps that are asked for now" in refusal(stopped, "train.steps=4", allow=True)
    reconcile(stopped, ("train.steps=5",), True)
    assert read_record(stopped).plan.total_steps == 5


def test_a_run_out_of_time_goes_on_when_it_is_given_more(project: Path) -> None:
    run = run_of(project, "finished", 4, "max_minutes", "train.max_minutes=0.5")
    with pytest.raises(LabError):
        find_unfinished(project)
    assert find_unfinished(run.path) == run
    told = refusal(run)
    assert "train.max_minutes = 0.5 is over" in told
    assert "--set train.max_minutes=0 --allow-changes" in told
    reconcile(run, ("train.max_minutes=0",), True)
    assert read_record(run).settings.train.max_minutes == 0


# -- where things are -------------------------------------------------------------------------------------------------


def test_without_its_project_a_run_has_all_it_needs(project: Path, stopped: RunFolder) -> None:
    file = project / "project.toml"
    file.unlink()
    assert reconcile(stopped, (), False) == [f"{file} is gone; going on with the settings in {stopped.record_file}"]
    assert "nothing to override" in refusal(stopped, "train.steps=9")


def test_without_its_project_another_base_model_is_still_refused(tmp_path: Path, project: Path) -> None:
    run = run_of(project, "stopped")
    (project / "project.toml").unlink()
    (tmp_path / "hollow/vae/diffusion_pytorch_model.safetensors").write_bytes(hollow_weights("other"))
    assert "the base model changed since this run began" in refusal(run)
    shutil.rmtree(tmp_path / "hollow/vae")
    assert "missing: the folder vae/" in refusal(run, allow=True)


def test_a_project_that_was_moved_goes_on_from_its_new_place(tmp_path: Path, project: Path, stopped: RunFolder) -> None:
    moved = project.rename(tmp_path / "elsewhere")
    run = RunFolder(moved / "runs" / stopped.id)
    gone = project / "dataset/circle.png"
    assert reconcile(run, (), False) == [
        f"note: its files have moved: {gone} is gone; the record now says where they are"
    ]
    assert {Path(image.path).parent for image in read_record(run).images} == {moved / "dataset"}
    assert run.read_record()["run"]["project_file"] == str(moved / "project.toml")
    assert until_files(run) == ["captions.until-step-000004.toml", "run.until-step-000004.toml"]
    assert reconcile(run, (), False) == []


def test_a_copied_project_is_held_against_its_own_file(tmp_path: Path, project: Path, stopped: RunFolder) -> None:
    copied = Path(shutil.copytree(project, tmp_path / "copy"))
    edit(copied / "project.toml", "steps = 8", "steps = 12")
    assert "train.steps: 8 → 12" in refusal(RunFolder(copied / "runs" / stopped.id))
    assert reconcile(stopped, (), False) == []


def test_the_base_model_may_move(tmp_path: Path, project: Path, stopped: RunFolder) -> None:
    (tmp_path / "hollow").rename(tmp_path / "model")
    edit(project / "project.toml", "hollow", "model")
    (line,) = reconcile(stopped, (), False)
    assert "its files have moved" in line
    assert read_record(stopped).model.path == tmp_path / "model"


def test_a_damaged_record_is_refused(stopped: RunFolder) -> None:
    edit(stopped.record_file, "[run]", "[rum]")
    assert "damaged" in refusal(stopped)
