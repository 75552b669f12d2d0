"""How experiments came out: each project's claims, what was measured, and what that says; as Markdown and JSON.

The runs are there already when this is made; nothing is trained or drawn here.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loratui import __version__
from loratui.lab.errors import LabError
from loratui.lab.markdown import escape, table
from loratui.lab.plain import plain
from loratui.lab.project.project import Project
from loratui.lab.run.events import last_event, parse_number
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.claims import AGREES, ANSWERS, DISAGREES, Answer

SIGNS = {AGREES: "✓ agrees", DISAGREES: "✗ disagrees", "uncertain": "? uncertain", "for a person": "– for a person"}


@dataclass(frozen=True)
class Trained:
    """A run of the reproduction. `seconds` are those its sittings took, pictures and saving included."""

    project: str
    variant: str
    run: str
    steps: int
    seconds: float
    lora: str  # sha256 of the LoRA's tensors
    device: str


@dataclass(frozen=True)
class Experiment:
    """A project and how its claims came out."""

    project: str
    question: str
    answers: tuple[Answer, ...]
    same: tuple[tuple[str, str], ...] = ()  # variants that were not trained, and what they are the same as


@dataclass(frozen=True)
class Reproduction:
    experiments: tuple[Experiment, ...]
    runs: tuple[Trained, ...]
    machine: str
    version: str

    @property
    def counts(self) -> Counter[str]:
        return Counter(answer.answer for one in self.experiments for answer in one.answers)

    @property
    def seconds(self) -> float:
        return sum(run.seconds for run in self.runs)

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"counts": dict(self.counts), "seconds": self.seconds}


def reproduction(experiments: Sequence[Experiment], runs: Sequence[Trained]) -> Reproduction:
    """All of it, with the machine it is on."""
    return Reproduction(tuple(experiments), tuple(runs), machine(), __version__)


def trained(project: Project, variant: str, run: RunFolder) -> Trained:
    """What the log of a finished run says of it. LabError when it is not finished."""
    end = last_event(run.events_file, "state")
    if end is None or end.get("state") != "finished":
        state = plain(end.get("state", "")) if end else "never begun"
        raise LabError(f"{run.path}: this run is not finished ({state}); run the reproduction again")
    step = end.get("step")
    return Trained(
        project.name,
        variant,
        run.id,
        step if isinstance(step, int) else 0,
        parse_number(end.get("seconds")) or 0.0,
        str(end.get("lora_sha256", "")),
        read_record(run).settings.train.device,
    )


def machine() -> str:
    """The processor and its cores, and what runs on them."""
    import os
    from importlib.metadata import version

    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    cores = os.cpu_count() or 1
    name = plain(names[0] if names else platform.processor() or platform.machine(), 80)
    return f"{name}, {cores} cores, {platform.system()}, Python {platform.python_version()}, torch {version('torch')}"


def to_markdown(told: Reproduction) -> str:
    """The table of claims, what it rests on, and the runs behind it."""
    counts = told.counts
    told_counts = ", ".join(
        f"{counts[answer]} {_plural(answer, counts[answer])}" for answer in ANSWERS if counts[answer]
    )
    lines = [f"{sum(counts.values())} claims: {told_counts}.", ""]
    rows = [
        [
            one.project if number == 0 else "",
            answer.claim,
            answer.measured,
            answer.base,
            SIGNS[answer.answer] + _note(answer),
        ]
        for one in told.experiments
        for number, answer in enumerate(one.answers)
    ]
    lines.append(table(["project", "claim of the articles", "with the LoRA", "without, or beside", "answer"], rows))
    lines += ["", _HOW, ""]
    for one in told.experiments:
        lines += [
            f"- {escape(one.project)}: {escape(a)} was not trained, being the very same tokens as {escape(b)}."
            for a, b in one.same
        ]
    lines += [f"- {line}" for line in _same_bits(told.runs)]
    lines += [
        "",
        _told_runs(told),
        "",
        table(
            ["run", "steps", "minutes", "LoRA (sha256)"],
            [
                [
                    run.project + (f", {run.variant}" if run.variant else ""),
                    f"{run.steps:,}",
                    f"{run.seconds / 60:.1f}",
                    run.lora[:12],
                ]
                for run in told.runs
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


_HOW = (
    "Rates are of pictures, with 95 % Wilson intervals; a claim agrees when the whole interval does. Pictures that "
    "could not be measured are counted both ways. “Without” is the base model from the same noise."
)


def _told_runs(told: Reproduction) -> str:
    steps = sum(run.steps for run in told.runs)
    return (
        f"{len(told.runs)} runs, {steps:,} steps, {told.seconds / 60:.0f} minutes of training and drawing, "
        f"on {escape(told.machine)}; loratui {told.version}."
    )


def _note(answer: Answer) -> str:
    return f": {answer.note}" if answer.note else ""


def _plural(answer: str, count: int) -> str:
    return answer.removesuffix("s") if answer in (AGREES, DISAGREES) and count != 1 else answer


def _same_bits(runs: Sequence[Trained]) -> list[str]:
    """Runs that came out as one LoRA, though they were trained apart."""
    by_hash: dict[str, list[Trained]] = {}
    for run in runs:
        if run.lora:
            by_hash.setdefault(run.lora, []).append(run)
    return [
        escape(" and ".join(run.project + (f" ({run.variant})" if run.variant else "") for run in alike))
        + f" were trained apart and are the same LoRA, bit for bit ({sha[:12]})."
        for sha, alike in by_hash.items()
        if len({run.run for run in alike}) > 1
    ]
