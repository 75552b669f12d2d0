"""The command line as a new user meets it: real processes of `python -m loratui`, in pipes and on terminals."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from loratui.lab.project.project import load_project
from loratui.lab.project.settings import settings_from_dict, settings_to_dict
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder, latest_resume, list_runs, read_state
from tests.commands import LIMIT, Bench, Outcome, Terminal, assert_only_its_own_sequences, controls, plain_text
from tests.processes import new_run, write_project

SMALL = """
[train]
steps = 3
log_every = 1
checkpoint_every = 2
[lora]
rank = 2
[sample]
every = "end"
seeds = [1, 2]
inference_steps = [1]
"""
ODD_NAME = "od\x1b]0;owned\x07d \u202e[bold]"
ODD_CAPTION = "myshape, \x1b[2J\x1b]52;c;ZXZpbA==\x07\u202e :smile: [red]circle"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands run: an empty folder, with a cache of its own."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    return Bench(home)


@pytest.fixture(scope="module")
def project(home: Path, tiny_model: Path) -> Path:
    """A sound project. Tests that change it take a copy."""
    return write_project(home / "shapes", tiny_model, SMALL)


@pytest.fixture
def copy(project: Path) -> Iterator[Path]:
    """A fresh copy of the project, which the test may spoil."""
    place = project.parent / "copy"
    shutil.copytree(project, place, ignore=shutil.ignore_patterns("runs"))
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def odd_project(home: Path, tiny_model: Path) -> Path:
    """Everything in it that a person can name or write would do something to a terminal."""
    folder = write_project(home / ODD_NAME, tiny_model, SMALL)
    text = (folder / "project.toml").read_text(encoding="utf-8")
    (folder / "project.toml").write_text(f'question = "\\u001b[31mred? \\u202e"\n{text}', encoding="utf-8")
    (folder / "dataset/circle.txt").write_text(ODD_CAPTION, encoding="utf-8")
    (folder / "dataset/square.png").rename(folder / "dataset/sq\x1b[7mare.png")
    (folder / "dataset/square.txt").rename(folder / "dataset/sq\x1b[7mare.txt")
    return folder


def only_run(project: Path) -> RunFolder:
    (run,) = list_runs(project)
    return run


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- what there is ----------------------------------------------------------------------------------------------------


def test_help_names_verbs_options_and_examples(bench: Bench) -> None:
    outcome = bench("--help", COLUMNS="80")
    assert outcome.returncode == 0
    for words in ("verbs, one a call:", "options:", "examples:", "exit codes:", "--run PROJECT", "--resume RUN",
                  "--check PROJECT", "--status [FOLDER]", "--attach RUN", "--stop RUN", "--serve [FOLDER]",
                  "--explain [KEY]", "--readonly", "--port N", "--set KEY=VALUE", "--dry-run", "--allow-changes",
                  "--json", "loratui --run projects/basic-grey"):  # fmt: skip
        assert words in outcome.stdout, words


def test_version(bench: Bench) -> None:
    assert re.fullmatch(r"loratui \d+\.\d+\.\d+\n", bench("--version").stdout)


def test_explain_tells_of_one_setting_or_all(bench: Bench) -> None:
    one = bench("--explain", "train.min_snr_gamma")
    assert one.returncode == 0
    assert one.stdout.startswith("train.min_snr_gamma\n")
    assert one.stderr == ""
    every = bench("--explain")
    assert every.returncode == 0
    for key in ("base.model", "dataset.repeats", "lora.rank", "sample.seeds", "train.min_snr_gamma"):
        assert f"\n{key}\n" in every.stdout


def test_explain_of_an_unknown_key_suggests_one(bench: Bench) -> None:
    told = bench.refuses("--explain", "train.lerning_rate\x1b[2J")
    assert "unknown key; did you mean train.learning_rate?" in told
    assert controls(told) == set()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--json"], "--json goes with --run, --from, --check, --resume"),
        (["--explain", "--json"], "--json goes with"),
        (["--set", "a=1"], "--set goes with --run, --from, --check, --resume"),
        (["--dry-run", "--check", "x"], "--dry-run goes with --run"),
        (["--run", "x", "--allow-changes"], "--allow-changes goes with --resume"),
        (["--json", "--stop", "x"], "--json goes with --run, --from, --check, --resume, --status, --attach"),
        (["--attach", "x", "--set", "a=1"], "--set goes with"),
        (["--port", "1"], "--port goes with --serve"),
        (["--readonly", "--run", "x"], "--readonly goes with the bench itself, not with --run"),
        (["--status", "x", "y"], "unexpected argument 'y'"),
        (["--run", "x", "--check", "x"], "not allowed with"),
        (["--run", "x", "y"], "unexpected argument 'y'"),
        (["--run", "x", "y", "z"], "unexpected argument 'z'"),
        (["--run"], "--run: expected one argument"),
        (["--chekc=x"], "--chekc=x: unknown option; did you mean --check?"),
        (["--\x1b[31mrun"], "--␛[31mrun: unknown option"),
    ],
)
def test_words_that_do_not_go_together_are_refused_in_one_line(bench: Bench, words: list[str], told: str) -> None:
    said = bench.refuses(*words)
    assert told in said
    assert said.count("\n") == 1


def test_what_is_not_there_is_named(bench: Bench, project: Path) -> None:
    assert bench.refuses("--run", "nowhere").startswith("nowhere: there is no such file")
    assert bench.refuses("--check", ".").startswith(".: there is no project.toml in this folder")
    assert "nowhere: no such run or project" in bench.refuses("--resume", "nowhere")
    told = bench.refuses("--run", "shapes", "--set", "base.model=nobody/nothing")
    for words in ('base.model = "nobody/nothing" was not found', "no folder", "Hugging Face cache", "HF_HUB_OFFLINE"):
        assert words in told
    assert not (project / "runs").exists()


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_of_a_sound_project_shows_its_arithmetic_and_tokens(bench: Bench, project: Path) -> None:
    before = files_below(project)
    outcome = bench("--check", "shapes")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    for words in ("makes it 3 steps", "circle.png", "96×96 → 64×64", "4/75", "Nothing is odd about it."):
        assert words in outcome.stdout
    assert controls(outcome.stdout) == set()
    assert files_below(project) == before


def test_check_exits_with_1_for_warnings_and_2_for_errors(bench: Bench, copy: Path) -> None:
    (copy / "dataset/circle.txt").write_text("circle circle", encoding="utf-8")
    shutil.copy(copy / "dataset/wide.png", copy / "dataset/twin.png")
    warned = bench("--check", "copy", "--json")
    assert (warned.returncode, warned.stderr) == (1, "")
    report = json.loads(warned.stdout)
    assert (report["exit_code"], report["errors"]) == (1, 0)
    assert {finding["severity"] for finding in report["findings"]} == {"warning"}
    assert [image["name"] for image in report["images"]] == ["circle.png", "square.png", "twin.png", "wide.png"]
    assert report["plan"]["total_steps"] == 3
    assert bench("--check", "copy").returncode == 1

    (copy / "dataset/twin.png").write_bytes(b"no picture")
    failed = bench("--check", "copy")
    assert failed.returncode == 2
    assert "twin.png" in failed.stdout
    assert json.loads(bench("--check", "copy", "--json").stdout)["errors"] == 1


def test_check_takes_overrides(bench: Bench, project: Path) -> None:
    outcome = bench("--check", "shapes/project.toml", "--set", "train.steps=7", "--set", "lora.rank=16", "--json")
    assert json.loads(outcome.stdout)["plan"]["total_steps"] == 7


def test_starting_up_imports_nothing_heavy(bench: Bench, project: Path) -> None:
    script = """
