"""How far a LoRA moves the denoiser's first answer, by kind of prompt: read from drift.json, which `engine.drifting`
writes; it can be deleted and is then measured anew.

The drift of a prompt and a seed is ‖ε_LoRA - ε_base‖ / ‖ε_base‖ at the first sampling step, from the same noise; the
base's own is 0. The pull of the words is ‖ε(prompt) - ε(empty)‖ / ‖ε(empty)‖, told of the base and with the LoRA (Wen
et al., ICLR 2024, arXiv 2407.21720, who take it for a sign of memorised prompts). Intervals are over the noise of the
pictures: of one training, not of what another training seed would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

from loratui.lab.derived import declared, read_derived, write_derived
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.groups import GROUPS, TRAINED, UNRELATED

VERSION = 1  # of the file; another one is measured anew


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % t interval; infinite ends below two numbers."""

    n: int
    mean: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """Such as "0.241 (0.229 to 0.253, n = 24)"."""
        if not math.isfinite(self.low):
            return f"{self.mean:.3f} (n = {self.n})"
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.n})"


@dataclass(frozen=True)
class EpsilonDrift:
    """One prompt at one checkpoint. Numbers stand in the order of the seeds."""

    step: int
    payload: str  # hash of the LoRA it was measured with
    group: str  # of GROUPS
    prompt: str
    seeds: tuple[int, ...]
    drift: tuple[float, ...]
    base_pull: tuple[float, ...]
    lora_pull: tuple[float, ...]

    @property
    def estimate(self) -> Estimate:
        return estimate(self.drift)

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def mean(self) -> float:
        return fmean(self.drift)

    @property
    def low(self) -> float:
        return self.estimate.low

    @property
    def high(self) -> float:
        return self.estimate.high


def drift_file(run: RunFolder) -> Path:
    return run.path / "drift.json"


def write_drift(run: RunFolder, drifts: Iterable[EpsilonDrift]) -> None:
    """Replace the file."""
    write_derived(drift_file(run), VERSION, {"run": run.id, "drifts": [asdict(drift) for drift in drifts]})


def read_drift(run: RunFolder) -> tuple[EpsilonDrift, ...] | None:
    """What was measured, None where nothing was, or by another version. LabError for a damaged file."""
    return read_derived(drift_file(run), VERSION, _drifts, "it is measured anew")


def _drifts(document: Mapping[str, Any]) -> tuple[EpsilonDrift, ...]:
    return tuple(_drift(table) for table in document["drifts"])


def _drift(table: Mapping[str, Any]) -> EpsilonDrift:
    made: EpsilonDrift = declared(EpsilonDrift, table)
    if not made.seeds or {len(made.drift), len(made.base_pull), len(made.lora_pull)} != {len(made.seeds)}:
        raise ValueError("a drift needs a number for each seed")
    return made


def steps_of(drifts: Iterable[EpsilonDrift]) -> tuple[int, ...]:
    """The checkpoints that were measured."""
    return tuple(sorted({drift.step for drift in drifts}))


def groups_at(drifts: Sequence[EpsilonDrift], step: int) -> dict[str, Estimate]:
    """The drift of each group at a checkpoint: of each seed the mean over its prompts, then the mean over seeds."""
    found = {}
    for group in GROUPS:
        values = _by_seed(drifts, step, group)
        if values:
            found[group] = estimate(list(values.values()))
    return found


def specificity(drifts: Sequence[EpsilonDrift], step: int) -> Estimate | None:
    """How many times farther trained tags are moved than unrelated prompts: the geometric mean over seeds.

    1 is a LoRA that moves everything alike, as a random one does. None where one of the two was not measured, or is 0.
    """
    trained, unrelated = (_by_seed(drifts, step, group) for group in (TRAINED, UNRELATED))
    both = [(trained[seed], unrelated[seed]) for seed in trained if seed in unrelated]
    if not both or any(value <= 0 for pair in both for value in pair):
        return None
    logs = estimate([math.log(a / b) for a, b in both])
    return Estimate(logs.n, math.exp(logs.mean), math.exp(logs.low), math.exp(min(logs.high, 700.0)))


def _by_seed(drifts: Sequence[EpsilonDrift], step: int, group: str) -> dict[int, float]:
    """Means over the prompts of a group, of the seeds that all of them were measured with."""
    of_group = [drift for drift in drifts if drift.step == step and drift.group == group]
    tables = [dict(zip(drift.seeds, drift.drift, strict=True)) for drift in of_group]
    if not tables:
        return {}
    return {seed: fmean(table[seed] for table in tables) for seed in tables[0] if all(seed in t for t in tables)}


def estimate(values: Sequence[float]) -> Estimate:
    """The mean and its t interval. ValueError without numbers."""
    n = len(values)
    if not n:
        raise ValueError("a mean needs numbers")
    mean = fmean(values)
    half = _t_quantile(n - 1) * stdev(values) / math.sqrt(n) if n > 1 else math.inf
    return Estimate(n, mean, mean - half, mean + half)


def _t_quantile(freedom: int) -> float:
    """Student's t below which 97.5 % lie (Hill 1970, Commun. ACM 13, 619, algorithm 396; exact for 1 and 2)."""
    p = 0.05  # two-sided
    if freedom == 1:
        return math.tan(math.pi / 2 * (1 - p))
    if freedom == 2:
        return math.sqrt(2 / (p * (2 - p)) - 2)
    n = float(freedom)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    y = (d * p) ** (2 / n)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(p / 2)
        y = x * x
        if freedom < 5:
            c += 0.3 * (n - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (
            n + 2
        ) + 1 / y
    return math.sqrt(n * y)
