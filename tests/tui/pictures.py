"""The README's pictures of the bench, from real runs: `python -m tests.tui.pictures FOLDER [--shelf PROJECTS]`.

Without a shelf it trains `projects/basic-grey` and two variations of it, some minutes on a CPU, in a folder that is
gone afterwards. The observations are what was seen in the run of rank 8. Nothing in the pictures is drawn by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from loratui.lab.notes.observations import observe, read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run.launch import start_project
from loratui.lab.run.runs import RunFolder, list_runs, read_state
from loratui.tui.app import BenchApp
from loratui.tui.places import Place
from tests.tui.snapshot import dump, picture

EXAMPLE = Path(__file__).parents[2] / "projects" / "basic-grey"
VARIATIONS = ((), ("lora.rank=2",), ("train.learning_rate=1e-4",))
SIZE = (120, 40)
STILL, SECONDS = 20, 60.0  # looks in a row that are the same; and how long to wait for that
SAID = (
    (150, 1, "colour", "partly", "Seed 1 is a grey blob. The others are still the base model's things, paler."),
    (450, 3, "shape", "partly", "A blob, a mushroom and two triangles: several shapes for the one tag."),
    (750, 3, "shape", "learned", "Circle, square and triangle each come of some seed; seed 1 stays a rough disc."),
    (750, 4, "background", "uncertain", "Seeds 1 to 3 stand on white, seed 4 on pale pink."),
)


@dataclass(frozen=True)
class View:
    """A screen, and the keys that are pressed there before the picture is taken."""

    name: str
    place: Place
    keys: tuple[str, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the SVG files are written")
    parser.add_argument("--shelf", type=Path, metavar="PROJECTS",
                        help="a folder of projects with runs of basic-grey, copied and not changed")  # fmt: skip
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with own_folder() as temporary:
        os.environ["LORATUI_CONFIG"] = f"{temporary}/config.toml"
        shelf = temporary / "projects"
        if asked.shelf is None:
            trained_shelf(shelf)
        else:
            shutil.copytree(asked.shelf, shelf, ignore=shutil.ignore_patterns("resume"))
        project = shelf / EXAMPLE.name
        write_notes(project)
        for view in views(project):
            file = asked.folder / f"{view.name}.svg"
            file.write_text(asyncio.run(take(view, shelf)), encoding="utf-8")
            print(file)


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder with a name that may be shown; it is removed afterwards. FileExistsError when somebody has it."""
    folder = Path("/tmp/loratui")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def trained_shelf(shelf: Path) -> None:
    """Copy both examples there, and train basic-grey and its variations one after the other."""
    for example in sorted(EXAMPLE.parent.iterdir()):
        if (example / "project.toml").is_file():
            shutil.copytree(example, shelf / example.name, ignore=shutil.ignore_patterns("runs", ".loratui"))
    for overrides in VARIATIONS:
        run = start_project(shelf / EXAMPLE.name / "project.toml", overrides)
        print(f"training {run.id} {' '.join(overrides)}", flush=True)
        while not (state := read_state(run)).is_final:
            time.sleep(1)
        if state.name != "finished":
            raise SystemExit(f"{run.path}: {state.name}: {state.reason}")


def write_notes(project: Path) -> None:
    """Write what was seen in its first run, where nothing is written yet."""
    run = list_runs(project)[0]
    if read_observations(run):
        return
    for step, seed, feature, verdict, note in SAID:
        file = run.samples / f"step-{step:06d}" / f"p00-seed{seed}-steps25-scale1.png"
        observe(run, note, feature=feature, verdict=verdict, step=step, pictures=[file] if file.is_file() else [])


def views(project: Path) -> list[View]:
    """The screens of the README. The run is the one that has the notes."""
    runs = [run.path for run in list_runs(project)]
    first = RunFolder(runs[0])
    drawn = first.samples / "step-000750" / "p00-seed3-steps25-scale1.png"
    return [
        View("projects", Place("projects"), ("down",)),
        View("dataset", Place("dataset", project)),
        View("settings", Place("settings", project), ("down",) * 18),
        View("run", Place("run", project, (first.path,))),
        View("picture", Place("picture", project, (first.path,), drawn)),
        View("compare", Place("compare", project, tuple(runs[:2]))),
        View("notes", Place("notes", project)),
    ]


async def take(view: View, shelf: Path) -> str:
    """The screen as an SVG, once it stands still."""
    start = None if view.place.screen == "projects" else view.place
    app = BenchApp(shelf, preferences=Preferences(), start=start)
    async with app.run_test(size=SIZE) as pilot:
        await still(pilot)
        for key in view.keys:
            await pilot.press(key)
        await still(pilot)
        return picture(app, f"loratui: {view.name}")


async def still(pilot: Pilot[int]) -> None:
    """Let the app go on until its screen has been the same for a while. SystemExit when it never is."""
    deadline, before, same = time.monotonic() + SECONDS, "", 0
    while same < STILL:
        await pilot.pause()
        found = dump(pilot.app)
        same = same + 1 if found == before else 0
        before = found
        if time.monotonic() > deadline:
            raise SystemExit(f"the screen did not stand still within {SECONDS:g} s")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
