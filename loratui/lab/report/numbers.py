"""The numbers of a run in an article: expectations, measures that are numbers, copies, and how far pictures moved."""

from __future__ import annotations

import math

from loratui.lab.report.article import Badge, Block, Details, Heading, Paragraph, Piece, Table, Words
from loratui.lab.report.material import Told
from loratui.lab.report.wording import badge, count, expectation, prompt, short_why, whereabouts
from loratui.lab.scores.groups import GROUPS
from loratui.lab.scores.scores import Copies, Mean, Moved, Place

MOST_MOVED = 40  # prompts
_NAMES = {
    "whiteness": "whiteness of the ground",
    "coverage": "share of the picture that stands out",
    "centre_bias": "distance of what stands out from the centre",
    "centre_pull": "pull towards the centre",
    "edge_steepness": "steepness of edges",
}


def measure_blocks(told: Told) -> list[Block]:
    """Every expectation of the last checkpoint, and the measures that have values."""
    if told.scores is None:
        return []
    blocks: list[Block] = []
    if told.newest:
        rows: list[tuple[Words | Badge, ...]] = []
        for score in sorted(told.newest, key=lambda score: score.place.inference_steps != told.length):
            why = short_why(score) + (" Expected only after the run." if score.later else "")
            rows.append((expectation(score), whereabouts(score.place), badge(score.verdict.verdict), score.lora.words,
                         score.base.words, _pairs(score.paired.only_lora, score.paired.only_base),
                         f"{score.paired.p:.2g}", why))  # fmt: skip
        headings = ("expected", "pictures", "suggested", "with the LoRA", "base", "only LoRA : only base", "p", "why")
        blocks.append(Table(headings, tuple(rows), "", frozenset({5, 6})))
    means = [one for one in told.scores.means if one.place.step == _last(told, one.place)]
    if means:
        table = _means(means)
        words = "Measures that are numbers, pair by pair"
        blocks.append(Details(words, (table,)) if told.newest else table)
    if told.scores.unread:
        blocks.append(
            Paragraph(f"{count(len(told.scores.unread), 'picture')} could not be read and count nowhere.", "warning")
        )
    return blocks


def _pairs(only_lora: int, only_base: int) -> str:
    return f"{only_lora} : {only_base}"


def _last(told: Told, place: Place) -> int:
    """The last step at which the prompt of a place was measured."""
    assert told.scores is not None
    key = (place.prompt, place.inference_steps, place.scale)
    return max(one.place.step for one in told.scores.means
               if (one.place.prompt, one.place.inference_steps, one.place.scale) == key)  # fmt: skip


def _means(means: list[Mean]) -> Table:
    rows = []
    for one in means:
        change = one.change
        told = "–" if change is None else f"{change.estimate:+.3g}"
        if change is not None and math.isfinite(change.low) and math.isfinite(change.high):
            told += f" ({change.low:+.3g} to {change.high:+.3g})"
        rows.append((_NAMES.get(one.name, one.name), whereabouts(one.place), str(one.n), _value(one.lora),
                     _value(one.base), told, "–" if change is None else f"{change.p:.2g}"))  # fmt: skip
    headings = ("measure", "pictures", "pairs", "with the LoRA", "base", "change by seed, 95 %", "p")
    return Table(headings, tuple(rows), "", frozenset({2, 3, 4, 6}))


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def copy_blocks(told: Told) -> list[Block]:
    """Whether it has become a photocopier."""
    if told.scores is None or not told.scores.copies:
        return []
    last = [one for one in told.scores.copies if one.place.inference_steps == _longest(told.scores.copies)]
    newest = {one.place.prompt: one for one in sorted(last, key=lambda one: one.place.step) if one.place.scale == 1}
    if not newest:
        return []
    photo = [one for one in newest.values() if one.photocopier]
    if photo:
        words: Words = (
            "It has become a photocopier for ", *_listed([prompt(one.place) for one in photo]), (": its pictures are "
            "copies of training images, and much alike."),
        )  # fmt: skip
    else:
        words = (
            "It is no photocopier: its pictures are not copies of training images, or differ as the base model's do."
        )
    rows = tuple(_copy_row(one) for one in last if one.place.scale == 1)
    headings = ("pictures", "copies", "base", "nearer than the base", "nearest to second", "diversity", "of the base")
    table = Table(headings, rows, "", frozenset({1, 2, 3, 4, 5, 6}))
    note = (
        "Copies: pictures that are nearly a training image, in place, shape and colour. Nearer than the base: the "
        "distance to the nearest training image over the base model's to the same, 1 is no nearer. Nearest to second: "
        "that distance over the one to the second nearest image; small is one image and no blend. Diversity: how "
        "different two pictures of the prompt are (RMSE, 0 to 1)."
    )
    return [Heading("Does it copy?", 4), Paragraph(words), Details("Likeness to the training images, by checkpoint",
            (table, Paragraph(note, "note")))]  # fmt: skip


def _copy_row(one: Copies) -> tuple[Words, ...]:
    def ratio(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    return (whereabouts(one.place), f"{one.copies}/{one.n}", f"{one.base_copies}/{one.n}", ratio(one.to_base),
            ratio(one.to_second), f"{one.diversity:.3f}", _value(one.base_diversity))  # fmt: skip


def _longest(copies: tuple[Copies, ...]) -> int:
    return max(one.place.inference_steps for one in copies)


def _listed(items: list[Words]) -> list[Piece]:
    from loratui.lab.report.article import joined

    return list(joined(items, ", ", " and "))


def moved_blocks(told: Told) -> list[Block]:
    """How far pictures have moved from the base's, by the group of their prompt."""
    if told.scores is None or not told.scores.moved:
        return []
    longest = max(one.place.inference_steps for one in told.scores.moved)
    newest: dict[int, Moved] = {}
    for one in sorted(told.scores.moved, key=lambda one: one.place.step):
        if one.place.inference_steps == longest and one.place.scale == 1:
            newest[one.place.prompt] = one
    rows = []
    for one in sorted(newest.values(), key=lambda one: GROUPS.index(one.group) if one.group in GROUPS else 9):
        middle = one.rmse_middle
        told_middle = "–"
        if middle is not None:
            known = math.isfinite(middle.low) and math.isfinite(middle.high)
            told_middle = f"{middle.estimate:.3f}" + (f" ({middle.low:.3f} to {middle.high:.3f})" if known else "")
        rows.append((one.group, prompt(one.place), str(one.n), told_middle, f"{100 * one.changed:.0f} %"))
    if not rows:
        return []
    headings = ("kind of prompt", "prompt", "pairs", "moved (RMSE, 95 %)", "pixels changed")
    table = Table(headings, tuple(rows[:MOST_MOVED]), "", frozenset({2, 3, 4}))
    note = "It should move what it was trained on; unrelated and empty prompts show what it does without being asked."
    return [Heading("How far did its pictures move from the base model's?", 4),
            table, Paragraph(note, "note")]  # fmt: skip
