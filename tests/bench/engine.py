"""How fast the engine is, beside what bounds it and what people would otherwise run: `python -m tests.bench.engine`.

One table, on whatever machine it is called on. Paces are compared within one process, in turns, round by round, and
start-up times between fresh processes, in turns; what is shown are medians. Nothing here fails on a slow machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

from loratui.lab.models import resolve_model
from loratui.lab.run.record import read_record
from tests.bench import pace, startup
from tests.bench.pace import Bare, Run
from tests.bench.script import Script
from tests.processes import new_run

PROJECT = Path(__file__).parents[2] / "projects/basic-grey"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is of ours to theirs; `spread` its lowest and highest, over the rounds."""

    what: str  # begins with the unit
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    wanted: str = ""


@dataclass(frozen=True)
class Effort:
    """How long to measure. A turn is an epoch of basic-grey: one checkpoint, and its share of the probes."""

    turn: int = 75  # steps
    rounds: int = 8
    starts: int = 5


QUICK = Effort(turn=25, rounds=3, starts=1)


def paces(project: Path, overrides: Sequence[str], effort: Effort, name: str, goals: bool, told: Told) -> list[Row]:
    """Rows of the engine against the bare loop and against the usual script."""
    total = effort.turn * (effort.rounds + 1)
    frozen = new_run(project, *overrides, "sample.every=never", f"train.steps={total + 1}")
    with Run(frozen) as ours:
        family = ours.task.family
        loops: dict[str, pace.Loop] = {
            "loratui": ours,
            "bare loop": Bare(ours.task, effort.turn),
            "usual script": Script(read_record(frozen), family.device, family.dtype),
        }
        measured = pace.take_turns(loops, effort.turn, effort.rounds, lambda text: told(f"{name}: {text}"))
    rows = []
    for other, wanted in (("bare loop", "≥ 0.95"), ("usual script", "≥ 1.5")):
        ratios = measured.ratios("loratui", other)
        rows.append(
            Row(
                f"steps/s, {name} / {other}",
                measured.typical("loratui"),
                measured.typical(other),
                median(ratios),
                (min(ratios), max(ratios)),
                wanted if goals else "",
            )
        )
    return rows


def starts(project: Path, model: str, effort: Effort, work: Path, told: Told) -> list[Row]:
    """Rows of the time from the command to the first step, with nothing cached and with everything cached."""
    folder, setting = resolve_model(model, project).path, [f"base.model={model}"]
    fresh = count()
    seconds = startup.take_turns(
        {
            "imports and weights": lambda: startup.seconds_until_ready(folder, device_type()),
            "first run": lambda: startup.seconds_until_first_step(project, work / f"cold-{next(fresh)}", setting),
            "later run": lambda: startup.seconds_until_first_step(project, work / "warm", setting),
        },
        effort.starts,
        lambda text: told(f"start-up: {text}"),
    )
    floor = seconds["imports and weights"]
    rows = []
    for name, words in (("first run", "nothing cached"), ("later run", "all cached")):
        ratios = [a / b for a, b in zip(seconds[name], floor, strict=True)]
        rows.append(
            Row(
                f"s to the first step, {words} / imports and weights alone",
                median(seconds[name]),
                median(floor),
                median(ratios),
                (min(ratios), max(ratios)),
                "≤ 1.5",
            )
        )
    return rows


def whole(project: Path, model: str, cache: Path, told: Told) -> list[Row]:
    """basic-grey from its command to its last sheet, in a process of its own, with nothing cached."""
    told("basic-grey, whole")
    command = [sys.executable, "-m", "loratui", "--run", str(project), "--json", "--set", f"base.model={model}"]
    environment = os.environ | {"LORATUI_CACHE": str(cache)}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: ended with {process.returncode}: {output.decode()[-2000:]}")
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    rows = [
        Row("s for basic-grey whole: 750 steps and all sheets", seconds, wanted="< 180 on two cores"),
        Row("GiB of memory for it, at the peak", memory / 2**30),
    ]
    if device_type() == "cuda":
        rows.append(Row("GiB of the GPU's memory for it, at the peak", json.loads(output)["memory"] / 2**30))
    return rows


def device_type() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def machine() -> dict[str, str | int]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "gpu": gpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def table(rows: Sequence[Row]) -> Table:
    shown = Table(title="the engine", caption=", ".join(f"{key} {value}" for key, value in machine().items()))
    shown.add_column("what", min_width=30)
    for heading in ("loratui", "the other", "ratio", "from – to", "wanted"):
        shown.add_column(heading, justify="right", no_wrap=heading != "wanted")
    for row in rows:
        shown.add_row(
            row.what,
            f"{row.ours:.2f}",
            "" if row.theirs is None else f"{row.theirs:.2f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.spread is None else f"{row.spread[0]:.2f} – {row.spread[1]:.2f}",
            row.wanted,
        )
    return shown


def measure(model: str, effort: Effort, work: Path, told: Told) -> list[Row]:
    """All rows. Everything that is written goes below `work`."""
    os.environ["LORATUI_CACHE"] = str(work / "cache")
    os.environ["HF_HUB_OFFLINE"] = "1"

    def copy(name: str) -> Path:
        return shutil.copytree(PROJECT, work / name, ignore=shutil.ignore_patterns("runs"))

    rows = starts(copy("starting"), model, effort, work, told)
    rows += whole(copy("whole"), model, work / "cache-of-whole", told)
    for batch in (1, 4):
        overrides = [f"base.model={model}", f"train.batch_size={batch}"]
        rows += paces(copy(f"batch-{batch}"), overrides, effort, f"batch {batch}", batch == 1, told)
    if torch.cuda.is_available():
        from tests.bench.sd15 import build_random_sd15

        told("making a random model of SD 1.5's size")
        large = build_random_sd15(work / "sd15", torch.device("cuda"))
        for batch in (1, 4):
            gc.collect()
            torch.cuda.empty_cache()
            overrides = [f"base.model={large}", f"train.batch_size={batch}", "train.precision=bf16"]
            name = f"SD 1.5's size, 512 px, bf16, batch {batch}"
            rows += paces(copy(f"large-{batch}"), overrides, effort, name, False, told)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--model", default="tinyworld", help="base model: tinyworld, or a diffusers folder")
    parser.add_argument("--quick", action="store_true", help="shorter turns and fewer of them: a rough look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    args = parser.parse_args(argv)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="loratui-bench-") as folder, console.status("") as status:
        rows = measure(args.model, QUICK if args.quick else Effort(), Path(folder), lambda text: status.update(text))
    console.print(table(rows))
    if args.json:
        document = {"machine": machine(), "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
