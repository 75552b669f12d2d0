"""A run disturbed in one sitting after the other, gone on with each time, and judged at its end."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import children
from tests.campaign.children import Counted, Ended
from tests.campaign.ground import PROJECT, Ground
from tests.campaign.judges import is_absent, of_run, of_words
from tests.campaign.tries import Try

LIMIT = 120.0  # seconds for one sitting, of which a whole run takes two
STARTUP = 9.0  # seconds that a fresh interpreter takes to its first step, on a machine that does much else
MOST = 40  # sittings; a run that is disturbed at the same place for ever would never end


@dataclass(frozen=True)
class Moment:
    """When to disturb. Exactly one of `change` (right before the n-th change on the disk), `file` (as soon as it is
    there), `words` (as soon as they are said, the n-th time) or none of them: after `seconds`."""

    seconds: float = 0.0
    change: int = 0
    file: str = ""
    words: str = ""
    times: int = 1
    fresh: bool = False

    def __str__(self) -> str:
        if self.change:
            return f"right before change {self.change} on the disk"
        after = f"{self.seconds:.4f} s after "
        if self.file:
            return after + f"{self.file} was there"
        if self.words:
            return after + f"{self.words!r} was said {self.times} times"
        return after + ("a fresh start" if self.fresh else "the start")


def some_moment(luck: random.Random, ground: Ground) -> Moment:
    """Mostly between two changes on the disk, where there is something to lose; now and then by the clock."""
    assert ground.whole is not None
    kind = luck.random()
    if kind < 0.5:
        return Moment(change=luck.randint(1, ground.changes))
    if kind < 0.7:
        return Moment(file=luck.choice(sorted(ground.whole.files)), seconds=luck.uniform(0, 0.02))
    if kind < 0.8:
        words = luck.choice(["saved", "step ", "pictures", "training on", "encoding"])
        return Moment(words=words, times=luck.randint(1, 3), seconds=luck.uniform(0, 0.01))
    if kind < 0.95:
        return Moment(seconds=luck.uniform(0, ground.seconds))
    return Moment(fresh=True, seconds=luck.uniform(0, STARTUP))


def newest(ground: Ground) -> Path | None:
    """The newest run that was frozen: before that there is nothing to go on with."""
    return next((run for run in reversed(ground.runs()) if (run / "run.toml").is_file()), None)


def words_of(ground: Ground, by_project: bool = False) -> list[str]:
    run = newest(ground)
    if run is None:
        return ["--run", PROJECT]
    return ["--resume", PROJECT if by_project else str(run.relative_to(ground.place.folder))]


def disturbed(one: Try, moment: Moment, act: Callable[[children.Child | None], None]) -> Ended:
    """One sitting. `act` is called at the moment: with the child from outside, with None from inside of it."""
    ground = one.ground
    words = words_of(ground, by_project=one.luck.random() < 0.3)
    counted = Counted(ground.place.folder, moment.change, lambda: act(None)) if moment.change else None
    child = children.start(ground.place, words, fresh=moment.fresh, moment=counted)
    if not moment.change and _reached(ground, child, moment):
        act(child)
    ended = child.end(LIMIT)
    one.tell(f"{ended.line}   disturbed {moment}: ended with {ended.code} after {ended.seconds:.2f} s")
    return ended


def _reached(ground: Ground, child: children.Child, moment: Moment) -> bool:
    """Waits for it; False where the command was over before."""
    until = time.monotonic() + LIMIT
    while (moment.file or moment.words) and time.monotonic() < until:
        if moment.words and child.said().count(moment.words) >= moment.times:
            break
        if moment.file and (run := newest(ground)) is not None and (run / moment.file).exists():
            break
        if child.over(0.0005):
            return False
    return not child.over(moment.seconds)


def to_the_end(one: Try, *, more: str = "", full: bool = False) -> None:
    """Go on undisturbed, and judge what is there then. On a disk that was `full` lines may be torn, and pictures be
    missing of which a warning said so."""
    ground = one.ground
    ended = children.call(ground.place, *words_of(ground), limit=LIMIT, memory=None)
    one.tell(f"{ended.line}: ended with {ended.code}")
    over = ended.code == 2 and "finished at step" in ended.said
    one.judge(of_words(ended, (0, 2) if over else (0,)), ended.line)
    run = newest(ground)
    if run is None or ended.code not in (0, 2):
        one.tell(ended.said[-2000:])
        return
    assert ground.whole is not None
    lost = of_run(run, ground.whole, more=more, torn=full)
    if full:
        for step in re.findall(r"sampling at step (\d+) failed", (run / "events.jsonl").read_text("utf-8", "replace")):
            lost = [line for line in lost if not ("missing: samples/" in line and f"step-{int(step):06d}" in line)]
    one.judge(lost, "after it went on to its end")
    status = children.call(ground.place, "--status", PROJECT, "--json")
    one.judge(of_words(status, (0,)))
    if str(run) in status.said:
        one.judge([f"--status does not take it for finished: {status.said[:300]}"])
    one.judge(verified(ground, run))


def verified(ground: Ground, run: Path) -> list[str]:
    """What --verify says against a run that is whole."""
    ended = children.call(ground.place, "--verify", str(run.relative_to(ground.place.folder)))
    lost = of_words(ended)
    return (
        lost
        if lost or is_absent(ended)
        else ([f"--verify takes it for damaged: {ended.said[-300:]}"] if ended.code else [])
    )


def kill(child: children.Child | None) -> None:
    """SIGKILL to the whole group."""
    if child is None:
        os.killpg(0, signal.SIGKILL)
    else:
        child.hit(signal.SIGKILL)
