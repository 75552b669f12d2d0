"""The signs that stand beside words, so that a state or a verdict can be read without colour."""

from __future__ import annotations

STATE_SIGNS = {
    "queued": "◌",
    "running": "▶",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "interrupted": "!",
}
VERDICT_SIGNS = {"learned": "✓", "partly": "~", "not shown": "✗", "uncertain": "?", "too few pictures": "…", "": "·"}


def state_sign(name: str, paused: bool = False) -> str:
    """The sign of a run's state; a paused run is running, and has a sign of its own."""
    return STATE_SIGNS["paused" if paused else name]


def state_words(name: str, paused: bool = False) -> str:
    """Sign and word, such as `▶ running`."""
    word = "paused" if paused else name
    return f"{STATE_SIGNS[word]} {word}"


def verdict_words(verdict: str) -> str:
    """Sign and word, such as `✓ learned`."""
    return f"{VERDICT_SIGNS.get(verdict, '·')} {verdict}"
