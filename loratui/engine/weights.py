"""How much a LoRA changed each layer of its base model, read off the checkpoint files: no model is loaded.

Everything speaks of ΔW = (alpha / rank) · up · down: `up` and `down` alone mean nothing, since up / 10 with
down · 10 is the same LoRA. ΔW is never formed: its singular values are those of a rank x rank matrix left over by two
thin QR decompositions, and the inner product of two of them comes from two small Gram matrices. All in float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from loratui.engine.export import LoraPair, kohya_name, load_pairs
from loratui.lab.errors import LabError
from loratui.lab.models import model_hash
from loratui.lab.notes.comparison import compare
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.run.asking import checkpoint_steps, known_steps
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.alike import Alike
from loratui.lab.weights.layers import block_order, blocks_of, kind_of
from loratui.lab.weights.weights import Cosine, ModuleFacts, RunWeights, read_weights, write_weights

ENERGY = 0.9  # rank90: the share of ‖ΔW‖² that so many directions hold
_PARTS = ("unet", "text_encoder")


# -- one layer ----------------------------------------------------------------------------------------------------


def singular_values(pair: LoraPair) -> torch.Tensor | None:
    """All of ΔW that can differ from zero, from the greatest on, float64; None where a number is not finite.

    up = Q R and downᵀ = P S, so ΔW = scale · Q (R Sᵀ) Pᵀ with orthonormal Q and P: the small matrix in the middle
    has the same singular values.
    """
    up, down = _matrices(pair)
    if not (math.isfinite(pair.alpha) and up.isfinite().all() and down.isfinite().all()):
        return None
    inner = torch.linalg.qr(up).R @ torch.linalg.qr(down.T).R.T
    return torch.linalg.svdvals(inner) * abs(pair.alpha / pair.rank)


def inner_product(a: LoraPair, b: LoraPair) -> float:
    """Σ ΔWa ∘ ΔWb = s_a s_b Σ (upaᵀ upb) ∘ (downa downbᵀ); the two may have different ranks."""
    (up_a, down_a), (up_b, down_b) = _matrices(a), _matrices(b)
    gram = ((up_a.T @ up_b) * (down_a @ down_b.T)).sum().item()
    return gram * (a.alpha / a.rank) * (b.alpha / b.rank)


def describe_layer(name: str, block: str, pair: LoraPair, base: float | None) -> ModuleFacts:
    """`base`: ‖W‖ of the base model's layer, where it is known."""
    values = singular_values(pair)
    if values is None:
        return ModuleFacts(name, block, kind_of(name), pair.rank, None, base, None, None, None, None)
    squares = values.square()
    total, spectral = squares.sum().item(), values[0].item()
    if total == 0 or spectral == 0:
        return ModuleFacts(name, block, kind_of(name), pair.rank, 0.0, base, 0.0, None, None, None)
    shares = values / values.sum()
    entropy = -torch.special.xlogy(shares, shares).sum().item()
    # A hair below: 0.9 of ten equal directions is nine of them, whatever the last bit says.
    rank90 = int((squares.cumsum(0) < ENERGY * total * (1 - 1e-12)).sum().item()) + 1
    return ModuleFacts(name, block, kind_of(name), pair.rank, math.sqrt(total), base, spectral,
                       total / spectral**2, math.exp(entropy), rank90)  # fmt: skip


def _matrices(pair: LoraPair) -> tuple[torch.Tensor, torch.Tensor]:
    """up (out, rank) and down (rank, everything else), float64. A convolution's kernel lies in down."""
    return pair.up.flatten(1).double(), pair.down.flatten(1).double()


# -- one run ------------------------------------------------------------------------------------------------------


def checkpoint_of(run: RunFolder, step: int | None) -> tuple[int, Path]:
    """The LoRA file of a step, or the last one. LabError names those that there are."""
    known_steps(run, () if step is None else (step,))
    chosen = checkpoint_steps(run)[-1] if step is None else step
    return chosen, run.checkpoint_file(chosen)


