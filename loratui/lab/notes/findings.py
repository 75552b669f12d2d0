"""What was found in a project: features x runs, each with what a person said and, beside it, what the measures suggest.

A suggestion is no observation: it is told as suggested, and counts for nothing until a person accepts it. Rates come
with their number of pictures, their interval and the base model's. Nothing is measured here: that is `scores`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loratui.lab import markdown
from loratui.lab.errors import LabError
from loratui.lab.notes.notebook import short_run, when
from loratui.lab.notes.observations import PERSON, Observation, read_observations
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.lab.scores.features import feature_of, newest_scores, remembered_scores
from loratui.lab.scores.scores import RunScores, Score
from loratui.lab.scores.statistics import TOO_FEW, VERDICTS, Rate
from loratui.lab.words import verdict_words

COLUMNS = ("feature", "verdict", "n", "run", "time")  # to sort by
_CSV = ("feature", "run", "verdict", "by", "step", "time", "note", "suggested", "why", "measured step",
        "shown", "of", "low", "high", "uncertain", "base shown", "base of", "base low", "base high", "base uncertain",
        "p")  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Cell:
    """One feature in one run. At least one of `said` and `suggested` is there."""

    feature: str  # as it was first written, safe to show
    run: RunFolder
    said: Observation | None = None  # the newest verdict that is not struck out
    suggested: Score | None = None  # at the last checkpoint; its verdict is nobody's yet
    earlier: int = 0  # observations of this feature and run before `said`

    @property
    def verdict(self) -> str:
        """The person's, else the suggested one."""
        return self.said.verdict if self.said else self.suggested.verdict.verdict if self.suggested else ""

    @property
    def n(self) -> int:
        """Pictures it rests on: those measured, else those that the observation points at."""
        return self.suggested.lora.n if self.suggested else len(self.said.pictures) if self.said else 0

    @property
    def time(self) -> float:
        return self.said.changed if self.said else 0.0

    @property
    def agrees(self) -> bool | None:
        """Whether person and measures say the same; None where one of them says nothing definite."""
        if self.said is None or self.suggested is None or self.suggested.verdict.verdict == TOO_FEW:
            return None
        return self.said.verdict == self.suggested.verdict.verdict


@dataclass(frozen=True)
class Findings:
    """Features in the order they are told, runs oldest first, and the cells that are not empty, by feature."""

    project: Path
    question: str
    features: tuple[str, ...]
    runs: tuple[RunFolder, ...]
    cells: tuple[Cell, ...]
    unmeasured: tuple[RunFolder, ...] = ()  # with pictures that no score counts yet

    def cell(self, feature: str, run: RunFolder) -> Cell | None:
        key = feature.casefold()
        return next((c for c in self.cells if c.run == run and c.feature.casefold() == key), None)

    def sorted(self, by: str, reverse: bool = False) -> Findings:
        """The same in another order: by one of COLUMNS. LabError for another word."""
        if by not in COLUMNS:
            raise LabError(f"sort {plain(by, 40)!r}: no such column; sort by {', '.join(COLUMNS)}")
        order = list(self.runs)
        keys: dict[str, Callable[[Cell], Any]] = {
            "feature": lambda c: (c.feature.casefold(), order.index(c.run)),
            "verdict": lambda c: (_rank(c.verdict), c.said is None, -c.n, c.feature.casefold()),
            "n": lambda c: (-c.n, c.feature.casefold()),
            "run": lambda c: (order.index(c.run), c.feature.casefold()),
            "time": lambda c: (-c.time, c.feature.casefold()),
        }
        cells = tuple(sorted(self.cells, key=keys[by], reverse=reverse))
        return replace(self, cells=cells, features=tuple(dict.fromkeys(cell.feature for cell in cells)))


def findings(project_folder: Path, problems: list[str] | None = None) -> Findings:
    """The table of a project. What is wrong with a run's files goes into `problems`; without such a list it is raised.

    Reads observations.toml and scores.json of each run, and looks at no picture.
    """
    runs = list_runs(project_folder)
    cells: dict[tuple[str, RunFolder], Cell] = {}
    names: dict[str, str] = {}  # what differs in case alone is one feature
    unmeasured = []
    for run in runs:
        scores = _kept(remembered_scores, run, problems)
        for score in newest_scores(scores) if scores is not None else ():
            name = feature_of(score)
            key = name.casefold()
            cells[key, run] = Cell(names.setdefault(key, name), run, suggested=score)
        for said in _kept(read_observations, run, problems) or ():
            if said.feature and said.verdict and not said.struck:
                key = said.feature.casefold()
                known = cells.get((key, run)) or Cell(names.setdefault(key, plain(said.feature, 200)), run)
                newer = known.said is None or said.changed >= known.said.changed
                earlier = known.earlier + (known.said is not None)
                cells[key, run] = replace(known, said=said if newer else known.said, earlier=earlier)
        if _is_unmeasured(run, scores):
            unmeasured.append(run)
    told = Findings(project_folder, _question(runs), tuple(names.values()), tuple(runs), tuple(cells.values()),
                    tuple(unmeasured))  # fmt: skip
    return _in_order(told)


def _in_order(told: Findings) -> Findings:
    """Features a person spoke of first, then those the measures alone tell of in the order of the prompts."""
    spoken = {cell.feature for cell in told.cells if cell.said is not None}
    features = sorted(told.features, key=lambda feature: feature not in spoken)
    order = {feature: place for place, feature in enumerate(features)}
    cells = sorted(told.cells, key=lambda cell: (order[cell.feature], cell.run.id))
    return replace(told, features=tuple(features), cells=tuple(cells))


def _kept(read: Callable[[RunFolder], Any], run: RunFolder, problems: list[str] | None) -> Any:
    try:
        return read(run)
    except LabError as error:
        if problems is None:
            raise
        problems.append(str(error))
        return None


