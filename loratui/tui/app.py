"""The bench's app: opens screens, keeps an eye on live runs, and ends so that nothing is lost.

What a screen does is in its own file. Training is never done here: workers are processes of their own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.filter import LineFilter
from textual.notifications import SeverityLevel

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.lab.preferences import Preferences, default_folder, read_preferences
from loratui.tui.commands import ActionCommands, Palette
from loratui.tui.memory import settle
from loratui.tui.places import SCREENS, TABS, Place, screen_at
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import ControlGuard
from loratui.tui.widgets.header import BenchHeader

if TYPE_CHECKING:
    from loratui.lab.run.live import LiveRun

LOOK_SECONDS = 1.0  # between two looks for live runs
SETTLE_SECONDS = 0.5  # after the first paint, before what was made for it is gone through for garbage
SECONDS_TO_END = 1.5  # after a signal, before the bench ends whether its event loop goes on or not


class BenchApp(App[int]):
    """`BenchApp(folder).run()` is the exit code. `start` is where it opens, above the list of projects."""

    TITLE = "loratui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar = {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, id="bench.quit_now", priority=True,
                tooltip="Leave the bench, also while typing"),
    ]  # fmt: skip
    CSS = """
    Toast { max-width: 70; }
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        readonly: bool = False,
        preferences: Preferences | None = None,
        start: Place | None = None,
    ) -> None:
        self._faults: tuple[str, ...] = ()
        if preferences is None:
            preferences, self._faults = read_preferences()
        self.preferences = preferences
        super().__init__()
        self._guard = ControlGuard()
        self.animation_level = "none"
        self.folder = (folder or default_folder(preferences)).expanduser().absolute()
        self.readonly = readonly
        self.start_place = start
        self.live: tuple[LiveRun, ...] = ()
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="bench")
        self.leaving = False
        self._been: list[Place] = []
        self._handlers: dict[int, Any] = {}
        if preferences.keymap:
            self.set_keymap(dict(preferences.keymap))

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._guard]

    def on_mount(self) -> None:
        if self.preferences.theme in self.available_themes:
            self.theme = self.preferences.theme
        else:
            self._faults = (*self._faults, f"theme {self.preferences.theme!r}: there is no such theme; see ctrl+p")
        # Over a blank one, since the screen below is painted too whenever something on it changes.
        self.push_screen(self.first_screen())
        self._catch_signals()
        for fault in self._faults:
            self.say(fault, "warning")
        self.set_timer(0.2, self.look_for_live_runs)
        self.set_interval(LOOK_SECONDS, self.look_for_live_runs)

    def first_screen(self) -> BenchScreen:
        """Where the bench opens."""
        return screen_at(self.start_place or Place("projects"))

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(id="--command-palette"))

    def on_ready(self) -> None:
        self.set_timer(SETTLE_SECONDS, settle)  # not now: the first paint is still on its way to the terminal

    def adopt(self, preferences: Preferences) -> None:
        """Take over changed preferences at once."""
        self.preferences = preferences
        if preferences.theme in self.available_themes:
            self.theme = preferences.theme
        self.set_keymap(dict(preferences.keymap))

    # -- going places -----------------------------------------------------------------------------------------

    @property
    def here(self) -> BenchScreen | None:
        """The topmost place; dialogs over it do not count."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, BenchScreen)), None)

    def go(self, place: Place) -> None:
        """Open a place, or go back to it when it is open already."""
        here = self.here
        if here is not None:
            if here.place == place:
                return
            self._been = [*self._been[-20:], here.place]
        open_places = [screen.place for screen in self.screen_stack if isinstance(screen, BenchScreen)]
        if place in open_places:
            self._pop_to(place)
            return
        try:
            self.push_screen(screen_at(place))
        except (LabError, OSError) as error:
            self.fail(error)

    def _pop_to(self, place: Place) -> None:
        while len(self.screen_stack) > 1 and getattr(self.screen, "place", None) != place:
            self.pop_screen()

    def back(self) -> None:
        """To where one came from; from where the bench was opened, to the list of projects."""
        here = self.here
        if here is None or here.place.screen == "projects":
            return
        self._been = [*self._been[-20:], here.place]
        if sum(isinstance(screen, BenchScreen) for screen in self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.switch_screen(screen_at(Place("projects")))

    def go_last(self) -> None:
        """To the place one was at before this one, back and forth."""
        if self._been:
            self.go(self._been[-1])

    def reachable(self) -> list[str]:
        """The names of the screens that can be gone to from here."""
        here = self.here
        if here is None or here.project is None:
            return ["projects", "preferences"]
        return [name for name in SCREENS if name in TABS or name == "preferences"]

    def go_to_named(self, name: str | None) -> None:
        """Go to a screen by its name, about the project one is at."""
        here = self.here
        if name is None or here is None or name not in self.reachable():
            return
        if name in ("projects", "preferences"):
            self.go(Place(name))
            return
        runs: tuple[Path, ...] = ()
        if name == "run":
            run = here.run_path or self._newest_run(here.project)
            if run is None:
                self.say("this project has no runs yet; R on Projects or Settings starts one")
                return
            runs = (run,)
        self.go(Place(name, here.project, runs))

    def go_to_live(self) -> None:
        """To the page of the run that is being trained."""
        if self.live:
            run = next((item for item in self.live if item.state.name == "running"), self.live[0]).run
            self.go(Place("run", run.project_folder, (run.path,)))

    def _newest_run(self, project: Path | None) -> Path | None:
        from loratui.lab.run.runs import list_runs

        runs = list_runs(project) if project else []
        return runs[-1].path if runs else None

    # -- telling ----------------------------------------------------------------------------------------------

    def say(self, text: object, severity: SeverityLevel = "information", seconds: float | None = None) -> None:
        """A short message; never markup."""
        self.notify(plain(text, 600, newlines=True), severity=severity, timeout=seconds, markup=False)

    def fail(self, error: BaseException) -> None:
        """Tell what went wrong, in its own words."""
        if isinstance(error, Cancelled):
            self.say("cancelled")
        elif isinstance(error, OSError) and error.filename is not None:
            self.say(f"{error.filename}: {error.strerror}", "error", 10)
        else:
            self.say(str(error) or type(error).__name__, "error", 10)

    def copy(self, text: str) -> None:
        """To the clipboard of whoever sits at the terminal, by OSC 52."""
        self.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.say(f"copied: {text}")

    # -- live runs --------------------------------------------------------------------------------------------

    def watch_live(self) -> LiveWatcher:
        """The watch over the folder of projects."""
        from loratui.lab.run.live import LiveWatch

        if self._watch is None or self._watch.folder != self.folder:
            self._watch = LiveWatch(self.folder)
        return self._watch

    _watch: LiveWatcher | None = None

    @work(exclusive=True, group="live", exit_on_error=False)
    async def look_for_live_runs(self) -> None:
        watch = self.watch_live()
        live = await asyncio.get_running_loop().run_in_executor(self.threads, watch.look)
        if live != self.live:
            self.live = live
            for header in self.screen.query(BenchHeader):  # the others are told when they are shown again
                header.show_live(live)

    # -- signals ----------------------------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        """A closed terminal and SIGTERM end the bench with its edits written.

        Not through asyncio: while a terminal that went away takes no more bytes, the event loop may stand still in a
        write for ever. A handler of the interpreter's own is called even then.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # someone embeds the app, and has handlers of their own
        loop = asyncio.get_running_loop()

        def caught(number: int, _: object) -> None:
            threading.Thread(target=self._end_anyway, args=(128 + number,), daemon=True).start()
            loop.call_soon_threadsafe(self.leave, 128 + number)

        for number in (signal.SIGHUP, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, caught)

    def on_unmount(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _end_anyway(self, code: int) -> None:
        """If the event loop has not ended the bench by then, this does."""
        time.sleep(SECONDS_TO_END)
        self._save_edits()
        os._exit(code)

    # -- the end ----------------------------------------------------------------------------------------------

    def patience(self, done: int = 0, total: int = 0) -> None:
        """A `Progress` for background work that must end with the bench."""
        if self.leaving:
            raise Cancelled

    def leave(self, code: int = 0) -> None:
        """Write what is not written yet, and end. Live runs go on."""
        self.leaving = True
        for error in self._save_edits():
            self.fail(error)
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.exit(code, return_code=code)

    def _save_edits(self) -> list[Exception]:
        faults: list[Exception] = []
        for screen in self.screen_stack:
            flush = getattr(screen, "flush", None)
            if callable(flush):
                try:
                    flush()
                except (LabError, OSError) as error:
                    faults.append(error)
        return faults

    async def action_quit(self) -> None:
        self.leave()


if TYPE_CHECKING:
    from loratui.lab.run.live import LiveWatch as LiveWatcher
