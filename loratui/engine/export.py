"""LoRA weights between live PEFT layers and the kohya .safetensors file that every other tool reads.

The file holds, per adapted module, `lora_down`, `lora_up` and `alpha` under a kohya name, and means
W += (alpha / rank) * up @ down. Written here rather than with diffusers' converter, which replaces alpha by the
rank and drops `text_model.` from text encoder names: the first changes the strength, the second makes the file
useless elsewhere. What the metadata says is metadata.py's business; optimiser state and resuming are not in here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import nn

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, write_atomic
from loratui.lab.pictures.cells import payload_hash as payload_hash
from loratui.lab.plain import plain
from loratui.lab.safetensorsfile import Header, read_header

# transformers 5 flattened CLIPTextModel; the files of the trade still say `text_model`.
KOHYA_PREFIX = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}
FIELDS = ("lora_down.weight", "lora_up.weight", "alpha")


@dataclass(frozen=True)
class LoraPair:
    """What one adapted module adds: ΔW = (alpha / rank) * up @ down."""

    down: torch.Tensor  # (rank, in) or (rank, in, kh, kw)
    up: torch.Tensor  # (out, rank) or (out, rank, 1, 1)
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


Weights = dict[str, LoraPair]
"""Keyed "unet.<module path>" or "text_encoder.<module path>", paths as in the loaded models."""


# Live PEFT layers


def adapter_weights(models: Mapping[str, nn.Module], adapter: str = "lora") -> Weights:
    """Copies of the adapter's weights as contiguous fp32 CPU tensors; empty when no layer has that adapter.

    models: {"unet": unet, "text_encoder": text encoder}, or either. Raises LabError for forms of LoRA that have
    no exact kohya form (DoRA, rsLoRA, LoRA on embeddings or biases).
    """
    weights: Weights = {}
    for name, layer in _layers(models, adapter):
        _refuse_exotic(name, layer, adapter)
        down, up = _own(layer.lora_A[adapter].weight), _own(layer.lora_B[adapter].weight)
        weights[name] = LoraPair(down, up, float(layer.lora_alpha[adapter]))
    return weights


def set_adapter_weights(models: Mapping[str, nn.Module], weights: Weights, adapter: str = "lora") -> None:
    """Write `weights` into the live layers in place, keeping their device, dtype and current scale.

    The layers take over the alphas in `weights`. Raises LabError, before anything is changed, unless the modules,
    ranks and shapes are exactly the adapter's own.
    """
    layers = dict(_layers(models, adapter))
    missing, unknown = sorted(layers.keys() - weights.keys()), sorted(weights.keys() - layers.keys())
    if missing or unknown:
        complaints = [f"{len(unknown)} not adapted in this model ({_some(unknown)})"] if unknown else []
        complaints += [f"{len(missing)} adapted here but not given ({_some(missing)})"] if missing else []
        raise LabError(
            f"these LoRA weights do not fit the model's adapter '{adapter}': {'; '.join(complaints)}; "
            "the base model and lora.targets must be those the LoRA was trained with"
        )
    for name, pair in weights.items():
        for given, live in ((pair.down, layers[name].lora_A[adapter]), (pair.up, layers[name].lora_B[adapter])):
            if given.shape != live.weight.shape:
                raise LabError(
                    f"LoRA weights of {name} are {tuple(given.shape)}, but the model's adapter '{adapter}' has "
                    f"{tuple(live.weight.shape)}; use the rank and the base model the LoRA was trained with"
                )
    with torch.no_grad():
        for name, pair in weights.items():
            layer = layers[name]
            layer.lora_A[adapter].weight.copy_(pair.down)
            layer.lora_B[adapter].weight.copy_(pair.up)
            if pair.alpha != layer.lora_alpha[adapter]:
                layer.scaling[adapter] *= pair.alpha / layer.lora_alpha[adapter]
                layer.lora_alpha[adapter] = pair.alpha


def delta_norm(weights: Weights) -> float:
    """‖ΔW‖_F over all modules together.

    ‖s·up·down‖²_F = s² Σ (upᵀup)∘(down·downᵀ): two rank x rank Gram matrices, so ΔW is never formed.
    """
    total = 0.0
    for pair in weights.values():
        down, up = pair.down.flatten(1).double(), pair.up.flatten(1).double()
        gram = ((up.T @ up) * (down @ down.T)).sum().item()
        total += (pair.alpha / pair.rank) ** 2 * max(gram, 0.0)
    return math.sqrt(total)


def weight_norm(models: Mapping[str, nn.Module], weights: Weights) -> float:
    """‖W‖_F over the base weights of the modules in `weights`: what delta_norm is to be compared with."""
    total = 0.0
    for name in weights:
        part, _, path = name.partition(".")
        module = models[part].get_submodule(path)
        base = module.get_base_layer() if isinstance(module, LoraLayer) else module
        weight = base.weight
        assert isinstance(weight, torch.Tensor), f"{name} has no weight"
        total += torch.linalg.vector_norm(weight.detach(), dtype=torch.float64).item() ** 2
    return math.sqrt(total)


# Names and tensors of the kohya form


def kohya_name(module_name: str) -> str:
    """ "text_encoder.encoder.layers.0.mlp.fc1" -> "lora_te_text_model_encoder_layers_0_mlp_fc1"."""
    part, _, path = module_name.partition(".")
    if part not in KOHYA_PREFIX:
        raise LabError(f"{module_name}: no kohya name for a LoRA on '{part}'; known are {', '.join(KOHYA_PREFIX)}")
    if part == "text_encoder":
        path = path.removeprefix("text_model.")
    return KOHYA_PREFIX[part] + path.replace(".", "_")


def to_kohya(weights: Weights) -> dict[str, torch.Tensor]:
    """The file's tensors: `<name>.lora_down.weight`, `.lora_up.weight`, and `.alpha` (0-dim float32).

    Exact where every module of a part (UNet, text encoder) has the same alpha. Where they differ, diffusers
    applies the commonest one to most modules whatever the file says, so the others are baked: they get that alpha
    too, and `up` takes the difference. Different ranks are read correctly by everyone and stay.
    """
    if not weights:
        raise LabError("there is no LoRA to export: no module of the model has an adapter")
    tensors: dict[str, torch.Tensor] = {}
    for name, pair in _with_one_alpha_a_part(weights).items():
        stem = kohya_name(name)
        if f"{stem}.alpha" in tensors:
            raise LabError(f"two modules share the kohya name {stem}; one of them is {name}")
        values = (pair.down, pair.up, torch.tensor(pair.alpha, dtype=torch.float32))
        tensors |= {f"{stem}.{field}": value.contiguous() for field, value in zip(FIELDS, values, strict=True)}
    return tensors


def from_kohya(tensors: Mapping[str, torch.Tensor], module_names: Iterable[str]) -> Weights:
    """The inverse of to_kohya, in fp32; a module without `.alpha` has alpha = rank, as everywhere.

    module_names: the model's modules as Weights keys. They tell which underscores were dots; names the file does
    not use are no matter. Raises LabError for keys that are not plain kohya LoRA or fit no module.
    """
    modules = _by_stem(tensors)
    candidates: dict[str, list[str]] = {}
    for name in module_names:
        candidates.setdefault(kohya_name(name), []).append(name)
    unknown = [stem for stem in modules if stem not in candidates]
    if unknown:
        raise LabError(
            f"{len(unknown)} of {len(modules)} LoRA modules do not exist in this base model ({_some(unknown)}); "
            "it was made for another base model"
        )
    weights: Weights = {}
    for stem, found in modules.items():
        if len(candidates[stem]) > 1:
            raise LabError(f"{stem} could be any of {', '.join(candidates[stem])}")
        weights[candidates[stem][0]] = _pair(stem, found)
    return weights


def kohya_pairs(tensors: Mapping[str, torch.Tensor]) -> Weights:
    """The same by kohya name, for who has no model at hand: `lora_te1_` is `lora_te_`, all is fp32."""
    return {stem: _pair(stem, found) for stem, found in _by_stem(tensors).items()}


# Files


def save_lora(path: Path, weights: Weights, metadata: Mapping[str, str], dtype: torch.dtype = torch.float32) -> str:
    """Write a kohya LoRA file atomically and return its payload's sha256.

    The same weights and metadata give the same bytes. `sshs_model_hash` and `modelspec.hash_sha256` are added to
    the metadata. dtype is that of up and down; alpha stays float32.
    """
    header, payload = _kohya_file(weights, dtype)
    sha256 = hashlib.sha256(payload).hexdigest()
    notes = {**metadata, "sshs_model_hash": sha256, "modelspec.hash_sha256": f"0x{sha256}"}
    # safetensors writes its metadata in an order that changes from process to process; here it is sorted.
    header = {"__metadata__": {key: _utf8(notes[key]) for key in sorted(notes)}, **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants the payload aligned
    write_atomic(path, len(text).to_bytes(8, "little") + text + payload)
    return sha256


def payload_of(weights: Weights, dtype: torch.dtype = torch.float32) -> str:
    """The payload's sha256 of the file that `save_lora` would write."""
    return hashlib.sha256(_kohya_file(weights, dtype)[1]).hexdigest()


