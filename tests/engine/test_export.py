"""An exported LoRA means the same everywhere: here, in diffusers, and by the rules that ComfyUI and A1111 follow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from loratui.engine import export
from tests.engine import plain_apply
from tests.engine.loras import EVERYTHING, MIXTURES, UNET_TARGETS, Models, adapt, outputs, same


def in_diffusers(tiny_model: Path, lora: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of a pipeline that loaded the file with diffusers' own loader."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_model)
    pipeline.load_lora_weights(lora.parent, weight_name=lora.name)
    return outputs(pipeline.unet, pipeline.text_encoder)


# What other tools make of the file


@pytest.mark.parametrize("alpha", [1, 8])
def test_diffusers_loads_a_lora_whose_alpha_is_not_its_rank(
    tiny_model: Path, models: Models, tmp_path: Path, alpha: float
) -> None:
    before = outputs(**models)
    weights = adapt(models, EVERYTHING, rank=4, alpha=alpha)
    export.save_lora(tmp_path / "a.safetensors", weights, {})
    live = outputs(**models)
    assert not same(live, before, 0.01)
    assert same(in_diffusers(tiny_model, tmp_path / "a.safetensors"), live, 1e-6)


@pytest.mark.parametrize("target", UNET_TARGETS[8:])
def test_diffusers_loads_each_kind_of_layer_outside_attention(
    tiny_model: Path, models: Models, tmp_path: Path, target: str
) -> None:
    before = outputs(**models)
    weights = adapt(models, {"unet": (target,)})
    export.save_lora(tmp_path / "a.safetensors", weights, {})
    live = outputs(**models)
    assert not torch.equal(live[0], before[0])
    assert same(in_diffusers(tiny_model, tmp_path / "a.safetensors"), live, 1e-6)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_mixed_alphas_and_ranks_mean_the_same_everywhere(
    tiny_model: Path, models: Models, tmp_path: Path, mixture: str
) -> None:
    weights = adapt(models, EVERYTHING, **MIXTURES[mixture])
    assert len({(pair.rank, pair.alpha) for pair in weights.values()}) > 3
    export.save_lora(tmp_path / "a.safetensors", weights, {})
    live = outputs(**models)
    assert same(in_diffusers(tiny_model, tmp_path / "a.safetensors"), live, 1e-5)
    assert same(in_plain_torch(tiny_model, tmp_path / "a.safetensors"), live, 1e-5)


def in_plain_torch(tiny_model: Path, lora: Path, strength: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of the base model with the LoRA added to its files' weights by plain_apply."""
    tensors, _ = plain_apply.read_safetensors(lora)
    names = {key.partition(".")[0] for key in tensors}
    unet = UNet2DConditionModel.from_pretrained(tiny_model / "unet").eval()
    base, _ = plain_apply.read_safetensors(tiny_model / "unet/diffusion_pytorch_model.safetensors")
    changed, used = plain_apply.apply_lora(tensors, base, "lora_unet_", strength)
    unet.load_state_dict(changed)
    text_encoder = CLIPTextModel.from_pretrained(tiny_model / "text_encoder").eval()
    base, _ = plain_apply.read_safetensors(tiny_model / "text_encoder/model.safetensors")
    changed, used_text = plain_apply.apply_lora(tensors, base, "lora_te_", strength)
    text_encoder.load_state_dict({name.removeprefix("text_model."): value for name, value in changed.items()})
    assert used | used_text == names, "modules of the file that the base model's own files do not name"
    return outputs(unet, text_encoder)


def test_adding_the_product_by_the_formats_rules_gives_what_the_live_adapter_gives(
    tiny_model: Path, models: Models, tmp_path: Path
) -> None:
    before = outputs(**models)
    export.save_lora(tmp_path / "a.safetensors", adapt(models, EVERYTHING), {})
    assert same(in_plain_torch(tiny_model, tmp_path / "a.safetensors"), outputs(**models), 1e-5)
    assert same(in_plain_torch(tiny_model, tmp_path / "a.safetensors", strength=0), before, 0)


