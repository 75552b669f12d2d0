"""What a score is called where people read and write: one name, for the table of findings and for accepted verdicts.

A name that a score had when its verdict was accepted is found again by it, so it depends on nothing but the score.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from loratui.lab.pictures.gallery import expected_words
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scores import ALL, Place, RunScores, Score, read_scores, scores_file

USUAL_STEPS = 25  # inference steps that a name does not mention; the setting's default
_PROMPT = 60  # characters of a prompt


def feature_of(score: Score) -> str:
    """Such as `colour gray · myshape`, or `centre_bias 0–0.1 · monster, white background · 1 step`. Safe to show."""
    return " · ".join((expectation_of(score), *place_words(score.place)))


def expectation_of(score: Score) -> str:
    """What was expected, without the prompt: `colour gray`."""
    return ALL if score.name == ALL else plain(expected_words({score.name: score.wanted}), 60)


def place_words(place: Place) -> list[str]:
    """The prompt, then what is unusual about its pictures."""
    words = [plain(" ".join(place.text.split()), _PROMPT) or "(empty prompt)"]
    if place.inference_steps != USUAL_STEPS:
        words.append(f"{place.inference_steps} step{'s' if place.inference_steps != 1 else ''}")
    if place.scale != 1:
        words.append(f"scale {place.scale:g}")
    return words


def newest_scores(scores: RunScores) -> tuple[Score, ...]:
    """Those a run is judged by: of each prompt the last checkpoint, at scale 1, or at the greatest scale drawn."""
    scales: Sequence[float] = sorted({score.place.scale for score in scores.scores})
    if not scales:
        return ()
    return scores.last(1.0 if 1.0 in scales else scales[-1])


def remembered_scores(run: RunFolder) -> RunScores | None:
    """`read_scores`, and not twice while the file is as it was: for tables that look at many runs every few seconds."""
    try:
        stat = scores_file(run).stat()
    except OSError:
        return None
    return _read(run, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


@functools.lru_cache(maxsize=64)
def _read(run: RunFolder, _stamp: tuple[int, int, int]) -> RunScores | None:
    return read_scores(run)
