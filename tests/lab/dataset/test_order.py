"""The order of images is a pure function of (seed, step), and an epoch leaves nothing out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from loratui.lab.dataset.counters import Stream, bits
from loratui.lab.dataset.order import Order, flip_at

SIZES = [(64, 64), (48, 80), (80, 48)]


def some_dataset(case: int) -> tuple[list[tuple[int, int]], list[int], int, int]:
    """Sizes, repeats, batch size and accumulation, different for each case."""
    numbers = iter(bits(99, Stream.FLIP, case, count=64).tolist())
    images = 1 + next(numbers) % 12
    sizes = [SIZES[next(numbers) % 3] for _ in range(images)]
    repeats = [1 + next(numbers) % 6 for _ in range(images)]
    return sizes, repeats, 1 + next(numbers) % 5, 1 + next(numbers) % 4


@pytest.mark.parametrize("case", range(60))
def test_each_epoch_shows_each_image_exactly_its_repeats(case: int) -> None:
    sizes, repeats, batch_size, accumulation = some_dataset(case)
    order = Order(sizes, repeats, batch_size, accumulation, seed=case)
    for epoch in range(3):
        seen: Counter[int] = Counter()
        for step in range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch):
            batches = order.micro_batches(step)
            assert 1 <= len(batches) <= accumulation
            for batch in batches:
                assert 1 <= len(batch) <= batch_size
                assert len({sizes[index] for index in batch}) == 1, "a batch mixes sizes"
                seen.update(batch)
        assert seen == Counter(dict(enumerate(repeats)))


@pytest.mark.parametrize("case", range(20))
def test_a_step_is_the_same_whenever_and_however_often_it_is_asked_for(case: int) -> None:
    sizes, repeats, batch_size, accumulation = some_dataset(case)
    forwards = Order(sizes, repeats, batch_size, accumulation, seed=4)
    steps = range(3 * forwards.steps_per_epoch)
    seen = [forwards.micro_batches(step) for step in steps]
    backwards = Order(sizes, repeats, batch_size, accumulation, seed=4)
    assert [backwards.micro_batches(step) for step in reversed(steps)] == seen[::-1]
    for step in steps:
        assert Order(sizes, repeats, batch_size, accumulation, seed=4).micro_batches(step) == seen[step]


def test_only_an_epochs_last_step_and_a_sizes_last_batch_are_smaller() -> None:
    order = Order([(64, 64)] * 7, [1] * 7, batch_size=2, accumulation=3, seed=0)
    assert (order.views_per_epoch, order.batches_per_epoch, order.steps_per_epoch) == (7, 4, 2)
    for epoch in range(5):
        steps = [order.micro_batches(2 * epoch + n) for n in range(2)]
        assert [len(batches) for batches in steps] == [3, 1]
        assert sorted(len(batch) for batches in steps for batch in batches) == [1, 2, 2, 2]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    def epoch_order(seed: int, epoch: int) -> tuple[int, ...]:
        order = Order([(64, 64)] * 20, [1] * 20, 1, 1, seed)
        return tuple(order.micro_batches(epoch * 20 + step)[0][0] for step in range(20))

    orders = {epoch_order(seed, epoch) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_batches_of_different_sizes_are_mixed() -> None:
    order = Order([(64, 64)] * 20 + [(48, 80)] * 20, [1] * 40, 2, 1, seed=1)
    sizes = [order.micro_batches(step)[0][0] < 20 for step in range(20)]
    changes = sum(a != b for a, b in pairwise(sizes))
    assert changes > 3  # one after the other would change once


def test_images_of_one_size_are_not_always_batched_together() -> None:
    order = Order([(64, 64)] * 4, [1] * 4, 2, 1, seed=0)
    partners = {frozenset(order.micro_batches(step)[0]) for step in range(60)}
    assert len(partners) == 6


def test_there_must_be_something_to_order() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Order([], [], 1, 1, 0)
    with pytest.raises(ValueError, match="from 0"):
        Order([(64, 64)], [1], 1, 1, 0).micro_batches(-1)


def test_a_long_dataset_is_ordered_quickly_and_whole() -> None:
    order = Order([SIZES[i % 3] for i in range(10_000)], [10] * 10_000, 8, 2, seed=3)
    seen = Counter(i for step in range(order.steps_per_epoch) for batch in order.micro_batches(step) for i in batch)
    assert set(seen.values()) == {10}
    assert len(seen) == 10_000


def test_half_of_all_views_are_mirrored_and_always_the_same_ones() -> None:
    flips = [flip_at(5, step, slot) for step in range(500) for slot in range(4)]
    assert 850 < sum(flips) < 1150
    assert flips == [flip_at(5, step, slot) for step in range(500) for slot in range(4)]
    assert flips != [flip_at(6, step, slot) for step in range(500) for slot in range(4)]
