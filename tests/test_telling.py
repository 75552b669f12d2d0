"""What was found, on the command line: notes, the table of findings, and comparisons of real small runs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from loratui.cli.arguments import parser
from loratui.cli.telling import verb
from loratui.lab.notes.observations import observe, read_observations
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scoring import refresh
from tests.commands import Bench, controls
from tests.processes import new_run, train, write_project

SMALL = """
[train]
steps = 4
log_every = 1
probe_every = 2
[lora]
rank = 2
[sample]
every = "end"
seeds = [1, 2]
inference_steps = [1]
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray" }
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("telling")


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    return Bench(home)


@pytest.fixture(scope="module")
def trained(home: Path, tiny_model: Path) -> tuple[RunFolder, ...]:
    """A run, one with another rate, a repeat, and the first again; all measured. Read only."""
    project = write_project(home / "shapes", tiny_model, SMALL)
    runs = tuple(new_run(project, *more) for more in ((), ("train.learning_rate=1e-2",), ("train.seed=5",), ()))
    for run in runs:
        assert train(run) == 0
        refresh(run)
    return runs


@pytest.fixture
def run(trained: tuple[RunFolder, ...]) -> RunFolder:
    """The newest run of a project of its own, for notes."""
    return trained[-1]


# -- note -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_nobody_outside_of_ones_group_may_write_what_is_made_whatever_the_login_says(
    bench: Bench, run: RunFolder, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        assert bench("--note", str(run.path), "seen").returncode == 0
    finally:
        os.umask(before)
    made = run.observations_file.stat().st_mode & 0o777
    run.observations_file.unlink()
    assert made == mode


def test_a_note_is_kept_whole_and_said_back_with_its_place(bench: Bench, run: RunFolder) -> None:
    picture = "samples/step-000004/p00-seed1-steps1-scale1.png"
    outcome = bench("--note", run.id[-4:], "grey \x1b[31mall over", "--verdict", "Learned", "--feature", "gray",
                    "--picture", picture)  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    said = read_observations(run)[-1]
    assert (said.note, said.verdict, said.feature, said.pictures, said.by) == (
        "grey \x1b[31mall over", "learned", "gray", (picture,), "person")  # fmt: skip
    assert said.step == 4  # of the picture
    for words in ("✓ learned", "gray", "step 4", run.id, picture, f"shapes/runs/{run.id}/observations.toml"):
        assert words in outcome.stdout
    assert controls(outcome.stdout) == set()


def test_a_run_is_named_by_its_path_its_project_or_a_part_of_its_id(
    bench: Bench, trained: tuple[RunFolder, ...]
) -> None:
    before = [len(read_observations(run)) for run in trained]
    assert bench("--note", f"shapes/runs/{trained[0].id}", "by path").returncode == 0
    assert bench("--note", "shapes", "by project: its newest").returncode == 0
    assert bench("--note", trained[1].id[-4:], "by id", "--step", "2").returncode == 0
    after = [len(read_observations(run)) for run in trained]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 0, 1]
    told = bench.refuses("--note", "shapes-", "which?")
    assert "several runs match" in told
    assert trained[0].id in told
    assert "no such run or project" in bench.refuses("--note", "nowhere", "text")