def analyse(run: RunFolder, steps: Sequence[int] | None = None, progress: Progress = quiet) -> RunWeights:
    """Look at the checkpoints of `steps`, of None at all, and write weights.json; what it holds already is kept.

    A file that cannot be read is told in `problems`; LabError when no file can be, or a step has none.
    """
    chosen = known_steps(run, checkpoint_steps(run) if steps is None else steps)
    record = read_record(run)
    old = _kept(run, record)
    facts, shas = dict(old.steps), dict(old.shas)
    problems: list[str] = []
    bases: dict[str, float | None] = {one.name: one.base for some in old.steps.values() for one in some}
    for done, step in enumerate(chosen):
        progress(done, len(chosen))
        try:
            pairs, sha = load_pairs(run.checkpoint_file(step))
        except LabError as error:
            problems.append(plain(error, 300))
            facts.pop(step, None)
            continue
        if shas.get(step) == sha and step in facts and all(one.base is not None for one in facts[step]):
            continue
        if any(bases.get(name) is None for name in pairs):
            found, problem = base_norms(record, pairs)
            bases |= found
            problems += [problem] * (problem != "" and problem not in problems)
        blocks = blocks_of(pairs)
        names = sorted(pairs, key=lambda name: (block_order(blocks[name]), name))
        facts[step] = tuple(describe_layer(name, blocks[name], pairs[name], bases.get(name)) for name in names)
        shas[step] = sha
    progress(len(chosen), len(chosen))
    if not facts:
        raise LabError("\n".join(problems))
    shas = {step: shas[step] for step in facts}
    made = replace(
        old,
        steps=facts,
        shas=shas,
        # What was found of a LoRA that is not there any more goes with it.
        cosines=tuple(one for one in old.cosines if shas.get(one.step_of(run.id)) == one.sha_of(run.id)),
        tokens=old.tokens if old.tokens and shas.get(old.tokens.step) == old.tokens.sha else None,
        problems=tuple(problems),
    )
    write_weights(run, made)
    return made


def _kept(run: RunFolder, record: Record) -> RunWeights:
    """What was found out before. A file that is damaged, or of another base model, counts for nothing."""
    fresh = RunWeights(run.id, record.base_hash, {}, {})
    try:
        old = read_weights(run)
    except LabError:
        return fresh
    return replace(old, run=run.id) if old is not None and old.base == record.base_hash else fresh


def base_norms(record: Record, names: Iterable[str]) -> tuple[dict[str, float], str]:
    """‖W‖ of the base model's layers by kohya name, and words about what could not be had."""
    wanted = set(names)
    found: dict[str, float] = {}
    try:
        if not record.model.path.is_dir():
            raise LabError("there is no such folder any more")
        now = model_hash(record.model)
        if any(now[part] != record.hashes.get(part) for part in _PARTS):
            raise LabError("it is not the model any more that the run was trained on")
        for part in _PARTS:
            for file in record.model.weight_files(part):
                with safe_open(file, framework="pt") as tensors:
                    for key in tensors.keys():  # noqa: SIM118  # it is no mapping
                        name = kohya_name(f"{part}.{key.removesuffix('.weight')}")
                        if key.endswith(".weight") and name in wanted:
                            tensor = tensors.get_tensor(key)
                            found[name] = torch.linalg.vector_norm(tensor, dtype=torch.float64).item()
    except (LabError, OSError, SafetensorError) as error:
        return {}, f"{plain(record.model.path)}: {plain(error, 200)}; sizes are not set beside the base model's"
    missing = wanted - found.keys()
    return found, f"{len(missing)} layers are not in the base model ({_some(sorted(missing))})" if missing else ""


def _some(items: Iterable[object]) -> str:
    words = [str(item) for item in items]
    return ", ".join(words[:12]) + (", …" if len(words) > 12 else "")


# -- two runs and more --------------------------------------------------------------------------------------------


def cosine(a: RunFolder, b: RunFolder, step_a: int | None = None, step_b: int | None = None) -> Cosine:
    """The cosine of ΔW of two runs' checkpoints (None: the last), overall and by block.

    LabError where it would mean nothing: another base model, or other layers.
    """
    one, two = _Lora(a, step_a), _Lora(b, step_b)
    return _cosine(one, two)


