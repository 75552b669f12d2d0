"""One damaged file, and the verbs that read it: each does its work or refuses in words, and the rest stays whole.

There are four runs: the first is finished and has all that is derived, the second was stopped, and is gone on with; the
two after them are like these, and must still be told of when one of the first two is damaged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import children
from tests.campaign.children import Ended
from tests.campaign.damage import damaged
from tests.campaign.ground import PROJECT, Ground
from tests.campaign.judges import contents, of_contents, of_words, read_whole
from tests.campaign.tries import Campaign, Try

LOOK_LIMIT, WORK_LIMIT = 20.0, 90.0
LOOKS = frozenset(
    ["--check", "--status", "--findings", "--report", "--compare", "--note", "--explain", "--attach", "--stop"]
)
# A word for a verb; A and B stand for the first two runs, C for the third.
VERBS: dict[str, tuple[str, ...]] = {
    "check": ("--check", PROJECT),
    "plan": ("--run", PROJECT, "--plan"),
    "dry": ("--run", PROJECT, "--dry-run"),
    "variants": ("--run", PROJECT, "--all-variants", "--plan"),
    "reproduce": ("--reproduce", PROJECT, "--plan"),
    "status": ("--status", PROJECT),
    "status-json": ("--status", PROJECT, "--json"),
    "status-home": ("--status",),
    "findings": ("--findings", PROJECT),
    "findings-json": ("--findings", PROJECT, "--json"),
    "findings-csv": ("--findings", PROJECT, "--format", "csv"),
    "report": ("--report", PROJECT),
    "compare": ("--compare", "A", "C"),
    "compare-json": ("--compare", "A", "C", "--json"),
    "compare-b": ("--compare", "B", "C"),
    "measure": ("--measure", "A"),
    "measure-json": ("--measure", "A", "--json"),
    "measure-b": ("--measure", "B"),
    "drift": ("--drift", "A"),
    "drift-all": ("--drift", "A", "--checkpoint", "all"),
    "weights": ("--weights", "A"),
    "weights-two": ("--weights", "A", "C"),
    "knock-out": ("--weights", "A", "--knock-out", "--seeds", "1"),
    "attribute": ("--attribute", "A", "--seeds", "1"),
    "sample": ("--sample", "A", "--seeds", "1-3"),
    "sample-new": ("--sample", "A", "--seeds", "7", "--checkpoint", "all"),
    "from": ("--from", "A", "--plan", "--set", "lora.rank=3"),
    "attach": ("--attach", "A"),
    "attach-b": ("--attach", "B"),
    "stop": ("--stop", "B"),
    "note": ("--note", "A", "seen"),
    "resume": ("--resume", "B"),
    "resume-project": ("--resume", PROJECT, "--json"),
    "explain": ("--explain", "lora.rank"),
}
_PROJECT = ("check", "plan", "dry", "variants", "reproduce", "status", "findings", "report", "resume", "from")
_RECORD = (
    "status",
    "status-json",
    "findings",
    "findings-json",
    "report",
    "compare",
    "compare-json",
    "measure",
    "attach",
    "from",
    "sample",
    "weights",
    "drift",
    "attribute",
    "reproduce",
    "variants",
)
_UNFINISHED = (
    "resume",
    "resume",
    "resume",
    "resume-project",
    "status",
    "attach-b",
    "compare-b",
    "measure-b",
    "findings",
    "report",
)


@dataclass(frozen=True)
class Target:
    """Files by a pattern below the place, with A and B for runs; how often they are chosen, and who reads them."""

    pattern: str
    weight: float
    verbs: Sequence[str]
    exact: bool = False  # whatever a run that goes on makes of it must be what it would have been, or be said


TARGETS = (
    Target(f"{PROJECT}/project.toml", 8, _PROJECT),
    Target("A/run.toml", 4, _RECORD),
    Target("B/run.toml", 3, _UNFINISHED, exact=True),
    Target("A/captions.toml", 4, _RECORD),
    Target("B/captions.toml", 3, _UNFINISHED, exact=True),
    Target("A/observations.toml", 3, ("note", "findings", "findings-csv", "report", "compare", "status")),
    Target("A/events.jsonl", 4, (*_RECORD, "stop")),
    Target("B/events.jsonl", 3, _UNFINISHED, exact=True),
    Target("A/scores.json", 4, ("findings", "findings-json", "report", "compare", "measure", "reproduce")),
    Target("A/readings.jsonl", 4, ("measure", "measure-json", "findings", "report", "attribute", "compare")),
    Target("A/drift.json", 2, ("drift", "drift-all", "report", "compare", "findings")),
    Target("A/weights.json", 2, ("weights", "weights-two", "report", "compare")),
    Target("A/knockout.json", 2, ("knock-out", "report", "weights")),
    Target("A/attribution.json", 2, ("attribute", "report", "findings", "compare")),
    Target("A/lock", 1, ("status", "measure", "attach")),
    Target("B/lock", 1, _UNFINISHED, exact=True),
    Target("B/resume/*/progress.json", 5, ("resume", "resume", "resume-project", "status"), exact=True),
    Target("B/resume/*/state.pt", 6, ("resume", "resume", "resume-project"), exact=True),
    Target("B/resume/*/COMPLETE", 2, ("resume", "resume-project"), exact=True),
    Target(
        "A/checkpoints/*.safetensors",
        4,
        ("sample", "sample-new", "drift-all", "weights", "weights-two", "knock-out", "measure", "compare", "report"),
    ),
    Target("B/checkpoints/*.safetensors", 2, ("resume", "measure-b", "compare-b"), exact=True),
    Target("A/samples/*/*.png", 3, ("measure", "report", "compare", "findings", "sample")),
    Target("B/samples/*/*.png", 2, _UNFINISHED, exact=True),
    Target(f"{PROJECT}/dataset/*.png", 2, ("check", "dry", "report", "compare", "resume", "from"), exact=True),
    Target(f"{PROJECT}/dataset/*.txt", 3, ("check", "dry", "report", "plan", "resume", "from", "note")),
    Target("model/*.json", 2, ("check", "dry", "resume", "plan"), exact=True),
    Target("model/*/*.json", 4, ("check", "dry", "resume", "plan", "sample-new", "compare"), exact=True),
    Target("model/*/*.txt", 1, ("check", "dry", "resume"), exact=True),
    Target("model/*/*.safetensors", 4, ("dry", "resume", "resume", "sample-new"), exact=True),
    Target("cache/latents/*/*.npy", 3, ("resume", "dry"), exact=True),
    Target("cache/captions/*/*.npy", 3, ("resume", "dry", "sample-new"), exact=True),
    Target("cache/hashes/*", 3, ("check", "resume", "dry", "plan"), exact=True),
    Target("cache/pictures/*/*.png", 1, ("resume", "sample-new", "check"), exact=True),
    Target("config.toml", 2, ("status-home", "check", "explain")),
)
_SAYS_SO = re.compile(r"warning|damaged|cannot be read|changed|differ|again|not used|instead|older", re.IGNORECASE)
_PERSONS = ("project.toml", "dataset", "runs/*/observations.toml")


def attempt(one: Try) -> None:
    ground = one.ground
    ground.reset("trained")
    (ground.place.folder / "config.toml").write_text('theme = "nord"\nrefresh = 1.0\n', encoding="utf-8")
    runs = {letter: run.relative_to(ground.place.folder) for letter, run in zip("ABCD", ground.runs(), strict=True)}
    target = one.luck.choices(TARGETS, [target.weight for target in TARGETS])[0]
    pattern = re.sub(r"^([ABCD])(?=/)", lambda match: str(runs[match[1]]), target.pattern)
    file = one.luck.choice(sorted(path for path in ground.place.folder.glob(pattern) if path.is_file()))
    before = file.stat()
    content, how = damaged(file.name, file.read_bytes(), one.luck)
    sly = len(content) == before.st_size and one.luck.random() < 0.5
    file.unlink()  # not in place: weights are shared with the original
    file.write_bytes(content)
    if sly:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        how += ", with its old time"
    one.tell(f"{file.relative_to(ground.place.folder)}: {how}")
    persons = _persons(ground)
    notes = ground.place.folder / runs["A"] / "observations.toml"
    noted = notes.read_bytes()
    chosen = dict.fromkeys(one.luck.choices(target.verbs, k=4))
    for name in chosen:
        words = [str(runs.get(word, word)) for word in VERBS[name]]
        limit = LOOK_LIMIT if words[0] in LOOKS else WORK_LIMIT
        ended = children.call(ground.place, *words, limit=limit, memory=children.MEMORY)
        one.tell(f"{ended.line}: ended with {ended.code}")
        one.judge(of_words(ended), f"{ended.line}; {target.pattern}: {how}")
        now = _persons(ground)
        if name == "note":
            one.judge(_of_note(noted, notes, ended), f"{ended.line}; {target.pattern}: {how}")
            persons.pop(notes, None)
            now.pop(notes, None)
        one.judge(of_contents(persons, now, "a file of the person's was"), ended.line)
        persons = _persons(ground)
        if target.pattern[1] == "/" and name in ("findings", "status-json"):
            one.judge(_blind(ended, name, runs), f"{ended.line}; {target.pattern}: {how}")
        if words[0] == "--resume" and ended.code == 0 and target.exact:
            faults = _silently_other(ground, ended, ground.place.folder / runs["B"], file)
            one.judge(faults, f"{ended.line}; {target.pattern}: {how}")
            if name == "resume":
                break  # it is finished now; nothing that follows would be about the damage


def _persons(ground: Ground) -> dict[Path, str]:
    return contents(path for pattern in _PERSONS for path in sorted(ground.project.glob(pattern)))


def _of_note(before: bytes, file: Path, ended: Ended) -> list[str]:
    """A note may only be added: a refusal changes nothing, and no line that was there goes."""
    after = file.read_bytes() if file.is_file() else b""
    if ended.code != 0 and before != after:
        return [f"refused, and changed all the same: {file.name}"]
    gone = set(before.split()) - set(after.split())
    return [f"a note took other words away: {file.name}: {b' '.join(sorted(gone))[:80]!r}"] if gone else []


def _blind(ended: Ended, name: str, runs: dict[str, Path]) -> list[str]:
    """The healthy run must be told of."""
    other = runs["C" if name == "findings" else "D"].name
    return [] if other[-4:] in ended.said else [f"one damaged run hides the others from --{name.partition('-')[0]}"]


def _silently_other(ground: Ground, ended: Ended, run: Path, file: Path) -> list[str]:
    """What a run that went on with damage became, where that is not what it would have been and nobody said so.

    The damaged file itself stays as it is: to find that is the business of --verify.
    """
    assert ground.whole is not None
    if str(run.relative_to(ground.place.folder)) not in ended.said:  # it was the project's other unfinished run
        return []
    own = str(file.relative_to(run)) if file.is_relative_to(run) else ""
    lost = read_whole(run).differences(ground.whole)
    lost = [line for line in lost if line.startswith("another") and not (own and line.endswith(f": {own}"))]
    if lost and not _SAYS_SO.search(ended.said):
        return [f"silently another result: {'; '.join(lost)[:300]}"]
    return []


CAMPAIGN = Campaign("mutations", 30, attempt, "trained")
