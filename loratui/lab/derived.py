"""Files that are derived from others and can be made anew: JSON of a version, written whole, read without trust.

They may be deleted at any time. What is in them is the business of whoever names the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from loratui.lab.errors import LabError
from loratui.lab.files import write_atomic
from loratui.lab.plain import plain

Made = TypeVar("Made")


def write_derived(file: Path, version: int, document: Mapping[str, Any]) -> None:
    """Replace the file. What is not a finite number is written as null, since JSON has none."""
    content = finite({"version": version, **document})
    write_atomic(file, json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")


def read_derived(file: Path, version: int, make: Callable[[Mapping[str, Any]], Made], again: str) -> Made | None:
    """What `make` makes of the document; None where there is no file, or one of another version.

    `again` says how it comes back after it was deleted. LabError for a damaged one, whatever `make` stumbles over.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{file}: cannot be read: {plain(error, 200)}; delete it, and {again}") from error
    try:
        return make(document) if document.get("version") == version else None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise LabError(f"{file}: cannot be read: {plain(error, 200)}; delete it, and {again}") from error


def finite(value: Any) -> Any:
    """The same as JSON has it: tuples are lists, and infinities are null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value
