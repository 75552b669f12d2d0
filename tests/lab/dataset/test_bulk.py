"""A change to many captions is shown before it is made, and leaves alone what it is not about."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

import pytest

from loratui.lab.dataset.bulk import Add, Change, Deduplicate, Operation, Remove, Reorder, Replace, matches, preview
from loratui.lab.dataset.regexguard import substitute
from loratui.lab.errors import LabError


@dataclass(frozen=True)
class Image:
    name: str
    caption: str


def after(op: Operation, *captions: str) -> list[str]:
    """What the captions become; that the preview lists just those that change is checked on the way."""
    images = [Image(f"{number}.png", caption) for number, caption in enumerate(captions)]
    changes = preview(op, images)
    became = {change.name: change.after for change in changes}
    for change in changes:
        assert change.before == captions[int(change.name.removesuffix(".png"))] != change.after
    return [became.get(image.name, image.caption) for image in images]


def count(op: Operation, *captions: str) -> int:
    return matches(op, [Image("", caption) for caption in captions])


def test_the_preview_lists_every_caption_that_would_change_and_no_other() -> None:
    images = [Image("a.png", "red,sky"), Image("b.png", "blue"), Image("c.png", "blue, red")]
    assert preview(Replace("red", "green"), images) == [
        Change("a.png", "red,sky", "green,sky"),
        Change("c.png", "blue, red", "blue, green"),
    ]
    assert preview(Remove("yellow"), images) == []
    assert preview(Remove("red"), []) == []


@pytest.mark.parametrize(
    ("position", "caption", "became"),
    [
        ("start", "a, b", "x, a, b"),
        ("end", "a, b", "a, b, x"),
        (0, "a, b", "x, a, b"),
        (1, "a,b", "a, x, b"),
        (9, "a, b", "a, b, x"),
        (-1, "a, b", "a, x, b"),
        ("end", "", "x"),
        (1, "", "x"),
        ("start", "a,  x ,b", "a,  x ,b"),
    ],
)
def test_a_tag_is_added_where_asked_and_not_twice(position: int, caption: str, became: str) -> None:
    assert after(Add("x", position), caption) == [became]


def test_several_tags_are_added_at_once_each_only_where_it_is_missing() -> None:
    op = Add("x, y, x", "start")
    assert after(op, "a", "y, a", "x, y") == ["x, y, a", "x, y, a", "x, y"]
    assert count(op, "a", "y, a", "x, y") == 3


def test_removing_is_about_whole_tags() -> None:
    assert after(Remove("red"), "red, dark red, a", "red", "a,red", "Red") == ["dark red, a", "", "a", "Red"]
    assert after(Remove("red, a"), "red, dark red, a") == ["dark red"]
    assert count(Remove("red"), "red, b, red", "red", "none") == 3


def test_text_is_replaced_wherever_it_stands_and_the_rest_stays_verbatim() -> None:
    assert after(Replace("red", "blue"), "red,dark  red ,b") == ["blue,dark  blue ,b"]
    assert count(Replace("red", "blue"), "red, red, dark red", "none") == 3
    assert after(Replace(".", "!"), "a.b") == ["a!b"]
    assert after(Replace(", ", ","), "a, b") == ["a,b"]


def test_replacing_by_nothing_leaves_no_commas_behind() -> None:
    assert after(Replace("red", ""), "a, red, b", "red", "red, b", "a,,b, red") == ["a, b", "", "b", "a, b"]
    assert after(Replace("x", "y"), "a,,x") == ["a,,y"], "commas that were there before are the person's"


def test_whole_tags_are_replaced_by_none_one_or_several() -> None:
    assert after(Replace("red", "blue", whole_tags=True), "red, dark red") == ["blue, dark red"]
    assert after(Replace("red", "", whole_tags=True), "red, dark red") == ["dark red"]
    assert after(Replace(" red ", "dark, blue", whole_tags=True), "a, red") == ["a, dark, blue"]
    assert count(Replace("red", "blue", whole_tags=True), "red, dark red, red") == 2


def test_regular_expressions_replace_with_groups() -> None:
    op = Replace(r"(\w+) background", r"background of \1", regex=True)
    assert after(op, "white background, a", "a") == ["background of white, a", "a"]
    assert count(op, "white background, red background", "a") == 2
    assert after(Replace(r"(?i)RED", "blue", regex=True), "red, Red") == ["blue, blue"]
    assert after(Replace(r"\d+ ?girls?", "", regex=True), "1girl, solo", "2 girls") == ["solo", ""]
    assert after(Replace("^", "x, ", regex=True), "a", "") == ["x, a", "x"]


def test_a_regular_expression_on_whole_tags_must_fit_all_of_a_tag() -> None:
    op = Replace(r"(dark|light) (\w+)", r"\2", regex=True, whole_tags=True)
    assert after(op, "dark red, very dark red, light blue") == ["red, very dark red, blue"]
    assert count(op, "dark red, very dark red, light blue") == 2
    assert after(Replace(".*red.*", "", regex=True, whole_tags=True), "dark red, sky") == ["sky"]


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (Replace("(red", "x", regex=True), r"“\(red”: missing \).*at character 1; correct it"),
        (Replace("red", r"\1", regex=True), r"replacement “\\1”: invalid group reference 1 at character 2"),
        (Replace("red", r"\g<x>", regex=True), "replacement .*unknown group name 'x'"),
        (Replace("red", "x\\", regex=True), "replacement .*bad escape"),
        (Replace("x" * 1001, "y", regex=True), "pattern has 1001 characters"),
        (Replace("", "x"), "nothing to find"),
        (Replace(" ", "x", whole_tags=True), "nothing to find"),
        (Replace("red", "a\nb"), "line break"),
        (Replace("red", r"a\nb", regex=True), "line break"),
        (Replace("red", "a\x1b"), r"U\+001B"),
        (Add(" , "), "no tag to add"),
        (Add("a\u200b"), r"U\+200B"),
        (Remove(""), "no tag to remove"),
    ],
)
def test_what_cannot_be_meant_is_said_with_the_place_and_the_remedy(op: Operation, said: str) -> None:
    with pytest.raises(LabError, match=said):
        preview(op, [Image("a.png", "red")])


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"a*a*a*a*a*a*a*a*a*a*$", r"(.*a){20}$", r"(a?){40}a{40}$"]
)
def test_a_pattern_that_would_take_for_ever_is_ended(pattern: str) -> None:
    began = time.monotonic()
    with pytest.raises(LabError, match=r"takes longer than 0\.2 seconds"):
        substitute(pattern, "", ["a" * 39 + "!" if "{" in pattern else "a" * 400 + "!"], seconds=0.2)
    assert time.monotonic() - began < 60, "it would take longer than anyone waits"


def test_a_pattern_that_is_found_everywhere_in_a_huge_caption_is_refused() -> None:
    with pytest.raises(LabError, match="found more than 10000 times in one caption"):
        substitute("a", "aa", ["a" * 20_000])


def test_only_patterns_that_could_take_long_cost_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    true = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: (started.append(args), true(*args, **options))[1])
    assert substitute(r"\bred\b", "blue", ["red", "reds"]) == [("blue", 1), ("reds", 0)]
    assert not started
    assert substitute(r"(\w+) (\w+)", r"\2 \1", ["dark red\udc80\u2028", "\U0001f600"]) == [
        ("red dark\udc80\u2028", 1),
        ("\U0001f600", 0),
    ]
    assert len(started) == 1


def test_tags_are_put_in_order() -> None:
    captions = ("c, b10, B2, a", "b2, c", "c")
    assert after(Reorder(), *captions) == ["a, B2, b10, c", "b2, c", "c"]
    assert after(Reorder("alphabet", keep=1), *captions)[0] == "c, a, B2, b10"
    assert after(Reorder("frequency"), "a, b, c", "c, b", "c")[0] == "c, b, a"
    assert after(Reorder(("c", "x", "a")), "b, a, c", "b") == ["c, a, b", "b"]
    assert count(Reorder(), *captions) == 1
    assert after(Reorder(), "a,b") == ["a,b"], "tags that are in order stay verbatim"


def test_only_the_first_of_equal_tags_is_kept() -> None:
    assert after(Deduplicate(), "a, b,a , b, c", "a,b") == ["a, b, c", "a,b"]
    assert count(Deduplicate(), "a, b, a, a", "a") == 2
