"""Two changed versions of one TOML document made into one text, key by key.

Lines are merged where that says what was meant on both sides; else the keys that were changed here are set in the
other's text. What both changed differently is not decided here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.project.schema import KeyPath, dotted
from loratui.lab.toml import tomltext
from loratui.lab.toml.textmerge import merge_lines


class SameKeys(Exception):
    """Both sides changed these keys, each in its own way; none are named where a text could not be read."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = tuple(keys)


def merge_documents(base: str, ours: str, theirs: str, order: Sequence[str]) -> str:
    """The text with the changes of both sides. Raises SameKeys. `order` is as in tomltext.set_value."""
    lines = merge_lines(base, ours, theirs)
    before, mine, other = _document(base), _document(ours), _document(theirs)
    if before is None or mine is None or other is None:
        if lines is None:
            raise SameKeys(())
        return lines
    own, foreign = _changes(before, mine), _changes(before, other)
    clash = [
        key for key, value in own.items() if any(_touch(key, their) for their in foreign if foreign[their] != value)
    ]
    if clash:
        raise SameKeys([dotted(key) for key in clash])
    merged = None if lines is None else _document(lines)
    if lines is not None and merged is not None and tomltext.same_document(merged, _with_changes(other, own)):
        return lines
    applied = apply_changes(base, ours, theirs, order)
    if applied is None:
        raise SameKeys([dotted(key) for key in own])
    return applied


def apply_changes(base: str, ours: str, theirs: str, order: Sequence[str]) -> str | None:
    """`theirs` with the keys set that differ between `base` and `ours`; None where its form cannot take them."""
    before, mine = _document(base), _document(ours)
    if before is None or mine is None or _document(theirs) is None:
        return None
    text = theirs
    try:
        for key, value in _changes(before, mine).items():
            is_there = _found(_document(text), key) is not None
            tables = isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
            if is_there and (value is None or tables):
                text = tomltext.unset_value(text, key)
            if tables:
                for table in value:
                    text = tomltext.add_table(text, key, table, order)
            elif value is not None:
                text = tomltext.set_value(text, key, value, order=order)
    except LabError:
        return None
    return text


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[KeyPath, Any]:
    """What was set (the value) and unset (None); a list changes as a whole, and so does an array of tables."""
    old, new = _leaves(before, ()), _leaves(after, ())
    changed = {key: new.get(key) for key in (*old, *new) if repr(old.get(key)) != repr(new.get(key))}
    return dict(sorted(changed.items(), key=lambda item: item[1] is not None))  # a key may become a table


def _leaves(table: Mapping[str, Any], path: KeyPath) -> dict[KeyPath, Any]:
    leaves: dict[KeyPath, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            leaves |= _leaves(value, (*path, name))
        else:
            leaves[(*path, name)] = value
    return leaves


def _touch(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _with_changes(document: Mapping[str, Any], changes: Mapping[KeyPath, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path, value in {**_leaves(document, ()), **changes}.items():
        if value is None:
            continue
        table = result
        for part in path[:-1]:
            table = table.setdefault(str(part), {})
        table[str(path[-1])] = value
    return result


def _found(document: Mapping[str, Any] | None, path: KeyPath) -> Any:
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _document(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