def test_pictures_may_be_named_from_here_or_from_the_run(bench: Bench, run: RunFolder, home: Path) -> None:
    name = "samples/base/p00-seed1-steps1-base.png"
    assert bench("--note", run.id[-4:], "one", "--picture", f"shapes/runs/{run.id}/{name}").returncode == 0
    assert read_observations(run)[-1].pictures == (name,)
    assert read_observations(run)[-1].step is None  # the base model has none
    (home / "link").symlink_to(run.path)
    assert bench("--note", "link", "two", "--picture", str(home / "link" / name)).returncode == 0
    assert read_observations(run)[-1].pictures == (name,)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--verdict", "nope"], "not one of learned, partly, not shown, uncertain"),
        (["--picture", "nowhere.png"], "there is no such picture, neither here nor in the run"),
        (["--picture", "elsewhere.png"], "not a picture of this run; give one below"),
        (["--step", "77"], "--step 77: the run has steps 0 to 4"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_remedy(
    bench: Bench, run: RunFolder, home: Path, more: list[str], words: str
) -> None:
    Image.new("RGB", (8, 8)).save(home / "elsewhere.png")
    before = read_observations(run)
    assert words in bench.refuses("--note", run.id[-4:], "text", *more)
    assert read_observations(run) == before


def test_an_empty_note_without_a_verdict_says_nothing(bench: Bench, run: RunFolder) -> None:
    assert "needs a note or a verdict" in bench.refuses("--note", run.id[-4:], "")
    assert bench("--note", run.id[-4:], "", "--verdict", "partly").returncode == 0


# -- findings ---------------------------------------------------------------------------------------------------------


def test_findings_tell_what_was_said_and_what_is_only_suggested(bench: Bench, trained: tuple[RunFolder, ...]) -> None:
    observe(trained[0], "=grey", feature="colour gray · myshape · 1 step", verdict="uncertain")
    outcome = bench("--findings", "shapes", COLUMNS="80")
    assert outcome.returncode == 0, outcome.stderr
    assert max(map(len, outcome.stdout.splitlines()[:12])) <= 80
    for words in ("colour gray · myshape", "? uncertain", "suggested: ", "LoRA ", "base ", "only when a person"):
        assert words in outcome.stdout

    (row, *_) = [row for row in csv.DictReader(io.StringIO(bench("--findings", "shapes", "--format", "csv").stdout))
                 if row["run"] == trained[0].id and row["feature"].startswith("colour")]  # fmt: skip
    assert (row["verdict"], row["note"], row["by"]) == ("uncertain", "'=grey", "person")
    assert row["suggested"]
    assert int(row["of"]) + int(row["uncertain"]) == 2

    document = json.loads(bench("--findings", "shapes", "--json", "--sort", "run").stdout)
    order = [found["run"] for found in document["findings"]]
    assert order == sorted(order)
    found = next(f for f in document["findings"] if f["run"] == trained[1].id and f["feature"].startswith("colour"))
    assert found["observed"] is None
    assert found["suggested"]["lora"]["n"] + found["suggested"]["lora"]["uncertain"] == 2


def test_findings_are_written_where_they_are_asked_for(bench: Bench, trained: tuple[RunFolder, ...]) -> None:
    outcome = bench("--findings", "shapes", "--output", "told/findings.md")
    assert "told/findings.md" in outcome.stdout
    assert (bench.home / "told/findings.md").read_text(encoding="utf-8").startswith("# Findings: shapes\n")
    assert bench("--findings", "shapes", "--output", "told/findings.csv").returncode == 0
    assert (bench.home / "told/findings.csv").read_text(encoding="utf-8").startswith("feature,run,verdict,")


def test_a_column_that_there_is_not_and_a_folder_that_is_no_project(bench: Bench, home: Path, trained: object) -> None:
    assert "sort by feature, verdict, n, run, time" in bench.refuses("--findings", "shapes", "--sort", "colour")
    assert "not a project" in bench.refuses("--findings", str(home / "nowhere"))


def test_a_project_without_runs_says_what_to_do(bench: Bench, home: Path, tiny_model: Path) -> None:
    write_project(home / "fresh", tiny_model, SMALL)
    assert "no runs yet; train the project with: loratui --run fresh" in bench("--findings", "fresh").stdout
    new_run(home / "fresh")
    told = bench("--findings", "fresh").stdout
    assert "nothing yet" in told
    assert "loratui --note fresh/runs/" in told


def test_a_damaged_file_is_told_of_and_the_rest_is_shown(
    bench: Bench, home: Path, trained: tuple[RunFolder, ...], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(home / "shapes", tmp_path / "damaged"))
    (copy / "runs" / trained[1].id / "scores.json").write_text("{", encoding="utf-8")
    outcome = bench("--findings", str(copy))
    assert outcome.returncode == 1
    assert "scores.json: cannot be read" in outcome.stderr
    assert "suggested" in outcome.stdout


# -- compare ----------------------------------------------------------------------------------------------------------


def test_a_comparison_says_what_differs_first(bench: Bench, trained: tuple[RunFolder, ...]) -> None:
    a, b = trained[:2]
    outcome = bench("--compare", str(a.path), b.id[-4:], COLUMNS="80")
    assert outcome.returncode == 0, outcome.stderr
    text = outcome.stdout
    places = [text.index(words) for words in (
        "One factor differs: train.learning_rate", "What differs", "Losses", "probe loss at step", "by timestep",
        "Measures", "Weights")]  # fmt: skip
    assert places == sorted(places)
    assert re.search(r"(?m)^train\.learning_rate +0\.0001 +0\.01 *$", text)
    assert re.search(r"[\u2801-\u28ff]", text)  # curves
    assert "of ΔW" in text
    assert controls(text) == set()


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`loratui --compare` in this process: a process of its own loads torch for seconds."""
    monkeypatch.chdir(home)

    def compared(*words: str) -> str:
        assert verb(parser().understood(["--compare", *words])) == 0
        return capsys.readouterr().out

    return compared


def test_pictures_stand_beside_each_other_with_their_proof(
    here: Callable[..., str], home: Path, trained: tuple[RunFolder, ...]
) -> None:
    document = json.loads(here(str(trained[0].path), str(trained[1].path), "--output", "compared", "--json"))
    assert document["files"] == [str(home / "compared" / name) for name in ("compare.md", "compare.png")]
    assert (document["refused"], document["factors"]) == (False, ["train.learning_rate"])
    assert [len(row["losses"]) for row in document["probes"]] == [2, 2, 2]
    assert len(document["probe_timesteps"]) == 8
    assert document["weights"]["pairs"][0]["pair"] == ["A", "B"]
    text = (home / "compared/compare.md").read_text(encoding="utf-8")
    assert text.index("What differs") < text.index("Losses") < text.index("Measures")
    assert "![compare](compare.png)" in text
    with Image.open(home / "compared/compare.png") as sheet:
        assert sheet.width > 3 * 128


def test_the_same_experiment_is_refused_before_its_noise_is_shown(
    here: Callable[..., str], trained: tuple[RunFolder, ...]
) -> None:
    text = here(str(trained[0].path), str(trained[3].path))
    assert text.splitlines()[1].startswith("✗ Refused: A and B train the very same thing")
    assert text.index("Refused") < text.index("what differs below is noise") < text.index("Measures")


def test_a_repeat_is_told_as_the_null(here: Callable[..., str], trained: tuple[RunFolder, ...]) -> None:
    text = here(str(trained[0].path), str(trained[2].path))
    assert "a repeat" in text.splitlines()[1]
    assert "a repeat: noise" in text
    assert "they differ in train.seed alone" in " ".join(text.split())


def test_one_run_is_no_comparison(bench: Bench, trained: tuple[RunFolder, ...]) -> None:
    assert "name two runs or more" in bench.refuses("--compare", str(trained[0].path))
    assert "A and B are the same run" in bench("--compare", "shapes", "shapes").stdout


def test_nothing_of_a_comparison_changes_a_run(
    here: Callable[..., str], bench: Bench, trained: tuple[RunFolder, ...]
) -> None:
    before = {path: path.stat().st_mtime_ns for run in trained for path in run.path.rglob("*")}
    here(str(trained[0].path), str(trained[1].path))
    bench("--findings", "shapes")
    assert {path: path.stat().st_mtime_ns for run in trained for path in run.path.rglob("*")} == before
