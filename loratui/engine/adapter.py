"""The LoRA layers in a live model: put in, switched off and on, scaled. Files are `export`'s business.

Layers are toggled, never fused into the weights: taking a fused LoRA out again leaves the base model changed in its
last bits, and then the base column would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from loratui.engine.families.family import Family
from loratui.engine.noise import generator
from loratui.lab.project.settings import Lora

ADAPTER = "lora"


def layers(models: Mapping[str, nn.Module]) -> Iterator[LoraLayer]:
    for model in models.values():
        yield from (m for m in model.modules() if isinstance(m, LoraLayer))


def inject(family: Family, lora: Lora, seed: int) -> dict[str, nn.Module]:
    """Put fresh LoRA layers into the model's parts and return those parts by prefix.

    down is Kaiming-uniform, up is zero, as in every trainer; the draw depends on `seed` alone. Layers are float32
    whatever the model's own precision.
    """
    models = family.adapted(lora.text_encoder)
    targets = family.lora_targets(lora.targets)
    for prefix, model in models.items():
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha or lora.rank,
            lora_dropout=lora.dropout,
            target_modules=targets[prefix],
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator("adapter", seed, prefix).initial_seed())
            inject_adapter_in_model(config, model, adapter_name=ADAPTER)
        for layer in layers({prefix: model}):
            layer.lora_A[ADAPTER].float()
            layer.lora_B[ADAPTER].float()
            layer.cast_input_dtype_enabled = False  # `Family.autocast` does that, and PEFT would do it twice
    return models


def joined(model: nn.Module) -> nn.Parameter:
    """All trained weights of a model as one vector: they become views of it, and their gradients views of its gradient.

    Clipping, the sum over processes and the optimiser's step are then one operation each instead of hundreds. Set the
    gradient to zero between steps, never to None: the views would be left behind.
    """
    own = [p for p in model.parameters() if p.requires_grad]
    vector = nn.Parameter(torch.cat([p.detach().flatten() for p in own]))
    vector.grad = torch.zeros_like(vector)
    parts = [p.numel() for p in own]
    for p, weight, gradient in zip(own, vector.detach().split(parts), vector.grad.split(parts), strict=True):
        p.data, p.grad = weight.view_as(p), gradient.view_as(p)
    return vector


@contextmanager
def strength(models: Mapping[str, nn.Module], scale: float | None) -> Iterator[None]:
    """Inside: the LoRA at `scale` times its own strength, or switched off when None. Outside: as in training."""
    found = list(layers(models))
    training = {prefix: model.training for prefix, model in models.items()}
    for model in models.values():
        model.eval()
    for layer in found:
        if scale is None:
            layer.enable_adapters(False)
        else:
            layer.set_scale(ADAPTER, scale)
    try:
        yield
    finally:
        for layer in found:
            if scale is None:
                layer.enable_adapters(True)  # also turns the layers' gradients back on
            else:
                layer.set_scale(ADAPTER, 1.0)
        for prefix, model in models.items():
            model.train(training[prefix])
