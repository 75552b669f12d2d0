"""Every key of the bench, collected from the bindings themselves: for the preferences, and for the documentation."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from textual.binding import Binding
from textual.dom import DOMNode


@dataclass(frozen=True)
class BoundKey:
    """A binding: its id (`run.pause`), its keys as they come (`p`), and what it does."""

    id: str
    keys: str
    words: str
    told: bool = True  # whether it says what it does; arrows need not


def every_key() -> list[BoundKey]:
    """All bindings with an id, those that work everywhere first, then by screen."""
    found: dict[str, BoundKey] = {}
    for cls in bench_classes():
        for binding in cls.__dict__.get("BINDINGS", []):
            if isinstance(binding, Binding) and binding.id and binding.id not in found:
                words = binding.tooltip or binding.description or binding.action
                found[binding.id] = BoundKey(binding.id, binding.key, words, bool(binding.tooltip))
    return sorted(found.values(), key=lambda key: (not key.id.startswith("bench."), key.id.partition(".")[0]))


def bench_classes() -> Iterator[type[DOMNode]]:
    """Every widget, screen and dialog of the bench, and its app."""
    import loratui.tui as package

    for module in (import_module("loratui.tui.app"), *_modules(package)):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, DOMNode) and value.__module__ == module.__name__:
                yield value


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.ispkg:
            yield import_module(info.name)


def markdown_keys() -> str:
    """KEYS.md: every key with what it does, as `python -m loratui.tui.keys` prints it."""
    lines = [
        "# Keys",
        "",
        "As they come. `?` in the bench lists those that work where you are. To remap one, put its id in the keymap of",
        'the preferences (`g ,`), or in config.toml: `keymap = { "run.pause" = "P" }`.',
    ]
    subject = ""
    for key in every_key():
        if key.told:
            if key.id.partition(".")[0] != subject:
                subject = key.id.partition(".")[0]
                lines += [
                    "",
                    f"**{subject.replace('_', ' ')}**",
                    "",
                    "| keys | what they do | id |",
                    "| --- | --- | --- |",
                ]
            lines.append(f"| {', '.join(f'`{name}`' for name in key.keys.split(','))} | {key.words} | `{key.id}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown_keys(), end="")
