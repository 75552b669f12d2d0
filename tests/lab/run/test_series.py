"""A series is what was asked for, less what is made; each run of it is of its variant, for as long as it lives."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.project import load_project
from loratui.lab.run.events import EventLog
from loratui.lab.run.forking import look_at_fork
from loratui.lab.run.lock import RunLock
from loratui.lab.run.looked import look_at
from loratui.lab.run.made import find_made
from loratui.lab.run.record import read_record
from loratui.lab.run.resuming import reconcile, take_up
from loratui.lab.run.runs import RunFolder, list_runs, saving_resume
from loratui.lab.run.series import EVERY, Planned, SeriesPlan, freeze_wanted, series_plan, wanted_runs
from tests.hollow import build_hollow_model, hollow_weights
from tests.processes import new_run, write_project

SETTINGS = """
[train]
steps = 8
[lora]
rank = 2
[dataset]
trigger = "myshape"
[sample]
prompts = ["myshape --d 3", "a myshape", "monster"]
[[sample.prompt]]
text = "myshape, white"
expect = { colour = "gray" }
[[sample.prompt]]
text = "monster, white"

[[variant]]
name = "monster"
replace_tags = { myshape = "monster" }
[[variant]]
name = "own-prompt"
replace_tags = { myshape = "monster" }
[[variant.sample.prompt]]
text = "myshape"
[[variant]]
name = "files"
dataset.caption_extension = ".caption"
[[variant]]
name = "folder"
dataset = "other"
[[variant]]
name = "seed-1"
train.seed = 1
[[variant]]
name = "two-things"
lora.rank = 4
drop_tags = ["circle"]
add_tags = ["shape"]
[[variant]]
name = "same"
[matrix]
lora.rank = [2, 4]
train.steps = [8, 100]
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "shapes", build_hollow_model(tmp_path / "hollow"), SETTINGS)
    for caption in list((folder / "dataset").glob("*.txt")):
        caption.with_suffix(".caption").write_text(f"thing, {caption.stem}\n", encoding="utf-8")
    shutil.copytree(folder / "dataset", folder / "other")
    (folder / "other/wide.png").unlink()
    return folder


def finish(run: RunFolder, state: str = "finished", step: int = 8, reason: str = "") -> RunFolder:
    """Leave the run as a worker would."""
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        log.emit("state", state=state, step=step, reason=reason)
    return run


def frozen(project: Path, variant: str = "", **asked: Any) -> RunFolder:
    return freeze_wanted(wanted_runs(project, (), [variant], **asked)[-1])


def captions(run: RunFolder) -> list[str]:
    return [str(image["caption"]) for image in run.read_captions()]


def planned(project: Path, *overrides: str, variants: Sequence[str] | None = None, **asked: Any) -> SeriesPlan:
    return series_plan(wanted_runs(project, overrides, variants, **asked))


def row(plan: SeriesPlan, label: str) -> Planned:
    return next(row for row in plan.rows if row.label == label)


# -- what is asked for ------------------------------------------------------------------------------------------------


def test_runs_are_listed_variant_by_variant_cell_by_cell_seed_by_seed(project: Path) -> None:
    def labels(variants: Sequence[str] | None = None, matrix: bool = False, repeats: int = 1) -> list[str]:
        return [wanted.label for wanted in wanted_runs(project, (), variants, matrix, repeats)]

    assert labels() == ["as written"]
    assert labels([EVERY])[:3] == ["as written", "monster", "own-prompt"]
    assert labels(["monster", "", "monster"], repeats=2) == [
        "monster", "monster, seed 1", "as written", "as written, seed 1",
    ]  # fmt: skip
    assert labels(matrix=True) == ["rank=2 steps=8", "rank=2 steps=100", "rank=4 steps=8", "rank=4 steps=100"]
    assert labels(["monster"], matrix=True, repeats=2)[1] == "monster rank=2 steps=8, seed 1"


def test_repeats_count_up_from_the_seed_there_is(project: Path) -> None:
    wanted = wanted_runs(project, ["train.seed=7"], ["seed-1"], repeats=3)
    assert [one.project.settings.train.seed for one in wanted] == [7, 8, 9]  # --set wins over variants
    assert [one.project.settings.train.seed for one in wanted_runs(project, (), ["seed-1"], repeats=2)] == [1, 2]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"variants": ["monstr"]}, r'project\.toml: there is no variant "monstr"; did you mean monster\?'),
        ({"variants": ["zzz"]}, "known here: monster, own-prompt"),
        ({"repeats": 0}, "--repeats 0: expected a number from 1"),
        ({"repeats": 5000}, "to 1000"),
        ({"matrix": True, "overrides": ["lora.rank=4"]}, r"--set lora\.rank: the matrix varies it"),
    ],
)
def test_what_cannot_be_asked_for_is_told(project: Path, asked: dict[str, object], told: str) -> None:
    with pytest.raises(LabError, match=told):
        wanted_runs(project, **asked)  # type: ignore[arg-type]


