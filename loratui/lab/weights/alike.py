"""How alike runs are in what they did to the weights, held against runs that differ in their training seed alone.

A cosine means little by itself: the same training with another seed does not end in the same place either. Its
cosines are the null for all others. Two runs with the same seed began with the same weights and met the same noise,
which makes them alike whatever they were shown; that is said wherever it is so. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loratui.lab.weights.weights import Cosine


@dataclass(frozen=True)
class Alike:
    """Every pair of `runs` (ids), by their places: its cosine, or the words for why it has none."""

    runs: tuple[str, ...]
    cosines: Mapping[tuple[int, int], Cosine]
    refused: Mapping[tuple[int, int], str]

    @property
    def null(self) -> tuple[float, ...]:
        """The cosines of pairs that differ in their training seed alone, from the least alike on."""
        return _repeats(self.cosines.values())

    def null_of(self, i: int, j: int) -> tuple[float, ...]:
        """Of them those with one of these two runs, where there are any."""
        own = _repeats(one for pair, one in self.cosines.items() if {i, j} & set(pair))
        return own or self.null

    @property
    def words(self) -> str:
        """What the null is."""
        if not self.null:
            return (
                "No two of these runs differ in train.seed alone, so nothing tells how alike two trainings of the same "
                "are: train one again with another train.seed (--repeats does that)."
            )
        pairs = f"{len(self.null)} pair{'s' if len(self.null) > 1 else ''}"
        return f"The same trained with other seeds: {_range(self.null)} ({pairs}). Hold other cosines against that."

    def words_of(self, i: int, j: int) -> str:
        """What a pair's cosine says beside the null."""
        pair = (min(i, j), max(i, j))
        if pair in self.refused:
            return self.refused[pair]
        cosine = self.cosines[pair]
        if cosine.overall is None:
            return "one of them changed nothing, or holds numbers that are not finite: there is no cosine"
        if cosine.repeat:
            return "a repeat: they differ in train.seed alone"
        seed = "; they share train.seed, so began with the same weights and met the same noise" * cosine.same_seed
        null = self.null_of(i, j)
        if not null:
            return "no repeats to hold it against" + seed
        low, high = null[0], null[-1]
        if cosine.overall > high:
            said = "more alike than repeats are"
        else:
            said = "as alike as repeats are" if cosine.overall >= low else "less alike than repeats are"
        return said + (" (one pair of them: too few to lean on)" if len(null) == 1 else "") + seed


def _repeats(cosines: Iterable[Cosine]) -> tuple[float, ...]:
    return tuple(sorted(one.overall for one in cosines if one.repeat and one.overall is not None))


def _range(values: tuple[float, ...]) -> str:
    low, high = f"{values[0]:.3f}", f"{values[-1]:.3f}"
    return low if low == high else f"{low} to {high}"
