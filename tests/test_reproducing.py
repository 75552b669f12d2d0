"""--reproduce trains what is missing, draws, measures, and writes how the claims came out; again, it only measures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loratui.lab.run.runs import list_runs
from tests.commands import Bench
from tests.processes import write_project

TEXT = """
[train]
steps = 3
log_every = 1
[lora]
rank = 2
[sample]
every = "end"
seeds = [1, 2, 3]
inference_steps = [2]
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray", coverage = [0.0, 1.0] }
[[variant]]
name = "seed-1"
train.seed = 1
[[variant]]
name = "shouted"
replace_tags = { myshape = "MYSHAPE" }
[[claim]]
text = "Gray | is learned."
expectation = "colour"
[[claim]]
text = "Shouting helps."
expectation = { expect = "colour", more_often_than_variant = "shouted" }
[[claim]]
text = "It is beautiful."
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproducing")


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    return Bench(home)


@pytest.fixture(scope="module")
def shelf(home: Path, tiny_model: Path) -> Path:
    """Two projects, of which one claims nothing."""
    write_project(home / "shelf" / "shapes", tiny_model, TEXT)
    write_project(home / "shelf" / "quiet", tiny_model)
    return home / "shelf"


def test_it_trains_draws_measures_and_tells_and_goes_on_where_it_was(bench: Bench, shelf: Path) -> None:
    planned = json.loads(bench("--reproduce", "shelf", "--plan", "--json").stdout)
    assert [(p["project"], p["total_steps"]) for p in planned["projects"]] == [("shapes", 6)]
    assert list_runs(shelf / "shapes") == []

    first = bench("--reproduce", "shelf", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    answers = told["experiments"][0]["answers"]
    assert [answer["claim"] for answer in answers] == ["Gray | is learned.", "Shouting helps.", "It is beautiful."]
    assert re.match(r"\d/\d \(\d+–\d+ %\)", answers[0]["measured"])
    assert "over 2 training seeds" in answers[0]["note"]
    assert answers[1]["answer"] == "uncertain"
    assert "the very same experiment" in answers[1]["note"]
    assert answers[2]["answer"] == "for a person"
    assert [(run["variant"], run["steps"]) for run in told["runs"]] == [("", 3), ("seed-1", 3)]
    text = (shelf / "reproduction.md").read_text(encoding="utf-8")
    assert r"Gray \| is learned." in text
    assert "quiet: has no" in first.stderr

    runs = list_runs(shelf / "shapes")
    assert len(runs) == 2
    assert all(list((run.path / "training").glob("*.png")) for run in runs)
    again = bench("--reproduce", "shelf/shapes", "--output", "again.md")
    assert again.returncode == 0, again.stderr
    assert list_runs(shelf / "shapes") == runs
    assert (bench.home / "again.md").read_text(encoding="utf-8") == text
    assert "Gray | is learned." in again.stdout


def test_what_cannot_be_reproduced_is_named(bench: Bench, shelf: Path) -> None:
    assert "none of these projects has a [[claim]]" in bench.refuses("--reproduce", "shelf/quiet")
    assert "there is no such folder" in bench.refuses("--reproduce", "nowhere")
    assert "there are no projects in this folder" in bench.refuses("--reproduce", "shelf/quiet/dataset")
