"""The settings screen's list of prompts: adding, editing, removing and moving them."""

from __future__ import annotations

from textual import on, work

from loratui.lab.errors import LabError
from loratui.lab.project.projectfile import ProjectFile
from loratui.lab.project.prompts import parse_prompt
from loratui.lab.project.settings import RULES
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.prompt import PromptDialog, PromptEdit
from loratui.tui.screens.settingsbase import SettingsBase
from loratui.tui.widgets.promptlist import PromptList


class PromptEdits(SettingsBase):
    """Prompts are tables, or lines in the one-line syntax; each is edited in its own way."""

    prompts: PromptList

    def prompt_lines(self) -> list[str]:
        """The lines of sample.prompts that are text; what else may stand there is shown as a fault by the form."""
        lines = self.file.get("sample.prompts") if self.file is not None else None
        return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []

    def show_prompts(self) -> None:
        tables = self.file.prompts() if self.file is not None else []
        self.prompts.show(self.prompt_lines(), tables)

    @on(PromptList.Asked)
    def _asked(self, event: PromptList.Asked) -> None:
        if self.file is None or self.bench.readonly:
            return
        if self.file.document is None:
            self.bench.say("the text is not valid TOML; T mends it", "warning")
        elif event.what == "add":
            self._edit_table(None)
        elif event.table is not None:
            self._change_table(event.what, event.table)
        elif event.line is not None:
            self._change_line(event.what, event.line)

    def _change_table(self, what: str, index: int) -> None:
        last = len(self.prompts.tables) - 1
        if what == "edit":
            self._edit_table(index)
        elif what == "remove":
            if self.change(lambda file: file.remove_prompt(index)):
                self.bench.say("prompt removed; z brings it back")
        else:
            to = index + (1 if what == "down" else -1)
            if 0 <= to <= last and self.change(lambda file: file.move_prompt(index, to)):
                self.prompts.move_to(len(self.prompts.lines) + to)

    def _change_line(self, what: str, index: int) -> None:
        lines = self.prompt_lines()
        if what == "edit":
            self._edit_line(index)
            return
        if what == "remove":
            del lines[index]
        else:
            to = index + (1 if what == "down" else -1)
            if not 0 <= to < len(lines):
                return
            lines[index], lines[to] = lines[to], lines[index]
            self.prompts.cursor = to
        self.change(lambda file: file.set("sample.prompts", lines) if lines else file.unset("sample.prompts"))

    @work(exclusive=True, group="prompt")
    async def _edit_line(self, index: int) -> None:
        lines = self.prompt_lines()
        hint = "text --n negative --w width --h height --d seed --l guidance --s steps"
        typed = await self.app.push_screen_wait(Ask("A prompt in one line", lines[index], hint, _line_fault))
        if typed is not None and typed != lines[index]:
            lines[index] = typed
            self.change(lambda file: file.set("sample.prompts", lines))

    @work(exclusive=True, group="prompt")
    async def _edit_table(self, index: int | None) -> None:
        if self.file is None:
            return
        table = self.file.prompts()[index] if index is not None else {}
        title = f"Prompt {index + 1}" if index is not None else "A new prompt"
        found = await self.app.push_screen_wait(PromptDialog(title, table, self._of_sample()))
        if found is None or not (found.set or found.unset):
            return
        if self.change(lambda file: _put(file, index, found)) and index is None:
            self.prompts.move_to(self.prompts.count - 1)

    def _of_sample(self) -> dict[str, object]:
        """What [sample] says of each thing a prompt can have of its own, as text."""
        shown: dict[str, object] = {}
        for name in ("negative_prompt", "seeds", "guidance_scale", "width", "height", "inference_steps"):
            key = f"sample.{name}"
            written = self.file.get(key) if self.file is not None else None
            shown[name] = RULES[key].default if written is None else written
        return shown


def _put(file: ProjectFile, index: int | None, found: PromptEdit) -> None:
    if index is None:
        file.add_prompt({name: value.value for name, value in found.set.items()})
        return
    for name in found.unset:
        file.unset_prompt(index, name)
    for name, value in found.set.items():
        file.set_prompt(index, name, value.value, value.written)


def _line_fault(text: str) -> str | None:
    try:
        parse_prompt(text)
    except LabError as error:
        return str(error)
    return None
