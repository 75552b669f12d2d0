"""The arithmetic a person reads is the arithmetic the loop does."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.dataset.dataset import TrainingImage
from loratui.lab.dataset.order import Order
from loratui.lab.errors import LabError
from loratui.lab.project.plan import Plan, plan, steps_at
from loratui.lab.project.settings import Dataset, Sample, Settings, Train

SQUARE, TALL = (64, 64), (48, 80)


def images(*repeats: int) -> list[TrainingImage]:
    return [TrainingImage(Path("a.png"), f"{n}.png", "0" * 64, 64, 64, "", None, r) for n, r in enumerate(repeats)]


def planned(repeats: tuple[int, ...], sizes: list[tuple[int, int]] | None = None, **train: object) -> Plan:
    settings = Settings(dataset=Dataset(), train=Train(**train))  # type: ignore[arg-type]
    return plan(images(*repeats), settings, sizes or [SQUARE] * len(repeats))


@pytest.mark.parametrize(
    ("repeats", "sizes", "train", "line"),
    [
        ((25, 25, 25), None, {}, "3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps"),
        ((100,) * 3, None, {}, "3 images × 100 repeats × 10 epochs ÷ batch 1 = 3,000 steps"),
        ((1,), None, {"epochs": 1}, "1 image × 1 repeat × 1 epoch ÷ batch 1 = 1 step"),
        (
            (10,) * 8,
            None,
            {"epochs": 5, "batch_size": 2, "gradient_accumulation": 2},
            "8 images × 10 repeats × 5 epochs ÷ (batch 2 × accumulation 2) = 100 steps",
        ),
        (
            (25, 25, 25),
            None,
            {"batch_size": 2},
            (
                "3 images × 25 repeats = 75 image views ÷ batch 2 = 38 steps an epoch (the last one smaller), "
                "× 10 epochs = 380 steps"
            ),
        ),
        (
            (1, 1, 1),
            [SQUARE, TALL, TALL],
            {"batch_size": 2, "epochs": 3},
            (
                "3 images × 1 repeat = 3 image views ÷ batch 2 = 2 steps an epoch "
                "(in 2 sizes that do not mix, the last of each smaller), × 3 epochs = 6 steps"
            ),
        ),
        (
            (10, 5, 10),
            None,
            {},
            (
                "1 image × 5 + 2 images × 10 repeats = 25 image views ÷ batch 1 = 25 steps an epoch, "
                "× 10 epochs = 250 steps"
            ),
        ),
        (
            (1, 2, 3, 4, 4),
            None,
            {"epochs": 2},
            "5 images × 1 to 4 repeats = 14 image views ÷ batch 1 = 14 steps an epoch, × 2 epochs = 28 steps",
        ),
        (
            (25, 25, 25),
            None,
            {"steps": 200},
            (
                "3 images × 25 repeats = 75 image views ÷ batch 1 = 75 steps an epoch; "
                "train.steps makes it 200 steps: 2.667 epochs"
            ),
        ),
        (
            (25, 25, 25),
            None,
            {"steps": 75},
            (
                "3 images × 25 repeats = 75 image views ÷ batch 1 = 75 steps an epoch; "
                "train.steps makes it 75 steps: 1 epoch"
            ),
        ),
    ],
)
def test_the_sum_in_a_line(
    repeats: tuple[int, ...], sizes: list[tuple[int, int]] | None, train: dict[str, object], line: str
) -> None:
    assert planned(repeats, sizes, **train).arithmetic == line


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
@pytest.mark.parametrize("accumulation", [1, 2, 5])
@pytest.mark.parametrize("repeats", [(1,), (25, 25, 25), (1, 2, 3, 4), (5,) * 9])
def test_the_plan_counts_what_the_order_deals(batch_size: int, accumulation: int, repeats: tuple[int, ...]) -> None:
    sizes = [(SQUARE, TALL)[n % 2] for n in range(len(repeats))]
    made = planned(repeats, sizes, batch_size=batch_size, gradient_accumulation=accumulation, epochs=3)
    order = Order(sizes, repeats, batch_size, accumulation, seed=0)
    assert made.steps_per_epoch == order.steps_per_epoch
    assert made.batches_per_epoch == order.batches_per_epoch
    assert made.views_per_epoch == order.views_per_epoch
    assert made.total_steps == 3 * order.steps_per_epoch


def test_steps_belong_to_epochs_counted_from_one() -> None:
    made = planned((25, 25, 25))
    assert [made.epoch_of(step) for step in (0, 1, 75, 76, 150, 750)] == [0, 1, 1, 2, 2, 10]


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        ("epoch", [75, 150, 200]),
        ("end", [200]),
        ("never", []),
        (60, [60, 120, 180, 200]),
        (100, [100, 200]),
        (200, [200]),
        (999, [200]),
        (1, list(range(1, 201))),
    ],
)
def test_things_happen_each_so_often_and_at_the_end(every: int | str, steps: list[int]) -> None:
    marks = steps_at(every, 75, 200)
    assert list(marks) == steps
    assert len(marks) == len(steps)
    assert [step for step in range(-5, 300) if step in marks] == steps


def test_checkpoints_and_samples_keep_their_own_time() -> None:
    settings = Settings(train=Train(epochs=2, checkpoint_every=30), sample=Sample(every="never"))
    made = plan(images(25, 25, 25), settings, [SQUARE] * 3)
    assert list(made.checkpoint_steps) == [30, 60, 90, 120, 150]
    assert list(made.sample_steps) == []


def test_a_very_long_run_is_planned_at_once() -> None:
    made = planned((1,), steps=2**31 - 1, checkpoint_every=1)
    assert 2**31 - 1 in made.checkpoint_steps
    assert 2**31 not in made.checkpoint_steps


def test_without_images_there_is_no_plan() -> None:
    with pytest.raises(LabError, match=r"dataset\.path"):
        plan([], Settings(), [])
