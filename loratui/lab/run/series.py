"""A series of runs before it is trained: what is made already, what is left, how long it takes, what it can show.

A run that trains the very same thing counts as made, whatever it is called and whoever made it; so a series that was
broken off is gone on with by asking for it again. Nothing is trained here: cli/series.py and launch.py do. What others
need of wanted.py, looked.py and made.py is to be had from here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from loratui.lab.check.setups import Setup, changes
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.estimate import Estimate, estimate, job_of
from loratui.lab.project.measured import Measured, measured_near
from loratui.lab.project.settings import changed_keys
from loratui.lab.run.looked import Look, Looked, freeze_looked, freeze_wanted, look_at, refuse_errors
from loratui.lab.run.made import Made, Shelf, find_made
from loratui.lab.run.wanted import EVERY, Wanted, wanted_again, wanted_runs

__all__ = [
    "EVERY",
    "Look",
    "Looked",
    "Made",
    "Planned",
    "SeriesPlan",
    "Wanted",
    "find_made",
    "freeze_looked",
    "freeze_wanted",
    "look_at",
    "refuse_errors",
    "series_plan",
    "wanted_again",
    "wanted_runs",
]

State = Literal["new", "finished", "unfinished"]


@dataclass(frozen=True)
class Planned:
    """A run of a series. `factors` are what it changes against the project as written; the seed of a repeat is none.
    `steps`, `seconds` (None: nothing here tells) and `bytes` are of the whole run, `left` steps are to train."""

    label: str
    steps: int
    left: int
    seconds: float | None
    bytes: int
    factors: tuple[str, ...]
    state: State
    variant: str = ""
    repeat: int = 0
    run: str = ""  # id of the run that is made
    note: str = ""
    twin: str = ""  # label of an earlier row that trains the very same
    changes: tuple[str, ...] = ()  # the factors with their values, such as "lora.rank 2 → 4"


@dataclass(frozen=True)
class SeriesPlan:
    """What would be trained. `total_steps`, `seconds` and `bytes` are of what is left to do."""

    rows: tuple[Planned, ...]
    total_steps: int
    seconds: float | None
    bytes: int
    warnings: tuple[str, ...]
    basis: str = ""  # what the time is told from
    errors: tuple[str, ...] = ()  # with these nothing starts
    look: Look | None = field(default=None, repr=False, compare=False)
    made: tuple[Made | None, ...] = field(default=(), repr=False, compare=False)


def series_plan(
    wanted: Sequence[Wanted], progress: Progress = quiet, again: bool = False, download: bool = False
) -> SeriesPlan:
    """Look at what is wanted and at what is made. With `again` everything is trained anew, and what is made only
    noted. LabError when the project or a base model is not there, or not fetched: `download` is for those who train
    it; what the check finds is among errors and warnings."""
    look = look_at(wanted, progress, download=download)
    shelf = Shelf(look.runs[0])
    known = measured_near(wanted[0].project.folder)
    rows: list[Planned] = []
    found: list[Made | None] = []
    bases: set[str] = set()
    for number, looked in enumerate(look.runs):
        made = shelf.find(looked) if looked.setup.checked else None
        foreseen = _estimate(looked, known)
        bases |= {foreseen.basis} if foreseen else set()
        twin = next((n for n, other in enumerate(look.runs[:number]) if other.key == looked.key), None)
        rows.append(_planned(looked, look.base, foreseen, made, rows[twin].label if twin is not None else "", again))
        found.append(made)
    left = [row for row in rows if row.left]
    known_times = [row.seconds * row.left / row.steps for row in left if row.seconds is not None]
    return SeriesPlan(
        rows=tuple(rows),
        total_steps=sum(row.left for row in rows),
        seconds=sum(known_times) if len(known_times) == len(left) else None,
        bytes=sum(row.bytes * row.left // row.steps for row in left),
        warnings=_warnings(look),
        basis="; ".join(sorted(bases)),
        errors=tuple(f"{plain(f.where)}: {plain(f.message)}; {plain(f.remedy)}" for f in look.errors),
        look=look,
        made=tuple(found),
    )


def _planned(
    looked: Looked, base: Setup, foreseen: Estimate | None, made: Made | None, twin: str, again: bool
) -> Planned:
    wanted, steps = looked.wanted, looked.setup.plan.total_steps if looked.setup.plan else 0
    state: State = "new"
    left, note = steps, ""
    if made is not None and again:
        note = f"{made.run.id} trained the same already" if made.is_finished else ""
    elif (made is not None and made.is_finished) or twin:
        state, left = "finished", 0
        note = "" if made is not None and made.is_finished else f'trains what "{twin}" trains'
    elif made is not None:
        state, left = "unfinished", max(0, steps - made.state.step)
        note = "is being trained" if made.alive else ""
    return Planned(
        label=wanted.label,
        steps=steps,
        left=left,
        seconds=foreseen.seconds if foreseen else None,
        bytes=foreseen.bytes if foreseen else 0,
        factors=factors_of(looked, base),
        state=state,
        variant=wanted.variant,
        repeat=wanted.repeat,
        run=made.run.id if made is not None and not (again and not made.is_finished) else "",
        note=note,
        twin=twin,
        changes=tuple(_change(key, looked, base) for key in factors_of(looked, base)),
    )


def factors_of(looked: Looked, base: Setup) -> tuple[str, ...]:
    """What a run changes against the project as written; a repeat's seed is no factor of the experiment."""
    keys = changes(base, looked.setup)
    if looked.wanted.repeat and not _sets_seed(looked):
        keys = tuple(key for key in keys if key != "train.seed")
    return keys


