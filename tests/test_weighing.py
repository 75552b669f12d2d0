"""`loratui --weights` as a person gives it: tables that fit, JSON for programs, refusals before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loratui.lab.run.runs import RunFolder
from tests.commands import Bench
from tests.processes import new_run, train, write_project

SHORT = ("train.steps=3", "train.learning_rate=0.05", "sample.every='never'", "sample.seeds=[1]",
         "sample.inference_steps=[1]", "train.checkpoint_every=1")  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("weighing"))


@pytest.fixture(scope="module")
def runs(bench: Bench, tiny_model: Path) -> list[RunFolder]:
    project = write_project(bench.home / "shapes", tiny_model)
    made = [new_run(project, *SHORT, f"train.seed={seed}", *more)
            for seed, more in ((1, ()), (2, ()), (1, ("train.steps=2",)))]  # fmt: skip
    assert [train(run) for run in made] == [0, 0, 0]
    return made


def test_runs_are_told_in_tables_that_fit_eighty_columns(bench: Bench, runs: list[RunFolder]) -> None:
    outcome = bench("--weights", *(str(run.path) for run in runs))
    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert max(len(line) for line in lines if "/" not in line) <= 80
    for words in ("never what was learned", "OUT03", "cross-attention v", "effective rank", "% of it is in keys",
                  "It still changes in size", "they differ in train.seed alone", "The same trained with"):  # fmt: skip
        assert words in outcome.stdout, words
    matrix = next(i for i, line in enumerate(lines) if line.split() == ["A", "B", "C"])
    assert lines[matrix + 1].split()[2].endswith("*")
    assert lines[matrix + 1].split()[3].endswith("=")
    assert (runs[0].path / "weights.json").is_file()


def test_json_holds_all_of_it_and_the_knock_out(bench: Bench, runs: list[RunFolder]) -> None:
    outcome = bench("--weights", str(runs[0].path), "--checkpoint", "last", "--knock-out", "--seeds", "4-5", "--json")
    assert outcome.returncode == 0, outcome.stderr
    (document,) = json.loads(outcome.stdout)["runs"]
    assert document["step"] == 3
    assert [step["step"] for step in document["steps"]] == [3]
    assert sum(part["share"] for part in document["blocks"]) == pytest.approx(1)
    assert document["knockout"]["prompts"][0]["seeds"] == [4, 5]
    assert document["knockout"]["prompts"][0]["moved"]["middle"]["low"] is None  # two seeds make no interval
    assert (runs[0].path / document["knockout"]["sheets"][0]).is_file()


def test_what_cannot_be_is_refused_before_any_work(bench: Bench, runs: list[RunFolder], tmp_path: Path) -> None:
    run = str(runs[0].path)
    assert "it goes with --knock-out" in bench.refuses("--weights", run, "--seeds", "1-4")
    assert "no checkpoint of step 7; there are 1, 2, 3" in bench.refuses("--weights", run, "--checkpoint", "7")
    assert "no such run" in bench.refuses("--weights", str(tmp_path / "nothing"))
    assert "--knock-out goes with --weights" in bench.refuses("--status", "--knock-out")
    empty = new_run(runs[0].project_folder, *SHORT)
    assert "there is no checkpoint yet" in bench.refuses("--weights", str(empty.path))
