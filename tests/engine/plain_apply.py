"""A second opinion on exported LoRA files, written from the format's rules alone: json, struct and plain torch.

Nothing here may import loratui, peft, or the LoRA loaders of diffusers, so that agreement means something. It does
what ComfyUI and A1111 do with a file: read it, find each module's weight by its kohya name, add the product; and it
knows the names that A1111 and ComfyUI give a UNet's modules (those of the original latent diffusion code).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path

import torch

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata: eight bytes of header length, the JSON header, then the tensors' bytes."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    payload = data[8 + size :]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(payload[begin:end]), dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def apply_lora(
    lora: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], prefix: str, strength: float = 1.0
) -> tuple[dict[str, torch.Tensor], set[str]]:
    """`weights` with W += strength · alpha/rank · up @ down, and the LoRA modules that found their weight.

    prefix: "lora_unet_" or "lora_te_". The weights' names are those of a model's file.
    """
    targets = {prefix + name.removesuffix(".weight").replace(".", "_"): name for name in weights}
    changed, used = dict(weights), set()
    for key, down in lora.items():
        module = key.removesuffix(".lora_down.weight")
        if module == key or module not in targets:
            continue
        up, weight = lora[f"{module}.lora_up.weight"], weights[targets[module]]
        rank = down.shape[0]
        alpha = lora[f"{module}.alpha"].item() if f"{module}.alpha" in lora else rank
        delta = up.float().reshape(-1, rank) @ down.float().reshape(rank, -1)
        changed[targets[module]] = weight + strength * alpha / rank * delta.reshape(weight.shape)
        used.add(module)
    return changed, used


# Names: the diffusers UNet's, and the original code's that A1111 and ComfyUI use inside

RESNET_PARTS = {
    "conv1": "in_layers_2",
    "conv2": "out_layers_3",
    "time_emb_proj": "emb_layers_1",
    "conv_shortcut": "skip_connection",
}


def original_name(kohya: str) -> str:
    """The original code's name of a Stable Diffusion 1.x UNet module, dots as underscores; "" when no rule fits."""
    name = kohya.removeprefix("lora_unet_")
    if match := re.fullmatch(r"down_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", name):
        i, kind, j, rest = match.groups()
        return _inside(f"input_blocks_{1 + 3 * int(i) + int(j)}_{int(kind == 'attentions')}", kind, rest)
    if match := re.fullmatch(r"down_blocks_(\d+)_downsamplers_0_conv", name):
        return f"input_blocks_{3 + 3 * int(match[1])}_0_op"
    if match := re.fullmatch(r"mid_block_(attentions|resnets)_(\d+)_(.+)", name):
        kind, j, rest = match.groups()
        return _inside(f"middle_block_{1 if kind == 'attentions' else 2 * int(j)}", kind, rest)
    if match := re.fullmatch(r"up_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", name):
        i, kind, j, rest = match.groups()
        return _inside(f"output_blocks_{3 * int(i) + int(j)}_{int(kind == 'attentions')}", kind, rest)
    if match := re.fullmatch(r"up_blocks_(\d+)_upsamplers_0_conv", name):
        i = int(match[1])
        return f"output_blocks_{2 + 3 * i}_{2 if i > 0 else 1}_conv"
    return ""


def _inside(block: str, kind: str, rest: str) -> str:
    if kind == "attentions":
        return f"{block}_{rest}"
    return f"{block}_{RESNET_PARTS[rest]}" if rest in RESNET_PARTS else ""


Shape = tuple[int, ...]


def original_unet(channels: int = 320, context: int = 768) -> dict[str, Shape]:
    """Every module of the original Stable Diffusion 1.x UNet that a LoRA may adapt, and its weight's shape.

    Built as the original constructor builds it (multipliers 1 2 4 4, two residual blocks a level, attention on the
    first three levels), not from anything of diffusers.
    """
    shapes: dict[str, Shape] = {}

    def residual(block: str, inside: int, outside: int) -> None:
        shapes[f"{block}_in_layers_2"] = (outside, inside, 3, 3)
        shapes[f"{block}_emb_layers_1"] = (outside, 4 * channels)
        shapes[f"{block}_out_layers_3"] = (outside, outside, 3, 3)
        if inside != outside:
            shapes[f"{block}_skip_connection"] = (outside, inside, 1, 1)

    def transformer(block: str, width: int) -> None:
        shapes[f"{block}_proj_in"] = shapes[f"{block}_proj_out"] = (width, width, 1, 1)
        inner = f"{block}_transformer_blocks_0"
        for attention, source in (("attn1", width), ("attn2", context)):
            shapes[f"{inner}_{attention}_to_q"] = shapes[f"{inner}_{attention}_to_out_0"] = (width, width)
            shapes[f"{inner}_{attention}_to_k"] = shapes[f"{inner}_{attention}_to_v"] = (width, source)
        shapes[f"{inner}_ff_net_0_proj"] = (8 * width, width)
        shapes[f"{inner}_ff_net_2"] = (width, 4 * width)

    widths = [channels * m for m in (1, 2, 4, 4)]
    width, block, skips = channels, 1, [channels]
    for level, wide in enumerate(widths):
        for _ in range(2):
            residual(f"input_blocks_{block}_0", width, wide)
            width = wide
            if level < 3:
                transformer(f"input_blocks_{block}_1", width)
            skips.append(width)
            block += 1
        if level < 3:
            shapes[f"input_blocks_{block}_0_op"] = (width, width, 3, 3)
            skips.append(width)
            block += 1
    residual("middle_block_0", width, width)
    transformer("middle_block_1", width)
    residual("middle_block_2", width, width)
    block = 0
    for level, wide in reversed(list(enumerate(widths))):
        for number in range(3):
            residual(f"output_blocks_{block}_0", width + skips.pop(), wide)
            width = wide
            if level < 3:
                transformer(f"output_blocks_{block}_1", width)
            if level and number == 2:
                shapes[f"output_blocks_{block}_{2 if level < 3 else 1}_conv"] = (width, width, 3, 3)
            block += 1
    return shapes
