"""Counts a run's pictures into scores: what was expected, without and with the LoRA, from the same noise.

Only seeds of which there are both pictures count. What is measured is remembered (`readings`), so that a call after
new pictures costs only those. The numbers go into `scores.json`; numpy and scipy come in here and nowhere else.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError, cause_of
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.gallery import Gallery, Spot, Where
from loratui.lab.project.expected import faults, meets
from loratui.lab.project.prompts import ResolvedPrompt
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores import statistics
from loratui.lab.scores.groups import group_of
from loratui.lab.scores.readings import Measures, Readings, pixels
from loratui.lab.scores.scores import (
    ALL,
    VERSION,
    Copies,
    Mean,
    Moved,
    Place,
    RunScores,
    Score,
    read_scores,
    write_scores,
)
from loratui.lab.scores.statistics import Rate

NUMBERS = ("whiteness", "coverage", "centre_bias", "centre_pull", "edge_steepness")  # of which a mean says something
MOST_IMAGES = 64  # training images that pictures are held against
COPY = "copy"  # asked for by claims: the picture is a photocopy of a training image


@dataclass(frozen=True)
class Pair:
    """The pictures of one seed at one place."""

    seed: int
    base: Path
    lora: Path


@dataclass(frozen=True)
class Setting:
    """A place, and the pairs of pictures that were drawn there."""

    place: Place
    pairs: tuple[Pair, ...]


class Seen:
    """The pictures of a run and what the measures say of them, for as long as one call needs it."""

    def __init__(self, run: RunFolder, progress: Progress = quiet) -> None:
        self.run = run
        self.record: Record = read_record(run)
        self.readings = Readings(run)
        self.unread: dict[Path, str] = {}
        self._digests: dict[Path, str] = {}
        self._measures: dict[Path, Measures] = {}
        self._images: list[Any] | None = None
        self.settings: tuple[Setting, ...] = tuple(_settings(run, self.record))
        self._measure_all(progress)

    def _measure_all(self, progress: Progress) -> None:
        paths = {path: None for setting in self.settings for pair in setting.pairs for path in (pair.base, pair.lora)}
        for done, path in enumerate(paths):
            progress(done, len(paths))
            try:
                self._digests[path], self._measures[path] = self.readings.of(path)
            except LabError as error:
                self.unread[path] = str(error)
            except OSError as error:
                self.unread[path] = f"{path}: cannot be read: {cause_of(error)}"
        progress(len(paths), len(paths))
        if self.unread:
            whole = lambda pair: pair.base not in self.unread and pair.lora not in self.unread  # noqa: E731
            self.settings = tuple(
                kept
                for one in self.settings
                if (kept := replace(one, pairs=tuple(pair for pair in one.pairs if whole(pair)))).pairs
            )

    def measures(self, path: Path) -> Measures:
        return self._measures[path]

    def digest_of(self, pairs: Sequence[Pair], *more: str) -> str:
        """Tells whether these very pictures were looked at before."""
        parts = [*more, *(f"{p.seed}:{self._digests[p.base]}:{self._digests[p.lora]}" for p in pairs)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def images(self) -> list[Any]:
        """The training images, as the autoencoder returns them where that was drawn: else as they are."""
        if self._images is None:
            self._images = []
            for image in self.record.images[:MOST_IMAGES]:
                own = self.run.path / "training" / f"{image.sha256[:16]}.png"
                try:
                    self._images.append(pixels(own if own.is_file() else Path(image.path)))
                except LabError:
                    continue  # moved away since; what is left still counts
        return self._images

    def image_names(self) -> str:
        there = (self.run.path / "training").is_dir()
        return ",".join([str(there), *(image.sha256[:8] for image in self.record.images[:MOST_IMAGES])])


def _settings(run: RunFolder, record: Record) -> Iterator[Setting]:
    gallery = Gallery(run)
    gallery.refresh()
    gallery.read_words()
    by_prompt: dict[tuple[int, int], list[Spot]] = {}
    for spot in gallery.spots:
        by_prompt.setdefault((spot.prompt, spot.inference_steps), []).append(spot)
    for (prompt, steps), spots in by_prompt.items():
        text = record.prompts[prompt].text if prompt < len(record.prompts) else gallery.prompt(prompt).text
        for step, scale in itertools.product(gallery.steps, gallery.scales):
            pairs = []
            for spot in spots:
                base, lora = (gallery.path(Where(spot, which, step)) for which in (None, scale))
                if base is not None and lora is not None:
                    pairs.append(Pair(spot.seed, base, lora))
            if pairs:
                yield Setting(Place(prompt, text, steps, scale, step), tuple(pairs))


# -- all numbers of a run ---------------------------------------------------------------------------------------------


def refresh(run: RunFolder, progress: Progress = quiet) -> RunScores:
    """Measure what is new, count, and write scores.json. What `progress` raises ends it; nothing is lost then."""
    mark = signature(run)
    seen = Seen(run, progress)
    old = _old(run)
    expects = expectations(run, seen.record)
    scores, means, copies, moved = [], [], [], []
    for setting in seen.settings:
        expect, later = expects.get((setting.place.prompt, setting.place.inference_steps), _NOTHING)
        scores += [replace(s, later=s.name in later) for s in score(seen, setting, expect)]
        means += [mean(seen, setting, name) for name in NUMBERS]
        copies.append(_copies(seen, setting, old))
        moved.append(_moved(seen, setting, old))
    told = RunScores(
        run=run.id,
        signature=mark,
        unread=tuple(seen.unread.values()),
        scores=tuple(scores),
        means=tuple(one for one in means if one.n),
        copies=tuple(one for one in copies if one is not None),
        moved=tuple(moved),
    )
    write_scores(run, told)
    return told


def _old(run: RunFolder) -> RunScores | None:
    try:
        return read_scores(run)
    except LabError:
        return None


def is_current(run: RunFolder, scores: RunScores | None) -> bool:
    """Whether these are the scores of the pictures that are there now. Looks at file names and times only."""
    return scores is not None and scores.signature == signature(run)


def signature(run: RunFolder) -> str:
    """Of everything that the scores depend on."""
    parts = [str(VERSION)]
    folders = [run.samples / "base", *sorted(run.samples.glob("step-*/")), run.path / "training"]
    for file in [
        run.project_folder / "project.toml",
        *(file for folder in folders for file in sorted(folder.glob("*.png"))),
    ]:
        try:
            stat = file.stat()
        except OSError:
            continue
        parts.append(f"{file.parent.name}/{file.name} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


Expected = tuple[Mapping[str, Any], frozenset[str]]
_NOTHING: Expected = ({}, frozenset())


def expectations(run: RunFolder, record: Record) -> dict[tuple[int, int], Expected]:
    """By prompt and length of denoising: what should be seen, and which of it the project said only after the run.

    The record's word stands; what the project says now of the same words is added or takes its place.
    """
    from loratui.lab.project.project import load_project

    now: Sequence[ResolvedPrompt] = ()
    try:
        project = load_project(run.project_folder)
        now = project.settings.sample.resolved([image.caption for image in record.images])
    except LabError:
        pass  # gone, or being edited: the record is enough
    found: dict[tuple[int, int], Expected] = {}
    for number, prompt in enumerate(record.prompts):
        for steps in sorted({steps for one in record.prompts for steps in one.inference_steps}):
            said = _same(prompt, steps, record.prompts) or prompt
            other = _same(prompt, steps, now) or said
            later = {name for name, value in other.expect.items() if _plain(said.expect.get(name)) != _plain(value)}
            found[number, steps] = dict(other.expect), frozenset(later)
    return found


def _same(prompt: ResolvedPrompt, steps: int, prompts: Sequence[ResolvedPrompt]) -> ResolvedPrompt | None:
    """The prompt with these words that is drawn at this length: one text may stand twice, at two lengths."""
    alike = [one for one in prompts if one.text == prompt.text]
    return next((one for one in alike if steps in one.inference_steps), alike[0] if alike else None)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


# -- one place --------------------------------------------------------------------------------------------------------


def score(seen: Seen, setting: Setting, expect: Mapping[str, Any]) -> list[Score]:
    """Each expectation at one place, and all of them together where there are several."""
    answers = {name: _answers(seen, setting, name, wanted) for name, wanted in expect.items()}
    if len(answers) > 1:
        answers[ALL] = (
            [_every(column) for column in zip(*(base for base, _ in answers.values()), strict=True)],
            [_every(column) for column in zip(*(lora for _, lora in answers.values()), strict=True)],
        )
    return [_counted(setting, name, expect.get(name), base, lora) for name, (base, lora) in answers.items()]


Held = list[bool | None]


def _answers(seen: Seen, setting: Setting, name: str, wanted: Any) -> tuple[Held, Held]:
    if name == COPY:
        return _copied(seen, setting)
    if faults({name: wanted}):
        return [None] * len(setting.pairs), [None] * len(setting.pairs)

    def held(path: Path) -> bool | None:
        reading = seen.measures(path)[name]
        return None if reading.uncertain else meets(name, wanted, reading.value)

    return [held(pair.base) for pair in setting.pairs], [held(pair.lora) for pair in setting.pairs]


def _copied(seen: Seen, setting: Setting) -> tuple[Held, Held]:
    from loratui.lab.measures import copying

    images = seen.images()
    if not images:
        return [None] * len(setting.pairs), [None] * len(setting.pairs)
    base = [pixels(pair.base) for pair in setting.pairs]
    lora = [pixels(pair.lora) for pair in setting.pairs]
    return ([one.copy for one in copying(base, images, base).nearest],
            [one.copy for one in copying(lora, images, base).nearest])  # fmt: skip


def _every(answers: Sequence[bool | None]) -> bool | None:
    """Three-valued and: one that does not hold decides, whatever is uncertain."""
    if False in answers:
        return False
    return None if None in answers else True


def _counted(setting: Setting, name: str, wanted: Any, base: Held, lora: Held) -> Score:
    rates = [Rate(held.count(True), held.count(True) + held.count(False), held.count(None)) for held in (base, lora)]
    sure = [(b, x) for b, x in zip(base, lora, strict=True) if b is not None and x is not None]
    paired = statistics.mcnemar([b for b, _ in sure], [x for _, x in sure])
    seeds = tuple(pair.seed for pair in setting.pairs)
    verdict = statistics.suggest(rates[0], rates[1], paired)
    return Score(setting.place, name, wanted, rates[0], rates[1], paired, verdict, seeds, tuple(base), tuple(lora))


def mean(seen: Seen, setting: Setting, name: str) -> Mean:
    """One measure that is a number, over the pairs in which both pictures could be measured."""
    pairs = []
    for pair in setting.pairs:
        one, other = seen.measures(pair.base)[name], seen.measures(pair.lora)[name]
        if not (one.uncertain or other.uncertain or one.value is None or other.value is None):
            pairs.append((float(one.value), float(other.value)))
    base, lora = [b for b, _ in pairs], [x for _, x in pairs]
    middles = [statistics.middle_of(values) if len(values) > 1 else None
               for values in ([x - b for b, x in pairs], lora)]  # fmt: skip
    average = [sum(values) / len(values) if values else None for values in (base, lora)]
    return Mean(setting.place, name, len(pairs), average[0], average[1], *middles)


def _copies(seen: Seen, setting: Setting, old: RunScores | None) -> Copies | None:
    digest = seen.digest_of(setting.pairs, seen.image_names())
    for kept in old.copies if old else ():
        if kept.place == setting.place and kept.seen == digest:
            return kept
    if not seen.images():
        return None
    from statistics import median

    from loratui.lab.measures import copying

    images = seen.images()
    base, lora = [pixels(p.base) for p in setting.pairs], [pixels(p.lora) for p in setting.pairs]
    told, twins = copying(lora, images, base), copying(base, images, base)
    near = [[one.to_base for one in told.nearest if one.to_base is not None],
            [one.to_second for one in told.nearest if one.to_second is not None]]  # fmt: skip
    return Copies(
        setting.place,
        len(setting.pairs),
        told.copies,
        twins.copies,
        median(near[0]) if near[0] else None,
        median(near[1]) if near[1] else None,
        told.diversity,
        told.base_diversity,
        told.photocopier,
        digest,
    )


def _moved(seen: Seen, setting: Setting, old: RunScores | None) -> Moved:
    group = group_of(setting.place.text, [image.caption for image in seen.record.images])
    digest = seen.digest_of(setting.pairs)
    for kept in old.moved if old else ():
        if kept.place == setting.place and kept.seen == digest:
            return replace(kept, group=group)
    from loratui.lab.measures import drift

    drifts = [drift(pixels(pair.base), pixels(pair.lora)) for pair in setting.pairs]
    middle = statistics.middle_of([one.rmse for one in drifts]) if len(drifts) > 1 else None
    count = len(drifts)
    return Moved(setting.place, group, count, sum(d.rmse for d in drifts) / count, sum(d.lab for d in drifts) / count,
                 sum(d.changed for d in drifts) / count, middle, digest)  # fmt: skip
