"""The verbs of what was found: --note writes an observation down, --findings tells them all; --compare is next door."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.cli.output import command, make_console, print_json, say, tell
from loratui.lab.errors import LabError
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from loratui.lab.notes.findings import Cell, Findings
    from loratui.lab.run.runs import RunFolder

_STEP = re.compile(r"step-(\d{6,12})")
_FORMATS = {".md": "markdown", ".markdown": "markdown", ".csv": "csv", ".txt": "table"}
_STYLES = {"learned": "green", "partly": "yellow", "not shown": "red", "uncertain": "magenta"}
_FEATURE, _RUN = 24, 36  # cells that a feature, and a run beside others, takes at least


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    if args.note:
        return note(args)
    if args.findings:
        return tell_findings(args.findings, args.format, args.sort, args.output, as_json=args.json)
    from loratui.cli.comparing import compare_runs

    return compare_runs(args.compare, args.output, as_json=args.json)


# -- note -------------------------------------------------------------------------------------------------------------


def note(args: argparse.Namespace) -> int:
    """--note: append an observation to a run, and say what was written and where."""
    from loratui.lab.notes.notebook import verdict_words
    from loratui.lab.notes.observations import observe
    from loratui.lab.run.meant import meant_run
    from loratui.lab.run.story import near

    which, text = args.note
    run = meant_run(which)
    pictures = [find_picture(run, given) for given in args.picture or ()]
    step = checked_step(run, args.step) if args.step is not None else step_of(pictures)
    said = observe(run, text, feature=args.feature or "", verdict=args.verdict or "", step=step, pictures=pictures)
    about = [verdict_words(said.verdict), said.feature, f"step {step}" if step is not None else "", f"run {run.id}"]
    lines = ["written down: " + " · ".join(plain(part, 200) for part in about if part)]
    lines += [f"  {plain(line)}" for line in said.note.splitlines()]
    lines += [f"  picture {picture}" for picture in said.pictures]
    say(make_console(), [*lines, f"in {near(run.observations_file, Path.cwd())}"])
    return 0


def find_picture(run: RunFolder, given: str) -> Path:
    """A picture of the run, named from the current folder or from the run's. LabError with where they are."""
    path = Path(given).expanduser()
    places = [path] if path.is_absolute() else [Path.cwd() / path, run.path / path, run.samples / path]
    home = Path(os.path.realpath(run.path))
    for place in places:
        if place.is_file():
            real = Path(os.path.realpath(place))
            if not real.is_relative_to(home):
                raise LabError(f"{given}: not a picture of this run; give one below {run.path}")
            return Path(real.relative_to(home))
    raise LabError(f"{given}: there is no such picture, neither here nor in the run; its pictures are in {run.samples}")


def checked_step(run: RunFolder, step: int) -> int:
    """A step that the run has. LabError with how many there are."""
    from loratui.lab.run.record import read_record

    total = read_record(run).plan.total_steps
    if not 0 <= step <= total:
        raise LabError(f"--step {step}: the run has steps 0 to {total}")
    return step


def step_of(pictures: Sequence[Path]) -> int | None:
    """The training step that all the pictures were drawn at, None when it is not one."""
    found = {int(match[1]) for path in pictures if (match := _STEP.fullmatch(path.parent.name))}
    return found.pop() if len(found) == 1 else None


# -- findings ---------------------------------------------------------------------------------------------------------


