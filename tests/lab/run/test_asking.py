"""Seeds, checkpoints and numbers as people write them; what is wrong is told with its place and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.asking import checkpoint_steps, read_checkpoints, read_numbers, read_seeds
from loratui.lab.run.runs import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    for name in ("step-000150.safetensors", "step-000075.safetensors", "step-1000000.safetensors",
                 ".step-000300.safetensors.ab.part", "mine.safetensors"):  # fmt: skip
        (run.checkpoints / name).touch()
    return run


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", (7,)), ("1-4", (1, 2, 3, 4)), (" 3 , 1 - 2,3", (3, 1, 2)), ("1-3,2-5", (1, 2, 3, 4, 5)), ("0", (0,))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert read_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "column 1: nothing there"),
        ("1,,3", "column 3: nothing there"),
        ("1-20, 3O", "column 7: '3O' is no seed and no range; write such as 1-20,31"),
        ("-3", "column 1: '-3' is no seed"),
        ("9-1", "runs backwards; write 1-9"),
        ("9223372036854775808", "is too large"),
        ("1-99999999999", "more than 10000 seeds"),
        ("1-9999,20000-20009", "are 10009 seeds; ask for at most 10000"),
        ("\x1b[2J", "is no seed"),
    ],
)
def test_what_is_no_seed(text: str, told: str) -> None:
    with pytest.raises(LabError, match="--seeds") as error:
        read_seeds(text)
    assert told in str(error.value)
    assert "\x1b" not in str(error.value)


def test_checkpoints(run: RunFolder) -> None:
    assert checkpoint_steps(run) == (75, 150, 1_000_000)
    assert read_checkpoints(run, "all") == (75, 150, 1_000_000)
    assert read_checkpoints(run, " Last ") == (1_000_000,)
    assert read_checkpoints(run, "150, 75,150") == (75, 150)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("76,75,80", "no checkpoint of step 76, 80; there are 75, 150, 1000000; all and last do, too"),
        ("75,newest", "column 4: 'newest' is no step; write all, last, or steps such as 75,150 (there are 75,"),
        ("75-150", "column 1: '75-150' is no step"),
        ("", "nothing there"),
    ],
)
def test_what_is_no_checkpoint(run: RunFolder, text: str, told: str) -> None:
    with pytest.raises(LabError) as error:
        read_checkpoints(run, text)
    assert told in str(error.value)


@pytest.mark.parametrize("text", ["all", "last", "75"])
def test_a_run_without_checkpoints_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(LabError, match="no checkpoint yet; train the run until one is saved"):
        read_checkpoints(RunFolder(tmp_path), text)


def test_numbers() -> None:
    assert read_numbers("0, 0.5,1,.5,-0", "--scale", -100, 100) == (0.0, 0.5, 1.0)
    assert str(read_numbers("-0", "--scale", -100, 100)[0]) == "0.0"
    assert read_numbers("25,1", "--inference-steps", 1, 1000, whole=True) == (25, 1)
    for text, told in (("0,x", "column 3: 'x' is not a number"), ("101", "out of range"), ("nan", "not a number")):
        with pytest.raises(LabError, match=told):
            read_numbers(text, "--scale", -100, 100)
    with pytest.raises(LabError, match=r"column 1: .2\.5. is not a whole number; write such as 1,25"):
        read_numbers("2.5", "--inference-steps", 1, 1000, whole=True)