def test_a_project_without_variants_or_matrix_says_so(tmp_path: Path) -> None:
    bare = write_project(tmp_path / "bare", "tinyworld")
    with pytest.raises(LabError, match=r"no variant \"a\", and no \[\[variant\]\] at all"):
        wanted_runs(bare, variants=["a"])
    with pytest.raises(LabError, match=r"has no \[matrix\]"):
        wanted_runs(bare, matrix=True)


# -- what a variant changes -------------------------------------------------------------------------------------------


def test_a_run_of_a_variant_is_frozen_with_its_captions_prompts_and_trigger(project: Path) -> None:
    run = frozen(project, "monster")
    record = read_record(run)
    assert captions(run) == ["monster, circle", "monster, square", "monster, wide"]
    assert record.settings.dataset.trigger == "monster"
    # Whole tags are replaced, options stay, and what becomes the same is drawn once, with its expectation.
    assert record.settings.sample.prompts == ("monster --d 3", "a myshape", "monster")
    (prompt,) = record.settings.sample.prompt
    assert (prompt.text, prompt.expect) == ("monster, white", {"colour": "gray"})
    said = run.read_record()["run"]
    assert (said["variant"], said["overrides"], said["project"]) == ("monster", [], "shapes")
    assert "-shapes-monster-" in run.id


def test_a_variant_with_prompts_of_its_own_keeps_them(project: Path) -> None:
    run = frozen(project, "own-prompt")
    assert [prompt.text for prompt in read_record(run).settings.sample.prompt] == ["myshape"]
    assert captions(run)[0] == "monster, circle"


def test_a_variant_may_have_other_caption_files_another_folder_and_other_tags(project: Path) -> None:
    assert captions(frozen(project, "files")) == ["thing, circle", "thing, square", "thing, wide"]
    folder = frozen(project, "folder")
    assert [image["name"] for image in folder.read_captions()] == ["circle.png", "square.png"]
    assert Path(folder.read_captions()[0]["path"]).parent == project / "other"
    assert captions(frozen(project, "two-things")) == ["myshape, shape", "myshape, square, shape",
                                                       "myshape, wide, shape"]  # fmt: skip


def test_the_check_sees_each_variant_as_it_is_trained(project: Path) -> None:
    wanted = wanted_runs(project, (), [EVERY])
    look = look_at(wanted)
    for one, looked in zip(wanted, look.runs, strict=True):
        run = freeze_wanted(one)
        assert [image.caption for image in looked.setup.images] == captions(run)
        assert looked.setup.settings == read_record(run).settings == one.project.settings


# -- what is made -----------------------------------------------------------------------------------------------------


def test_what_trains_the_same_is_made_whatever_it_is_called(project: Path) -> None:
    (seed_1,) = wanted_runs(project, (), ["seed-1"])
    assert find_made(seed_1) is None
    run = new_run(project, "train.seed=1", "sample.seeds=[9]", "train.log_every=1", "question=why?")
    assert find_made(seed_1) == run  # unfinished
    finish(run)
    assert find_made(seed_1) == run
    repeat = wanted_runs(project, repeats=2)[1]
    assert find_made(repeat) == run
    assert find_made(wanted_runs(project)[0]) is None
    assert find_made(wanted_runs(project, ["lora.rank=4"], ["seed-1"])[0]) is None


def test_versions_machines_and_places_do_not_matter_captions_and_images_do(tmp_path: Path, project: Path) -> None:
    run = finish(new_run(project))
    text = run.record_file.read_text(encoding="utf-8")
    run.record_file.write_text(text.replace("cores = ", "cores = 99").replace('torch = "', 'torch = "0.'))
    assert find_made(wanted_runs(project)[0]) == run
    moved = project.rename(tmp_path / "moved")
    assert find_made(wanted_runs(moved)[0]) == RunFolder(moved / "runs" / run.id)
    (moved / "dataset/circle.txt").write_text("myshape,  circle", encoding="utf-8")  # the same tokens, another text
    assert find_made(wanted_runs(moved)[0]) is None


