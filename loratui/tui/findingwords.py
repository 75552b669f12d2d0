"""A finding in words: for the cells of the table of findings, and for the panel that tells all of one.

What a person said stands as it is; what the measures suggest stands in brackets. Outside text is made plain here.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.content import Content

from loratui.lab.notes.findings import Cell, Findings, measured_words, said_words, suggested_words
from loratui.lab.notes.notebook import short_run, when
from loratui.lab.notes.observations import PERSON, Observation
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.lab.words import VERDICT_SIGNS, verdict_words
from loratui.tui.text import tint

_COLOURS = {"learned": "green", "partly": "yellow", "not shown": "red", "uncertain": "blue"}


def cell_words(text: object, width: int, style: str = "") -> Text:
    """Outside text in two rows of a cell, cut where that is too little."""
    words = plain(text, 400)
    first, rest = words[:width], words[width:]
    if rest and " " in first:
        first, _, after = first.rpartition(" ")
        rest = after + rest
    shown = f"{first}\n{rest[: width - 1]}…" if len(rest) > width else f"{first}\n{rest}" if rest else first
    return Text(shown, style=style, end="")


def run_head(run: RunFolder, width: int) -> Text:
    """The head of a run's column."""
    return cell_words(short_run(run.id), width)


def cell_text(found: Cell | None, width: int) -> Text:
    """Two rows: the verdict, in brackets where nobody has accepted it, and the rates."""
    if found is None:
        return Text("·", style="dim", end="")
    text = Text(end="")
    suggested = found.suggested.verdict.verdict if found.suggested else ""
    if found.said is not None:
        by = "" if found.said.by == PERSON else "*"
        text.append(
            verdict_words(found.said.verdict) + by, f"bold {tint(_COLOURS.get(found.said.verdict, ''))}".strip()
        )
        if found.agrees is False:
            other = f" ≠ ({verdict_words(suggested)})"
            text.append(other if text.cell_len + len(other) <= width else f" ≠ ({VERDICT_SIGNS[suggested]})", "dim")
    else:
        text.append(f"({verdict_words(suggested)})", tint(_COLOURS.get(suggested, "")) or "")
    if found.suggested is not None:
        lora, base = found.suggested.lora, found.suggested.base
        text.append(f"\n{lora.k}/{lora.n}, base {base.k}/{base.n}", "dim")
    elif found.said is not None:
        text.append(f"\n{f'{found.n:,}' if found.n else 'no'} picture{'s' * (found.n != 1)} named", "dim")
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def about_words(found: Cell) -> Content:
    """What was said, what is suggested, and both rates with their intervals."""
    parts: list[tuple[str, str]] = [
        (plain(found.feature, 200), "bold"),
        (f"  {plain(short_run(found.run.id), 60)}", "$foreground 60%"),
    ]
    if found.said is not None:
        step = f", step {found.said.step}" if found.said.step is not None else ""
        parts += [(f"\nobserved   {said_words(found)}", ""), (f"  {when(found.said.changed)}{step}", "$foreground 60%")]
        parts += [(f"\n           {plain(found.said.note, 300)}", "")] if found.said.note.strip() else []
    else:
        parts += [("\nobserved   nobody has said anything yet", "$foreground 60%")]
    if found.suggested is not None:
        score = found.suggested
        parts += [(f"\nmeasures   {suggested_words(found)}", ""), (f"  at step {score.place.step}", "$foreground 60%")]
        parts += [(f"\n           {measured_words(found)}", "")]
        parts += [(f"\n           {why_words(found)}", "$foreground 60%")]
    else:
        parts += [("\nmeasures   nothing: no expectation of this name was measured", "$foreground 60%")]
    if found.agrees is False:
        parts += [("\n≠ person and measures do not say the same", "$text-warning")]
    return Content.assemble(*parts)


def why_words(found: Cell) -> str:
    """Why the measures suggest it, without the rates, which stand beside it."""
    if found.suggested is None:
        return ""
    lora, base, why = found.suggested.lora, found.suggested.base, found.suggested.verdict.why
    return plain(why.removeprefix(f"{lora.words} with the LoRA, {base.words} without: "), 400)


def nothing_words(feature: str, run: RunFolder | None) -> Content:
    """What stands beside an empty cell."""
    if run is None:
        return Content("")
    return Content.assemble(
        (plain(feature, 200), "bold"), (f"  {plain(short_run(run.id), 60)}", "$foreground 60%"),
        ("\nNothing was said or measured about it in this run. o goes there.", "$foreground 60%"),
    )  # fmt: skip


def all_words(found: Cell, observations: Sequence[Observation]) -> str:
    """All of a finding as plain text, with every observation of its feature in its run, the newest first."""
    lines = [f"{short_run(found.run.id)}", ""]
    mine = [o for o in observations if o.feature.casefold() == found.feature.casefold()]
    for o in reversed(mine):
        step = f" · step {o.step}" if o.step is not None else ""
        by = f" · by {plain(o.by, 40)}" if o.by != PERSON else ""
        pictures = f" · {len(o.pictures)} picture{'s' * (len(o.pictures) != 1)}" if o.pictures else ""
        struck = " · struck out" if o.struck else ""
        lines.append(f"{verdict_words(o.verdict) if o.verdict else '·'}  {when(o.time)}{step}{by}{pictures}{struck}")
        lines += [f"  {plain(o.note, 1000, newlines=True)}"] if o.note.strip() else []
    if not mine:
        lines.append("Nobody has said anything yet; accept what is suggested on the page of the run.")
    if found.suggested is not None:
        score = found.suggested
        lines += ["", f"{suggested_words(found)}, at step {score.place.step}",
                  f"  {measured_words(found)}",
                  f"  {why_words(found)}",
                  (f"  by seed: both {score.paired.both}, only with the LoRA {score.paired.only_lora}, only the base "
                  f"{score.paired.only_base}, neither {score.paired.neither}; p {score.paired.p:.2g}")]  # fmt: skip
    return "\n".join(lines)


def foot_words(told: Findings) -> Content:
    """How to read the table, and what is missing in it."""
    notes = ["( ) suggested by the measures, accepted by nobody yet"] if any(c.suggested for c in told.cells) else []
    if told.unmeasured:
        count = len(told.unmeasured)
        notes.append(
            f"{count} run{'s have' if count != 1 else ' has'} pictures not measured yet: m there measures them"
        )
    differ = sum(found.agrees is False for found in told.cells)
    notes += [f"≠ person and measures differ in {differ}"] if differ else []
    return Content(" · ".join(notes))
