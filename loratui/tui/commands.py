"""The two palettes: everything that can be done here (ctrl+p), and everywhere one can go (:)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from loratui.lab.plain import plain
from loratui.tui.places import SCREENS, TABS, Place

if TYPE_CHECKING:
    from loratui.tui.app import BenchApp

Command = tuple[str, str, Callable[[], Any]]  # title, help, what it does


class _Commands(Provider):
    """Offers what `commands()` yields, matched as it is typed."""

    _known: list[Command]

    def commands(self) -> Iterator[Command]:
        yield from ()

    @property
    def bench(self) -> BenchApp:
        from loratui.tui.app import BenchApp

        assert isinstance(self.app, BenchApp)
        return self.app

    async def startup(self) -> None:
        self._known = list(self.commands())

    async def discover(self) -> Hits:
        for title, help, run in self._known:
            yield DiscoveryHit(Content(title), run, text=title, help=help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, help, run in self._known:
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=help)


class ActionCommands(_Commands):
    """Every key that works where one is, by what it does; then themes."""

    def commands(self) -> Iterator[Command]:
        said = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not active.enabled or not binding.tooltip or binding.action in said:
                continue
            said.add(binding.action)
            title = f"{binding.description}  ({self.app.get_key_display(binding)})"
            yield title, binding.tooltip, partial(self._run, active.node, binding.action)
        for name in sorted(self.app.available_themes):
            yield f"Theme: {name}", "Change the colours now and for next time", partial(self._theme, name)

    async def _run(self, node: Any, action: str) -> None:
        await self.app.run_action(action, node)

    def _theme(self, name: str) -> None:
        from loratui.lab.errors import LabError
        from loratui.lab.preferences import write_preference

        self.app.theme = name
        if self.bench.readonly:
            return
        try:
            write_preference("theme", name)
        except (LabError, OSError) as error:
            self.bench.fail(error)


class PlaceCommands(_Commands):
    """Every project, its screens, and its runs."""

    def commands(self) -> Iterator[Command]:
        from loratui.lab.project.projects import list_projects
        from loratui.lab.run.runs import list_runs

        here = self.bench.here
        for name in self.bench.reachable():
            yield SCREENS[name][1], "of this project" if name in TABS[1:] else "", partial(self.bench.go_to_named, name)
        folder = self.bench.folder
        mine = here.project if here else None
        for project in sorted(list_projects(folder), key=lambda path: path != mine):
            name = plain(project.name)
            for screen in TABS[1:]:
                if screen not in ("run", "compare"):
                    yield f"{name} {SCREENS[screen][1].lower()}", plain(project), self._to(Place(screen, project))
            for run in reversed(list_runs(project)):
                yield f"{name} run {plain(run.id)}", plain(run.path), self._to(Place("run", project, (run.path,)))

    def _to(self, place: Place) -> Callable[[], None]:
        return partial(self.bench.go, place)


class Palette(CommandPalette):
    """Textual's, with a cursor that does not blink: an idle screen writes nothing."""

    def on_mount(self) -> None:
        from textual.widgets import Input

        self.query_one(Input).cursor_blink = False


def places_palette() -> Palette:
    """The palette that `:` opens."""
    return Palette([PlaceCommands], placeholder="Go to a project, run or screen…")
