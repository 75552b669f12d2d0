"""Pictures of several runs stand beside each other when they come from the same noise, and only then."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from loratui.lab.errors import LabError
from loratui.lab.notes.observations import observe, strike
from loratui.lab.notes.sidebyside import Aligned, common_span, observations_by_feature
from loratui.lab.pictures.pictures import PictureFacts, save_picture
from loratui.lab.run.curves import Curves
from loratui.lab.run.runs import RunFolder
from tests.processes import new_run, write_project

PROMPTS = 'sample.prompts=["myshape", "circle"]'


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sidebyside") / "shapes"
    write_project(folder, tiny_model)
    return folder


@pytest.fixture
def copied(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project, tmp_path / "shapes"))


def draw(run: RunFolder, step: int | None, prompt: int, seed: int, steps: int = 2, scale: float = 1) -> Path:
    """An empty file under the name the sampler would give it; step None is the base model."""
    name = f"p{prompt:02d}-seed{seed}-steps{steps}-" + ("base" if step is None else f"scale{scale:g}") + ".png"
    path = run.samples / ("base" if step is None else f"step-{step:06d}") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def grid(aligned: Aligned, step: int) -> list[list[str]]:
    """Each row as the run and folder its pictures are from."""
    names = {run.path: letter for run, letter in zip(aligned.runs, "ABC", strict=False)}
    found = []
    for row in aligned.rows:
        cells = [aligned.cell(row, column, step).path for column in aligned.columns]
        found.append([f"{names[p.parent.parent.parent]} {p.parent.name}/{p.name[:9]}" if p else "-" for p in cells])
    return found


def test_one_base_column_then_one_for_each_run_at_the_step_asked_for(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, PROMPTS, "lora.rank=2")
    for seed in (1, 2):
        draw(a, None, 0, seed)
        for run in (a, b):
            for step in (3, 6):
                draw(run, step, 0, seed)
    aligned = Aligned([a, b])
    assert aligned.refresh()
    assert [column.label for column in aligned.columns] == ["base", "A", "B"]
    assert aligned.steps == (3, 6)
    assert [(row.words, row.seed, row.inference_steps) for row in aligned.rows] == [(("myshape",), 1, 2),
                                                                                   (("myshape",), 2, 2)]  # fmt: skip
    assert grid(aligned, 3) == [[f"A base/p00-seed{n}", f"A step-000003/p00-seed{n}", f"B step-000003/p00-seed{n}"]
                                for n in (1, 2)]  # fmt: skip
    assert not aligned.refresh()


def test_a_run_that_drew_nothing_at_a_step_shows_its_last_one_before_and_says_which(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, PROMPTS, "lora.rank=2")
    for step in (3, 6, 9):
        draw(a, step, 0, 1)
    draw(b, 6, 0, 1)
    aligned = Aligned([a, b])
    aligned.refresh()
    (row,) = aligned.rows
    column = aligned.columns[2]
    assert [aligned.cell(row, column, step).step for step in (3, 6, 9)] == [None, 6, 6]
    assert aligned.cell(row, column, 3).path is None


def test_seeds_sizes_and_inference_steps_are_never_mixed(copied: Path) -> None:
    a = new_run(copied, PROMPTS)
    b = new_run(copied, PROMPTS, "sample.width=128", "lora.rank=2")
    draw(a, 3, 0, 1, steps=2)
    draw(a, 3, 0, 1, steps=25)
    draw(b, 3, 0, 1, steps=2)
    aligned = Aligned([a, b])
    aligned.refresh()
    assert grid(aligned, 3) == [
        ["-", "A step-000003/p00-seed1", "-"],
        ["-", "A step-000003/p00-seed1", "-"],
        ["-", "-", "B step-000003/p00-seed1"],
    ]


def test_a_prompt_at_another_place_is_the_same_prompt(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, 'sample.prompts=["circle", "myshape"]', "lora.rank=2")
    draw(a, 3, 1, 1)
    draw(b, 3, 0, 1)
    aligned = Aligned([a, b])
    aligned.refresh()
    assert grid(aligned, 3) == [["-", "A step-000003/p01-seed1", "B step-000003/p00-seed1"]]


def test_a_replaced_tag_is_matched_and_each_word_has_its_own_base(copied: Path) -> None:
    a = new_run(copied, 'sample.prompts=["myshape"]')
    b = new_run(copied, 'sample.prompts=["monster"]', "lora.rank=2")
    c = new_run(copied, 'sample.prompts=["myshape"]', "lora.rank=3")
    for run in (a, b, c):
        draw(run, None, 0, 1)
        draw(run, 3, 0, 1)
    aligned = Aligned([a, b, c])
    aligned.refresh()
    (row,) = aligned.rows
    assert row.words == ("myshape", "monster")
    assert [column.label for column in aligned.columns] == ["base A C", "A", "C", "base B", "B"]
    assert grid(aligned, 3) == [["A base/p00-seed1", "A step-000003/p00-seed1", "C step-000003/p00-seed1",
                                 "B base/p00-seed1", "B step-000003/p00-seed1"]]  # fmt: skip


def test_scales_are_rows_of_their_own(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, PROMPTS, "lora.rank=2")
    for run in (a, b):
        for scale in (0.5, 1):
            draw(run, 3, 0, 1, scale=scale)
    aligned = Aligned([a, b])
    aligned.refresh()
    assert [row.scale for row in aligned.rows] == [0.5, 1.0]
    assert all("-" not in row[1:] for row in grid(aligned, 3))


def test_a_prompt_asked_for_while_training_is_known_by_its_picture(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, PROMPTS, "lora.rank=2")
    for run, number in ((a, 2), (b, 5)):
        facts = PictureFacts("a late idea", "", 1, 2, 5.0, 64, 64, "tiny", scale=1.0, step=3, run=run.id)
        save_picture(draw(run, 3, number, 1), np.zeros((8, 8, 3), np.uint8), facts)
    aligned = Aligned([a, b])
    aligned.refresh()
    assert [row.words for row in aligned.rows] == [("a late idea",)]
    assert grid(aligned, 3) == [["-", "A step-000003/p02-seed1", "B step-000003/p05-seed1"]]


def test_new_pictures_are_found_by_looking_again(copied: Path) -> None:
    a, b = new_run(copied, PROMPTS), new_run(copied, PROMPTS, "lora.rank=2")
    aligned = Aligned([a, b])
    aligned.refresh()
    assert (aligned.rows, aligned.steps) == ((), ())
    draw(b, 3, 0, 1)
    assert aligned.refresh()
    assert aligned.steps == (3,)
    assert len(aligned.rows) == 1


def test_observations_stand_side_by_side_by_feature(copied: Path) -> None:
    a, b = new_run(copied), new_run(copied, "lora.rank=2")
    observe(a, "circle?", feature="shape", verdict="uncertain")
    observe(a, "all of them", feature="Grey", verdict="learned")
    observe(b, "late", feature="grey", verdict="partly")
    observe(b, "by the way")
    strike(b, observe(b, "wrong", feature="shape").id)
    rows = observations_by_feature([a, b])
    assert [(row.feature, [[o.note for o in seen] for seen in row.observations]) for row in rows] == [
        ("Grey", [["all of them"], ["late"]]),
        ("shape", [["circle?"], []]),
        ("", [[], ["by the way"]]),
    ]


def test_a_broken_file_of_observations_is_told_and_the_others_are_shown(copied: Path) -> None:
    a, b = new_run(copied), new_run(copied, "lora.rank=2")
    observe(a, "fine")
    b.observations_file.write_text("[[observation\n", encoding="utf-8")
    problems: list[str] = []
    (row,) = observations_by_feature([a, b], problems)
    assert [[o.note for o in seen] for seen in row.observations] == [["fine"], []]
    assert str(b.observations_file) in problems[0]
    with pytest.raises(LabError):
        observations_by_feature([a, b])


def test_the_axis_of_all_runs_ends_with_the_longest(copied: Path) -> None:
    runs = [new_run(copied), new_run(copied, "lora.rank=2")]
    for run, last in zip(runs, (6, 12), strict=True):
        lines = [f'{{"kind":"step","t":1.0,"step":{n},"epoch":1,"loss":0.1,"smoothed":0.1,"lr":0.1}}\n'
                 for n in range(1, last + 1)]  # fmt: skip
        run.events_file.write_text("".join(lines), encoding="utf-8")
    curves = [Curves(run) for run in runs]
    for curve in curves:
        curve.poll()
    span = common_span(curves)
    assert (span.first, span.last) == (0, 12)
