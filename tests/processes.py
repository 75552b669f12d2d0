"""Real runs in real processes: make a frozen run, train it in a child, and kill that child at a chosen moment.

Children come from a fork server that has imported the engine once, so that a test may spend a dozen of them.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from loratui.lab.models import resolve_model
from loratui.lab.project.project import load_project
from loratui.lab.run.events import Series, read_events
from loratui.lab.run.record import frozen_project
from loratui.lab.run.runs import RunFolder, create_run

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["loratui.engine.sitting", "loratui.engine.families.sd1", "tests.processes"])


def write_project(folder: Path, model: Path | str, text: str = "") -> Path:
    """A project of three small drawings, one word each; `text` is added to its project.toml."""
    (folder / "dataset").mkdir(parents=True)
    for name, draw in (("circle", "ellipse"), ("square", "rectangle"), ("wide", "rectangle")):
        picture = Image.new("RGB", (96, 96), "white")
        box = (20, 40, 76, 56) if name == "wide" else (20, 20, 76, 76)
        getattr(ImageDraw.Draw(picture), draw)(box, fill=(120, 120, 120))
        picture.save(folder / "dataset" / f"{name}.png")
        (folder / "dataset" / f"{name}.txt").write_text(f"myshape, {name}\n", encoding="utf-8")
    (folder / "project.toml").write_text(f'[base]\nmodel = "{model}"\n{text}', encoding="utf-8")
    return folder


def new_run(project_folder: Path, *overrides: str) -> RunFolder:
    """A frozen run of the project, as `--run` makes it."""
    project = load_project(project_folder, overrides)
    model = resolve_model(project.settings.base.model, project.folder)
    record = frozen_project(project, model, {"overrides": list(overrides)})
    run = create_run(project.folder, project.name)
    run.freeze(record.record, record.captions)
    return run


def train(
    run: RunFolder,
    kill_at: int = 0,
    kill_in: str = "",
    limit: float = 120,
    spare_megabytes: int = 0,
    calls: Path | None = None,
    kill_call: int = 0,
    interrupt_at: str = "",
) -> int:
    """Train the run in a process of its own; returns its exit code, -9 when it was killed.

    kill_at: SIGKILL right after that step was logged. kill_in: SIGKILL inside the first save after that step:
    "write" (half of the state written), "mark" (before it is marked complete) or "rename" (before it has its name).
    spare_megabytes: address space it may take beyond what the imports took; 0 for no limit.
    kill_call: SIGKILL instead of that one, from 1, of the calls that change what is on disk, as `count_calls` counts
    them; what was called is written to the file `calls`.
    interrupt_at: SIGINT when the first event of that kind is logged.
    """
    environment = dict(os.environ)
    child = SERVER.Process(
        target=_child,
        args=(run.path, kill_at, kill_in, environment, spare_megabytes, calls, kill_call, interrupt_at),
    )
    child.start()
    child.join(limit)
    if child.exitcode is None:
        child.kill()
        raise TimeoutError(f"the worker of {run.path} did not end within {limit} s")
    return child.exitcode


def _child(
    path: Path,
    kill_at: int,
    kill_in: str,
    environment: dict[str, str],
    spare_megabytes: int = 0,
    calls: Path | None = None,
    kill_call: int = 0,
    interrupt_at: str = "",
) -> None:
    import torch

    os.environ.update(environment)
    torch.set_num_threads(1)
    from loratui.engine.worker import work

    def watch(event: dict[str, Any]) -> None:
        if kill_at and event["kind"] == "step" and event["step"] == kill_at:
            if not kill_in:
                os.kill(os.getpid(), signal.SIGKILL)
            _arm(kill_in)
        if interrupt_at and event["kind"] == interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)

    if spare_megabytes:
        import loratui.engine.sitting  # noqa: F401  # what it needs for itself is not to count

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        room = pages * os.sysconf("SC_PAGE_SIZE") + (spare_megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    if calls is not None:
        count_calls(path, calls, kill_call)
    raise SystemExit(work(RunFolder(path), [watch]).exit_code)


CALLS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync", "ftruncate", "write", "chmod")


def count_calls(folder: Path, list_file: Path, kill_call: int) -> None:
    """From now on, list every call that changes what is in `folder` for good; SIGKILL instead of the chosen one."""
    made: list[str] = []
    write = os.write
    out = os.open(list_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(what: Any, *rest: Any, **named: Any) -> Any:
            place = Path("/proc/self/fd", str(what)).readlink() if isinstance(what, int) else Path(what)
            if (below := named.get("dir_fd")) is not None:  # as shutil.rmtree does it
                place = Path("/proc/self/fd", str(below)).readlink() / place
            if place.is_relative_to(folder):
                made.append(name)
                if len(made) == kill_call:
                    os.kill(os.getpid(), signal.SIGKILL)
                write(out, f"{name} {place.relative_to(folder)}\n".encode())
            return real(what, *rest, **named)

        setattr(os, name, call)

    for name in CALLS:
        counted(name)


def _arm(moment: str) -> None:
    """Make the next save of a training state end in a SIGKILL at `moment`."""
    import torch

    from loratui.lab.run import runs

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "write":
        whole = torch.save

        def half(state: Any, writer: Any) -> None:
            whole(state, writer)
            file = writer.file
            file.flush()
            file.truncate(file.tell() // 2)
            die()

        torch.save = half
    elif moment == "mark":
        runs.write_atomic = die
    elif moment == "rename":
        Path.rename = die  # type: ignore[method-assign]


def losses(run: RunFolder) -> dict[int, float]:
    """Loss by step, as it counts after resumes."""
    series = Series()
    series.feed(read_events(run.events_file)[0])
    return dict(zip(*series.points("loss"), strict=True))


def final_lora(run: RunFolder) -> Path:
    return sorted(run.checkpoints.glob("*.safetensors"))[-1]


def sample_pixels(run: RunFolder) -> dict[str, bytes]:
    """Pixels of every sample by its name below samples/."""
    paths: Sequence[Path] = sorted(run.samples.glob("*/*.png"))
    return {str(p.relative_to(run.samples)): np.asarray(Image.open(p)).tobytes() for p in paths}
