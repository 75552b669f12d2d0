"""Draws are pure functions of their counters."""

from __future__ import annotations

from loratui.lab.dataset.counters import Stream, bits, permutation, uniform


def test_the_bits_of_a_seed_are_these_for_ever() -> None:
    # Written down, because a run of last year must resume to the same bits with the numpy of next year.
    assert [hex(int(word)) for word in bits(0, Stream.FLIP, 0, count=2)] == ["0x966bd67d71cf81d7", "0x8fc628dfe98b40ba"]
    assert permutation(8, 7, Stream.ORDER_IN_BUCKET, 3).tolist() == [5, 6, 1, 2, 4, 0, 7, 3]


def test_a_draw_depends_on_each_of_its_counters_and_on_nothing_else() -> None:
    drawn = {
        (seed, stream, step, slot): uniform(seed, stream, step, slot)
        for seed in (0, 1, 2**63 - 1)
        for stream in (Stream.FLIP, Stream.CAPTION_DROPOUT)
        for step in (0, 1, 2**40)
        for slot in (0, 1, 7)
    }
    assert len(set(drawn.values())) == len(drawn)
    for counters in reversed(drawn):
        assert uniform(*counters) == drawn[counters]


def test_a_long_draw_does_not_run_into_the_next_slot() -> None:
    long, next_slot = bits(5, Stream.FLIP, 2, 0, count=4096), bits(5, Stream.FLIP, 2, 1, count=4096)
    assert not set(long.tolist()) & set(next_slot.tolist())


def test_uniform_numbers_are_spread_over_the_unit_interval() -> None:
    numbers = [uniform(3, Stream.FLIP, step) for step in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    for tenth in range(10):
        count = sum(tenth / 10 <= number < (tenth + 1) / 10 for number in numbers)
        assert 320 < count < 480  # 400 expected, four standard deviations are 76


def test_a_permutation_holds_every_number_once_and_reaches_every_order() -> None:
    orders = {tuple(permutation(3, 0, Stream.TAG_SHUFFLE, step).tolist()) for step in range(200)}
    assert len(orders) == 6
    assert all(sorted(order) == [0, 1, 2] for order in orders)
