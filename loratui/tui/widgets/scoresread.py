"""What the panel of a run's scores reads from disk, and what it says where there are none.

Everything here that reads belongs in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.features import remembered_scores
from loratui.lab.scores.scores import RunScores

if TYPE_CHECKING:
    from loratui.lab.scores.band import Band

MEASURE = "Press M: another process measures the pictures, and what it has measured is remembered."
NO_PICTURES = (
    "No pictures to measure yet.\n\n"
    "A prompt with expect = { colour = \"gray\", shape = \"circle\" } in the settings says what should be seen. When "
    "its pictures are drawn, without and with the LoRA, this panel says how many show it, and how sure that is."
)  # fmt: skip
LIVE = "Not measured yet.\n\nThe run measures its pictures itself, when it has drawn those of a checkpoint."
NOT_MEASURED = f"These pictures were not measured yet.\n\n{MEASURE}"
NO_SCORES = (
    "Nothing was expected of these pictures, so there is no verdict.\n\n"
    "Write in project.toml what a prompt's pictures should show, expect = { colour = \"gray\" }, and press M: pictures "
    "that are there are judged by it as well."
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """What was found on disk. `scores` is None where there are none."""

    scores: RunScores | None = None
    current: bool = True
    pictures: bool = False  # whether there is anything to measure
    problem: str = ""

    def words(self, live: bool) -> str:
        """Why there is nothing to show, and the key that helps. A live run measures what it draws."""
        if self.problem:
            return f"{self.problem}\n\n{MEASURE}"
        if not self.pictures:
            return NO_PICTURES
        if self.scores is None:
            return LIVE if live else NOT_MEASURED
        return NO_SCORES


def read_all(run: RunFolder) -> Read:
    """The scores, and whether they count all that there is."""
    from loratui.lab.scores.scoring import is_current

    try:
        scores = remembered_scores(run)
    except LabError as error:
        return Read(pictures=_has_pictures(run), current=False, problem=str(error))
    try:
        current = is_current(run, scores)
    except OSError:
        current = True
    return Read(scores, current, _has_pictures(run))


def repeated(run: RunFolder) -> Band | None:
    """The band of the run and its repeats; None where it has none that were measured."""
    from loratui.lab.scores.band import noise_band, repeats_of

    others = repeats_of(run)
    band = noise_band([run, *others]) if others else None
    return band if band is not None and len(band.runs) > 1 else None


def _has_pictures(run: RunFolder) -> bool:
    """Whether there is a picture with the LoRA."""
    return any(True for _ in run.samples.glob("step-*/*.png"))
