"""Files that are derived from others and can be made anew: JSON of a version, written whole, read without trust.

They may be deleted at any time. What is in them is the business of whoever names the file.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import read_text, write_atomic
from loratui.lab.plain import plain

Made = TypeVar("Made")
NULL = "null"  # in a field's metadata: what null in its place stands for, such as an infinite end of an interval
_GREATEST = 1e100  # of numbers that are read: their squares and sums are finite, too


def write_derived(file: Path, version: int, document: Mapping[str, Any]) -> None:
    """Replace the file. What is not a finite number is written as null, since JSON has none."""
    content = finite({"version": version, **document})
    write_atomic(file, json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")


def read_derived(file: Path, version: int, make: Callable[[Mapping[str, Any]], Made], again: str) -> Made | None:
    """What `make` makes of the document; None where there is no file, or one of another version.

    `again` says how it comes back after it was deleted. LabError for a damaged one, whatever `make` stumbles over.
    """
    try:
        document = json.loads(read_text(file))
        if not isinstance(document, dict):
            raise ValueError("it is no table")
        return make(document) if document.get("version") == version else None
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise LabError(f"{file}: cannot be read: {plain(error, 100)} is missing; delete it, and {again}") from error
    except (OSError, ValueError, RecursionError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise LabError(f"{file}: cannot be read: {cause_of(error)}; delete it, and {again}") from error


def declared(kind: Any, value: Any) -> Any:
    """The value as a dataclass (or another type) declares it, from what JSON has in its place.

    Numbers are finite and of a size that can be counted with, what is left out has its default, and what is not
    declared is passed over; `Any` is a text, a number, or a list of them. KeyError for what is missing, ValueError
    with the name for all else.
    """
    return _reader(kind)(value, "")


Reader = Callable[[Any, str], Any]


@functools.cache
def _reader(kind: Any) -> Reader:
    origin, inside = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass_reader(cast(type, kind))
    if origin in (Union, UnionType):
        return _first_of([_reader(one) for one in inside])
    if origin is tuple:
        items = inside[:1] if inside[-1] is Ellipsis else inside
        return _list_reader([_reader(one) for one in items], fixed=inside[-1] is not Ellipsis)
    if origin is Mapping:
        one = _reader(inside[1])
        return lambda value, name: {key: one(item, name) for key, item in _a(dict, value, name).items()}
    if kind is float:
        return lambda value, name: float(_number(value, name))
    if kind is int:
        return lambda value, name: _number(_a(int, value, name), name)
    if kind is Any:
        return _simple
    return lambda value, name: _a(type(None) if kind is None else kind, value, name)


def _dataclass_reader(kind: type) -> Reader:
    hints = get_type_hints(kind)
    parts = [(one, _reader(hints[one.name])) for one in fields(kind)]

    def read(value: Any, name: str) -> Any:
        table = _a(dict, value, name)
        found = {}
        for one, reader in parts:
            if one.name not in table:
                if one.default is MISSING:
                    raise KeyError(one.name)
            elif table[one.name] is None and NULL in one.metadata:
                found[one.name] = one.metadata[NULL]
            else:
                found[one.name] = reader(table[one.name], one.name)
        return kind(**found)

    return read


def _list_reader(readers: Sequence[Reader], fixed: bool) -> Reader:
    def read(value: Any, name: str) -> Any:
        items = _a(list, value, name)
        if fixed and len(items) != len(readers):
            raise ValueError(f"{name} has {len(items)} items in place of {len(readers)}")
        return tuple(reader(item, name) for reader, item in zip(itertools.cycle(readers), items, strict=False))

    return read


def _first_of(readers: Sequence[Reader]) -> Reader:
    def read(value: Any, name: str) -> Any:
        for reader in readers:
            with contextlib.suppress(ValueError):
                return reader(value, name)
        raise ValueError(f"{name} is {plain(repr(value), 40)}")

    return read


def _simple(value: Any, name: str) -> Any:
    for one in value if isinstance(value, list) else [value]:
        if one is not None and not isinstance(one, (str, bool)):
            _number(one, name)
    return value


def _a(kind: type, value: Any, name: str) -> Any:
    if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise ValueError(f"{name or 'it'} is {plain(repr(value), 40)}")


def _number(value: Any, name: str) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _GREATEST:
        return value
    raise ValueError(f"{name} is {plain(repr(value), 40)}")


def finite(value: Any) -> Any:
    """The same as JSON has it: tuples are lists, and infinities are null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value
