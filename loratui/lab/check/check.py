"""Everything that can be known about a project before training: one report from the dataset, the settings, the tokens.

`check` reads images and captions and looks at them with every rule; it writes nothing, loads no weights and prints
nothing (checkscreen.py does). The rules are in rules.py, those about single files in dataset.py and captionfiles.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loratui.lab.check.findings import Finding, Severity
from loratui.lab.check.rules import of_claims, of_comparison, of_place, of_setup
from loratui.lab.check.setups import CheckedImage, Setup, changes, setups, without
from loratui.lab.dataset.buckets import Size
from loratui.lab.dataset.dataset import TrainingImage
from loratui.lab.dataset.imagefiles import LARGE, UnreadableImage, quiet, read_rgb
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress
from loratui.lab.patience import quiet as unwatched
from loratui.lab.project.plan import Plan
from loratui.lab.project.project import Project
from loratui.lab.project.settings import Settings
from loratui.lab.threads import spread

__all__ = ["CheckedImage", "Finding", "Report", "Setup", "Severity", "check"]

DECODED = 500_000_000  # pixels decoded at most, about ten seconds: all of a usual dataset


@dataclass(frozen=True)
class Report:
    """What the check found. `setups` are the project as written and then its variants."""

    findings: tuple[Finding, ...]
    setups: tuple[Setup, ...]
    token_limit: int
    decoded: int  # images whose pixels were looked at, of all that there are
    images_found: int

    @property
    def base(self) -> Setup:
        return self.setups[0]

    @property
    def plan(self) -> Plan | None:
        return self.base.plan

    @property
    def settings(self) -> Settings:
        return self.base.settings

    @property
    def images(self) -> tuple[TrainingImage, ...]:
        return self.base.images

    @property
    def sizes(self) -> tuple[Size, ...]:
        """(width, height) that each image is trained at."""
        return self.base.sizes

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def exit_code(self) -> int:
        """0: nothing found; 1: warnings; 2: errors, with which no run starts."""
        return 2 if self.errors else 1 if self.findings else 0

    def setup(self, variant: str) -> Setup:
        """The setup of a variant, by its name. Raises LabError, with the names there are."""
        for setup in self.setups:
            if setup.name == variant:
                return setup
        names = ", ".join(setup.name for setup in self.setups[1:]) or "none"
        raise LabError(f'there is no variant "{variant}" in this project; variants: {names}')

    def changes(self, setup: Setup) -> tuple[str, ...]:
        """What a variant changes against the project, a factor each."""
        return changes(self.base, setup)


def check(
    project: Project,
    tokenizer: Tokenizer,
    training_resolution: int,
    size_multiple: int,
    progress: Progress = unwatched,
) -> Report:
    """Look at a project with every rule.

    `training_resolution` is the side in pixels of the squares the model was trained on, `size_multiple` what it asks
    every side of a picture to be a multiple of. Errors come before warnings; of equal findings only the first stays.
    Progress counts images, once as they are read and again as they are decoded; what it raises ends the check.
    """
    found: list[Finding] = []
    made: list[Setup] = []
    for setup, scan_findings in setups(project, tokenizer, training_resolution, size_multiple, progress):
        found += _named(setup, scan_findings)
        made.append(setup)
    pixels = _Pixels.of([image for setup in made for image in setup.images], progress)
    found += pixels.findings
    made = [without(setup, frozenset(pixels.unreadable)) for setup in made]
    said: set[tuple[str, str, str]] = set()
    for setup in made:
        own = [*of_place(setup, project), *_duplicates(setup, pixels), *of_setup(setup, tokenizer, size_multiple)]
        # A variant shares most of the project; only what is new with it is said again.
        found += _named(setup, [f for f in own if (f.rule, f.where, f.message) not in said])
        said |= {(f.rule, f.where, f.message) for f in own}
    found += of_comparison(made[0], made[1:], tokenizer)
    found += of_claims(project)
    unique = dict.fromkeys(found)
    return Report(
        findings=tuple(sorted(unique, key=lambda finding: finding.severity != "error")),
        setups=tuple(made),
        token_limit=tokenizer.limit,
        decoded=pixels.decoded,
        images_found=pixels.found,
    )


def _named(setup: Setup, findings: Iterable[Finding]) -> list[Finding]:
    if setup.variant is None:
        return list(findings)
    return [replace(finding, where=f"{setup.name}: {finding.where}") for finding in findings]


# --- pixels -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pixels:
    """What decoding showed, by hash of the file: a hash of the pixels, or why there are none."""

    hashes: dict[str, str]
    unreadable: dict[str, UnreadableImage]
    findings: tuple[Finding, ...]
    decoded: int
    found: int

    @classmethod
    def of(cls, images: Iterable[TrainingImage], progress: Progress) -> _Pixels:
        files = {image.path: image for image in images}
        chosen: dict[str, TrainingImage] = {}
        budget = DECODED
        for image in files.values():
            if image.sha256 not in chosen and image.width * image.height <= budget:
                budget -= image.width * image.height
                chosen[image.sha256] = image
        large = [image for image in chosen.values() if image.width * image.height > LARGE]
        small = [image for image in chosen.values() if image.width * image.height <= LARGE]
        hashes: dict[str, str] = {}
        unreadable: dict[str, UnreadableImage] = {}
        # Large ones by a single thread: what a thread has once had of memory, it keeps.
        for images, threads in ((small, min(8, os.cpu_count() or 1)), (large, 1)):
            with quiet(), spread(_decoded, images, threads) as outcomes:
                for image, outcome in zip(images, outcomes, strict=True):
                    if isinstance(outcome, UnreadableImage):
                        unreadable[image.sha256] = outcome
                    else:
                        hashes[image.sha256] = outcome
                    progress(len(hashes) + len(unreadable), len(chosen))
        findings = tuple(
            Finding("image-unreadable", "error", image.where, error.cause, error.remedy)
            for image in files.values()
            if (error := unreadable.get(image.sha256))
        )
        decoded = sum(image.sha256 in chosen for image in files.values())
        return cls(hashes, unreadable, findings, decoded, len(files))


def _decoded(image: TrainingImage) -> str | UnreadableImage:
    try:
        picture = read_rgb(image.path)
    except UnreadableImage as error:
        return error
    digest = hashlib.sha256(f"{picture.width} {picture.height} ".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def _duplicates(setup: Setup, pixels: _Pixels) -> list[Finding]:
    groups: dict[str, list[TrainingImage]] = {}
    for image in setup.images:
        groups.setdefault(pixels.hashes.get(image.sha256, image.sha256), []).append(image)
    return [_duplicate(group) for group in groups.values() if len(group) > 1]


def _duplicate(group: Sequence[TrainingImage]) -> Finding:
    names = [image.name for image in group]
    same = "byte for byte" if len({image.sha256 for image in group}) == 1 else "pixel for pixel"
    captions = "one caption" if len({image.caption for image in group}) == 1 else "different captions"
    shown = ", ".join(names[1:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return Finding(
        "image-duplicate",
        "warning",
        group[0].where,
        f"the same picture as {shown}, {same}, with {captions}",
        "keep one of them, and use repeats to show it more often",
    )
