"""What the page of a run says in words: how it stands and what can be done, what it was made from, and its numbers.

Everything comes from the run folder: from its frozen record here, and from what `curves` has read of its events. The
sentences are plain text; signs and styles are the interface's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.project.plan import Plan
from loratui.lab.project.settings import Settings
from loratui.lab.run.curves import PROBE, Curves
from loratui.lab.run.events import parse_number
from loratui.lab.run.glance import changes_since, parent_of
from loratui.lab.run.runs import RunFolder, RunState, list_runs, resumes
from loratui.lab.run.story import duration, number, pace

_REASONS = {
    "stop": "it was asked to",
    "SIGINT": "ctrl-c was pressed",
    "SIGTERM": "it was sent SIGTERM",
    "SIGHUP": "its terminal was closed",
    "max_minutes": "train.max_minutes is over",
}
Row = tuple[str, str]  # a word, and what there is to say


@dataclass(frozen=True)
class Facts:
    """What a run was made from. `problem` says why the record cannot be read; the rest is empty then."""

    run: RunFolder
    settings: Settings | None = None
    plan: Plan | None = None
    base: str = ""
    parent: str = ""  # the id of the run it was made from
    change: str = ""  # what differs from that, or from the run before
    prompts: tuple[str, ...] = ()  # the texts that samples are drawn from
    overrides: tuple[str, ...] = ()
    siblings: tuple[RunFolder, ...] = field(default=(), compare=False)  # all runs of the project, oldest first
    problem: str = ""

    @property
    def total(self) -> int:
        return self.plan.total_steps if self.plan else 0


def read_facts(run: RunFolder) -> Facts:
    """Read the record of a run, and compare it with the one it came from. Takes a moment for many captions."""
    from loratui.lab.run.record import read_record

    siblings = tuple(list_runs(run.project_folder))
    try:
        record = read_record(run)
        said = run.read_record().get("run", {})
        parent = parent_of(run)
    except (LabError, OSError) as error:
        return Facts(run, siblings=siblings, problem=str(error))
    before = next((other for other in reversed(siblings) if other.id < run.id), None)
    return Facts(
        run=run,
        settings=record.settings,
        plan=record.plan,
        base=record.base_name,
        parent=parent.id if parent else "",
        change=changes_since(run, before),
        prompts=tuple(prompt.text for prompt in record.prompts),
        overrides=tuple(str(item) for item in said.get("overrides", ())),
        siblings=siblings,
    )


# -- how it stands ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How a run stands, and what the keys of its page can do about it."""

    state: RunState
    alive: bool = False
    total: int = 0
    saved: int | None = None  # step of the newest complete training state
    asked: tuple[str, ...] = ()  # requests that the worker has not taken yet
    traceback: bool = False

    @property
    def can_resume(self) -> bool:
        return not self.alive and (self.state.name != "finished" or self.state.reason == "max_minutes")


def read_standing(curves: Curves) -> Standing:
    """From what was read of the events, and a look into the folder."""
    from loratui.lab.run.requests import pending

    run = curves.run
    saved = resumes(run)
    return Standing(
        state=curves.state,
        alive=curves.alive,
        total=curves.total,
        saved=saved[0][0] if saved else None,
        asked=tuple(pending(run)),
        traceback=(run.path / "traceback.txt").is_file(),
    )


def state_sentence(standing: Standing, curves: Curves) -> str:
    """The rest of the sentence that begins with the state: why, and the key that helps."""
    state, alive = standing.state, standing.alive
    of = f" of {standing.total:,}" if standing.total and standing.total != state.step else ""
    if state.name == "queued":
        return _queued(curves, alive)
    if state.name == "running":
        if "stop" in standing.asked:
            return "asked to stop: it ends after its next step, and saves"
        if state.paused:
            return f"at step {state.step:,}{of}; p goes on"
        if "pause" in standing.asked:
            return "asked to pause: it holds after its next step"
        return "" if curves.last_step else plain(curves.message, 100)
    if state.name == "finished":
        limit = f": {_REASONS['max_minutes']}; u goes on without that limit" if standing.can_resume else ""
        return f"at step {state.step:,}{of}{limit}"
    again = _again(standing)
    if state.name == "stopped":
        because = _REASONS.get(state.reason, plain(state.reason, 100))
        return f"at step {state.step:,}{of}{': ' if because else ''}{because}; {again}"
    if state.name == "failed":
        more = "; traceback.txt in the run's folder says more" if standing.traceback else ""
        return f"{plain(state.reason, 400) or 'without a reason'}{more}; {again}"
    return f"at step {state.step:,}{of}: {again}"