def _is_unmeasured(run: RunFolder, scores: RunScores | None) -> bool:
    from loratui.lab.scores.scoring import is_current

    return not is_current(run, scores) and any(run.samples.glob("step-*/*.png"))


def _question(runs: Sequence[RunFolder]) -> str:
    """As the newest run recorded it."""
    for run in reversed(runs):
        try:
            return str(run.read_record().get("settings", {}).get("question", ""))
        except (LabError, AttributeError):
            continue
    return ""


def _rank(verdict: str) -> int:
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)


# -- in words ---------------------------------------------------------------------------------------------------------


def said_words(cell: Cell) -> str:
    """`✓ learned`, and who said so if no person did; "" where nobody has."""
    if cell.said is None:
        return ""
    by = f" (by {plain(cell.said.by, 40)})" if cell.said.by != PERSON else ""
    return f"{verdict_words(cell.said.verdict)}{by}"


def suggested_words(cell: Cell) -> str:
    """`suggested: ✓ learned`; with too few pictures how many would do; "" without measures."""
    if cell.suggested is None:
        return ""
    verdict = cell.suggested.verdict
    more = f", about {verdict.needed} would do" if verdict.needed else ""
    return f"suggested: {verdict_words(verdict.verdict)}{more}{_later(cell.suggested)}"


def measured_words(cell: Cell) -> str:
    """Both rates: `22/24 (74–98 %), base 1/24 (1–20 %)`."""
    if cell.suggested is None:
        return ""
    return f"{cell.suggested.lora.words}, base {cell.suggested.base.words}"


def _later(score: Score) -> str:
    """An expectation that was made up when the pictures were there tells less."""
    return " (expected only after the run)" if score.later else ""


def to_markdown(told: Findings) -> str:
    """The table as a Markdown document. No text of it can break the document."""
    parts = [f"# {markdown.escape(f'Findings: {told.project.absolute().name}')}"]
    parts += [f"*{markdown.escape(told.question)}*"] if told.question.strip() else []
    if not told.cells:
        return "\n\n".join([*parts, "Nothing yet: no verdict was written down and no picture measured."]) + "\n"
    rows = []
    for cell in told.cells:
        step = cell.suggested.place.step if cell.suggested else cell.said.step if cell.said else None
        p = f"{cell.suggested.paired.p:.2g}" if cell.suggested else ""
        rates = [rate.words for rate in (cell.suggested.lora, cell.suggested.base)] if cell.suggested else ["", ""]
        rows.append((cell.feature, short_run(cell.run.id), said_words(cell), suggested_words(cell), *rates, p,
                     "" if step is None else step, cell.said.note if cell.said else ""))  # fmt: skip
    parts.append(markdown.table(
        ("feature", "run", "observed", "measures", "with the LoRA", "base model", "p", "step", "note"), rows
    ))  # fmt: skip
    return "\n\n".join([*parts, *map(markdown.escape, footnotes(told))]) + "\n"


def footnotes(told: Findings) -> list[str]:
    """What has to be known to read the table."""
    notes = []
    if any(cell.suggested for cell in told.cells):
        notes.append("Of the pictures, how many showed it, with the 95 % interval (Wilson); p is of McNemar's exact "
                     "test against the base model on the same seeds. What is suggested is an observation only when a "
                     "person accepts it.")  # fmt: skip
        notes.append("Pictures of one run speak of that LoRA alone: another training seed may show something else.")
    differ = sum(cell.agrees is False for cell in told.cells)
    if differ:
        notes.append(f"Person and measures do not say the same in {differ} of these rows.")
    return notes


def to_csv(told: Findings) -> str:
    """A row for each cell, with a heading. A text that a spreadsheet would take for a formula begins with a ' here."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV)
    for cell in told.cells:
        writer.writerow([_safe(value) for value in _csv_row(cell)])
    return out.getvalue()


def _csv_row(cell: Cell) -> list[Any]:
    said, score = cell.said, cell.suggested
    row: list[Any] = [cell.feature, cell.run.id]
    row += [said.verdict, said.by, said.step, _iso(said.changed), said.note] if said else [None] * 5
    row += [score.verdict.verdict, score.verdict.why, score.place.step] if score else [None] * 3
    for rate in (score.lora, score.base) if score else ():
        row += [rate.k, rate.n, *(round(end, 4) for end in rate.interval), rate.unsure]
    return row + ([f"{score.paired.p:.3g}"] if score else [None] * 11)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else ""


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    shown = plain(value, newlines=True)
    return f"'{shown}" if value.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown


def to_json(told: Findings) -> dict[str, Any]:
    """The same as plain values; text from outside is as it was written."""
    return {
        "project": str(told.project.absolute()),
        "question": told.question,
        "features": list(told.features),
        "runs": [str(run.path) for run in told.runs],
        "not_measured": [str(run.path) for run in told.unmeasured],
        "findings": [_cell_json(cell) for cell in told.cells],
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    said, score = cell.said, cell.suggested
    return {
        "feature": cell.feature,
        "run": cell.run.id,
        "observed": said and {"verdict": said.verdict, "by": said.by, "step": said.step, "note": said.note,
                              "time": said.changed, "when": when(said.changed), "pictures": list(said.pictures)},
        "suggested": score and {"verdict": score.verdict.verdict, "why": score.verdict.why, "step": score.place.step,
                                "needed": score.verdict.needed, "p": score.paired.p,
                                "lora": rate_json(score.lora), "base": rate_json(score.base)},
    }  # fmt: skip


def rate_json(rate: Rate) -> dict[str, Any]:
    return {"k": rate.k, "n": rate.n, "uncertain": rate.unsure, "interval": [round(end, 4) for end in rate.interval]}
