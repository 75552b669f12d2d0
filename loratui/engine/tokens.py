"""The tokens that a LoRA on the text encoder moved most: each of the vocabulary alone, without the LoRA and with it.

After kohya's lora_interrogator. A token's states are those at its own place and at the end token behind it, where
most of a caption is gathered. The encoder is causal, so nothing behind the end changes them, and three places are
computed instead of 77. Here the LoRA is added to the weights: no picture is drawn, so no last bit matters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from loratui.engine.export import LoraPair, kohya_name, load_pairs
from loratui.engine.families import load_family
from loratui.engine.families.family import Family
from loratui.engine.machine import pick_device, quieten
from loratui.engine.weights import analyse, checkpoint_of
from loratui.lab.dataset.tokens import Tokenizer, readable
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.run.lock import device_name, device_turn
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.weights import MovedTokens, RunWeights, TokenMove, write_weights

MOST = 100
BATCH = 512
Waiting = Callable[[int, str], None]  # how many are ahead, and who has the device


def moved_tokens(
    run: RunFolder,
    step: int | None = None,
    limit: int | None = None,
    progress: Progress = quiet,
    on_wait: Waiting | None = None,
) -> RunWeights:
    """Find the tokens that moved most at a checkpoint (None: the last), and keep them in weights.json.

    limit: only the first so many of the vocabulary, its commonest pieces, besides the tokens of the captions. What
    is known of the very same LoRA and as many tokens is not computed again. LabError where the text encoder was not
    trained, or its LoRA is not finite.
    """
    record = read_record(run)
    if not record.settings.lora.text_encoder:
        raise LabError(f"{run.record_file}: lora.text_encoder is false in this run, so that no token has moved")
    step, file = checkpoint_of(run, step)
    weights = analyse(run, [step])
    if not record.model.path.is_dir():
        raise LabError(f"{plain(record.model.path)}: the base model is gone, so its tokens cannot be looked at")
    tokenizer = Tokenizer.load(record.model.path / "tokenizer")
    ids = wanted_ids(tokenizer, record, limit)
    if weights.tokens and weights.tokens.step == step and weights.tokens.of >= len(ids):
        return weights
    pairs, sha = load_pairs(file)
    began = time.monotonic()
    quieten()
    with _device(record, run, on_wait) as device:
        family = load_family(record, device, torch.float32)
        before = encode_alone(family, ids, lambda done, _: progress(done, 2 * len(ids)))
        add_lora(family.text_encoder, pairs)
        after = encode_alone(family, ids, lambda done, _: progress(len(ids) + done, 2 * len(ids)))
    if not after.isfinite().all():
        raise LabError(f"{file}: the LoRA of the text encoder holds numbers that are not finite")
    spoken = {token for image in record.images for token in tokenizer.ids(image.caption)}
    found = replace(compare_tokens(tokenizer, ids, before, after, spoken), step=step, sha=sha,
                    seconds=round(time.monotonic() - began, 2))  # fmt: skip
    made = replace(weights, tokens=found)
    write_weights(run, made)
    return made


def wanted_ids(tokenizer: Tokenizer, record: Record, limit: int | None = None) -> list[int]:
    """The vocabulary, or the first `limit` of it and the tokens of the captions; without the start and end tokens."""
    marks = {token for name in ("<|startoftext|>", "<|endoftext|>") for token in tokenizer.ids(name)}
    size = tokenizer.backend.get_vocab_size()
    ids = set(range(size if limit is None else min(limit, size)))
    return sorted(ids.union(*(tokenizer.ids(image.caption) for image in record.images)) - marks)


@torch.no_grad()
def encode_alone(family: Family, ids: Sequence[int], progress: Progress = quiet) -> torch.Tensor:
    """(n, 2 * width): the states of each token alone, at its own place and at the end behind it. float32, CPU."""
    start, end = family.token_ids([""])[0, :2].tolist()
    rows = torch.tensor([[start, token, end] for token in ids], device=family.device)
    states: list[torch.Tensor] = []
    for done, batch in enumerate(rows.split(BATCH)):
        progress(done * BATCH, len(rows))
        states.append(family.encode_tokens(batch)[:, 1:].flatten(1).float().cpu())
    progress(len(rows), len(rows))
    return torch.cat(states)


@torch.no_grad()
def add_lora(encoder: nn.Module, pairs: Mapping[str, LoraPair]) -> None:
    """W += (alpha / rank) · up · down, in place, for the layers that `pairs` (by kohya name) has."""
    for path, module in encoder.named_modules():
        pair = pairs.get(kohya_name(f"text_encoder.{path}"))
        weight = getattr(module, "weight", None)
        if pair is not None and isinstance(weight, torch.Tensor):
            change = pair.up.flatten(1) @ pair.down.flatten(1) * (pair.alpha / pair.rank)
            weight += change.view_as(weight).to(weight)


def compare_tokens(
    tokenizer: Tokenizer, ids: Sequence[int], before: torch.Tensor, after: torch.Tensor, spoken: set[int]
) -> MovedTokens:
    """Sorted by cosine distance; `spoken` are told in any case."""
    one, two = before.double(), after.double()
    distances = 1 - torch.nn.functional.cosine_similarity(one, two, dim=1)
    relative = (two - one).norm(dim=1) / one.norm(dim=1)
    order = distances.argsort(descending=True, stable=True).tolist()
    moves = [
        TokenMove(ids[row], readable(tokenizer.backend.id_to_token(ids[row]) or ""), max(0.0, distances[row].item()),
                  relative[row].item(), place)
        for place, row in enumerate(order, 1)
        if place <= MOST or ids[row] in spoken
    ]  # fmt: skip
    return MovedTokens(
        step=0,
        sha="",
        of=len(ids),
        seconds=0.0,
        median_distance=max(0.0, distances.median().item()),
        median_relative=relative.median().item(),
        most=tuple(moves[:MOST]),
        trained=tuple(move for move in moves if move.id in spoken),
    )


@contextmanager
def _device(record: Record, run: RunFolder, on_wait: Waiting | None) -> Iterator[torch.device]:
    """The run's device, in turn where it is a GPU. On a CPU this is a matter of seconds, and waits for nobody."""
    device = pick_device(record.settings.train.device)
    if device.type == "cpu":
        yield device
        return
    name = device_name(record.settings.train.device)
    with device_turn(name, on_wait=on_wait, label=f"tokens of {run.id}", run=run.path.absolute()):
        yield device
