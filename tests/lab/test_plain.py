"""Text from outside can do nothing to a terminal, and a person sees that something was there."""

from __future__ import annotations

import random
import sys
import unicodedata
from pathlib import Path

import pytest

from loratui.lab.plain import plain


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("\x1b]52;c;ZXZpbA==\x07", "␛]52;c;ZXZpbA==␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("del\x7f", "del␡"),
        ("a\u202egnp.exe", "a<U+202E>gnp.exe"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("bad \udcff name", "bad <U+DCFF> name"),
        ("a\u2028b\u2029c", "a<U+2028>b<U+2029>c"),
        ("hi\U000e0068\U000e0069", "hi<U+E0068><U+E0069>"),
        ("two\nlines\r\n", "two␊lines␍␊"),
        ("tab\there", "tab␉here"),
    ],
)
def test_what_could_do_harm_is_visible(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


@pytest.mark.parametrize("text", ["a grey circle, white background", "灰色の円", "серый круг", "🦊 [b] {x} 100 %", ""])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_lines_can_stay_lines() -> None:
    assert plain("a\r\nb\n\tc\rd", newlines=True) == "a\nb\n    c␍d"


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain("x" * 10, 10) == "x" * 10
    assert plain("\r\n" * 10, 10, newlines=True) == "\n" * 10
    assert len(plain("\u202e" * 10_000_000, 40)) == 40


def test_other_things_than_text_are_shown_as_text() -> None:
    assert plain(Path("/a/b\x1b")) == "/a/b␛"
    assert plain(ValueError("no\nway")) == "no␊way"


def test_every_character_comes_out_harmless() -> None:
    shown = plain("".join(map(chr, range(sys.maxunicode + 1))))
    shown.encode("utf-8")
    assert {unicodedata.category(c) for c in set(shown)}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_any_mixture_comes_out_harmless_and_never_longer_than_asked() -> None:
    random.seed(3)
    pool = [chr(random.choice((random.randrange(0x110000), random.randrange(0x300)))) for _ in range(3000)]
    for _ in range(300):
        text = "".join(random.choices(pool, k=random.randrange(60)))
        limit = random.randrange(1, 50)
        for newlines in (False, True):
            shown = plain(text, limit, newlines=newlines)
            shown.encode("utf-8")
            assert len(shown) <= limit
            assert all(c == "\n" if unicodedata.category(c) == "Cc" else True for c in shown)
            assert newlines or "\n" not in shown
