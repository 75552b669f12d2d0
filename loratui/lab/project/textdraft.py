"""The text of a project.toml that could not be saved yet, kept beside the project until it can.

It lies in the project's hidden folder, so that neither a mistake half-way through nor the end of the bench loses what
was typed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from loratui.lab.files import make_folder, read_file, write_atomic


def draft_file(project: Path) -> Path:
    return project / ".loratui" / "project.toml.draft"


def keep_draft(project: Path, text: str) -> None:
    """Keep a text, in place of an older one. OSError when the folder cannot be written."""
    file = draft_file(project)
    make_folder(file.parent)
    write_atomic(file, text.encode("utf-8", "replace"))


def find_draft(project: Path) -> str | None:
    """The text that was kept; None when there is none."""
    try:
        return read_file(draft_file(project)).decode("utf-8", "replace")
    except OSError:
        return None


def drop_draft(project: Path) -> None:
    """Forget it: it was saved, or is not wanted."""
    with contextlib.suppress(OSError):
        draft_file(project).unlink()
