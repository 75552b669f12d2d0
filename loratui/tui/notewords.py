"""Observations and differences in words: for the lists and the reading panels of Notes and Compare.

All outside text is made plain here.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.content import Content

from loratui.lab.notes.comparison import Comparison, Row, letter
from loratui.lab.notes.notebook import short_run, verdict_words, when
from loratui.lab.notes.observations import PERSON, Observation
from loratui.lab.notes.sidebyside import FeatureRow
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.lab.words import VERDICT_SIGNS
from loratui.tui.text import cell


def observation_words(o: Observation, pictures: int) -> Content:
    """All of an observation; of its pictures so many are shown beside it."""
    about = [when(o.time), short_run(o.run), f"step {o.step}" if o.step is not None else ""]
    about += [f"by {o.by}" if o.by != PERSON else ""]
    heading = f"{o.feature}: {verdict_words(o.verdict)}" if o.feature else verdict_words(o.verdict)
    parts: list[tuple[str, str]] = [(plain(heading, 200), "bold")]
    parts += [("  struck out", "bold $text-warning")] if o.struck else []
    parts += [("\n" + plain(" · ".join(part for part in about if part), 300), "$foreground 60%")]
    parts += [("\n\n" + plain(o.note, newlines=True), "")] if o.note else []
    more = len(o.pictures) - pictures
    parts += [(f"\n\n{more} more pictures", "$foreground 60%")] if more > 0 else []
    return Content.assemble(*parts)


def history_words(o: Observation) -> Content:
    """The earlier wordings, newest first."""
    if not o.history:
        return Content("")
    parts: list[tuple[str, str]] = [("\nEarlier wordings", "bold")]
    for old in reversed(o.history):
        heading = f"{old.feature}: {verdict_words(old.verdict)}" if old.feature else verdict_words(old.verdict)
        struck = ", struck out" if old.struck else ""
        parts += [(f"\n{when(old.changed)}  {plain(heading, 200)}{struck}", "$foreground 60%")]
        parts += [(f"\n{plain(old.note, newlines=True)}", "")] if old.note else []
    return Content.assemble(*parts)


def verdict_on(found: Comparison) -> Content:
    """The refusal or the warning, or that it is controlled: with a sign, so that no colour is needed."""
    style = "bold $text-error" if found.is_refused else "bold $text-success"
    if not found.is_refused and not found.is_controlled:
        style = "bold $text-warning"
    sign = "✗ Refused: " if found.is_refused else "✓ " if found.is_controlled else "! "
    parts: list[tuple[str, str]] = [(sign + found.headline, style)]
    parts += [(f"\n✗ {text}", "$text-error") for text in found.refusals if text != found.headline]
    parts += [(f"\n! {text}", "$text-warning") for text in found.warnings]
    return Content.assemble(*parts)


_ROLE_WORDS = {"drawn": " (only drawn)", "remark": " (a remark)", "around": " (around it)", "trained": ""}


def difference_label(row: Row) -> str:
    """What differs, and why it may not matter."""
    return row.label + _ROLE_WORDS[row.role]


def difference_cells(row: Row, widths: tuple[int, int]) -> list[Text]:
    """The cells of a row: what counts is bright, what does not is dim and says why."""
    label, value = ("bold", "") if row.role == "trained" else ("dim", "dim")
    note = f" ({row.note})" if row.note else ""
    texts = [text + note if index and note else text for index, text in enumerate(row.texts)]
    return [cell(difference_label(row), widths[0], label), *(cell(text, widths[1], value) for text in texts)]


def seen_words(observation: Observation, width: int) -> str:
    step = f" @{observation.step}" if observation.step is not None else ""
    verdict = verdict_words(observation.verdict) if observation.verdict else VERDICT_SIGNS[""]
    return plain(f"{verdict}{step} {observation.note}", width)


def all_seen(row: FeatureRow, runs: Sequence[RunFolder]) -> Content:
    parts: list[tuple[str, str]] = []
    for index, (run, seen) in enumerate(zip(runs, row.observations, strict=True)):
        parts.append((f"{letter(index)} {plain(short_run(run.id), 60)}\n", "bold"))
        for o in seen:
            step = f" · step {o.step}" if o.step is not None else ""
            parts.append((f"{verdict_words(o.verdict)}  {when(o.time)}{step}\n", "$foreground 60%"))
            parts.append((plain(o.note, newlines=True) + "\n", ""))
        parts.append(("\n" if seen else "nothing yet\n\n", ""))
    return Content.assemble(*parts)
