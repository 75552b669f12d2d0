"""The check in a process of its own, for an interface that goes on while hundreds of pictures are decoded.

The child never fetches a model: without one on this machine, what can be known of the images and captions alone is
reported. What the check finds is check.py's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.apart import answer, ask
from loratui.lab.check.findings import Finding
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain


@dataclass(frozen=True)
class Checked:
    """What the check found. `notes` say what it could not look at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


def check_apart(project_file: Path, progress: Progress = quiet) -> Checked:
    """Check a project in a child process. What `progress` raises ends it; LabError when the project is not in order."""
    found = ask(
        "loratui.lab.check.checkapart", [project_file.absolute()], f"{plain(project_file)}: the check", progress
    )
    return Checked(tuple(Finding(**finding) for finding in found["findings"]), tuple(found["notes"]))


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


# --- in the child -------------------------------------------------------------------------------------------------


def _told(progress: Progress) -> dict[str, Any]:
    checked = _check(Path(sys.argv[1]), progress)
    return {"findings": [asdict(finding) for finding in checked.findings], "notes": list(checked.notes)}


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


if __name__ == "__main__":
    answer(_told)
