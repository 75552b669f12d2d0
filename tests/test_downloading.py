"""Who only looks at a project downloads nothing, whatever model it names; who starts a run of it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from loratui.cli import main
from loratui.lab.check.checkapart import _check
from loratui.lab.dataset.tokenview import load_tokenizer
from loratui.lab.errors import LabError
from loratui.lab.models import ModelAbsent
from loratui.lab.project.preview import preview
from loratui.lab.project.project import load_project
from loratui.lab.run import launch
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.lab.run.series import EVERY, freeze_wanted, wanted_runs
from loratui.lab.run.seriesapart import Asked, start_apart
from tests.hollow import build_hollow_model
from tests.processes import write_project

TEXT = """
[[variant]]
name = "small"
lora.rank = 2
[[claim]]
text = "Its pictures are what was asked for."
expectation = { expect = "red" }
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hub was asked for. It never answers."""
    asked: list[str] = []

    def silent(repository: str, **_: Any) -> str:
        asked.append(repository)
        raise ConnectionError("no answer")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", silent)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    return asked


@pytest.fixture
def run(tmp_path: Path, asked: list[str]) -> RunFolder:
    """A run, and a project, of a model of the hub that is not on this machine any more."""
    project = write_project(tmp_path / "shapes", "owner/name", TEXT)
    repository = tmp_path / "hub/models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    build_hollow_model(repository / "snapshots/abc")
    run = freeze_wanted(wanted_runs(project)[0])
    shutil.rmtree(repository)
    assert asked == []
    return run


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    "words", [["--run", "P", "--plan"], ["--run", "P", "--all-variants", "--plan"], ["--run", "P", "--repeats", "2",
              "--plan"], ["--from", "R", "--set", "lora.rank=2", "--plan"], ["--reproduce", "P", "--plan"]]
)  # fmt: skip
def test_a_plan_downloads_nothing(
    run: RunFolder, asked: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"P": run.project_folder, "R": run.path}
    assert command(*(places.get(word, word) for word in words)) == 2
    assert "is not on this machine yet" in capsys.readouterr().err
    assert asked == []


def test_the_check_downloads_nothing_and_says_what_it_could_not_look_at(
    run: RunFolder, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (run.project_folder / "dataset/circle.txt").unlink()
    assert command("--check", run.project_folder) == 1
    said = " ".join(capsys.readouterr().out.split())
    for words in ("warning model-absent", 'base.model = "owner/name" is not on this machine yet', "caption-missing",
                  "only images and caption files were looked at", "loratui --run downloads it"):  # fmt: skip
        assert words in said
    assert command("--check", run.project_folder, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["exit_code"], found["errors"], found["warnings"]) == (1, 0, 2)
    (run.project_folder / "dataset/circle.png").write_bytes(b"no picture")
    assert command("--check", run.project_folder) == 2
    assert asked == []


def test_what_an_interface_looks_at_downloads_nothing(run: RunFolder, asked: list[str]) -> None:
    project = run.project_folder
    assert "is not on this machine yet" in _check(project / "project.toml", lambda *_: None).notes[0]
    seen = preview(project, against=run.path)
    assert "is not on this machine yet" in seen.notes[0]
    assert seen.images
    with pytest.raises(ModelAbsent):
        load_tokenizer(load_project(project))
    assert command("--report", project) == 0
    assert asked == []


@pytest.mark.parametrize(
    "words", [["--run", "P"], ["--run", "P", "--dry-run"], ["--run", "P", "--all-variants"], ["--resume", "R"],
              ["--from", "R", "--set", "lora.rank=2"], ["--reproduce", "P"]]
)  # fmt: skip
def test_a_command_that_trains_downloads_it(
    run: RunFolder, asked: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"P": run.project_folder, "R": run.path}
    assert command(*(places.get(word, word) for word in words)) == 2
    assert "downloading failed: ConnectionError: no answer" in capsys.readouterr().err
    assert asked == ["owner/name"]
    assert list_runs(run.project_folder) == [run]


@pytest.mark.parametrize(
    "begin",
    [
        lambda run: launch.start_project(run.project_folder),
        lambda run: launch.start_wanted(wanted_runs(run.project_folder, variants=[EVERY])),
        lambda run: launch.fork(run, ["lora.rank=2"]),
        lambda run: launch.resume(run),
    ],
)
def test_a_start_from_the_bench_downloads_it(
    run: RunFolder, asked: list[str], begin: Callable[[RunFolder], object]
) -> None:
    with pytest.raises(LabError, match="downloading failed"):
        begin(run)
    assert asked == ["owner/name"]


def test_a_start_in_a_process_of_its_own_would_download_it_too(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody is there
    with pytest.raises(LabError, match="downloading failed"):
        start_apart(Asked(run.project_folder / "project.toml", variants=("", "small")))
