"""The settings of an article, and what each run changed against the first."""

from __future__ import annotations

from collections.abc import Sequence

from loratui.lab.errors import LabError
from loratui.lab.notes.comparing import MEASURES_NOTE
from loratui.lab.notes.comparison import ROLES, Comparison, compare, letter
from loratui.lab.notes.notebook import short_run
from loratui.lab.project.cover import read_cover
from loratui.lab.project.settings import RULES, Settings, changed_keys, flat
from loratui.lab.report.article import Badge, Block, Code, Details, Heading, Paragraph, Said, Section, Table, Words
from loratui.lab.report.material import Material, Told
from loratui.lab.report.wording import homeless, setting_words
from loratui.lab.run.glance import changes_since
from loratui.lab.scores.rows import score_words, side_by_side, versus_words
from loratui.lab.scores.statistics import ALPHA
from loratui.lab.words import STATE_SIGNS, verdict_words

_TOLD_ELSEWHERE = ("question",)


def settings_section(material: Material) -> Section:
    main = material.main
    if main is None or main.record is None:
        differing = read_cover(material.folder, 0).differing
        rows = tuple(((Code(key),), (Said(new),), (Said(old),)) for key, new, old in differing)
        words = "What the project sets; everything else is as it comes." if rows else "Everything is as it comes."
        blocks: list[Block] = [Paragraph(words)]
        blocks += [Table(("setting", "value", "by default"), rows)] if rows else []
        return Section("settings", "Settings that matter", tuple(blocks))
    settings = main.record.settings
    changed = changed_keys(Settings(), settings)
    told: tuple[tuple[Words, ...], ...] = tuple(
        ((Code(key),), (Said(setting_words(new)),), (Said(setting_words(old)),), RULES[key].help)
        for key, (old, new) in changed.items()
        if key not in _TOLD_ELSEWHERE
    )
    whole = tuple(
        ((Code(key),), (Said(setting_words(value)),), RULES[key].help) for key, value in flat(settings).items()
    )
    return Section("settings", "Settings that matter", (
        Paragraph(f"{main.record.plan.arithmetic}. Below is what {main.label} sets otherwise than by default."),
        Table(("setting", "value", "by default", "what it is"), told),
        Details("All settings", (Table(("setting", "value", "what it is"), whole),)),
    ))  # fmt: skip


def runs_section(material: Material) -> Section | None:
    """The runs, what each changed, and how they compare; None without any."""
    if not material.runs:
        return None
    blocks: list[Block] = []
    full, others = material.full, material.others
    headings = ("run", "state", "steps", "what it changed", "found")
    found, problem = None, ""
    if len(full) > 1:
        try:
            found = compare([told.run for told in full])
        except LabError as error:
            problem = f"They cannot be compared: {homeless(str(error), material.folder)}"
    if full:
        rows = tuple(_row(told, _changed(index, found), material) for index, told in enumerate(full))
        blocks.append(Table(headings, rows))
    blocks += [Paragraph(problem, "warning")] if problem else []
    if found is not None:
        blocks += [*_compared(found, full), *_side_by_side(material)]
    if others:
        order = [told.run for told in material.runs]
        told_rows = []
        for told in reversed(others):
            place = order.index(told.run)
            change = changes_since(told.run, order[place - 1] if place else None) if told.record else ""
            told_rows.append(_row(told, change, material))
        words = f"{len(others)} other runs" if len(others) > 1 else "One other run"
        blocks.append(Details(f"{words}, newest first: not told in full", (Table(headings, tuple(told_rows)),)))
    return Section("runs", "The runs, and what each changed", tuple(blocks))


def _changed(index: int, found: Comparison | None) -> str:
    """What a run changed against the first of those compared."""
    if not index or found is None:
        return "the first of these" if found is not None else ""
    changes = []
    for row in found.rows:
        if row.role == "trained" and row.texts[index] not in (row.texts[0], "same"):
            is_caption = row.kind == "caption"  # of which the words are told that changed
            changes.append(f"{row.label}: {row.texts[index] if is_caption else f'{row.texts[0]} → {row.texts[index]}'}")
    return "; ".join(changes) or "nothing that is trained"


