"""Which run to go on with, and whether it still is the run it was.

A run is resumed onto its own frozen record. Where the project, its images or the base model have changed since, that
would be neither the old experiment nor a new one: it is refused with the differences, unless the person asks for it,
and then the old record is kept beside the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.models import resolve_model
from loratui.lab.plain import plain
from loratui.lab.project import load_project
from loratui.lab.record import frozen_project
from loratui.lab.records import Frozen, compare_records
from loratui.lab.runs import RunFolder, latest_resume, list_runs, read_state

GOES_ON = ("queued", "stopped", "failed", "interrupted")


def find_unfinished(which: Path) -> RunFolder:
    """The run of a run folder, or the newest unfinished run of a project. LabError when there is none, or it lives."""
    run = RunFolder(which.absolute())
    if not run.is_frozen:
        folder = which.parent if which.name == "project.toml" else which
        if not folder.is_dir():
            raise LabError(f"{which}: no such run or project; give the folder of a run, or a project that has runs")
        unfinished = [r for r in list_runs(folder) if read_state(r).name in GOES_ON]
        if not unfinished:
            raise LabError(f"{folder / 'runs'}: no unfinished run; start one with: loratui --run {plain(which)}")
        run = unfinished[-1]
    state = read_state(run)
    if state.name == "finished":
        raise LabError(f"{run.path}: finished at step {state.step}; there is nothing to go on with")
    return run


def reconcile(run: RunFolder, overrides: Sequence[str], allow_changes: bool) -> list[str]:
    """Compare the run's record with what its project says now; returns lines worth reading.

    LabError with the differences in settings, captions, images or base model, unless `allow_changes`: then the run
    goes on with what is there now. Other versions and another machine are only pointed out: they may change last bits.
    """
    before = Frozen.read(run)
    said = before.record["run"]
    file = Path(said.get("project_file", ""))
    if not file.is_file():
        if overrides:
            raise LabError(f"{run.record_file}: its project {file} is gone, so --set has nothing to override")
        return [f"{plain(file)} is gone; going on with the settings in {run.record_file}"]
    project = load_project(file, [*said.get("overrides", []), *overrides])
    model = resolve_model(project.settings.base.model, project.folder, project.settings.base.revision,
                          project.settings.base.variant)  # fmt: skip
    state = latest_resume(run)
    kept = {key: value for key, value in said.items() if key not in ("project", "command")}
    now = frozen_project(project, model, {**kept, "overrides": [*said.get("overrides", []), *overrides]})
    differences = compare_records(before, now)
    lines = [d.text for d in differences if d.kind in ("version", "machine")]
    notes = [f"note: not as when the run began: {line}" for line in lines]
    changed = [d.text for d in differences if d.kind not in ("version", "machine")]
    if not changed:
        return notes
    listed = "".join(f"\n  {line}" for line in changed)
    if not allow_changes:
        raise LabError(
            f"{run.path}: settings or data changed since this run began:{listed}\n"
            "Undo the change, start a new run with --run, or go on all the same with --resume RUN --allow-changes."
        )
    run.refreeze(now.record, now.captions, f"until-{state.name if state else 'step-000000'}")
    return [*notes, f"going on with changes; the old record is kept:{listed}"]
