"""Where in a Stable Diffusion 1.x a LoRA layer sits, told from its kohya name alone: its block and its kind.

Blocks are called as where people weigh LoRAs by blocks (IN01 … MID … OUT11), and counted as the original model's
files count them, so that for SD 1.x they are the well-known ones; a smaller model simply has fewer. Only the text
encoder, elsewhere called BASE, is TEXT here: the base model is something else in this house.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT, MID, OTHER = "TEXT", "MID", "other"
_IN_OUT = re.compile(r"lora_unet_(down|up)_blocks_(\d+)_(resnets|attentions|downsamplers|upsamplers)_(\d+)_")
_PATTERNS = (  # the first that is found in the name
    (re.compile(r"lora_te\d?_.*_self_attn_(q|k|v|out)_proj$"), "text encoder {}"),
    (re.compile(r"lora_te\d?_.*_mlp_fc\d$"), "text encoder ff"),
    (re.compile(r"_attn1_to_(q|k|v|out)(?:_0)?$"), "self-attention {}"),
    (re.compile(r"_attn2_to_(q|k|v|out)(?:_0)?$"), "cross-attention {}"),
    (re.compile(r"_ff_net_"), "feed-forward"),
    (re.compile(r"_proj_(?:in|out)$"), "projection"),
    (re.compile(r"_time_emb_proj$"), "time"),
    (re.compile(r"_conv(?:\d|_in|_out|_shortcut)?$"), "convolution"),
)
KINDS = (
    *(f"{where} {letter}" for where in ("cross-attention", "self-attention") for letter in ("q", "k", "v", "out")),
    "feed-forward", "projection", "time", "convolution",
    *(f"text encoder {letter}" for letter in ("q", "k", "v", "out", "ff")), OTHER,
)  # fmt: skip
KEYS_AND_VALUES = ("cross-attention k", "cross-attention v")


def kind_of(name: str) -> str:
    """What a layer does, such as "cross-attention k" of `lora_unet_…_attn2_to_k`."""
    for pattern, kind in _PATTERNS:
        if found := pattern.search(name):
            return kind.format(*(found.groups() or ("",)))
    return OTHER


def blocks_of(names: Iterable[str]) -> dict[str, str]:
    """The block of each layer.

    A block of the UNet is one residual layer with its attention. How many there are between two changes of size is
    read off the names: attention or residual layers of the upper half are numbered from 0 to it.
    """
    names = list(names)
    found = {name: _IN_OUT.match(name) for name in names}
    upper = [int(m[4]) for m in found.values() if m and m[1] == "up" and m[3] in ("resnets", "attentions")]
    lower = [int(m[4]) + 1 for m in found.values() if m and m[1] == "down" and m[3] in ("resnets", "attentions")]
    layers = max(upper or lower or [2])
    return {name: _block(name, match, max(layers, 1)) for name, match in found.items()}


def _block(name: str, match: re.Match[str] | None, layers: int) -> str:
    if name.startswith("lora_te"):
        return TEXT
    if match is None:
        return MID if name.startswith("lora_unet_mid_block_") else OTHER
    group, within = int(match[2]), int(match[4])
    if match[1] == "down":  # IN00 is the first convolution; each group ends with one that halves the size
        place = layers if match[3] == "downsamplers" else within
        return f"IN{1 + group * (layers + 1) + place:02d}"
    place = layers if match[3] == "upsamplers" else within
    return f"OUT{group * (layers + 1) + place:02d}"


def block_order(block: str) -> tuple[int, str]:
    """Sorts blocks in the order in which a picture goes through them."""
    heads = (TEXT, "IN", MID, "OUT")
    return next((i for i, head in enumerate(heads) if block.startswith(head)), len(heads)), block


def kind_order(kind: str) -> int:
    """Sorts kinds of layers: attention first, then what is around it."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)
