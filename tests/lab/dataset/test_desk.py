"""The desk joins what is known of each image, and loses nothing that was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loratui.lab.check.checkapart import Checked
from loratui.lab.check.findings import Finding
from loratui.lab.dataset.desk import UNSAVED, Desk
from loratui.lab.dataset.filtering import parse
from loratui.lab.dataset.tokenview import TokenIndex, load_tokenizer
from loratui.lab.dataset.worddiff import word_diff
from loratui.lab.errors import LabError
from loratui.lab.project.project import load_project


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "project.toml").write_text('[base]\nmodel = "tinyworld"\n')
    for name, caption in (("a", "red, big"), ("b", "red"), ("c", None)):
        (tmp_path / f"dataset/{name}.png").touch()
        if caption is not None:
            (tmp_path / f"dataset/{name}.txt").write_text(caption)
    made = Desk(load_project(tmp_path))
    made.load()
    return made


def caption(desk: Desk, name: str) -> str:
    return (desk.folder / f"{name}.txt").read_text()


def test_a_draft_is_what_is_seen_and_becomes_the_file_when_saved(desk: Desk) -> None:
    desk.type_in("a.png", "red, bigger")

    assert (desk.text("a.png"), desk.caption("a.png")) == ("red, bigger", "red, big")
    assert desk.save_drafts().done == ("a.png",)
    assert caption(desk, "a") == "red, bigger"
    assert not desk.drafts


def test_typing_back_to_what_it_was_is_no_edit(desk: Desk) -> None:
    desk.type_in("a.png", "red, bigg")
    desk.type_in("a.png", "red, big")

    desk.save_drafts()

    assert desk.store.can_undo is None


def test_a_conflict_keeps_the_draft_and_is_not_asked_again_until_somebody_decides(desk: Desk) -> None:
    desk.type_in("b.png", "blue")
    (desk.folder / "b.txt").write_text("green")

    assert [c.theirs for c in desk.save_drafts().conflicts] == ["green"]
    assert desk.save_drafts().conflicts == ()
    assert len(desk.save_drafts(also_held=True).conflicts) == 1
    assert (caption(desk, "b"), desk.text("b.png")) == ("green", "blue")


def test_what_cannot_be_saved_at_the_end_is_put_aside_once(desk: Desk) -> None:
    desk.type_in("a.png", "red, small")
    desk.type_in("b.png", "blue")
    (desk.folder / "b.txt").write_text("green")

    desk.leave()
    desk.leave()

    assert (caption(desk, "a"), caption(desk, "b")) == ("red, small", "green")
    lines = (desk.project.folder / UNSAVED).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"image": "b.png", "caption": "blue"}]


def test_the_draft_of_an_image_that_is_gone_is_put_aside_and_said(desk: Desk) -> None:
    desk.type_in("b.png", "blue")
    (desk.folder / "b.png").unlink()
    desk.refresh()

    with pytest.raises(LabError, match=r"b\.png: the image is gone"):
        desk.save_drafts()

    assert not desk.drafts
    assert json.loads((desk.project.folder / UNSAVED).read_text())["caption"] == "blue"


def test_undo_tells_what_it_took_back(desk: Desk) -> None:
    desk.edit({"a.png": "x", "b.png": "y"}, "make letters")

    what, edited = desk.undo()
    assert (what, edited.done, caption(desk, "a")) == ("make letters", ("a.png", "b.png"), "red, big")
    assert desk.undo()[0] is None
    assert desk.redo()[0] == "make letters"
    assert desk.caption("a.png") == "x"


def test_problems_are_those_of_the_check_until_the_caption_is_another(desk: Desk) -> None:
    about_image = Finding("image-size", "error", "dataset/a.png", "small", "enlarge it")
    about_caption = Finding("caption-control", "warning", "dataset/a.txt", "odd", "clean it")
    about_project = Finding("size-multiple", "error", "dataset.resolution", "no", "set it")

    desk.adopt(Checked((about_caption, about_image, about_project)), desk.captions())

    assert desk.problems("a.png") == (about_image, about_caption)
    assert desk.others() == (about_project,)
    assert [finding.rule for finding in desk.problems("c.png")] == ["caption-missing"]
    desk.edit({"a.png": "other", "c.png": "words"}, "write")
    assert desk.problems("a.png") == (about_image,)
    assert desk.problems("c.png") == ()


def test_a_caption_that_is_too_long_is_a_problem_before_any_check(desk: Desk) -> None:
    desk.edit({"a.png": "red " * 80}, "write")
    desk.index = TokenIndex(load_tokenizer(desk.project))
    desk.index.fill(desk.captions())

    assert [finding.rule for finding in desk.problems("a.png")] == ["caption-too-long"]
    desk.query = parse("tokens:>75 problem:caption-too-long")
    assert desk.shown() == ["a.png"]


def test_a_change_of_many_is_about_the_marked_or_else_the_shown_images(desk: Desk) -> None:
    assert (desk.target(desk.shown())[0], len(desk.target(desk.shown())[1])) == ("all 3 images", 3)

    desk.query = parse("tag:red")
    words, entries = desk.target(desk.shown())
    assert (words, [entry.name for entry in entries]) == ("2 filtered images", ["a.png", "b.png"])

    desk.mark(["c.png", "a.png", "nothing.png"], True)
    words, entries = desk.target(desk.shown())
    assert (words, [entry.name for entry in entries]) == ("2 marked images, 1 of them not shown", ["a.png", "c.png"])


def test_differing_words_are_found_and_nothing_is_lost() -> None:
    before, after = word_diff("red, big circle", "red, small circle, new")

    assert [text for text, differs in before if differs] == ["big"]
    assert [text for text, differs in after if differs] == ["small", ", new"]
    assert "".join(text for text, _ in before) == "red, big circle"
    assert "".join(text for text, _ in after) == "red, small circle, new"
