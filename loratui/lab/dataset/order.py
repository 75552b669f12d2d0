"""Which images each step sees, and which of them mirrored.

An epoch is a permutation of all images times their repeats, drawn from (seed, epoch). A batch holds images of one
size; the batches of all sizes are mixed. Everything is a pure function of (seed, step), so any step can be asked for
at any time and a resumed run goes on as if it had never stopped. What a step sees of the captions is in captions.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from loratui.lab.dataset.counters import Stream, permutation, uniform

Batch = tuple[int, ...]


class Order:
    """The order of a training run; steps are counted from 0.

    `sizes` and `repeats` have one entry an image. A step takes `accumulation` batches of at most `batch_size` images.
    The last batch of a size may be smaller, and so may the last step of an epoch.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        repeats: Sequence[int],
        batch_size: int,
        accumulation: int,
        seed: int,
    ) -> None:
        if len(sizes) != len(repeats):
            raise ValueError(f"{len(sizes)} sizes for {len(repeats)} repeats")
        if batch_size < 1 or accumulation < 1:
            raise ValueError("batch_size and accumulation must be at least 1")
        self.batch_size, self.accumulation, self.seed = batch_size, accumulation, seed
        buckets: dict[tuple[int, int], list[int]] = {}
        for index, (size, times) in enumerate(zip(sizes, repeats, strict=True)):
            buckets.setdefault(size, []).extend([index] * times)
        self._buckets = [buckets[size] for size in sorted(buckets) if buckets[size]]
        if not self._buckets:
            raise ValueError("there is nothing to train on")
        self.views_per_epoch = sum(len(views) for views in self._buckets)
        self.batches_per_epoch = sum(-(-len(views) // batch_size) for views in self._buckets)
        self.steps_per_epoch = -(-self.batches_per_epoch // accumulation)
        self._cached: tuple[int, tuple[Batch, ...]] = (-1, ())

    def micro_batches(self, step: int) -> tuple[Batch, ...]:
        """The batches of a step: each a tuple of image indices of one size."""
        if step < 0:
            raise ValueError(f"steps are counted from 0, not {step}")
        epoch, within = divmod(step, self.steps_per_epoch)
        epoch_in_cache, batches = self._cached
        if epoch_in_cache != epoch:
            batches = self._epoch(epoch)
            self._cached = (epoch, batches)
        start = within * self.accumulation
        return batches[start : start + self.accumulation]

    def _epoch(self, epoch: int) -> tuple[Batch, ...]:
        batches: list[Batch] = []
        for number, views in enumerate(self._buckets):
            drawn = permutation(len(views), self.seed, Stream.ORDER_IN_BUCKET, epoch, number).tolist()
            mixed = [views[i] for i in drawn]
            batches += [tuple(mixed[i : i + self.batch_size]) for i in range(0, len(mixed), self.batch_size)]
        order = permutation(len(batches), self.seed, Stream.ORDER_OF_BATCHES, epoch).tolist()
        return tuple(batches[i] for i in order)


def flip_at(seed: int, step: int, slot: int) -> bool:
    """Whether the `slot`-th image of `step` (both from 0, slots counted through all batches of the step) is mirrored.

    True for half of all (step, slot); whether mirroring is wanted at all (`dataset.flip`) is for the caller.
    """
    return uniform(seed, Stream.FLIP, step, slot) < 0.5
