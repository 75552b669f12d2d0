"""--attribute on a real run: what it draws, says and leaves behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.attribution.attribution import read_attribution
from loratui.lab.run.runs import RunFolder
from tests.commands import Bench, controls
from tests.processes import new_run, train, write_project

SMALL = """
[train]
steps = 2
log_every = 1
checkpoint_every = 1
[lora]
rank = 2
[sample]
every = "end"
seeds = [1, 2]
inference_steps = [1, 2]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("attributing"))


@pytest.fixture(scope="module")
def run(bench: Bench, tiny_model: Path) -> RunFolder:
    folder = write_project(bench.home / "shapes", tiny_model, SMALL)
    for name in ("circle", "square", "wide"):
        (folder / "dataset" / f"{name}.txt").write_text("myshape, gray", encoding="utf-8")
    run = new_run(folder)
    assert train(run) == 0
    return run


@pytest.fixture(scope="module")
def told(bench: Bench, run: RunFolder) -> str:
    """What the verb says on a pipe."""
    outcome = bench("--attribute", str(run.path), "--seeds", "1-2")
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_it_draws_every_prompt_without_and_with_the_lora_and_keeps_the_table(run: RunFolder, told: str) -> None:
    table = read_attribution(run)
    assert table is not None
    assert (table.step, table.seeds, table.inference_steps) == (2, (1, 2), 2)
    assert [unit.name for unit in table.units] == ["", "bird", "myshape", "gray"]
    texts = {asked.text for asked in table.prompts}
    assert {"", "bird", "myshape", "gray", "myshape, gray", "bird, gray", "myshape, bird"} == texts
    assert {(cell.base.n + cell.base.unsure, cell.lora.n + cell.lora.unsure) for cell in table.cells} == {(2, 2)}
    for example in table.examples:
        assert (run.path / example.base).is_file() and (run.path / example.lora).is_file()
    assert Image.open(run.path / "attribution.png").width >= 900


def test_it_fits_eighty_columns_and_says_what_each_word_means(told: str) -> None:
    table = told[told.index("(no tag)") : told.index("colour gray:")].splitlines()
    assert max(len(line) for line in table) <= 80
    assert re.search(r"\n +base \d/\d", told)
    assert "myshape" in told and "untrained word is “bird”" in told and "95 % intervals" in told
    assert not controls(told)


def test_again_nothing_is_drawn_and_the_json_is_whole(bench: Bench, run: RunFolder, told: str) -> None:
    pictures = {path: path.stat().st_mtime_ns for path in run.samples.glob("*/*.png")}
    outcome = bench("--attribute", str(run.path), "--seeds", "1-2", "--json")
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert document["tables"][0]["untrained"] == "bird" and Path(document["pictures"][0]).name == "attribution.png"
    assert {path: path.stat().st_mtime_ns for path in run.samples.glob("*/*.png")} == pictures


def test_another_checkpoint_is_added_to_the_table(bench: Bench, run: RunFolder, told: str) -> None:
    assert bench("--attribute", str(run.path), "--seeds", "1", "--checkpoint", "1").returncode == 0
    first, last = read_attribution(run, 1), read_attribution(run)
    assert first is not None and last is not None
    assert (first.step, last.step, first.seeds) == (1, 2, (1,))
    assert (run.path / "attribution-step-000001.png").is_file()  # that of the last step stays in attribution.png


def test_what_cannot_be_attributed_is_refused_before_anything_is_drawn(bench: Bench, tiny_model: Path) -> None:
    folder = write_project(bench.home / "mute", tiny_model, SMALL)
    for name in ("circle", "square", "wide"):
        (folder / "dataset" / f"{name}.txt").write_text(", ", encoding="utf-8")
    mute = new_run(folder)
    assert "no checkpoint yet" in bench.refuses("--attribute", str(mute.path))
    mute.checkpoints.mkdir(exist_ok=True)
    mute.checkpoint_file(1).touch()
    assert "have no tags" in bench.refuses("--attribute", str(mute.path))
    assert "no such run" in bench.refuses("--attribute", str(bench.home / "nowhere"))