def test_each_module_adds_what_peft_says_it_adds(models: Models) -> None:
    tensors = export.to_kohya(adapt(models, EVERYTHING, rank=3, alpha=5))
    checked = 0
    for part, model in models.items():
        for path, layer in model.named_modules():
            if isinstance(layer, LoraLayer):
                stem = export.kohya_name(f"{part}.{path}")
                up, down = tensors[f"{stem}.lora_up.weight"], tensors[f"{stem}.lora_down.weight"]
                delta = tensors[f"{stem}.alpha"] / down.shape[0] * up.flatten(1) @ down.flatten(1)
                live = layer.get_delta_weight("lora")
                torch.testing.assert_close(delta.view_as(live), live)
                checked += 1
    assert 3 * checked == len(tensors)


def test_a_half_precision_file_is_close_and_keeps_alpha_exact(tiny_model: Path, models: Models, tmp_path: Path) -> None:
    weights = adapt(models, EVERYTHING, alpha=0.7)
    export.save_lora(tmp_path / "a.safetensors", weights, {}, torch.float16)
    tensors, _ = plain_apply.read_safetensors(tmp_path / "a.safetensors")
    kinds = {key.rpartition(".")[2]: tensor.dtype for key, tensor in tensors.items()}
    assert kinds == {"weight": torch.float16, "alpha": torch.float32}
    live = outputs(**models)
    assert same(in_diffusers(tiny_model, tmp_path / "a.safetensors"), live, 5e-3)
    loaded, _ = export.load_lora(tmp_path / "a.safetensors", weights)
    assert {pair.alpha for pair in loaded.values()} == {0.7}


# Names


def test_every_key_has_a_prefix_that_makes_diffusers_see_a_kohya_file(models: Models) -> None:
    keys = export.to_kohya(adapt(models, EVERYTHING))
    assert all(key.startswith(("lora_unet_", "lora_te_")) for key in keys)
    assert {key.partition(".")[2] for key in keys} == {"lora_down.weight", "lora_up.weight", "alpha"}


def test_text_encoder_keys_say_text_model_whichever_transformers_loaded_it(models: Models) -> None:
    text_keys = [key for key in export.to_kohya(adapt(models, EVERYTHING)) if key.startswith("lora_te_")]
    assert len(text_keys) == 2 * 6 * 3
    assert all(key.startswith("lora_te_text_model_encoder_layers_") for key in text_keys)
    flat, nested = "text_encoder.encoder.layers.0.mlp.fc1", "text_encoder.text_model.encoder.layers.0.mlp.fc1"
    assert export.kohya_name(flat) == export.kohya_name(nested) == "lora_te_text_model_encoder_layers_0_mlp_fc1"


def under(model: nn.Module, classes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Linear and convolution layers inside modules of these classes, and their weights' shapes: kohya's rule."""
    found = {}
    for outer, module in model.named_modules():
        if type(module).__name__ in classes:
            for inner, layer in module.named_modules():
                if isinstance(layer, (nn.Linear, nn.Conv2d)):
                    found[f"{outer}.{inner}"] = tuple(layer.weight.shape)
    return found


def test_names_on_stable_diffusion_1_5_are_the_ones_its_original_code_resolves_to() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
        )
    linear = under(unet, ("Transformer2DModel",))
    convolutional = under(unet, ("ResnetBlock2D", "Downsample2D", "Upsample2D"))
    text = under(text_encoder, ("CLIPAttention", "CLIPMLP"))
    assert (len(linear), len(text)) == (192, 72)
    assert sum(shape[2:] == (3, 3) for shape in convolutional.values()) == 50

    shapes = {export.kohya_name(f"unet.{path}"): shape for path, shape in {**linear, **convolutional}.items()}
    resolved = {plain_apply.original_name(name): shape for name, shape in shapes.items()}
    assert resolved == plain_apply.original_unet()
    assert len(resolved) == len(shapes) == 192 + 50 + 22 + 14  # and the residual blocks' time projections and shortcuts

    layers = [f"lora_te_text_model_encoder_layers_{i}" for i in range(12)]
    parts = [f"self_attn_{p}_proj" for p in ("q", "k", "v", "out")] + ["mlp_fc1", "mlp_fc2"]
    assert {export.kohya_name(f"text_encoder.{path}") for path in text} == {f"{a}_{b}" for a in layers for b in parts}
    assert {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0",
        "lora_unet_up_blocks_1_resnets_2_conv_shortcut",
    } <= shapes.keys()
