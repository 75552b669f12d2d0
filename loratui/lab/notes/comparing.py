"""All that a comparison of runs tells, gathered to be printed, written as Markdown or handed on as JSON.

What differs stands first, and a refusal before everything: then the numbers that follow are told as noise. Charts,
cosines of weights and contact sheets are made elsewhere and only find their place here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab import markdown
from loratui.lab.errors import LabError
from loratui.lab.notes.comparedsheet import base_sentences
from loratui.lab.notes.comparison import ROLES, Comparison, Row, compare, letter
from loratui.lab.notes.findings import rate_json
from loratui.lab.notes.notebook import short_run, verdict_words
from loratui.lab.notes.sidebyside import Aligned, FeatureRow, observations_by_feature
from loratui.lab.patience import Progress, quiet
from loratui.lab.run.curves import PROBE, Curves
from loratui.lab.run.record import read_record, readable_runs
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.story import number
from loratui.lab.scores.features import remembered_scores
from loratui.lab.scores.rows import SideBySide, score_words, side_by_side, versus_words
from loratui.lab.scores.statistics import ALPHA

if TYPE_CHECKING:
    from loratui.lab.weights.alike import Alike

PROBES_TOLD = 8  # steps in the table of probe losses
NOISE = "These runs can not differ in what they learned: what differs below is noise, and shows how large that is."


@dataclass(frozen=True)
class Ends:
    """How the losses of a run came out; None where it has none."""

    step: int
    total: int
    state: str
    loss: float | None
    smoothed: float | None
    first_probe: float | None
    probe: float | None


@dataclass(frozen=True)
class Compared:
    """A comparison and everything that is shown under it; all in the order of its runs."""

    comparison: Comparison
    aligned: Aligned
    curves: tuple[Curves, ...]
    ends: tuple[Ends, ...]
    probes: tuple[tuple[int, tuple[float | None, ...]], ...]  # by training step
    timesteps: tuple[tuple[int, tuple[float | None, ...]], ...]  # the last probe, by timestep
    measures: tuple[SideBySide, ...]
    bases: tuple[str, ...]  # sentences
    features: tuple[FeatureRow, ...]
    unmeasured: tuple[RunFolder, ...]
    problems: tuple[str, ...]

    @property
    def runs(self) -> tuple[RunFolder, ...]:
        return self.comparison.runs


def gather(runs: Sequence[RunFolder], progress: Progress = quiet) -> Compared:
    """Read all of it. LabError for fewer than two runs whose record can be read.

    Of more, those with another record are left out; that, and what is wrong with other files, is told in `problems`.
    """
    problems: list[str] = []
    sound = readable_runs(runs, problems)
    if len(sound) < 2 <= len(runs):
        raise LabError("\n".join(problems))
    runs = sound
    comparison = compare(runs)
    curves = tuple(Curves(run) for run in runs)
    for one in curves:
        one.poll(progress)
    aligned = Aligned(runs)
    aligned.refresh()
    features = observations_by_feature(runs, problems)
    measures: list[SideBySide] = []
    try:
        measures = side_by_side(runs)
        unmeasured = [run for run in runs if _is_stale(run)]
    except LabError as error:
        problems.append(str(error))
        unmeasured = []
    return Compared(
        comparison,
        aligned,
        curves,
        tuple(_ends(one) for one in curves),
        tuple(_probes(curves)),
        tuple(_timesteps(runs)),
        tuple(measures),
        tuple(base_sentences(aligned, [read_record(run).base_hash for run in runs])),
        tuple(features),
        tuple(unmeasured),
        tuple(problems),
    )


def _is_stale(run: RunFolder) -> bool:
    from loratui.lab.scores.scoring import is_current

    return not is_current(run, remembered_scores(run)) and any(run.samples.glob("step-*/*.png"))


def _ends(curves: Curves) -> Ends:
    step = curves.last_step
    last, smoothed = (_value(curves.at(name, step)) for name in ("loss", "smoothed"))
    first_probe, probe = (_value(curves.at(PROBE, at)) for at in (0, step))
    return Ends(step, curves.total, curves.state.name, last, smoothed, first_probe, probe)


def _value(point: tuple[int, float] | None) -> float | None:
    return point[1] if point is not None and math.isfinite(point[1]) else None


def _probes(curves: Sequence[Curves]) -> list[tuple[int, tuple[float | None, ...]]]:
    """At steps that all runs probed, else that any did; a few of them, spread evenly, with the first and the last."""
    tables = [dict(zip(*one.points(PROBE), strict=True)) for one in curves]
    shared = set.intersection(*map(set, tables)) if tables else set()
    steps = sorted(shared or set().union(*tables))
    if len(steps) > PROBES_TOLD:
        steps = [steps[round(place * (len(steps) - 1) / (PROBES_TOLD - 1))] for place in range(PROBES_TOLD)]
    return [(step, tuple(table.get(step) for table in tables)) for step in steps]


def _timesteps(runs: Sequence[RunFolder]) -> list[tuple[int, tuple[float | None, ...]]]:
    """The last probe of each run by the timestep of its noise, where its log tells."""
    from loratui.lab.run.events import last_event, parse_number

    tables: list[dict[int, float]] = []
    for run in runs:
        event = last_event(run.events_file, "probe") or {}
        times, losses = (event.get(name) for name in ("timesteps", "losses"))
        pairs = zip(times, losses, strict=False) if isinstance(times, list) and isinstance(losses, list) else ()
        tables.append(
            {time: value for time, told in pairs if isinstance(time, int) and (value := parse_number(told)) is not None}
        )
    found = sorted(set().union(*tables))
    return [(t, tuple(table.get(t) for table in tables)) for t in found]


# -- in words ---------------------------------------------------------------------------------------------------------


def names_of(runs: Sequence[RunFolder]) -> list[str]:
    """`A grey-40df`, …"""
    return [f"{letter(index)} {short_run(run.id)}" for index, run in enumerate(runs)]


def verdict_line(found: Comparison) -> str:
    """The refusal, the warning, or that it is controlled."""
    sign = "✗ Refused: " if found.is_refused else "✓ " if found.is_controlled else "! "
    return sign + found.headline


def role_words(row: Row) -> str:
    return "" if row.role == "trained" else ROLES[row.role]


def chance_words(told: Compared) -> str:
    """How many of the tests would come out by chance alone; "" for fewer than two."""
    tests = [v.paired for one in told.measures for v in one.versus if v.paired is not None and v.paired.enough]
    if len(tests) < 2:
        return ""
    hits = sum(pair.p <= ALPHA for pair in tests)
    expected = len(tests) * ALPHA
    return (f"{hits} of {len(tests)} tests between runs come out at p ≤ {ALPHA:.2f}; by chance alone about "
            f"{expected:.1f} would.")  # fmt: skip


def base_words(one: SideBySide) -> str:
    """The base model's rate where it is one for all, "" else."""
    return next(score.base.words for score in one.scores if score is not None) if one.same_base else ""


