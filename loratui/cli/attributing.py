"""The verb that asks which tag took in what: --attribute draws tags alone, left out and replaced, and judges."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.cli.output import make_console, print_json, say
from loratui.cli.progress import telling
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.attribution.attribution import Attribution
    from loratui.lab.attribution.plan import AttributionPlan
    from loratui.lab.attribution.rule import Drawings
    from loratui.lab.attribution.table import ViewCell
    from loratui.lab.pictures.cells import Drawn
    from loratui.lab.project.prompts import ResolvedPrompt
    from loratui.lab.run.record import Record

SEEDS = 20  # without --seeds
SCALE = 1.0


def verb(args: argparse.Namespace) -> int:
    """--attribute: draw what is missing, judge, write attribution.json and attribution.png, and tell."""
    from loratui.lab.attribution.attribution import attribution_file
    from loratui.lab.run.asking import read_checkpoints, read_seeds
    from loratui.lab.run.meant import meant_run
    from loratui.lab.run.record import read_record
    from loratui.lab.run.story import near

    run = meant_run(args.attribute)
    record = read_record(run)
    steps = read_checkpoints(run, args.checkpoint if args.checkpoint is not None else "last")
    seeds = read_seeds(args.seeds) if args.seeds is not None else usual_seeds(record)
    console = make_console(args.json)
    tables = attribute_run(run, record, steps, seeds, console)
    pictures = write_pictures(run, tables)
    if args.json:
        print_json({
            "run": str(run.path), "file": str(attribution_file(run)), "pictures": [str(path) for path in pictures],
            "tables": [asdict(table) for table in tables],
        })  # fmt: skip
        return 0
    tell(console, tables)
    say(console, ["", *(f"table as a picture: {near(path, Path.cwd())}" for path in pictures)])
    return 0


def usual_seeds(record: Record) -> tuple[int, ...]:
    """As many of the run's own seeds as there are, of which pictures may be there, and the next free ones."""
    own = list(dict.fromkeys(record.settings.sample.seeds))[:SEEDS]
    more = (seed for seed in range(1, 2 * SEEDS + 1) if seed not in own)
    return (*own, *itertools.islice(more, SEEDS - len(own)))


def attribute_run(
    run: RunFolder, record: Record, steps: Sequence[int], seeds: Sequence[int], console: Console
) -> list[Attribution]:
    """The tables of some checkpoints, written to attribution.json. LabError where there is nothing to attribute."""
    from loratui.engine.later import draw_more, reconstructions
    from loratui.lab.attribution.attribution import write_attribution
    from loratui.lab.attribution.plan import plan, plan_prompts
    from loratui.lab.attribution.rule import attribute
    from loratui.lab.dataset.tokens import Tokenizer

    tokenizer = None
    with contextlib.suppress(LabError):  # of a base model that is gone; then any word of the list will do
        tokenizer = Tokenizer.load(record.model.path / "tokenizer")
    plan_prompts([image.caption for image in record.images], tokenizer)  # refuses before anything is loaded

    with contextlib.suppress(LabError), telling(console, "read", "training images") as (progress, waits):
        reconstructions(run, progress, waits)  # without them the images themselves are measured
    planned = plan(record, tokenizer, run.path / "training")
    _announce(console, planned, seeds, steps)
    prompts = drawn_prompts(record, planned, seeds)
    with telling(console, "drawn", "pictures") as (progress, waits):
        drawn = draw_more(run, prompts, steps, (None, SCALE), progress, waits)
    tables = []
    for step in steps:
        with telling(console, "measured", "pictures") as (progress, _):
            drawings = measured(run, [one for one in drawn if one.step in (0, step)], progress)
        about = {"run": run.id, "project": record.project, "step": step, "scale": SCALE,
                 "inference_steps": prompts[0].inference_steps[0]}  # fmt: skip
        tables.append(attribute(planned, drawings, about))
        write_attribution(run, tables[-1])
    return tables


def drawn_prompts(record: Record, planned: AttributionPlan, seeds: Sequence[int]) -> tuple[ResolvedPrompt, ...]:
    """The prompts of a plan, all at the run's usual guidance, size and longest denoising: only words may differ."""
    from loratui.lab.project.prompts import Prompt

    sample = record.settings.sample
    length = (max(sample.inference_steps),)
    texts = tuple(Prompt(text=asked.text) for asked in planned.prompts)
    usual = replace(sample, prompts=(), prompt=texts, seeds=tuple(seeds), inference_steps=length)
    return record.sized(usual.resolved([]))


