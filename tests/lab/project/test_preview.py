"""What a run started now would be, and the form of its settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project.form import default_words, form_sections, make_form, matches, run_settings
from loratui.lab.project.preview import preview, preview_apart
from loratui.lab.project.project import load_project
from loratui.lab.project.settings import RULES
from tests.processes import new_run, write_project


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path) -> Path:
    return write_project(tmp_path / "shapes", tiny_model, "[dataset]\nrepeats = 5\n[train]\nepochs = 2\n")


def caption(project: Path, name: str, text: str) -> None:
    (project / "dataset" / f"{name}.txt").write_text(text + "\n", encoding="utf-8")


def test_a_process_of_its_own_finds_what_the_same_look_finds_here(project: Path) -> None:
    run = new_run(project)
    file = project / "project.toml"
    apart = preview_apart(file, ["lora.rank=2"], run.path)
    assert apart == preview(file, ["lora.rank=2"], run.path)
    assert apart.against is not None and apart.against.factors == ("lora.rank: 8 → 2",)
    assert apart.against.warning == ""
    assert [(seen.repeats, seen.width) for seen in apart.images] == [(1, 96)] * 3
    assert apart.captions == ("myshape, circle", "myshape, square", "myshape, wide")


def test_the_arithmetic_follows_changed_settings_without_another_look(project: Path) -> None:
    seen = preview(project / "project.toml")
    for overrides in ((), ("dataset.repeats=7", "train.batch_size=2"), ("train.steps=9",), ("dataset.buckets=false",)):
        settings = load_project(project, overrides).settings
        assert seen.plan(settings) == preview(project / "project.toml", overrides).plan(settings)
    made = seen.plan(load_project(project).settings)
    assert made is not None and made.arithmetic == "3 images × 5 repeats × 2 epochs ÷ batch 1 = 30 steps"


def test_law_one_is_spoken(project: Path) -> None:
    run = new_run(project)
    file = project / "project.toml"

    def warning(*overrides: str) -> str:
        found = preview(file, overrides, run.path).against
        assert found is not None
        return found.warning

    assert warning() == "nothing differs: the same run again shows nothing new"
    assert warning("lora.rank=2") == ""
    assert warning("lora.rank=2", "train.seed=3") == "2 things differ: what shows could come from any of them"
    assert warning("train.steps=9") == ""  # which says the same as other epochs
    caption(project, "circle", "MyShape,   circle")
    assert "the tokens are the same: it cannot show anything" in warning()
    caption(project, "circle", "myshape, round")
    assert warning() == ""


def test_what_forbids_a_run_is_among_the_findings(project: Path) -> None:
    (project / "dataset" / "circle.png").write_bytes(b"no picture")
    found = preview_apart(project / "project.toml")
    assert [finding.rule for finding in found.errors] == ["image-unreadable"]


def test_without_the_model_images_are_still_counted(tmp_path: Path) -> None:
    project = write_project(tmp_path / "shapes", "nobody/nothing")
    found = preview_apart(project / "project.toml")
    assert len(found.images) == 3 and found.resolution == 0
    assert "only images and caption files were looked at" in found.notes[0]
    assert found.plan(load_project(project).settings) is not None


def test_a_project_that_is_not_in_order_is_told_and_a_damaged_run_too(project: Path) -> None:
    assert preview_apart(project / "project.toml", ["train.epochs=0"]).error.startswith("--set train.epochs=0")
    run = new_run(project)
    run.record_file.write_text("[run\n", encoding="utf-8")
    found = preview(project / "project.toml", (), run.path).against
    assert found is not None and "run.toml: cannot be read" in found.warning


def test_a_look_that_nobody_waits_for_is_ended(project: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        preview_apart(project / "project.toml", progress=stop)


# --- the form --------------------------------------------------------------------------------------------------------


def test_the_form_has_every_key_and_says_what_differs() -> None:
    text = "[train]\nepochs = 0\nseed = 0\nbatch_size = 4\n[dataset]\nkeep_tags = 2\n[lora]\nrank = 4\n"
    form = make_form(tomllib.loads(text), {"lora.rank": 16, "train.batch_size": 4})
    assert [row.key for row in form.rows] == list(RULES)
    epochs, seed, batch, rank = (
        form.row(key) for key in ("train.epochs", "train.seed", "train.batch_size", "lora.rank")
    )
    assert "expected a whole number" in epochs.error and epochs.text == "0"
    assert seed.is_written and not seed.is_changed
    assert batch.is_changed and batch.other is None
    assert rank.other == "16"
    assert form.row("dataset.shuffle_tags").clashes and form.row("dataset.keep_tags").clashes
    assert form.given == {"train.seed": 0, "train.batch_size": 4, "dataset.keep_tags": 2, "lora.rank": 4}


def test_a_run_of_the_same_file_differs_in_nothing(project: Path) -> None:
    file = project / "project.toml"
    with file.open("a", encoding="utf-8") as out:
        out.write("[lora]\nalpha = 4\n[sample]\nprompts = ['a --d 3']\n[[sample.prompt]]\ntext = 'x'\nseeds = [1]\n")
    other = run_settings(new_run(project).read_record())
    form = make_form(tomllib.loads(file.read_text(encoding="utf-8")), other)
    assert [row.key for row in form.rows if row.other is not None] == []
    assert (form.row("sample.prompt").text, form.row("sample.prompts").text) == ("1 prompt", "1 line")
    with pytest.raises(LabError):
        run_settings({"settings": {"train": {"epochs": -1}}})


@pytest.mark.parametrize("document", [None, {}, {"train": 3}, {"train": {"nonsense": 1}}, {"sample": {"prompt": "x"}}])
def test_any_document_has_a_form(document: dict[str, object] | None) -> None:
    assert len(make_form(document).rows) == len(RULES)


def test_keys_are_found_by_the_names_that_other_trainers_have() -> None:
    assert [key for key, rule in RULES.items() if matches(rule, "network_dim")] == ["lora.rank"]
    assert "train.learning_rate" in [key for key, rule in RULES.items() if matches(rule, "step size")]
    assert [section.name for section in form_sections()] == ["", "base", "dataset", "lora", "train", "sample"]
    assert default_words(RULES["dataset.resolution"]) == "0 (the model's own)"
