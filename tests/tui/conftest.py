"""What tests of the bench share: real runs on a tiny model, a folder of projects made of them, and running the app."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot

from loratui.lab.run.runs import RunFolder
from tests.processes import new_run, train, write_project

SETTINGS = """
question = "What is learned first?"
[train]
steps = 6
checkpoint_every = 3
log_every = 1
probe_every = 3
[sample]
every = 3
seeds = [1, 2]
inference_steps = [2]
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray", shape = "circle" }
[[sample.prompt]]
text = "circle"
"""


T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, on a loop of its own."""
    return asyncio.run(coroutine)


async def until(pilot: Pilot[Any], holds: Callable[[], Any], seconds: float = 60) -> Any:
    """Let the app go on until `holds()` is true, and return its value. AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        await pilot.pause()
        value = holds()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {holds}"
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config folder and a data folder of the test's own."""
    monkeypatch.setenv("LORATUI_CONFIG", str(tmp_path / "config" / "config.toml"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "config" / "config.toml"


@pytest.fixture(scope="session")
def trained_project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project `shapes` with one finished run of 6 steps, and one of rank 2. Shared: copy it before you write."""
    folder = tmp_path_factory.mktemp("trained") / "shapes"
    write_project(folder, tiny_model)
    file = folder / "project.toml"
    head, _, rest = SETTINGS.strip().partition("\n")
    file.write_text(f"{head}\n\n{file.read_text(encoding='utf-8')}\n{rest}\n", encoding="utf-8")
    for overrides in ((), ("lora.rank=2",)):
        finished = new_run(folder, *overrides)
        assert train(finished) == 0
    return folder


@pytest.fixture
def shelf(trained_project: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder of projects of the test's own: `shapes` with its two runs."""
    folder = tmp_path / "projects"
    folder.mkdir()
    shutil.copytree(trained_project, folder / "shapes")
    before = Path.cwd()
    os.chdir(tmp_path)
    yield folder
    os.chdir(before)


def runs_of(project: Path) -> list[RunFolder]:
    """Its runs, oldest first."""
    from loratui.lab.run.runs import list_runs

    return list_runs(project)
