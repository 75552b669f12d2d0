"""Step arithmetic: how many steps a run takes, and at which of them it saves and draws.

Steps are counted here as a person counts them, from 1: step 75 is the 75th update, and a checkpoint at 75 is saved
after it. (order.py counts from 0.) Nothing is read from disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from loratui.lab.project.settings import Settings

MOST_GROUPS = 3  # different repeats spelled out in the arithmetic; beyond, only their range


@dataclass(frozen=True)
class Marks:
    """The steps, from 1, at which something happens: each `stride`-th and the last; none when `stride` is 0."""

    stride: int
    total: int

    def __contains__(self, step: int) -> bool:
        return bool(self.stride) and 1 <= step <= self.total and (step % self.stride == 0 or step == self.total)

    def __iter__(self) -> Iterator[int]:
        if self.stride:
            yield from range(self.stride, self.total, self.stride)
            yield self.total

    def __len__(self) -> int:
        return -(-self.total // self.stride) if self.stride else 0


@dataclass(frozen=True)
class Plan:
    """The arithmetic of a run. A view is one image seen once; `repeats` maps repeats to how many images have them."""

    images: int
    repeats: tuple[tuple[int, int], ...]
    bucket_images: tuple[tuple[tuple[int, int], int], ...]  # ((width, height), images), smallest width first
    views_per_epoch: int
    batch_size: int
    accumulation: int
    batches_per_epoch: int
    steps_per_epoch: int
    total_steps: int
    epochs_asked: int  # train.epochs; 0 when train.steps decides
    checkpoint_steps: Marks
    sample_steps: Marks

    @property
    def epochs(self) -> float:
        """Passes over the dataset; not whole when train.steps ends the run within one."""
        return self.total_steps / self.steps_per_epoch

    def epoch_of(self, step: int) -> int:
        """The epoch, from 1, that the `step`-th step belongs to; 0 before any step."""
        return -(-step // self.steps_per_epoch)

    @property
    def repeats_text(self) -> str:
        """`3 images × 25 repeats`, or with differing repeats `2 images × 10 + 1 image × 5 repeats`."""
        if len(self.repeats) <= MOST_GROUPS:
            *first, (times, images) = self.repeats
            parts = [f"{_images(n)} × {r:,}" for r, n in first]
            return " + ".join([*parts, f"{_images(images)} × {_many(times, 'repeat')}"])
        least, most = self.repeats[0][0], self.repeats[-1][0]
        return f"{_images(self.images)} × {least:,} to {most:,} repeats"

    @property
    def arithmetic(self) -> str:
        """The whole sum in a line: `3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps`."""
        divisor = self.batch_size * self.accumulation
        by = f"batch {self.batch_size:,}"
        if self.accumulation > 1:
            by = f"(batch {self.batch_size:,} × accumulation {self.accumulation:,})"
        epochs = _many(self.epochs_asked, "epoch")
        even = self.views_per_epoch == divisor * self.steps_per_epoch
        if even and self.epochs_asked and len(self.repeats) == 1:
            return f"{self.repeats_text} × {epochs} ÷ {by} = {_many(self.total_steps, 'step')}"
        views = f"{self.repeats_text} = {_many(self.views_per_epoch, 'image view')}"
        per_epoch = f"{views} ÷ {by} = {_many(self.steps_per_epoch, 'step')} an epoch"
        if not even:
            per_epoch += f" ({self._why_uneven})"
        if self.epochs_asked:
            return f"{per_epoch}, × {epochs} = {_many(self.total_steps, 'step')}"
        passes = f"{self.epochs:.4g} epoch" + ("" if self.epochs == 1 else "s")
        return f"{per_epoch}; train.steps makes it {_many(self.total_steps, 'step')}: {passes}"

    @property
    def _why_uneven(self) -> str:
        if self.batch_size == 1:
            return "the last one smaller"
        sizes = len(self.bucket_images)
        return f"in {sizes} sizes that do not mix, the last of each smaller" if sizes > 1 else "the last one smaller"


class Repeated(Protocol):
    """All that the arithmetic asks of an image."""

    @property
    def repeats(self) -> int: ...


def plan(images: Sequence[Repeated], settings: Settings, sizes: Sequence[tuple[int, int]]) -> Plan:
    """The plan for these images at these training sizes, one for each. Raises LabError when there are no images."""
    if not images:
        raise LabError("dataset.path: holds no images that can be trained on, so there are no steps to count")
    train = settings.train
    views: Counter[tuple[int, int]] = Counter()
    for image, size in zip(images, sizes, strict=True):
        views[size] += image.repeats
    batches = sum(-(-count // train.batch_size) for count in views.values())
    per_epoch = -(-batches // train.gradient_accumulation)
    total = train.steps or per_epoch * train.epochs
    return Plan(
        images=len(images),
        repeats=tuple(sorted(Counter(image.repeats for image in images).items())),
        bucket_images=tuple(sorted(Counter(sizes).items())),
        views_per_epoch=sum(views.values()),
        batch_size=train.batch_size,
        accumulation=train.gradient_accumulation,
        batches_per_epoch=batches,
        steps_per_epoch=per_epoch,
        total_steps=total,
        epochs_asked=0 if train.steps else train.epochs,
        checkpoint_steps=steps_at(train.checkpoint_every, per_epoch, total),
        sample_steps=steps_at(settings.sample.every, per_epoch, total),
    )


def steps_at(every: int | str, per_epoch: int, total: int) -> Marks:
    """The steps at which something that comes `every` so often happens: always the last one, except for "never"."""
    strides = {"never": 0, "epoch": per_epoch, "end": total}
    return Marks(strides[every] if isinstance(every, str) else every, total)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _images(count: int) -> str:
    return _many(count, "image")
