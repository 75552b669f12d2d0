"""What a person sees of a headless run: on real pseudo-terminals, in pipes, and when the terminal goes away."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from loratui.console import Watcher, final_table
from loratui.lab.project.plan import Marks, Plan
from loratui.lab.run.events import read_events
from loratui.lab.run.runs import RunFolder

PLAN = Plan(
    images=3, repeats=((10, 3),), bucket_images=(((64, 64), 3),), views_per_epoch=30, batch_size=1, accumulation=1,
    batches_per_epoch=30, steps_per_epoch=30, total_steps=60, epochs_asked=2,
    checkpoint_steps=Marks(30, 60), sample_steps=Marks(30, 60),
)  # fmt: skip

PLAY = """
import sys
from pathlib import Path
from rich.console import Console
from loratui.console import Watcher, final_table
from loratui.lab.run.events import EventLog
from loratui.lab.run.runs import RunFolder
from tests.test_console import PLAN, play
run = RunFolder(Path(sys.argv[1]))
console = Console(highlight=False)
with Watcher(console, run, PLAN, sys.argv[2]) as watcher, EventLog(run.events_file, [watcher]) as log:
    record = play(log, run.path, wait=sys.stdin.readline if sys.argv[3] == "wait" else None)
final_table(console, record)
"""


def play(log: Any, folder: Path, wait: Any = None) -> dict[str, Any]:
    """The events of a short run."""
    log.emit("state", state="running", step=0, total=60, arithmetic=PLAN.arithmetic, device="CPU", trainable=9)
    log.emit("probe", step=0, loss=0.5)
    for step in range(1, 61):
        log.emit("step", step=step, epoch=1, loss=0.25, smoothed=0.5, lr=1e-4, it_s=20.0, memory=2**30)
        if step == 30:
            log.emit("warning", text="odd [bold]\x1b]52;c;ZXZpbA==\x07 thing")
            log.emit("checkpoint", step=30, path=str(folder / "checkpoints" / "a.safetensors"))
            log.emit("sample", step=30, path=str(folder / "a.png"))
            log.emit("sample", step=30, path=str(folder / "sheet.png"), sheet=True)
            if wait:
                wait()
    return dict(
        log.emit("state", state="finished", step=60, total=60, seconds=75.0, reason="finished", first_probe=0.5,
                 last_probe=0.25, relative_delta=0.0123, memory=2**30, lora=str(folder / "lora.safetensors"),
                 sheet=str(folder / "sheet.png"), log=str(folder / "log.txt"), run=str(folder))
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "sheet.png")
    return RunFolder(tmp_path)


class Terminal:
    """A child on a pseudo-terminal of a given width."""

    def __init__(self, run: RunFolder, width: int = 80, pictures: str = "auto", wait: bool = False, **env: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "VIRTUAL_ENV")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLAY, str(run.path), pictures, "wait" if wait else "go"],
            stdin=subprocess.PIPE, stdout=slave, stderr=subprocess.PIPE, cwd=Path(__file__).parent.parent,
            env={**kept, "TERM": "xterm-256color", "PYTHONPATH": ".", **env},
        )  # fmt: skip
        os.close(slave)

    def output(self) -> str:
        """All that it wrote until its end."""
        content = b""
        while True:
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # Linux says EIO when the other side is closed
                break
            if not chunk:
                break
            content += chunk
        os.close(self.master)
        _, errors = self.process.communicate()
        assert self.process.returncode == 0, errors.decode()
        return content.decode()


def piped(run: RunFolder, **env: str) -> str:
    out = subprocess.run(
        [sys.executable, "-c", PLAY, str(run.path), "auto", "go"],
        capture_output=True, text=True, cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONPATH": ".", "PYTHONIOENCODING": "utf-8", **env},
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    return out.stdout


def controls(text: str) -> set[str]:
    return {c for c in text if c < " " or "\x7f" <= c <= "\x9f"} - {"\n"}


def test_a_terminal_gets_a_live_region_with_everything_about_the_run(run: RunFolder) -> None:
    output = Terminal(run, width=100).output()
    for words in ("3 images × 10 repeats × 2 epochs ÷ batch 1 = 60 steps", "30/60", "epoch 1", "loss 0.2500",
                  "smooth 0.5000", "lr 1.0e-04", "20.0 it/s", "0:02 left", "1.0 GiB", "CPU",
                  f"step 30: 1 picture, contact sheet {run.path}/sheet.png"):  # fmt: skip
        assert words in output, words
    assert "\x1b[1A" in output  # the region is drawn over
    assert output.count("\x1b[?25l") == output.count("\x1b[?25h") == 1  # the cursor comes back


def test_the_end_is_a_small_table_and_every_path_in_one_piece(run: RunFolder) -> None:
    output = Terminal(run, width=40).output()
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output[output.rindex("\x1b[?25h") :])
    assert [line.split(None, 1) for line in end.replace("\r", "").splitlines() if line.strip()][-9:] == [
        ["steps", "60 of 60"],
        ["time", "1:15"],
        ["probe", "loss  0.5000 at first, 0.2500 at last"],
        ["weights", "moved by 1.23% of their size"],
        ["memory", "1.0 GiB"],
        ["LoRA", f"{run.path}/lora.safetensors"],
        ["sheet", f"{run.path}/sheet.png"],
        ["log", f"{run.path}/log.txt"],
        ["run", str(run.path)],
    ]


def test_text_from_outside_does_nothing_to_the_terminal(run: RunFolder) -> None:
    output = Terminal(run).output()
    assert "warning: odd [bold]␛]52;c;ZXZpbA==␇ thing" in output
    assert "\x1b]52" not in output
    assert "\x07" not in output


def test_a_pipe_gets_lines_without_one_control_sequence(run: RunFolder) -> None:
    for env in ({}, {"FORCE_COLOR": "1"}, {"TERM": "xterm-kitty"}):
        (run.path / "events.jsonl").unlink(missing_ok=True)
        output = piped(run, **env)
        assert controls(output) == set()
        lines = output.splitlines()
        assert lines[1] == PLAN.arithmetic
        assert lines[3].startswith("step 1/60 epoch 1 loss 0.2500 (smooth 0.5000) probe 0.5000 lr 1.0e-04 20.0 it/s")
        assert [line.split()[1] for line in lines if line.startswith("step ") and "loss" in line] == ["1/60", "60/60"]
        assert f"step 30: saved {run.path}/checkpoints/a.safetensors" in lines
        assert lines[-1] == f"run         {run.path}"


def test_a_dumb_terminal_gets_lines_too(run: RunFolder) -> None:
    output = Terminal(run, TERM="dumb").output()
    assert controls(output) == {"\r"}
    assert "step 60/60 epoch 1" in output


def test_colours_can_be_refused(run: RunFolder) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-7]|4[0-9])[0-9;]*m")
    assert colour.search(Terminal(run).output())
    assert not colour.search(Terminal(run, NO_COLOR="1").output())


def test_an_output_that_knows_only_ascii_gets_ascii(run: RunFolder) -> None:
    output = piped(run, PYTHONIOENCODING="ascii")
    assert "3 images ? 10 repeats ? 2 epochs ? batch 1 = 60 steps" in output
    assert "60 of 60" in output


def test_a_terminal_known_to_take_pictures_gets_the_sheet_and_others_do_not(run: RunFolder) -> None:
    assert Terminal(run, TERM="xterm-kitty").output().count("\x1b_G") == 1
    assert "\x1b]1337;File=" in Terminal(run, LC_TERMINAL="iTerm2").output()
    assert "\x1b_G" not in Terminal(run, pictures="none", TERM="xterm-kitty").output()
    plain_terminal = Terminal(run).output()
    assert "\x1b_G" not in plain_terminal
    assert "▀" not in plain_terminal
    assert "▀" in Terminal(run, pictures="blocks").output()


def test_a_run_goes_on_when_the_reader_of_its_pipe_goes_away(run: RunFolder) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PLAY, str(run.path), "auto", "wait"], env={**os.environ, "PYTHONPATH": "."},
        cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.close()
    assert child.communicate(b"\n")[1] == b""
    assert child.returncode == 0
    assert read_events(run.events_file)[0][-1]["state"] == "finished"


def test_a_run_goes_on_when_its_terminal_goes_away(run: RunFolder) -> None:
    child = Terminal(run, wait=True)
    seen = b""
    while b"contact sheet" not in seen:
        seen += os.read(child.master, 65536)
    os.close(child.master)
    _, errors = child.process.communicate(b"\n")
    assert child.process.returncode == 0, errors.decode()
    events, _ = read_events(run.events_file)
    assert [e["step"] for e in events if e["kind"] == "step"] == [*range(1, 61)]
    assert events[-1]["state"] == "finished"


@pytest.mark.parametrize("width", [20, 38, 80, 200])
def test_the_live_region_is_two_lines_at_any_width(run: RunFolder, width: int) -> None:
    console = Console(width=width, force_terminal=True, color_system=None)
    watcher = Watcher(console, run, PLAN)
    watcher({"kind": "state", "t": 0.0, "state": "running", "step": 0, "total": 60, "device": "GPU " * 20})
    watcher._latest = {"kind": "step", "t": 1.0, "step": 30, "epoch": 1, "loss": 0.1, "smoothed": 0.1, "lr": 1e-4}
    lines = console.render_lines(watcher._region(), pad=False)
    assert len(lines) == 2
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)


def test_a_watcher_hides_why_a_run_failed_because_errors_are_told_elsewhere(run: RunFolder) -> None:
    console = Console(record=True, width=80, file=io.StringIO())
    with Watcher(console, run, PLAN) as watcher:
        watcher({"kind": "state", "t": 0.0, "state": "failed", "reason": "out of memory"})
    assert console.export_text().splitlines()[1:] == ["failed"]


def test_a_table_of_a_dry_run_says_what_to_expect(run: RunFolder) -> None:
    console = Console(record=True, width=80, file=io.StringIO())
    final_table(console, {"state": "finished", "reason": "dry run", "total": 750, "step_seconds": 0.1234,
                          "estimated_seconds": 92.5, "memory": 2**30})  # fmt: skip
    text = console.export_text()
    assert "nothing was kept" in text
    assert "0.1234 s" in text
    assert "750, about 1:32" in text


def test_a_record_with_nothing_in_it_makes_no_table(run: RunFolder) -> None:
    console = Console(record=True, width=80, file=io.StringIO())
    final_table(console, {"kind": "state", "state": "failed", "reason": "x"})
    assert console.export_text() == ""


def test_the_console_needs_neither_torch_nor_textual() -> None:
    script = "import sys, loratui.console; print([m for m in ('torch', 'textual', 'PIL', 'numpy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
