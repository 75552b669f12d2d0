"""SIGKILL of the whole process group at some moment, again and again; then the run goes on to its end.

Now and then nothing is in the cache at first. It must hold what the run that nobody disturbed holds: files, weights,
pixels, losses, to the bit.
"""

from __future__ import annotations

import shutil

from tests.campaign.sittings import Moment, disturbed, kill, some_moment, to_the_end
from tests.campaign.tries import Campaign, Try

FILLING = 60  # changes on the disk, within which a run that began with nothing fills the cache


def attempt(one: Try) -> None:
    one.ground.reset("bare")
    cold = one.luck.random() < 0.25
    if cold:
        for kind in ("latents", "captions"):
            shutil.rmtree(one.ground.place.cache / kind)
        one.tell("with nothing in the cache")
    for number in range(one.luck.choice([1, 1, 1, 2, 2, 3, 5])):
        moment = some_moment(one.luck, one.ground)
        if cold and not number:
            moment = Moment(change=one.luck.randint(1, FILLING))
        ended = disturbed(one, moment, kill)
        if ended.code not in (-9, 0, 2):
            one.judge([f"ended with {ended.code}: {ended.said[-300:]}"], ended.line)
        if ended.code != -9:
            break
    to_the_end(one)


CAMPAIGN = Campaign("kills", 25, attempt)
