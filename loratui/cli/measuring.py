"""The verb that measures: --measure tells what a run's pictures show, beside the base model's from the same noise."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loratui.cli.output import make_console, print_json, say
from loratui.lab.scores.scores import RunScores, Score

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def verb(args: argparse.Namespace) -> int:
    """--measure: measure what is new, and tell all."""
    from loratui.cli.progress import telling
    from loratui.lab.run.meant import meant_run
    from loratui.lab.scores.scores import as_json
    from loratui.lab.scores.scoring import refresh

    run = meant_run(args.measure)
    console = make_console(args.json)
    with telling(console, "measured", "pictures") as (progress, _):
        scores = refresh(run, progress)
    if args.json:
        print_json({"folder": str(run.path), **as_json(scores)})
    else:
        tell(console, run.id, scores)
    return 0


def tell(console: Console, name: str, scores: RunScores) -> None:
    """The newest numbers of a run, a table a subject."""
    if not scores.scores and not scores.means:
        say(console, [f"{name}: there are no pictures with a twin from the base model yet; draw some with --sample"])
        return
    say(console, [f"{name}: what its pictures show, beside the base model's from the same noise", ""])
    for text, rows in _prompts(scores):
        say(console, [text])
        console.print(_table(rows))
    for line in _number_lines(scores):
        say(console, [line])
    for line in _copy_lines(scores):
        say(console, [line])
    if scores.unread:
        say(console, ["", *scores.unread])


def _prompts(scores: RunScores) -> Iterator[tuple[str, list[Score]]]:
    rows: dict[str, list[Score]] = {}
    for score in scores.last():
        place = score.place
        words = f"“{place.text}”" if place.text.strip() else "the empty prompt"
        rows.setdefault(f"{words}, {place.inference_steps} denoising steps, step {place.step}", []).append(score)
    yield from rows.items()


def _table(rows: list[Score]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.pictures.gallery import expected_words
    from loratui.lab.plain import plain
    from loratui.lab.words import verdict_words

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for head in ("expected", "base", "with the LoRA", "suggested"):
        table.add_column(head, header_style="dim")
    for score in rows:
        wanted = score.name if score.wanted is None else expected_words({score.name: score.wanted})
        cells = (wanted, score.base.words, score.lora.words, verdict_words(score.verdict.verdict))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _number_lines(scores: RunScores) -> Iterator[str]:
    """Numbers that changed surely, at the last checkpoint."""
    last = max(scores.steps, default=0)
    for mean in scores.means:
        change = mean.change
        if mean.place.step == last and mean.place.scale == 1 and change and (change.low > 0 or change.high < 0):
            where = f"“{mean.place.text}”, {mean.place.inference_steps} denoising steps"
            seeds = f"by seed {change.estimate:+.3f} ({change.low:+.3f} to {change.high:+.3f}, n = {mean.n})"
            yield f"{where}: {mean.name} {mean.base:.3f} → {mean.lora:.3f}, {seeds}"


def _copy_lines(scores: RunScores) -> Iterator[str]:
    last = max(scores.steps, default=0)
    for copies in scores.copies:
        if copies.place.step == last and copies.photocopier:
            yield (f"“{copies.place.text}”: {copies.copies} of {copies.n} pictures are copies of training images "
                   f"({copies.base_copies} of the base's): a photocopier")  # fmt: skip