def load_lora(path: Path, module_names: Iterable[str]) -> tuple[Weights, dict[str, str]]:
    """Read a kohya LoRA file: its weights (see from_kohya) and its metadata. Raises LabError naming the file."""
    tensors, header, _ = _read(path)
    try:
        return from_kohya(tensors, module_names), dict(header.metadata)
    except LabError as error:
        raise LabError(f"{path}: {error}") from error


def load_pairs(path: Path) -> tuple[Weights, str]:
    """Read a kohya LoRA file without its model: see kohya_pairs, and its payload_hash. Raises LabError likewise."""
    tensors, _, payload = _read(path)
    try:
        return kohya_pairs(tensors), hashlib.sha256(payload).hexdigest()
    except LabError as error:
        raise LabError(f"{path}: {error}") from error


# Helpers


def _read(path: Path) -> tuple[dict[str, torch.Tensor], Header, bytes]:
    """The tensors, the header and the payload of a file."""
    try:
        header = read_header(path)
        with open_binary(path) as file:
            data = file.read()
        return load_tensors(data), header, data[header.start :]
    except FileNotFoundError:
        raise LabError(f"{path}: no such LoRA file") from None
    except (SafetensorError, ValueError, OSError) as error:
        raise LabError(f"{path}: cannot be read as a .safetensors file ({plain(error, 200)})") from error


