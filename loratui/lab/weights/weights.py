"""How much a LoRA changed the weights of its base model, and where: what `weights.json` in a run folder holds.

Plain objects that are read without numpy; how they are computed is `engine.weights`' business. All of it says how
much and where, never what was learned: that is for pictures to show. A cosine between two runs is told beside those
of runs that differ in their training seed alone, since even the same training twice does not end in the same place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from loratui.lab.derived import declared, read_derived, write_derived
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.layers import KEYS_AND_VALUES, block_order, kind_order

VERSION = 1  # of the file; another one is computed anew
SETTLED = 0.05  # a size that stays within this share of its last one has stopped growing
CAUTION = "Norms say how much the weights changed and where, never what was learned."


@dataclass(frozen=True)
class ModuleFacts:
    """What a LoRA adds to one layer, ΔW = (alpha / rank) · up · down, as one matrix (out, everything else).

    `norm` is None where a number in it is not finite, the last four where that is so or ΔW is zero.
    """

    name: str  # the layer's kohya name
    block: str
    kind: str
    rank: int
    norm: float | None  # ‖ΔW‖, Frobenius, as all norms here but `spectral`
    base: float | None  # ‖W‖ of the base model's layer; None where the base model could not be read
    spectral: float | None  # the greatest singular value
    stable_rank: float | None  # ‖ΔW‖² over the greatest singular value's square
    effective_rank: float | None  # exp of the entropy of the singular values' shares (Roy and Vetterli 2007)
    rank90: int | None  # directions that hold 90 % of ‖ΔW‖²

    @property
    def relative(self) -> float | None:
        return self.norm / self.base if self.norm is not None and self.base else None


@dataclass(frozen=True)
class Part:
    """Layers taken together: a block, a kind of layer, or all. Norms add as squares; ranks are medians."""

    name: str
    layers: int
    broken: int  # of them, layers with numbers that are not finite; they are left out of what follows
    norm: float
    base: float | None  # of the same layers; None where one is not known
    share: float | None  # of the whole LoRA's ‖ΔW‖²; None where that is zero
    effective_rank: float | None
    rank90: float | None

    @property
    def relative(self) -> float | None:
        return self.norm / self.base if self.base else None


@dataclass(frozen=True)
class Growth:
    """‖ΔW‖ at each checkpoint. `settled`: the first from which on it stays within 5 % of its last size; None: none."""

    steps: tuple[int, ...]
    norms: tuple[float, ...]
    settled: int | None

    @property
    def words(self) -> str:
        if len(self.steps) < 2:
            return "One checkpoint does not tell whether it still grows."
        if self.norms[-1] == 0:
            return "No weight has changed."
        if self.settled is not None:
            return f"Its size stays within {SETTLED:.0%} of the last one's from step {self.settled} on."
        before = self.norms[-2]
        change = f"by {self.norms[-1] / before - 1:+.0%} since step {self.steps[-2]}" if before else "from nothing"
        return f"It still changes in size at the last checkpoint: {change}."


@dataclass(frozen=True)
class Saturation:
    """How many of its directions a LoRA uses: medians over its layers."""

    rank: float
    effective_rank: float
    rank90: float

    @property
    def full(self) -> bool:
        """Whether nearly all directions are in use, so that a higher rank might have held more."""
        return self.rank > 1 and self.effective_rank > 0.8 * self.rank and self.rank90 > 0.6 * self.rank

    @property
    def words(self) -> str:
        """One sentence."""
        if self.rank <= 1:
            return "With rank 1 every layer has a single direction."
        used = (
            f"effective rank {self.effective_rank:.1f} of {self.rank:g}; 90 % of the change in {self.rank90:g} of them"
        )
        if self.full:
            return f"Nearly all directions are in use ({used}): a higher rank might hold more."
        if self.rank90 <= max(1.0, self.rank / 4):
            return f"Few directions hold most of the change ({used}): a lower rank might do."
        return f"Its directions are in use, unevenly ({used})."


@dataclass(frozen=True)
class Cosine:
    """How alike the ΔW of two runs are in direction, 1 the same, 0 unrelated; None where one is zero or not finite."""

    a: str  # run ids
    b: str
    step_a: int
    step_b: int
    overall: float | None
    blocks: Mapping[str, float | None]
    repeat: bool = False  # they differ in their training seed alone: a null for all others
    same_seed: bool = False  # they began with the same weights and met the same noise, which makes them alike
    sha_a: str = ""  # of the LoRAs' tensors
    sha_b: str = ""

    def step_of(self, run: str) -> int:
        return self.step_a if run == self.a else self.step_b

    def sha_of(self, run: str) -> str:
        return self.sha_a if run == self.a else self.sha_b


@dataclass(frozen=True)
class TokenMove:
    """How far the text encoder's states of one token alone have moved."""

    id: int
    text: str  # make it plain before it is shown
    distance: float  # 1 - cosine
    relative: float  # norm of the change over the norm of what it was
    place: int  # 1: the one that moved most


