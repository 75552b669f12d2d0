"""How long a run would take on this machine, and how much disk: told from what runs here took, and from nothing else.

A run of the same kind is taken as it is; one of another batch or picture size is scaled, and the words say so. Without
any there is no estimate. What runs took is measured.py's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from loratui.lab.project.measured import Job, Measured, kind_of_job, picture_work
from loratui.lab.project.plan import Plan
from loratui.lab.project.prompts import ResolvedPrompt
from loratui.lab.project.settings import Settings

NOTHING_KNOWN = "no run here yet: the first one will tell"
_AGREEING = 3  # newest runs of one kind whose median counts
_OTHERWISE = ("another precision", "other targets", "the text encoder otherwise", "another optimizer",
              "gradient checkpointing otherwise")  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """`seconds` of the whole run, the bytes it leaves (0: not known), and what that is told from."""

    seconds: float
    step: float
    bytes: int
    basis: str
    is_exact: bool

    @property
    def words(self) -> str:
        """`about 1 min 40 s here`."""
        return f"{'about' if self.is_exact else 'roughly'} {time_words(self.seconds)} here"


def job_of(settings: Settings, plan: Plan, model: str, prompts: Sequence[ResolvedPrompt], resolution: int) -> Job:
    """The job that these settings make. A prompt without a size is drawn at `resolution`."""
    images = sum(count for _, count in plan.bucket_images)
    pixels = sum(width * height * count for (width, height), count in plan.bucket_images) / max(1, images)
    works = [picture_work(prompt, steps, resolution) for prompt in prompts for steps in prompt.inference_steps]
    cells = sum(len(prompt.seeds) * len(prompt.inference_steps) for prompt in prompts) * len(settings.sample.scales)
    probe_every = settings.train.probe_every
    return kind_of_job(
        settings,
        model,
        pixels,
        steps=plan.total_steps,
        saves=len(plan.checkpoint_steps),
        probes=(plan.total_steps - 1) // probe_every + 2 if probe_every else 0,
        pictures=cells * len(plan.sample_steps),
        picture_work=sum(works) / len(works) if works else 0.0,
    )


def estimate(job: Job, known: Sequence[Measured]) -> Estimate | None:
    """How long the job takes and what it leaves on disk, by runs of its kind, else the most alike; or None."""
    alike = [one for one in known if one.job.model == job.model and _same_device(job, one)]
    if not alike:
        return None
    exact = [
        one for one in alike if one.job.kind == job.kind and math.isclose(_load(one.job), _load(job), rel_tol=0.02)
    ]
    if exact:
        chosen = exact[:_AGREEING]
        basis = "from " + ("the last run" if len(chosen) == 1 else f"the last {len(chosen)} runs") + " of this kind"
    else:
        chosen = [min(alike, key=lambda one: (one.job.kind != job.kind, abs(math.log(_load(one.job) / _load(job)))))]
        basis = f"scaled from a run with {_unlike(chosen[0].job, job)}"
    ratio = 1.0 if exact else _load(job) / _load(chosen[0].job)
    step = median(one.step for one in chosen) * ratio
    newest = chosen[0]
    drawn = max((one for one in alike), key=lambda one: (one.picture > 0, one in chosen))
    picture = drawn.picture * (job.picture_work / drawn.job.picture_work if drawn.job.picture_work else 1.0)
    seconds = (
        newest.start + job.steps * step + job.probes * newest.probe * ratio + job.saves * newest.save
        + job.pictures * picture
    )  # fmt: skip
    return Estimate(seconds, step, _bytes(job, alike), basis, bool(exact))


def time_words(seconds: float) -> str:
    """`8 s`, `1 min 40 s`, `2 h 5 min`, `3 days 4 h`: two units, as exact as an estimate is."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        whole = 5 * round(whole / 5)
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        minutes = 5 * round(minutes / 5)
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(minutes / 60)
    return f"{hours // 24:,} days" + (f" {hours % 24} h" if hours % 24 else "")


def size_words(count: float) -> str:
    """`740 kB`, `21 MB`, `1.4 GB`: as disks are sold, in thousands."""
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            break
    return f"{count:.1f} {unit}" if count < 10 else f"{count:,.0f} {unit}"


# --- what makes runs alike --------------------------------------------------------------------------------------------


def _load(job: Job) -> float:
    return max(1.0, job.batch * job.pixels)


def _unlike(theirs: Job, ours: Job) -> str:
    """What is different there, in words."""
    said = []
    if theirs.batch != ours.batch:
        said.append(f"{theirs.batch} image{'s' * (theirs.batch != 1)} a step")
    if not math.isclose(theirs.pixels, ours.pixels, rel_tol=0.02):
        side = round(math.sqrt(theirs.pixels))
        said.append(f"pictures of {side}×{side}")
    said += [words for words, a, b in zip(_OTHERWISE, theirs.kind, ours.kind, strict=True) if a != b]
    return " and ".join(said[:3])


def _same_device(job: Job, one: Measured) -> bool:
    if job.device == one.job.device:
        return True
    kind = "cpu" if one.device.startswith("CPU") else "mps" if one.device == "mps" else "cuda" if one.device else ""
    return job.device == kind and kind in ("cpu", "mps")


def _bytes(job: Job, alike: Sequence[Measured]) -> int:
    """Checkpoints, the two states that are kept, and pictures; 0 when no run has saved with these targets."""
    saved = [one for one in alike if one.checkpoint_bytes and one.job.kind[1:3] == job.kind[1:3]]
    if not saved:
        return 0
    nearest = min(saved, key=lambda one: abs(one.job.rank - job.rank))
    ratio = job.rank / nearest.job.rank
    drawn = next((one.picture_bytes for one in alike if one.picture_bytes), 0.0)
    states = min(2, job.saves + 1) * nearest.state_bytes
    return round(ratio * (job.saves * nearest.checkpoint_bytes + states) + job.pictures * drawn)
