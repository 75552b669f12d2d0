"""Which tag took in what: the rule by which the pictures of an attribution plan are judged.

A cell asks of one unit (a tag, a word of one, no tag) and one feature of the training images (colour blue). Four
questions are put to pictures of the same seeds, each answered by the rule of `statistics.suggest`:

1. *Alone*: does the LoRA show it for the unit alone more often than the base model does?
2. *Any word*: more often than it shows it for an untrained word alone?
3. *Left out*: in a text that shows it (the fullest caption; of a word, its tag), is it shown less without the unit?
4. *Replaced*: less also with the untrained word in the unit's place? Words that merely move up cannot explain that.

In 2 to 4 the base has to be heard: it draws no red either where "red" is left out. So a seed counts as a difference
only if what the LoRA changed there differs (shown with the LoRA less shown without, with the unit against without it);
the test is the sign test on these seeds, which is McNemar's where the base never shows the feature. It *goes* when it
is rarer and, of the pictures that showed it, more than half no longer do; it *stays* when no difference of 20 points
is left open, or most of them surely still do. Where the LoRA changed more with the unit but the base shows the
feature by itself without it, nothing is decided: what is full cannot be filled.

- *carried*: shown alone in most pictures, not for any word, and it goes with the unit, left out and replaced, in the
  first text that shows it. Where no text shows it (a small part of a full picture) alone has to be enough, and it is
  said. Both together because either misleads: what shows alone may be what the LoRA does to every prompt, and what
  goes when a tag is left out may need that tag only as company.
- *partly*: shown alone more often than by the base, but not in most pictures, or it stays without the unit, as other
  words show it too; or never alone, but it goes with the unit: it takes the company of other words.
- *unasked*: shown alone, but as often for an untrained word: the LoRA does it, no matter what the prompt says. Of the
  rows "no tag" and "untrained word" it says that the LoRA shows it more often than the base.
- *not shown*: alone no more often than by the base, which may show it as well, nor only in company.
- *uncertain*, *too few pictures*: the pictures decide neither.

One untrained word stands for all, one training for the LoRA, and each cell is tested by itself at 5 %: of a large
table some cell may be chance, though *carried* has to pass at least two tests. Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loratui.lab.attribution.attribution import (
    ANY_WORD,
    CARRIED,
    GOES,
    IN_PART,
    LEFT_OUT,
    OPEN,
    REPLACED,
    STAYS,
    UNASKED,
    Attribution,
    Cell,
    Example,
    Shown,
    Test,
)
from loratui.lab.attribution.plan import NONE, TAG, UNTRAINED, AttributionPlan, Context, Feature, Unit
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.scores.readings import Measures
from loratui.lab.scores.statistics import (
    ALPHA,
    LEARNED,
    NOT_SHOWN,
    PARTLY,
    TOO_FEW,
    UNCERTAIN,
    Paired,
    Rate,
    Verdict,
    mcnemar,
    suggest,
)

SHOWN = (LEARNED, PARTLY)
_FULL = "There the base shows it by itself, so that nothing could be added."
EXAMPLES = 3  # seeds whose pictures stand for a row

Held = Sequence[bool | None]


@dataclass(frozen=True)
class Twins:
    """What the measures say of two pictures from the same noise, and where those are."""

    base: Measures
    lora: Measures
    base_path: str = ""
    lora_path: str = ""


Drawings = Mapping[str, Mapping[int, Twins]]  # by prompt and seed


def attribute(plan: AttributionPlan, drawings: Drawings, about: Mapping[str, Any]) -> Attribution:
    """Judge the drawings of a plan; units that were not drawn in whole are left out, and that is said.

    `about` has run, project, step, scale and inference_steps. LabError where nothing was drawn.
    """
    units = [unit for unit in plan.units if all(drawings.get(text) for text in unit.texts)]
    lost = [unit.label for unit in plan.units if unit not in units]
    if not any(unit.kind not in (NONE, UNTRAINED) for unit in units) or not drawings.get(plan.untrained):
        raise LabError("none of the tags was drawn with and without the LoRA: there is nothing to compare")
    left_out = [*plan.left_out, *([f"not drawn: {', '.join(lost[:12])}"] if lost else [])]
    features = []
    for feature in plan.features:
        common = _of_base(feature, drawings)
        if isinstance(feature.value, tuple) and common.n and 2 * common.k >= common.n:
            left_out.append(f"{feature.words}: {common.k} of {common.n} pictures of the base model are so, too")
        else:
            features.append(feature)
    cells, shown = [], []
    for number, feature in enumerate(features):
        seen = _Seen(feature, drawings)
        cells += [_judged(unit, number, seen, plan.untrained) for unit in units]
        shown += [Shown(asked.text, number, *seen.rates(asked.text)) for asked in plan.prompts
                  if drawings.get(asked.text)]  # fmt: skip
    return Attribution(
        **about,
        seeds=tuple(sorted({seed for by_seed in drawings.values() for seed in by_seed})),
        untrained=plan.untrained,
        units=tuple(units),
        prompts=plan.prompts,
        features=tuple(features),
        left_out=tuple(left_out),
        cells=tuple(cells),
        shown=tuple(shown),
        examples=tuple(_examples(units, drawings)),
    )


def _of_base(feature: Feature, drawings: Drawings) -> Rate:
    return _rate([feature.shown(twins.base) for by_seed in drawings.values() for twins in by_seed.values()])


def _examples(units: Sequence[Unit], drawings: Drawings) -> Iterator[Example]:
    for unit in units:
        for seed, twins in sorted(drawings[unit.name].items())[:EXAMPLES]:
            if twins.base_path and twins.lora_path:
                yield Example(unit.name, seed, twins.base_path, twins.lora_path)


# -- judging --------------------------------------------------------------------------------------------------------


class _Seen:
    """Where one feature is shown."""

    def __init__(self, feature: Feature, drawings: Drawings) -> None:
        self.feature, self.drawings = feature, drawings
        self._held: dict[str, dict[int, tuple[bool | None, bool | None]]] = {}

    def held(self, text: str) -> dict[int, tuple[bool | None, bool | None]]:
        """By seed: without and with the LoRA."""
        if text not in self._held:
            twins = self.drawings[text]
            self._held[text] = {
                seed: (self.feature.shown(twins[seed].base), self.feature.shown(twins[seed].lora))
                for seed in sorted(twins)
            }
        return self._held[text]

    def rates(self, text: str) -> tuple[Rate, Rate]:
        held = self.held(text).values()
        return _rate([base for base, _ in held]), _rate([lora for _, lora in held])

    def alone(self, text: str) -> tuple[Rate, Rate, Paired, Verdict]:
        base, lora = self.rates(text)
        known = [(b, x) for b, x in self.held(text).values() if b is not None and x is not None]
        paired = mcnemar([b for b, _ in known], [x for _, x in known])
        return base, lora, paired, suggest(base, lora, paired)

    def shows(self, text: str) -> bool:
        return self.alone(text)[3].verdict in SHOWN


def _rate(held: Held) -> Rate:
    known = [one for one in held if one is not None]
    return Rate(sum(known), len(known), len(held) - len(known))


def compare(seen: _Seen, question: str, whole: str, other: str) -> Test:
    """Whether the feature goes when `whole` becomes `other`; see the top of the module."""
    mine, others = seen.held(whole), seen.held(other)
    lora, lora_other = seen.rates(whole)[1], seen.rates(other)[1]
    seeds = sorted(set(mine) & set(others))
    changes = [(_change(mine[seed]), _change(others[seed])) for seed in seeds]
    pairs = [(a, b) for a, b in changes if a is not None and b is not None]
    test = mcnemar([a < b for a, b in pairs], [a > b for a, b in pairs])
    gone = _rate([None if (there := others[seed][1]) is None else not there for seed in seeds if mine[seed][1]])
    told = suggest(lora_other, lora, test)
    if told.verdict in SHOWN and test.only_lora > test.only_base:
        outcome = GOES if 2 * gone.k > gone.n else IN_PART
    elif told.verdict in (*SHOWN, NOT_SHOWN) or (gone.n and gone.interval[1] < 0.5):
        outcome = STAYS
    else:
        outcome = STAYS if _base_explains(seen, whole, other, seeds) else OPEN
    if outcome == STAYS and test.p <= ALPHA and test.only_lora > test.only_base and not seen.shows(other):
        outcome, told = OPEN, Verdict(UNCERTAIN, _FULL)
    return Test(question, whole, other, lora, lora_other, test.only_lora, test.only_base, test.p, gone, outcome, told)


def _change(held: tuple[bool | None, bool | None]) -> int | None:
    base, lora = held
    return None if base is None or lora is None else lora - base


def _base_explains(seen: _Seen, whole: str, other: str, seeds: Sequence[int]) -> bool:
    """Whether the base's own pictures lose the feature in the same way: then that is no work of the LoRA."""
    lost = []
    for side in (0, 1):
        held = [(seen.held(other)[seed][side], seen.held(whole)[seed][side]) for seed in seeds]
        known = [(a, b) for a, b in held if a is not None and b is not None]
        test = mcnemar([a for a, _ in known], [b for _, b in known])
        lost.append(test.p <= ALPHA and test.only_lora > test.only_base)
    return all(lost)


