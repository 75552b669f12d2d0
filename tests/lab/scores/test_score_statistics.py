"""Intervals and tests agree with scipy and with published numbers; verdicts keep their order."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from loratui.lab.notes.observations import VERDICTS as NOTED
from loratui.lab.scores.statistics import (
    LEARNED,
    NOT_SHOWN,
    PARTLY,
    TOO_FEW,
    UNCERTAIN,
    VERDICTS,
    Rate,
    Verdict,
    difference,
    enough,
    fisher,
    mcnemar,
    middle_of,
    suggest,
    wilson,
)

ORDER = {NOT_SHOWN: 0, TOO_FEW: 1, UNCERTAIN: 1, PARTLY: 2, LEARNED: 3}


def pairs(both: int, only_base: int, only_lora: int, neither: int) -> tuple[list[bool], list[bool]]:
    base = [True] * both + [True] * only_base + [False] * (only_lora + neither)
    lora = [True] * both + [False] * only_base + [True] * only_lora + [False] * neither
    return base, lora


def verdict(k0: int, n0: int, k1: int, n1: int) -> Verdict:
    return suggest(Rate(k0, n0), Rate(k1, n1))


def test_the_wilson_interval_is_scipys() -> None:
    for n in (1, 4, 20, 100, 333):
        for k in range(0, n + 1, max(1, n // 7)):
            theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
            assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0, 0.278), (0, 20, 0, 0.161), (2, 10, 0.057, 0.510), (4, 20, 0.081, 0.416), (20, 100, 0.133, 0.289),
     (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)  # fmt: skip
def test_the_wilson_interval_has_its_published_values(k: int, n: int, low: float, high: float) -> None:
    # The last two are the examples of Newcombe (1998), Stat. Med. 17, 857, method 3.
    assert wilson(k, n) == pytest.approx((low, high), abs=6e-4)


def test_the_wilson_interval_is_symmetric_and_shrinks() -> None:
    for n in (3, 10, 40):
        for k in range(n + 1):
            low, high = wilson(k, n)
            mirrored = wilson(n - k, n)
            assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))
            assert 0 <= low <= k / n <= high <= 1
            more = wilson(4 * k, 4 * n)
            assert more[1] - more[0] < high - low
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("k1", "n1", "k0", "n0", "low", "high"),
    # Newcombe (1998), Stat. Med. 17, 873, table II, method 10.
    [(56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (10, 10, 0, 10, 0.6075, 1.0)],
)
def test_the_interval_of_a_difference_has_its_published_values(
    k1: int, n1: int, k0: int, n0: int, low: float, high: float
) -> None:
    assert difference(Rate(k0, n0), Rate(k1, n1)) == pytest.approx((low, high), abs=6e-5)
    assert difference(Rate(k1, n1), Rate(k0, n0)) == pytest.approx((-high, -low), abs=6e-5)


def test_mcnemars_test_is_the_exact_one_of_the_pairs_that_differ() -> None:
    for only_base in range(7):
        for only_lora in range(7):
            base, lora = pairs(3, only_base, only_lora, 4)
            told = mcnemar(base, lora)
            assert (told.both, told.only_base, told.only_lora, told.neither) == (3, only_base, only_lora, 4)
            differ = only_base + only_lora
            assert told.p == pytest.approx(stats.binomtest(only_lora, differ).pvalue if differ else 1.0)
            assert told.p == pytest.approx(mcnemar(lora, base).p)
    assert mcnemar(*pairs(0, 1, 8, 0)).p == pytest.approx(0.0390625)
    assert mcnemar(*pairs(0, 0, 5, 0)).p == pytest.approx(0.0625) and not mcnemar(*pairs(0, 0, 5, 0)).enough
    assert mcnemar(*pairs(0, 0, 6, 0)).p == pytest.approx(0.03125) and mcnemar(*pairs(0, 0, 6, 0)).enough


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        mcnemar([True] * 3, [False] * 2)


def test_fishers_test_is_twice_scipys_one_sided() -> None:
    for k0, n0, k1, n1 in ((0, 4, 4, 4), (2, 20, 12, 20), (5, 9, 5, 30), (7, 12, 1, 8)):
        sides = [stats.fisher_exact([[k1, n1 - k1], [k0, n0 - k0]], alternative=a).pvalue for a in ("less", "greater")]
        assert fisher(k0, n0, k1, n1) == pytest.approx(min(1.0, 2 * min(sides)))
        assert fisher(k0, n0, k1, n1) == pytest.approx(fisher(k1, n1, k0, n0))


@pytest.mark.parametrize(
    ("base", "lora", "expected"),
    [
        ((0, 6), (6, 6), LEARNED),
        ((0, 20), (18, 20), LEARNED),
        ((2, 20), (12, 20), PARTLY),
        ((0, 100), (20, 100), PARTLY),
        ((0, 20), (0, 20), NOT_SHOWN),
        ((20, 20), (20, 20), NOT_SHOWN),
        ((19, 20), (2, 20), NOT_SHOWN),
        ((0, 4), (2, 4), TOO_FEW),
        ((0, 20), (4, 20), TOO_FEW),
        ((10, 10), (10, 10), TOO_FEW),
        ((0, 0), (0, 0), TOO_FEW),
        ((200, 400), (260, 400), LEARNED),
    ],
)
def test_the_verdict_follows_the_rule(base: tuple[int, int], lora: tuple[int, int], expected: str) -> None:
    told = verdict(*base, *lora)
    assert told.verdict == expected
    assert (told.needed > 0) == (expected == TOO_FEW)
    assert f"{lora[0]}/{lora[1]}" in told.why and f"{base[0]}/{base[1]}" in told.why


def test_more_pictures_that_show_it_never_make_the_verdict_worse() -> None:
    for n in (1, 3, 6, 10, 20, 33):
        for k0 in range(0, n + 1, max(1, n // 6)):
            ranks = [ORDER[verdict(k0, n, k, n).verdict] for k in range(n + 1)]
            assert all(a <= b for a, b in pairwise(ranks)), (n, k0, ranks)


def test_a_base_that_shows_it_oftener_never_makes_the_verdict_better() -> None:
    for n in (3, 6, 10, 20):
        for k1 in range(0, n + 1, max(1, n // 6)):
            ranks = [ORDER[verdict(k, n, k1, n).verdict] for k in range(n + 1)]
            assert all(a >= b for a, b in pairwise(ranks)), (n, k1, ranks)


def test_an_effect_that_is_shown_stays_shown_with_more_of_the_same() -> None:
    for k0, k1, n in ((0, 6, 6), (1, 8, 10), (3, 15, 20), (0, 5, 12)):
        ranks = [ORDER[verdict(k0 * m, n * m, k1 * m, n * m).verdict] for m in range(1, 6)]
        assert all(a <= b for a, b in pairwise(ranks))


def test_the_number_that_would_do_does() -> None:
    for base, lora in (((0, 10), (0, 10)), ((0, 20), (4, 20)), ((1, 8), (4, 8)), ((0, 4), (2, 4))):
        told = verdict(*base, *lora)
        n = told.needed
        assert n > lora[1]
        decided = verdict(round(base[0] / base[1] * n), n, round(lora[0] / lora[1] * n), n)
        assert decided.verdict not in (TOO_FEW, UNCERTAIN)


def test_with_equally_many_pictures_a_verdict_is_reached_or_the_number_for_it_is_told() -> None:
    for n in (0, 1, 2, 5, 12):
        told = [verdict(k0, n, k1, n) for k0 in range(n + 1) for k1 in range(n + 1)]
        assert all((one.needed > n) == (one.verdict == TOO_FEW) for one in told)
        assert UNCERTAIN not in {one.verdict for one in told}


def test_beyond_the_most_that_is_worth_drawing_no_number_is_told() -> None:
    assert enough(Rate(100, 600), Rate(200, 600)) == 0


def test_pairs_that_go_both_ways_weaken_a_verdict() -> None:
    base, lora = pairs(2, 6, 12, 0)
    rates = Rate(sum(base), 20), Rate(sum(lora), 20)
    assert suggest(*rates, mcnemar(base, lora)).verdict in (TOO_FEW, UNCERTAIN)
    same_way = pairs(8, 0, 6, 6)
    assert suggest(Rate(8, 20), Rate(14, 20), mcnemar(*same_way)).verdict == PARTLY


def test_pictures_that_could_not_be_measured_can_make_a_verdict_uncertain() -> None:
    assert suggest(Rate(0, 20), Rate(10, 12, unsure=1)).verdict == LEARNED
    told = suggest(Rate(0, 8, unsure=12), Rate(7, 8, unsure=12))
    assert told.verdict == UNCERTAIN and "24 pictures" in told.why
    assert suggest(Rate(0, 20), Rate(0, 20, unsure=20)).verdict == UNCERTAIN
    assert "1 uncertain" in Rate(10, 12, unsure=1).words


def test_a_verdict_is_a_word_of_the_notebook_or_too_few() -> None:
    assert set(NOTED) == set(VERDICTS) - {TOO_FEW}


@pytest.mark.parametrize(("k", "n", "unsure"), [(3, 2, 0), (-1, 2, 0), (0, 0, -1)])
def test_a_rate_that_cannot_be_is_refused(k: int, n: int, unsure: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        Rate(k, n, unsure)


def test_the_middle_of_numbers_agrees_with_the_signed_rank_test() -> None:
    rng = np.random.default_rng(3)
    for n in (6, 9, 14, 30):
        values = rng.normal(0.4, 1, n)
        told = middle_of(values.tolist())
        assert told.p == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)
        assert told.low < told.estimate < told.high
        assert (told.p <= 0.05) == (not told.low <= 0 <= told.high)
        mirrored = middle_of((-values).tolist())
        assert (mirrored.low, mirrored.high, mirrored.p) == pytest.approx((-told.high, -told.low, told.p))


def test_the_interval_of_the_middle_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = sum(told.low <= 1 <= told.high for told in (middle_of(rng.normal(1, 2, 12).tolist()) for _ in range(400)))
    assert stats.binomtest(held, 400, 0.95).pvalue > 0.001


def test_five_numbers_are_too_few_for_an_interval_and_nothing_moved_is_no_effect() -> None:
    told = middle_of([1, 2, 3, 4, 5])
    assert math.isinf(told.low) and math.isinf(told.high)
    assert middle_of([0.0] * 12).p == 1
    assert middle_of([0.0] * 11 + [1.0]).p > 0.5
    for wrong in ([], [math.nan]):
        with pytest.raises(ValueError, match="finite"):
            middle_of(wrong)