def _change(key: str, looked: Looked, base: Setup) -> str:
    """A factor and what it changes to: `lora.rank 8 → 16`, `captions: myshape → monster`."""
    values, variant = changed_keys(base.settings, looked.setup.settings), looked.wanted.project.variant
    if key in values:
        return plain(f"{key} {values[key][0]} → {values[key][1]}", 100)
    if key != "captions":
        return key
    edits = [f"{old} → {new}" for old, new in variant.replace_tags.items()] if variant else []
    edits += [f"without {tag}" for tag in variant.drop_tags] if variant else []
    edits += [f"with {tag}" for tag in variant.add_tags] if variant else []
    if "dataset.caption_extension" in values:
        edits.append(f"of the files *{values['dataset.caption_extension'][1]}")
    return plain(f"captions: {', '.join(edits) or 'those of ' + looked.setup.settings.dataset.path}", 100)


def _sets_seed(looked: Looked) -> bool:
    variant = looked.wanted.project.variant
    return "train.seed" in looked.wanted.matrix or (variant is not None and "train.seed" in variant.overrides)


def _estimate(looked: Looked, known: Sequence[Measured]) -> Estimate | None:
    plan, settings = looked.setup.plan, looked.wanted.project.settings
    if plan is None:
        return None
    prompts = settings.sample.resolved([image.caption for image in looked.setup.images])
    resolution = settings.dataset.resolution or looked.facts.resolution
    return estimate(job_of(settings, plan, looked.model.name, prompts, resolution), known)


# What the check says of variants against the project, and of one against another: the warnings of law 1.
_OF_COMPARISON = ("variant-many-changes", "variants-identical", "variant-changes-nothing", "variant-tag-unknown")


def _warnings(look: Look) -> tuple[str, ...]:
    """What the check warns of, law 1 first; what only follows from repeats and from a matrix is not said of each."""
    by_label = {looked.wanted.label: looked for looked in look.runs}
    first: list[str] = []
    others: list[str] = []
    cells = 0
    for finding in look.findings:
        looked = by_label.get(finding.where)
        if finding.severity == "error":
            continue
        words = f"{plain(finding.where)}: {plain(finding.message)}; {plain(finding.remedy)}"
        if finding.rule not in _OF_COMPARISON or looked is None:
            others.append(words)
        elif looked.wanted.repeat or looked.wanted.is_as_written:
            continue
        elif looked.wanted.matrix and finding.rule in ("variant-many-changes", "variant-changes-nothing"):
            cells += finding.rule == "variant-many-changes"  # a cell that is the project itself is nothing odd
        else:
            first.append(words)
    if cells:
        first.append(
            f"the matrix: {cells} of its cells change{'s' * (cells == 1)} several things at once against the project; "
            "compare such as differ in one of them"
        )
    return tuple(dict.fromkeys((*first, *others)))
