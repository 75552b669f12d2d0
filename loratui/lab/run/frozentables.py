"""What may stand in run.toml and captions.toml: checked once, as they are read, so that nobody later stumbles.

A key that is missing is for who needs it to tell: records of older versions lack some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from loratui.lab.derived import declared
from loratui.lab.plain import plain

_DEPTH = 8  # tables in tables; ours have four
_MOST = 1 << 30  # of counts and of pixels
_TEXTS = tuple[str, ...]
_TABLES: Mapping[str, Mapping[str, Any]] = {
    "run": {"project": str, "project_file": str, "parent": str, "variant": str, "repeat": int, "command": _TEXTS,
            "overrides": _TEXTS, "matrix": Mapping[str, Any]},
    "settings": {"question": str},
    "model": {"name": str, "path": str, "family": str, "variant": str, "sha256": Mapping[str, str],
              "resolution": int, "align": int},
    "versions": {},
    "machine": {},
}  # fmt: skip
_IMAGE = {"name": str, "path": str, "sha256": str, "caption": str, "repeats": int, "bucket": tuple[int, int]}
_COUNTS = ("repeats", "bucket", "resolution", "align")
_PATHS = ("path", "project_file")


def refuse_deep(document: Mapping[str, Any]) -> None:
    """ValueError for tables or lists in each other that nobody could walk through."""
    level: list[Any] = [document]
    for _ in range(_DEPTH):
        level = [item for one in level for item in _inside(one) if isinstance(item, (dict, list))]
    if level:
        raise ValueError("it is nested too deeply")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def checked_record(document: Mapping[str, Any]) -> None:
    """ValueError, naming the key, for what no run could have been frozen with."""
    for name, kinds in _TABLES.items():
        table = document.get(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"{name} is no table")
        _check(f"{name}.", table, kinds)


def checked_images(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `[[image]]` tables. ValueError, with the number of the image and the key, as above."""
    images = document.get("image", [])
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise ValueError("image is no list of tables")
    for number, image in enumerate(images, start=1):
        _check(f"image {number}: ", image, _IMAGE)
        if "name" not in image:
            raise ValueError(f"image {number}: name is missing")
        if not re.fullmatch("[0-9a-f]{64}", image.get("sha256", "0" * 64)):
            raise ValueError(f"image {number}: sha256 is {plain(repr(image['sha256']), 40)}")
    return [dict(image) for image in images]


def _check(where: str, table: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    for key, kind in kinds.items():
        if key not in table:
            continue
        value = table[key]
        try:
            declared(kind, value)
        except ValueError as error:
            raise ValueError(f"{where}{key}{str(error).removeprefix('it')}") from error
        if key in _COUNTS and not all(1 <= one <= _MOST for one in (value if isinstance(value, list) else [value])):
            raise ValueError(f"{where}{key} is {plain(value, 40)}")
        if key in _PATHS and "\0" in value:
            raise ValueError(f"{where}{key} is {plain(repr(value), 80)}")
