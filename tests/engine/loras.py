"""Live LoRA adapters on the tiny model for tests: put in, compared by what the model then computes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from loratui.engine import export
from loratui.engine.export import LoraPair, Weights

UNET_TARGETS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2",
    "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv",
)  # fmt: skip
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
EVERYTHING = {"unet": UNET_TARGETS, "text_encoder": TEXT_TARGETS}

PAIR = (torch.ones(1, 3), torch.ones(2, 1))

Models = dict[str, nn.Module]

# Further arguments of `adapt`: layers that differ from the rest.
MIXTURES = {
    "alphas": {"alpha_pattern": {"attn2.to_k": 2, "conv1": 1, "proj_in": 0.3, "self_attn.q_proj": 2, "fc1": 16}},
    "ranks": {"rank_pattern": {"attn2.to_k": 2, "conv1": 8, "proj_in": 1, "self_attn.q_proj": 2, "fc1": 3}},
    "both": {
        "alpha_pattern": {"attn2.to_k": 2, "conv2": 1, "fc1": 3},
        "rank_pattern": {"attn2.to_k": 2, "conv1": 8, "fc1": 3, "fc2": 5},
    },
}


def adapt(
    models: Models, targets: Mapping[str, tuple[str, ...]], rank: int = 4, alpha: float = 8, **config: object
) -> Weights:
    """Put a LoRA that does something visible into the models; returns its weights.

    config: further arguments of LoraConfig; of its patterns each part gets those for its own layers.
    """
    for part, names in targets.items():
        own = {
            key: {k: v for k, v in value.items() if k.endswith(names)} if isinstance(value, dict) else value
            for key, value in config.items()
        }
        settings = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(names), **own)
        inject_adapter_in_model(settings, models[part], adapter_name="lora")
    noise = torch.Generator().manual_seed(7)
    for model in models.values():
        for layer in (m for m in model.modules() if isinstance(m, LoraLayer)):
            for matrix in (layer.lora_A["lora"].weight, layer.lora_B["lora"].weight):
                matrix.data = torch.randn(matrix.shape, generator=noise) * 0.1
        model.eval()
    return export.adapter_weights(models)


@torch.no_grad()
def outputs(unet: nn.Module, text_encoder: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise predicted (2, 4, 8, 8) and text states (2, 77, 32), for one fixed input."""
    noise = torch.Generator().manual_seed(3)
    ids = torch.randint(0, 49406, (2, 77), generator=noise)
    states = text_encoder(ids).last_hidden_state
    latents = torch.randn(2, 4, 8, 8, generator=noise)
    return unet(latents, torch.tensor([981, 20]), states).sample, states


def same(found: tuple[torch.Tensor, ...], wanted: tuple[torch.Tensor, ...], tolerance: float) -> bool:
    return all((a - b).abs().max().item() <= tolerance for a, b in zip(found, wanted, strict=True))


def module_names(models: Mapping[str, nn.Module]) -> list[str]:
    return [f"{part}.{path}" for part, model in models.items() for path, _ in model.named_modules()]


def equal(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k].down, b[k].down) and torch.equal(a[k].up, b[k].up) and a[k].alpha == b[k].alpha for k in a
    )


def some_weights(rank: int = 4, alpha: float = 8.0) -> Weights:
    noise = torch.Generator().manual_seed(1)
    q = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    return {
        q: LoraPair(torch.randn(rank, 6, generator=noise), torch.randn(5, rank, generator=noise), alpha),
        "unet.mid_block.resnets.0.conv1": LoraPair(
            torch.randn(rank, 3, 3, 3, generator=noise), torch.randn(7, rank, 1, 1, generator=noise), alpha
        ),
    }