import sys
import loratui.cli
heavy = ("torch", "diffusers", "transformers", "peft", "accelerate", "textual")
print([m for m in (*heavy, "rich", "numpy", "PIL") if m in sys.modules])
wrong = ["--run", "shapes", "--set", "train.steps=x"]
for words in (["--check", "shapes"], ["--explain", "rank"], ["--status"], wrong):
    try:
        loratui.cli.main(words)
    except SystemExit as end:
        print(end.code)
print([m for m in heavy if m in sys.modules])
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bench.home,
                             env=bench.environment, timeout=LIMIT)  # fmt: skip
    lines = outcome.stdout.splitlines()
    assert [line for line in lines if line in ("[]", "0", "2")] == ["[]", "0", "0", "0", "2", "[]"], outcome.stderr


# -- run: refusals ----------------------------------------------------------------------------------------------------


def test_a_mistyped_key_is_told_with_its_line_and_writes_nothing(bench: Bench, copy: Path) -> None:
    text = '# shapes\n\n[base]\nmodel = "x"\n\n[dataset]\npath = "dataset"\n\n[lora]\nrank = 4\n\n[train]\nepochs = 2\n'
    (copy / "project.toml").write_text(text + "lerning_rate = 1e-4\n[lora]\n", encoding="utf-8")
    before = files_below(copy)
    assert "copy/project.toml:15: " in bench.refuses("--run", "copy")  # a table twice: not TOML
    (copy / "project.toml").write_text(text + "lerning_rate = 1e-4\nbatch_size = 0\n", encoding="utf-8")
    told = bench.refuses("--run", "copy")
    assert told.splitlines()[0] == "copy/project.toml:14: train.lerning_rate: unknown key; did you mean learning_rate?"
    assert told.splitlines()[1].startswith("copy/project.toml:15: train.batch_size: expected")
    assert files_below(copy).keys() == before.keys()


