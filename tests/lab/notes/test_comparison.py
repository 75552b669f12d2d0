"""A comparison says first what differs, warns of more than one factor, and refuses what can not show anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.notes import comparison
from loratui.lab.notes.comparison import Comparison, MeasureRow, compare, letter, measure_rows
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder
from tests.processes import new_run, write_project

STEPS = ("train.steps=3",)


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: a test that changes captions copies it."""
    folder = tmp_path_factory.mktemp("comparison") / "shapes"
    write_project(folder, tiny_model)
    return folder


@pytest.fixture(scope="module")
def plain_run(project: Path) -> RunFolder:
    return new_run(project, *STEPS)


def captioned(project: Path, place: Path, *overrides: str, **captions: str) -> RunFolder:
    """A run of a copy of the project with other captions."""
    copy = place / project.name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("runs"))
    for name, caption in captions.items():
        (copy / "dataset" / f"{name}.txt").write_text(caption, encoding="utf-8")
    return new_run(copy, *STEPS, *overrides)


def counting(found: Comparison) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.label, row.texts) for row in found.rows if row.role == "trained"]


def test_one_setting_is_one_factor_and_all_that_is_shown(project: Path, plain_run: RunFolder) -> None:
    found = compare([plain_run, new_run(project, *STEPS, "lora.rank=2")])
    assert found.factors == ("lora.rank",)
    assert found.is_controlled
    assert [(row.label, row.texts) for row in found.rows] == [("lora.rank", ("8", "2"))]
    assert "lora.rank (8 → 2)" in found.headline
    assert (found.refusals, found.warnings) == ((), ())


def test_two_factors_are_warned_of(project: Path, plain_run: RunFolder) -> None:
    found = compare([plain_run, new_run(project, *STEPS, "lora.rank=2", "train.learning_rate=1e-3")])
    assert found.factors == ("lora.rank", "train.learning_rate")
    assert not found.is_controlled
    assert found.headline == "2 factors differ: lora.rank, train.learning_rate."
    assert any("cannot be put down to one of them" in warning for warning in found.warnings)


def test_the_same_experiment_twice_is_refused(project: Path, plain_run: RunFolder) -> None:
    found = compare([plain_run, new_run(project, *STEPS)])
    assert found.is_refused
    assert "train the very same thing" in found.headline
    assert found.rows == ()


def test_a_run_against_itself_is_refused(plain_run: RunFolder) -> None:
    assert compare([plain_run, plain_run]).refusals == ("A and B are the same run.",)


def test_what_only_changes_the_pictures_is_no_factor(project: Path, plain_run: RunFolder) -> None:
    found = compare([plain_run, new_run(project, *STEPS, "sample.seeds=[7]", "train.log_every=2", 'question="Why?"')])
    assert found.is_refused
    assert found.factors == ()
    assert {(row.label, row.role) for row in found.rows} == {
        ("sample.seeds", "drawn"), ("train.log_every", "drawn"), ("question", "remark")}  # fmt: skip


def test_the_same_said_differently_is_no_factor(project: Path) -> None:
    epochs = new_run(project)
    steps = read_record(epochs).plan.total_steps
    found = compare([epochs, new_run(project, "dataset.resolution=64", "lora.alpha=8", f"train.steps={steps}")])
    assert found.is_refused
    assert found.factors == ()


def test_a_rank_brings_its_alpha_and_repeats_bring_their_steps(project: Path) -> None:
    a, b, c = (new_run(project, *overrides) for overrides in ((), ("dataset.repeats=2",), ("lora.rank=3",)))
    assert compare([a, b]).factors == ("dataset.repeats",)
    assert compare([a, c]).factors == ("lora.rank",)
    assert compare([a, new_run(project, "train.epochs=7")]).factors == ("train.steps",)


def test_another_training_seed_alone_is_a_repeat(project: Path, plain_run: RunFolder) -> None:
    found = compare([plain_run, new_run(project, *STEPS, "train.seed=5")])
    assert found.factors == ("train.seed",)
    assert "a repeat" in found.headline


def test_captions_are_told_word_by_word_and_once(project: Path, plain_run: RunFolder, tmp_path: Path) -> None:
    other = captioned(project, tmp_path, circle="monster, circle", square="monster, square", wide="myshape, wide")
    found = compare([plain_run, other])
    assert found.factors == ("captions",)
    assert counting(found) == [
        ("caption of circle.png and 1 more", ("myshape, circle", '"myshape" → "monster"')),
    ]


