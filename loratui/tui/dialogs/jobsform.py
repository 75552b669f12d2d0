"""What can be done to a run, or a project, by a process of its own: the kinds of jobs, and the form that one is given.

The kinds are verbs of the command line, and a form's fields are its options, so both do the same. What is left empty is
as the verb has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.asking import asked_prompts, read_checkpoints, read_numbers, read_seeds
from loratui.lab.run.runs import RunFolder
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line

if TYPE_CHECKING:
    from loratui.lab.run.record import Record


@dataclass(frozen=True)
class JobField:
    """One option of a verb. `is_switch`: it is given without a value, or not at all."""

    option: str
    label: str
    hint: str  # what counts where it is left empty
    about: str
    is_switch: bool = False

    def fault(self, text: str, run: RunFolder | None) -> str:
        """What is wrong with what stands in it; empty when nothing is."""
        try:
            self.read(text, run)
        except LabError as error:
            return str(error).removeprefix(f"--{self.option}: ")
        return ""

    def read(self, text: str, run: RunFolder | None) -> Sequence[float]:
        """What a text means, for those that are lists of numbers; nothing for an empty one. LabError for nonsense."""
        if not text.strip():
            return ()
        if self.is_switch and text.strip().lower() not in ("yes", "no", "y", "n"):
            raise LabError("yes or no")
        if self.option == "seeds":
            return read_seeds(text)
        if self.option == "checkpoint" and run is not None:
            return read_checkpoints(run, text)
        if self.option == "scale":
            return read_numbers(text, "--scale", -10, 10)
        if self.option == "inference-steps":
            return read_numbers(text, "--inference-steps", 1, 1000, whole=True)
        return ()


@dataclass(frozen=True)
class JobKind:
    """A verb of the command line that may be started from a screen."""

    verb: str
    key: str
    words: str
    about: str
    fields: tuple[JobField, ...] = ()
    draws: bool = False  # whether it loads the model: not beside a worker that trains the same run


_SEEDS = JobField("seeds", "seeds", "those of the run's settings", "One picture for each of them, such as 1-100.")
_STEPS = JobField("checkpoint", "checkpoints", "last", "all, last, or steps such as 250,500.")
RUN_JOBS = (
    JobKind(
        "sample", "s", "Draw more pictures",
        "With the run's LoRA and without, from the same noise. What was drawn before is kept, and never drawn again.",
        (
            JobField("prompt", "prompt", "those of the run's settings", 'What to draw; "" draws without words.'),
            _SEEDS,
            JobField("scale", "scales", "those of the run's settings", "Strengths of the LoRA, such as 0.5,1."),
            _STEPS,
            JobField("inference-steps", "inference steps", "those of the prompts", "Lengths of the denoising."),
        ),
        draws=True,
    ),
    JobKind("measure", "e", "Measure its pictures", "What they show, counted beside the base model's, with intervals."),
    JobKind(
        "attribute", "a", "Which tag took in what",
        "Draws with each tag alone, each left out, each replaced by an untrained word, and measures: tags × features.",
        (_SEEDS, _STEPS), draws=True,
    ),
    JobKind(
        "drift", "d", "What else it moved",
        "How far it moved what it was not asked to: phrases, unseen objects, unrelated prompts, the empty one.",
        (_SEEDS, _STEPS), draws=True,
    ),
    JobKind(
        "weights", "w", "Where its weights changed",
        "How much each block and kind of layer changed, and in how many directions.",
        (
            _STEPS,
            JobField("knock-out", "knock-out pictures", "no", "yes draws with each block's LoRA switched off as well.",
                     is_switch=True),
        ),
        draws=True,
    ),
)  # fmt: skip
PROJECT_JOBS = (
    JobKind(
        "report",
        "r",
        "Write the report",
        "The project as a lab article: one HTML file, and Markdown with its pictures.",
    ),
)


def arguments_of(kind: JobKind, texts: Mapping[str, str]) -> list[str]:
    """What the verb is started with; what is empty is left out."""
    given = []
    for field in kind.fields:
        text = texts.get(field.option, "").strip()
        if field.is_switch:
            given += [f"--{field.option}"] if text.lower().startswith("y") else []
        elif text:
            given.append(f"--{field.option}={_value(field, text)}")
    return given


def _value(field: JobField, text: str) -> str:
    if field.option == "prompt":
        return "" if text == '""' else text
    return re.sub(r"\s*,\s*", ",", text)


class JobForm(Dialog[list[str] | None]):
    """The arguments of the job, or None. `hints` say what counts where a field is left empty."""

    HELP = (
        "Each field is an option of the verb; what is left empty is as the dim words say. Enter starts it in a process "
        "of its own, which goes on when the bench is closed. It waits for its turn while the device is taken."
    )
    WIDTH = 86
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False, id="jobform.next"),
        Binding("up", "app.focus_previous", show=False, id="jobform.before"),
    ]
    DEFAULT_CSS = """
    JobForm {
        #what { height: auto; padding: 0 1 1 1; }
        #fields { height: auto; }
        .field { height: 1; }
        Label { width: 20; padding: 0 1; }
        Input, Input:focus { height: 1; border: none; padding: 0 1; width: 1fr; background: $boost; }
        Input:focus { background: $primary 30%; }
        #about { height: 2; margin: 1 1 0 1; color: $text-muted; }
        #count { height: auto; margin: 0 1; }
        #about.-wrong { color: $text-error; }
    }
    """

    def __init__(
        self,
        kind: JobKind,
        hints: Mapping[str, str] | None = None,
        run: RunFolder | None = None,
        record: Record | None = None,
    ) -> None:
        super().__init__(kind.words)
        self.kind = kind
        self._hints, self._run, self._record = dict(hints or {}), run, record

    def content(self) -> ComposeResult:
        yield Static(line(self.kind.about), id="what", markup=False)
        with Vertical(id="fields"):
            for field in self.kind.fields:
                with Horizontal(classes="field"):
                    yield Label(field.label, markup=False)
                    yield Input(placeholder=plain(self._hints.get(field.option, field.hint), 60), id=field.option)
        yield Static("", id="about", markup=False)
        yield Static("", id="count", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line("Leave (esc)"), id="no")
            yield Button(line("Start (enter)"), id="yes", variant="primary")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        if self.kind.fields:
            self.query(Input).first().focus()
        else:
            self.query_one("#yes", Button).focus()
        self.query_one("#about").display = bool(self.kind.fields)
        self._explain()

    @property
    def texts(self) -> dict[str, str]:
        """What stands in the fields, by option."""
        return {field.option: self.query_one(f"#{field.option}", Input).value for field in self.kind.fields}

    def _faults(self) -> list[tuple[JobField, str]]:
        texts = self.texts
        found = [(field, field.fault(texts[field.option], self._run)) for field in self.kind.fields]
        return [(field, fault) for field, fault in found if fault]

    @on(events.DescendantFocus)
    @on(Input.Changed)
    def _explain(self) -> None:
        if not self.is_mounted:
            return
        here = self.focused.id if self.focused is not None else None
        field = next((field for field in self.kind.fields if field.option == here), None)
        fault = field.fault(self.texts[field.option], self._run) if field else ""
        about = self.query_one("#about", Static)
        about.set_class(bool(fault), "-wrong")
        about.update(line(fault or (field.about if field else ""), 300))
        count = self.query_one("#count", Static)
        words = self._counted()
        count.display = bool(words)
        count.update(line(words))

    def _counted(self) -> str:
        """How many pictures are asked for, in words; empty where it is not known."""
        if self.kind.verb != "sample" or self._record is None or self._run is None or self._faults():
            return ""
        texts, by = self.texts, {field.option: field for field in self.kind.fields}
        numbers = {
            name: by[name].read(texts[name] or ("last" if name == "checkpoint" else ""), self._run) for name in by
        }
        words = {name: tuple(int(number) for number in numbers[name]) or None for name in ("seeds", "inference-steps")}
        typed = texts["prompt"].strip()
        prompts = asked_prompts(
            self._record, [_value(by["prompt"], typed)] if typed else None,
            seeds=words["seeds"], inference_steps=words["inference-steps"],
        )  # fmt: skip
        base = sum(len(prompt.seeds) * len(prompt.inference_steps) for prompt in prompts)
        scales = [scale for scale in numbers["scale"] or self._record.settings.sample.scales if scale]
        with_lora = base * len(scales) * len(numbers["checkpoint"])
        return f"{with_lora:,} pictures with the LoRA, {base:,} without; of these only what is not there yet is drawn."

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._start()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self._start()
        else:
            self.action_cancel()

    def _start(self) -> None:
        faults = self._faults()
        if faults:
            self.query_one(f"#{faults[0][0].option}", Input).focus()
            self.app.bell()
            self._explain()
            return
        self.dismiss(arguments_of(self.kind, self.texts))
