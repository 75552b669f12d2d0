"""--measure tells what a run's pictures show, on one screen and as JSON, and what it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scores import as_json, read_scores
from tests.commands import Bench, controls
from tests.lab.scores.drawnruns import GRAY, RED, drawn_run, expecting_project, put_all, shape

SEEDS = tuple(range(1, 11))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("measuring"))


@pytest.fixture(scope="module")
def run(bench: Bench, tiny_model: Path) -> RunFolder:
    run = drawn_run(expecting_project(bench.home / "shapes", tiny_model, SEEDS))
    put_all(run, 0, SEEDS, lambda seed: shape(RED, at=12), lambda seed: shape(GRAY, at=seed % 3))
    return run


def test_each_expectation_is_told_beside_the_base(bench: Bench, run: RunFolder) -> None:
    told = bench("--measure", "shapes", COLUMNS="100")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    (colour,) = (line.split() for line in lines if line.strip().startswith("colour gray"))
    assert colour[2:] == ["0/10", "(0–28", "%)", "10/10", "(72–100", "%)", "✓", "learned"]
    assert any("centre_bias" in line and "by seed -" in line for line in lines)
    assert controls(told.stdout) == set()


def test_json_is_what_the_run_folder_holds(bench: Bench, run: RunFolder) -> None:
    told = json.loads(bench("--measure", run.id[-4:], "--json").stdout)
    scores = read_scores(run)
    assert scores is not None
    assert told == {"folder": str(run.path), **json.loads(json.dumps(as_json(scores)))}


def test_a_run_without_pictures_says_how_to_get_some(bench: Bench, tiny_model: Path) -> None:
    drawn_run(expecting_project(bench.home / "none", tiny_model, SEEDS))
    assert "draw some with --sample" in bench("--measure", "none").stdout
    assert "no such run or project" in bench.refuses("--measure", "nobody")
