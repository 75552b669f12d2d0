"""The verbs that ask a run's checkpoints for more: --sample draws pictures, --drift measures what the LoRA moved."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.cli.output import command, make_console, print_json, say, tell
from loratui.cli.progress import telling
from loratui.lab.errors import LabError
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.pictures.cells import Drawn
    from loratui.lab.project.prompts import ResolvedPrompt
    from loratui.lab.run.record import Record
    from loratui.lab.scores.drifts import EpsilonDrift

_PROMPT_WIDTH = 28


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    return drift(args) if args.drift else sample(args)


# -- pictures ---------------------------------------------------------------------------------------------------------


def sample(args: argparse.Namespace) -> int:
    """--sample: say what is there, draw the rest. Ctrl-c ends it; what was drawn stays, and is not drawn again."""
    from loratui.engine.later import count_drawn, draw_more, sheets_of, wanted_cells
    from loratui.lab.run.asking import read_checkpoints, read_numbers, shortened
    from loratui.lab.run.meant import meant_run
    from loratui.lab.run.record import read_record
    from loratui.lab.run.story import near

    run = meant_run(args.sample)
    record = read_record(run)
    prompts = _prompts(args, record)
    steps = read_checkpoints(run, args.checkpoint or "last")
    scales = read_numbers(args.scale, "--scale", -100, 100) if args.scale is not None else record.settings.sample.scales
    wanted = wanted_cells(run, record, prompts, scales)
    there, total = count_drawn(run, record, wanted, steps)
    console = make_console(args.json)
    where = f"step{'s' * (len(steps) > 1)} {shortened(steps)}, the base and scale {_listed(scales)}"
    say(console, [f"{total} pictures of {run.id}: {_counted(len(prompts), 'prompt')}, {where}"])
    if there:
        say(console, [f"{there if there < total else 'all'} of them are there already"])
    new = total - there
    with telling(console, "drawn", "pictures") as (progress, on_wait):
        try:
            drawn = draw_more(run, prompts, steps, scales, progress, on_wait)
        except KeyboardInterrupt:
            left = total - count_drawn(run, record, wanted_cells(run, record, prompts, scales), steps)[0]
            tell(f"{new - left} of {new} pictures were drawn and are kept; the same command goes on with the others")
            raise
        except Exception as error:
            from loratui.engine.faults import out_of_memory

            if not out_of_memory(error):
                raise
            tell("out of memory: what was drawn is kept; end what else uses the device, and give the command again")
            return 1
    wanted = wanted_cells(run, record, prompts, scales)
    sheets = [str(path) for step in steps for path in sheets_of(run, record, wanted, step)]
    if args.json:
        print_json({
            "run": str(run.path), "steps": steps, "scales": scales, "drawn": new, "there": there,
            "pictures": [_picture(one) for one in drawn], "sheets": sheets,
        })  # fmt: skip
        return 0
    lines = [f"drawn: {new} pictures, in {near(run.samples, Path.cwd())}"] * bool(new)
    lines += [f"contact sheet: {near(path, Path.cwd())}" for path in sheets]
    say(console, [*lines, f"what they show: {command('--measure', run.path)}"])
    return 0


def _prompts(args: argparse.Namespace, record: Record) -> tuple[ResolvedPrompt, ...]:
    """What to draw: the run's own, with what the options say instead."""
    from loratui.lab.run.asking import asked_prompts, read_numbers, read_seeds

    given = args.inference_steps
    steps = () if given is None else read_numbers(given, "--inference-steps", 1, 1000, whole=True)
    if args.guidance is not None and not 0 <= args.guidance <= 100:
        raise LabError(f"--guidance: {args.guidance:g} is out of range; write a number from 0 to 100")
    return asked_prompts(
        record,
        args.prompt,
        seeds=read_seeds(args.seeds) if args.seeds is not None else None,
        inference_steps=[int(n) for n in steps] or None,
        guidance_scale=args.guidance,
        negative_prompt=args.negative,
    )


def _picture(drawn: Drawn) -> dict[str, Any]:
    cell = drawn.cell
    return {
        "path": str(drawn.path), "prompt": cell.prompt, "number": cell.number, "seed": cell.seed,
        "inference_steps": cell.inference_steps, "scale": cell.scale, "step": drawn.step, "new": drawn.new,
    }  # fmt: skip


# -- drift ------------------------------------------------------------------------------------------------------------


