"""A link to what is somebody else's, in place of a file or folder of a run, and the verbs that write there.

The victim lies outside of the project and must stay as it is, byte for byte; a refusal names the link. `runs`, or a
run, that a person has linked as a whole, keeps working.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.campaign import children
from tests.campaign.ground import PROJECT
from tests.campaign.judges import contents, is_absent, of_contents, of_words
from tests.campaign.odd import NAMES, Name, clear, path_of
from tests.campaign.tries import Campaign, Try
from tests.campaign.verbs import WORK_LIMIT, runs_of, words_of

WAYS = ("file", "dangling")
_OTHERS = "sample-new measure weights-new drift-new note report stop verify verify-b resume attribute-new".split()
KINDS = len(WAYS) * len(NAMES) + 2


def attempt(one: Try) -> None:
    one.ground.reset("trained")
    kind = one.of(KINDS)
    if kind >= len(WAYS) * len(NAMES):
        _whole(one, runs=kind % 2 == 0)
    else:
        _link(one, NAMES[kind // len(WAYS)], WAYS[kind % len(WAYS)])


def _link(one: Try, name: Name, way: str) -> None:
    ground = one.ground
    path = path_of(ground, name)
    victims = ground.base / "victims"
    shutil.rmtree(victims, ignore_errors=True)
    victim = _victim(victims, path, name.folder, way)
    clear(path)
    path.symlink_to(victim)
    before = contents([victims])
    one.tell(
        f"{name.path} is a link to {way if way == 'dangling' else 'a folder' if name.folder else 'a file'} outside"
    )
    runs = runs_of(ground)
    for word in dict.fromkeys((*name.writers, one.luck.choice(_OTHERS))):
        words = words_of(word, runs)
        ended = children.call(ground.place, *words, limit=WORK_LIMIT)
        if is_absent(ended):
            continue
        one.tell(f"{ended.line}: ended with {ended.code}   {ended.said.strip()[-300:]}")
        where = f"{ended.line}; {name.path} a link, {way}"
        one.judge(of_words(ended), where)
        after = contents([victims])
        if faults := of_contents(before, after, f"through {name.path} a victim was"):
            one.judge([f"{faults[0]}, by {words[0]}"], where)
            before = after
        if ended.code != 0 and "symbolic link" in ended.said and path.name not in ended.said:
            one.judge([f"a refusal that does not name the link {name.path}: {ended.said.strip()[-200:]}"], where)
    shutil.rmtree(victims)


def _victim(folder: Path, path: Path, is_folder: bool, way: str) -> Path:
    """Something that looks like what it stands for, so that it is not refused for its content alone."""
    victim = folder / path.name
    folder.mkdir()
    if way == "dangling":
        return victim
    if is_folder:
        if path.is_dir():
            shutil.copytree(path, victim)
        (victim / "step-000001").mkdir(parents=True)
        for name in ("step-000001/thesis.txt", "thesis.txt", ".x.part"):
            (victim / name).write_text("years of work\n", encoding="utf-8")
        (victim / ".y.part").mkdir()
        (victim / ".y.part" / "thesis.txt").write_text("years of work\n", encoding="utf-8")
    elif path.is_file():
        shutil.copy2(path, victim)
        if path.name in ("lock", "log.txt"):
            victim.write_text("years of work\n", encoding="utf-8")
    else:
        victim.write_text("years of work\n", encoding="utf-8")
    return victim


def _whole(one: Try, runs: bool) -> None:
    """A person moved the runs, or one, to another disk and left a link."""
    ground = one.ground
    moved = ground.project / "runs" if runs else ground.runs()[1]
    elsewhere = ground.base / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    moved.rename(elsewhere)
    moved.symlink_to(elsewhere)
    one.tell(f"{moved.relative_to(ground.place.folder)} is a link to where it was moved")
    run = str(ground.runs()[1].relative_to(ground.place.folder))
    for words in (
        ("--status", PROJECT),
        ("--note", run, "seen"),
        ("--resume", run),
        ("--measure", run),
        ("--findings", PROJECT),
        ("--report", PROJECT),
        ("--drift", run),
    ):
        ended = children.call(ground.place, *words, limit=WORK_LIMIT)
        one.tell(f"{ended.line}: ended with {ended.code}   {ended.said.strip()[-300:]}")
        one.judge(of_words(ended, (0,)), f"{'runs' if runs else 'a run'} linked as a whole: {ended.line}")
    shutil.rmtree(elsewhere)


CAMPAIGN = Campaign("links", 12, attempt, "trained")
