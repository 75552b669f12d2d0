"""The check in a process of its own, for an interface that goes on while hundreds of pictures are decoded.

The child sends its progress and then the findings as lines of JSON. It never fetches a model: without one on this
machine, what can be known of the images and captions alone is reported. What the check finds is check.py's.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import loratui
from loratui.lab.check.findings import Finding
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain

_TOLD_EVERY = 0.1  # seconds between two lines of progress
_LOOKED_EVERY = 0.2  # seconds after which the caller's progress is called though nothing was heard
_MODULE = "loratui.lab.check.checkapart"
_NICE = 10  # a person is typing meanwhile


@dataclass(frozen=True)
class Checked:
    """What the check found. `notes` say what it could not look at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


def check_apart(project_file: Path, progress: Progress = quiet) -> Checked:
    """Check a project in a child process. What `progress` raises ends it; LabError when the project is not in order."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(project_file.absolute())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd="/", env=_environment(),
        )  # fmt: skip
        assert child.stdout is not None
        try:
            answer = _listen(child.stdout, progress)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if answer is None:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise LabError(f"{plain(project_file)}: the check broke off: {plain(said[-1] if said else 'no word', 300)}")
    if "error" in answer:
        raise LabError(answer["error"])
    return Checked(tuple(Finding(**finding) for finding in answer["findings"]), tuple(answer["notes"]))


def by_image(findings: Iterable[Finding], folder: Path, names: Sequence[tuple[str, str]]) -> dict[str, list[Finding]]:
    """The findings about single images or their captions, by the image's name.

    `names` are (image, its caption file) below the dataset's `folder`. Findings about anything else are left out.
    """
    prefix = folder.name or folder.absolute().name
    owners: dict[str, str] = {}
    for image, caption in names:
        owners.setdefault(_shown(f"{prefix}/{caption}"), image)
    owners |= {_shown(f"{prefix}/{image}"): image for image, _ in names}
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.where in owners:
            found.setdefault(owners[finding.where], []).append(finding)
    return found


def _shown(where: str) -> str:
    return where.encode("utf-8", errors="backslashreplace").decode()


def _listen(pipe: IO[bytes], progress: Progress) -> dict[str, Any] | None:
    """The child's answer, or None when it ended without one."""
    rest, at = b"", (0, 0)
    while True:
        progress(*at)
        if not select.select([pipe], [], [], _LOOKED_EVERY)[0]:
            continue
        data = os.read(pipe.fileno(), 65536)
        if not data:
            return None
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "done" not in message:
                return dict(message)
            at = (message["done"], message["total"])


def _environment() -> dict[str, str]:
    root = str(Path(loratui.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


# --- in the child -------------------------------------------------------------------------------------------------


def main(project_file: Path, out: IO[str]) -> None:
    """Check, and write the progress and the answer to `out`."""
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if done in (0, total) or now - told >= _TOLD_EVERY:
            told = now
            _say(out, {"done": done, "total": total})

    try:
        checked = _check(project_file, tell)
    except (LabError, OSError) as error:
        _say(out, {"error": str(error)})
        return
    _say(out, {"findings": [asdict(finding) for finding in checked.findings], "notes": list(checked.notes)})


def _check(project_file: Path, progress: Progress) -> Checked:
    from loratui.lab.dataset.dataset import scan_dataset
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined

    project = load_project(project_file)
    try:
        return Checked(examined(project, progress)[1].findings)
    except LabError as error:
        scan = scan_dataset(project.dataset_folder(), project.settings.dataset, progress)
        return Checked(scan.findings, (f"only images and caption files were looked at: {error}",))


def _say(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        main(Path(sys.argv[1]), sys.stdout)