def pairs_words(one: SideBySide) -> str:
    """The base model's rate where it is one for all, and each test."""
    parts = [f"base {base_words(one)}"] if one.same_base else []
    return " · ".join([*parts, *(versus_words(versus, one) for versus in one.versus)])


def rates_words(one: SideBySide) -> list[str]:
    """The rate of each run, with step and base where they are not one."""
    several = len({score.place.step for score in one.scores if score is not None}) > 1
    return [score_words(score, several, not one.same_base) for score in one.scores]


def to_markdown(told: Compared, folder: Path, chart: str = "", sheets: Sequence[Path] = (),
                alike: Alike | None = None, command: str = "") -> str:  # fmt: skip
    """The comparison as a document that lies in `folder`."""
    found, names = told.comparison, names_of(told.runs)
    parts = ["# " + markdown.escape(" against ".join(names)), f"**{markdown.escape(verdict_line(found))}**"]
    parts += [f"✗ {markdown.escape(text)}" for text in found.refusals if text != found.headline]
    parts += [f"! {markdown.escape(text)}" for text in (*found.warnings, *told.bases, *told.problems)]
    parts += ["## What differs", _differences(found, names)]
    if found.is_refused:
        parts.append(f"**{NOISE}**")
    parts += ["## Losses", markdown.table(("", *names), _loss_rows(told))]
    parts += [f"```text\n{chart}\n```"] if chart else []
    for heading, rows in (("probe loss at step", told.probes), ("last probe loss by timestep", told.timesteps)):
        if rows:
            parts.append(markdown.table((heading, *names), [(s, *map(number, values)) for s, values in rows]))
    parts += ["## Measures", *_measures(told, names)]
    if alike is not None:
        parts += ["## Weights", _weights(alike, told), markdown.escape(alike.words)]
    if sheets:
        parts += ["## Pictures", *(markdown.picture(path, folder, path.stem) for path in sheets)]
    if told.features:
        parts += ["## Observations", _observations(told.features, names)]
    parts += [f"Made with `{command}`."] if command and "`" not in command else []
    return "\n\n".join(parts) + "\n"