def test_dataset_errors_refuse_to_train_and_write_nothing(bench: Bench, copy: Path) -> None:
    (copy / "dataset/square.png").write_bytes(b"no picture")
    before = files_below(copy)
    for words in (["--run", "copy"], ["--run", "copy", "--dry-run"]):
        outcome = bench(*words)
        assert outcome.returncode == 2
        assert "square.png" in outcome.stdout
        assert outcome.stderr == "nothing was trained: mend the errors above first; warnings may stay\n"
    as_json = bench("--run", "copy", "--json")
    assert (as_json.returncode, as_json.stdout) == (2, "")
    assert "square.png" in as_json.stderr
    assert files_below(copy) == before
    assert not (copy / "runs").exists()


def test_a_run_that_cannot_have_a_folder_says_why(bench: Bench, copy: Path) -> None:
    (copy / "runs").write_text("in the way", encoding="utf-8")
    assert "copy/runs: cannot make a run folder there" in bench.refuses("--run", "copy")


# -- run --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(bench: Bench, odd_project: Path) -> Outcome:
    return bench("--run", ODD_NAME, "--json", "--set", "train.seed=5")


def test_json_is_one_object_on_standard_output_and_people_read_the_other(finished: Outcome, odd_project: Path) -> None:
    assert finished.returncode == 0, finished.stderr
    record = json.loads(finished.stdout)
    assert finished.stdout.count("\n") == 1
    run = only_run(odd_project)
    assert (record["state"], record["reason"], record["step"], record["total"]) == ("finished", "finished", 3, 3)
    assert Path(record["run"]) == run.path
    assert Path(record["lora"]) == run.checkpoint_file(3)
    assert Path(record["sheet"]).is_file()
    for words in ("run ", "makes it 3 steps", "step 3/3", "contact sheet", "finished"):
        assert words in finished.stderr
    assert "Warning" not in finished.stderr  # of libraries


def test_the_run_folder_holds_everything(finished: Outcome, odd_project: Path) -> None:
    run = only_run(odd_project)
    found = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    pictures = [f"p{p:02d}-seed{seed}-steps1-" for p in range(3) for seed in (1, 2)]
    assert found == {
        "run.toml",
        "captions.toml",
        "events.jsonl",
        "log.txt",
        "lock",
        "checkpoints/step-000002.safetensors",
        "checkpoints/step-000003.safetensors",
        *(f"resume/step-00000{step}/{name}" for step in (2, 3) for name in ("state.pt", "progress.json", "COMPLETE")),
        *(f"samples/base/{name}base.png" for name in pictures),
        *(f"samples/step-000003/{name}scale1.png" for name in pictures),
        "samples/sheet-step-000003.png",
    }
    events = [json.loads(line) for line in run.events_file.read_text(encoding="ascii").splitlines()]
    assert [e["step"] for e in events if e["kind"] == "step"] == [1, 2, 3]
    assert events[-1]["state"] == "finished"
    assert all(Path(e["path"]).is_absolute() for e in events if "path" in e)
    with Image.open(run.samples / "sheet-step-000003.png") as sheet:
        assert min(sheet.size) > 128