def _queued(curves: Curves, alive: bool) -> str:
    if not alive:
        return "no worker has taken it up yet: press u to start it"
    said = curves.said or {}
    if said.get("state") == "queued" and said.get("ahead"):
        device, holder = plain(said.get("device", "the device"), 40), plain(said.get("holder", ""), 60)
        others = said["ahead"] if isinstance(said["ahead"], int) else 1
        return f"waiting for {device} behind {others}" + (f": {holder}" if holder else "")
    return plain(curves.message, 100) or "getting ready"


def _again(standing: Standing) -> str:
    if standing.alive:
        return "its worker is still ending"
    verb = "try again" if standing.state.name == "failed" else "go on"
    if standing.saved is None:
        return f"press u to {verb} from the start"
    return f"press u to {verb} from step {standing.saved:,}, which is saved"


# -- its numbers ------------------------------------------------------------------------------------------------------


def progress_bar(step: int, total: int, width: int) -> str:
    """A bar of text: `━━━━──── 55%`; empty without a total."""
    if total <= 0 or width < 8:
        return ""
    room = width - 5
    full = min(room, max(0, room * step // total))
    return f"{'━' * full}{'╌' * (room - full)} {min(100, 100 * step // total):>3}%"


def numbers(curves: Curves, facts: Facts, standing: Standing) -> list[Row]:
    """The panel of numbers, a row each; only what is known."""
    latest, step = curves.latest or {}, curves.last_step
    total = curves.total or facts.total
    rows: list[Row] = [("step", f"{step:,} of {total:,}" if total else f"{step:,}")]
    if facts.plan is not None:
        rows.append(("epoch", f"{facts.plan.epoch_of(step)} of {math.ceil(facts.plan.epochs)}"))
    elif "epoch" in latest:
        rows.append(("epoch", plain(latest["epoch"], 12)))
    loss, smoothed = (curves.at(field_, step) for field_ in ("loss", "smoothed"))
    if loss is not None and smoothed is not None:
        rows.append(("loss", f"{number(smoothed[1])} smoothed, {number(loss[1])} raw"))
    first, last = curves.at(PROBE, 0), curves.at(PROBE, max(step, 0))
    if first is not None and last is not None:
        begun = f", {number(first[1])} at step {first[0]:,}" if first[0] != last[0] else f" at step {last[0]:,}"
        rows.append(("probe", number(last[1]) + begun))
    rate = curves.at("lr", step)
    if rate is not None:
        rows.append(("lr", f"{rate[1]:.1e}"))
    if standing.alive and not standing.state.paused and "it_s" in latest:
        rows.append(("pace", pace(latest["it_s"])))
    left = curves.pace.seconds_left
    if standing.alive and standing.state.name == "running" and left is not None:
        rows.append(("left", duration(left)))
    if curves.seconds >= 1:
        rows.append(("time", duration(curves.seconds)))
    memory = parse_number(latest.get("memory"))
    if memory:
        rows.append(("memory", f"{memory / 2**30:.2f} GiB"))
    if curves.started.get("device"):
        rows.append(("device", plain(curves.started["device"], 80)))
    return rows + _made_from(facts)


def _made_from(facts: Facts) -> list[Row]:
    settings = facts.settings
    if settings is None:
        return [("record", plain(facts.problem, 400))] if facts.problem else []
    rows = [
        ("base", plain(facts.base, 80)),
        ("LoRA", f"rank {settings.lora.rank}, alpha {settings.lora.effective_alpha:g}"),
        ("seed", str(settings.train.seed)),
    ]
    if facts.plan is not None:
        rows.append(("steps", facts.plan.arithmetic))
    rows.append(("parent", plain(facts.parent, 80)) if facts.parent else ("run", plain(facts.run.id, 80)))
    if facts.change:
        rows.append(("changed", facts.change))
    if settings.question:
        rows.append(("question", plain(settings.question, 300)))
    return rows
