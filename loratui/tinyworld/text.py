"""Trains the text encoder first and alone: to say a scene's facts from the states at and after the end token.

Stable Diffusion's CLIP comes to the UNet already knowing what words mean; so does this one, and it stays frozen
from then on. Trained together with the UNet from scratch, the two take far longer to bind colours to words.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from loratui.tinyworld import anatomy
from loratui.tinyworld.progress import generator
from loratui.tinyworld.scenes import FACTS, captioned, random_scene

BATCH = 96
ORDINARY = 49406  # ids below this are words; the two above begin and end a caption


class Reader(nn.Module):
    """The text encoder and one linear head a fact. The last class of each head means: not said."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = anatomy.text_encoder()
        self.heads = nn.ModuleDict({k: nn.Linear(anatomy.WIDTH, len(v) + 1) for k, v in FACTS.items()})

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """ids (batch, 77) -> per fact the logits (2 * batch, values + 1): read at the end token and at a late pad."""
        states = self.encoder(input_ids=ids).last_hidden_state
        end = ids.argmax(dim=-1)
        late = torch.clamp(end + 1 + (end * 7) % 20, max=anatomy.CONTEXT - 1)
        rows = torch.arange(len(ids), device=ids.device)
        read = torch.cat([states[rows, end], states[rows, late]])
        return {k: head(read) for k, head in self.heads.items()}


def tokenise(tokenizer: CLIPTokenizer, texts: list[str], rng: np.random.Generator) -> torch.Tensor:
    """Captions to ids (n, 77). One in eight meets a stranger: a token from anywhere in the vocabulary, put anywhere.

    So the model learns to pass over words it does not know, which is what an untrained trigger is.
    """
    rows = []
    for ids in tokenizer(texts, truncation=True, max_length=anatomy.CONTEXT).input_ids:
        if rng.random() < 0.125 and len(ids) < anatomy.CONTEXT - 2:
            for stranger in rng.integers(0, ORDINARY, size=int(rng.integers(1, 3))):
                ids.insert(int(rng.integers(1, len(ids))), int(stranger))
        rows.append(ids + [ORDINARY + 1] * (anatomy.CONTEXT - len(ids)))
    return torch.tensor(rows)


def batch_at(
    tokenizer: CLIPTokenizer, seed: int, step: int, size: int = BATCH
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Ids (size, 77) and, per fact, the class each caption states (size,); a pure function of (seed, step)."""
    rng = np.random.Generator(np.random.Philox(key=[seed + 101, step]))
    said = [captioned(random_scene(rng), rng) for _ in range(size)]
    ids = tokenise(tokenizer, [c.text for c in said], rng)
    classes = {
        k: torch.tensor([values.index(c.stated[k]) if k in c.stated else len(values) for c in said])
        for k, values in FACTS.items()
    }
    return ids, classes


def losses(reader: Reader, ids: torch.Tensor, classes: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    logits = reader(ids)
    right = [(logits[k].argmax(-1) == classes[k].repeat(2)).float().mean() for k in classes]
    loss = torch.stack([F.cross_entropy(logits[k].float(), classes[k].repeat(2)) for k in classes]).mean()
    return {"loss": loss, "right": torch.stack(right).mean(), "least": torch.stack(right).min()}


def encode(encoder: CLIPTextModel, ids: torch.Tensor) -> torch.Tensor:
    """(n, 77) ids to (n, 77, width) states, without gradients."""
    with torch.no_grad():
        return encoder(input_ids=ids).last_hidden_state


def fresh(seed: int) -> Reader:
    torch.manual_seed(generator(seed, 0, stream=1).initial_seed() % 2**31)
    return Reader()
