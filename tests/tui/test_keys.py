"""Every key can be found, explained and remapped, and the keys that work everywhere mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

import loratui.tui
from loratui.tui.keys import bench_classes, every_key, markdown_keys
from loratui.tui.screens.base import BenchScreen

CLASSES = list(bench_classes())
BINDINGS = [(cls, binding) for cls in CLASSES for binding in cls.__dict__.get("BINDINGS", [])]
GLOBAL = {
    key: binding for binding in BenchScreen.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")
}


@pytest.mark.parametrize(("cls", "binding"), BINDINGS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_each_binding_has_an_id_and_says_what_it_does(cls: type, binding: object) -> None:
    assert isinstance(binding, Binding), "a tuple has no id"
    assert binding.id, binding
    assert binding.tooltip or not binding.show or binding.description


def test_an_id_names_one_thing() -> None:
    said: dict[str, set[tuple[str, str]]] = {}
    for cls, binding in BINDINGS:
        said.setdefault(binding.id, set()).add((cls.__qualname__, binding.action))
    assert {name: places for name, places in said.items() if len({action for _, action in places}) > 1} == {}


@pytest.mark.parametrize("cls", [c for c in CLASSES if issubclass(c, BenchScreen) and c is not BenchScreen])
def test_screens_leave_the_keys_that_work_everywhere_alone(cls: type[BenchScreen]) -> None:
    own = [key for b in cls.__dict__.get("BINDINGS", []) for key in b.key.split(",")]
    taken = {key: GLOBAL[key].id for key in own if key in GLOBAL and GLOBAL[key].id not in ("bench.reload",)}
    assert taken == {}


def test_the_list_of_keys_has_each_once() -> None:
    ids = [key.id for key in every_key()]
    assert len(ids) == len(set(ids)) > 40
    assert {binding.id for _, binding in BINDINGS} == set(ids)


def test_the_documented_keys_are_the_bindings() -> None:
    file = Path(loratui.tui.__file__).with_name("KEYS.md")
    assert file.read_text(encoding="utf-8") == markdown_keys(), "python -m loratui.tui.keys > loratui/tui/KEYS.md"
