"""Tries of a campaign: each with luck of its own that can be had again, judged, and kept where something was lost."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.ground import Ground, copy

MOST_KEPT = 60  # trees of lost tries in all; further ones are told, and can be repeated


class NotPossibleError(Exception):
    """This machine does not let the campaign do what it is about."""


@dataclass
class Try:
    """One try, while it lasts."""

    ground: Ground
    luck: random.Random
    number: int
    seed: int = 0
    told: list[str] = field(default_factory=list)  # what was done, in order, for whoever repeats it by hand
    lost: list[str] = field(default_factory=list)

    def of(self, count: int) -> int:
        """Which of so many kinds is tried: all of them in turn, in an order that the seed gives."""
        return random.Random(f"{self.seed}/{count}").sample(range(count), count)[self.number % count]

    def tell(self, *lines: str) -> None:
        self.told += lines

    def judge(self, faults: Sequence[str], told: str = "") -> None:
        self.lost += [f"{fault}" + (f"   [{told}]" if told else "") for fault in faults]


@dataclass(frozen=True)
class Campaign:
    """`attempt` does one try; `weight` is its share of the time."""

    name: str
    weight: float
    attempt: Callable[[Try], None]
    ground: str = "bare"  # what it begins on, which is built before its time starts to run


@dataclass
class Result:
    """How a campaign went."""

    name: str
    tried: int = 0
    lost: int = 0
    not_possible: str = ""
    losses: dict[str, list[str]] = field(default_factory=dict)  # what was lost: how to repeat it, each time it was
    seconds: float = 0.0


class Keeper:
    """A folder for what was lost, made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: Counter[str] = Counter()

    def keep(self, campaign: str, one: Try, seed: int) -> Path:
        target = self.folder / f"{campaign}-{one.number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        if self._kept.total() < MOST_KEPT and one.ground.place.folder.is_dir():
            self._kept[campaign] += 1
            copy(one.ground.place.folder, target)
        target.mkdir(exist_ok=True)
        lines = [again(campaign, one.number, seed), "", *one.lost, "", *one.told, ""]
        (target / "how.txt").write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")
        return target


def _kind(what: str) -> str:
    """What like losses have in common: no steps, pictures, runs and places in files."""
    kind = what.partition("   [")[0]
    for pattern, sign in (
        (r"\d{8}-\d{6}-\w+-[0-9a-f]{4}", "RUN"),
        (r"p\d\d-seed\d+-steps\d+-\w+", "PICTURE"),
        (r"\bstep-\d{6}", "step-N"),
        (r"steps \d[\d, ]*", "steps N"),
        (r"\.jsonl:\d+", ".jsonl:N"),
        (r"after \d+ s\b", "after N s"),
        (r"/\S*/(?=[\w.-]+)", "…/"),
        (r"0x[0-9a-f]+", "0x…"),
    ):
        kind = re.sub(pattern, sign, kind)
    return kind[: 70 if kind.startswith("raw error") else 200]


def again(campaign: str, number: int, seed: int) -> str:
    return f"python -m tests.campaign --seed {seed} --only {campaign} --try {number}"


def conduct(
    campaign: Campaign, ground: Ground, seed: int, seconds: float, keeper: Keeper, only: int | None = None
) -> Result:
    """Try until the time is over, at least once; or only one try."""
    result, began = Result(campaign.name), time.monotonic()
    number = only if only is not None else 0
    while True:
        one = Try(ground, random.Random(f"{seed}/{campaign.name}/{number}"), number, seed)
        try:
            campaign.attempt(one)
        except NotPossibleError as error:
            result.not_possible = str(error)
            break
        except Exception as error:  # a fault of the campaign itself must not pass for survival
            one.lost.append(f"the campaign itself failed: {type(error).__name__}: {error}")
        result.tried += 1
        if one.lost:
            result.lost += 1
            where = keeper.keep(campaign.name, one, seed)
            for kind, what in {_kind(what): what for what in reversed(one.lost)}.items():
                way = f"{again(campaign.name, number, seed)}   {what}   kept: {where}"
                result.losses.setdefault(kind, []).append(way)
        number += 1
        result.seconds = time.monotonic() - began
        if only is not None or result.seconds > seconds:
            break
    return result