@dataclass(frozen=True)
class MovedTokens:
    """The tokens that a trained text encoder moved most, and those of the captions."""

    step: int
    sha: str  # of the LoRA's tensors
    of: int  # tokens looked at
    seconds: float
    median_distance: float
    median_relative: float
    most: tuple[TokenMove, ...]
    trained: tuple[TokenMove, ...]


@dataclass(frozen=True)
class RunWeights:
    """All of it, by checkpoint. `problems` are texts about what could not be read; safe to show."""

    run: str
    base: str  # hash of the base model
    steps: Mapping[int, tuple[ModuleFacts, ...]]
    shas: Mapping[int, str]  # of each checkpoint's tensors
    cosines: tuple[Cosine, ...] = ()
    tokens: MovedTokens | None = None
    problems: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The newest checkpoint that was looked at."""
        return max(self.steps, default=0)

    def whole(self, step: int | None = None) -> Part:
        facts = self._facts(step)
        return _part("all", facts, _square(facts))

    def blocks(self, step: int | None = None) -> tuple[Part, ...]:
        """By block, in the order in which a picture goes through them."""
        facts = self._facts(step)
        names = sorted({one.block for one in facts}, key=block_order)
        return tuple(_part(name, [one for one in facts if one.block == name], _square(facts)) for name in names)

    def kinds(self, step: int | None = None) -> tuple[Part, ...]:
        """By kind of layer."""
        facts = self._facts(step)
        names = sorted({one.kind for one in facts}, key=kind_order)
        return tuple(_part(name, [one for one in facts if one.kind == name], _square(facts)) for name in names)

    def keys_and_values(self, step: int | None = None) -> Part:
        """The keys and values of cross-attention: the layers that read the prompt's states."""
        facts = self._facts(step)
        return _part("cross-attention k, v", [one for one in facts if one.kind in KEYS_AND_VALUES], _square(facts))

    def saturation(self, step: int | None = None) -> Saturation | None:
        """None where nothing changed, or nothing is finite."""
        known = [(one.rank, one.effective_rank, one.rank90) for one in self._facts(step)
                 if one.effective_rank is not None and one.rank90 is not None]  # fmt: skip
        if not known:
            return None
        return Saturation(*(float(median(column)) for column in zip(*known, strict=True)))

    @cached_property
    def growth(self) -> Growth:
        """Checkpoints that hold numbers that are not finite are left out."""
        sizes = [(step, part.norm) for step in sorted(self.steps) if not (part := self.whole(step)).broken]
        last = sizes[-1][1] if sizes else 0.0
        settled = None
        for step, norm in reversed(sizes):
            if abs(norm - last) > SETTLED * last:
                break
            settled = step
        if not sizes or settled == sizes[-1][0] or last == 0:
            settled = None
        return Growth(tuple(step for step, _ in sizes), tuple(norm for _, norm in sizes), settled)

    def _facts(self, step: int | None) -> tuple[ModuleFacts, ...]:
        return self.steps.get(self.last if step is None else step, ())