def _judged(unit: Unit, number: int, seen: _Seen, untrained: str) -> Cell:
    base, lora, paired, alone = seen.alone(unit.name)
    if unit.kind in (NONE, UNTRAINED):
        word = UNASKED if alone.verdict in SHOWN else alone.verdict
        return Cell(unit.name, number, base, lora, paired, alone, (), replace(alone, verdict=word))
    tests = [compare(seen, ANY_WORD, unit.name, untrained)]
    context = _context(unit, seen)
    if context is not None:
        tests += [
            compare(seen, question, context.whole, other)
            for question, other in ((LEFT_OUT, context.without), (REPLACED, context.replaced))
        ]
    verdict = judge(alone, tests, untrained)
    return Cell(unit.name, number, base, lora, paired, alone, tuple(tests), verdict)


def _context(unit: Unit, seen: _Seen) -> Context | None:
    """The first text that has the unit and shows the feature; of a word, tags whose images have it come first."""
    wanted = seen.feature.tags
    caption = unit.contexts[0] if unit.kind == TAG else None
    ordered = sorted(unit.contexts, key=lambda one: one is not caption and one.whole not in wanted)
    return next((one for one in ordered if seen.shows(one.whole)), None)


def judge(alone: Verdict, tests: Sequence[Test], untrained: str) -> Verdict:
    """The word for a cell, by the rule at the top of the module."""
    any_word, without = tests[0], tests[1:]
    outcomes = {test.outcome for test in without}
    if alone.verdict not in SHOWN:
        return _not_alone(alone, without)
    if any_word.outcome == STAYS:
        return Verdict(UNASKED, f"{_alone(alone)} But about as often for “{plain(untrained)}”: {_both(any_word)}.")
    if any_word.outcome == OPEN:
        return _undecided(alone, any_word)
    weak = [test for test in (any_word, *without) if test.outcome in (STAYS, IN_PART)]
    if weak:
        return Verdict(PARTLY, f"{_alone(alone)} {' '.join(_weak(test) for test in weak)}")
    open_ones = [test for test in without if test.outcome == OPEN]
    if open_ones:
        return _undecided(alone, open_ones[0])
    if alone.verdict == PARTLY:
        return Verdict(PARTLY, f"{_alone(alone)} That is not surely in most pictures.")
    how = (
        f"It goes when it is left out ({_both(without[0])}) or replaced ({without[1].lora_other.words})."
        if outcomes == {GOES}
        else f"For “{plain(untrained)}” alone: {any_word.lora_other.words}. No caption that has it shows this feature."
    )
    return Verdict(CARRIED, f"{_alone(alone)} {how}")


