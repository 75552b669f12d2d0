"""--verify tells what a run lacks of what its plan promised, and what to do; a finished run verifies itself."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.files import append_line
from loratui.lab.run.events import last_event
from loratui.lab.run.lock import RunLock
from loratui.lab.run.resuming import reconcile
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.verify import Verification, verify
from tests.commands import Bench
from tests.processes import new_run, train, write_project

SETTINGS = """
[lora]
rank = 1
[train]
steps = 4
checkpoint_every = 2
log_every = 1
[sample]
every = 2
seeds = [1]
inference_steps = [1]
"""
COUNTS = {
    "LoRAs": (2, 2),
    "pictures": (9, 9),
    "contact sheets": (2, 2),
    "steps in the log": (4, 4),
    "saved states": (2, 2),
}
PICTURE = "p00-seed1-steps1-scale1.png"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> RunFolder:
    project = write_project(tmp_path_factory.mktemp("verify") / "shapes", tiny_model, SETTINGS)
    run = new_run(project, "train.seed=3")
    assert train(run) == 0
    return run


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    (tmp_path / "runs").mkdir()
    return RunFolder(shutil.copytree(trained.path, tmp_path / "runs" / trained.id))


def flip(file: Path, place: float = 0.5) -> None:
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 1
    file.write_bytes(content)


def faults(found: Verification) -> dict[str, str]:
    return {fault.file: fault.what for fault in found.faults}


def test_a_run_that_is_whole_says_so_itself_and_when_it_is_asked(run: RunFolder, trained: RunFolder) -> None:
    last = last_event(trained.events_file, "state")
    assert last is not None
    assert last["whole"] is True
    assert {subject: tuple(counted) for subject, counted in last["verified"].items()} == COUNTS
    found = verify(run)
    assert (found.whole, found.faults, found.remarks, found.counts) == (True, (), (), COUNTS)
    assert found.words == "verified: 2 LoRAs, 9 pictures, 2 contact sheets, 4 steps in the log, 2 saved states"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def forget_steps(run: RunFolder) -> None:
    lines = run.events_file.read_text().splitlines(keepends=True)
    run.events_file.write_text(
        "".join(line for line in lines if '"kind":"step","t":' not in line or '"step":3' not in line)
    )


def forget_loss(run: RunFolder) -> None:
    run.events_file.write_text(run.events_file.read_text().replace('"step":3,"epoch":1,"loss"', '"step":3,"l"'))


DAMAGES: dict[str, tuple[Callable[[RunFolder], object], str, str]] = {
    "no LoRA": (lambda r: r.checkpoint_file(2).unlink(), "checkpoints/step-000002.safetensors", "missing"),
    "a bit of a LoRA": (
        lambda r: flip(r.checkpoint_file(2), 0.99),
        "checkpoints/step-000002.safetensors",
        "not what was saved: its hash is",
    ),
    "a cut LoRA": (lambda r: cut(r.checkpoint_file(2)), "checkpoints/step-000002.safetensors", ""),
    "no picture": (
        lambda r: (r.samples / "step-000002" / PICTURE).unlink(),
        f"samples/step-000002/{PICTURE}",
        "missing",
    ),
    "no base picture": (
        lambda r: (r.samples / "base" / "p00-seed1-steps1-base.png").unlink(),
        "samples/base/p00-seed1-steps1-base.png",
        "missing",
    ),
    "another's picture": (
        lambda r: shutil.copy(r.samples / "step-000004" / PICTURE, r.samples / "step-000002" / PICTURE),
        f"samples/step-000002/{PICTURE}",
        "not of this run's LoRA, or does not say so",
    ),
    "a cut picture": (
        lambda r: flip(r.samples / "step-000002" / PICTURE, 0.9),
        f"samples/step-000002/{PICTURE}",
        "damaged or cut short",
    ),
    "no sheet": (lambda r: (r.samples / "sheet-step-000002.png").unlink(), "samples/sheet-step-000002.png", "missing"),
    "a gap in the log": (forget_steps, "events.jsonl", "does not tell of step 3"),
    "a step without its loss": (
        lambda r: r.events_file.write_text(
            r.events_file.read_text().replace('"step":3,"epoch":1,"loss"', '"step":3,"l"')
        ),
        "events.jsonl",
        "does not tell of step 3",
    ),
    "a bit of a state": (
        lambda r: flip(r.resume_folder(4) / "state.pt"),
        "resume/step-000004",
        "state.pt is not as it was written",
    ),
    "another record": (
        lambda r: r.record_file.write_text(r.record_file.read_text().replace("seed = 3", "seed = 4")),
        "run.toml",
        "it or captions.toml is not what was trained with",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_is_missing_or_damaged_is_named_and_nothing_else(run: RunFolder, what: str) -> None:
    damage, file, words = DAMAGES[what]
    damage(run)
    found = verify(run)
    assert not found.whole
    assert list(faults(found)) == [file]
    assert words in faults(found)[file]
    assert all(fault.remedy for fault in found.faults)


def test_the_command_says_what_to_do_and_what_it_says_mends_it(
    run: RunFolder, trained: RunFolder, tmp_path: Path
) -> None:
    (run.samples / "step-000002" / PICTURE).unlink()
    (run.samples / "sheet-step-000002.png").unlink()
    loratui = Bench(tmp_path)
    said = loratui("--verify", str(run.path))
    assert said.returncode == 1
    assert f"{run.id}: not whole" in said.stdout
    remedy = f"loratui --sample {run.path} --checkpoint 2 draws it"
    assert said.stdout.count(remedy) == 1
    assert loratui("--sample", str(run.path), "--checkpoint", "2").returncode == 0
    assert (run.samples / "step-000002" / PICTURE).read_bytes() == (
        trained.samples / "step-000002" / PICTURE
    ).read_bytes()
    said = loratui("--verify", str(run.path), "--json")
    assert said.returncode == 0, said.stdout
    assert json.loads(said.stdout)["whole"] is True


def test_a_lost_lora_is_trained_again_with_the_settings_it_had(run: RunFolder, trained: RunFolder) -> None:
    run.checkpoint_file(2).unlink()
    [fault] = verify(run).faults
    project = trained.project_folder / "project.toml"
    assert fault.remedy.endswith(f"to the same bits: loratui --run {project} --set train.seed=3")


def test_a_run_that_is_not_finished_is_not_whole_and_is_gone_on_with(trained: RunFolder) -> None:
    run = new_run(trained.project_folder)
    assert train(run, kill_at=3) == -9
    found = verify(run)
    assert [fault.text for fault in found.faults] == [
        f"{run.id}: the run is interrupted at step 3; go on with it: loratui --resume {run.path}"
    ]
    assert train(run) == 0
    assert verify(run).whole


def test_a_live_run_is_not_verified(run: RunFolder) -> None:
    with RunLock(run.lock_file), pytest.raises(LabError, match="a worker has this run"):
        verify(run)


def test_pictures_that_could_not_be_drawn_are_missing_with_their_reason(run: RunFolder) -> None:
    (run.samples / "step-000002" / PICTURE).unlink()
    append_line(run.events_file, '{"kind":"warning","t":1.0,"text":"sampling at step 2 failed: out of memory"}')
    assert faults(verify(run)) == {f"samples/step-000002/{PICTURE}": "missing (out of memory)"}


def test_what_changed_outside_of_the_run_is_a_remark(run: RunFolder, trained: RunFolder) -> None:
    image = trained.project_folder / "dataset" / "circle.png"
    before = image.read_bytes()
    try:
        image.write_bytes(b"other")
        found = verify(run)
    finally:
        image.write_bytes(before)
    assert found.whole
    assert found.remarks == ("1 of 3 training images changed or are gone since: circle.png",)


def test_a_run_that_went_on_with_other_settings_owes_only_what_they_promise_from_there(trained: RunFolder) -> None:
    project = trained.project_folder
    run = new_run(project)
    assert train(run, kill_at=3) == -9
    reconcile(run, ["train.checkpoint_every=1"], allow_changes=True)
    assert train(run) == 0
    found = verify(run)
    assert found.faults == ()
    assert found.counts["LoRAs"] == (3, 3)  # of step 2 as it was, of 3 and 4 by the new settings
    run.checkpoint_file(2).unlink()
    [fault] = verify(run).faults
    assert fault.remedy == "only the settings of its run.toml train it again"


def test_a_step_that_somebody_made_up_costs_no_memory(run: RunFolder) -> None:
    event = last_event(run.events_file, "state")
    assert event is not None
    append_line(run.events_file, json.dumps({**event, "step": 10**15}, separators=(",", ":")))
    began = time.monotonic()
    found = verify(run)
    assert time.monotonic() - began < 60
    assert faults(found) == {"events.jsonl": f"speaks of step {10**15}, past the last"}


def test_a_damaged_sheet_is_drawn_anew_when_it_was_deleted_as_it_is_said(run: RunFolder, tmp_path: Path) -> None:
    sheet = run.samples / "sheet-step-000002.png"
    before = sheet.read_bytes()
    cut(sheet)
    [fault] = verify(run).faults
    assert fault.remedy.startswith(f"delete {sheet.name}; then loratui --sample ")
    sheet.unlink()
    assert Bench(tmp_path)("--sample", str(run.path), "--checkpoint", "2").returncode == 0
    assert sheet.read_bytes() == before
    assert verify(run).whole
