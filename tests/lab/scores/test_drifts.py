"""What drift.json says: means with their intervals, groups, and how specific a LoRA is."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from scipy.stats import t

from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.drifts import (
    EpsilonDrift,
    drift_file,
    estimate,
    groups_at,
    read_drift,
    specificity,
    steps_of,
    write_drift,
)
from loratui.lab.scores.groups import TRAINED, UNRELATED


def drift(group: str, prompt: str, *values: float, step: int = 10) -> EpsilonDrift:
    zeros = (0.0,) * len(values)
    return EpsilonDrift(step, "ab", group, prompt, tuple(range(len(values))), values, zeros, zeros)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 24, 100])
def test_intervals_are_students(n: int) -> None:
    values = [math.sin(k) for k in range(n)]
    found = estimate(values)
    low, high = t.interval(
        0.95, n - 1, sum(values) / n, (sum((v - sum(values) / n) ** 2 for v in values) / (n - 1) / n) ** 0.5
    )
    assert found.n == n
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-6)


def test_one_number_has_no_interval() -> None:
    found = estimate([0.5])
    assert (found.mean, found.low, found.high) == (0.5, -math.inf, math.inf)
    assert found.words == "0.500 (n = 1)"
    with pytest.raises(ValueError, match="needs numbers"):
        estimate([])


def test_specificity_is_the_ratio_by_seed() -> None:
    drifts = [drift(TRAINED, "a", 0.4, 0.8), drift(TRAINED, "b", 0.4, 0.8), drift(UNRELATED, "c", 0.1, 0.2)]
    found = specificity(drifts, 10)
    assert found is not None
    assert found.n == 2
    assert [found.mean, found.low, found.high] == pytest.approx([4.0] * 3)
    assert specificity(drifts, 20) is None
    assert specificity([drift(TRAINED, "a", 0.0), drift(UNRELATED, "c", 0.0)], 10) is None  # an untrained LoRA


def test_groups_are_means_over_prompts_of_the_seeds_they_share() -> None:
    drifts = [drift(TRAINED, "a", 0.1, 0.2, 0.9), drift(TRAINED, "b", 0.3, 0.4), drift(TRAINED, "a", 7.0, step=20)]
    found = groups_at(drifts, 10)
    assert list(found) == [TRAINED]
    assert found[TRAINED].n == 2
    assert found[TRAINED].mean == pytest.approx(0.25)
    assert steps_of(drifts) == (10, 20)


def test_the_file_is_read_back_and_damage_is_told(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert read_drift(run) is None
    drifts = (drift(TRAINED, "\x1b[2Ja", 0.1, 0.2), drift(UNRELATED, "", 0.1))
    write_drift(run, drifts)
    assert read_drift(run) == drifts
    for damage in ("{", "[]", '{"version":1,"drifts":[{}]}', '{"version":1}'):
        drift_file(run).write_text(damage)
        with pytest.raises(LabError, match=r"drift\.json: cannot be read.*delete it"):
            read_drift(run)
    drift_file(run).write_text('{"version":0}')
    assert read_drift(run) is None
