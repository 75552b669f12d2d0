"""Which files may be damaged, how often each is, and which verbs read it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.campaign.ground import PROJECT


@dataclass(frozen=True)
class Target:
    """Files by a pattern below the place, with A and B for runs; its share, and the verbs, those that matter twice."""

    pattern: str
    weight: float
    verbs: str
    exact: bool = False  # whatever a run that goes on makes of it must be what it would have been, or be said


_RECORD = """status status-json findings findings-json report compare compare-json measure attach from sample weights
drift attribute reproduce variants verify"""
_UNFINISHED = "resume resume resume resume-project status attach-b compare-b measure-b findings report verify-b"
_GOES_ON = "resume resume resume-project verify-b"

TARGETS = (
    Target(f"{PROJECT}/project.toml", 8, "check plan dry variants reproduce status findings report resume from"),
    Target("A/run.toml", 4, _RECORD),
    Target("B/run.toml", 3, _UNFINISHED, exact=True),
    Target("A/captions.toml", 4, _RECORD),
    Target("B/captions.toml", 3, _UNFINISHED, exact=True),
    Target("A/observations.toml", 3, "note findings findings-csv report compare status"),
    Target("A/events.jsonl", 4, f"{_RECORD} stop"),
    Target("B/events.jsonl", 3, _UNFINISHED, exact=True),
    Target("A/scores.json", 4, "findings findings-json report compare measure reproduce"),
    Target("A/readings.jsonl", 4, "measure measure-json findings report attribute compare"),
    Target("A/drift.json", 2, "drift drift-all report compare findings"),
    Target("A/weights.json", 2, "weights weights-two report compare"),
    Target("A/knockout.json", 2, "knock-out report weights"),
    Target("A/attribution.json", 2, "attribute report findings compare"),
    Target("A/lock", 1, "status measure attach"),
    Target("B/lock", 1, _UNFINISHED, exact=True),
    Target("B/resume/*/progress.json", 10, f"{_GOES_ON} status", exact=True),
    Target("B/resume/*/state.pt", 12, _GOES_ON, exact=True),
    Target("B/resume/*/COMPLETE", 2, _GOES_ON, exact=True),
    Target("A/checkpoints/*.safetensors", 4, "sample sample-new drift-all weights-two knock-out compare report verify"),
    Target("B/checkpoints/*.safetensors", 2, f"{_GOES_ON} measure-b compare-b", exact=True),
    Target("A/samples/*/*.png", 3, "measure report compare findings sample verify"),
    Target("B/samples/*/*.png", 2, _UNFINISHED, exact=True),
    Target(f"{PROJECT}/dataset/*.png", 2, "check dry report compare resume from", exact=True),
    Target(f"{PROJECT}/dataset/*.txt", 3, "check dry report plan resume from note"),
    Target("model/*.json", 2, "check dry resume plan", exact=True),
    Target("model/*/*.json", 4, "check dry resume plan sample-new compare", exact=True),
    Target("model/*/*.txt", 1, "check dry resume", exact=True),
    Target("model/*/*.safetensors", 4, "dry resume resume sample-new", exact=True),
    Target("cache/latents/*/*.tensor", 3, "resume dry", exact=True),
    Target("cache/captions/*/*.tensor", 3, "resume dry sample-new", exact=True),
    Target("cache/hashes/*", 3, "check resume dry plan", exact=True),
    Target("cache/pictures/*/*.png", 1, "resume sample-new check", exact=True),
    Target("config.toml", 2, "status-home check explain"),
)
