"""What the interface costs, seen from outside as a terminal sees it: start-up, keys, bytes and memory.

`python -m tests.bench.interface` measures loratui beside a minimal Textual app, and beside posting where a command
for it is given, all in one run. It makes a project of 10,000 images and 200 runs, an events file of a million lines,
and trains a real live run. Nothing here judges the figures; the goals stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.tui.terminal import Terminal

HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("Hello, this is a minimal app")
Hello().run()
"""
REPOSITORY = Path(__file__).parents[2]
LORATUI = [sys.executable, "-m", "loratui"]


# -- things to look at ------------------------------------------------------------------------------------------------


def small_shelf(folder: Path) -> Path:
    """The repository's own projects."""
    shutil.copytree(REPOSITORY / "projects", folder / "small", ignore=shutil.ignore_patterns("runs"))
    return folder / "small"


def finished_run(project: Path) -> Path:
    """A short real run of a project."""
    import subprocess

    steps = ["--set", "train.steps=60", "--set", "sample.every=20", "--set", "sample.inference_steps=[4]", "--set",
             "sample.seeds=[1, 2, 3, 4, 5, 6, 7, 8]"]  # fmt: skip
    subprocess.run([*LORATUI, "--run", str(project), *steps], check=True, stdout=subprocess.DEVNULL)
    return max((project / "runs").iterdir())


def large_project(folder: Path, run: Path, images: int, runs: int) -> Path:
    """A project of so many tiny images with captions, and so many copies of a finished run."""
    from PIL import Image

    project = folder / "large" / "many"
    (project / "dataset").mkdir(parents=True)
    (project / "project.toml").write_text('[dataset]\npath = "dataset"\n', encoding="utf-8")
    picture = folder / "one.png"
    Image.new("RGB", (64, 64), "grey").save(picture)
    content = picture.read_bytes()
    for number in range(images):
        (project / "dataset" / f"image-{number:05d}.png").write_bytes(content)
        (project / "dataset" / f"image-{number:05d}.txt").write_text(f"myshape, number {number % 97}, grey\n")
    for number in range(runs):
        copy = project / "runs" / f"20260101-{number:06d}-many-{number:04x}"
        copy.mkdir(parents=True)
        for file in ("run.toml", "captions.toml", "events.jsonl", "log.txt"):
            shutil.copy(run / file, copy / file)
        (copy / "lock").touch()
    return project


