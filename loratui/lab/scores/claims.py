"""A project's claims held against what was measured: does it agree, disagree, or is it uncertain?

What an `expectation` can say is in `project.claimed`. It agrees when the whole 95 % interval does, disagrees when none
of it does; pictures that could not be measured are counted both ways. With repeats (other training seeds) it agrees
only where each of them does. A claim without an expectation is for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.claimed import KEYS, claim_fault, claim_table
from loratui.lab.project.experiment import Claim
from loratui.lab.project.project import Project
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import (
    ALPHA,
    LEARNED,
    NOT_SHOWN,
    PARTLY,
    WORTH,
    Paired,
    Rate,
    difference,
    fisher,
    mcnemar,
    suggest,
    wilson,
)

AGREES, DISAGREES, UNCERTAIN, PERSON = "agrees", "disagrees", "uncertain", "for a person"
ANSWERS = (AGREES, DISAGREES, UNCERTAIN, PERSON)


@dataclass(frozen=True)
class Answer:
    """What the pictures say of one claim. Texts are safe to show."""

    claim: str
    answer: str  # one of ANSWERS
    measured: str = ""  # k/n with its interval, or a number with its
    base: str = ""  # the same without the LoRA, or what it is held against
    note: str = ""
    run: str = ""  # id of the run it speaks of


_ANSWERS = {LEARNED: AGREES, PARTLY: AGREES, NOT_SHOWN: DISAGREES}  # of a claim that something was learned
_Held = list[bool | None]
_Setting = tuple[Any, Mapping[str, Any]]  # a place with its pictures, and what is expected there


@dataclass(frozen=True)
class _Told:
    answer: str
    measured: str
    base: str = ""
    note: str = ""
    rate: Rate | None = field(default=None)


def answer_claims(
    project: Project, runs: Mapping[str, RunFolder], repeats: Iterable[RunFolder] | None = None
) -> tuple[Answer, ...]:
    """An answer to each claim. `runs`: the run of each variant by its name, "" for the project as it is written.

    `repeats`: runs among which those with other training seeds are looked for; without, the project's own. Measures
    pictures that were not measured yet.
    """
    table = _Table(project, runs, repeats)
    return tuple(table.answer(claim) for claim in project.claims)


class _Table:
    """The pictures of the runs, each read once however many claims speak of it."""

    def __init__(self, project: Project, runs: Mapping[str, RunFolder], repeats: Iterable[RunFolder] | None) -> None:
        self.project, self.runs = project, dict(runs)
        self.others = None if repeats is None else list(repeats)
        self._seen: dict[RunFolder, Any] = {}
        self._repeats: dict[RunFolder, list[RunFolder]] = {}

    def answer(self, claim: Claim) -> Answer:
        text = plain(claim.text)
        said = claim.expectation
        if said is None:
            return Answer(text, PERSON)
        table = claim_table(said)
        fault = claim_fault(table, self.project)
        if fault:
            return Answer(text, UNCERTAIN, note=fault)
        variant = str(table.get("variant", ""))
        run = self.runs.get(variant)
        if run is None:
            return Answer(text, UNCERTAIN, note=f"not trained yet: {plain(variant) or 'the project itself'}")
        try:
            told = self._told(run, table)
            again = [self._told(other, table, like=run) for other in self._repeats_of(run)]
        except (LabError, OSError) as error:
            return Answer(text, UNCERTAIN, note=plain(error, 300), run=run.id)
        return _with_repeats(text, run, told, again)

    def seen(self, run: RunFolder) -> Any:
        from loratui.lab.scores.scoring import Seen

        if run not in self._seen:
            self._seen[run] = Seen(run)
        return self._seen[run]

    def _repeats_of(self, run: RunFolder) -> list[RunFolder]:
        from loratui.lab.scores.band import repeats_of

        if run not in self._repeats:
            self._repeats[run] = repeats_of(run, self.others)
        return self._repeats[run]

    # -- one claim in one run ---------------------------------------------------------------------------------

    def _told(self, run: RunFolder, table: Mapping[str, Any], like: RunFolder | None = None) -> _Told:
        """`like`: the run whose prompts the claim names; a repeat of it may write the same words differently."""
        numbers = self._numbers(like or run, table.get("prompt"))
        if "measure" in table:
            return self._number(run, table, numbers)
        if "earlier_than" in table:
            return self._earlier(run, table, numbers)
        base, lora = self._pooled(run, table, numbers)
        rates = _rate(base), _rate(lora)
        if not rates[1].n and not rates[1].unsure:
            raise LabError(f"{run.path}: none of its pictures is one that the claim speaks of")
        words = rates[1].words, rates[0].words
        if "rate" in table:
            return _Told(_within(rates[1], *table["rate"]), *words, rate=rates[1])
        for key in ("less_often_than", "more_often_than"):
            if key in table:
                _, other = self._pooled(run, table, self._numbers(like or run, table[key]))
                return _against(rates[1], _rate(other), less=key.startswith("less"))
        if "more_often_than_variant" in table:
            return self._than_variant(run, table, numbers, lora)
        verdict = suggest(*rates, _paired(base, lora))
        answer = _ANSWERS.get(verdict.verdict, UNCERTAIN)
        why = verdict.why.partition(": ")[2] if answer != AGREES else ""
        return _Told(answer, *words, note=why.removesuffix("."), rate=rates[1])

    def _numbers(self, run: RunFolder, prompt: Any) -> set[int] | None:
        """The numbers of prompts by their texts; None for all."""
        if prompt is None:
            return None
        texts = [prompt] if isinstance(prompt, str) else list(prompt)
        return {s.place.prompt for s in self.seen(run).settings if s.place.text in texts}

    def _pooled(self, run: RunFolder, table: Mapping[str, Any], numbers: set[int] | None) -> tuple[_Held, _Held]:
        """What was seen without and with the LoRA in all pictures that are spoken of, at the last checkpoint."""
        return self._count(run, table, self._settings(run, table, numbers))

    def _count(self, run: RunFolder, table: Mapping[str, Any], settings: Sequence[_Setting]) -> tuple[_Held, _Held]:
        from loratui.lab.scores.scoring import score

        base: _Held = []
        lora: _Held = []
        for setting, expect in settings:
            for name, wanted in _wanted(table, expect).items():
                [one] = score(self.seen(run), setting, {name: wanted})
                base += one.base_seen
                lora += one.lora_seen
        return base, lora

    def _settings(
        self, run: RunFolder, table: Mapping[str, Any], numbers: set[int] | None, every_step: bool = False
    ) -> list[_Setting]:
        """The places that are spoken of, with what is expected there; those of the last checkpoint, or of every."""
        from loratui.lab.scores.scoring import expectations

        seen = self.seen(run)
        expects = expectations(run, seen.record)
        wanted = table.get("expect")
        found = []
        for setting in seen.settings:
            place = setting.place
            expect, _ = expects.get((place.prompt, place.inference_steps), ({}, frozenset()))
            if place.scale != 1 or (numbers is not None and place.prompt not in numbers):
                continue
            if not isinstance(wanted, str) or wanted in expect:
                found.append((setting, expect))
        length = table.get("inference_steps", max((s.place.inference_steps for s, _ in found), default=0))
        found = [(setting, expect) for setting, expect in found if setting.place.inference_steps == length]
        if every_step:
            return found
        last: dict[int, int] = {}
        for setting, _ in found:
            last[setting.place.prompt] = max(last.get(setting.place.prompt, 0), setting.place.step)
        return [(setting, expect) for setting, expect in found if setting.place.step == last[setting.place.prompt]]

    def _number(self, run: RunFolder, table: Mapping[str, Any], numbers: set[int] | None) -> _Told:
        from loratui.lab.scores.scoring import mean

        seen, name = self.seen(run), str(table["measure"])
        means = [mean(seen, setting, name) for setting, _ in self._settings(run, table, numbers)]
        told = next((one for one in means if one.n), None)
        if told is None or told.change is None or told.lora is None or told.base is None:
            raise LabError(f"{run.path}: {plain(name)} could not be measured in two pictures of a seed")
        change = told.change
        more = table.get("than_base", "more") == "more"
        for_it, against = (change.low > 0, change.high < 0) if more else (change.high < 0, change.low > 0)
        answer = AGREES if for_it else DISAGREES if against else UNCERTAIN
        words = (f"{plain(name)} {told.lora:.3f}: {change.estimate:+.3f} by seed "
                 f"({change.low:+.3f} to {change.high:+.3f}, n = {told.n})")  # fmt: skip
        return _Told(answer, words, f"{told.base:.3f}")

    def _earlier(self, run: RunFolder, table: Mapping[str, Any], numbers: set[int] | None) -> _Told:
        names = (str(table["expect"]), str(table["earlier_than"]))
        settings = self._settings(run, table, numbers, every_step=True)
        steps = sorted({setting.place.step for setting, _ in settings})
        firsts = [self._first(run, [s for s in settings if name in s[1]], name, steps) for name in names]
        told = [
            f"{name} from step {first:,}" if first else f"{name} at none"
            for name, first in zip(names, firsts, strict=True)
        ]
        words = plain(", ".join(told)) + f" (of {len(steps)} checkpoints)"
        first, second = firsts
        if first == second:
            return _Told(UNCERTAIN, words, note="both at one checkpoint" if first else "")
        return _Told(AGREES if first and (not second or first < second) else DISAGREES, words)

    def _first(self, run: RunFolder, settings: Sequence[_Setting], name: str, steps: Sequence[int]) -> int | None:
        """The first checkpoint at which it is met more often than without."""
        for step in steps:
            here = [one for one in settings if one[0].place.step == step]
            base, lora = self._count(run, {"expect": name}, here)
            if _ANSWERS.get(suggest(_rate(base), _rate(lora), _paired(base, lora)).verdict) == AGREES:
                return step
        return None

    def _than_variant(
        self, run: RunFolder, table: Mapping[str, Any], numbers: set[int] | None, lora: Sequence[bool | None]
    ) -> _Told:
        from loratui.lab.notes.comparison import compare

        name = str(table["more_often_than_variant"])
        other = self.runs.get(name)
        if other is None:
            raise LabError(f"not trained yet: {plain(name)}")
        _, theirs = self._pooled(other, table, numbers)
        mine, its = _rate(lora), _rate(theirs)
        against = f"{its.words} in {plain(name)}"
        if other.path == run.path:  # which was trained once for both
            note = "refused: the captions are the same tokens, and so it is the very same experiment"
            return _Told(UNCERTAIN, mine.words, against, note, mine)
        refusals = compare([run, other]).refusals
        if refusals:
            return _Told(UNCERTAIN, mine.words, against, f"refused: {_sentence(refusals[0])}", mine)
        paired = _paired(theirs, lora) if len(theirs) == len(lora) else None
        verdict = suggest(its, mine, paired).verdict
        return _Told(_ANSWERS.get(verdict, UNCERTAIN), mine.words, against, rate=mine)


def _wanted(table: Mapping[str, Any], expect: Mapping[str, Any]) -> dict[str, Any]:
    """What is looked for at a place, by the name of its measure."""
    name = table.get("expect")
    if isinstance(name, str):
        return {name: expect[name]}
    return {key: value for key, value in table.items() if key not in KEYS}


def _rate(answers: Sequence[bool | None]) -> Rate:
    k = answers.count(True)
    return Rate(k, k + answers.count(False), answers.count(None))


def _paired(base: Sequence[bool | None], lora: Sequence[bool | None]) -> Paired:
    sure = [(b, x) for b, x in zip(base, lora, strict=True) if b is not None and x is not None]
    return mcnemar([b for b, _ in sure], [x for _, x in sure])


def _within(rate: Rate, low: float, high: float) -> str:
    """Whether the rate is within a range, what could not be measured counted both ways."""
    least = wilson(rate.k, rate.n + rate.unsure)[0]
    most = wilson(rate.k + rate.unsure, rate.n + rate.unsure)[1]
    if low <= least and most <= high:
        return AGREES
    return DISAGREES if most < low or least > high else UNCERTAIN


def _against(rate: Rate, other: Rate, less: bool) -> _Told:
    """One rate against that of other prompts, which are other pictures. What is uncertain is counted both ways."""
    answer, p = _held_against(rate, other, less)
    note = f"p = {p:.2g}"
    if any(_held_against(_all(rate, low), _all(other, not low), less)[0] != answer for low in (False, True)):
        answer = UNCERTAIN
        note += f", and {rate.unsure + other.unsure} pictures could not be measured, which could turn it"
    elif p > ALPHA and answer == DISAGREES:
        note += f", the difference is below {100 * WORTH:.0f} points"
    return _Told(answer, rate.words, f"{other.words} with the others", note, rate)


def _held_against(rate: Rate, other: Rate, less: bool) -> tuple[str, float]:
    p = fisher(other.k, other.n, rate.k, rate.n)
    apart = difference(other, rate)  # this less the other
    if not less:
        apart = (-apart[1], -apart[0])
    if p <= ALPHA:
        return AGREES if apart[0] + apart[1] < 0 else DISAGREES, p
    return DISAGREES if apart[0] > -WORTH else UNCERTAIN, p


def _all(rate: Rate, shown: bool) -> Rate:
    """As if all pictures that could not be measured had shown it, or none of them."""
    return Rate(rate.k + rate.unsure * shown, rate.n + rate.unsure)


def _sentence(refusal: str) -> str:
    """Of a comparison of two, without their letters."""
    return refusal.replace("A and B", "the two").replace("The captions of the two", "the captions of the two")


def _with_repeats(text: str, run: RunFolder, told: _Told, again: Sequence[_Told]) -> Answer:
    """One answer from the run and from those that differ in their training seed alone."""
    answer, notes = told.answer, [told.note] if told.note else []
    if again:
        if any(one.answer != told.answer for one in again):
            answer = UNCERTAIN
        if told.rate is not None:
            rates = [f"{one.rate.k}/{one.rate.n}" for one in (told, *again) if one.rate is not None]
            notes.append(f"{', '.join(rates)} over {len(again) + 1} training seeds")
        if answer != told.answer:
            notes.append("by training seed: " + ", ".join(one.answer for one in (told, *again)))
    return Answer(text, answer, told.measured, told.base, "; ".join(notes), run.id)