def drift(args: argparse.Namespace) -> int:
    """--drift: how far the LoRA moves the first answer to prompts of each kind, by checkpoint."""
    from loratui.engine.drifting import measure_drift
    from loratui.lab.run.asking import read_checkpoints, read_seeds
    from loratui.lab.run.meant import meant_run
    from loratui.lab.run.record import read_record
    from loratui.lab.scores.drifts import drift_file

    run = meant_run(args.drift)
    record = read_record(run)
    steps = read_checkpoints(run, args.checkpoint or "last")
    seeds = read_seeds(args.seeds) if args.seeds is not None else record.settings.sample.seeds
    console = make_console(args.json)
    with telling(console, "measured", "prompts") as (progress, on_wait):
        drifts = [one for one in measure_drift(run, steps, seeds, progress, on_wait) if one.step in steps]
    if args.json:
        print_json({"run": str(run.path), "file": str(drift_file(run)), **_summary(drifts, steps)})
        return 0
    _print_drift(console, run.id, drifts, steps)
    return 0


def _summary(drifts: Sequence[EpsilonDrift], steps: Sequence[int]) -> dict[str, Any]:
    from dataclasses import asdict

    from loratui.lab.scores.drifts import groups_at, specificity

    return {
        "steps": steps,
        "groups": [{"step": step, "group": group, **_finite(asdict(found))}
                   for step in steps for group, found in groups_at(drifts, step).items()],
        "specificity": [{"step": step, **_finite(asdict(found))}
                        for step in steps if (found := specificity(drifts, step)) is not None],
        "prompts": [{"step": one.step, "group": one.group, "prompt": one.prompt, **_finite(asdict(one.estimate))}
                    for one in drifts],
    }  # fmt: skip


def _finite(table: dict[str, Any]) -> dict[str, Any]:
    return {key: None if abs(value) == float("inf") else value for key, value in table.items()}


def _print_drift(console: Console, name: str, drifts: Sequence[EpsilonDrift], steps: Sequence[int]) -> None:
    """A row a checkpoint, a column a group; then the prompts of the last one. Fits 80 columns."""
    from loratui.lab.scores.drifts import estimate, groups_at, specificity
    from loratui.lab.scores.groups import EMPTY, PHRASE, TRAINED, UNRELATED, UNSEEN

    heads = {TRAINED: "trained", PHRASE: "phrase", UNSEEN: "unseen", UNRELATED: "unrelated", EMPTY: "empty"}
    n = max((one.n for one in drifts), default=0)
    over = f"mean ± half its 95 % interval over {_counted(n, 'seed')} of noise, of this one training"
    say(console, [f"{name}: how far the LoRA moves the first answer (the base's own is 0)", over, ""])
    lines = ["  step " + "".join(f"{head:>12}" for head in heads.values()) + "  specific"]
    for step in steps:
        found, ratio = groups_at(drifts, step), specificity(drifts, step)
        cells = [f"{e.mean:.3f}±{e.high - e.mean:.3f}" if (e := found.get(group)) else "-" for group in heads]
        cells = [cell.removesuffix("±inf") for cell in cells]
        lines.append(
            f"{step:6} " + "".join(f"{cell:>12}" for cell in cells) + f"{f'{ratio.mean:.1f}' if ratio else '-':>10}"
        )
    last = steps[-1]
    lines += ["", "specific: trained ÷ unrelated; 1 is a LoRA that moves everything alike"]
    if (ratio := specificity(drifts, last)) is not None and ratio.n > 1:
        lines.append(f"at step {last}: {ratio.mean:.1f} ({ratio.low:.1f} to {ratio.high:.1f}, n = {ratio.n})")
    lines += ["", f"step {last}, by prompt".ljust(_PROMPT_WIDTH + 12) + f"{'drift':>12}{'pull: base':>13}{'LoRA':>9}"]
    for one in (one for one in drifts if one.step == last):
        e = one.estimate
        text = _cut(f"“{plain(one.prompt)}”" if one.prompt else "(no words)")
        moved = f"{e.mean:.3f}±{e.high - e.mean:.3f}".removesuffix("±inf")
        base, lora = estimate(one.base_pull).mean, estimate(one.lora_pull).mean
        lines.append(f"  {heads.get(one.group, one.group):<10}{text}{moved:>12}{base:>13.3f}{lora:>9.3f}")
    lines += ["", "pull: how far the words move the answer away from that to no words"]
    say(console, lines)


def _cut(text: str) -> str:
    from rich.cells import cell_len, set_cell_size

    short = text if cell_len(text) <= _PROMPT_WIDTH else set_cell_size(text, _PROMPT_WIDTH - 1) + "…"
    return set_cell_size(short, _PROMPT_WIDTH)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
