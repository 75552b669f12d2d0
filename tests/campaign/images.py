"""A dataset with one hostile image: it is refused in words or trained on, soon and within memory."""

from __future__ import annotations

from tests.campaign import children
from tests.campaign.ground import PROJECT
from tests.campaign.hostile_images import KINDS
from tests.campaign.judges import of_words
from tests.campaign.tries import Campaign, Try

CHECK_LIMIT, RUN_LIMIT = 20.0, 90.0
MOST_MEMORY = 2 << 30
_SHORT = ("--set", "train.steps=2", "--set", "sample.every=never")


def attempt(one: Try) -> None:
    ground = one.ground
    ground.reset("bare")
    kind = list(KINDS)[one.of(len(KINDS))]
    name, content = KINDS[kind]()
    file = ground.project / "dataset" / name
    file.write_bytes(content)
    caption = file.with_suffix(".txt")
    caption.write_text("myshape, hostile\n", encoding="utf-8")
    one.tell(f"the image: {kind} ({len(content):,} bytes)")
    for words, limit in ((("--check", PROJECT), CHECK_LIMIT), (("--run", PROJECT, *_SHORT), RUN_LIMIT)):
        ended = children.call(ground.place, *words, limit=limit, memory=None)
        one.tell(f"{ended.line}: ended with {ended.code}, {ended.memory >> 20} MiB   {ended.said.strip()[-500:]}")
        one.judge(of_words(ended), f"{ended.line}; {kind}")
        if ended.memory > MOST_MEMORY:
            one.judge([f"{ended.memory / 2**30:.1f} GiB of memory for {kind}"], ended.line)
    if file.read_bytes() != content:
        one.judge([f"the image was changed: {kind}"])


CAMPAIGN = Campaign("images", 7, attempt)
