"""What settings come to before a run is started: steps, time, checkpoints, pictures, disk, in words.

Puts together what preview.py saw of the project, what measured.py found of past runs, and the arithmetic of plan.py.
Nothing is read from disk, so it can follow every letter that is typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loratui.lab.errors import LabError
from loratui.lab.project.estimate import NOTHING_KNOWN, Estimate, estimate, job_of, size_words
from loratui.lab.project.measured import Job, Measured
from loratui.lab.project.plan import Plan
from loratui.lab.project.preview import Preview
from loratui.lab.project.settings import Settings


@dataclass(frozen=True)
class Outlook:
    """The figures of a run that could be started now; `plan` is None where there are no images to count."""

    plan: Plan | None = None
    job: Job | None = None
    estimate: Estimate | None = None

    @property
    def steps_words(self) -> str:
        """`3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps, about 1 min 40 s here`."""
        if self.plan is None:
            return "no images, so there are no steps to count"
        return self.plan.arithmetic + (f", {self.estimate.words}" if self.estimate else "")

    @property
    def basis_words(self) -> str:
        """What the time is told from."""
        if self.plan is None:
            return ""
        return self.estimate.basis if self.estimate else NOTHING_KNOWN

    @property
    def kept_words(self) -> str:
        """`10 checkpoints, 80 pictures, 12 MB`: what the run leaves on disk."""
        if self.plan is None or self.job is None:
            return ""
        parts = [_many(len(self.plan.checkpoint_steps), "checkpoint"), _many(self.job.pictures, "picture")]
        size = self.estimate.bytes if self.estimate else 0
        return ", ".join([*parts, f"about {size_words(size)}"] if size else parts)


def outlook(settings: Settings, seen: Preview, known: Sequence[Measured]) -> Outlook:
    """The figures of these settings with the images that were seen."""
    try:
        made = seen.plan(settings)
        if made is None:
            return Outlook()
        prompts = settings.sample.resolved(seen.captions)
        job = job_of(settings, made, settings.base.model, prompts, seen.training_resolution(settings))
    except (LabError, ValueError):  # a resolution that has no sizes; the check says so in its own words
        return Outlook()
    return Outlook(made, job, estimate(job, known))


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
