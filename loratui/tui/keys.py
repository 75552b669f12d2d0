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


def every_key() -> list[BoundKey]:
    """All bindings with an id, those that work everywhere first, then by screen."""
    found: dict[str, BoundKey] = {}
    for cls in _classes():
        for binding in cls.__dict__.get("BINDINGS", []):
            if isinstance(binding, Binding) and binding.id and binding.id not in found:
                words = binding.tooltip or binding.description or binding.action
                found[binding.id] = BoundKey(binding.id, binding.key, words)
    return sorted(found.values(), key=lambda key: (not key.id.startswith("bench."), key.id.partition(".")[0]))


def _classes() -> Iterator[type[DOMNode]]:
    import loratui.tui as package

    for module in (import_module("loratui.tui.app"), *_modules(package)):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, DOMNode) and value.__module__ == module.__name__:
                yield value


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.ispkg:
            yield import_module(info.name)
