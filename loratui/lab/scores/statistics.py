"""How sure a count of pictures makes one: intervals, paired tests, and the verdict that they suggest.

The rule of `suggest`, for LoRA k1 of n1 and base k0 of n0 pictures that show what was expected:

- *learned*: more often than the base (p of at most 0.05) and, as the Wilson interval says, in most pictures.
- *partly*: more often than the base, but the interval does not lie above one half.
- *not shown*: the difference in rate is, with 95 % confidence, below 20 points (Newcombe's interval). That says
  "not by these prompts", never "not learned".
- *too few*: neither, and at the rates seen more pictures would settle it; about how many is told.
- *uncertain*: so many pictures could not be measured that they could turn it; or neither, and even 500 would not
  settle it, which with equally many pictures does not happen.

More often than the base: with paired seeds by McNemar's exact test on the pictures that differ, without by Fisher's
exact test; both two-sided, as twice the smaller tail. Seeds of pictures are no repeats of the training: all of this
speaks of one LoRA, and two runs that differ only in their training seed can differ by more.

Sources: Wilson (1927), J. Am. Stat. Assoc. 22, 209; Newcombe (1998), Stat. Med. 17, 873, method 10; McNemar (1947),
Psychometrika 12, 153; Fisher (1935), J. R. Stat. Soc. 98, 39; Hodges and Lehmann (1963), Ann. Math. Stat. 34, 598;
Manski (1989), J. Hum. Resour. 24, 343, for counting what is unknown both ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from loratui.lab.derived import NULL

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.95
ALPHA = 1 - LEVEL
WORTH = 0.2  # a difference in rate smaller than this is not worth being called an effect
MOST = 500  # pictures; what that many would not settle is uncertain
LEARNED, PARTLY, NOT_SHOWN, UNCERTAIN, TOO_FEW = "learned", "partly", "not shown", "uncertain", "too few pictures"
VERDICTS = (LEARNED, PARTLY, NOT_SHOWN, UNCERTAIN, TOO_FEW)


@dataclass(frozen=True)
class Rate:
    """k of n pictures show it. `unsure` more could not be measured, and are in neither number."""

    k: int
    n: int
    unsure: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n or self.unsure < 0:
            raise ValueError(f"{self.k} of {self.n} pictures is no rate")

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.k, self.n)

    @property
    def words(self) -> str:
        """Such as "4/20 (8 to 42 %)"; what could not be measured is added."""
        low, high = self.interval
        unsure = f", {self.unsure} uncertain" if self.unsure else ""
        return f"{self.k}/{self.n} ({100 * low:.0f}–{100 * high:.0f} %){unsure}"


@dataclass(frozen=True)
class Paired:
    """Pictures of the same seeds without and with the LoRA."""

    both: int
    only_base: int
    only_lora: int
    neither: int
    p: float  # McNemar's exact test

    @property
    def enough(self) -> bool:
        """Whether so many pictures differ that the test could find anything: at least six."""
        return self.only_base + self.only_lora >= 6


@dataclass(frozen=True)
class Verdict:
    verdict: str  # one of VERDICTS
    why: str  # one sentence
    needed: int = 0  # pictures each way that would about settle it; only with TOO_FEW


@dataclass(frozen=True)
class Change:
    """The middle of numbers, or of the differences of paired numbers."""

    n: int
    estimate: float  # Hodges-Lehmann
    low: float = field(metadata={NULL: -math.inf})  # 95 % interval; infinite below six numbers
    high: float = field(metadata={NULL: math.inf})
    p: float  # of there being nothing, by the exact signed-rank test that belongs to the interval


def wilson(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) of no pictures."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return (0.0 if k == 0 else low), (1.0 if k == n else high)


def difference(base: Rate, lora: Rate) -> tuple[float, float]:
    """The interval of the LoRA's rate less the base's (Newcombe's hybrid of two Wilson intervals)."""
    if not base.n or not lora.n:
        return -1.0, 1.0
    p0, p1 = base.k / base.n, lora.k / lora.n
    (l0, u0), (l1, u1) = base.interval, lora.interval
    return p1 - p0 - math.hypot(p1 - l1, u0 - p0), p1 - p0 + math.hypot(u1 - p1, p0 - l0)


def mcnemar(base: Sequence[bool], lora: Sequence[bool]) -> Paired:
    """Both in the order of the seeds. ValueError if they are not equally many."""
    if len(base) != len(lora):
        raise ValueError(f"pairs need equally many pictures, not {len(base)} and {len(lora)}")
    cells = [0, 0, 0, 0]
    for without, with_it in zip(base, lora, strict=True):
        cells[2 * bool(without) + bool(with_it)] += 1
    neither, only_lora, only_base, both = cells
    return Paired(both, only_base, only_lora, neither, _sign(only_base, only_lora))


def _sign(a: int, b: int) -> float:
    """The exact two-sided p of the sign test."""
    return min(1.0, 2 * sum(math.comb(a + b, i) for i in range(min(a, b) + 1)) / 2 ** (a + b))


@cache
def fisher(k0: int, n0: int, k1: int, n1: int) -> float:
    """Fisher's exact p that two rates are one: twice the smaller tail, so that it is monotone in either count."""
    if not n0 or not n1:
        return 1.0
    held = k0 + k1
    ways = {i: math.comb(n1, i) * math.comb(n0, held - i) for i in range(max(0, held - n0), min(n1, held) + 1)}
    fewer, more = (sum(ways[i] for i in ways if side(i)) for side in (lambda i: i <= k1, lambda i: i >= k1))
    return min(1.0, 2 * min(fewer, more) / math.comb(n0 + n1, held))


def suggest(base: Rate, lora: Rate, paired: Paired | None = None) -> Verdict:
    """The verdict that the numbers suggest; the rule is at the top of the module. A person accepts it, or not."""
    plain = _suggest(base, lora, paired)
    unsure = base.unsure + lora.unsure
    if unsure and plain.verdict in _SHOWN and _bounded(base, lora, against=True) not in _SHOWN:
        return Verdict(UNCERTAIN, f"{unsure} pictures could not be measured, and could take the effect away.")
    if unsure and plain.verdict == NOT_SHOWN and _bounded(base, lora, against=False) in _SHOWN:
        return Verdict(UNCERTAIN, f"{unsure} pictures could not be measured, and could make an effect.")
    return plain


_SHOWN = (LEARNED, PARTLY)


def _bounded(base: Rate, lora: Rate, against: bool) -> str:
    """The verdict if all that could not be measured spoke against the LoRA, or all for it."""
    all0 = Rate(base.k + base.unsure * against, base.n + base.unsure)
    all1 = Rate(lora.k + lora.unsure * (not against), lora.n + lora.unsure)
    return _level(all0, all1, fisher(all0.k, all0.n, all1.k, all1.n))


def _suggest(base: Rate, lora: Rate, paired: Paired | None) -> Verdict:
    p = paired.p if paired else fisher(base.k, base.n, lora.k, lora.n)
    level = _level(base, lora, p)
    told = f"{lora.words} with the LoRA, {base.words} without"
    if level == LEARNED:
        return Verdict(level, f"{told}: more often than the base, and in most pictures (p = {p:.2g}).")
    if level == PARTLY:
        return Verdict(level, f"{told}: more often than the base, but not surely in most pictures (p = {p:.2g}).")
    if level == NOT_SHOWN:
        least = base.interval[0] > 0.5
        why = "the base does it as well" if least else f"by these prompts, any effect is below {100 * WORTH:.0f} points"
        if p <= ALPHA and lora.k * base.n < base.k * lora.n:
            why = f"rarer than without (p = {p:.2g})"
        return Verdict(level, f"{told}: {why}.")
    needed = enough(base, lora)
    if needed:
        return Verdict(TOO_FEW, f"{told}: too few to tell; about {needed} would do if the rates stay.", needed)
    return Verdict(UNCERTAIN, f"{told}: a difference about as small as is worth noting; {MOST} would not settle it.")


def _level(base: Rate, lora: Rate, p: float) -> str:
    """The verdict by the numbers alone; UNCERTAIN where they do not decide."""
    if lora.n and base.n and p <= ALPHA and lora.k * base.n > base.k * lora.n:
        return LEARNED if lora.interval[0] > 0.5 else PARTLY
    return NOT_SHOWN if difference(base, lora)[1] < WORTH else UNCERTAIN


def enough(base: Rate, lora: Rate) -> int:
    """Pictures each way from which on the verdict would be decided, if the rates stay as they are; 0: not below MOST.

    It is decided then as likely as not. Of no pictures nothing is known, so the least that can decide is told.
    """
    r0 = base.k / base.n if base.n else 0.0
    r1 = lora.k / lora.n if lora.n else 1.0
    for n in range(max(4, min(base.n, lora.n) + 1), MOST + 1):
        if all(_decided(r0, r1, m) for m in (n, n + 1, n + 2)):
            return n
    return 0


def _decided(r0: float, r1: float, n: int) -> bool:
    base, lora = Rate(round(r0 * n), n), Rate(round(r1 * n), n)
    # As if paired, with no pair that differs the other way.
    p = max(_sign(0, max(0, lora.k - base.k)), fisher(base.k, n, lora.k, n))
    return _level(base, lora, p) != UNCERTAIN


def middle_of(values: Sequence[float]) -> Change:
    """The middle of numbers with its interval, exact for any symmetric spread. Of pairs, give the differences.

    Raises ValueError for no numbers, or for such as are not finite.
    """
    import numpy as np

    x = np.asarray(values, float)
    if not len(x) or not np.isfinite(x).all():
        raise ValueError("a middle needs numbers, all of them finite")
    n = len(x)
    walsh = np.sort(((x[:, None] + x) / 2)[np.triu_indices(n)])
    below = _signed_rank(n)  # P(W <= w)
    w = int(np.searchsorted(below, ALPHA / 2, side="right")) - 1
    low, high = (walsh[w], walsh[-1 - w]) if w >= 0 else (-math.inf, math.inf)
    least = len(walsh) - max(int((walsh > 0).sum()), int((walsh < 0).sum()))  # zeros speak for nothing
    p = min(1.0, 2 * float(below[least]))
    return Change(n, float(np.median(walsh)), float(low), float(high), p)


@cache
def _signed_rank(n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """P(W <= w) for the signed-rank sum of n numbers when their signs are a coin's, for w = 0, 1, ..."""
    import numpy as np

    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, n + 1):
        ways[rank:] = ways[rank:] + ways[:-rank].copy()
        ways /= 2
    return np.asarray(np.cumsum(ways), np.float64)
