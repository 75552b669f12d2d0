"""From a command to its first step, in fresh processes: loratui beside the imports that no trainer can do without.

`python -m tests.bench.startup FOLDER DEVICE` is the other side of the comparison: it imports torch, the UNet's class
and PEFT, loads the UNet's weights, and says so. Times are taken from outside, from the start of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_SECONDS = 0.003
LIMIT_SECONDS = 600.0


def bare(model: Path, device: str) -> None:
    """What has to happen before any training of a LoRA, and nothing else."""
    import peft  # noqa: F401
    import torch  # noqa: F401
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel.from_pretrained(model / "unet").to(device)
    print("ready", flush=True)


def seconds_until_ready(model: Path, device: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.bench.startup", str(model), device]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
    if line != b"ready\n":
        raise RuntimeError(f"{' '.join(command)}: ended with {process.returncode} before it was ready")
    return seconds


def seconds_until_first_step(project: Path, cache: Path, overrides: Sequence[str]) -> float:
    """From the start of `loratui --run` to its first step event, after which it is killed."""

    def stepped() -> bool:
        return any(b'{"kind":"step"' in log.read_bytes() for log in new.glob("*/events.jsonl"))

    new = project / "runs"
    if new.exists():
        new.rename(project / f"runs-{time.monotonic_ns()}")
    options = [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-m", "loratui", "--run", str(project), *options]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=os.environ | {"LORATUI_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not stepped():
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)}: ended with {process.returncode} before its first step")
            if time.perf_counter() - start > LIMIT_SECONDS:
                raise RuntimeError(f"{' '.join(command)}: no step within {LIMIT_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()


def take_turns(
    measures: dict[str, Callable[[], float]], times: int, told: Callable[[str], None]
) -> dict[str, list[float]]:
    """Each measured `times` times, in turns; one turn before warms the file cache."""
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(-1, times):
        for name, measure in measures.items():
            told(f"{name}, {'warming up' if number < 0 else f'{number + 1} of {times}'}")
            taken = measure()
            if number >= 0:
                seconds[name].append(taken)
    return seconds


if __name__ == "__main__":
    bare(Path(sys.argv[1]), sys.argv[2])
