"""Trains on a file system of a few megabytes until it is full, frees it, resumes; prints what was seen as JSON.

Run inside a mount namespace of its own (`unshare -rm`), so that the tiny disk needs no rights and leaves no trace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from loratui.engine.export import payload_hash
from loratui.engine.worker import work
from loratui.lab.run.runs import RunFolder, latest_resume, read_state
from tests.processes import final_lora, losses, new_run, write_project

SETTINGS = ("sample.every=never", "train.log_every=1", "lora.rank=2", "train.steps=6", "train.checkpoint_every=1")


def main(disk: Path, model: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(disk)], check=True)
    os.environ["LORATUI_CACHE"] = str(disk.parent / "cache")
    project = write_project(disk / "shapes", model)
    whole = new_run(project, *SETTINGS)
    assert work(whole).exit_code == 0

    run, filler = new_run(project, *SETTINGS), disk / "filler"

    def fill(event: dict[str, Any]) -> None:
        if event["kind"] == "checkpoint" and event["step"] == 3:
            with filler.open("wb", buffering=0) as file:
                try:
                    while file.write(b"\0" * 4096):
                        pass
                except OSError:
                    pass

    outcome = work(run, [fill])
    stopped, state = read_state(run), latest_resume(run)
    left = sorted(path.name for path in run.path.rglob("*.part*"))
    filler.unlink()
    resumed = work(RunFolder(run.path))
    print(
        json.dumps(
            {
                "exit": outcome.exit_code,
                "state": stopped.name,
                "reason": stopped.reason,
                "resume": state.name if state else None,
                "left": left,
                "resumed": resumed.exit_code,
                "same_losses": losses(run) == losses(whole),
                "same_lora": payload_hash(final_lora(run)) == payload_hash(final_lora(whole)),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
