"""The verb that looks at weights: --weights tells where runs changed their base model, how much, and how alike."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from loratui.cli.output import make_console, print_json, say, tell
from loratui.cli.progress import telling
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.tables import alike_lines, knock_lines, token_lines, weight_lines

if TYPE_CHECKING:
    from rich.console import Console

    from loratui.lab.weights.alike import Alike
    from loratui.lab.weights.knockouts import KnockOut
    from loratui.lab.weights.weights import Part, RunWeights


def verb(args: argparse.Namespace) -> int:
    """--weights: look at the checkpoints, draw the knock-outs where they are asked for, and tell."""
    from loratui.lab.run.asking import read_checkpoints, read_seeds
    from loratui.lab.run.meant import meant_run

    if args.seeds is not None and not args.knock_out:
        raise LabError("--seeds: with --weights it goes with --knock-out, which draws pictures")
    seeds = read_seeds(args.seeds) if args.seeds is not None else None
    asked = args.checkpoint or "all"
    runs = list({run.path.absolute(): run for run in map(meant_run, args.weights)}.values())
    steps = {run.path: read_checkpoints(run, asked) for run in runs}  # of all, before any work is done
    console = make_console(args.json)
    documents = []
    for run in runs:
        documents.append(_one(console, run, steps[run.path], args.knock_out, seeds, args.json))
    together: dict[str, Any] = {}
    if len(runs) > 1:
        from loratui.engine.weights import cosines

        common = {found[-1] for found in steps.values()}
        step = common.pop() if asked not in ("all", "last") and len(common) == 1 else None
        with telling(console, "compared", "pairs of runs") as (progress, _):
            alike = cosines(runs, step, progress)
        together = _alike_document(alike)
        if not args.json:
            say(console, ["", *alike_lines(alike)])
    if args.json:
        print_json({"runs": documents, **together})
    return 0


def _one(
    console: Console, run: RunFolder, steps: Sequence[int], knock: bool, seeds: Sequence[int] | None, as_json: bool
) -> dict[str, Any]:
    """Everything about one run; what people read is printed as soon as it is known."""
    from loratui.engine.weights import analyse
    from loratui.lab.run.record import read_record
    from loratui.lab.weights.weights import weights_file

    with telling(console, "looked at", "checkpoints") as (progress, _):
        weights = analyse(run, steps, progress)
    step = max(set(steps) & set(weights.steps), default=weights.last)
    if not as_json:
        say(console, weight_lines(run.id, weights, steps, step))
    for problem in weights.problems:
        tell(problem)
    if read_record(run).settings.lora.text_encoder:
        weights = _with_tokens(console, run, step, weights)
        if weights.tokens and not as_json:
            say(console, ["", *token_lines(weights.tokens)])
    document = {"run": str(run.path), "file": str(weights_file(run)), **_document(weights, steps, step)}
    if knock:
        made = _knocked(console, run, step, seeds)
        document["knockout"] = _finite(asdict(made))
        if not as_json:
            say(console, ["", *knock_lines(made), *(f"contact sheet: {run.path / name}" for name in made.sheets)])
    return document


def _with_tokens(console: Console, run: RunFolder, step: int, weights: RunWeights) -> RunWeights:
    from loratui.engine.tokens import moved_tokens

    try:
        with telling(console, "encoded", "tokens, without the LoRA and with it") as (progress, on_wait):
            return moved_tokens(run, step, progress=progress, on_wait=on_wait)
    except LabError as error:  # the rest is of use without them
        tell(error)
        return weights


def _knocked(console: Console, run: RunFolder, step: int, seeds: Sequence[int] | None) -> KnockOut:
    from loratui.engine.knockout import knock_out

    with telling(console, "drawn", "pictures") as (progress, on_wait):
        return knock_out(run, step, seeds, progress, on_wait)


# -- for programs -----------------------------------------------------------------------------------------------------


def _document(weights: RunWeights, steps: Sequence[int], step: int) -> dict[str, Any]:
    saturation = weights.saturation(step)
    return {
        "step": step,
        "whole": _part(weights.whole(step)),
        "blocks": [_part(part) for part in weights.blocks(step)],
        "kinds": [_part(part) for part in weights.kinds(step)],
        "keys_and_values": _part(weights.keys_and_values(step)),
        "steps": [{"step": one, **_part(weights.whole(one))} for one in steps if one in weights.steps],
        "settled": weights.growth.settled,
        "saturation": asdict(saturation) if saturation else None,
        "tokens": asdict(weights.tokens) if weights.tokens else None,
        "problems": list(weights.problems),
    }


def _part(part: Part) -> dict[str, Any]:
    return {**asdict(part), "relative": part.relative}


def _alike_document(alike: Alike) -> dict[str, Any]:
    return {
        "cosines": [{**asdict(one), "words": alike.words_of(*pair)} for pair, one in alike.cosines.items()],
        "refused": [{"a": alike.runs[i], "b": alike.runs[j], "why": why} for (i, j), why in alike.refused.items()],
        "null": list(alike.null),
    }


def _finite(value: Any) -> Any:
    """JSON knows no infinity."""
    if isinstance(value, float):
        return value if abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
