"""Pictures with each block of a LoRA switched off, and with that block alone, from the noise of the whole one's.

A block is a group of LoRA layers (see `lab.weights.layers`); a layer that is off computes what the base model's layer
does, so with all blocks off a picture is the base's, bit for bit. Base and whole LoRA are the run's own pictures;
the others are kept in knockout/step-NNNNNN/, and what is there is never drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peft.tuners.lora import LoraLayer
from PIL import Image
from torch import nn

from loratui.engine.export import kohya_name, load_pairs
from loratui.engine.later import Later, Waiting
from loratui.engine.sample import batch_rows
from loratui.engine.weights import checkpoint_of
from loratui.lab.errors import LabError
from loratui.lab.files import atomic_path, make_folder, open_binary
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.cells import Cell, cells, facts_of, is_drawn, picture_path
from loratui.lab.pictures.pictures import PictureFacts, save_picture
from loratui.lab.pictures.sheet import Column, SheetRow, contact_sheets
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import middle_of
from loratui.lab.weights.knockouts import ONLY, WITHOUT, Distance, Knocked, KnockedPrompt, KnockOut, write_knockout
from loratui.lab.weights.layers import block_order, blocks_of

ENOUGH = 6  # seeds from which on there is an interval
Variant = tuple[str, str]  # how, block
BASE, LORA = ("", "base"), ("", "LoRA")


def knock_out(
    run: RunFolder,
    step: int | None = None,
    seeds: Sequence[int] | None = None,
    progress: Progress = quiet,
    on_wait: Waiting | None = None,
) -> KnockOut:
    """Draw, measure and keep: the pictures, contact sheets and knockout.json.

    At a checkpoint (None: the last), for the run's prompts at their longest denoising, with these seeds, or with the
    first of each prompt's own that fill a batch and give an interval. LabError when the run has no prompts.
    """
    step, file = checkpoint_of(run, step)
    record = read_record(run)
    pairs, payload = load_pairs(file)
    blocks = sorted(set(blocks_of(pairs).values()), key=block_order)
    plan = _Plan(run, record, step, payload, _wanted(record, run, seeds), blocks)
    total = len(plan.all)
    progress(total - len(plan.missing()), total)
    if plan.missing():
        with Later(run, on_wait) as later:
            later.use(step)
            _draw(later, plan, progress)
    prompts = tuple(_measure(plan, members) for members in plan.by_prompt())
    made = KnockOut(run.id, step, payload, prompts, _sheets(plan))
    write_knockout(run, made)
    return made


def layers_by_block(models: Mapping[str, nn.Module]) -> dict[str, list[LoraLayer]]:
    """The LoRA layers of a live model by block, in the order in which a picture goes through them."""
    named = {
        kohya_name(f"{part}.{path}"): module
        for part, model in models.items()
        for path, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }
    blocks = blocks_of(named)
    found: dict[str, list[LoraLayer]] = {block: [] for block in sorted(set(blocks.values()), key=block_order)}
    for name, layer in named.items():
        found[blocks[name]].append(layer)
    return found


@contextmanager
def switched_off(blocks: Mapping[str, Sequence[LoraLayer]], which: Collection[str]) -> Iterator[None]:
    """Inside: the layers of these blocks do what the base model's do, whatever strength the others are set to."""
    layers = [layer for block in which for layer in blocks[block]]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


@dataclass(frozen=True)
class _Plan:
    """Which pictures are meant, and where each is: cells are those of the whole LoRA."""

    run: RunFolder
    record: Record
    step: int
    payload: str
    wanted: tuple[Cell, ...]
    blocks: Sequence[str]

    @property
    def variants(self) -> list[Variant]:
        return [BASE, LORA, *((how, block) for how in (WITHOUT, ONLY) for block in self.blocks)]

    @property
    def all(self) -> list[tuple[Cell, Variant]]:
        return [(cell, variant) for variant in self.variants for cell in self.wanted]

    def cell(self, cell: Cell, variant: Variant) -> Cell:
        return replace(cell, scale=None) if variant == BASE else cell

    def path(self, cell: Cell, variant: Variant) -> Path:
        if variant in (BASE, LORA):
            return picture_path(self.run, self.cell(cell, variant), self.step)
        how, block = variant
        name = f"p{cell.number:02d}-seed{cell.seed}-steps{cell.inference_steps}-{how}-{block}.png"
        return self.folder / name

    @property
    def folder(self) -> Path:
        return self.run.path / "knockout" / f"step-{self.step:06d}"

    def facts(self, cell: Cell, variant: Variant) -> PictureFacts:
        facts = facts_of(self.record, self.run, self.cell(cell, variant), self.step, self.payload)
        return facts if variant in (BASE, LORA) else replace(facts, lora=" ".join((facts.lora, *variant)))

    def missing(self) -> list[tuple[Cell, Variant]]:
        return [one for one in self.all if not is_drawn(self.path(*one), self.facts(*one))]

    def by_prompt(self) -> list[list[Cell]]:
        found: dict[int, list[Cell]] = {}
        for cell in self.wanted:
            found.setdefault(cell.number, []).append(cell)
        return list(found.values())


