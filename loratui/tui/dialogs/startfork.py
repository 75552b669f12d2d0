"""A run again with a change: exactly what differs is shown, and what one can learn from it, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from loratui.lab.plain import plain
from loratui.lab.project.estimate import NOTHING_KNOWN, size_words, time_words
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.seriesapart import PlanTold, plan_fork_apart, start_fork_apart
from loratui.tui.dialogs.startbase import PlanDialog
from loratui.tui.dialogs.variants import warning_lines


class ForkDialog(PlanDialog):
    """`ForkDialog(run, overrides)`: the run again with these changes; answers with the new run's folder, or None."""

    HELP = (
        "The project as it is now, with this run's variant, training seed and overrides, and the change on top. What "
        "differs from this run is shown before anything starts: one thing makes a comparison, more than one do not."
    )

    def __init__(self, run: RunFolder, overrides: Sequence[str] = ()) -> None:
        super().__init__(f"Run {plain(run.id, 50)} again?")
        self.run_folder, self.overrides = run, tuple(overrides)
        self.plan: PlanTold | None = None

    def look(self) -> PlanTold:
        return plan_fork_apart(self.run_folder, self.overrides, self.go_on)

    def shown(self, found: object) -> list[Content]:
        assert isinstance(found, PlanTold)
        self.plan = found
        return fork_lines(found)

    def forget(self) -> None:
        self.plan = None

    @property
    def is_ready(self) -> bool:
        return self.plan is not None and not self.plan.errors

    def start(self) -> list[RunFolder]:
        return [start_fork_apart(self.run_folder, self.overrides)]


def fork_lines(told: PlanTold) -> list[Content]:
    """What differs from the parent, what it takes, and what is warned of."""
    row = told.rows[0]
    one = len(row.factors) == 1 and not told.warnings
    first = Content.assemble(("✓ ", "bold $text-success"), "one thing differs from this run") if one else None
    lines = [
        first or Content.styled(f"{len(told.changes)} difference{'s' * (len(told.changes) != 1)} to this run", "bold")
    ]
    lines += [Content(f"  {plain(change, 300)}") for change in told.changes]
    much = [f"{told.total_steps:,} steps"]
    much += [f"about {time_words(told.seconds)} here"] if told.seconds is not None else []
    much += [f"about {size_words(told.bytes)}"] if told.bytes else []
    basis = told.basis if told.seconds is not None else NOTHING_KNOWN
    lines += [Content(""), Content(", ".join(much)), Content.styled(plain(basis, 200), "$foreground 60%")]
    lines += [Content(plain(row.note, 200))] if row.note else []
    return [*lines, *warning_lines(told)]