def test_the_record_is_complete_and_reads_back_as_the_settings(finished: Outcome, odd_project: Path) -> None:
    run = only_run(odd_project)
    content = run.read_record()
    settings = load_project(odd_project, ["train.seed=5"]).settings
    assert settings_from_dict(content["settings"]) == read_record(run).settings == settings
    assert content["settings"].keys() == settings_to_dict(settings).keys()
    assert content["run"]["project"] == ODD_NAME
    assert content["run"]["command"] == ["--run", ODD_NAME, "--json", "--set", "train.seed=5"]
    assert set(content["model"]["sha256"]) == {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}
    assert read_record(run).images[0].caption == ODD_CAPTION


def test_the_log_is_what_a_person_would_read(finished: Outcome, odd_project: Path) -> None:
    lines = only_run(odd_project).log_file.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line) for line in lines)
    text = "\n".join(line[20:] for line in lines)
    for words in ("encoding 3 images", "training on CPU", "step 1/3 ", "step 2: saved checkpoints/step-000002",
                  "step 3: 6 pictures, contact sheet samples/sheet-step-000003.png", "finished"):  # fmt: skip
        assert words in text
    assert controls(text) == set()


def test_nothing_odd_in_a_project_reaches_a_pipe(finished: Outcome, bench: Bench) -> None:
    checked = bench("--check", ODD_NAME)
    assert "sq␛[7mare.png" in checked.stdout
    for text in (finished.stdout, finished.stderr, checked.stdout, checked.stderr):
        assert controls(text) == set()


def test_a_finished_run_is_not_resumed(finished: Outcome, bench: Bench, odd_project: Path) -> None:
    run = only_run(odd_project)
    before = files_below(run.path)
    told = bench.refuses("--resume", str(run.path))
    assert "finished at step 3; there is nothing to go on with" in told
    assert controls(told) == set()
    assert "no unfinished run" in bench.refuses("--resume", ODD_NAME)
    assert files_below(run.path) == before


def test_a_dry_run_tells_the_time_and_keeps_nothing(bench: Bench, project: Path) -> None:
    before = files_below(project)
    outcome = bench("--run", "shapes", "--dry-run", "--set", "train.steps=900", TMPDIR=str(bench.home))
    assert outcome.returncode == 0, outcome.stderr
    end = dict(re.split(r"  +", line, maxsplit=1) for line in outcome.stdout.splitlines()[-4:])
    assert end.keys() == {"dry run", "one step", "all steps", "memory"}
    seconds = float(end["one step"].removesuffix(" s"))
    minutes = re.fullmatch(r"900, about (\d+):(\d\d)", end["all steps"])
    assert minutes is not None
    assert abs(int(minutes[1]) * 60 + int(minutes[2]) - 900 * seconds) <= 1.5
    assert files_below(project) == before
    assert not (project / "runs").exists()
    assert not list(bench.home.glob("loratui-dry-run-*"))


# -- on a terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_run(bench: Bench, odd_project: Path) -> Iterator[Terminal]:
    terminal = Terminal(bench, "--run", ODD_NAME, "--set", "train.steps=1000000", "--set", "sample.every=never")
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.send_signal(signal.SIGKILL)
        terminal.process.wait()