def _wanted(record: Record, run: RunFolder, seeds: Sequence[int] | None) -> tuple[Cell, ...]:
    rows = batch_rows(record)
    count = rows * math.ceil(ENOUGH / rows)
    prompts = [
        replace(prompt, seeds=tuple(prompt.seeds[:count] if seeds is None else seeds),
                inference_steps=(max(prompt.inference_steps),))
        for prompt in record.prompts
    ]  # fmt: skip
    wanted = tuple(dict.fromkeys(cells(prompts, (1.0,))))
    if not wanted:
        raise LabError(f"{run.record_file}: the run has no prompts with seeds to draw; give --seeds")
    return wanted


def _draw(later: Later, plan: _Plan, progress: Progress) -> None:
    """What is missing: base and whole LoRA into samples/, the others into their own folder."""
    sampler, blocks = later.sampler, layers_by_block(later.models)
    done, total = len(plan.all) - len(plan.missing()), len(plan.all)
    make_folder(plan.folder)
    groups: dict[tuple[object, ...], list[tuple[Cell, Variant]]] = {}
    for cell, variant in plan.missing():
        groups.setdefault((variant, cell.group), []).append((cell, variant))
    for members in groups.values():
        how, block = variant = members[0][1]
        if variant in (BASE, LORA):
            for _ in sampler.draw([plan.cell(cell, variant) for cell, _ in members], plan.step, plan.payload):
                done += 1
                progress(done, total)
            continue
        off = [block] if how == WITHOUT else [other for other in blocks if other != block]
        with switched_off(blocks, off):
            for start in range(0, len(members), sampler.rows):
                batch = [cell for cell, _ in members[start : start + sampler.rows]]
                for cell, picture in zip(batch, sampler.pictures(batch), strict=True):
                    save_picture(plan.path(cell, variant), picture, plan.facts(cell, variant))
                    done += 1
                    progress(done, total)


def _measure(plan: _Plan, members: Sequence[Cell]) -> KnockedPrompt:
    def pictures(variant: Variant) -> list[NDArray[np.float64]]:
        return [_pixels(plan.path(cell, variant)) for cell in members]

    cell, base, lora = members[0], pictures(BASE), pictures(LORA)
    knocked = []
    for how, block in plan.variants[2:]:
        own = pictures((how, block))
        knocked.append(Knocked(block, how, _distance(own, lora), _distance(own, base)))
    seeds = tuple(one.seed for one in members)
    return KnockedPrompt(cell.number, cell.prompt, cell.inference_steps, seeds, _distance(lora, base), tuple(knocked))


def _pixels(path: Path) -> NDArray[np.float64]:
    with open_binary(path) as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB"), np.float64) / 255


def _distance(one: Sequence[NDArray[np.float64]], two: Sequence[NDArray[np.float64]]) -> Distance:
    values = tuple(round(float(np.sqrt(np.mean((a - b) ** 2))), 6) for a, b in zip(one, two, strict=True))
    return Distance(values, middle_of(values))


def _sheets(plan: _Plan) -> tuple[str, ...]:
    """A row for each prompt and seed: base, LoRA, each block switched off, each block on alone."""
    heads = {WITHOUT: "switched off", ONLY: "on alone"}
    columns = [Column(name, heads.get(how, "")) for how, name in plan.variants]
    rows = [
        SheetRow(f"seed {cell.seed}", tuple(plan.path(cell, variant) for variant in plan.variants), cell.prompt)
        for cell in plan.wanted
    ]
    title = f"{plan.record.project} · each block of the LoRA switched off, and on alone"
    names = []
    for page, sheet in enumerate(contact_sheets(rows, columns, title, f"step {plan.step}"), 1):
        path = plan.folder / f"sheet{f'-{page}' if page > 1 else ''}.png"
        with atomic_path(path) as part:
            sheet.save(part, format="PNG")
        names.append(path.relative_to(plan.run.path).as_posix())
    return tuple(names)