def _not_alone(alone: Verdict, without: Sequence[Test]) -> Verdict:
    if alone.verdict != NOT_SHOWN:
        return alone
    if without and all(test.outcome == GOES for test in without):
        test = without[0]
        return Verdict(PARTLY, f"{_alone(alone)} But it is needed in “{_short(test.whole)}”: {_both(test)}.")
    if without and all(test.outcome in (GOES, OPEN) for test in without):
        return _undecided(alone, next(test for test in without if test.outcome == OPEN))
    return alone


def _undecided(alone: Verdict, test: Test) -> Verdict:
    word = UNCERTAIN if test.suggested.verdict == UNCERTAIN else TOO_FEW
    which = {ANY_WORD: "than for any word", LEFT_OUT: "than when it is left out", REPLACED: "than when it is replaced"}
    why = f"{_alone(alone)} Whether it is more {which[test.question]} is open: {_both(test)}."
    why += f" {_FULL}" if test.suggested.why == _FULL else ""
    return Verdict(word, why, test.suggested.needed)


def _weak(test: Test) -> str:
    much = "most of it stays" if test.outcome == STAYS else "some of it stays"
    if test.question == ANY_WORD:
        return f"Some of it comes with any word: {_both(test)}."
    how = "when it is left out" if test.question == LEFT_OUT else "when it is replaced"
    return f"In “{_short(test.whole)}” {much} {how}: {_both(test)}."


def _alone(alone: Verdict) -> str:
    return f"Alone {alone.why[0].lower()}{alone.why[1:]}"


def _both(test: Test) -> str:
    return f"{test.lora.words} with it, {test.lora_other.words} for “{_short(test.other)}”"


def _short(text: str) -> str:
    return plain(text, 50) or "no words"
