"""What a project may be called: a name that is one folder on every system, is not hidden, and is not taken."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.projects import ARCHIVED

LONGEST, LONGEST_BYTES = 64, 200  # runs and the trash put a time to it, and a disk takes 255 bytes
_REFUSED = '<>:"/\\|?*'  # what Windows does not take
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def name_fault(name: str, folder: Path) -> str | None:
    """Why a project in `folder` cannot be called so, with what to write instead; None when it can."""
    if not name.strip():
        return "a project needs a name, such as grey-shapes"
    if name != name.strip() or name.endswith("."):
        return "a name neither begins nor ends with a space, nor ends with a dot; take it away"
    if name.startswith("."):
        return "a name with a dot in front is hidden and would not be listed; begin with a letter or a digit"
    if name.startswith("-"):
        return "a name with a dash in front is taken for an option on a command line; begin with a letter or a digit"
    refused = sorted({char for char in name if char in _REFUSED})
    if refused:
        return f"a name cannot hold {' '.join(refused)}; use letters, digits, - and _"
    if plain(name) != name or any(unicodedata.category(char)[0] in "CZ" for char in name if char != " "):
        return f"a name cannot hold characters that nobody sees: {plain(name, 60)}; use letters, digits, - and _"
    if len(name) > LONGEST or len(name.encode()) > LONGEST_BYTES:
        return f"a name has at most {LONGEST} letters, and this one {len(name)}; make it shorter"
    if _RESERVED.fullmatch(name) or name in ("runs", ARCHIVED):
        return f'"{name}" means something else to a computer; add a word, such as {name}-1'
    if os.path.lexists(folder / name):
        return f'"{name}" is there already; take another name'
    return None


def checked_name(name: str, folder: Path) -> str:
    """The name, where a project in `folder` can be called so; else LabError."""
    fault = name_fault(name, folder)
    if fault:
        raise LabError(f"{plain(folder)}: {fault}")
    return name


def free_name(name: str, folder: Path) -> str:
    """`name` made one that a project can have, with a number behind it where it is taken."""
    kept = "".join(c if c.isalnum() or c in "-_. +()," else "-" for c in unicodedata.normalize("NFC", name))
    kept = re.sub(r"-{2,}", "-", kept).strip("-. ")[: LONGEST - 4].strip("-. ")
    while len(kept.encode()) > LONGEST_BYTES - 4:
        kept = kept[:-1]
    kept = kept or "project"
    tries = (kept if number < 2 else f"{kept}-{number}" for number in range(1, 10_000))
    return next(trial for trial in tries if name_fault(trial, folder) is None)
