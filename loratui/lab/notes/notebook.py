"""The observations of a project as something to read: which of them are meant, and all of them as Markdown.

Nothing is written to disk here, and nothing about an observation is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loratui.lab import markdown
from loratui.lab.errors import LabError
from loratui.lab.notes.observations import PERSON, VERDICTS, Observation
from loratui.lab.plain import plain
from loratui.lab.words import VERDICT_SIGNS

_WORD = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_KEYS = ("feature", "verdict", "run", "by", "step", "struck")
FILTER_HELP = 'words of the note, and feature:grey  verdict:learned  run:40df  by:person  struck:no  "two words"  -not'


@dataclass(frozen=True)
class Wanted:
    """What to look for: every part must be there, those with a minus must not."""

    parts: tuple[tuple[str, str, bool], ...] = ()  # key ("" for any text), what, whether it must be there

    def matches(self, observation: Observation) -> bool:
        return all(_has(observation, key, what) == wanted for key, what, wanted in self.parts)

    def of(self, observations: Iterable[Observation]) -> list[Observation]:
        return [observation for observation in observations if self.matches(observation)]


def wanted(text: str) -> Wanted:
    """Read a filter as FILTER_HELP tells it. LabError for a verdict that there is not."""
    parts: list[tuple[str, str, bool]] = []
    for sign, key, quoted, bare in _WORD.findall(text):
        key, what = key.lower(), (quoted or bare).casefold()
        if key and key not in _KEYS:
            key, what = "", f"{key}:{what}"  # a word with a colon in it, such as 12:30
        if key == "verdict":
            what = _verdict(what)
        elif key == "struck" and what not in ("yes", "no"):
            raise LabError(f"struck:{plain(what, 20)}: write struck:yes or struck:no")
        elif key == "step" and not what.isdecimal():
            raise LabError(f"step:{plain(what, 20)}: not a number; write step:750")
        parts.append((key, what, not sign))
    return Wanted(tuple(parts))


def verdict_words(verdict: str) -> str:
    """Sign and word, such as `✓ learned`; `· no verdict` without one."""
    return f"{VERDICT_SIGNS[verdict]} {verdict or 'no verdict'}"


def when(moment: float) -> str:
    """Local date and time to the minute."""
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M") if moment else "no date"


def short_run(run_id: str) -> str:
    """A run's id as it is told beside others: `basic-grey-40df`, without the date it starts with."""
    return re.sub(r"^\d{8}-\d{6}-", "", run_id)


def to_markdown(
    observations: Sequence[Observation],
    title: str = "Observations",
    folder: Path | None = None,
    question: str = "",
    *,
    history: bool = False,
) -> str:
    """The observations in time order as a Markdown document for `folder` (by default that of their project).

    Those struck out are told as such; earlier wordings only with `history`. No text can break the document.
    """
    ordered = sorted(observations, key=lambda observation: observation.time)
    parts = [f"# {markdown.escape(title)}"]
    parts += [f"*{markdown.escape(question)}*"] if question.strip() else []
    if not ordered:
        parts.append("No observations yet.")
    else:
        counted = [o for o in ordered if not o.struck]
        parts.append(markdown.table(("verdict", "observations"), [
            (verdict_words(verdict), sum(o.verdict == verdict for o in counted)) for verdict in (*VERDICTS, "")
        ]))  # fmt: skip
    day = ""
    for observation in ordered:
        date, _, clock = when(observation.time).partition(" ")
        if date != day:
            day = date
            parts.append(f"## {day if observation.time else 'Without a date'}")
        parts += _told(observation, clock if observation.time else "", folder, history)
    return "\n\n".join(parts) + "\n"


def _told(observation: Observation, clock: str, folder: Path | None, history: bool) -> list[str]:
    words = [
        clock,
        f"{markdown.escape(observation.feature)}: {verdict_words(observation.verdict)}"
        if observation.feature
        else verdict_words(observation.verdict),
        f"{markdown.escape(short_run(observation.run))}",
        f"step {observation.step}" if observation.step is not None else "",
        f"by {markdown.escape(observation.by)}" if observation.by != PERSON else "",
        "**struck out**" if observation.struck else "",
    ]
    parts = [f"### {' · '.join(word for word in words if word)}"]
    if observation.note:
        parts.append(markdown.paragraphs(observation.note))
    home = folder or observation.folder.parent.parent
    parts += [markdown.picture(observation.folder / picture, home, picture) for picture in observation.pictures]
    if history and observation.history:
        lines = [f"- {when(old.changed)}: {_one_line(old)}" for old in observation.history]
        parts.append("Earlier wordings:\n\n" + "\n".join(lines))
    return parts


def _one_line(old: Observation) -> str:
    feature = f"{markdown.escape(old.feature)}: " if old.feature else ""
    struck = ", struck out" if old.struck else ""
    note = f" — {markdown.escape(old.note)}" if old.note else ""
    return f"{feature}{verdict_words(old.verdict)}{struck}{note}"


def _verdict(what: str) -> str:
    """The verdict that begins with these letters; "none" for no verdict."""
    found = [verdict for verdict in (*VERDICTS, "none") if verdict.replace(" ", "").startswith(what.replace(" ", ""))]
    if not found:
        raise LabError(f"verdict:{plain(what, 20)}: write {', '.join(VERDICTS)} or none, or how one of them begins")
    return found[0]


def _has(observation: Observation, key: str, what: str) -> bool:
    if key == "verdict":
        return observation.verdict == ("" if what == "none" else what)
    if key == "struck":
        return observation.struck == (what == "yes")
    if key == "step":
        return observation.step == int(what)
    if key == "feature":
        return what in observation.feature.casefold() if what != "none" else not observation.feature
    if key in ("run", "by"):
        return what in str(getattr(observation, key)).casefold()
    everything = (observation.note, observation.feature, observation.verdict, observation.run, *observation.pictures)
    return any(what in part.casefold() for part in everything)
