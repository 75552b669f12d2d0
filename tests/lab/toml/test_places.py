"""The line of each key and item, in every way TOML lets one write them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from loratui.lab.toml.places import line_at, lines_of
from tests.projects import EXAMPLE

LINES = """\
# a comment with [brackets] and = signs
first = 1 # and one behind
"quoted.key".'second' = \"\"\"
[not a table]
not_a_key = 1 \\\""" \"\"\"\"\"
dotted.one.two = 3

[table] # comment ]
list = [ 1, # one
  "]", # two
  { a = 2, b.c = [3,
    4] }, ''' "
'''', 1979-05-27 07:32:00 ]
literal = 'C:\\'
empty = []
nothing = {}

[[outer.array]]
key = "first"
[outer.array.below]
deep = 1
[[outer.array.inner]]
x = 1
[[outer.array]]
key = "second"
[[outer.array.inner]]
x = 2
[[outer.array.inner]]
x = 3
[ outer . "other" ]
last = 9"""


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", "\r\n")])
def test_the_line_of_every_key_is_known(text: str) -> None:
    tomllib.loads(text)
    lines = lines_of(text)
    assert {path: line for path, line in lines.items() if path[-1] not in ("outer",)} == {
        ("first",): 2,
        ("quoted.key",): 3,
        ("quoted.key", "second"): 3,
        ("dotted",): 6,
        ("dotted", "one"): 6,
        ("dotted", "one", "two"): 6,
        ("table",): 8,
        ("table", "list"): 9,
        ("table", "list", 0): 9,
        ("table", "list", 1): 10,
        ("table", "list", 2): 11,
        ("table", "list", 2, "a"): 11,
        ("table", "list", 2, "b"): 11,
        ("table", "list", 2, "b", "c"): 11,
        ("table", "list", 2, "b", "c", 0): 11,
        ("table", "list", 2, "b", "c", 1): 12,
        ("table", "list", 3): 12,
        ("table", "list", 4): 13,
        ("table", "literal"): 14,
        ("table", "empty"): 15,
        ("table", "nothing"): 16,
        ("outer", "array"): 18,
        ("outer", "array", 0): 18,
        ("outer", "array", 0, "key"): 19,
        ("outer", "array", 0, "below"): 20,
        ("outer", "array", 0, "below", "deep"): 21,
        ("outer", "array", 0, "inner"): 22,
        ("outer", "array", 0, "inner", 0): 22,
        ("outer", "array", 0, "inner", 0, "x"): 23,
        ("outer", "array", 1): 24,
        ("outer", "array", 1, "key"): 25,
        ("outer", "array", 1, "inner"): 26,
        ("outer", "array", 1, "inner", 0): 26,
        ("outer", "array", 1, "inner", 0, "x"): 27,
        ("outer", "array", 1, "inner", 1): 28,
        ("outer", "array", 1, "inner", 1, "x"): 29,
        ("outer", "other"): 30,
        ("outer", "other", "last"): 31,
    }


def test_what_is_not_written_is_placed_with_what_holds_it() -> None:
    lines = lines_of("[[variant]]\nname = 'a'\n")
    assert line_at(lines, ("variant", 0, "train", "epochs")) == 1
    assert line_at(lines, ("lora", "rank")) is None


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [leaf for key, item in inner for leaf in leaves(item, (*path, key))]


@pytest.mark.parametrize("text", [EXAMPLE, LINES])
def test_no_key_that_tomllib_reads_is_without_a_line(text: str) -> None:
    assert set(leaves(tomllib.loads(text))) == set(lines_of(text))
