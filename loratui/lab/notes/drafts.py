"""Observations that are being written: kept in the run folder from letter to letter, so that no end of the bench
loses them, and offered to whoever writes the next one. A draft is removed when its observation was saved.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.files import read_text, write_atomic
from loratui.lab.run.runs import RunFolder

_PREFIX, _SUFFIX = ".note-draft-", ".json"
_TOKEN = secrets.token_hex(3)  # a process that gets the number of a dead one is still another process


@dataclass(frozen=True)
class Draft:
    """What the dialog holds. `observation` is the id of the one that is being edited, "" for a new one."""

    note: str = ""
    feature: str = ""
    verdict: str = ""
    step: int | None = None
    pictures: tuple[str, ...] = ()
    observation: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.note.strip() or self.verdict or self.feature.strip())


def save_draft(run: RunFolder, draft: Draft) -> None:
    """Keep it, in place of what this process kept before. OSError when the folder can not be written."""
    write_atomic(_own(run), json.dumps(asdict(draft)))


def drop_draft(run: RunFolder) -> None:
    """The draft of this process is done with."""
    with contextlib.suppress(OSError):
        _own(run).unlink(missing_ok=True)


def find_draft(run: RunFolder) -> Draft | None:
    """The newest draft that nobody is writing at, or None. For use while this process itself is not writing one."""
    for path in _left(run):
        draft = _read(path)
        if draft is not None and not draft.is_empty:
            return draft
    return None


def take_over(run: RunFolder, draft: Draft) -> None:
    """Go on with a draft that was found: from now on it is this process's own."""
    save_draft(run, draft)
    for path in _left(run):
        found = _read(path)
        if path != _own(run) and (found is None or found.is_empty or found == draft):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _own(run: RunFolder) -> Path:
    return run.path / f"{_PREFIX}{os.getpid()}-{_TOKEN}{_SUFFIX}"


def _left(run: RunFolder) -> list[Path]:
    """Drafts of processes that are gone, and of this one, newest first."""
    found: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for path in run.path.glob(f"{_PREFIX}*{_SUFFIX}"):
            writer = path.name[len(_PREFIX) : -len(_SUFFIX)].partition("-")[0]
            if not (writer.isdecimal() and int(writer) != os.getpid() and _is_alive(int(writer))):
                with contextlib.suppress(OSError):
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _read(path: Path) -> Draft | None:
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        return _draft(json.loads(read_text(path)))
    return None


def _draft(values: Mapping[str, Any]) -> Draft:
    texts = {key: str(values.get(key) or "") for key in ("note", "feature", "verdict", "observation")}
    step = values.get("step")
    pictures = tuple(str(picture) for picture in values.get("pictures") or ())
    return Draft(**texts, step=step if isinstance(step, int) else None, pictures=pictures)
