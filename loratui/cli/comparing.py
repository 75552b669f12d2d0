"""The verb that compares: --compare says what differs between runs first, and then what they show."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.cli.output import make_console, print_json, say, tell
from loratui.lab.errors import LabError
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from loratui.lab.notes.comparing import Compared
    from loratui.lab.run.curves import Curves
    from loratui.lab.weights.alike import Alike

CHART = 10  # rows
_LABEL, _RUN = 32, 24  # cells that what is told, and each run beside it, take at least
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")  # of runs; their letters stand on the curves as well


def compare_runs(named: Sequence[Path], output: Path | None, as_json: bool = False) -> int:
    """--compare: on the terminal, as JSON, and with `output` as contact sheets and Markdown in that folder."""
    from loratui.lab.notes.comparing import gather, to_json
    from loratui.lab.run.meant import meant_run

    runs = [meant_run(one) for one in named]
    if len(runs) < 2:
        raise LabError("--compare: name two runs or more, such as: loratui --compare RUN RUN --output FOLDER")
    told = gather(runs)
    alike = cosines_of(told)
    files = write_files(told, alike, output) if output is not None else []
    for problem in told.problems:
        tell(problem)
    if as_json:
        print_json(to_json(told, alike, files))
        return 0
    console = make_console()
    _tell(console, told, alike)
    from loratui.lab.run.story import near

    say(console, [f"wrote {near(file, Path.cwd())}" for file in files])
    return 0


def cosines_of(told: Compared) -> Alike | None:
    """How alike the runs changed the weights; None where one has no checkpoint, or they are one run."""
    if len({run.path.absolute() for run in told.runs}) < len(told.runs):
        return None
    if not all(any(run.checkpoints.glob("step-*.safetensors")) for run in told.runs):
        return None
    from loratui.lab.scores.rows import known_alike

    try:
        known = known_alike(told.runs)
    except LabError as error:
        tell(error)
        return None
    last = [max(run.checkpoints.glob("step-*.safetensors")).stem.removeprefix("step-") for run in told.runs]
    if known is not None and all(
        (one := known.cosines.get((i, j))) is not None
        and (one.step_of(told.runs[i].id), one.step_of(told.runs[j].id)) == (int(last[i]), int(last[j]))
        for i, j in itertools.combinations(range(len(told.runs)), 2)
    ):
        return known  # and libraries for weights take seconds to load
    from loratui.engine.weights import cosines

    try:
        return cosines(told.runs)
    except LabError as error:
        tell(error)
        return None


def write_files(told: Compared, alike: Alike | None, folder: Path) -> list[Path]:
    """Contact sheets and compare.md in a folder, which is made if need be."""
    from loratui.lab.files import write_atomic
    from loratui.lab.notes.comparedsheet import write_sheets
    from loratui.lab.notes.comparing import names_of, to_markdown

    folder.mkdir(parents=True, exist_ok=True)
    sheets = write_sheets(told.aligned, folder, " · ".join(names_of(told.runs)))
    command = "loratui --compare " + " ".join(shlex.quote(run.id) for run in told.runs)
    chart = "\n\n".join(_as_text(title, lines) for title, lines in charts(told, 100))
    document = folder / "compare.md"
    write_atomic(document, to_markdown(told, folder, chart, sheets, alike, command))
    return [document, *sheets]


# -- on the terminal --------------------------------------------------------------------------------------------------


def _tell(console: Console, told: Compared, alike: Alike | None) -> None:
    from rich.text import Text

    from loratui.cli.output import command
    from loratui.lab.notes.comparing import NOISE, names_of, verdict_line

    found, names = told.comparison, names_of(told.runs)
    console.print(Text("   ".join(plain(name, 80) for name in names), style="bold"))
    if _LABEL + _RUN * len(names) > console.width:
        names = [name.split()[0] for name in names]  # the line above says which is which
    colour = "red" if found.is_refused else "green" if found.is_controlled else "yellow"
    console.print(Text(plain(verdict_line(found)), style=f"bold {colour}"))
    say(console, [f"✗ {text}" for text in found.refusals if text != found.headline])
    say(console, [f"! {text}" for text in (*found.warnings, *told.bases)])
    _heading(console, "What differs")
    if found.rows:
        console.print(_differences(told, names))
    else:
        say(console, ["nothing"])
    if found.is_refused:
        console.print(Text(f"\n{NOISE}", style="bold yellow"))
    _losses(console, told, names)
    _measures(console, told, names)
    if alike is not None:
        _weights(console, told, alike)
    _observations(console, told, names)
    for run in told.unmeasured:
        say(console, [f"{run.id} has pictures that were not measured: {command('--measure', run.path)}"])


def _heading(console: Console, text: str) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(text, style="bold underline"))


def _differences(told: Compared, names: Sequence[str]) -> Table:
    from loratui.lab.notes.comparing import role_words

    table = _table(["", *names])
    for row in told.comparison.rows:
        why = " · ".join(filter(None, (role_words(row), row.note)))
        label = f"{row.label} ({why})" if why else row.label
        _add(table, [label, *row.texts], "" if row.role == "trained" else "dim")
    return table


def _losses(console: Console, told: Compared, names: Sequence[str]) -> None:
    from loratui.lab.notes.comparing import loss_rows
    from loratui.lab.run.story import number

    _heading(console, "Losses")
    for title, lines in charts(told, min(console.width, 100)):
        say(console, [title])
        for line in lines:
            console.print(_painted(line), soft_wrap=True)
    table = _table(["", *names], numbers=True)
    for label, texts in loss_rows(told):
        _add(table, [label, *texts])
    console.print(table)
    for heading, rows in (("probe loss at step", told.probes), ("last probe loss by timestep", told.timesteps)):
        if rows:
            table = _table([heading, *names], numbers=True)
            for step, values in rows:
                _add(table, [str(step), *(number(value) for value in values)])
            console.print(table)


def _measures(console: Console, told: Compared, names: Sequence[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from loratui.lab.notes.comparing import MEASURES_NOTE, base_words, chance_words, rates_words
    from loratui.lab.scores.rows import versus_words

    _heading(console, "Measures")
    if not told.measures:
        say(console, ["nothing measured yet"])
        return
    for one in told.measures:
        console.print(Text(plain(one.label, 200), style="bold"))
        told_of = zip(names, rates_words(one), one.scores, strict=True)
        parts = [f"{name.split()[0]} {text}" for name, text, score in told_of if score is not None]
        lines = ["   ".join([*parts, f"base {base_words(one)}"])] if one.same_base else parts
        for line in lines:
            console.print(Padding(Text(line), (0, 0, 0, 2)))
        for versus in one.versus:
            console.print(Padding(Text(versus_words(versus, one), style="dim"), (0, 0, 0, 2)))
    say(console, ["", *(line for line in (MEASURES_NOTE, chance_words(told)) if line)])


def _weights(console: Console, told: Compared, alike: Alike) -> None:
    from loratui.lab.notes.comparing import cosine_words
    from loratui.lab.notes.comparison import letter

    _heading(console, "Weights")
    table = _table(["", "cosine of ΔW", ""])
    for i in range(len(told.runs)):
        for j in range(i + 1, len(told.runs)):
            _add(table, [f"{letter(i)} and {letter(j)}", cosine_words(alike, i, j), alike.words_of(i, j)])
    console.print(table)
    say(console, [alike.words])


def _observations(console: Console, told: Compared, names: Sequence[str]) -> None:
    from loratui.lab.notes.notebook import verdict_words

    if not told.features:
        return
    _heading(console, "Observations")
    table = _table(["feature", *names])
    for row in told.features:
        cells = ["\n".join(f"{verdict_words(o.verdict)} {o.note}" for o in seen) for seen in row.observations]
        _add(table, [row.feature or "(no feature)", *(cell or "·" for cell in cells)])
    console.print(table)


# -- charts -----------------------------------------------------------------------------------------------------------


def charts(told: Compared, width: int) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Smoothed loss and probe loss of all runs on one axis each, as a title and rows of cells; of no losses, none."""
    from loratui.lab.run.curves import PROBE

    found = []
    for title, name in (("smoothed loss", "smoothed"), ("probe loss: the same images, noise and timesteps", PROBE)):
        lines = overlaid(told.curves, name, width, CHART)
        if lines:
            found.append((title, lines))
    return found