def _row(told: Told, change: str, material: Material) -> tuple[Words | Badge, ...]:
    name = short_run(told.run.id)
    state = Badge(STATE_SIGNS.get(told.state.name, ""), told.state.name, "state")
    if told.record is None:
        return (Said(name),), state, "–", f"cannot be read: {homeless(told.problem, material.folder)}", "–"
    total = told.record.plan.total_steps
    step = f"{total:,}" if told.state.step == total else f"{told.state.step:,} of {total:,}"
    which: Words = (f"{told.name} · ", Said(name)) if told.name else (Said(name),)
    if told.variant:
        which = (*which, " · variant ", Said(told.variant))
    return which, state, step, (Said(change),) if change else "–", _verdicts(told)


def _verdicts(told: Told) -> str:
    """How many expectations came out how: `2 learned, 1 partly`."""
    counts: dict[str, int] = {}
    for score in told.finished_pictures:
        counts[score.verdict.verdict] = counts.get(score.verdict.verdict, 0) + 1
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) or "nothing measured"


def _compared(found: Comparison, full: Sequence[Told]) -> list[Block]:
    blocks: list[Block] = [Heading(f"Against {full[0].label}")]
    blocks += [Paragraph(text, "refusal") for text in found.refusals]
    if not found.refusals or found.factors:
        blocks.append(Paragraph(found.headline))
    blocks += [Paragraph(text, "warning") for text in found.warnings]
    table = _differences(found, full)
    return [*blocks, table] if table is not None else blocks


def _differences(found: Comparison, full: Sequence[Told]) -> Table | None:
    rows: list[tuple[Words, ...]] = []
    for row in found.rows:
        if row.role == "remark":
            continue
        note = "; ".join(part for part in (ROLES[row.role] if row.role != "trained" else "", row.note) if part)
        rows.append(((Said(row.label),), *((Said(text),) for text in row.texts), note))
    headings = ("what differs", *(told.name for told in full), "")
    return Table(headings, tuple(rows)) if rows else None


def _side_by_side(material: Material) -> list[Block]:
    runs = [told.run for told in material.full]
    try:
        told = side_by_side(runs)
    except LabError as error:
        return [Paragraph(homeless(str(error), material.folder), "warning")]
    together = [one for one in told if sum(score is not None for score in one.scores) > 1]
    if not together:
        return []
    # Whole pictures first; the base's rate has a column of its own where it is one for all runs.
    together.sort(key=lambda one: -max(score.place.inference_steps for score in one.scores if score is not None))
    shared = any(one.same_base for one in together)
    rows: list[tuple[Words | Badge, ...]] = []
    for one in together:
        cells: list[Words] = []
        for score in one.scores:
            verdict = f"{verdict_words(score.verdict.verdict)}: " if score is not None else ""
            cells.append(verdict + score_words(score, base=not one.same_base))
        there = next(score for score in one.scores if score is not None)
        base = (there.base.words if one.same_base else "–",) if shared else ()
        rows.append(((Said(one.label),), *base, *cells, "; ".join(versus_words(versus, one) for versus in one.versus)))
    letters = (letter(index) for index in range(len(runs)))
    headings = ("expected", *(("base",) if shared else ()), *letters, "tested on the same seeds")
    blocks: list[Block] = [
        Heading("What their pictures show"),
        Table(headings, tuple(rows)),
        Paragraph(MEASURES_NOTE, "note"),
    ]
    tests = [pair.p for one in together for v in one.versus if (pair := v.paired) is not None and pair.enough]
    if len(tests) > 1:
        hits = sum(p <= ALPHA for p in tests)
        chance = f"by chance alone about {ALPHA * len(tests):.1f} would."
        blocks.append(
            Paragraph(f"{hits} of {len(tests)} tests between runs come out at p ≤ {ALPHA:.2f}; {chance}", "note")
        )
    return blocks
