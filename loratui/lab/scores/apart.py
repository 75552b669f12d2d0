"""The scores of a run counted by a child process: measuring needs numpy and minutes, and an interface has neither."""

from __future__ import annotations

import sys
from pathlib import Path

from loratui.lab.apart import answer, ask
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scores import RunScores, read_scores, scores_file


def refresh_apart(run: RunFolder, progress: Progress = quiet) -> RunScores:
    """As `scoring.refresh`. What `progress` raises ends the child; what it measured until then is remembered."""
    ask("loratui.lab.scores.apart", [run.path.absolute()], f"{run.path}: measuring", progress)
    scores = read_scores(run)
    if scores is None:
        raise LabError(f"{scores_file(run)}: it was written and is gone again; measure once more")
    return scores


def _measured(progress: Progress) -> dict[str, str]:
    from loratui.lab.scores.scoring import refresh

    return {"run": refresh(RunFolder(Path(sys.argv[1])), progress).run}


if __name__ == "__main__":
    answer(_measured)
