"""How long a run would take: told from runs that were made here, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.project.estimate import Estimate, size_words, time_words
from loratui.lab.project.measured import Measured, measure, measured
from loratui.lab.project.outlook import Outlook, outlook
from loratui.lab.project.preview import Preview, Seen
from loratui.lab.project.project import load_project
from loratui.lab.project.settings import Settings
from loratui.lab.run.runs import RunFolder
from tests.processes import new_run, write_project

SETTINGS = """
[train]
steps = 100
checkpoint_every = 50
probe_every = 50
[sample]
every = 50
seeds = [1, 2]
inference_steps = [10]
[[sample.prompt]]
text = "myshape"
"""
SEEN = Preview(images=tuple(Seen(1, 96, 96) for _ in range(3)), resolution=64, align=16)


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path) -> Path:
    return write_project(tmp_path / "shapes", tiny_model, SETTINGS)


def past(project: Path, *overrides: str, it_s: float = 10.0, device: str = "CPU, 1 thread") -> RunFolder:
    """A run of the project that took 1 s to start, 1/it_s for a step, 0.5 s a probe, 0.25 s a save, 2 s a picture."""
    run = new_run(project, *overrides)
    clock = 1000.0
    lines: list[dict[str, Any]] = []

    def tell(kind: str, later: float, **fields: Any) -> None:
        nonlocal clock
        clock += later
        lines.append({"kind": kind, "t": round(clock, 3), **fields})

    tell("message", 0, text="loading")
    tell("state", 1, state="running", step=0, total=100, device=device)
    tell("probe", 0.5, step=0, loss=0.1)
    for step in range(1, 101):
        tell("step", 1 / it_s, step=step, loss=0.1, it_s=it_s)
        if step % 50 == 0:
            tell("probe", 0.5, step=step, loss=0.1)
            tell("checkpoint", 0.25, step=step, path="x")
            tell("sample", 2, step=step, path="x")
            tell("sample", 2, step=step, path="x")
            tell("sample", 0, step=step, path="x", sheet=True)
    tell("state", 0, state="finished", step=100, seconds=clock - 1000)
    run.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return run


def figures(project: Path, *overrides: str, known: list[Measured] | None = None) -> Outlook:
    settings: Settings = load_project(project, overrides).settings
    return outlook(settings, SEEN, measured([project]) if known is None else known)


def told(found: Outlook) -> Estimate:
    assert found.estimate is not None
    return found.estimate


def test_the_same_settings_again_take_as_long_as_they_took(project: Path) -> None:
    run = past(project)
    found = figures(project)
    # 1 s to start, 100 steps of 0.1 s, probes at 0, 50 and 100, 2 saves, 4 pictures of 2 s.
    assert told(found).seconds == pytest.approx(1 + 10 + 3 * 0.5 + 2 * 0.25 + 4 * 2)
    assert found.steps_words.endswith(", about 21 s here")
    assert found.basis_words == "from the last run of this kind"
    assert run.is_frozen


def test_twice_the_steps_take_twice_as_long_and_without_pictures_less(project: Path) -> None:
    past(project)
    once, twice = told(figures(project)), told(figures(project, "train.steps=200"))
    assert twice.seconds - once.seconds == pytest.approx(10 + 2 * 0.5 + 2 * 0.25 + 4 * 2)
    assert told(figures(project, "sample.every=never")).seconds == pytest.approx(once.seconds - 8)
    assert told(figures(project, "sample.inference_steps=[21]")).seconds > once.seconds


def test_of_several_runs_the_median_counts(project: Path) -> None:
    for it_s in (10.0, 1.0, 20.0):
        past(project, it_s=it_s)
    found = told(figures(project))
    assert found.step == pytest.approx(0.1)
    assert found.basis == "from the last 3 runs of this kind"


def test_another_batch_is_scaled_and_that_is_said(project: Path) -> None:
    past(project)
    found = told(figures(project, "train.batch_size=2", "train.gradient_accumulation=2"))
    assert found.step == pytest.approx(0.4)
    assert not found.is_exact and found.words.startswith("roughly")
    assert found.basis == "scaled from a run with 1 image a step"
    assert "other targets" in told(figures(project, "lora.targets=linear")).basis


def test_nothing_is_known_without_a_run_and_that_is_said(project: Path) -> None:
    found = figures(project)
    assert found.estimate is None
    assert found.plan is not None and found.plan.total_steps == 100
    assert found.basis_words == "no run here yet: the first one will tell"
    assert "here" not in found.steps_words


def test_a_run_that_was_copied_from_another_machine_does_not_count(project: Path) -> None:
    run = past(project)
    text = run.record_file.read_text(encoding="utf-8")
    head, _, machine = text.partition("[machine]")
    run.record_file.write_text(head + "[machine]" + machine.replace("cores = ", "cores = 9"), encoding="utf-8")
    assert measure(run) is None
    assert figures(project).estimate is None


def test_a_run_on_another_device_or_model_does_not_count(project: Path, tmp_path: Path, tiny_model: Path) -> None:
    known = measured([past(project).project_folder])
    assert figures(project, "train.device=cuda", known=known).estimate is None
    assert figures(project, "train.device=cpu", known=known).estimate is not None
    shutil.copytree(tiny_model, tmp_path / "other-model")
    other = write_project(tmp_path / "other", tmp_path / "other-model", SETTINGS)
    assert figures(other, known=known).estimate is None


def test_runs_of_the_projects_beside_it_count_too(project: Path, tmp_path: Path, tiny_model: Path) -> None:
    past(project)
    other = write_project(tmp_path / "other", tiny_model, SETTINGS)
    assert told(figures(other, known=measured([other, project]))).is_exact


@pytest.mark.parametrize("log", [b"", b"garbage\n\xff\xfe\n[1]\n{}\n", b'{"kind":"step","t":1,"it_s":"nan"}\n'])
def test_a_damaged_log_tells_nothing(project: Path, log: bytes) -> None:
    run = past(project)
    run.events_file.write_bytes(log)
    assert measure(run) is None
    run.record_file.write_text("[machine\n", encoding="utf-8")
    assert measured([project]) == []


def test_only_the_ends_of_a_long_log_are_read(project: Path) -> None:
    run = past(project)
    lines = run.events_file.read_text(encoding="utf-8").splitlines(keepends=True)
    slow = json.dumps({"kind": "step", "t": 1500.0, "step": 1, "it_s": 0.001}) + "\n"
    run.events_file.write_text("".join([*lines[:400], slow * 1 + " " * 60_000 + "\n", *lines[-200:]]), encoding="utf-8")
    found = measure(run)
    assert found is not None and found.device == "CPU, 1 thread"
    assert found.step == pytest.approx(0.1)


def test_the_disk_a_run_needs_follows_its_rank_and_its_checkpoints(project: Path) -> None:
    run = past(project)
    assert told(figures(project)).bytes == 0  # nothing was saved, so nothing is known
    run.checkpoint_file(50).write_bytes(b"x" * 8000)
    run.resume_folder(50).mkdir()
    (run.resume_folder(50) / "state.pt").write_bytes(b"x" * 30_000)
    (run.samples / "step-000050").mkdir()
    (run.samples / "step-000050" / "p00.png").write_bytes(b"x" * 500)
    found = figures(project)
    assert told(found).bytes == 2 * 8000 + 2 * 30_000 + 4 * 500
    assert found.kept_words == "2 checkpoints, 4 pictures, about 78 kB"
    assert told(figures(project, "lora.rank=16")).bytes == 2 * (2 * 8000 + 2 * 30_000) + 4 * 500


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (59.6, "1 min"),
        (100, "1 min 40 s"),
        (1799, "30 min"),
        (7500, "2 h 5 min"),
        (400_000, "4 days 15 h"),
    ],
)
def test_times_are_said_in_two_units(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


def test_sizes_are_said_as_disks_are_sold() -> None:
    assert [size_words(n) for n in (740_000, 21_400_000, 1_400_000_000)] == ["740 kB", "21 MB", "1.4 GB"]