def cosines(runs: Sequence[RunFolder], step: int | None = None, progress: Progress = quiet) -> Alike:
    """Every pair of the runs, at the same step of each or at the last; pairs that cannot be compared say why.

    The cosines are also kept in the runs' weights.json, where `analyse` made one.
    """
    sides = [_Lora(run, step) for run in runs]
    found: dict[tuple[int, int], Cosine] = {}
    refused: dict[tuple[int, int], str] = {}
    pairs = list(itertools.combinations(range(len(sides)), 2))
    for done, (i, j) in enumerate(pairs):
        progress(done, len(pairs))
        try:
            found[i, j] = _cosine(sides[i], sides[j])
        except LabError as error:
            refused[i, j] = plain(error, 300)
    progress(len(pairs), len(pairs))
    for side in sides:
        _keep(side.run, [one for one in found.values() if side.run.id in (one.a, one.b)])
    return Alike(tuple(run.id for run in runs), found, refused)


class _Lora:
    """A checkpoint as it is compared."""

    def __init__(self, run: RunFolder, step: int | None) -> None:
        self.run, self.record = run, read_record(run)
        self.step, file = checkpoint_of(run, step)
        self.pairs, self.sha = load_pairs(file)

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(out, everything else) of each layer, whatever the rank."""
        return {name: (pair.up.shape[0], pair.down[0].numel()) for name, pair in self.pairs.items()}


def _cosine(a: _Lora, b: _Lora) -> Cosine:
    for part in _PARTS:
        if a.record.hashes.get(part) != b.record.hashes.get(part):
            raise LabError(
                f"{a.run.id} and {b.run.id} change different base models ({plain(a.record.base_name)} and "
                f"{plain(b.record.base_name)}; the {part.replace('_', ' ')} differs): their changes cannot be compared"
            )
    if a.shapes != b.shapes:
        only = [f"{len(x.pairs.keys() - y.pairs.keys())} only in {x.run.id}" for x, y in ((a, b), (b, a))]
        raise LabError(
            f"{a.run.id} and {b.run.id} change different layers ({', '.join(only)}): their changes cannot be compared; "
            "lora.targets and lora.text_encoder must be the same"
        )
    blocks = blocks_of(a.pairs)
    sums: dict[str, list[float]] = {block: [0.0, 0.0, 0.0] for block in ("", *blocks.values())}
    for name, block in blocks.items():
        one, two = a.pairs[name], b.pairs[name]
        for i, value in enumerate((inner_product(one, two), inner_product(one, one), inner_product(two, two))):
            sums[""][i] += value
            sums[block][i] += value
    overall, by_block = _angle(sums.pop("")), {block: _angle(parts) for block, parts in sums.items()}
    seeds = [side.record.settings.train.seed for side in (a, b)]
    return Cosine(
        a=a.run.id,
        b=b.run.id,
        step_a=a.step,
        step_b=b.step,
        overall=overall,
        blocks=by_block,
        repeat=a.step == b.step and is_repeat(a.run, b.run),
        same_seed=seeds[0] == seeds[1],
        sha_a=a.sha,
        sha_b=b.sha,
    )


def _angle(sums: Sequence[float]) -> float | None:
    inner, one, two = sums
    size = math.sqrt(max(one, 0.0)) * math.sqrt(max(two, 0.0)) if math.isfinite(one) and math.isfinite(two) else 0.0
    return max(-1.0, min(1.0, inner / size)) if size and math.isfinite(inner) else None


def is_repeat(a: RunFolder, b: RunFolder) -> bool:
    """Whether two runs differ in their training seed alone."""
    return compare((a, b)).factors == ("train.seed",)


def _keep(run: RunFolder, made: Sequence[Cosine]) -> None:
    """Into weights.json, where there is a sound one."""
    try:
        old = read_weights(run)
    except LabError:
        return
    if old is None:
        return
    pairs: Mapping[tuple[str, str, int, int], Cosine] = {
        (one.a, one.b, one.step_a, one.step_b): one for one in (*old.cosines, *made)
    }
    write_weights(run, replace(old, cosines=tuple(pairs.values())))