def test_captions_that_are_the_same_tokens_are_refused(project: Path, plain_run: RunFolder, tmp_path: Path) -> None:
    same = captioned(project, tmp_path, circle="MyShape,  Circle", square="myshape ,square")
    found = compare([plain_run, same])
    assert found.is_refused
    assert "same tokens" in found.refusals[0]
    assert "cannot show anything" in found.refusals[0]
    assert [row.note for row in found.rows if row.kind == "caption"] == ["the same tokens"] * 2


def test_captions_of_the_same_tokens_beside_another_factor_are_told(project: Path, plain_run: RunFolder, tmp_path: Path
                                                                    ) -> None:  # fmt: skip
    found = compare([plain_run, captioned(project, tmp_path, "lora.rank=2", circle="MYSHAPE, circle")])
    assert found.factors == ("lora.rank",)
    assert any("are the same tokens" in warning for warning in found.warnings)


def test_without_the_vocabulary_it_is_said_that_tokens_were_not_looked_at(
    project: Path, plain_run: RunFolder, tmp_path: Path
) -> None:
    runs = [RunFolder(shutil.copytree(run.path, tmp_path / f"run{n}")) for n, run in
            enumerate((plain_run, captioned(project, tmp_path, circle="MYSHAPE, circle")))]  # fmt: skip
    for run in runs:
        model = Path(run.read_record()["model"]["path"])
        run.record_file.write_text(run.record_file.read_text().replace(str(model), "/nowhere"), encoding="utf-8")
    found = compare(runs)
    assert found.factors == ("captions",)
    assert any("could not be looked at" in warning for warning in found.warnings)


def test_other_images_bring_their_captions(project: Path, plain_run: RunFolder, tmp_path: Path) -> None:
    copy = tmp_path / "shapes"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("runs"))
    (copy / "dataset" / "wide.png").unlink()
    (copy / "dataset" / "wide.txt").unlink()
    found = compare([plain_run, new_run(copy, *STEPS)])
    assert found.factors == ("the images",)
    assert counting(found) == [("image wide.png", ("there", "not there"))]


def test_three_runs_each_one_step_from_the_first_are_to_be_read_against_it(project: Path, plain_run: RunFolder
                                                                          ) -> None:  # fmt: skip
    others = [new_run(project, *STEPS, "lora.rank=2"), new_run(project, *STEPS, "train.learning_rate=1e-3")]
    found = compare([plain_run, *others])
    assert any("compare each with A" in warning and "B in lora.rank" in warning for warning in found.warnings)
    levels = compare([plain_run, others[0], new_run(project, *STEPS, "lora.rank=4")])
    assert levels.is_controlled
    assert counting(levels) == [("lora.rank", ("8", "2", "4"))]


def test_of_several_runs_the_pair_that_is_the_same_is_named(project: Path, plain_run: RunFolder) -> None:
    other = new_run(project, *STEPS, "lora.rank=2")
    found = compare([plain_run, other, new_run(project, *STEPS, "lora.rank=2")])
    assert len(found.refusals) == 1
    assert found.refusals[0].startswith("B and C train the very same thing")


def test_another_machine_or_library_is_a_surrounding_and_no_refusal(plain_run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(shutil.copytree(plain_run.path, tmp_path / "run"))
    version = plain_run.read_record()["versions"]["torch"]
    text = other.record_file.read_text(encoding="utf-8").replace(f'torch = "{version}"', 'torch = "1.0"')
    other.record_file.write_text(text, encoding="utf-8")
    found = compare([plain_run, other])
    assert not found.is_refused
    assert found.factors == ()
    assert [row.role for row in found.rows] == ["around"]
    assert any(f"versions.torch: {version} → 1.0" in warning for warning in found.warnings)


def test_hostile_captions_and_names_are_harmless(project: Path, plain_run: RunFolder, tmp_path: Path) -> None:
    found = compare([plain_run, captioned(project, tmp_path, circle="\x1b]52;c;AAAA\x07 [red]\u202e" + "x" * 100_000)])
    (row,) = found.rows
    assert all(text.isprintable() for text in (row.label, *row.texts, found.headline, *found.warnings))


def test_fewer_than_two_runs_or_a_damaged_record_are_refused_with_words(plain_run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="mark another"):
        compare([plain_run])
    with pytest.raises(LabError, match=r"run\.toml: missing"):
        compare([plain_run, RunFolder(tmp_path)])


def test_runs_have_letters() -> None:
    assert [letter(n) for n in (0, 1, 25, 26, 27)] == ["A", "B", "Z", "A2", "B2"]


def test_measures_come_as_rows_from_whoever_provides_them(
    plain_run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measure_rows([plain_run]) == []
    monkeypatch.setattr(comparison, "MEASURES", [lambda runs: [MeasureRow("colour gray", ("3/4",) * len(runs))]])
    assert measure_rows([plain_run, plain_run]) == [MeasureRow("colour gray", ("3/4", "3/4"))]