def long_events(folder: Path, run: Path, lines: int) -> Path:
    """A project with one run whose events file has so many lines, as the event log writes them."""

    def line(event: dict[str, object]) -> str:
        return json.dumps(event, separators=(",", ":")) + "\n"

    project = folder / "long" / "marathon"
    shutil.copytree(run.parent.parent, project, ignore=shutil.ignore_patterns("runs"))
    copy = project / "runs" / run.name
    shutil.copytree(run, copy)
    with (copy / "events.jsonl").open("w", encoding="ascii") as file:
        file.write(line({"kind": "state", "t": 1.0, "state": "running", "step": 0, "total": lines - 1}))
        for step in range(1, lines):
            event: dict[str, object] = {"kind": "step", "t": round(1.0 + step / 20, 3), "step": step}
            event |= {"epoch": step // 75, "loss": round(0.1 + (step * 7919 % 1000) / 10000, 6), "smoothed": 0.1}
            event |= {"lr": 0.0003, "it_s": 20.1, "memory": 1000000000}
            file.write(line(event))
        file.write(line({"kind": "state", "t": 9.0, "state": "finished", "step": lines - 1, "total": lines - 1}))
    return copy


# -- measuring --------------------------------------------------------------------------------------------------------


def painted(terminal: Terminal) -> bool:
    return len("".join(terminal.text().split())) >= 10


def first_paint(command: Sequence[str], repeats: int, env: dict[str, str | None] | None = None) -> float:
    """Median milliseconds from start to the first text on the screen; one start before that fills the caches."""
    times = []
    for number in range(repeats + 1):
        with Terminal(command, env=env) as terminal:
            terminal.wait_for(lambda terminal=terminal: painted(terminal))  # type: ignore[misc]
            if number:
                times.append((terminal.last_byte - terminal.began) * 1000)
    return statistics.median(times)


def seconds_until(terminal: Terminal, what: str | Callable[[], bool], *keys: str) -> float:
    """From the last of the keys to the text on the screen."""
    since = len(terminal.raw)
    begin = time.perf_counter()
    terminal.press(*keys)
    terminal.wait_for(what, since=since)
    return terminal.last_byte - begin


def key_milliseconds(terminal: Terminal, keys: Sequence[str], count: int) -> dict[str, float]:
    """From a key to the first byte of the answer: median and 95th percentile; and the bytes of an answer."""
    times, sizes = [], []
    for number in range(count):
        terminal.settle(0.08, 1)
        before, terminal.first_byte = len(terminal.raw), 0.0
        begin = time.perf_counter()
        terminal.press(keys[number % len(keys)])
        while not terminal.first_byte and time.perf_counter() - begin < 2:
            terminal.read(0.5)
        times.append((terminal.first_byte - begin) * 1000)
        terminal.settle(0.08, 1)
        sizes.append(len(terminal.raw) - before)
    times.sort()
    return {
        "median": statistics.median(times),
        "p95": times[min(len(times) - 1, int(0.95 * len(times)))],
        "bytes": statistics.median(sizes),
    }


def bytes_per_second(terminal: Terminal, seconds: float) -> float:
    before, end = len(terminal.raw), time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        terminal.read(left)
    return (len(terminal.raw) - before) / seconds


def megabytes(terminal: Terminal) -> float:
    """Resident memory of the program."""
    text = Path(f"/proc/{terminal.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) / 1024


def measure(folder: Path, posting: str, repeats: int, images: int, runs: int, lines: int) -> dict[str, float]:
    found: dict[str, float] = {}
    small = small_shelf(folder)
    run = finished_run(small / "basic-grey")
    large, marathon = large_project(folder, run, images, runs), long_events(folder, run, lines)
    long = marathon.parents[2]

    hello = folder / "hello.py"
    hello.write_text(HELLO, encoding="utf-8")
    found["first paint, minimal app (ms)"] = first_paint([sys.executable, str(hello)], repeats)
    found["first paint, loratui (ms)"] = first_paint([*LORATUI, str(small)], repeats)
    if posting:
        found["first paint, posting (ms)"] = first_paint([posting], repeats, {"HOME": str(folder)})
    found["first paint, loratui ÷ minimal (goal ≤ 1.6)"] = (
        found["first paint, loratui (ms)"] / found["first paint, minimal app (ms)"]
    )

    with Terminal([*LORATUI, str(small)]) as terminal:
        terminal.wait_for("basic-grey")
        terminal.settle(1, 10)
        found["idle without a run (B/s, goal 0)"] = bytes_per_second(terminal, 6)

    for name, place, keys in (
        ("dataset", small / "basic-grey", ""), ("settings", small / "basic-grey", "gs"), ("finished run", run, ""),
        ("notes", small / "basic-grey", "gn"), ("compare", run, "gc"), ("help over a run", run, "?"),
    ):  # fmt: skip
        with Terminal([*LORATUI, str(place)]) as terminal:
            terminal.settle(1.5, 15)
            for key in keys:
                terminal.press(key)
                terminal.settle(1, 10)
            found[f"idle: {name} (B/s, goal 0)"] = bytes_per_second(terminal, 5)

    found |= _large(large)
    found |= _pages(small / "basic-grey", run)
    with Terminal([*LORATUI, str(marathon)]) as terminal:
        found[f"events of {lines:,} lines: from the start of loratui (s)"] = _full_chart(terminal, lines)
    with Terminal([*LORATUI, str(long)]) as terminal:
        terminal.wait_for(marathon.parent.parent.name)
        terminal.settle(1, 10)
        since, begin = len(terminal.raw), time.perf_counter()
        terminal.press("enter")
        _full_chart(terminal, lines, since)
        found[f"events of {lines:,} lines: from enter on the project (s, goal ≤ 2)"] = terminal.last_byte - begin
        terminal.settle(1, 5)
        found["memory then (MB, goal ≤ 80)"] = megabytes(terminal)
    return found


def _large(project: Path) -> dict[str, float]:
    """A project of many images and runs, while another is trained."""
    import subprocess

    found: dict[str, float] = {}
    with Terminal([*LORATUI, str(project.parent)]) as terminal:
        terminal.wait_for("many")
        terminal.settle(1, 15)
        found["open a project of many images to a usable list (s, goal ≤ 1)"] = seconds_until(
            terminal, "image-00005", "t"
        )
    with Terminal([*LORATUI, str(project)]) as terminal:
        terminal.wait_for("image-00005")
        found["the same from the start of loratui (s)"] = terminal.last_byte - terminal.began
    live = project.parent / "live"
    shutil.copytree(REPOSITORY / "projects" / "basic-grey", live, ignore=shutil.ignore_patterns("runs"))
    command = [*LORATUI, "--run", str(live), "--set", "train.epochs=1000", "--set", "sample.every=never"]
    trainer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=live)
    try:
        while not any(b'"kind":"step"' in log.read_bytes() for log in live.glob("runs/*/events.jsonl")):
            time.sleep(0.1)
        with Terminal([*LORATUI, str(project.parent)]) as terminal:
            terminal.wait_for("many")
            terminal.settle(1, 15)
            terminal.press("end")  # live comes before many
            terminal.settle(1, 5)
            found["memory on the list of projects (MB, goal ≤ 80)"] = megabytes(terminal)
            found["open it while another is trained on the same cores (s)"] = seconds_until(
                terminal, "image-00005", "t"
            )
            terminal.settle(1.5, 20)
            keys = key_milliseconds(terminal, ("down", "down", "up"), 60)
            found["key to first byte, median (ms, goal ≤ 30)"] = keys["median"]
            found["key to first byte, p95 (ms, goal ≤ 80)"] = keys["p95"]
            found["bytes of an answer to a key"] = keys["bytes"]
            found["memory with many images (MB, goal ≤ 80)"] = megabytes(terminal)
        newest = max((live / "runs").iterdir())
        with Terminal([*LORATUI, str(newest)]) as terminal:
            terminal.wait_for("Loss")
            terminal.settle(0.6, 6)
            found["live run page (B/s, goal ≤ 5,000)"] = bytes_per_second(terminal, 10)
            found["memory on a live run page (MB, goal ≤ 80)"] = megabytes(terminal)
    finally:
        trainer.kill()
        trainer.wait()
    return found


def _pages(project: Path, run: Path) -> dict[str, float]:
    """The grid of samples."""
    with Terminal([*LORATUI, str(run)]) as terminal:
        terminal.wait_for("Samples")
        terminal.settle(1, 10)
        terminal.press("3")
        terminal.settle(1, 5)
        before = len(terminal.raw)
        terminal.press("pagedown")
        terminal.settle(1, 5)
        flip = len(terminal.raw) - before
        before = len(terminal.raw)
        terminal.press(",")
        terminal.settle(1, 5)
        return {
            "page flip of the sample grid (B, goal ≤ 60,000)": flip,
            "slider to another step (B)": len(terminal.raw) - before,
            "memory after looking at samples (MB, goal ≤ 80)": megabytes(terminal),
        }


def _full_chart(terminal: Terminal, lines: int, since: int = 0) -> float:
    last = f"{lines - 1}"
    terminal.wait_for(lambda: last in terminal.text(since).replace(",", ""))
    return terminal.last_byte - terminal.began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--posting", default=shutil.which("posting") or "", help="command of posting, to compare with")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--lines", type=int, default=1_000_000)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="loratui-bench-") as folder:
        os.environ["LORATUI_CACHE"] = f"{folder}/cache"
        os.environ["LORATUI_CONFIG"] = f"{folder}/config.toml"
        for name, value in measure(
            Path(folder), args.posting, args.repeats, args.images, args.runs, args.lines
        ).items():
            print(f"{name:<70} {value:>12,.2f}", flush=True)


if __name__ == "__main__":
    main()