def test_of_several_the_finished_one_counts_and_a_damaged_one_does_not(project: Path) -> None:
    done = finish(frozen(project))
    frozen(project)
    damaged = finish(frozen(project))
    damaged.captions_file.write_text("[[image", encoding="utf-8")
    assert find_made(wanted_runs(project)[0]) == done


def test_a_run_that_was_out_of_time_counts_only_where_it_is_given_the_same(project: Path) -> None:
    run = finish(freeze_wanted(wanted_runs(project, ["train.max_minutes=1"])[0]), reason="max_minutes", step=3)
    assert find_made(wanted_runs(project, ["train.max_minutes=1"])[0]) == run
    assert find_made(wanted_runs(project)[0]) is None


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_the_plan_says_what_is_made_what_is_left_and_what_is_the_same(project: Path) -> None:
    done = finish(frozen(project, "monster"))
    half = finish(frozen(project, "files"), "stopped", 5)
    plan = planned(project, variants=[EVERY])
    assert {row.label: row.state for row in plan.rows} == {
        "as written": "new", "monster": "finished", "own-prompt": "finished", "files": "unfinished", "folder": "new",
        "seed-1": "new", "two-things": "new", "same": "finished",
    }  # fmt: skip
    assert (row(plan, "monster").run, row(plan, "files").run) == (done.id, half.id)
    assert (row(plan, "monster").left, row(plan, "files").left, row(plan, "same").left) == (0, 3, 0)
    assert row(plan, "same").twin == "as written"
    assert plan.total_steps == 4 * 8 + 3
    assert plan.seconds is None  # no run here ever took a step
    assert row(plan, "monster").changes == ("captions: myshape → monster",)
    assert row(plan, "two-things").changes == ("lora.rank 2 → 4", "captions: without circle, with shape")
    assert row(plan, "folder").factors == ("images",)
    assert row(plan, "files").changes == ("captions: of the files *.caption",)


def test_the_plan_warns_by_law_1(project: Path) -> None:
    file = project / "project.toml"
    file.write_text(file.read_text() + '[[variant]]\nname = "spaced"\nreplace_tags = { circle = "Circle" }\n')
    plan = planned(project, variants=[EVERY])
    law = [warning for warning in plan.warnings if warning.split(":")[0] in ("two-things", "spaced", "same")]
    assert any("changes 2 things at once: lora.rank, captions" in warning for warning in law)
    assert any("are the same tokens: this comparison cannot show anything" in warning for warning in law)
    assert any("trains exactly what the project itself trains" in warning for warning in law)
    assert row(plan, "spaced").state == "new"  # it may be trained all the same
    # A repeat is chance by design, and cells of a matrix are held against each other.
    repeats = planned(project, variants=["monster"], repeats=2)
    assert not [warning for warning in repeats.warnings if "at once" in warning]
    assert repeats.rows[1].factors == ("captions",)
    matrix = planned(project, matrix=True)
    (line,) = [warning for warning in matrix.warnings if "matrix" in warning]
    assert line.startswith("the matrix: 1 of its cells changes several things at once against the project;")
    assert not [warning for warning in matrix.warnings if "trains exactly" in warning]


def test_the_plan_of_a_broken_variant_has_its_error_and_nothing_is_frozen(project: Path) -> None:
    (project / "other/circle.png").write_bytes(b"no picture")
    plan = planned(project, variants=["folder"])
    assert any("circle.png" in error for error in plan.errors)
    with pytest.raises(LabError, match=r"(?s)nothing was started: mend this first:.*circle\.png"):
        frozen(project, "folder")
    assert list_runs(project) == []


def test_a_variant_may_have_another_base_model(tmp_path: Path, project: Path) -> None:
    other = build_hollow_model(tmp_path / "another")
    (other / "unet/diffusion_pytorch_model.safetensors").write_bytes(hollow_weights("other weights"))
    file = project / "project.toml"
    file.write_text(file.read_text() + f'[[variant]]\nname = "other-base"\nbase.model = "{other}"\n')
    plan = planned(project, variants=["", "other-base"])
    assert plan.rows[1].factors == ("base.model",)
    assert plan.rows[1].state == "new"
    run = frozen(project, "other-base")
    assert read_record(run).model.path == other
    assert find_made(wanted_runs(project)[0]) is None


# -- a run stays what it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"variant": "monster"}, {"variant": "seed-1", "repeats": 3}, {"matrix": True}])
def test_a_run_that_goes_on_keeps_its_variant_its_seed_and_its_cell(project: Path, asked: dict[str, Any]) -> None:
    run = finish(frozen(project, **asked), "stopped", 4)
    assert reconcile(run, (), False) == []
    before = run.read_record()
    with saving_resume(run, 4) as folder:
        (folder / "state.pt").write_bytes(b"weights")
    reconcile(run, ["train.learning_rate=2e-4"], True)
    after = tomllib.loads(run.record_file.read_text(encoding="utf-8"))
    for key in ("variant", "repeat", "matrix"):
        assert after["run"].get(key) == before["run"].get(key)
    assert after["settings"]["train"]["seed"] == before["settings"]["train"]["seed"]
    assert reconcile(run, (), False) == []


