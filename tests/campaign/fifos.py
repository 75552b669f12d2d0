"""A FIFO, an endless device or a folder under a file's name: whoever looks ends soon, and in words."""

from __future__ import annotations

from tests.campaign import children
from tests.campaign.judges import of_words
from tests.campaign.odd import NAMES, path_of, put_endless, put_fifo, put_folder
from tests.campaign.tries import Campaign, Try
from tests.campaign.verbs import LOOK_LIMIT, LOOKS, runs_of, words_of

WAYS = {"a FIFO": put_fifo, "a link to /dev/zero": put_endless, "a folder": put_folder}
_FILES = tuple(name for name in NAMES if not name.folder)
KINDS = len(WAYS) * len(_FILES)
# Several lookers at one name, so that a hang costs less than LOOK_LIMIT each; nobody who looks needs so long.
_PATIENCE = 12.0
_MEMORY = 3 << 30


def attempt(one: Try) -> None:
    ground = one.ground
    ground.reset("trained")
    kind = one.of(KINDS)
    name, way = _FILES[kind // len(WAYS)], list(WAYS)[kind % len(WAYS)]
    path = path_of(ground, name)
    WAYS[way](path)
    one.tell(f"{name.path} is {way}")
    runs = runs_of(ground)
    for word in name.lookers:
        words = words_of(word, runs)
        limit = _PATIENCE if words[0] in LOOKS else LOOK_LIMIT
        ended = children.call(ground.place, *words, limit=limit, memory=_MEMORY)
        one.tell(f"{ended.line}: ended with {ended.code}   {ended.said.strip()[-300:]}")
        faults = [
            f"{fault.partition(': loratui')[0]}: {words[0]} where {name.path} is {way}"
            if fault.startswith("hangs")
            else fault
            for fault in of_words(ended)
        ]
        one.judge(faults, f"{ended.line}; {name.path} is {way}")


CAMPAIGN = Campaign("fifos", 8, attempt, "trained")
