"""The shelf: every project is listed and told of, whatever lies in its folder, and only what changed is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.dataset.dataset import count_images, scan_dataset
from loratui.lab.notes.observations import observe, strike
from loratui.lab.project.projects import Shelf, list_projects, summarise
from loratui.lab.project.settings import Dataset
from loratui.lab.run import glance
from loratui.lab.run.lock import RunLock
from tests.frozen import freeze_run, log, log_steps


def project(folder: Path, text: str = 'question = "What is learned?"\n') -> Path:
    (folder / "dataset").mkdir(parents=True)
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder


def images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "white").save(folder / name, "PNG")


# -- the list ---------------------------------------------------------------------------------------------------------


def test_projects_are_listed_in_natural_order_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("shapes 10", "shapes 9", ".hidden", "[red] a project"):
        project(tmp_path / name)
    (tmp_path / "only-runs" / "runs").mkdir(parents=True)
    (tmp_path / "no project").mkdir()
    (tmp_path / "project.toml").write_text("a file beside them")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    names = [path.name for path in list_projects(tmp_path)]
    assert names == ["[red] a project", "only-runs", "shapes 9", "shapes 10"]


def test_what_is_put_away_is_listed_only_when_asked_for(tmp_path: Path) -> None:
    project(tmp_path / "old")
    (tmp_path / "old" / "ARCHIVED").touch()
    assert list_projects(tmp_path) == []
    assert list_projects(tmp_path, archived=True) == [tmp_path / "old"]
    assert summarise(tmp_path / "old").archived


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none_holds_no_projects(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    assert list_projects(tmp_path / folder) == []
    assert Shelf(tmp_path / folder).refresh() == frozenset()


def test_a_project_behind_a_link_is_told_by_the_name_of_the_link(tmp_path: Path) -> None:
    project(tmp_path / "elsewhere" / "real")
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "linked").symlink_to(tmp_path / "elsewhere" / "real")
    (found,) = list_projects(tmp_path / "shelf")
    assert summarise(found).name == "linked"
    assert summarise(found).question == "What is learned?"


# -- one project ------------------------------------------------------------------------------------------------------


def test_a_project_in_which_nothing_happened_yet(tmp_path: Path) -> None:
    summary = summarise(project(tmp_path / "new"))
    assert (summary.name, summary.question, summary.images, summary.runs) == ("new", "What is learned?", 0, ())
    assert (summary.error, summary.last_observation, summary.last_run) == ("", None, None)


def test_a_broken_project_is_told_of_with_its_fault_and_its_runs(tmp_path: Path) -> None:
    folder = project(tmp_path / "broken", "[train]\nlerning_rate = 1\n")
    images(folder, "dataset/a.png")
    freeze_run(folder)
    summary = summarise(folder)
    assert "project.toml:2" in summary.error
    assert "learning_rate" in summary.error
    assert (len(summary.runs), summary.images, summary.dataset) == (1, 1, None)


def test_runs_without_a_project_file_are_still_told_of(tmp_path: Path) -> None:
    freeze_run(tmp_path / "left")
    assert "no such file" in summarise(tmp_path / "left").error
    assert len(summarise(tmp_path / "left").runs) == 1


def test_a_project_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    odd = project(tmp_path / "odd")
    project(tmp_path / "open")
    (odd / "project.toml").unlink()
    (odd / "project.toml").mkdir()
    (odd / "runs").mkdir()
    summaries = {path.name: summarise(path) for path in list_projects(tmp_path)}
    assert "project.toml" in summaries["odd"].error
    assert summaries["open"].error == ""


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "B.JPG", "c.webp", ".hidden.png", "a-masklabel.png", "note.txt"),
        ("10_circle/a.png", "5_square/b.png", "5_square/c.jpeg", "0_off/d.png", "beside.png", "other/e.png"),
        ("0_off/d.png", "beside.png", "10_empty/read.txt"),
        ("deeper/a.png",),
    ],
)
def test_images_are_counted_by_name_as_the_scan_counts_them(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = project(tmp_path / "p")
    for name in names:
        images(folder, f"dataset/{name}")
    scanned = len(scan_dataset(folder / "dataset", Dataset()).images)
    assert summarise(folder).images == scanned == count_images(folder / "dataset")[0]


def test_the_dataset_may_lie_anywhere(tmp_path: Path) -> None:
    images(tmp_path / "pictures", "a.png", "b.png")
    assert summarise(project(tmp_path / "p", '[dataset]\npath = "../pictures"\n')).images == 2


# -- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_is_told_with_its_state_its_total_and_its_loss(tmp_path: Path) -> None:
    run = freeze_run(project(tmp_path / "p"))
    log_steps(run, [0.3, 0.2, 0.1], total=750)
    (found,) = summarise(tmp_path / "p").runs
    assert (found.state.name, found.state.step, found.total) == ("interrupted", 3, 750)
    assert found.trace == (0.3, 0.2, 0.1)
    assert found.loss == 0.1
    assert found.is_unfinished
    with RunLock(run.lock_file):
        (found,) = summarise(tmp_path / "p").runs
        assert (found.state.name, found.alive, found.is_unfinished) == ("running", True, False)
    log(run, "state", state="finished", step=3, total=750, reason="finished")
    (found,) = summarise(tmp_path / "p").runs
    assert (found.state.name, found.is_unfinished) == ("finished", False)


def test_a_loss_that_is_not_finite_leaves_no_mark_in_the_trace(tmp_path: Path) -> None:
    run = freeze_run(project(tmp_path / "p"))
    log_steps(run, [0.5, "nan", "inf", 0.25], total=4)
    assert summarise(tmp_path / "p").runs[0].trace == (0.5, 0.25)


def test_the_trace_of_a_long_log_spans_the_whole_run_in_few_points(tmp_path: Path) -> None:
    run = freeze_run(project(tmp_path / "p"))
    log_steps(run, [round(1 - step / 20_000, 5) for step in range(20_000)], total=20_000)
    (found,) = summarise(tmp_path / "p").runs
    assert run.events_file.stat().st_size > 1_000_000
    assert 30 <= len(found.trace) <= 40
    assert found.trace[0] > 0.97 and found.trace[-1] == pytest.approx(0.00005)
    assert list(found.trace) == sorted(found.trace, reverse=True)
    assert found.total == 20_000


def test_the_points_of_a_log_of_medium_length_are_means_that_end_with_the_last_loss(tmp_path: Path) -> None:
    run = freeze_run(project(tmp_path / "p"))
    log_steps(run, [1.0, 0.0] * 100 + [0.125], total=201)
    trace = summarise(tmp_path / "p").runs[0].trace
    assert len(trace) == 40
    assert trace[-1] == 0.125
    assert all(0.3 < value < 0.7 for value in trace[:-1])


def test_what_is_new_in_a_run_is_told_against_the_one_before(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    first = freeze_run(folder, 0)
    second = freeze_run(folder, 1, rank=4)
    third = freeze_run(folder, 2, rank=4, captions=("monster",))
    same = freeze_run(folder, 3, rank=4, captions=("monster",))
    shelf = Shelf(tmp_path)
    assert shelf.news(first, None) == "the first run"
    assert shelf.news(second, first) == "lora.rank: 8 → 4"
    assert shelf.news(third, second) == 'captions ("a" → "monster")'
    assert shelf.news(same, third) == "nothing: the same again"


def test_a_run_made_from_another_is_told_against_that_one(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    first = freeze_run(folder, 0)
    second = freeze_run(folder, 1, rank=4)
    child = freeze_run(folder, 2, parent=first.id, rank=16)
    assert Shelf(tmp_path).news(child, second) == f"from {first.id[-4:]}: lora.rank: 8 → 16"


def test_a_damaged_record_is_told_in_place_of_what_is_new(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    first, second = freeze_run(folder, 0), freeze_run(folder, 1)
    second.record_file.write_text("a = = 1")
    assert "cannot be read" in Shelf(tmp_path).news(second, first)


def test_long_lists_of_captions_are_compared_without_being_read_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glance, "_CAPTIONS", 10)
    folder = project(tmp_path / "p")
    first, second = freeze_run(folder, 0), freeze_run(folder, 1)
    third = freeze_run(folder, 2, captions=("other",))
    shelf = Shelf(tmp_path)
    assert shelf.news(second, first) == "nothing: the same again"
    assert shelf.news(third, second) == "images or captions"


# -- observations -----------------------------------------------------------------------------------------------------


def test_the_last_observation_is_the_newest_that_stands(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    first, second = freeze_run(folder, 0), freeze_run(folder, 1)
    observe(first, "grey is there")
    os.utime(first.observations_file, (1, 1))
    last = observe(second, "round it is")
    shelf = Shelf(tmp_path)
    found = shelf.look(folder).last_observation
    assert found is not None and found.note == "round it is"
    strike(second, last.id)
    found = shelf.look(folder).last_observation
    assert found is not None and found.note == "grey is there"


# -- looking again ----------------------------------------------------------------------------------------------------


def test_looking_again_tells_what_changed_came_and_went(tmp_path: Path) -> None:
    still, busy, leaving = (project(tmp_path / name) for name in ("still", "busy", "leaving"))
    shelf = Shelf(tmp_path)
    assert shelf.refresh() == {still, busy, leaving}
    assert shelf.refresh() == frozenset()
    log_steps(freeze_run(busy), [0.5], total=10)
    leaving.rename(tmp_path / ".gone")
    fresh = project(tmp_path / "fresh")
    assert shelf.refresh() == {busy, leaving, fresh}
    assert list(shelf.summaries) == [busy, fresh, still]
    images(still, "dataset/a.png")
    assert shelf.refresh() == {still}
    (still / "project.toml").write_text("question = 1\n")
    assert shelf.refresh() == {still}
    assert shelf.summaries[still].error


def test_looking_again_reads_nothing_that_did_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "p")
    images(folder, "dataset/a.png")
    os.utime(folder / "dataset", (1, 1))
    run = freeze_run(folder)
    log_steps(run, [0.5], total=10)
    shelf = Shelf(tmp_path)
    before = shelf.look(folder)

    def refuse(*_: object) -> None:
        raise AssertionError("was read again")

    for name in ("loratui.lab.project.projects.load_project", "loratui.lab.project.projects.count_images",
                 "loratui.lab.run.glance.read_state", "loratui.lab.run.glance._read_log"):  # fmt: skip
        monkeypatch.setattr(name, refuse)
    assert shelf.look(folder) == before
    log(run, "state", state="stopped", step=1)
    with pytest.raises(AssertionError, match="read again"):
        shelf.look(folder)


def test_a_long_look_tells_how_far_it_is_and_can_be_ended(tmp_path: Path) -> None:
    for name in "abc":
        project(tmp_path / name)
    told: list[tuple[int, int]] = []
    Shelf(tmp_path).refresh(lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
