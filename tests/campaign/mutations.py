"""One damaged file, and the verbs that read it: each does its work or refuses in words, and the rest stays whole.

There are four runs: the first is finished and has all that is derived, the second was stopped, and is gone on with; the
two after them are like these, and must still be told of when one of the first two is damaged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.campaign import children
from tests.campaign.children import Ended
from tests.campaign.damage import damaged
from tests.campaign.ground import Ground
from tests.campaign.judges import contents, is_absent, of_contents, of_words, read_whole, tensors_of
from tests.campaign.targets import TARGETS
from tests.campaign.tries import Campaign, Try
from tests.campaign.verbs import BENCHES, PURE, limit_of, runs_of, words_of

_SAYS_SO = re.compile(r"warning|damaged|cannot be read|changed|differ|again|not used|instead|older", re.IGNORECASE)
LOOK_SHARE = 0.75  # of the tries run only verbs that change nothing, and so need no new copy of the ground
BENCH_SHARE = 0.2  # of the others open the bench as well, which takes as long as ten other looks
_PERSONS = ("project.toml", "dataset", "runs/*/observations.toml")


def attempt(one: Try) -> None:
    ground = one.ground
    ground.reset("trained")
    (ground.place.folder / "config.toml").write_text('theme = "nord"\nrefresh = 1.0\n', encoding="utf-8")
    runs = runs_of(ground)
    target = one.luck.choices(TARGETS, [target.weight for target in TARGETS])[0]
    pattern = re.sub(r"^([ABCD])(?=/)", lambda match: str(runs[match[1]]), target.pattern)
    file = one.luck.choice(sorted(path for path in ground.place.folder.glob(pattern) if path.is_file()))
    before = file.stat()
    tensors = tensors_of(file) if target.pattern.endswith(".safetensors") else ""
    intact = file.read_bytes()
    content, how = damaged(file.name, intact, one.luck)
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
    verbs = target.verbs.split()
    looks = [name for name in verbs if name in PURE]
    if looks and one.luck.random() < LOOK_SHARE:
        verbs = looks
    chosen = one.luck.choices(verbs, k=4)
    if verbs is not looks and one.luck.random() < BENCH_SHARE:
        chosen.insert(0, one.luck.choice(BENCHES))
    for name in dict.fromkeys(chosen):
        words = words_of(name, runs)
        ended = children.call(ground.place, *words, limit=limit_of(words))
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
        unseen = name == "verify" and not is_absent(ended) and ended.code == 0
        if unseen and tensors and tensors != tensors_of(file):
            one.judge(["--verify does not see a damaged LoRA"], f"{ended.line}; {target.pattern}: {how}")
        if words[0] == "--resume" and ended.code == 0 and target.exact:
            faults = _silently_other(ground, ended, ground.place.folder / runs["B"], file)
            one.judge(faults, f"{ended.line}; {target.pattern}: {how}")
            if name == "resume":
                break  # it is finished now; nothing that follows would be about the damage

    if verbs is looks:
        file.write_bytes(intact)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        ground.untouched = True


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
    if own == "events.jsonl":  # losses are read from the log, in which the damaged line stays
        lost = [line for line in lost if " loss " not in line]
    if lost and not _SAYS_SO.search(ended.said):
        return [f"silently another result: {'; '.join(lost)[:300]}"]
    return []


CAMPAIGN = Campaign("mutations", 30, attempt, "trained")