def test_a_run_on_a_terminal_is_watched_stopped_and_gone_on_with(
    bench: Bench, odd_project: Path, long_run: Terminal
) -> None:
    long_run.read_until(r"[1-9]\d*/1000000 .* left")
    assert "\x1b[1A" in long_run.seen  # progress that is drawn over
    run = next(run for run in list_runs(odd_project) if read_state(run).name == "running")
    told = bench.refuses("--resume", str(run.path))
    assert re.search(r"another worker has this run \(running, step [1-9]\d*\)", told)

    long_run.press(b"\x03")
    assert long_run.end() == 130
    state = read_state(run)
    assert (state.name, state.reason) == ("stopped", "SIGINT")
    assert latest_resume(run) == run.resume_folder(state.step)
    for words in ("steps       ", f"{state.step} of 1000000", f"step-{state.step:06d}.safetensors",
                  "go on with: loratui --resume "):  # fmt: skip
        assert words in long_run.last_lines
    assert "stopped at step" in plain_text(long_run.seen)
    assert_only_its_own_sequences(long_run.seen)

    # It is the newest unfinished one; what changed is refused first.
    record = run.record_file.read_bytes()
    more = ["--set", f"train.steps={state.step + 3}", "--set", "sample.every=end"]
    (odd_project / "dataset/wide.txt").write_text("myshape, \x1b[2Jbroad", encoding="utf-8")
    told = bench.refuses("--resume", ODD_NAME, *more)
    for words in (f"train.steps: 1000000 → {state.step + 3}", "sample.every: never → end",
                  'caption of wide.png: "wide" → "␛[2Jbroad"', "--allow-changes"):  # fmt: skip
        assert words in told
    assert controls(told) == set()
    assert run.record_file.read_bytes() == record

    again = Terminal(bench, "--resume", ODD_NAME, *more, "--allow-changes")
    assert again.end() == 0, again.seen
    assert f"train.steps: 1000000 → {state.step + 3}" in plain_text(again.seen)
    assert f"going on from step {state.step} of {state.step + 3}" in plain_text(again.seen)
    assert f"{state.step + 3} of {state.step + 3}" in again.last_lines
    assert re.search(r"(?m)^sheet .*\.png$", again.last_lines)
    assert_only_its_own_sequences(again.seen)
    assert read_state(run).name == "finished"
    assert (run.path / f"run.until-step-{state.step:06d}.toml").read_bytes() == record
    assert read_record(run).settings.train.steps == state.step + 3


# -- when things go away ----------------------------------------------------------------------------------------------


def test_a_run_without_its_project_goes_on_though_nobody_reads(bench: Bench, copy: Path) -> None:
    run = new_run(copy, "sample.every=never")
    (copy / "project.toml").unlink()
    command = f"{sys.executable} -m loratui --resume copy/runs/{run.id} | head -1; exit ${{PIPESTATUS[0]}}"
    outcome = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=bench.home,
                             env=bench.environment, timeout=LIMIT)  # fmt: skip
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == (
        f"{copy}/project.toml is gone; going on with the settings in {copy}/runs/{run.id}/run.toml\n"
    )
    assert (read_state(run).name, read_state(run).step) == ("finished", 3)
    assert "finished" in run.log_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", ["--check shapes", "--check shapes --json", "--explain", "--help",
                                   "--check nowhere 2>&1", "--nonsense 2>&1"])  # fmt: skip
def test_output_that_nobody_reads_is_no_traceback(bench: Bench, project: Path, words: str) -> None:
    command = f"{sys.executable} -m loratui {words} | true; exit ${{PIPESTATUS[0]}}"
    outcome = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=bench.home,
                             env=bench.environment, timeout=LIMIT)  # fmt: skip
    assert outcome.stderr == ""
    assert outcome.returncode in (0, 2, 141)  # it may have been faster than `true`


def test_a_terminal_that_lacks_letters_gets_question_marks(bench: Bench, project: Path) -> None:
    outcome = bench("--check", "shapes", PYTHONIOENCODING="ascii")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "96?96 ? 64?64" in outcome.stdout


def test_a_failed_run_says_why_where_errors_are_told(bench: Bench, odd_project: Path) -> None:
    run = new_run(odd_project, "sample.every=never")
    hidden = (odd_project / "project.toml").rename(odd_project / "hidden")
    image = odd_project / "dataset/sq\x1b[7mare.png"
    content = image.read_bytes()
    try:
        image.unlink()
        outcome = bench("--resume", str(run.path), "--json")
    finally:
        image.write_bytes(content)
        hidden.rename(odd_project / "project.toml")
    assert outcome.returncode == 2
    record: dict[str, Any] = json.loads(outcome.stdout)
    assert record["state"] == "failed"
    assert record["reason"].endswith("this image of the run is gone; put it back, or start a new run")
    assert "sq␛[7mare.png: this image of the run is gone" in outcome.stderr
    assert controls(outcome.stdout + outcome.stderr) == set()
    assert "Traceback" not in outcome.stderr
