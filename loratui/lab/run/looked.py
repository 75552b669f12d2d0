"""What a series would train as it is now: base models, images, captions and tokens, and what the check finds in them.

Every folder is read once, however many runs use it, and all is looked at before anything is frozen: a series that is
broken in its last run does not begin. Nothing is written but a frozen run, which is all that freezing means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from loratui.lab.check.check import Finding, check
from loratui.lab.check.setups import Setup, setups
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.models import ModelFacts, ModelFolder, model_facts, model_hash, resolve_model
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.project import Project, Variant, load_project
from loratui.lab.project.settings import RULES, Base, Settings
from loratui.lab.run.record import frozen
from loratui.lab.run.records import Frozen
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.starting import frozen_run
from loratui.lab.run.trained import of_setup
from loratui.lab.run.wanted import Wanted


@dataclass(frozen=True)
class Looked:
    """A run to be made, with its base model and its images as they are now."""

    wanted: Wanted
    model: ModelFolder
    facts: ModelFacts
    setup: Setup

    @cached_property
    def hashes(self) -> dict[str, str]:
        return dict(model_hash(self.model))

    @cached_property
    def key(self) -> dict[str, Any]:
        """What it trains; equal to that of a run that trained the same."""
        return of_setup(self.setup, self.hashes)

    def trained_as(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """The same as the text encoder reads it: captions that are the same tokens are the same."""
        return of_setup(self.setup, self.hashes, tokenizer)

    @property
    def record(self) -> Frozen:
        """Its record, if it were frozen now."""
        project = self.wanted.project
        return frozen(
            project.name,
            project.settings,
            list(zip(self.setup.images, self.setup.sizes, strict=True)),
            self.model,
            {"project_file": str(project.file.absolute()), **self.wanted.identity},
        )


@dataclass(frozen=True)
class Look:
    """All that was looked at: the runs, the project as written that they are held against, and what was found."""

    runs: tuple[Looked, ...]
    base: Setup
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")


def look_at(wanted: Sequence[Wanted], progress: Progress = quiet, judge: bool = True, download: bool = False) -> Look:
    """Read the images and captions of each, every folder once; with `judge` look at all of it with every rule.

    All must be of one project. LabError when a base model is not there; with `download` those of the hub are fetched.
    """
    made: dict[int, Looked] = {}
    findings: list[Finding] = []
    base: Setup | None = None
    written = _as_written(wanted[0])
    groups: dict[Base, list[int]] = {written.settings.base: []}
    for number, one in enumerate(wanted):
        groups.setdefault(one.project.settings.base, []).append(number)
    for settings, numbers in groups.items():
        model = resolve_model(settings.model, written.folder, settings.revision, settings.variant, download)
        facts = model_facts(model)
        tokenizer = Tokenizer.load(model.path / "tokenizer")
        named = [_named(wanted[number]) for number in numbers]
        own = replace(written.settings, base=settings)
        project = replace(written, settings=own, given={}, overrides={}, variants=tuple(named), claims=())
        looked: Sequence[Setup]
        if judge:
            report = check(project, tokenizer, facts.resolution, facts.align, progress)
            looked, found = report.setups, report.findings
            findings += [finding for finding in found if finding not in findings]
        else:
            looked = [setup for setup, _ in setups(project, tokenizer, facts.resolution, facts.align, progress)]
        base = base or looked[0]
        for number, setup in zip(numbers, looked[1:], strict=True):
            made[number] = Looked(wanted[number], model, facts, setup)
    assert base is not None
    return Look(tuple(made[number] for number in range(len(wanted))), base, tuple(findings))


def _as_written(wanted: Wanted) -> Project:
    """The project that a wanted run is of, with nothing but its overrides."""
    if wanted.is_as_written:
        return wanted.project
    return load_project(wanted.project.file, wanted.overrides)


def _named(wanted: Wanted) -> Variant:
    """The run as a variant of the project: under its label, with every setting said, so that nothing is left to mix."""
    own = wanted.project.variant or Variant()
    return replace(own, name=wanted.label, overrides=_every(wanted.project.settings))


def _every(settings: Settings) -> dict[str, Any]:
    """The values of all settings under their dotted keys, as they are held."""
    return {
        key: getattr(getattr(settings, rule.table), rule.name) if rule.table else getattr(settings, rule.name)
        for key, rule in RULES.items()
    }


# -- freezing ---------------------------------------------------------------------------------------------------------


def freeze_wanted(wanted: Wanted, progress: Progress = quiet) -> RunFolder:
    """A new frozen run of it; a base model of the hub is fetched. LabError with what the check finds wrong; nothing is
    left then."""
    look = look_at([wanted], progress, download=True)
    refuse_errors(look, wanted.project)
    return freeze_looked(look.runs[0])


def freeze_looked(looked: Looked, folder: Path | None = None) -> RunFolder:
    """A new frozen run of what was looked at, with the captions it had then, in its project or below another folder."""
    return frozen_run(looked.record, looked.wanted.name, folder or looked.wanted.project.folder)


def refuse_errors(look: Look, project: Project) -> None:
    """LabError with all that the check found with which no run starts."""
    if look.errors:
        faults = "".join(f"\n  {plain(f.where)}: {plain(f.message)}; {plain(f.remedy)}" for f in look.errors)
        raise LabError(f"{plain(project.file)}: nothing was started: mend this first:{faults}")