def _square(facts: Sequence[ModuleFacts]) -> float:
    return sum(one.norm**2 for one in facts if one.norm is not None)


def _part(name: str, facts: Sequence[ModuleFacts], whole: float) -> Part:
    sound = [one for one in facts if one.norm is not None]
    bases = [one.base for one in sound if one.base is not None]
    ranks = [one.effective_rank for one in sound if one.effective_rank is not None]
    nineties = [one.rank90 for one in sound if one.rank90 is not None]
    square = _square(sound)
    return Part(
        name=name,
        layers=len(facts),
        broken=len(facts) - len(sound),
        norm=math.sqrt(square),
        base=math.hypot(*bases) if bases and len(bases) == len(sound) else None,
        share=square / whole if whole else None,
        effective_rank=median(ranks) if ranks else None,
        rank90=median(nineties) if nineties else None,
    )


# -- the file -----------------------------------------------------------------------------------------------------


_FACTS = tuple(field.name for field in fields(ModuleFacts))


def weights_file(run: RunFolder) -> Path:
    return run.path / "weights.json"


def growth(run: RunFolder) -> Growth | None:
    """‖ΔW‖ against steps; None where the weights were not looked at yet."""
    weights = read_weights(run)
    return weights.growth if weights else None


def write_weights(run: RunFolder, weights: RunWeights) -> None:
    """Replace the file."""
    modules: dict[tuple[str, str, str, float | None], int] = {}
    steps = {}
    for step, facts in sorted(weights.steps.items()):
        rows = []
        for one in facts:
            index = modules.setdefault((one.name, one.block, one.kind, one.base), len(modules))
            rows.append([index, one.rank, *map(_short, (one.norm, one.spectral, one.stable_rank, one.effective_rank)),
                         one.rank90])  # fmt: skip
        steps[str(step)] = {"sha256": weights.shas[step], "layers": rows}
    document = {
        "run": weights.run,
        "base": weights.base,
        "layers": [list(module) for module in modules],
        "steps": steps,
        "cosines": [asdict(cosine) for cosine in weights.cosines],
        "tokens": asdict(weights.tokens) if weights.tokens else None,
        "problems": list(weights.problems),
    }
    write_derived(weights_file(run), VERSION, document)


def read_weights(run: RunFolder) -> RunWeights | None:
    """What was written, None where nothing was, or by another version. LabError for a damaged file."""
    return read_derived(weights_file(run), VERSION, _made, "it is made anew")


def _made(document: Mapping[str, Any]) -> RunWeights:
    layers, steps = document["layers"], document["steps"]
    return RunWeights(
        run=declared(str, document["run"]),
        base=declared(str, document["base"]),
        steps={_step(step): tuple(_module(layers, row) for row in table["layers"]) for step, table in steps.items()},
        shas={_step(step): declared(str, table["sha256"]) for step, table in steps.items()},
        cosines=declared(tuple[Cosine, ...], document["cosines"]),
        tokens=declared(MovedTokens | None, document["tokens"]),
        problems=declared(tuple[str, ...], document["problems"]),
    )


def _step(name: str) -> int:
    step: int = declared(int, int(name))
    return step


def _module(layers: Sequence[Sequence[Any]], row: Sequence[Any]) -> ModuleFacts:
    index, rank, norm, spectral, stable, effective, rank90 = row
    name, block, kind, base = layers[index]
    values = (name, block, kind, rank, norm, base, spectral, stable, effective, rank90)
    made: ModuleFacts = declared(ModuleFacts, dict(zip(_FACTS, values, strict=True)))
    return made


def _short(value: float | None) -> float | None:
    """Twelve digits: enough for anything, and half as long in the file."""
    return None if value is None else float(f"{value:.12g}")
