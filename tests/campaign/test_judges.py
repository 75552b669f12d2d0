"""The judges of the campaign can fail: each kind of loss, made by hand, is told of."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from loratui.lab.run.runs import RunFolder
from tests.campaign.children import Ended
from tests.campaign.damage import damaged
from tests.campaign.judges import contents, of_contents, of_run, of_words, read_whole
from tests.frozen import finish, freeze_run, write_bare_project
from tests.pictures import draw_sample, places


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run with weights, pictures and a state."""
    run = freeze_run(write_bare_project(tmp_path / "shapes"))
    finish(run)
    for where in places([4], [1, 2]):
        draw_sample(run, where)
    save_file({"lora.down": np.arange(8, dtype=np.float32)}, run.checkpoint_file(4), {"step": "4"})
    _save_state(run)
    return run.path


def _save_state(run: RunFolder) -> None:
    import zipfile

    state = run.resume_folder(4)
    state.mkdir()
    with zipfile.ZipFile(state / "state.pt", "w") as archive:
        archive.writestr("data", b"0" * 100)
    (state / "progress.json").write_text('{"step": 4}', encoding="utf-8")
    (state / "COMPLETE").touch()


def _lost(run: Path, other: Path, more: str = "") -> str:
    return "\n".join(of_run(other, read_whole(run), more=more))


@pytest.fixture
def other(run: Path, tmp_path: Path) -> Path:
    """Another run that came out the same."""
    return Path(shutil.copytree(run, tmp_path / "other"))


def test_the_same_is_no_loss_whatever_its_metadata_and_sittings(run: Path, other: Path) -> None:
    save_file({"lora.down": np.arange(8, dtype=np.float32)}, other / "checkpoints/step-000004.safetensors", {"x": "y"})
    (other / "log.txt").touch()
    with (other / "events.jsonl").open("a", encoding="utf-8") as file:
        said_again = [{"kind": "state", "state": "running", "step": 3}, {"kind": "step", "step": 4, "loss": 0.25},
                      {"kind": "state", "state": "finished", "step": 4}]  # fmt: skip
        file.writelines(json.dumps(event) + "\n" for event in said_again)
    assert _lost(run, other) == ""


def test_a_missing_picture(run: Path, other: Path) -> None:
    next((other / "samples/step-000004").iterdir()).unlink()
    assert "missing: samples/step-000004/" in _lost(run, other)


def test_one_pixel(run: Path, other: Path) -> None:
    file = next((other / "samples/step-000004").iterdir())
    with Image.open(file) as image:
        image.putpixel((3, 3), (1, 2, 3))
        image.save(file)
    assert "another picture: samples/step-000004/" in _lost(run, other)


def test_one_bit_of_a_lora(run: Path, other: Path) -> None:
    file = other / "checkpoints/step-000004.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert _lost(run, other) == "another LoRA: checkpoints/step-000004.safetensors"


def test_one_loss(run: Path, other: Path) -> None:
    log = other / "events.jsonl"
    log.write_text(log.read_text(encoding="utf-8").replace('"loss":0.5', '"loss":0.500001'), encoding="utf-8")
    assert _lost(run, other) == "another loss at steps 2"


@pytest.mark.parametrize(
    "name", [".x.part", "samples/.y.123.part", "checkpoints/step-000003.safetensors", "requests/stop"]
)
def test_what_is_left_over(run: Path, other: Path, name: str) -> None:
    (other / name).touch()
    assert f"left over: {name}" in _lost(run, other)


def test_more_files_where_they_are_allowed(run: Path, other: Path) -> None:
    shutil.copy(other / "checkpoints/step-000004.safetensors", other / "checkpoints/step-000003.safetensors")
    assert _lost(run, other, r"checkpoints/.*") == ""


def test_a_torn_line_and_an_end_that_never_came(run: Path, other: Path) -> None:
    log = other / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b'{"kind":"step"', b'{"kind":"st\n{"kind":"step"', 1))
    assert "a torn line: events.jsonl:" in _lost(run, other)
    log.write_bytes((run / "events.jsonl").read_bytes().replace(b"finished", b"stopped"))
    assert "its last state is not finished" in _lost(run, other)


def test_a_damaged_state(run: Path, other: Path) -> None:
    file = other / "resume/step-000004/state.pt"
    file.write_bytes(file.read_bytes().replace(b"0" * 100, b"0" * 99 + b"1"))
    assert "state.pt: data is damaged" in _lost(run, other)
    (other / "resume/step-000004/progress.json").write_text('{"step": 3}', encoding="utf-8")
    assert "resume/step-000004 is of step 3" in _lost(run, other)


TRACEBACK = """Traceback (most recent call last):
  File "/somewhere/loratui/lab/run/runs.py", line 12, in read
    return made["x"]
KeyError: 'x'
"""


@pytest.mark.parametrize(
    ("said", "code", "lost"),
    [
        (TRACEBACK, 1, "traceback: loratui/lab/run/runs.py:12 in read: KeyError"),
        ("KeyError: 'x'", 1, "raw error: KeyError"),
        ("failed at step 3: RuntimeError: [enforce fail]", 1, "raw error: RuntimeError"),
        ("red \x1b[31m letters", 0, "control characters in the output: U+001B"),
        ("C1 \x9b7m", 0, "U+009B"),
        ("bidi \u202e and \u2066", 0, "U+202E, U+2066"),
        ("something is wrong", 2, "a refusal that names no file"),
        ("fine", 3, "ended with 3"),
        ("", -11, "ended with -11"),
    ],
)
def test_words(said: str, code: int, lost: str) -> None:
    assert lost in "\n".join(of_words(Ended(("--status",), code, said, 0.1)))


def test_good_words_and_a_hang() -> None:
    assert of_words(Ended(("--status",), 2, "shapes/project.toml:3: lora.rank: expected a number", 0.1)) == []
    assert of_words(Ended(("--status",), -9, "", 20.0, hung=True)) == ["hangs: loratui --status (killed after 20 s)"]


def test_victims(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    victim = tmp_path / "folder" / "thesis.txt"
    victim.write_text("years of work", encoding="utf-8")
    before = contents([tmp_path])
    assert of_contents(before, contents([tmp_path]), "a victim was") == []
    victim.write_text("", encoding="utf-8")
    assert of_contents(before, contents([tmp_path]), "a victim was") == ["a victim was changed: thesis.txt"]
    victim.unlink()
    (victim.parent / "new.txt").touch()
    lost = of_contents(before, contents([tmp_path]), "a victim was")
    assert lost == ["a victim was new: new.txt", "a victim was gone: thesis.txt"]


@pytest.mark.parametrize(
    "name", ["run.toml", "events.jsonl", "scores.json", "a.safetensors", "a.png", "a.txt", "COMPLETE"]
)
def test_damage_repeats_and_is_damage(name: str) -> None:
    content = b'{"kind":"step","t":1.0,"step":3}\nx = 1\n' * 3
    ways = [damaged(name, content, random.Random(number)) for number in range(200)]
    assert ways == [damaged(name, content, random.Random(number)) for number in range(200)]
    assert sum(changed != content for changed, _ in ways) > 150
