"""The samples of a run as a grid: found by their names, quickly, whatever else lies there, and walked through."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from loratui.lab.pictures.gallery import Gallery, Spot, Where, expected_words
from loratui.lab.project.prompts import ResolvedPrompt
from loratui.lab.run.asked import asked_numbers
from loratui.lab.run.runs import RunFolder
from tests.pictures import PROMPTS, draw_sample, file_of, places, sampled_run

STEPS, SEEDS = (75, 150, 225), (1, 2, 3)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    found = Gallery(sampled_run(tmp_path, places(STEPS, SEEDS, prompts=2, lengths=(1, 25), scales=(0.5, 1.0))))
    assert found.refresh()
    found.read_words()
    return found


def test_rows_columns_and_steps_come_from_the_names(gallery: Gallery) -> None:
    assert gallery.steps == STEPS
    assert gallery.columns == (None, 0.5, 1.0)
    assert gallery.inference_steps == (1, 25)
    assert len(gallery.spots) == 2 * 2 * 3
    where = Where(Spot(1, 25, 3), 0.5, 150)
    assert gallery.path(where) == file_of(gallery.run, where)
    assert gallery.path(replace(where, step=151)) is None
    assert gallery.path(replace(where, scale=None, step=151)) == file_of(gallery.run, replace(where, scale=None))


def test_a_file_is_found_again_by_its_place(gallery: Gallery) -> None:
    for where in places(STEPS, SEEDS, prompts=2, lengths=(1, 25), scales=(0.5, 1.0)):
        found = gallery.locate(file_of(gallery.run, where))
        assert found == (where if where.scale is not None else replace(where, step=225))
    assert gallery.locate(gallery.run.samples / "step-000075" / "p09-seed1-steps25-scale1.png") is None
    assert gallery.locate(gallery.run.samples / "sheet-step-000075.png") is None
    assert gallery.locate(Path("/elsewhere/base/p00-seed1-steps25-base.png")) is None


def test_what_is_not_a_sample_is_passed_over(gallery: Gallery) -> None:
    folder = gallery.run.samples / "step-000075"
    before = gallery.spots
    for name in ("notes.txt", ".p00-seed9-steps25-scale1.png.part", "p00-seed-1-steps25-scale1.png", "p0-seed9.png",
                 "p00-seed9-steps25-base.png", "p00-seed9-steps25-scale1.png.bak", "p00-seed9-steps25-scalenan.png",
                 "p00-seed9-steps25-scale1.png\n", os.fsdecode(b"p00-seed9-steps25-scale1\xff.png")):  # fmt: skip
        (folder / name).write_bytes(b"x")
    (gallery.run.samples / "step-75").mkdir()
    (gallery.run.samples / "step-75" / "p00-seed9-steps25-scale1.png").touch()
    (gallery.run.samples / "sheet-step-000075-2.png").touch()
    (gallery.run.samples / "sheet-step-000075.png").touch()
    again = Gallery(gallery.run)
    again.refresh()
    assert again.spots == before
    assert [path.name for path in again.sheets(75)] == ["sheet-step-000075.png", "sheet-step-000075-2.png"]
    assert gallery.refresh(), "the sheets are new"
    assert gallery.all_sheets == again.all_sheets


def test_what_is_drawn_while_one_looks_is_found(gallery: Gallery) -> None:
    assert not gallery.refresh()
    new = Where(Spot(0, 25, 1), 1.0, 300)
    draw_sample(gallery.run, new)
    assert gallery.refresh()
    assert gallery.steps == (*STEPS, 300)
    draw_sample(gallery.run, replace(new, spot=Spot(0, 25, 2)))
    assert gallery.refresh(), "another picture in a folder that was listed a moment ago"
    assert not gallery.refresh()
    file_of(gallery.run, new).unlink()
    file_of(gallery.run, replace(new, spot=Spot(0, 25, 2))).unlink()
    file_of(gallery.run, new).parent.rmdir()
    assert gallery.refresh()
    assert gallery.steps == STEPS


def test_folders_that_did_not_change_are_not_read_again(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in gallery.run.samples.iterdir():
        os.utime(folder, (1000, 1000))
    gallery.refresh()
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(Path(path).name) or scandir(path))
    assert not gallery.refresh()
    assert listed == ["samples"]


def test_a_run_without_samples_is_empty(tmp_path: Path) -> None:
    empty = Gallery(RunFolder(tmp_path / "nothing"))
    assert not empty.refresh()
    assert empty.empty
    assert (empty.steps, empty.spots, empty.columns, empty.all_sheets) == ((), (), (None,), ())


def test_from_picture_to_picture(gallery: Gallery) -> None:
    here = Where(Spot(0, 25, 2), 1.0, 150)
    assert gallery.move(here, "seed", 1) == replace(here, spot=Spot(0, 25, 3))
    assert gallery.move(here, "seed", -1) == replace(here, spot=Spot(0, 25, 1))
    assert gallery.move(replace(here, spot=Spot(0, 25, 3)), "seed", 1) is None
    assert gallery.move(here, "step", 1) == replace(here, step=225)
    assert gallery.move(replace(here, step=225), "step", 1) is None
    assert gallery.move(here, "prompt", 1) == replace(here, spot=Spot(1, 25, 2))
    assert gallery.move(here, "prompt", -1) is None
    assert gallery.move(here, "inference_steps", -1) == replace(here, spot=Spot(0, 1, 2))
    assert gallery.move(here, "scale", -1) == replace(here, scale=0.5)
    assert gallery.move(replace(here, scale=0.5), "scale", -1) == replace(here, scale=None)


def test_a_picture_that_was_not_drawn_is_stepped_over(gallery: Gallery) -> None:
    here = Where(Spot(0, 25, 1), 1.0, 75)
    file_of(gallery.run, replace(here, step=150)).unlink()
    file_of(gallery.run, replace(here, spot=Spot(0, 25, 2))).unlink()
    gallery.refresh()
    assert gallery.move(here, "step", 1) == replace(here, step=225)
    assert gallery.move(here, "seed", 1) == replace(here, spot=Spot(0, 25, 3))


def test_a_seed_that_the_other_prompt_lacks_becomes_its_nearest(gallery: Gallery) -> None:
    draw_sample(gallery.run, Where(Spot(2, 25, 40), 1.0, 150))
    draw_sample(gallery.run, Where(Spot(2, 25, 7), 1.0, 150))
    gallery.refresh()
    there = gallery.move(Where(Spot(1, 25, 3), 1.0, 150), "prompt", 1)
    assert there == Where(Spot(2, 25, 7), 1.0, 150)


def test_the_twin_is_the_same_noise_without_and_with_the_lora(gallery: Gallery) -> None:
    here = Where(Spot(1, 25, 2), 0.5, 150)
    base = gallery.twin(here)
    assert base == replace(here, scale=None)
    assert base is not None
    assert gallery.twin(base, 0.5) == here
    assert gallery.twin(base) == replace(here, scale=1.0)
    file_of(gallery.run, replace(here, scale=1.0)).unlink()
    gallery.refresh()
    assert gallery.twin(base) == here, "the nearest scale that was drawn"
    assert gallery.move(base, "step", 1) == replace(base, step=225), "the slider moves on beside the base model"


def test_without_a_record_the_pictures_tell_their_prompts(gallery: Gallery) -> None:
    assert [gallery.prompt(n).text for n in (0, 1)] == list(PROMPTS)
    assert gallery.prompt(5).text == "prompt 5"


def test_rows_of_the_own_prompts_stay_from_step_to_step(gallery: Gallery) -> None:
    asked = Where(Spot(2, 25, 9), 1.0, 150)
    draw_sample(gallery.run, asked, prompt="only once")
    file_of(gallery.run, Where(Spot(0, 25, 1), 1.0, 150)).unlink()
    gallery.refresh()
    gallery.read_words()
    assert gallery.prompt(2).text == "only once"
    gallery._own = 2  # as where the record says so
    assert asked.spot in gallery.rows(150, 25)
    assert asked.spot not in gallery.rows(75, 25)
    assert Spot(0, 25, 1) in gallery.rows(150, 25)
    assert len(gallery.rows(75, 1)) == 6


def test_thousands_of_pictures_are_listed_by_name_alone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in range(0, 6_000, 150):
        folder = run.samples / f"step-{step:06d}"
        folder.mkdir(parents=True)
        for seed in range(50):
            (folder / f"p{seed % 4:02d}-seed{seed}-steps25-scale1.png").touch()  # empty: to open one would fail
    gallery = Gallery(run)
    assert gallery.refresh()
    assert (len(gallery.steps), len(gallery.spots)) == (40, 50)
    gallery.read_words()
    assert gallery.prompt(3).text == "prompt 3"


def test_expectations_are_said_in_a_line() -> None:
    words = expected_words({"colour": "gray", "shape": ["circle", "square"], "share": [0.1, 0.25], "count": 3})
    assert words == "colour gray · shape circle or square · share 0.1–0.25 · count 3"


def test_an_asked_prompt_never_takes_the_number_of_another(tmp_path: Path) -> None:
    def prompt(text: str, **changes: object) -> ResolvedPrompt:
        return replace(ResolvedPrompt(text, "", (1,), 5.0, 16, 16, (25,)), **changes)

    run = sampled_run(tmp_path, places(STEPS, SEEDS))
    own = [prompt(PROMPTS[0])]
    assert asked_numbers(run, own, [prompt(PROMPTS[0]), prompt("new"), prompt("new", seeds=(9,))]) == [0, 1, 1]
    assert asked_numbers(run, own, [prompt(PROMPTS[0], negative_prompt="red")]) == [1]
    for scale in (None, 1.0):
        draw_sample(run, Where(Spot(1, 25, 1), scale, 150), prompt="new")
    assert asked_numbers(run, own, [prompt("other"), prompt("new")]) == [2, 1]