def test_a_changed_variant_is_a_changed_run(project: Path) -> None:
    run = frozen(project, "monster")
    file = project / "project.toml"
    file.write_text(file.read_text().replace('{ myshape = "monster" }', '{ myshape = "beast" }'))
    with pytest.raises(LabError, match=r'caption of circle\.png: "monster" → "beast"'):
        reconcile(run, (), False)


def test_a_run_whose_variant_is_gone_goes_on_with_its_record(project: Path) -> None:
    run = frozen(project, "monster")
    file = project / "project.toml"
    file.write_text(file.read_text().replace('name = "monster"', 'name = "beast"'))
    (line,) = reconcile(run, (), False)
    assert 'the variant "monster" of this run is gone' in line
    assert "going on with the settings in" in line
    with pytest.raises(LabError, match="--set has nothing to override"):
        reconcile(run, ["lora.rank=4"], False)
    with pytest.raises(LabError, match='the variant "monster" of this run is gone'):
        look_at_fork(run, ["lora.rank=4"])


def test_what_is_taken_up_stays_as_it_was_frozen_wherever_it_lies(tmp_path: Path, project: Path) -> None:
    run = freeze_wanted(wanted_runs(project, ["sample.seeds=[5]"])[0])
    moved = project.rename(tmp_path / "moved")
    run = RunFolder(moved / "runs" / run.id)
    looked = look_at(wanted_runs(moved), judge=False).runs[0]
    (line,) = take_up(run, looked.record)
    assert "its files have moved" in line
    record = read_record(run)
    assert record.settings.sample.seeds == (5,)
    assert {Path(image.path).parent for image in record.images} == {moved / "dataset"}
    assert take_up(run, looked.record) == []


# -- from another run -------------------------------------------------------------------------------------------------


def test_a_fork_is_of_the_same_variant_and_says_what_changed(project: Path) -> None:
    parent = frozen(project, "monster", repeats=2)
    fork = look_at_fork(parent, ["train.learning_rate=0.001"])
    assert fork.changes == ("train.learning_rate: 0.0001 → 0.001",)
    assert fork.notes == (f"differs from {parent.id}: train.learning_rate: 0.0001 → 0.001",)
    assert fork.plan.rows[0].changes == fork.changes
    run = fork.freeze()
    said = run.read_record()["run"]
    assert (said["variant"], said["repeat"], said["parent"]) == ("monster", 1, parent.id)
    assert said["changes_from_parent"] == list(fork.changes)
    assert captions(run) == captions(parent)
    assert read_record(run).settings.train.seed == 1


def test_a_fork_with_another_seed_is_no_repeat_any_more(project: Path) -> None:
    parent = frozen(project, repeats=2)
    run = look_at_fork(parent, ["train.seed=5"]).freeze()
    assert "repeat" not in run.read_record()["run"]
    assert read_record(run).settings.train.seed == 5
    cell = freeze_wanted(wanted_runs(project, matrix=True)[-1])
    run = look_at_fork(cell, ["lora.rank=16"]).freeze()
    assert run.read_record()["run"]["matrix"] == {"train.steps": 100}
    assert read_record(run).settings.lora.rank == 16


def test_a_fork_warns_of_what_cannot_show_anything(project: Path) -> None:
    parent = frozen(project)

    def warnings(*overrides: str) -> list[str]:
        return [note for note in look_at_fork(parent, overrides).notes if note.startswith("warning")]

    assert warnings("lora.rank=4") == []
    assert warnings("train.epochs=3") == []  # instead of steps: one thing
    assert warnings("lora.rank=4", "sample.seeds=[1]") == []  # what is drawn is no factor
    assert "2 factors differ from the parent" in warnings("lora.rank=4", "train.seed=3")[0]
    assert "nothing that is trained differs" in warnings("sample.seeds=[1]")[0]
    (project / "dataset/circle.txt").write_text("myshape, Circle", encoding="utf-8")
    assert "the tokens are the same: this comparison cannot show anything" in warnings()[0]


def test_the_project_as_it_is_written_is_untouched_by_all_this(project: Path) -> None:
    assert wanted_runs(project)[0].project == load_project(project)