def _kohya_file(weights: Weights, dtype: torch.dtype) -> tuple[dict[str, Any], bytes]:
    tensors = {key: value if value.ndim == 0 else value.to(dtype) for key, value in to_kohya(weights).items()}
    data = dump_tensors(tensors)
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), data[start:]


def _by_stem(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The file's tensors by module and field. LabError for a key that is not plain kohya LoRA."""
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        stem, _, field = key.partition(".")
        if not stem.startswith(("lora_unet_", "lora_te")) or field not in FIELDS:
            raise LabError(f"'{key}' is not a kohya LoRA key (lora_unet_… or lora_te_…, then .{', .'.join(FIELDS)})")
        modules.setdefault(stem.replace("lora_te1_", "lora_te_", 1), {})[field] = tensor
    return modules


def _layers(models: Mapping[str, nn.Module], adapter: str) -> Iterator[tuple[str, LoraLayer]]:
    for part, model in models.items():
        for path, module in model.named_modules():
            if isinstance(module, LoraLayer) and (adapter in module.lora_A or adapter in module.lora_embedding_A):
                yield f"{part}.{path}", module


def _refuse_exotic(name: str, layer: LoraLayer, adapter: str) -> None:
    exotic = {
        "LoRA on an embedding": adapter in layer.lora_embedding_A,
        "a LoRA bias": layer.lora_bias.get(adapter, False),
        "rsLoRA": layer.use_rslora.get(adapter, False),
        "DoRA or another variant": adapter in layer.lora_variant,
    }
    for what, present in exotic.items():
        if present:
            raise LabError(f"{name}: {what} has no exact kohya form and cannot be exported")


def _own(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True).contiguous()


def _with_one_alpha_a_part(weights: Weights) -> Weights:
    shared: dict[str, float] = {}
    for part in KOHYA_PREFIX:
        alphas = Counter(pair.alpha for name, pair in weights.items() if name.startswith(f"{part}.") and pair.alpha)
        shared[part] = alphas.most_common(1)[0][0] if alphas else 0.0
    baked: Weights = {}
    for name, pair in weights.items():
        alpha = shared.get(name.partition(".")[0], pair.alpha)
        same = pair.alpha == alpha
        baked[name] = pair if same else replace(pair, up=pair.up * (pair.alpha / alpha), alpha=alpha)
    return baked


def _pair(stem: str, found: Mapping[str, torch.Tensor]) -> LoraPair:
    absent = [field for field in FIELDS[:2] if field not in found]
    if absent:
        raise LabError(f"{stem} has no .{absent[0]}: the file is incomplete")
    down, up = (found[field].float().contiguous() for field in FIELDS[:2])
    if down.ndim < 2 or up.ndim != down.ndim or up.shape[1] != down.shape[0]:
        raise LabError(f"{stem}: down {tuple(down.shape)} and up {tuple(up.shape)} are no LoRA pair")
    if "alpha" not in found:
        return LoraPair(down, up, float(down.shape[0]))
    # The shortest decimal that is this float32, so that an alpha of 0.1 comes back as 0.1.
    return LoraPair(down, up, float(str(np.float32(found["alpha"].float().item()))))


def _utf8(text: str) -> str:
    """File names may hold bytes that are no UTF-8; they become U+FFFD, because the format takes UTF-8 only."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
