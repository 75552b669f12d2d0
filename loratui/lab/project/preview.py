"""What a run started now would be: its images, what the check finds, and what differs from another run.

Found in a process of its own, since images are hashed and decoded for it, and told in plain values: the arithmetic of
steps (`Preview.plan`) then follows changed settings at once, without looking at the disk again. A model that is not on
this machine is never fetched. What the check finds is check.py's, what a difference is records.py's.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loratui
from loratui.lab.check.findings import Finding
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.plan import Plan, plan
from loratui.lab.project.settings import Settings

if TYPE_CHECKING:
    from loratui.lab.check.check import Report
    from loratui.lab.dataset.dataset import Scan
    from loratui.lab.project.project import Project

_MODULE = "loratui.lab.project.preview"
_LOOKED_EVERY = 0.1  # seconds
_NICE = 5  # a person is typing meanwhile
_ASSUMED = (512, 64)  # resolution and alignment of a model that is not here: Stable Diffusion 1's
_MOST_CAPTIONS = 4  # that are drawn where there are no prompts


@dataclass(frozen=True)
class Seen:
    """An image: how often its folder has it seen in an epoch, and its size in pixels."""

    repeats: int
    width: int
    height: int


@dataclass(frozen=True)
class Against:
    """What differs from another run, in words; `factors` is how many things that are, law 1 allowing one."""

    run: str
    factors: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    same_tokens: bool = False  # captions are written differently, and are the same to the model
    error: str = ""

    @property
    def warning(self) -> str:
        """Why a comparison with that run cannot show what one would like; empty when it can."""
        if self.error:
            return f"cannot be compared: {self.error}"
        if not self.factors:
            if self.same_tokens:
                return "only the writing of captions differs, and the tokens are the same: it cannot show anything"
            return "nothing differs: the same run again shows nothing new"
        if len(self.factors) > 1:
            return f"{len(self.factors)} things differ: what shows could come from any of them"
        return ""


@dataclass(frozen=True)
class Preview:
    """What was found. `error` says why there is no more of it: the project itself is not in order."""

    images: tuple[Seen, ...] = ()
    captions: tuple[str, ...] = ()  # those that are drawn where there are no prompts
    resolution: int = 0  # of the base model, in pixels; 0 when the model is not here
    align: int = 0
    model: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    against: Against | None = None
    error: str = ""

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def training_resolution(self, settings: Settings) -> int:
        return settings.dataset.resolution or self.resolution or _ASSUMED[0]

    def plan(self, settings: Settings) -> Plan | None:
        """The arithmetic of these settings with the images that were seen; None without images."""
        from loratui.lab.dataset.buckets import training_sizes

        if not self.images:
            return None
        images = [Seen(seen.repeats * settings.dataset.repeats, seen.width, seen.height) for seen in self.images]
        align = self.align or _ASSUMED[1]
        sizes = training_sizes(images, settings.dataset, self.training_resolution(settings), align)
        return plan(images, settings, sizes)


def preview_apart(
    project_file: Path, overrides: Sequence[str] = (), against: Path | None = None, progress: Progress = quiet
) -> Preview:
    """Look at the project as it is on disk, in a child process. `against` is the folder of a run.

    What `progress` raises ends the child. LabError when the child broke off.
    """
    asked = [str(project_file.absolute()), str(against.absolute()) if against else "", *overrides]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, *asked],
            stdin=subprocess.DEVNULL, stdout=answer, stderr=errors, cwd="/", env=_environment(),
        )  # fmt: skip
        try:
            while True:
                progress(0, 0)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_LOOKED_EVERY)
                    break
        finally:
            child.kill()
            child.wait()
        answer.seek(0)
        errors.seek(0)
        try:
            return _from_plain(json.loads(answer.read()))
        except (ValueError, TypeError, KeyError):
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            reason = plain(said[-1] if said else f"exit code {child.returncode}", 300)
            raise LabError(f"{plain(project_file)}: looking at the project broke off: {reason}") from None


def _environment() -> dict[str, str]:
    root, path = str(Path(loratui.__file__).parent.parent), os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
        "TOKENIZERS_PARALLELISM": "false",
    }


def _from_plain(found: Mapping[str, Any]) -> Preview:
    against = found["against"]
    return Preview(
        images=tuple(Seen(*image) for image in found["images"]),
        captions=tuple(found["captions"]),
        resolution=found["resolution"],
        align=found["align"],
        model=found["model"],
        findings=tuple(Finding(**finding) for finding in found["findings"]),
        notes=tuple(found["notes"]),
        against=None if against is None else Against(
            against["run"], tuple(against["factors"]), tuple(against["lines"]), against["same_tokens"], against["error"]
        ),
        error=found["error"],
    )  # fmt: skip


# --- in the child -------------------------------------------------------------------------------------------------


def preview(project_file: Path, overrides: Sequence[str] = (), against: Path | None = None) -> Preview:
    """The same in this very process. Never raises for what is wrong with the project or the run: it says so."""
    from loratui.lab.dataset.dataset import scan_dataset
    from loratui.lab.models import model_facts
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined

    try:
        project = load_project(project_file, overrides)
    except (LabError, OSError) as error:
        return Preview(error=str(error))
    try:
        model, report = examined(project)
        facts = model_facts(model)
    except (LabError, OSError) as error:
        scan = scan_dataset(project.dataset_folder(), project.settings.dataset)
        note = f"only images and caption files were looked at: {error}"
        return Preview(**_images(scan, project.settings), findings=scan.findings, notes=(note,))
    return Preview(
        **_images(report.base.scan, project.settings),
        resolution=facts.resolution,
        align=facts.align,
        model=model.name,
        findings=report.findings,
        against=_against(project, report, against) if against is not None and report.images else None,
    )


def _images(scan: Scan, settings: Settings) -> dict[str, Any]:
    repeats = settings.dataset.repeats
    drawn = settings.sample.resolved([image.caption for image in scan.images])
    own = not (settings.sample.prompts or settings.sample.prompt)
    return {
        "images": tuple(Seen(image.repeats // repeats, image.width, image.height) for image in scan.images),
        "captions": tuple(prompt.text for prompt in drawn[:_MOST_CAPTIONS]) if own else (),
    }


def _against(project: Project, report: Report, against: Path) -> Against:
    from loratui.lab.models import resolve_model
    from loratui.lab.run.record import frozen_project
    from loratui.lab.run.records import compare_records, factors
    from loratui.lab.run.resuming import as_known_now
    from loratui.lab.run.runs import RunFolder
    from loratui.lab.run.trained import said_by_others

    run = RunFolder(against)
    base = project.settings.base
    try:
        before = as_known_now(run)
        model = resolve_model(base.model, project.folder, base.revision, base.variant)
        now = frozen_project(project, model, {}, report.base.scan)
        differences = compare_records(before, now)
    except (LabError, OSError) as error:
        return Against(run.id, error=str(error))
    captions = [difference for difference in differences if difference.kind == "caption"]
    tokens = _reader(model.path / "tokenizer", project.settings.dataset.shuffle_tags)
    same = bool(captions) and all(tokens(str(change.a)) == tokens(str(change.b)) for change in captions)
    ignored = said_by_others(difference.key for difference in differences)
    counted = [
        difference
        for difference in differences
        if difference.kind not in ("version", "machine")
        and difference.key not in ignored
        and not (same and difference.kind == "caption")
    ]
    found = factors(counted)
    lines = [difference.text for difference in counted if factors([difference])]
    return Against(run.id, tuple(found), tuple(lines), same)


def _reader(tokenizer: Path, shuffled: bool) -> Any:
    """What the model gets of a caption: its tokens, tag by tag where the tags are put in any order."""
    from loratui.lab.dataset.captions import split_tags
    from loratui.lab.dataset.tokens import Tokenizer

    vocabulary = Tokenizer.load(tokenizer)
    if not shuffled:
        return vocabulary.ids
    return lambda caption: [vocabulary.ids(tag) for tag in split_tags(caption)]


def main(arguments: Sequence[str]) -> None:
    """Look, and print the answer as JSON."""
    file, against, *overrides = arguments
    found = asdict(preview(Path(file), overrides, Path(against) if against else None))
    found["images"] = [list(image.values()) for image in found["images"]]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):
        main(sys.argv[1:])
