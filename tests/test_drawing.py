"""--sample and --drift as a person gives them: more pictures of a finished run, and what its LoRA moved."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from loratui.lab.run.runs import RunFolder, list_runs, read_state
from tests.commands import Bench, Terminal, controls
from tests.processes import new_run, train, write_project

SMALL = """
[train]
steps = 4
checkpoint_every = 2
[lora]
rank = 2
[sample]
every = "end"
seeds = [1, 2]
inference_steps = [1]
prompts = ["myshape", "square \\u001b[2J"]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("drawing"))


@pytest.fixture(scope="module")
def run(bench: Bench, tiny_model: Path) -> RunFolder:
    run = new_run(write_project(bench.home / "shapes", tiny_model, SMALL))
    assert train(run) == 0
    return run


@pytest.mark.usefixtures("run")
def test_a_project_stands_for_its_newest_run_and_only_what_is_missing_is_drawn(bench: Bench) -> None:
    (run,) = list_runs(bench.home / "shapes")
    outcome = bench("--sample", "shapes", "--prompt", "myshape", "--prompt", "a cup", "--seeds", "1-3",
                    "--scale", "0,1", "--checkpoint", "all")  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert f"30 pictures of {run.id}: 2 prompts, steps 2, 4, the base and scale 0, 1" in outcome.stdout
    assert "4 of them are there already" in outcome.stdout
    assert "drawn 26 of 26 pictures" in outcome.stdout
    assert outcome.stdout.count("contact sheet: shapes/runs/") == 2
    assert "loratui --measure shapes/runs/" in outcome.stdout
    assert (run.samples / "step-000002" / "p02-seed3-steps1-scale0.png").is_file()
    assert read_state(run).name == "finished"

    again = bench("--sample", run.id[-4:], "--prompt", "a cup", "--seeds", "3,1", "--scale", "1", "--json")
    told = json.loads(again.stdout)
    assert (told["drawn"], told["there"], told["steps"], told["scales"]) == (0, 4, [4], [1.0])
    assert [(p["seed"], p["scale"], p["new"]) for p in told["pictures"]] == [
        (3, None, False), (1, None, False), (3, 1.0, False), (1, 1.0, False)]  # fmt: skip
    assert all(Path(picture["path"]).is_file() for picture in told["pictures"])
    assert len(told["sheets"]) == 1
    assert "all of them are there already" in again.stderr


def test_other_options_make_other_pictures(bench: Bench, run: RunFolder) -> None:
    told = json.loads(bench("--sample", str(run.path), "--prompt", "myshape", "--negative", "blue", "--guidance", "2.5",
                            "--inference-steps", "2,1", "--seeds", "1", "--json").stdout)  # fmt: skip
    assert told["drawn"] == 4
    assert {p["number"] for p in told["pictures"]} & {0, 1} == set()
    assert [p["inference_steps"] for p in told["pictures"]] == [2, 1, 2, 1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seeds", "1-2O"), "--seeds: column 1: '1-2O' is no seed and no range; write such as 1-20,31"),
        (("--checkpoint", "3"), "there is no checkpoint of step 3; there are 2, 4; all and last do, too"),
        (("--checkpoint", "newest"), "write all, last, or steps such as 75,150 (there are 2, 4)"),
        (("--scale", "0,much"), "--scale: column 3: 'much' is not a number"),
        (("--inference-steps", "0"), "--inference-steps: column 1: '0' is out of range"),
        (("--guidance", "nan"), "--guidance: nan is out of range; write a number from 0 to 100"),
        (("--seeds", ""), "--seeds: column 1: nothing there"),
    ],
)
@pytest.mark.usefixtures("run")
def test_refusals_say_where_and_what_instead(bench: Bench, words: tuple[str, str], told: str) -> None:
    assert told in bench.refuses("--sample", "shapes", *words)


@pytest.mark.usefixtures("run")
def test_what_there_is_not_is_refused(bench: Bench) -> None:
    assert "no such run or project" in bench.refuses("--sample", "nowhere")
    assert "--scale goes with --sample" in bench.refuses("--drift", "shapes", "--scale", "1")


def test_ctrl_c_loses_nothing(bench: Bench, run: RunFolder) -> None:
    words = ("--sample", str(run.path), "--prompt", "a star", "--seeds", "1-400", "--inference-steps", "8")
    terminal = Terminal(bench, *words)
    terminal.read_until(r"drawn [1-9]\d* of 800 pictures")
    terminal.press(b"\x03")
    assert terminal.end() == 128 + signal.SIGINT
    kept = re.search(r"(\d+) of 800 pictures were drawn and are kept", terminal.seen)
    assert kept is not None, terminal.seen
    assert "Traceback" not in terminal.seen
    there = list(run.samples.glob("*/*-seed*-steps8-*.png"))
    assert 0 < int(kept[1]) == len(there) < 800
    assert not list(run.samples.glob("*/.*.part"))
    seeds = sorted({int(match[1]) for path in there if (match := re.search(r"seed(\d+)", path.name))})
    outcome = bench(*words[:4], "--seeds", ",".join(map(str, seeds[:2])), "--inference-steps", "8")
    assert "of them are there already" in outcome.stdout


def test_drift_by_group_and_checkpoint(bench: Bench, run: RunFolder) -> None:
    outcome = bench("--drift", "shapes", "--checkpoint", "all", "--seeds", "1-3", COLUMNS="80")
    assert outcome.returncode == 0, outcome.stderr
    assert re.search(r"measured (\d+) of \1 prompts", outcome.stdout)
    table = outcome.stdout.partition("how far the LoRA moves the first answer")[2]
    assert "over 3 seeds" in table
    for step in (2, 4):
        assert re.search(rf"^ +{step}( +\d\.\d{{3}}±\d\.\d{{3}}){{5}} +\d+\.\d$", table, re.MULTILINE), table
    assert re.search(r"^  unrelated “a cup” +\d\.\d{3}±\d\.\d{3} +\d\.\d{3} +\d\.\d{3}$", table, re.MULTILINE), table
    assert max(map(len, table.splitlines())) <= 80
    assert controls(outcome.stdout) == set()

    told = json.loads(bench("--drift", "shapes", "--seeds", "1", "--json").stdout)
    assert told["steps"] == [4]
    assert [row["group"] for row in told["groups"]] == [
        "trained tag", "tag in a new phrase", "tag with an unseen object", "unrelated", "empty prompt"]  # fmt: skip
    assert all(row["n"] == 3 for row in told["groups"])  # what was measured before counts
    assert (run.path / "drift.json").is_file()
