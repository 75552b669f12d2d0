"""The jobs of a run's page: which may be started, and showing again what one has made.

How jobs are offered and watched is screenjobs.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from loratui.lab.plain import plain
from loratui.lab.run.jobs import Job, JobState
from loratui.lab.run.runs import RunFolder
from loratui.tui.screens.runactions import RunActions
from loratui.tui.screens.screenjobs import ScreenJobs

if TYPE_CHECKING:
    from loratui.tui.dialogs.jobsform import JobKind


class RunJobs(ScreenJobs, RunActions):
    """The jobs of a run's page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "more", "More…", id="jobs.more",
                tooltip="Draw more pictures, measure, attribute, and see how such jobs stand and what they found"),
    ]  # fmt: skip

    def jobs_of(self) -> RunFolder | Path | None:
        return self.run_folder

    def job_kinds(self) -> tuple[Sequence[JobKind], str]:
        from loratui.tui.dialogs.jobsform import RUN_JOBS

        if self.standing.alive:
            kept = [kind for kind in RUN_JOBS if not kind.draws]
            return kept, "the rest can be started when the run has ended; S on its page draws samples now"
        if not any(self.run_folder.checkpoints.glob("step-*.safetensors")):
            return [kind for kind in RUN_JOBS if not kind.draws], "the rest needs a checkpoint, and there is none yet"
        return RUN_JOBS, ""

    def job_hints(self) -> Mapping[str, str]:
        from loratui.lab.project.fieldtext import field_text

        settings = self.facts.settings
        if settings is None:
            return {}
        sample = settings.sample
        prompts = " · ".join(plain(prompt, 30) or '""' for prompt in self.facts.prompts)
        return {
            "prompt": f"all of the run: {prompts}" if prompts else "those of the run",
            "scale": f"of the run: {plain(field_text(sample.scales), 40)}",
            "inference-steps": f"of the run: {plain(field_text(sample.inference_steps), 40)}",
        }

    def job_over(self, job: Job, state: JobState) -> None:
        self.on_show_again()