def measured(run: RunFolder, drawn: Sequence[Drawn], progress: Progress = quiet) -> Drawings:
    """What the measures say of pictures, by prompt and seed; seeds without both pictures are left out."""
    from loratui.lab.attribution.rule import Twins
    from loratui.lab.scores.readings import Readings

    readings = Readings(run)
    found: dict[tuple[str, int], dict[bool, Drawn]] = {}
    for one in drawn:
        found.setdefault((one.cell.prompt, one.cell.seed), {})[one.cell.scale is None] = one
    drawings: dict[str, dict[int, Twins]] = {}
    for done, ((text, seed), both) in enumerate(found.items()):
        progress(2 * done, 2 * len(found))  # raises where nobody waits any more
        if len(both) == 2:
            base, lora = both[True].path, both[False].path
            below = [path.relative_to(run.path).as_posix() for path in (base, lora)]
            drawings.setdefault(text, {})[seed] = Twins(readings.of(base)[1], readings.of(lora)[1], *below)
    return drawings


def write_pictures(run: RunFolder, tables: Sequence[Attribution]) -> list[Path]:
    """attribution.png of the newest checkpoint that was ever asked about, attribution-step-….png of others."""
    from loratui.lab.attribution.attribution import read_attribution
    from loratui.lab.attribution.picture import attribution_picture
    from loratui.lab.files import atomic_path

    newest = read_attribution(run)
    paths = []
    for table in tables:
        first = newest is None or table.step == newest.step
        paths.append(run.path / ("attribution.png" if first else f"attribution-step-{table.step:06d}.png"))
        with atomic_path(paths[-1]) as part:
            attribution_picture(run, table).save(part, format="PNG")
    return paths


# -- telling --------------------------------------------------------------------------------------------------------


def _announce(console: Console, planned: AttributionPlan, seeds: Sequence[int], steps: Sequence[int]) -> None:
    prompts, several = len(planned.prompts), len(steps)
    pictures = prompts * len(seeds) * (1 + several)
    checkpoints = f"{several} checkpoints" if several > 1 else "the LoRA"
    told = f"{prompts} prompts, {len(seeds)} seeds each, without and with {checkpoints}: {pictures} pictures"
    say(console, [f"{told}; those that are there are not drawn again"])


def tell(console: Console, tables: Sequence[Attribution]) -> None:
    """The tables for people, as wide as the terminal."""
    from loratui.lab.attribution.table import legend, summary, title

    for table in tables:
        say(console, ["", title(table), ""])
        for part in _parts(console, table):
            console.print(part)
            say(console, [""])
        say(console, summary(table))
        say(console, ["", *legend(table)])


def _parts(console: Console, table: Attribution) -> Iterator[object]:
    """The table, in as many parts below each other as its columns need."""
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.attribution.table import STYLES, view
    from loratui.lab.plain import plain

    shown = view(table)
    first = min(18, max(len(row.label) + 2 * row.indent for row in shown.rows))
    width = max(len(line) for row in shown.rows for cell in row.cells for line in _lines(cell))
    many = max(1, (console.width - first) // (width + 2))
    for start in range(0, len(shown.headings), many):
        part = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), leading=1)
        part.add_column("", width=first, no_wrap=False, overflow="fold")
        for heading in shown.headings[start : start + many]:
            part.add_column(Text(plain(heading)), width=width, header_style="bold")
        for row in shown.rows:
            label = Text("  " * row.indent + plain(row.label), style="dim" if row.kind.startswith(("no", "un")) else "")
            cells = []
            for cell in row.cells[start : start + many]:
                word, *rates = _lines(cell)
                text = Text(word, style=STYLES[cell.word])
                cells.append(text.append("\n" + "\n".join(rates), style="dim" if cell.word == "not shown" else "none"))
            part.add_row(label, *cells)
        yield part


def _lines(cell: ViewCell) -> tuple[str, str, str]:
    return f"{cell.sign} {cell.word}", cell.lora, f"base {cell.base}"
