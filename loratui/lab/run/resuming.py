"""Which run to go on with, and whether it still is the run it was.

A run is resumed onto its own frozen record. Where the project, its images or the base model have changed since, that
would be neither the old experiment nor a new one: it is refused with the differences, unless the person asks for it,
and then the old record is kept beside the new one. A project that was only moved is not a changed one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.models import inspect_model, refuse_changed
from loratui.lab.plain import plain
from loratui.lab.project.project import Project
from loratui.lab.project.settings import settings_from_dict, settings_to_dict
from loratui.lab.run.lock import RunLock, is_locked
from loratui.lab.run.record import Record, frozen_project, read_record
from loratui.lab.run.records import Difference, Frozen, compare_records, factors
from loratui.lab.run.runs import RunFolder, RunState, list_runs, read_state, resumes, undamaged
from loratui.lab.run.starting import examined
from loratui.lab.run.wanted import VariantGone, wanted_again

# What gives the saved weights and the optimiser's numbers their shapes.
_SHAPES = ("lora.rank", "lora.targets", "lora.text_encoder", "train.optimizer")
# Of a record's table `run`, what is said anew when it is frozen again; the rest is kept.
_MADE_AGAIN = ("project", "command", "project_file", "overrides", "variant", "repeat", "matrix")


# -- which run --------------------------------------------------------------------------------------------------------


def find_unfinished(which: Path) -> RunFolder:
    """The run of a run folder, or a project's newest unfinished run that nobody is training.

    LabError when there is none, when the run is finished, or when a worker has it.
    """
    place = which.absolute()
    given = RunFolder(place.parent if place.name == "run.toml" else place)
    if given.is_frozen:
        _refuse_live(given)
        refuse_finished(given)
        return given
    if place.is_dir() and place.parent.name == "runs":
        given.read_record()  # says what is missing
    folder = place.parent if place.is_file() else place
    if not folder.is_dir():
        raise LabError(f"{which}: no such run or project; give the folder of a run, or a project that has runs")
    if not place.is_file() and not (folder / "project.toml").exists() and not (folder / "runs").is_dir():
        raise LabError(f"{which}: neither a run nor a project; give the folder of a run, or a project that has runs")
    live = 0
    for run in reversed(list_runs(folder)):
        if place.is_file() and project_file(run).name != place.name:
            continue
        if is_locked(run.lock_file):
            live += 1
        elif read_state(run).name != "finished":
            return run
    if live:
        raise LabError(f"{folder / 'runs'}: no unfinished run but what is being trained now; watch it instead")
    raise LabError(f"{folder / 'runs'}: no unfinished run; start one with: loratui --run {which}")


def _refuse_live(run: RunFolder) -> None:
    if is_locked(run.lock_file):
        state = read_state(run)
        raise LabError(
            f"{run.path}: another worker has this run ({state.name}, step {state.step}); "
            "watch it, or ask it to stop, instead of starting it again"
        )


def refuse_finished(run: RunFolder) -> None:
    """LabError when the run did all its steps."""
    state = read_state(run)
    if state.name == "finished" and state.reason != "max_minutes":
        raise LabError(
            f"{run.path}: finished at step {state.step}; there is nothing to go on with. "
            "To train longer, start a new run with more steps"
        )


def project_file(run: RunFolder) -> Path:
    """The file the run was made from: where it now lies around the run, else where it was."""
    recorded = Path(str(run.read_record().get("run", {}).get("project_file", "")) or "project.toml")
    beside = run.project_folder / recorded.name
    return beside if beside.is_file() else recorded


# -- is it still the same ---------------------------------------------------------------------------------------------


def reconcile(run: RunFolder, overrides: Sequence[str], allow_changes: bool) -> list[str]:
    """Compare the run's record with what its project says now; returns lines worth reading.

    LabError with the differences in settings, captions, images or base model, unless `allow_changes`: then the run
    goes on with what is there now. Other versions and another machine are only pointed out: they may change last bits.
    """
    record, before = read_record(run), as_known_now(run)
    file = project_file(run)
    if not file.is_file():
        return _without_project(run, record, f"{plain(file)} is gone", overrides)
    said = before.record["run"]
    try:
        wanted = wanted_again(run, file, overrides)
    except VariantGone as gone:
        return _without_project(run, record, gone, overrides)
    project = wanted.project
    model, report = examined(project, download=True)
    kept = {key: value for key, value in said.items() if key not in _MADE_AGAIN}
    now = frozen_project(project, model, {**kept, **wanted.identity}, report.base.scan)
    found = _sorted(compare_records(before, now))
    state = read_state(run)
    _refuse_timed_out(run, state, record, project)
    if not found.changes:
        return [*found.notes, *_follow(run, before, now)]
    if not allow_changes:
        raise LabError(
            f"{plain(run.path)}: settings or data changed since this run began:{_listed(found.changes)}\n"
            "Undo the change, start a new run with --run, or go on all the same with --resume RUN --allow-changes."
        )
    if report.errors:
        faults = "".join(f"\n  {plain(f.where)}: {plain(f.message)}; {plain(f.remedy)}" for f in report.errors)
        raise LabError(f"{plain(file)}: the run cannot go on with what is there now:{faults}")
    _refuse_misfits(run, record, project, report.plan.total_steps if report.plan else 0)
    _refreeze(run, now, found.changes)
    return [*found.notes, f"going on with changes; the old record is kept:{_listed(found.changes)}"]


def as_known_now(run: RunFolder) -> Frozen:
    """Its record with the defaults of settings that a newer loratui added since: those are no changes."""
    frozen = Frozen.read(run)
    with undamaged(run.record_file):
        settings = settings_to_dict(settings_from_dict(frozen.record["settings"]))
    return Frozen({**frozen.record, "settings": settings}, frozen.captions)


@dataclass(frozen=True)
class _Found:
    changes: list[str]  # another experiment
    notes: list[str]  # worth knowing


def _sorted(differences: Sequence[Difference]) -> _Found:
    found = _Found([], [])
    for difference in differences:
        if difference.kind in ("version", "machine"):
            found.notes.append(f"note: not as when the run began: {difference.text}")
        elif factors([difference]):
            found.changes.append(difference.text)
        elif difference.key == "settings.question":
            found.notes.append(f"note: the run keeps the question it began with: {difference.text}")
    return found


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)


def take_up(run: RunFolder, now: Frozen) -> list[str]:
    """Get a run ready to go on that trains what `now` says, as it was frozen; returns lines worth reading.

    What it draws and logs stays as it was. Where its files were moved, its record says where they are now.
    """
    before = Frozen.read(run)
    said = {**before.record["run"], "project_file": now.record["run"]["project_file"]}
    return _follow(
        run, before, Frozen({**now.record, "run": said, "settings": before.record["settings"]}, now.captions)
    )


def _without_project(run: RunFolder, record: Record, why: object, overrides: Sequence[str]) -> list[str]:
    """The record alone is enough to go on, as long as the base model is the same; the worker looks at the images."""
    if overrides:
        raise LabError(f"{run.record_file}: {plain(why)}, so --set has nothing to override")
    model = inspect_model(record.model.name, record.model.path, record.model.variant)
    refuse_changed(model, record.hashes)
    return [f"{plain(why)}; going on with the settings in {plain(run.record_file)}"]


def _refuse_timed_out(run: RunFolder, state: RunState, record: Record, project: Project) -> None:
    limit = record.settings.train.max_minutes
    if state.name == "finished" and project.settings.train.max_minutes == limit:
        raise LabError(
            f"{run.path}: finished at step {state.step}, since train.max_minutes = {limit:g} is over. "
            "To give it more, add --set train.max_minutes=0 --allow-changes"
        )


def _refuse_misfits(run: RunFolder, record: Record, project: Project, total: int) -> None:
    """Changes that nobody can go on with: the saved state has another shape, or is past the new end."""
    saved = resumes(run)
    if not saved:
        return
    state = saved[0][1]
    for key in _SHAPES:
        table, _, name = key.partition(".")
        old, new = (getattr(getattr(settings, table), name) for settings in (record.settings, project.settings))
        if old != new:
            raise LabError(f"{state}: was saved with {key} = {old} and does not fit {new}; start a new run with --run")
    if total <= saved[0][0]:
        raise LabError(f"{state}: is past the {total} steps that are asked for now; start a new run with --run")


# -- another record ---------------------------------------------------------------------------------------------------


def _follow(run: RunFolder, before: Frozen, now: Frozen) -> list[str]:
    """Let the record of a run whose files were moved say where they are now."""
    places = [Path(before.record["model"]["path"]), *(Path(image["path"]) for image in before.captions)]
    gone = next((place for place in places if not place.exists()), None)
    if gone is None:
        return []
    moved = f"its files have moved: {plain(gone)} is gone"
    _refreeze(run, now, [moved])
    return [f"note: {moved}; the record now says where they are"]


def _refreeze(run: RunFolder, now: Frozen, changes: Sequence[str]) -> None:
    """Put `now` in the record's place. What changed, and when, is written into it; no older record is overwritten."""
    with RunLock(run.lock_file):  # no worker may read half of the old record and half of the new
        saved = resumes(run)
        until = f"until-{saved[0][1].name if saved else 'step-000000'}"
        taken = len(list(run.path.glob(f"{run.record_file.stem}.{until}*.toml")))
        until += f"-{taken + 1}" if taken else ""
        said: Mapping[str, Any] = now.record["run"]
        earlier = said.get("changes", [])
        changed = {**now.record, "run": {**said, "changes": [*earlier, {"until": until, "what": list(changes)}]}}
        run.refreeze(changed, now.captions, until)
