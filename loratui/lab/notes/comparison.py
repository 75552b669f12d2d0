"""Two or more frozen runs held against each other: what differs, and whether the comparison can show anything.

Law 1: an experiment that is controlled differs in one factor. More than one is warned of; runs that train the very
same thing are refused, also where their captions are only written differently. What the runs show is set beside each
other in sidebyside.py; what a difference means is for a person, or for the measures, to say.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.settings import settings_to_dict
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.records import Difference, Frozen, Kind, compare_records
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.trained import AROUND, DRAWN, REMARKS, is_one_of, trained_as

Role = Literal["trained", "around", "drawn", "remark"]
ROLES: dict[Role, str] = {
    "trained": "changes what is learned",
    "around": "the libraries and the machine",
    "drawn": "changes what is drawn or logged, not what is learned",
    "remark": "where things were found, and remarks",
}
# Of these the steps of a run are a consequence.
_MAKE_STEPS = ("dataset.repeats", "train.batch_size", "train.gradient_accumulation", "images")
_SAME = "same"


@dataclass(frozen=True)
class Row:
    """One thing that differs: its value in each run, in their order. All texts are safe to show."""

    kind: Kind
    role: Role
    label: str
    texts: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """What differs, and only that; rows that matter most come first."""

    runs: tuple[RunFolder, ...]
    rows: tuple[Row, ...]
    factors: tuple[str, ...]  # what differs in what was trained, by name
    refusals: tuple[str, ...]  # why it cannot show anything; of several runs, which pairs
    warnings: tuple[str, ...]
    headline: str  # in one line, how much there is to learn from it

    @property
    def is_refused(self) -> bool:
        return bool(self.refusals)

    @property
    def is_controlled(self) -> bool:
        return not self.refusals and len(self.factors) == 1


def letter(index: int) -> str:
    """How a run is called beside the others: A, B, … Z, A2, …"""
    return chr(ord("A") + index % 26) + (str(index // 26 + 1) if index >= 26 else "")


def compare(runs: Sequence[RunFolder]) -> Comparison:
    """Compare runs with the first of them. LabError when a record is missing or damaged, or there are fewer than two.

    Reads records and, where captions differ, the vocabulary of the base model; never an image.
    """
    if len(runs) < 2:
        raise LabError("a comparison needs two runs or more; mark another")
    sides = [_Side.read(run) for run in runs]
    pairs = {(i, j): _Pair.of(sides[i], sides[j]) for i, j in itertools.combinations(range(len(sides)), 2)}
    names = tuple(dict.fromkeys(name for j in range(1, len(sides)) for name in pairs[0, j].factors))
    refusals = tuple(text for (i, j), pair in pairs.items() if (text := pair.refusal(letter(i), letter(j))))
    warnings = _warnings(pairs, names, len(sides))
    rows = _rows([side.frozen for side in sides], pairs)
    return Comparison(tuple(runs), rows, names, refusals, warnings, _headline(names, refusals, rows, len(sides)))


@dataclass(frozen=True)
class _Side:
    """A run as it is compared: its record with the defaults of newer settings filled in."""

    run: RunFolder
    record: Record
    frozen: Frozen

    @classmethod
    def read(cls, run: RunFolder) -> _Side:
        record, frozen = read_record(run), Frozen.read(run)
        known = {**frozen.record, "settings": settings_to_dict(record.settings)}
        return cls(run, record, Frozen(known, frozen.captions))

    def trained_as(self, tokenizer: Tokenizer | None) -> dict[str, Any]:
        """What training depends on, by factor; equal values make the same LoRA. Without a tokenizer words are read."""
        return trained_as(self.record, tokenizer)


@dataclass(frozen=True)
class _Pair:
    """Two runs: the factors in which they train differently, and what else is to be known of them."""

    factors: tuple[str, ...]
    same_run: bool = False
    same_tokens: bool = False  # the captions differ, and are the same to the text encoder
    unread: str = ""  # why the captions could only be compared as text
    around: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, a: _Side, b: _Side) -> _Pair:
        if a.run.path.absolute() == b.run.path.absolute():
            return cls((), same_run=True)
        captions = [{(image.sha256, image.caption) for image in side.record.images} for side in (a, b)]
        shared = {sha for sha, _ in captions[0]} & {sha for sha, _ in captions[1]}
        differ = any(sha in shared for sha, _ in captions[0] ^ captions[1])
        tokenizer, unread = _tokenizer(a, b) if differ else (None, "")
        one, two = a.trained_as(tokenizer), b.trained_as(tokenizer)
        keys = [key for key in dict.fromkeys((*one, *two)) if one.get(key) != two.get(key)]
        around = [d.text for d in compare_records(a.frozen, b.frozen) if _role(d) == "around"]
        same_tokens = differ and "captions" not in keys
        return cls(tuple(_named(keys, a, b)), False, same_tokens, unread, tuple(around))

    def refusal(self, a: str, b: str) -> str:
        """Why the two can not show anything, or ""."""
        if self.same_run:
            return f"{a} and {b} are the same run."
        if self.factors or (self.around and not self.same_tokens):
            return ""
        if self.same_tokens:
            return (
                f"The captions of {a} and {b} are written differently, but are the same tokens to the text encoder, "
                "and nothing else differs: this comparison cannot show anything. What looks different is chance."
            )
        return f"{a} and {b} train the very same thing: the same experiment cannot differ from itself."


def _named(keys: Sequence[str], a: _Side, b: _Side) -> list[str]:
    """Factors by the names a person knows, what only follows from another left out."""
    settings = [settings_to_dict(side.record.settings) for side in (a, b)]

    def differs(key: str) -> bool:
        table, _, name = key.partition(".")
        return bool(settings[0][table][name] != settings[1][table][name])

    found = list(keys)
    if "images" in found:  # they bring their captions, sizes and repeats
        found = [key for key in found if key not in ("captions", "sizes", "repeats")]
    if "train.optimizer" in found:  # each has learning rates of its own
        found = [key for key in found if not key.endswith("learning_rate")]
    if "lora.alpha" in found and not differs("lora.alpha"):  # as large as the rank unless it is said
        found.remove("lora.alpha")
    if "repeats" in found:
        found[found.index("repeats")] = "dataset.repeats"
    if "steps" in found:
        asked = differs("train.epochs") or differs("train.steps")
        if not asked and any(key in found for key in _MAKE_STEPS):
            found.remove("steps")
    if "base" in found:  # another base model draws at another size
        found = [key for key in found if key != "sizes" or differs("dataset.resolution")]
    words = {"base": "the base model", "images": "the images", "sizes": "the sizes of images", "steps": "train.steps"}
    return [words.get(key, key) for key in found]


def _tokenizer(a: _Side, b: _Side) -> tuple[Tokenizer | None, str]:
    """The tokenizer both read captions with, or why there is none."""
    if a.record.hashes.get("tokenizer") != b.record.hashes.get("tokenizer"):
        return None, "they have different tokenizers"
    problem = ""
    for side in (a, b):
        try:
            return _loaded(side.record.model.path / "tokenizer"), ""
        except LabError as error:
            problem = str(error)
    return None, problem


@functools.lru_cache(maxsize=2)
def _loaded(folder: Path) -> Tokenizer:
    return Tokenizer.load(folder)


def _warnings(pairs: Mapping[tuple[int, int], _Pair], names: Sequence[str], count: int) -> tuple[str, ...]:
    found: list[str] = []
    against_first = [pairs[0, j] for j in range(1, count)]
    if len(names) > 1:
        if all(len(pair.factors) <= 1 for pair in against_first):
            each = ", ".join(f"{letter(j)} in {pair.factors[0]}" for j, pair in enumerate(against_first, 1)
                             if pair.factors)  # fmt: skip
            found.append(f"Each differs from A in one factor, but not in the same one ({each}): compare each with A, "
                         "not with each other.")  # fmt: skip
        else:
            found.append("What shows cannot be put down to one of them; compare runs that differ in one factor.")
    for (i, j), pair in pairs.items():
        a, b = letter(i), letter(j)
        if pair.unread:
            found.append(f"Whether the captions of {a} and {b} are the same tokens could not be looked at: "
                         f"{plain(pair.unread, 200)}")  # fmt: skip
        if pair.same_tokens and pair.factors:
            found.append(f"The captions of {a} and {b} are written differently and are the same tokens: "
                         "that difference shows nothing.")  # fmt: skip
        if i == 0 and pair.around:
            what = "; ".join(pair.around[:3]) + ("; …" if len(pair.around) > 3 else "")
            found.append(f"{a} and {b} were not made in the same surroundings ({what}): the last bits may differ.")
    return tuple(found)


def _headline(names: Sequence[str], refusals: Sequence[str], rows: Sequence[Row], count: int) -> str:
    if refusals:
        return refusals[0] if len(refusals) == 1 else f"{len(refusals)} pairs cannot show anything."
    if not names:
        return "What they train is the same; only their surroundings differ."
    if list(names) == ["train.seed"]:
        return "Only train.seed differs: a repeat. What differs is chance, the noise behind every comparison."
    if len(names) > 1:
        return f"{len(names)} factors differ: {', '.join(names)}."
    row = next((row for row in rows if row.role == "trained" and row.label == names[0]), None)
    values = f" ({' → '.join(row.texts)})" if row is not None and sum(map(len, row.texts)) < 60 else ""
    return f"One factor differs: {names[0]}{values}. What shows comes of it, or of chance."


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(sides: Sequence[Frozen], pairs: Mapping[tuple[int, int], _Pair]) -> tuple[Row, ...]:
    against: list[dict[tuple[Kind, str, bool], Difference]] = [
        {(d.kind, d.key, _is_repeats(d)): d for d in compare_records(sides[0], side)} for side in sides[1:]
    ]
    rows: list[Row] = []
    of_images: dict[tuple[str, Kind, tuple[str, ...]], list[str]] = {}  # what is the same in several is told once
    captions = {str(image["name"]): str(image.get("caption", "")) for image in sides[0].captions}
    for key in dict.fromkeys(key for found in against for key in found):
        found = [differences.get(key) for differences in against]
        first = next(difference for difference in found if difference is not None)
        if first.kind == "caption":
            changed = tuple(_changed_words(difference) for difference in found)
            of_images.setdefault(("caption of", "caption", changed), []).append(first.key)
        elif first.kind == "image":
            what = "repeats of" if _is_repeats(first) else "image"
            of_images.setdefault((what, "image", _values(first, found)), []).append(first.key)
        else:
            label = plain(first.key.removeprefix("settings."), 60)
            rows.append(Row(first.kind, _role(first), label, _values(first, found)))
    same_tokens = all(pair.same_tokens for pair in pairs.values())
    for (what, kind, texts), names in of_images.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        note = "the same tokens" if same_tokens and kind == "caption" else ""
        if kind == "caption":  # the words of the first run's first caption, then what the others say instead
            texts = (plain(captions.get(names[0], ""), 200) or "(no caption)", *texts)
        rows.append(Row(kind, "trained", f"{what} {plain(names[0], 60)}{others}", texts, note))
    order = tuple(ROLES)
    return tuple(sorted(rows, key=lambda row: order.index(row.role)))


def _values(first: Difference, found: Sequence[Difference | None]) -> tuple[str, ...]:
    values = [first.a, *(difference.b if difference is not None else first.a for difference in found)]
    if first.kind == "image" and not _is_repeats(first):
        if None in values:
            return tuple("not there" if value is None else "there" for value in values)
        return ("there", *(_SAME if value == first.a else "other content" for value in values[1:]))
    return tuple(_shown(first, value) for value in values)


def _shown(difference: Difference, value: Any) -> str:
    """A value as `Difference.text` tells it; of prompts only their words."""
    if difference.key == "settings.sample.prompt" and isinstance(value, list):
        return plain(", ".join(str(p.get("text", "")) if isinstance(p, dict) else str(p) for p in value), 80) or "none"
    if difference.key == "settings.sample.seeds" and isinstance(value, list):
        return plain(_ranges(value), 80)
    return Difference("setting", difference.key, None, value).text.partition(" → ")[2]


def _ranges(numbers: Sequence[Any]) -> str:
    """1, 2, 3, 4, 9 as `1–4, 9`: of long lists the ends differ."""
    found: list[list[Any]] = []
    for number in numbers:
        if found and isinstance(number, int) and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    parts = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in found]
    return ", ".join(parts)


def _changed_words(difference: Difference | None) -> str:
    if difference is None:
        return _SAME
    return difference.text.removeprefix(f"caption of {plain(difference.key)}: ")


def _is_repeats(difference: Difference) -> bool:
    return difference.kind == "image" and isinstance(difference.a if difference.a is not None else difference.b, int)


def _role(difference: Difference) -> Role:
    if difference.kind in ("caption", "image"):
        return "trained"
    if is_one_of(difference.key, AROUND):
        return "around"
    if is_one_of(difference.key, DRAWN):
        return "drawn"
    return "remark" if is_one_of(difference.key, REMARKS) else "trained"


# -- measures come here -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeasureRow:
    """One measure or expectation, told for each run in their order. Texts are safe to show."""

    label: str
    texts: tuple[str, ...]
    note: str = ""  # such as the result of a paired test


RowProvider = Callable[[Sequence[RunFolder]], Sequence[MeasureRow]]


def _scored(runs: Sequence[RunFolder]) -> Sequence[MeasureRow]:
    """The scores of the runs: they know of comparisons, so a comparison meets them only when it is asked."""
    from loratui.lab.scores.rows import measured

    return measured(runs)


MEASURES: list[RowProvider] = [_scored]  # each adds rows to the comparison; what has nothing to say returns none


def measure_rows(runs: Sequence[RunFolder]) -> list[MeasureRow]:
    """The rows of all providers, in their order."""
    return [row for provider in MEASURES for row in provider(runs)]
