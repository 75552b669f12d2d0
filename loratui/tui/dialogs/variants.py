"""Which runs of a project are to be made: as written, its variants, every cell of its matrix, several training seeds;
and the plan of them as lines. The plan itself is lab's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loratui.lab.plain import plain
from loratui.lab.project.estimate import NOTHING_KNOWN, size_words, time_words
from loratui.lab.project.experiment import Variant
from loratui.lab.project.fieldtext import field_text
from loratui.lab.run.seriesapart import PlannedRun, PlanTold
from loratui.lab.words import STATE_SIGNS
from loratui.tui.widgets.choicerow import ChoiceRow

REPEATS = (1, 2, 3, 5, 10)
MOST_WARNINGS, MOST_ROWS = 6, 60
_MATRIX = "*matrix*"  # no variant's name has a star
_LABEL = 22
_SIGNS = {
    "finished": (STATE_SIGNS["finished"], "$text-success"),
    "unfinished": (STATE_SIGNS["stopped"], "$text-warning"),
}


def variant_words(variant: Variant) -> str:
    """What a variant changes, in short: `myshape → monster, train.epochs 30`."""
    said = [f"{old} → {new}" for old, new in variant.replace_tags.items()]
    said += [f"without {tag}" for tag in variant.drop_tags]
    said += [f"with {tag}" for tag in variant.add_tags]
    said += [f"{key} {field_text(value)}" for key, value in variant.overrides.items()]
    return ", ".join(said) or "nothing"


def matrix_words(matrix: Mapping[str, Sequence[Any]]) -> str:
    """`6 of them: lora.rank 4, 8 × train.epochs 1, 5, 10`."""
    count = 1
    for values in matrix.values():
        count *= len(values)
    axes = " × ".join(f"{key} {', '.join(field_text(value) for value in values)}" for key, values in matrix.items())
    return f"{count:,} of them: {axes}"


@dataclass(frozen=True)
class Selection:
    """`variants` by name, in the order of the project, "" for the project as written."""

    variants: tuple[str, ...] = ("",)
    matrix: bool = False
    repeats: int = 1


class WhatToTrain(Vertical):
    """`offer(variants, matrix)` shows what there is; `selection` is what is marked."""

    help_text = (
        "What is to be trained: the project as written, and its variants. Space marks one, a all or none. With the "
        "matrix each of them is trained in every combination of its settings. Repeats train the same with other "
        "training seeds: only with those does one see how much comes from the seed alone."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="variants.mark", tooltip="Train this as well, or not"),
        Binding(
            "a", "mark_all", "All", id="variants.all", tooltip="Train the project and all its variants, or it alone"
        ),
    ]
    DEFAULT_CSS = """
    WhatToTrain { height: auto; padding: 0 1; margin-bottom: 1; }
    WhatToTrain OptionList { height: auto; max-height: 7; border: none; padding: 0; background: $surface; }
    WhatToTrain OptionList { display: none; }
    WhatToTrain OptionList:focus { border: none; }
    WhatToTrain.-choice OptionList { display: block; }
    """

    @dataclass
    class Changed(Message):
        what: WhatToTrain
        selection: Selection

        @property
        def control(self) -> WhatToTrain:
            return self.what

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._values: list[str] = [""]
        self._words: dict[str, tuple[str, str]] = {"": ("the project as written", "")}
        self._marked = {""}

    def compose(self) -> ComposeResult:
        yield OptionList(markup=False)
        yield ChoiceRow([(str(n), str(n)) for n in REPEATS], label="training seeds of each:", id="repeats")

    def offer(self, variants: Sequence[Variant], matrix: Mapping[str, Sequence[Any]]) -> None:
        """Show these; what is marked stays so where it is still there."""
        self._words = {"": ("the project as written", "")}
        self._words |= {variant.name: (variant.name, variant_words(variant)) for variant in variants}
        if matrix:
            self._words[_MATRIX] = ("× the matrix", matrix_words(matrix))
        self._values = list(self._words)
        self._marked &= set(self._values)
        self.set_class(len(self._values) > 1, "-choice")
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(self._line(value), id=f"value-{n}") for n, value in enumerate(self._values))
        options.highlighted = 0

    def _line(self, value: str) -> Content:
        label, words = self._words[value]
        room = max(20, (self.screen.size.width if self.screen.size.width < 100 else 96) - _LABEL - 22)
        sign = "[x] " if value in self._marked else "[ ] "
        return Content.assemble(
            (sign, "bold"), f"{plain(label, _LABEL):<{_LABEL}} ", (plain(words, room), "$foreground 60%")
        )

    @property
    def selection(self) -> Selection:
        chosen = tuple(value for value in self._values if value in self._marked and value != _MATRIX)
        return Selection(chosen, _MATRIX in self._marked, int(self.query_one("#repeats", ChoiceRow).value))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.has_class("-choice") and (action != "mark" or self.query_one(OptionList).has_focus)

    def action_mark(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None:
            self._set(self._marked ^ {self._values[place]})

    def action_mark_all(self) -> None:
        every = set(self._values) - {_MATRIX}
        self._set((self._marked & {_MATRIX}) | ({""} if every <= self._marked else every))

    def _set(self, marked: set[str]) -> None:
        self._marked = marked
        options = self.query_one(OptionList)
        for n, value in enumerate(self._values):
            options.replace_option_prompt(f"value-{n}", self._line(value))
        self.post_message(self.Changed(self, self.selection))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._set(self._marked ^ {self._values[event.option_index]})

    @on(ChoiceRow.Changed)
    def _repeats(self, event: ChoiceRow.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self, self.selection))


# -- the plan ---------------------------------------------------------------------------------------------------------


def plan_lines(told: PlanTold, wide: bool = True) -> list[Content]:
    """What would be trained, run by run, then what is warned of."""
    finished = sum(row.state == "finished" for row in told.rows)
    parts = [_many(len(told.rows), "run")]
    parts += (
        [f"{finished} of them made already" if finished < len(told.rows) else "all of them made already"]
        if finished
        else []
    )
    parts += [_many(len(told.to_start), "run") + " to train"] if finished and told.to_start else []
    lines = [Content.styled(", ".join(parts), "bold")]
    if told.to_start:
        much = [f"{told.total_steps:,} steps"]
        much += [f"about {time_words(told.seconds)} here, one after the other"] if told.seconds is not None else []
        much += [f"about {size_words(told.bytes)}"] if told.bytes else []
        basis = told.basis if told.seconds is not None else NOTHING_KNOWN
        lines += [Content(", ".join(much)), Content.styled(plain(basis, 200), "$foreground 60%")]
    lines.append(Content(""))
    lines += [_row(row, wide) for row in told.rows[:MOST_ROWS]]
    more = len(told.rows) - MOST_ROWS
    lines += [Content.styled(f"  and {more} more", "$foreground 60%")] if more > 0 else []
    return [*lines, *warning_lines(told)]


def warning_lines(told: PlanTold) -> list[Content]:
    """Errors, which keep everything from starting, then warnings, those of law 1 first."""
    lines: list[Content] = []
    for texts, sign, style in ((told.errors, "✗", "$text-error"), (told.warnings, "!", "$text-warning")):
        for text in texts[:MOST_WARNINGS]:
            lines.append(Content.assemble((f"{sign} ", f"bold {style}"), (plain(text, 400), style)))
        more = len(texts) - MOST_WARNINGS
        lines += (
            [Content.styled(f"  and {more} more; the dataset screen shows all", "$foreground 60%")] if more > 0 else []
        )
    return [Content(""), *lines] if lines else []


def _row(row: PlannedRun, wide: bool) -> Content:
    sign, style = _SIGNS.get(row.state, (STATE_SIGNS["queued"], ""))
    time = time_words(row.seconds) if row.seconds is not None and row.left else ""
    about = row.note or {"finished": f"made: {row.run}", "unfinished": f"goes on with {row.run}"}.get(row.state, "")
    changes = ", ".join(row.changes or row.factors)
    steps = f"{row.left if row.state == 'unfinished' else row.steps:,} steps"
    label = 24 if wide else 18
    found: list[tuple[str, str]] = [(f"{sign} ", f"bold {style}".strip()), (f"{plain(row.label, label):<{label}} ", "")]
    found += [(f"{steps:>12} ", ""), (f"{time:>12}  ", "") if wide else ("  ", "")]
    found += [(plain("; ".join(part for part in (changes, about) if part), 200), "$foreground 60%")]
    return Content.assemble(*found)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
