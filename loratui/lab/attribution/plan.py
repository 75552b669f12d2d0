"""What to draw, and what to look for, to find out which tag took in what: a plan made from a run's captions and images.

The units that are asked about are the tags of the captions and, of a tag of several words, its words: first those of
tags that share a word ("deer", "deer nose"), then the others as far as there is room. Of each unit are drawn: it
alone; the fullest caption that has it, and that caption without it; and the caption with an untrained word in its
place. Of a word the same within its tag: "deer nose", "nose" and "bird nose". A word that is a tag too is left out of
the caption, and replaced in it, wherever it stands. Beside them stand the empty prompt and the untrained word alone:
what the LoRA does unasked. Nothing is drawn or judged here, and numpy comes in only to measure the training images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.dataset.captions import join_tags, split_tags
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.record import Record

if TYPE_CHECKING:
    from loratui.lab.dataset.tokens import Tokenizer
    from loratui.lab.scores.readings import Measures

MOST_PROMPTS = 40
MOST_FEATURES = 8
MOST_WORDS = 4  # of a tag; a longer one is a sentence, and stays whole
NONE, UNTRAINED, TAG, WORD = "no tag", "untrained word", "tag", "word"
ALONE, WHOLE, LEFT_OUT, REPLACED = "alone", "all together", "left out", "replaced"
# Things that are of no one colour and of no plain shape, and single tokens to CLIP.
UNTRAINED_WORDS = ("bird", "chair", "boat", "book", "lamp", "house", "bridge", "clock", "window", "garden", "piano",
                   "train", "castle", "shoe", "kitchen", "mountain")  # fmt: skip
_LITTLE = frozenset("a an and at by for from in into is it its of on or the to with".split())
_WORD = re.compile(r"\d+\s*[x×]\s*\d+|\S+")  # "2 x 2" is one word, as it is the tokens of "2x2"
WORDED = ("colour", "shape", "grid", "background")
NUMBERED = ("edge_steepness", "coverage")
NO_FEATURES = ("other", "no grid", "1x1")  # what a picture is like that is like nothing
ALIKE, ROOM = 1.6, 1.25  # numbers of a tag's images are one feature within this factor, and are widened by that one


@dataclass(frozen=True)
class Context:
    """A text that has the unit, and what becomes of it without the unit and with the untrained word in its place."""

    whole: str
    without: str
    replaced: str


@dataclass(frozen=True)
class Unit:
    """A row of the table. `name` is also the prompt that asks for it alone: "" for no tag."""

    name: str
    kind: str  # NONE, UNTRAINED, TAG or WORD
    images: int  # training images whose captions have it
    parents: tuple[str, ...] = ()  # tags of several words that it is a word of
    contexts: tuple[Context, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people, made plain."""
        if self.kind == NONE:
            return "(no tag)"
        return plain(self.name) + (" (untrained)" if self.kind == UNTRAINED else "")

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompts it needs, itself alone first."""
        found = [self.name]
        for one in self.contexts:
            found += [one.whole, one.without, one.replaced]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Feature:
    """A column: what training images show, by a measure. Of a measure that is a number, `value` is a range."""

    measure: str
    value: str | tuple[float, float]
    images: int  # that show it, of those that could be measured
    measured: int
    tags: tuple[str, ...]  # of the images that show it

    @property
    def words(self) -> str:
        name = self.measure.replace("_", " ")
        if isinstance(self.value, tuple):
            return f"{name} {self.value[0]:.2g} to {self.value[1]:.2g}"
        return f"{name} {self.value}"

    def shown(self, readings: Measures) -> bool | None:
        """Whether a picture with these readings shows it; None where the measure is not sure."""
        told = readings.get(self.measure)
        if told is None or told.uncertain:
            return None
        if isinstance(self.value, tuple):
            return isinstance(told.value, (int, float)) and self.value[0] <= told.value <= self.value[1]
        return told.value == self.value


@dataclass(frozen=True)
class Asked:
    """A prompt of the plan, and what it was first wanted for."""

    kind: str  # ALONE, WHOLE, LEFT_OUT or REPLACED
    unit: str
    text: str


@dataclass(frozen=True)
class AttributionPlan:
    untrained: str  # the word that stands for any other
    units: tuple[Unit, ...]
    prompts: tuple[Asked, ...]
    features: tuple[Feature, ...]
    left_out: tuple[str, ...]  # sentences about what is not asked


def plan(record: Record, tokenizer: Tokenizer | None, training: Path | None = None) -> AttributionPlan:
    """The plan of a run. Images in `training` (as the autoencoder returns them) are measured rather than the originals.

    LabError when the captions have no tags, or none of the images can be measured.
    """
    captions = [image.caption for image in record.images]
    untrained, units, prompts, left_out = plan_prompts(captions, tokenizer)
    told, lost = _measured(record, training)
    if not told:
        raise LabError(f"none of the {len(record.images)} training images can be measured: {plain(lost[0], 300)}")
    features, more = find_features(told)
    gone = (f"{len(lost)} training images that cannot be measured: {plain(lost[0], 200)}",) if lost else ()
    return AttributionPlan(untrained, units, prompts, features, (*left_out, *more, *gone))


# -- what to draw ---------------------------------------------------------------------------------------------------


def plan_prompts(
    captions: Sequence[str], tokenizer: Tokenizer | None, most: int = MOST_PROMPTS
) -> tuple[str, tuple[Unit, ...], tuple[Asked, ...], tuple[str, ...]]:
    """The untrained word, the units, the prompts (`most` at most) and what is left out. LabError without tags."""
    # Most images first; of equals, in the order of the fullest caption.
    fullest_first = sorted(captions, key=lambda caption: -len(split_tags(caption)))
    counts = Counter(tag for caption in fullest_first for tag in dict.fromkeys(split_tags(caption)))
    if not counts:
        raise LabError("the captions have no tags: there is nothing that could have taken anything in")
    other = untrained_word(captions, tokenizer)
    parted = {tag: words_of(tag) for tag, _ in counts.most_common()}
    shared = {word for words in parted.values() if len(words) > 1 for word in words
              if word in parted or sum(word in others for others in parted.values()) > 1}  # fmt: skip
    units = [Unit("", NONE, len(captions)), Unit(other, UNTRAINED, 0)]
    units += [_tag_unit(tag, images, captions, parted, other) for tag, images in counts.most_common()]
    sharing, rest = _word_units(captions, parted, shared, other)
    asked: dict[str, Asked] = {}
    kept: list[Unit] = []
    dropped: list[Unit] = []
    for unit in (*units, *sharing, *rest):
        new = {one.text: one for one in _asked(unit) if one.text not in asked}
        if len(asked) + len(new) > most:
            dropped.append(unit)
            continue
        asked |= new
        kept.append(unit)
    told = []
    for kind in (TAG, WORD):
        names = [f"“{plain(unit.name, 40)}”" for unit in dropped if unit.kind == kind]
        if names:
            listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            told.append(f"{len(names)} {kind}{'s' * (len(names) > 1)}, beyond {most} prompts: {listed}")
    return other, tuple(_ordered(kept)), tuple(asked.values()), tuple(told)


def untrained_word(captions: Sequence[str], tokenizer: Tokenizer | None) -> str:
    """The first of UNTRAINED_WORDS that is in no caption and, where a tokenizer can tell, a single token."""
    text = " ".join(captions).casefold()
    free = [word for word in UNTRAINED_WORDS if word not in text]
    if not free:
        raise LabError(
            f"the captions use all words that could stand for an untrained one: {', '.join(UNTRAINED_WORDS)}"
        )
    return next((word for word in free if tokenizer is None or len(tokenizer.ids(word)) == 1), free[0])


def words_of(tag: str) -> tuple[str, ...]:
    """The words of a tag that say something, each once; empty for one that is a sentence."""
    words = [word for word in dict.fromkeys(_WORD.findall(tag)) if word.casefold() not in _LITTLE]
    return tuple(words) if len(words) <= MOST_WORDS else ()


def _exchanged(text: str, word: str, other: str) -> str:
    """`text` with another word, or none, wherever the word stands in its tags."""
    tags = []
    for tag in split_tags(text):
        words = [other if one == word else one for one in _WORD.findall(tag)]
        tags.append(" ".join(one for one in words if one) if word in _WORD.findall(tag) else tag)
    return join_tags([tag for tag in tags if tag])


def _tag_unit(
    tag: str, images: int, captions: Sequence[str], parted: Mapping[str, tuple[str, ...]], other: str
) -> Unit:
    mine = Counter(caption for caption in captions if tag in split_tags(caption))
    fullest = split_tags(max(mine, key=lambda caption: (len(split_tags(caption)), mine[caption])))
    caption = join_tags(fullest)
    parents = tuple(one for one, words in parted.items() if one != tag and tag in words)
    if parents:
        context = Context(caption, _exchanged(caption, tag, ""), _exchanged(caption, tag, other))
    else:
        context = Context(caption, join_tags([one for one in fullest if one != tag]),
                          join_tags([other if one == tag else one for one in fullest]))  # fmt: skip
    return Unit(tag, TAG, images, parents, (context, *_within(tag, parents, other)))


def _word_units(
    captions: Sequence[str], parted: Mapping[str, tuple[str, ...]], shared: set[str], other: str
) -> tuple[list[Unit], list[Unit]]:
    """The words of tags that share one, and those of other tags."""
    found: tuple[list[Unit], list[Unit]] = ([], [])
    for word in dict.fromkeys(word for words in parted.values() if len(words) > 1 for word in words):
        if word in parted:
            continue  # a tag too, which has its unit
        parents = tuple(tag for tag, words in parted.items() if word in words)
        images = sum(bool(set(parents) & set(split_tags(caption))) for caption in captions)
        unit = Unit(word, WORD, images, parents, tuple(_within(word, parents, other)))
        found[not any(set(parted[tag]) & shared for tag in parents)].append(unit)
    return found


def _within(word: str, tags: Sequence[str], other: str) -> Iterator[Context]:
    for tag in tags:
        yield Context(tag, _exchanged(tag, word, ""), _exchanged(tag, word, other))


def _asked(unit: Unit) -> Iterator[Asked]:
    yield Asked(ALONE, unit.name, unit.name)
    for one in unit.contexts:
        yield Asked(WHOLE, unit.name, one.whole)
        yield Asked(LEFT_OUT, unit.name, one.without)
        yield Asked(REPLACED, unit.name, one.replaced)


def _ordered(units: Sequence[Unit]) -> Iterator[Unit]:
    """Words below the first tag that has them, the tags as they come."""
    waiting = [unit for unit in units if unit.kind == WORD]
    for unit in units:
        if unit.kind == WORD:
            continue
        yield unit
        mine = [word for word in waiting if unit.name in word.parents]
        yield from mine
        waiting = [word for word in waiting if word not in mine]
    yield from waiting  # of tags that are left out themselves


# -- what to look for -----------------------------------------------------------------------------------------------


def find_features(
    told: Sequence[tuple[str, Measures]], most: int = MOST_FEATURES
) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """What the training images, as (caption, readings), show: the commonest of each measure, then the next; the rest.

    A value that only says that there is nothing to tell, such as one object in a grid of 1x1, is none.
    """
    ranked = [ranking for name in WORDED if (ranking := _values(name, told))]
    in_turn = [
        ranking[place]
        for place in range(max(map(len, ranked), default=0))
        for ranking in ranked
        if place < len(ranking)
    ]
    in_turn += [feature for name in NUMBERED if (feature := _range(name, told))]
    kept, rest = in_turn[:most], in_turn[most:]
    order = (*WORDED, *NUMBERED)
    kept.sort(key=lambda feature: order.index(feature.measure))  # stable: the commonest stays first
    left_out = f"{len(rest)} features, beyond {most}: " + ", ".join(one.words for one in rest[:12])
    return tuple(kept), (left_out,) if rest else ()


def _values(name: str, told: Sequence[tuple[str, Measures]]) -> list[Feature]:
    certain = [(caption, readings[name].value) for caption, readings in told
               if name in readings and not readings[name].uncertain]  # fmt: skip
    counts = Counter(value for _, value in certain if isinstance(value, str) and value not in NO_FEATURES)
    return [
        Feature(name, value, images, len(certain), _tags([caption for caption, one in certain if one == value]))
        for value, images in counts.most_common()
    ]


def _range(name: str, told: Sequence[tuple[str, Measures]]) -> Feature | None:
    """One range around all images, where they are alike in it."""
    certain = [(caption, float(readings[name].value or 0)) for caption, readings in told
               if name in readings and not readings[name].uncertain]  # fmt: skip
    values = [value for _, value in certain]
    if len(values) < max(1, len(told) // 2) or min(values) <= 0 or max(values) > ALIKE * min(values):
        return None
    around = (round(min(values) / ROOM, 4), round(max(values) * ROOM, 4))
    return Feature(name, around, len(values), len(values), _tags([caption for caption, _ in certain]))


def _tags(captions: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for caption in captions for tag in split_tags(caption)))


def _measured(record: Record, training: Path | None) -> tuple[list[tuple[str, Measures]], list[str]]:
    """Captions with what the measures say of their images at the size they were trained at, and what went wrong."""
    from loratui.lab.dataset.dataset import load_pixels
    from loratui.lab.measures import measure
    from loratui.lab.scores.readings import Reading

    told: list[tuple[str, Measures]] = []
    lost = []
    for image in record.images:
        own = training / f"{image.sha256[:16]}.png" if training is not None else None
        try:
            path = own if own is not None and own.is_file() else Path(image.path)
            measured = measure(load_pixels(path, *image.bucket))
        except (LabError, OSError, ValueError) as error:
            lost.append(f"{image.name}: {error}")
            continue
        told.append((image.caption, {
            name: Reading(one.value, one.confidence, one.reason) for name, one in measured.items()
        }))  # fmt: skip
    return told, lost
