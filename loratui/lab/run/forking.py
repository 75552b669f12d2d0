"""A run again with something changed: what it would be, what differs from its parent, and whether that shows anything.

The child is the parent's project as it is now, with the parent's variant, seed and overrides, and the changes on top.
Its record says its parent and what differs. Nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.run.record import read_record
from loratui.lab.run.records import Difference, Frozen, compare_records, factors
from loratui.lab.run.resuming import as_known_now, project_file
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.series import Looked, SeriesPlan, refuse_errors, series_plan
from loratui.lab.run.starting import frozen_run
from loratui.lab.run.trained import AROUND, DRAWN, REMARKS, is_one_of, said_by_others, trained_as
from loratui.lab.run.wanted import wanted_again


@dataclass(frozen=True)
class Fork:
    """A run that could be made from another. `changes` are what differs, `notes` lines worth reading, warnings too;
    `plan` has the one row, its factors held against the parent."""

    parent: RunFolder
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    plan: SeriesPlan
    record: Frozen

    def freeze(self) -> RunFolder:
        """The new run. LabError with what the check found wrong; nothing is left then."""
        assert self.plan.look is not None
        wanted = self.plan.look.runs[0].wanted
        refuse_errors(self.plan.look, wanted.project)
        return frozen_run(self.record, wanted.name, self.parent.project_folder)


def look_at_fork(
    run: RunFolder, overrides: Sequence[str] = (), progress: Progress = quiet, download: bool = False
) -> Fork:
    """The run again with these changes. LabError when nothing differs, or its project or variant is gone; `download`
    as of `series_plan`."""
    before = as_known_now(run)
    file = project_file(run)
    if not file.is_file():
        raise LabError(f"{plain(file)}: the project of this run is gone, so there is nothing to run again")
    plan = series_plan([wanted_again(run, file, overrides)], progress, again=True, download=download)
    assert plan.look is not None
    looked = plan.look.runs[0]
    now = looked.record
    differences = compare_records(before, now)
    around = [d for d in differences if d.kind in ("version", "machine")]
    asked = [d for d in differences if d not in around and factors([d])]
    if not asked:
        raise LabError(
            f"{plain(run.path)}: nothing differs from this run, and the same run again shows nothing new; "
            "change one thing, in the project or with KEY=VALUE"
        )
    changes = tuple(difference.text for difference in asked)
    counted = _counted(asked)
    warning = _warning(run, looked, counted)
    notes = [f"differs from {run.id}: {change}" for change in changes]
    notes += [f"warning: {warning}"] if warning else []
    notes += [f"note: not as for the parent: {d.text}" for d in around]
    said = {**now.record["run"], "parent": run.id, "changes_from_parent": list(changes)}
    row = replace(plan.rows[0], factors=tuple(counted), changes=changes)
    warnings = tuple(text for text in plan.warnings if not text.startswith(f"{row.label}: "))
    return Fork(
        parent=run,
        changes=changes,
        notes=tuple(notes),
        plan=replace(plan, rows=(row,), warnings=(*([warning] if warning else []), *warnings)),
        record=Frozen({**now.record, "run": said}, now.captions),
    )


def _counted(asked: Sequence[Difference]) -> list[str]:
    """The factors of these: what is only drawn or said is none, and what cannot be changed alone counts once."""
    once = said_by_others(difference.key for difference in asked)
    return factors(d for d in asked if d.key not in once and not is_one_of(d.key, (*REMARKS, *DRAWN, *AROUND)))


def _warning(parent: RunFolder, looked: Looked, counted: Sequence[str]) -> str:
    """Why a comparison with the parent would not show what one would like; empty when it can."""
    if len(counted) > 1:
        return f"{len(counted)} factors differ from the parent; what shows cannot be put down to one of them"
    tokenizer = Tokenizer.load(looked.model.path / "tokenizer")
    one, two = trained_as(read_record(parent), tokenizer), looked.trained_as(tokenizer)
    if one != two:
        return ""
    if counted:
        return "only the writing of captions differs, and the tokens are the same: this comparison cannot show anything"
    return "nothing that is trained differs, only what is drawn: it makes the same LoRA again"
