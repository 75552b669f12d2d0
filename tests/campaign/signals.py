"""Storms of SIGINT, SIGTERM and SIGHUP, and requests to stop; then the run goes on to its end.

The first signal asks, the second ends at once. A run that was asked has saved the LoRA of the step it ended with, which
the undisturbed one has not.
"""

from __future__ import annotations

import os
import signal
import time

from tests.campaign import children
from tests.campaign.judges import of_words
from tests.campaign.sittings import disturbed, newest, some_moment, to_the_end
from tests.campaign.tries import Campaign, Try

POLITE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MORE = r"checkpoints/step-\d{6}\.safetensors"
CODES = (0, 2, 129, 130, 143, -1, -2, -15)  # a process that has not yet taken over its signals dies of them


def attempt(one: Try) -> None:
    one.ground.reset("bare")
    for _ in range(one.luck.randint(1, 4)):
        storm = [one.luck.choice(POLITE) for _ in range(one.luck.choice([1, 1, 2, 3, 10]))]
        pauses = [one.luck.choice([0.0, one.luck.uniform(0, 0.02)]) for _ in storm]
        stop = one.luck.random() < 0.25

        def act(child: children.Child | None, storm: list[int] = storm, pauses: list[float] = pauses,
                stop: bool = stop) -> None:  # fmt: skip
            run = newest(one.ground)
            if stop and run is not None:
                (run / "requests").mkdir(exist_ok=True)
                (run / "requests" / "stop").touch()
                return
            for number, pause in zip(storm, pauses, strict=True):
                if child is None:
                    os.kill(os.getpid(), number)
                elif not child.over(pause):
                    child.hit(number)
                time.sleep(pause if child is None else 0)

        moment = some_moment(one.luck, one.ground)
        ended = disturbed(one, moment, act)
        one.tell(f"  {'requests/stop' if stop else ', '.join(signal.Signals(number).name for number in storm)}")
        early = moment.fresh or ended.code < 0  # Python itself speaks of an interrupted import
        one.judge(of_words(ended, CODES) if not early or ended.hung else [], ended.line)
        if ended.code in (0, 2):
            break
    to_the_end(one, more=MORE)


CAMPAIGN = Campaign("signals", 10, attempt)
