"""The scores of a run: each expectation at each checkpoint, without and with the LoRA, from the same noise.

Plain objects that are written to `scores.json` in the run folder and read back without numpy, so that the interface
and the report tell the same numbers. How they are counted is `scoring`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.derived import declared, finite, read_derived, write_derived
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.statistics import VERDICTS, Change, Paired, Rate, Verdict

VERSION = 1  # of the file; another one is counted anew
ALL = "all of them"  # the name of a score that asks for all expectations of a prompt in one picture

__all__ = [
    "ALL",
    "Copies",
    "Mean",
    "Moved",
    "Place",
    "RunScores",
    "Score",
    "as_json",
    "read_scores",
    "scores_file",
    "write_scores",
]


@dataclass(frozen=True)
class Place:
    """What a number speaks of: one prompt at one length of denoising, one strength of the LoRA and one checkpoint."""

    prompt: int  # its number in the run
    text: str  # of the prompt, as it was written: make it plain before it is shown
    inference_steps: int
    scale: float
    step: int


@dataclass(frozen=True)
class Score:
    """One expectation of one prompt. `seeds` are the paired ones; what was seen is None where it is uncertain."""

    place: Place
    name: str  # of the measure, or ALL
    wanted: Any  # as in the prompt's `expect`
    base: Rate
    lora: Rate
    paired: Paired
    verdict: Verdict
    seeds: tuple[int, ...]
    base_seen: tuple[bool | None, ...]
    lora_seen: tuple[bool | None, ...]
    later: bool = False  # written into the project after the run was frozen: hindsight


@dataclass(frozen=True)
class Mean:
    """One measure that is a number, over the seeds of a prompt. `change` is LoRA less base by seed, None below two."""

    place: Place
    name: str
    n: int  # pairs in which both could be measured
    base: float | None
    lora: float | None
    change: Change | None
    lora_middle: Change | None  # the LoRA's own values, with their interval


@dataclass(frozen=True)
class Copies:
    """How near the pictures of a prompt are to the training images; see `measures.likeness`."""

    place: Place
    n: int
    copies: int
    base_copies: int
    to_base: float | None  # median distance to the nearest training image over the base's to the same, 1: no nearer
    to_second: float | None  # median distance to the nearest over that to the second nearest
    diversity: float  # mean RMSE between two of the pictures, 0..1
    base_diversity: float | None
    photocopier: bool
    seen: str  # a digest of the pictures, by which numbers that still hold are found


@dataclass(frozen=True)
class Moved:
    """How far the pictures of a prompt have moved from the base's of the same seeds: means over the seeds."""

    place: Place
    group: str  # one of groups.GROUPS
    n: int
    rmse: float  # 0..1
    lab: float  # CIELAB
    changed: float  # share of the pixels
    rmse_middle: Change | None  # the same over seeds with its interval
    seen: str


@dataclass(frozen=True)
class RunScores:
    """All numbers of a run. `signature` tells of which pictures; where it is not today's, `scoring.refresh` is due."""

    run: str
    signature: str
    unread: tuple[str, ...] = ()  # files that are no pictures any more, with the reason
    scores: tuple[Score, ...] = ()
    means: tuple[Mean, ...] = ()
    copies: tuple[Copies, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """The checkpoints at which pictures were measured."""
        return tuple(sorted({s.place.step for s in self.scores} | {m.place.step for m in self.means}))

    def last(self, scale: float = 1.0) -> tuple[Score, ...]:
        """The scores of each prompt at the last checkpoint it was drawn at, in the order of the prompts."""
        newest: dict[tuple[int, int], int] = {}
        chosen = [score for score in self.scores if score.place.scale == scale]
        for score in chosen:
            key = (score.place.prompt, score.place.inference_steps)
            newest[key] = max(newest.get(key, 0), score.place.step)
        return tuple(s for s in chosen if s.place.step == newest[s.place.prompt, s.place.inference_steps])

    def curve(self, prompt: int, inference_steps: int, name: str, scale: float = 1.0) -> tuple[Score, ...]:
        """One expectation against steps."""
        found = [
            score
            for score in self.scores
            if score.name == name
            and (score.place.prompt, score.place.inference_steps, score.place.scale) == (prompt, inference_steps, scale)
        ]
        return tuple(sorted(found, key=lambda score: score.place.step))


def scores_file(run: RunFolder) -> Path:
    return run.path / "scores.json"


def as_json(scores: RunScores) -> dict[str, Any]:
    """All numbers as JSON has them: infinite ends of intervals are null."""
    document: dict[str, Any] = finite({"version": VERSION, **asdict(scores)})
    return document


def write_scores(run: RunFolder, scores: RunScores) -> None:
    """Replace the file."""
    write_derived(scores_file(run), VERSION, asdict(scores))


def read_scores(run: RunFolder) -> RunScores | None:
    """What was written, None where nothing was, or by another version. LabError for a damaged file."""
    return read_derived(scores_file(run), VERSION, _made, "it is counted anew")


def _made(document: Mapping[str, Any]) -> RunScores:
    made: RunScores = declared(RunScores, document)
    for score in made.scores:
        if score.verdict.verdict not in VERDICTS:
            raise ValueError(f"there is no verdict {plain(score.verdict.verdict, 40)!r}")
        if not len(score.seeds) == len(score.base_seen) == len(score.lora_seen):
            raise ValueError("a score needs what was seen of each seed")
    return made