def tell_findings(project: Path, form: str | None, sort: str | None, output: Path | None, as_json: bool = False) -> int:
    """--findings: what was found in a project, as a table, Markdown, CSV or JSON, on the screen or into a file."""
    from loratui.lab.files import write_atomic
    from loratui.lab.notes.findings import findings, to_csv, to_json, to_markdown
    from loratui.lab.run.story import near

    folder = project.expanduser()
    folder = folder.parent if folder.is_file() else folder
    if not (folder / "project.toml").is_file() and not (folder / "runs").is_dir():
        raise LabError(f"{project}: not a project; give the folder of a project.toml")
    form = form or (_FORMATS.get(output.suffix.lower()) if output else None) or "table"
    problems: list[str] = []
    found = findings(folder, problems)
    if sort:
        found = found.sorted(sort)
    for problem in problems:
        tell(problem)
    if as_json:
        print_json(to_json(found))
        return 1 if problems else 0
    console = make_console()
    if form == "table" and output is None:
        _tell_table(console, found)
    else:
        text = to_markdown(found) if form == "markdown" else to_csv(found) if form == "csv" else _as_text(found)
        if output is None:
            print(text, end="")
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(output, text)
            say(console, [f"{len(found.cells)} findings in {near(output, Path.cwd())}"])
    return 1 if problems else 0


def _as_text(found: Findings) -> str:
    import io

    from rich.console import Console

    out = io.StringIO()
    _tell_table(Console(file=out, width=120, highlight=False), found)
    return out.getvalue()


def _tell_table(console: Console, found: Findings) -> None:
    from loratui.lab.notes.findings import footnotes

    if found.question:
        say(console, [found.question, ""])
    if not found.runs:
        say(console, [f"no runs yet; train the project with: {command('--run', found.project)}"])
        return
    if not found.cells:
        words = f'{command("--note", found.runs[-1].path)} "what you see" --feature colour --verdict learned'
        say(console, ["nothing yet: no verdict with a feature was written down, and no picture measured",
                      f"write one down: {words}"])  # fmt: skip
    elif _FEATURE + _RUN * len(found.runs) <= console.width:
        console.print(_matrix(found))
    else:
        console.print(_list(found))
    say(console, ["", *footnotes(found)])
    for run in found.unmeasured:
        say(console, [f"{run.id} has pictures that were not measured: {command('--measure', run.path)}"])


def _matrix(found: Findings) -> Table:
    """A row for each feature, a column for each run."""
    table = _table()
    table.add_column("feature", ratio=_FEATURE, overflow="fold")
    for run in found.runs:
        table.add_column(_text(_named(run)), ratio=_RUN, overflow="fold")
    for feature in found.features:
        cells = (found.cell(feature, run) for run in found.runs)
        table.add_row(_text(feature), *(_cell(cell) for cell in cells))
    return table


def _list(found: Findings) -> Table:
    """A row for each feature of each run, for many runs. Sorted by run or time, a feature is named in each."""
    table = _table()
    table.add_column("feature", ratio=25, overflow="fold")
    table.add_column("run", ratio=15, overflow="fold")
    table.add_column("found", ratio=36, overflow="fold")
    before = ""
    for cell in found.cells:
        table.add_row(_text("" if cell.feature == before else cell.feature), _text(_named(cell.run)), _cell(cell))
        before = cell.feature
    return table


def _named(run: RunFolder) -> str:
    """What tells a run from the others of its project."""
    from loratui.lab.notes.notebook import short_run

    short = short_run(run.id)
    return short.removeprefix(f"{run.project_folder.name}-") or short


def _cell(cell: Cell | None) -> Text:
    """What a person said first and bright; what is suggested under it and dim, with both rates."""
    from rich.text import Text

    from loratui.lab.notes.findings import said_words, suggested_words

    if cell is None:
        return Text("·", style="dim")
    lines: list[Text] = []
    if cell.said is not None:
        lines.append(Text(said_words(cell), style=f"bold {_STYLES[cell.said.verdict]}"))
    if cell.suggested is not None:
        lines.append(Text(suggested_words(cell), style="" if cell.agrees is not False else "yellow"))
        lines.append(Text(f"LoRA {cell.suggested.lora.words}", style="dim"))
        lines.append(Text(f"base {cell.suggested.base.words}", style="dim"))
    return Text("\n").join(lines)


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)


def _text(text: str) -> Text:
    from rich.text import Text

    return Text(plain(text, 200))
