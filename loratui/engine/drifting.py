"""How far a run's LoRA moves the denoiser's first answer, measured for a few prompts of each group.

At the first sampling step the input is all noise, so what the model answers there is what the words, and the LoRA,
make of nothing: that number is cheap and needs no picture. What it means, and how it is read, is in
`lab.scores.drifts`. Models that predict v are measured by that answer of theirs. Nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loratui.engine.later import Later, Waiting
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.cells import payload_hash
from loratui.lab.project.settings import ResolvedPrompt
from loratui.lab.run.asking import known_steps
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.drifts import EpsilonDrift, read_drift, write_drift
from loratui.lab.scores.groups import GROUPS, group_of, probe_prompts

if TYPE_CHECKING:
    import torch

OWN_PROMPTS = 12  # of the run's own, at most, beside those of the groups


def measure_drift(
    run: RunFolder,
    steps: Sequence[int],
    seeds: Sequence[int],
    progress: Progress = quiet,
    on_wait: Waiting | None = None,
) -> tuple[EpsilonDrift, ...]:
    """Measure what is not yet in drift.json, write it there checkpoint by checkpoint, and return all that is in it.

    Checkpoints, prompts and seeds that are there stay. LabError for a step without a checkpoint.
    """
    record = read_record(run)
    steps = known_steps(run, steps)
    prompts = drift_prompts(record)
    payloads = {step: payload_hash(run.checkpoint_file(step)) for step in steps}
    groups = {text: group for group, text in prompts}
    known = {
        (drift.step, drift.prompt): replace(drift, group=groups.get(drift.prompt, drift.group))
        for drift in read_drift(run) or ()
        if drift.step not in payloads or drift.payload == payloads[drift.step]
    }
    missing = {
        (step, text): [seed for seed in dict.fromkeys(seeds) if seed not in _seeds(known.get((step, text)))]
        for step in steps
        for _, text in prompts
    }
    total = sum(map(bool, missing.values()))
    if total:
        with Later(run, on_wait) as later:
            answers, done = Answers(later), 0
            for step in steps:
                later.use(step)
                try:
                    for group, text in prompts:
                        if not (new := missing[step, text]):
                            continue
                        progress(done, total)
                        old = known.get((step, text))
                        rows = sorted([*(_rows(old) if old else ()), *zip(new, answers.drift(text, new), strict=True)])
                        columns = zip(*(values for _, values in rows), strict=True)
                        known[step, text] = EpsilonDrift(
                            step, payloads[step], group, text, tuple(seed for seed, _ in rows), *map(tuple, columns)
                        )
                        done += 1
                finally:  # what was measured stays, whoever ends it
                    write_drift(run, _in_order(known.values()))
            progress(total, total)
    return tuple(_in_order(known.values()))


def drift_prompts(record: Record) -> list[tuple[str, str]]:
    """The probe prompts of the run's captions, and its own prompts, as (group, text)."""
    captions, trigger = [image.caption for image in record.images], record.settings.dataset.trigger
    found = {text: group for group, text in probe_prompts(captions, trigger)}
    for prompt in record.prompts[:OWN_PROMPTS]:
        found.setdefault(prompt.text, group_of(prompt.text, captions, trigger))
    return [(group, text) for text, group in found.items()]


class Answers:
    """The denoiser's first answers with the weights in use, and what follows from them."""

    def __init__(self, later: Later) -> None:
        self.later = later
        self._kept: dict[tuple[str, int, float | None], torch.Tensor] = {}
        self._step = later.step

    def drift(self, text: str, seeds: Sequence[int], scale: float = 1.0) -> list[tuple[float, float, float]]:
        """Of each seed: the drift, the words' pull in the base, and with the LoRA."""
        base, base_empty, lora, lora_empty = (
            self._answers(words, seeds, strength) for strength in (None, scale) for words in (text, "")
        )
        columns = (
            _size(lora - base) / _size(base),
            _size(base - base_empty) / _size(base_empty),
            _size(lora - lora_empty) / _size(lora_empty),
        )
        return [(float(a), float(b), float(c)) for a, b, c in zip(*(c.tolist() for c in columns), strict=True)]

    def _answers(self, text: str, seeds: Sequence[int], scale: float | None) -> torch.Tensor:
        """(n, channels, h, w) on the CPU; those of the base are remembered, and of this LoRA those of no words."""
        import torch

        if self._step != self.later.step:
            self._step = self.later.step
            self._kept = {key: value for key, value in self._kept.items() if key[2] is None}
        missing = [seed for seed in seeds if (text, seed, scale) not in self._kept]
        found = dict(self._kept)
        rows = self.later.sampler.rows
        for start in range(0, len(missing), rows):
            some = missing[start : start + rows]
            found |= zip(((text, seed, scale) for seed in some), self._ask(text, some, scale).cpu(), strict=True)
        if scale is None or not text:
            self._kept = found
        return torch.stack([found[text, seed, scale] for seed in seeds])

    def _ask(self, text: str, seeds: Sequence[int], scale: float | None) -> torch.Tensor:
        import torch

        from loratui.engine import noise
        from loratui.engine.adapter import strength

        family = self.later.family
        [place] = self.later.record.sized((ResolvedPrompt(),))
        h, w = place.height // family.vae_factor, place.width // family.vae_factor
        start = torch.cat([noise.picture_noise(seed, family.latent_channels, h, w) for seed in seeds])
        # Sampling starts at the last training timestep, however many steps it takes (trailing spacing).
        first = torch.full((len(seeds),), family.train_timesteps - 1, device=family.device)
        with torch.no_grad(), strength(self.later.models, scale), family.autocast():
            states = self.later.states(text).expand(len(seeds), -1, -1)
            return family.predict(start.to(family.device, family.dtype), first, states.to(family.dtype))


def _size(values: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.linalg.vector_norm(values.double().flatten(1), dim=1)


def _seeds(drift: EpsilonDrift | None) -> tuple[int, ...]:
    return drift.seeds if drift else ()


def _rows(drift: EpsilonDrift) -> list[tuple[int, tuple[float, float, float]]]:
    values = zip(drift.drift, drift.base_pull, drift.lora_pull, strict=True)
    return list(zip(drift.seeds, values, strict=True))


def _in_order(drifts: Iterable[EpsilonDrift]) -> list[EpsilonDrift]:
    place = {group: index for index, group in enumerate(GROUPS)}
    return sorted(drifts, key=lambda drift: (drift.step, place.get(drift.group, len(place))))
