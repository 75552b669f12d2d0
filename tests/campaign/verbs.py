"""The command lines that campaigns give, by a word for each; A, B and C in them stand for runs of the `trained` ground.

A is finished and has all that is derived, B was stopped, C is finished; D was stopped, and nobody touches it.
"""

from __future__ import annotations

from pathlib import Path

from tests.campaign.ground import PROJECT, Ground

LOOK_LIMIT, WORK_LIMIT = 20.0, 90.0  # seconds
LOOKS = frozenset("--check --status --findings --report --compare --note --explain --attach --stop bench".split())
_LINES = f"""
check           --check {PROJECT}
plan            --run {PROJECT} --plan
dry             --run {PROJECT} --dry-run
variants        --run {PROJECT} --all-variants --plan
reproduce       --reproduce {PROJECT} --plan
status          --status {PROJECT}
status-json     --status {PROJECT} --json
status-home     --status
findings        --findings {PROJECT}
findings-json   --findings {PROJECT} --json
findings-csv    --findings {PROJECT} --format csv
report          --report {PROJECT}
compare         --compare A C
compare-json    --compare A C --json
compare-b       --compare B C
measure         --measure A
measure-json    --measure A --json
measure-b       --measure B
drift           --drift A
drift-all       --drift A --checkpoint all
drift-new       --drift A --seeds 9
weights         --weights A
weights-two     --weights A C
weights-new     --weights A --checkpoint 9
knock-out       --weights A --knock-out --seeds 1
knock-out-new   --weights A --knock-out --seeds 9
attribute       --attribute A --seeds 1
attribute-new   --attribute A --seeds 9
sample          --sample A --seeds 1-3
sample-new      --sample A --seeds 7 --checkpoint all
from            --from A --plan --set lora.rank=3
attach          --attach A
attach-b        --attach B
stop            --stop B
note            --note A seen
note-b          --note B seen
resume          --resume B
resume-project  --resume {PROJECT} --json
resume-changed  --resume B --allow-changes --set train.learning_rate=2e-4
explain         --explain lora.rank
bench-projects  bench projects {PROJECT}
bench-dataset   bench dataset {PROJECT}
bench-settings  bench settings {PROJECT}
bench-run       bench run {PROJECT} A
bench-run-b     bench run {PROJECT} B
bench-compare   bench compare {PROJECT} A C
bench-notes     bench notes {PROJECT}
bench-findings  bench findings {PROJECT}
bench-likes     bench preferences {PROJECT}
verify          --verify A
verify-b        --verify B
"""
VERBS = {line.split()[0]: tuple(line.split()[1:]) for line in _LINES.strip().splitlines()}
BENCHES = [name for name in VERBS if name.startswith("bench-")]
# These only look: what they leave on the disk is nothing, or said by nobody else.
PURE = frozenset(
    """check plan variants status status-json status-home findings findings-json findings-csv compare compare-json
    compare-b from attach attach-b explain verify verify-b""".split()
)


def runs_of(ground: Ground) -> dict[str, Path]:
    """By their letters, below the place where commands are given."""
    return {letter: run.relative_to(ground.place.folder) for letter, run in zip("ABCD", ground.runs(), strict=True)}


def words_of(name: str, runs: dict[str, Path]) -> tuple[str, ...]:
    return tuple(str(runs.get(word, word)) for word in VERBS[name])


def limit_of(words: tuple[str, ...]) -> float:
    return LOOK_LIMIT if words[0] in LOOKS else WORK_LIMIT
