"""Which pictures somebody means: seeds, checkpoints, numbers and prompts as they are written on a command line.

Only reading: what is asked for is drawn and measured elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loratui.lab.errors import LabError
from loratui.lab.files import refuse_links
from loratui.lab.plain import plain
from loratui.lab.project.schema import SEED_MAX
from loratui.lab.run.runs import RunFolder

if TYPE_CHECKING:
    from loratui.lab.project.prompts import ResolvedPrompt
    from loratui.lab.run.record import Record

MOST_SEEDS = 10_000
_CHECKPOINT = re.compile(r"step-(\d{6,12})\.safetensors")


def checkpoint_steps(run: RunFolder) -> tuple[int, ...]:
    """The steps whose LoRA is a file, in order."""
    try:
        refuse_links(run.checkpoints)
        names = [path.name for path in run.checkpoints.iterdir()]
    except OSError:
        return ()
    return tuple(sorted(int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name))))


def known_steps(run: RunFolder, steps: Sequence[int]) -> tuple[int, ...]:
    """The same steps in order, each once. LabError that names the checkpoints there are, if one of them is none."""
    there = checkpoint_steps(run)
    if not there:
        raise LabError(f"{run.checkpoints}: there is no checkpoint yet; train the run until one is saved")
    unknown = [str(step) for step in dict.fromkeys(steps) if step not in there]
    if unknown:
        raise LabError(
            f"{run.checkpoints}: there is no checkpoint of step {', '.join(unknown)}; "
            f"there are {shortened(there)}; all and last do, too"
        )
    return tuple(sorted(set(steps)))


def read_checkpoints(run: RunFolder, text: str) -> tuple[int, ...]:
    """`all`, `last`, or steps such as `75,150`. LabError for what is none of these, or not there."""
    there = checkpoint_steps(run)
    word = text.strip().casefold()
    if word in ("all", "last"):
        known_steps(run, ())  # that there are any
        return there if word == "all" else there[-1:]
    steps = []
    for item, column in _items(text, "--checkpoint"):
        if not re.fullmatch(r"\d{1,12}", item, re.ASCII):
            raise LabError(
                f"--checkpoint: column {column}: {plain(item, 40)!r} is no step; write all, last, "
                f"or steps such as 75,150{f' (there are {shortened(there)})' if there else ''}"
            )
        steps.append(int(item))
    return known_steps(run, steps)


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds such as `1-20,31`, in their order, each once. LabError with the column of what is no seed."""
    seeds: dict[int, None] = {}
    for item, column in _items(text, "--seeds"):
        match = re.fullmatch(r"(\d{1,20})(?:\s*-\s*(\d{1,20}))?", item, re.ASCII)
        where = f"--seeds: column {column}: {plain(item, 40)!r}"
        if match is None:
            raise LabError(f"{where} is no seed and no range; write such as 1-20,31")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise LabError(f"{where} runs backwards; write {last}-{first}")
        if last > SEED_MAX:
            raise LabError(f"{where} is too large; seeds go up to {SEED_MAX}")
        if last - first + len(seeds) >= 2 * MOST_SEEDS:
            raise LabError(f"{where} makes more than {MOST_SEEDS} seeds; ask for fewer at a time")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    if len(seeds) > MOST_SEEDS:
        raise LabError(f"--seeds: {plain(text, 40)!r} are {len(seeds)} seeds; ask for at most {MOST_SEEDS} at a time")
    return tuple(seeds)


def read_numbers(text: str, option: str, low: float, high: float, whole: bool = False) -> tuple[float, ...]:
    """Numbers such as `0,0.5,1`, each once. LabError with the column of what is none, or out of range."""
    found: dict[float, None] = {}
    for item, column in _items(text, option):
        pattern = r"\d{1,9}" if whole else r"[-+]?(\d{1,9}(\.\d*)?|\.\d+)"
        kind = "a whole number" if whole else "a number"
        where = f"{option}: column {column}: {plain(item, 40)!r}"
        if not re.fullmatch(pattern, item, re.ASCII):
            raise LabError(f"{where} is not {kind}; write such as {'1,25' if whole else '0,0.5,1'}")
        value = float(item)
        if not low <= value <= high:
            raise LabError(f"{where} is out of range; write {kind} from {low:g} to {high:g}")
        found[value + 0.0] = None  # no minus zero
    return tuple(found)


def asked_prompts(
    record: Record,
    texts: Sequence[str] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    inference_steps: Sequence[int] | None = None,
    guidance_scale: float | None = None,
    negative_prompt: str | None = None,
) -> tuple[ResolvedPrompt, ...]:
    """Prompts to draw: the run's own, or these texts; what is not given is as the run has it.

    A text that is one of the run's own prompts is that prompt, with its guidance, size and negative prompt.
    """
    from loratui.lab.project.settings import Prompt

    prompts = record.prompts
    if texts is not None:
        own = {prompt.text: prompt for prompt in reversed(record.prompts)}
        new = tuple(Prompt(text=text) for text in dict.fromkeys(texts) if text not in own)
        made = record.sized(replace(record.settings.sample, prompts=(), prompt=new).resolved([])) if new else ()
        known = own | {prompt.text: prompt for prompt in made}
        prompts = tuple(known[text] for text in dict.fromkeys(texts))
    changes = {
        "seeds": None if seeds is None else tuple(seeds),
        "inference_steps": None if inference_steps is None else tuple(inference_steps),
        "guidance_scale": guidance_scale,
        "negative_prompt": negative_prompt,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    return tuple(replace(prompt, **given) for prompt in prompts)  # type: ignore[arg-type]


def shortened(numbers: Sequence[int], most: int = 12) -> str:
    """Such as "75, 150, 225, … 750"."""
    shown = [str(number) for number in numbers]
    return ", ".join(shown if len(shown) <= most else [*shown[: most - 1], f"… {shown[-1]}"])


def _items(text: str, option: str) -> Iterator[tuple[str, int]]:
    """What stands between the commas, and its column from 1. LabError for nothing."""
    place = 0
    for part in text.split(","):
        item = part.strip()
        if not item:
            raise LabError(f"{option}: column {place + 1}: nothing there; take the comma out, or write a number")
        yield item, place + 1 + len(part) - len(part.lstrip())
        place += len(part) + 1
