"""Requests to a running worker: small files in `run/requests/` that the worker looks for at each step.

    stop        save and end                     pause   hold for as long as the file is there
    checkpoint  write a checkpoint now           sample  make pictures now; may hold {"prompts": […]} as JSON

Anyone may post (`touch requests/stop` does too); only the worker takes. What a request does is the worker's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import make_folder, read_text, refuse_links, write_atomic
from loratui.lab.run.runs import RunFolder

_TAKEN = ".taken"
MOST_BYTES = 1 << 20  # of what a request may hold
NAMES = ("stop", "pause", "checkpoint", "sample")


def post(run: RunFolder, name: str, payload: Any = None) -> None:
    """Leave a request; one that is there already is replaced."""
    _known(name)
    make_folder(run.requests)
    write_atomic(run.requests / name, "" if payload is None else json.dumps(payload))


def pending(run: RunFolder) -> dict[str, Any]:
    """Requests and their payloads (None where there is none). One look into one folder: cheap enough for each step."""
    refuse_links(run.requests)
    try:
        with os.scandir(run.requests) as entries:
            found = sorted(entry.name for entry in entries if entry.name in NAMES)
    except FileNotFoundError:
        return {}
    return {name: _payload(run, name) for name in found}


def take(run: RunFolder, name: str, until_done: bool = False) -> Any:
    """Remove a request and return its payload; None as well where there is no such request.

    It is moved away before it is read, so one posted meanwhile is not lost. `until_done`: it is kept aside until
    `done` says that it was served, and `put_back` finds it where its worker was killed before.
    """
    _known(name)
    refuse_links(run.requests)
    taken = run.requests / f".{name}.{secrets.token_hex(4)}{_TAKEN}"
    try:
        (run.requests / name).rename(taken)
    except FileNotFoundError:
        return None
    payload = _payload(run, taken.name)
    if not until_done:
        done(run, name)
    return payload


def done(run: RunFolder, name: str) -> None:
    """What was taken of that name was served."""
    for taken in run.requests.glob(f".{name}.*{_TAKEN}"):
        with contextlib.suppress(OSError):  # a folder that someone made under that name
            taken.unlink()


def put_back(run: RunFolder) -> None:
    """Requests that a worker took and was ended before it had served them. Only for the worker that has the run."""
    refuse_links(run.requests)
    for name in ("checkpoint", "sample"):
        for taken in sorted(run.requests.glob(f".{name}.*{_TAKEN}"))[-1:]:
            if not (run.requests / name).exists():
                taken.rename(run.requests / name)
    for name in NAMES:
        done(run, name)


def _payload(run: RunFolder, file_name: str) -> Any:
    # A request that someone made by hand asks for the plain thing, whatever else is in the file.
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return json.loads(read_text(run.requests / file_name, MOST_BYTES))
    return None


def _known(name: str) -> None:
    if name not in NAMES:
        raise LabError(f"request {name!r}: unknown; there are {', '.join(NAMES)}")
