"""The filter finds what it says, and a filter that cannot be understood says where and what to write."""

from __future__ import annotations

import pytest

from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.filtering import Subject, parse, term
from loratui.lab.errors import LabError


def subject(name: str, caption: str, tokens: int | None = None, *problems: str) -> Subject:
    return Subject(name, caption, tuple(split_tags(caption)), tokens, problems)


IMAGES = (
    subject("cat 1.png", "Red, white background, cat and dog", 9),
    subject("cat 2.png", "dark red, monster_(creature)", 75, "caption-multiline"),
    subject("10_set/dog.jpg", "", 0, "caption-missing", "image-size"),
    subject("odd.png", 'say "hi", 50% * 2, STRASSE', None),
)


def found(text: str) -> str:
    """The images a filter lets through, by number."""
    query = parse(text)
    return "".join(str(number) for number, image in enumerate(IMAGES, start=1) if query.matches(image))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", "1234"),
        ("   ", "1234"),
        ("cat", "12"),
        ("CAT", "12"),
        ("dog", "13"),
        ("straße", "4"),
        ('"cat and"', "1"),
        ("cat*2", "24"[:1]),
        ("c*t 1", "1"),
        ('"cat 2"', "2"),
        ("tag:red", "1"),
        ("TAG:RED", "1"),
        ("tag:*red", "12"),
        ("tag:*r*d", "12"),
        ('tag:"white background"', "1"),
        ('tag:"white *"', "1"),
        ("tag:white*", "1"),
        ("tag:whit", ""),
        ("tag:*", "124"),
        ("-tag:*", "3"),
        ("tag:monster_(creature)", "2"),
        ("(tag:monster_(creature))", "2"),
        (r"\*", "4"),
        (r'"\"hi\""', "4"),
        ("name:cat", "12"),
        ("name:dog", "3"),
        ("name:.png", "124"),
        ("name:10_set/", "3"),
        ("caption:dog", "1"),
        ("caption:red*background", "1"),
        ("problem:any", "23"),
        ("problem:caption-missing", "3"),
        ("problem:caption-*", "23"),
        ("problem:caption", ""),
        ("tokens:9", "1"),
        ("tokens:=75", "2"),
        ("tokens:>9", "2"),
        ("tokens:>=9", "12"),
        ("tokens:<9", "3"),
        ("tokens:<=9", "13"),
        ("tokens:1..75", "12"),
        ("tokens:10..", "2"),
        ("tokens:..10", "13"),
        ('tokens:"> 9"', "2"),
        ("cat dog", "1"),
        ("cat AND dog", "1"),
        ("cat OR dog", "123"),
        ("cat and dog", "1"),
        ("-cat", "34"),
        ("!cat", "34"),
        ("NOT cat", "34"),
        ("NOT NOT cat", "12"),
        ("-!-cat", "34"),
        ("cat -dog", "2"),
        ("-(cat OR dog)", "4"),
        ("dog cat OR odd", "14"),
        ("dog (cat OR set)", "13"),
        ("(cat)(dog)", "1"),
        ("NOT cat OR dog", "134"),
        ("tag:red OR tokens:>70 NOT problem:any", "1"),
        ('"AND"', "1"),
        ("-", ""),
    ],
)
def test_what_a_filter_finds(text: str, numbers: str) -> None:
    assert found(text) == numbers


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("foo:red", 1, r"no foo:; use tag:, name:.*quotes"),
        ("red tga:red", 5, "no tga:; write tag:"),
        ("12:30 a:b", 7, "no a:"),
        ("tag:", 5, "tag: needs something after it; write tag:red"),
        ('a problem:""', 11, "problem: needs something"),
        ("tokens:", 8, "tokens: needs a number"),
        ("tokens:>", 8, "“>” is no number; write tokens:75"),
        ("x tokens:many", 10, "“many” is no number"),
        ("tokens:..", 8, "has no number"),
        ("tokens:20..10", 8, "20..10 is empty; write tokens:10..20"),
        ("tokens:-5", 8, "is no number"),
        ('a "b c', 3, 'quote is never closed; put a "'),
        ('tag:"b c', 5, "quote is never closed"),
        ("a (b", 3, r"this \( is never closed; put a \)"),
        ("a (b OR (c)", 3, "never closed"),
        ("a b) c", 4, r"this \) closes nothing; delete it"),
        (")", 1, "closes nothing"),
        ("a ()", 3, r"nothing stands between \( and \)"),
        ("a (", 3, r"nothing stands after this \("),
        ("AND a", 1, "nothing stands before AND"),
        ("OR", 1, "nothing stands before OR"),
        ("a AND", 6, "AND needs something after it"),
        ("a OR OR b", 6, "OR needs something after it"),
        ("a OR )", 6, "OR needs something after it"),
        ("a NOT", 6, "NOT needs something after it"),
        ("(" * 60 + "a" + ")" * 60, 51, "more than 50 parentheses"),
        ("a" * 3000, 2001, "too long"),
    ],
)
def test_what_cannot_be_understood_is_said_with_column_and_remedy(text: str, column: int, said: str) -> None:
    with pytest.raises(LabError, match=rf"^filter, column {column}: .*{said}"):
        parse(text)


def test_a_colon_that_is_no_field_can_be_searched_in_quotes_or_after_what_is_no_letter() -> None:
    image = subject("a.png", "at 12:30, fig:2")
    assert parse("12:30").matches(image)
    assert parse('"fig:2"').matches(image)
    assert not parse('"fig:3"').matches(image)


@pytest.mark.parametrize(
    "tag", ["red", "white background", 'say "hi"', "50% * 2", "a\\b", "monster_(creature)", "AND", "-x", "a:b", "\\*"]
)
def test_a_click_on_a_tag_filters_by_exactly_that_tag(tag: str) -> None:
    query = parse(term("tag", tag))
    assert query.matches(subject("a.png", tag))
    assert not query.matches(subject("a.png", tag + "x"))
    assert not query.matches(subject("a.png", "x" + tag))
    assert not parse(term("tag", "a*b")).matches(subject("a.png", "axb"))


def test_stars_cost_no_more_than_a_look_at_the_text() -> None:
    image = subject("a.png", "a" * 100_000)
    assert not parse("tag:" + "*a" * 500 + "*b").matches(image)
    assert parse("tag:" + "*a" * 500 + "*").matches(image)