def _differences(found: Comparison, names: Sequence[str]) -> str:
    if not found.rows:
        return "Nothing."
    rows = [(row.label, *row.texts, " ".join(filter(None, (role_words(row), row.note)))) for row in found.rows]
    return markdown.table(("", *names, ""), rows)


def loss_rows(told: Compared) -> list[tuple[str, list[str]]]:
    """The final numbers as rows of a table."""
    ends = told.ends
    return [
        ("steps", [f"{one.step}" + (f" of {one.total}" if one.total > one.step else "") for one in ends]),
        ("smoothed loss at the end", [number(one.smoothed) for one in ends]),
        ("probe loss at step 0", [number(one.first_probe) for one in ends]),
        ("probe loss at the end", [number(one.probe) for one in ends]),
    ]


def _loss_rows(told: Compared) -> list[tuple[str, ...]]:
    return [(label, *texts) for label, texts in loss_rows(told)]


def _measures(told: Compared, names: Sequence[str]) -> list[str]:
    if not told.measures:
        return ["Nothing measured yet."]
    rows = [(one.label, *rates_words(one), pairs_words(one)) for one in told.measures]
    parts = [markdown.table(("expected", *names, "base, and the test between the runs"), rows)]
    chance = chance_words(told)
    return [*parts, MEASURES_NOTE, *([chance] if chance else [])]


MEASURES_NOTE = (
    "Of the pictures at the last checkpoint, how many showed it, with 95 % intervals (Wilson). p is of McNemar's exact "
    "test between the runs on the same seeds. It speaks of these two LoRAs: what another training seed would change, "
    "only repeats tell."
)


def _weights(alike: Alike, told: Compared) -> str:
    rows = []
    for i in range(len(told.runs)):
        for j in range(i + 1, len(told.runs)):
            rows.append((f"{letter(i)} and {letter(j)}", cosine_words(alike, i, j), alike.words_of(i, j)))
    return markdown.table(("", "cosine of ΔW", ""), rows)


def cosine_words(alike: Alike, i: int, j: int) -> str:
    cosine = alike.cosines.get((i, j))
    return "-" if cosine is None or cosine.overall is None else f"{cosine.overall:.3f}"


def _observations(features: Sequence[FeatureRow], names: Sequence[str]) -> str:
    rows = []
    for row in features:
        cells = [" ⏐ ".join(f"{verdict_words(o.verdict)} {o.note}" for o in seen) for seen in row.observations]
        rows.append((row.feature or "(no feature)", *(cell or "·" for cell in cells)))
    return markdown.table(("feature", *names), rows)


def to_json(told: Compared, alike: Alike | None = None, files: Sequence[Path] = ()) -> dict[str, Any]:
    """All of it as plain values."""
    found = told.comparison
    return {
        "runs": [{"letter": letter(i), "run": str(run.path), "id": run.id} for i, run in enumerate(told.runs)],
        "headline": found.headline, "refused": found.is_refused, "refusals": list(found.refusals),
        "controlled": found.is_controlled, "factors": list(found.factors), "warnings": list(found.warnings),
        "differences": [{"kind": row.kind, "role": row.role, "what": row.label, "values": list(row.texts),
                         "note": row.note} for row in found.rows],
        "base_pictures": list(told.bases),
        "losses": [vars(one) for one in told.ends],
        "probes": [{"step": step, "losses": _finite(values)} for step, values in told.probes],
        "probe_timesteps": [{"timestep": t, "losses": _finite(values)} for t, values in told.timesteps],
        "measures": [_side_json(one) for one in told.measures],
        "weights": None if alike is None else {
            "null": list(alike.null),
            "pairs": [{"pair": [letter(i), letter(j)], "cosine": cosine.overall, "repeat": cosine.repeat}
                      for (i, j), cosine in alike.cosines.items()]},
        "problems": list(told.problems),
        "files": [str(path.absolute()) for path in files],
    }  # fmt: skip


def _finite(values: Sequence[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]


def _side_json(one: SideBySide) -> dict[str, Any]:
    return {
        "expected": one.label,
        "runs": [score and {"lora": rate_json(score.lora), "base": rate_json(score.base), "step": score.place.step,
                            "verdict": score.verdict.verdict} for score in one.scores],
        "tests": [{"runs": [letter(v.first), letter(v.other)], "seeds": v.seeds, "repeat": v.repeat,
                   "within_noise": v.within_noise, "paired": v.paired and vars(v.paired)} for v in one.versus],
        "noise": [noise and {"low": noise.low, "high": noise.high, "runs": len(noise.rates)} for noise in one.noise],
    }  # fmt: skip
