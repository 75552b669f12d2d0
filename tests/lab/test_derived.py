"""Plain objects from what JSON has in their place: by their declared types, and by nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from loratui.lab.derived import NULL, declared, finite


@dataclass(frozen=True)
class Inner:
    n: int
    high: float = field(metadata={NULL: math.inf})


@dataclass(frozen=True)
class Outer:
    text: str
    sure: bool
    share: float | None
    pair: tuple[float, float]
    inner: tuple[Inner, ...]
    by_name: Mapping[str, float | None]
    wanted: Any
    later: bool = False


WHOLE = Outer("x", True, None, (0.0, 1.5), (Inner(1, math.inf), Inner(2, 3.0)), {"a": 1.0, "b": None}, ["gray", 2])


def test_what_was_written_comes_back() -> None:
    assert declared(Outer, finite(asdict(WHOLE))) == WHOLE


@pytest.mark.parametrize("name", ["text", "sure", "share", "pair", "inner", "by_name"])
@pytest.mark.parametrize("odd", [math.nan, math.inf, 10**400, -(10**400), 1e200, [None], {"x": []}, [[1, 2, 3]]])
def test_what_is_declared_otherwise_is_refused_by_name(name: str, odd: object) -> None:
    with pytest.raises((ValueError, KeyError)):
        declared(Outer, finite(asdict(WHOLE)) | {name: odd})


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(ValueError, match="n is True"):
        declared(Inner, {"n": True, "high": 1.0})


def test_what_is_left_out_has_its_default_or_is_missing() -> None:
    with pytest.raises(KeyError, match="n"):
        declared(Inner, {"high": 1.0})
    assert declared(Inner, {"n": 1, "high": None, "more": "of a newer version"}) == Inner(1, math.inf)
