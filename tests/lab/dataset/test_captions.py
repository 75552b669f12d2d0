"""Tags are shuffled, dropped and edited without touching what nobody asked to change."""

from __future__ import annotations

from collections import Counter

import pytest

from loratui.lab.dataset.captions import caption_at, edit_tags, split_tags
from loratui.lab.project.settings import Dataset

CAPTION = "myshape, red, circle,white background ,  thin line"


def test_without_shuffling_and_dropout_a_caption_is_verbatim() -> None:
    for caption in (CAPTION, "", " a ,, b,", "one, two\u3000, three"):
        assert caption_at(caption, Dataset(), 1, 2, 3) == caption


def test_shuffling_keeps_the_first_tags_in_place_and_loses_none() -> None:
    dataset = Dataset(shuffle_tags=True, keep_tags=2)
    seen = set()
    for step in range(60):
        tags = split_tags(caption_at(CAPTION, dataset, 0, step, 0))
        assert tags[:2] == ["myshape", "red"]
        assert Counter(tags) == Counter(split_tags(CAPTION))
        seen.add(tuple(tags))
    assert len(seen) == 6


@pytest.mark.parametrize("keep", [4, 5, 99])
def test_with_nothing_left_to_shuffle_a_caption_is_verbatim(keep: int) -> None:
    assert caption_at(CAPTION, Dataset(shuffle_tags=True, keep_tags=keep), 0, 7, 0) == CAPTION


def test_what_a_step_reads_does_not_depend_on_what_was_read_before() -> None:
    dataset = Dataset(shuffle_tags=True, caption_dropout=0.3)
    places = [(step, slot) for step in range(30) for slot in range(3)]
    forwards = {place: caption_at(CAPTION, dataset, 9, *place) for place in places}
    backwards = {place: caption_at(CAPTION, dataset, 9, *place) for place in reversed(places)}
    assert forwards == backwards
    assert len(set(forwards.values())) > 20


def test_dropout_empties_about_its_share_of_captions() -> None:
    dropped = sum(caption_at(CAPTION, Dataset(caption_dropout=0.25), 3, step, 0) == "" for step in range(2000))
    assert 420 < dropped < 580
    assert caption_at(CAPTION, Dataset(caption_dropout=1.0), 3, 0, 0) == ""


def test_switching_dropout_on_does_not_move_the_shuffles() -> None:
    plain = Dataset(shuffle_tags=True)
    dropping = Dataset(shuffle_tags=True, caption_dropout=0.5)
    for step in range(50):
        assert caption_at(CAPTION, dropping, 0, step, 0) in ("", caption_at(CAPTION, plain, 0, step, 0))


def test_tags_are_what_stands_between_the_commas() -> None:
    assert split_tags(" a b ,, c,\t, d ") == ["a b", "c", "d"]
    assert split_tags("") == []


def test_edits_change_whole_tags_and_only_those() -> None:
    assert edit_tags("myshape, white background", {"myshape": "monster"}) == "monster, white background"
    assert edit_tags("myshape thing, white", {"myshape": "monster"}) == "myshape thing, white"
    assert edit_tags("a, b, c", drop=["b"]) == "a, c"
    assert edit_tags("a, b", add=["c", "a"]) == "a, b, c"
    assert edit_tags("a, b", {"a": "x, y"}, drop=["y"], add=["z"]) == "x, b, z"
    assert edit_tags("red monster", {"red monster": ""}) == ""


def test_a_caption_no_edit_applies_to_stays_verbatim() -> None:
    assert edit_tags(CAPTION, {"square": "circle"}, drop=["blue"], add=["red"]) == CAPTION