def overlaid(curves: Sequence[Curves], name: str, width: int, height: int) -> list[list[tuple[str, str]]]:
    """One field of several runs; a letter at the end of each curve and along it tells whose it is."""
    from loratui.lab.notes.comparison import letter
    from loratui.lab.notes.sidebyside import common_span
    from loratui.tui.widgets.plot import Chart, Curve, dot_columns, draw

    if not any(one.count(name) for one in curves):
        return []
    span = common_span(curves)
    lines, points = [], []
    for index, one in enumerate(curves):
        columns = one.line(name, dot_columns(width), span)
        lines.append(Curve(f"run{index}", [None if v is None else (v, v, v) for v in columns], dashed=index % 2 == 1))
        there = [(step, v) for step, v in zip(span.edges(len(columns)), columns, strict=True) if v is not None]
        stride = max(1, len(there) // 6)
        for step, value in there[(index + 1) * stride // (len(curves) + 1) :: stride]:
            points.append((round(step), value, letter(index)[0], f"run{index}"))
    return draw(Chart(span, lines, points), width, height)


def _as_text(title: str, lines: Sequence[Sequence[tuple[str, str]]]) -> str:
    return "\n".join([title, *("".join(sign for sign, _ in line).rstrip() for line in lines)])


def _painted(line: Sequence[tuple[str, str]]) -> Any:
    from rich.text import Text

    painted = Text()
    for sign, part in line:
        style = f"bold {_COLOURS[int(part[3:]) % len(_COLOURS)]}" if part.startswith("run") else "dim"
        painted.append(sign, style if sign != " " else "")
    return painted


# -- tables -----------------------------------------------------------------------------------------------------------


def _table(headings: Sequence[str], numbers: bool = False) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(Text(plain(heading, 80)), justify="right" if numbers and place else "left", overflow="fold")
    return table


def _add(table: Table, texts: Sequence[str], style: str = "") -> None:
    from rich.text import Text

    table.add_row(*(Text(plain(text, 400, newlines=True), style=style) for text in texts))
