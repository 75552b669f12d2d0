"""An exported LoRA means the same everywhere: here, in diffusers, and by the rules that ComfyUI and A1111 follow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel
from transformers.utils import logging as transformers_logging

from loratui.engine import export
from loratui.engine.export import LoraPair, Weights
from loratui.lab.errors import LabError
from tests.engine import plain_apply

UNET_TARGETS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2",
    "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv",
)  # fmt: skip
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
EVERYTHING = {"unet": UNET_TARGETS, "text_encoder": TEXT_TARGETS}

Models = dict[str, nn.Module]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # else its load report fills the screen when a test fails
    yield
    transformers_logging.set_verbosity(before)


@pytest.fixture
def models(tiny_model: Path) -> Models:
    """The base model's parts, fresh for each test."""
    return {
        "unet": UNet2DConditionModel.from_pretrained(tiny_model / "unet").eval(),
        "text_encoder": CLIPTextModel.from_pretrained(tiny_model / "text_encoder").eval(),
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


def in_diffusers(tiny_model: Path, lora: Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of a pipeline that loaded the file with diffusers' own loader."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_model)
    if lora is not None:
        pipeline.load_lora_weights(lora.parent, weight_name=lora.name)
    return outputs(pipeline.unet, pipeline.text_encoder)


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


MIXTURES = {
    "alphas": {"alpha_pattern": {"attn2.to_k": 2, "conv1": 1, "proj_in": 0.3, "self_attn.q_proj": 2, "fc1": 16}},
    "ranks": {"rank_pattern": {"attn2.to_k": 2, "conv1": 8, "proj_in": 1, "self_attn.q_proj": 2, "fc1": 3}},
    "both": {
        "alpha_pattern": {"attn2.to_k": 2, "conv2": 1, "fc1": 3},
        "rank_pattern": {"attn2.to_k": 2, "conv1": 8, "fc1": 3, "fc2": 5},
    },
}


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
                torch.testing.assert_close(delta.view_as(layer.get_delta_weight("lora")), layer.get_delta_weight("lora"))
                checked += 1
    assert 3 * checked == len(tensors)


def test_a_half_precision_file_is_close_and_keeps_alpha_exact(
    tiny_model: Path, models: Models, tmp_path: Path
) -> None:
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


# Reading back


def test_what_is_written_is_read_back_exactly(models: Models, tmp_path: Path) -> None:
    names = module_names(models)
    weights = adapt(models, EVERYTHING, alpha=0.1)
    assert equal(export.from_kohya(export.to_kohya(weights), names), weights)
    export.save_lora(tmp_path / "a.safetensors", weights, {"ss_epoch": "3"})
    loaded, metadata = export.load_lora(tmp_path / "a.safetensors", names)
    assert equal(loaded, weights)
    assert metadata["ss_epoch"] == "3"


def test_loaded_weights_make_a_live_adapter_what_it_was(models: Models, tmp_path: Path) -> None:
    weights = adapt(models, EVERYTHING, **MIXTURES["both"])
    wanted = outputs(**models)
    export.save_lora(tmp_path / "a.safetensors", weights, {})
    export.set_adapter_weights(models, {k: replace(p, up=torch.zeros_like(p.up)) for k, p in weights.items()})
    assert not same(outputs(**models), wanted, 0.01)
    export.set_adapter_weights(models, weights)
    assert same(outputs(**models), wanted, 0)
    baked, _ = export.load_lora(tmp_path / "a.safetensors", weights)  # other alphas than the live layers'
    export.set_adapter_weights(models, baked)
    assert same(outputs(**models), wanted, 1e-5)


def test_setting_weights_leaves_a_lora_that_is_switched_off_switched_off(models: Models) -> None:
    before = outputs(**models)
    weights = adapt(models, EVERYTHING)
    for model in models.values():
        for layer in (m for m in model.modules() if isinstance(m, LoraLayer)):
            layer.set_scale("lora", 0.0)
    export.set_adapter_weights(models, {name: replace(pair, alpha=2.0) for name, pair in weights.items()})
    assert same(outputs(**models), before, 0)


def test_weights_that_do_not_fit_change_nothing_and_say_what_does_not_fit(models: Models) -> None:
    weights = adapt(models, EVERYTHING)
    wanted = outputs(**models)
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    zeros = {key: replace(pair, up=torch.zeros_like(pair.up)) for key, pair in weights.items()}
    with pytest.raises(LabError, match=rf"1 adapted here but not given \({name}\)"):
        export.set_adapter_weights(models, {key: pair for key, pair in zeros.items() if key != name})
    with pytest.raises(LabError, match=r"1 not adapted in this model \(unet\.conv_in\)"):
        export.set_adapter_weights(models, zeros | {"unet.conv_in": zeros[name]})
    with pytest.raises(LabError, match=rf"{name} are \(2, 64\), .* has \(4, 64\)"):
        export.set_adapter_weights(models, zeros | {name: replace(zeros[name], down=torch.zeros(2, 64))})
    assert same(outputs(**models), wanted, 0)


def test_loading_a_lora_of_another_base_model_is_refused_by_name(models: Models, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    export.save_lora(path, some_weights() | {"unet.down_blocks.7.resnets.0.conv1": LoraPair(*PAIR, 1)}, {})
    with pytest.raises(LabError, match=r"other\.safetensors: 1 of 3 LoRA modules .*lora_unet_down_blocks_7_resnets_0"):
        export.load_lora(path, module_names(models))


PAIR = (torch.ones(1, 3), torch.ones(2, 1))


def test_files_that_are_no_kohya_lora_are_refused_with_the_reason(tmp_path: Path) -> None:
    path, names = tmp_path / "a.safetensors", list(some_weights())
    with pytest.raises(LabError, match="no such LoRA file"):
        export.load_lora(path, names)
    path.write_bytes(b"not a safetensors file at all")
    with pytest.raises(LabError, match=r"a\.safetensors: cannot be read"):
        export.load_lora(path, names)
    q = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    for key, reason in {
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight": "is not a kohya LoRA key",
        f"{q}.dora_scale": "is not a kohya LoRA key",
        f"{q}.lora_down.weight": rf"{q} has no \.lora_up\.weight",
    }.items():
        save_file({key: torch.ones(2, 2)}, path)
        with pytest.raises(LabError, match=reason):
            export.load_lora(path, names)
    save_file({f"{q}.lora_down.weight": torch.ones(2, 6), f"{q}.lora_up.weight": torch.ones(5, 3)}, path)
    with pytest.raises(LabError, match="are no LoRA pair"):
        export.load_lora(path, names)


def test_a_file_without_alphas_has_alpha_equal_to_rank_and_te1_is_the_text_encoder() -> None:
    stem = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    tensors = {f"{stem}.lora_down.weight": torch.ones(3, 4), f"{stem}.lora_up.weight": torch.ones(5, 3).half()}
    (name, pair), *rest = export.from_kohya(tensors, ["text_encoder.encoder.layers.0.mlp.fc1"]).items()
    assert not rest
    assert (name, pair.alpha, pair.up.dtype) == ("text_encoder.encoder.layers.0.mlp.fc1", 3.0, torch.float32)


def test_a_name_that_two_modules_could_have_is_refused_only_where_it_is_used() -> None:
    names = [*some_weights(), "unet.a.b_c", "unet.a_b.c"]
    export.from_kohya(export.to_kohya(some_weights()), names)
    tensors = {"lora_unet_a_b_c.lora_down.weight": PAIR[0], "lora_unet_a_b_c.lora_up.weight": PAIR[1]}
    with pytest.raises(LabError, match=r"could be any of unet\.a\.b_c, unet\.a_b\.c"):
        export.from_kohya(tensors, names)


# Identity


def test_the_payload_hash_is_of_the_tensors_alone(tmp_path: Path) -> None:
    a, b, c = (tmp_path / f"{name}.safetensors" for name in "abc")
    first = export.save_lora(a, some_weights(), {"ss_epoch": "1", "ss_steps": "10", "note": "one"})
    second = export.save_lora(b, some_weights(), {"ss_epoch": "2", "loratui.run": "x" * 99})
    other = export.save_lora(c, some_weights(alpha=9.0), {"ss_epoch": "1"})
    assert first == second == export.payload_hash(a) == export.payload_hash(b)
    assert other == export.payload_hash(c) != first
    assert a.read_bytes() != b.read_bytes()
    _, metadata = plain_apply.read_safetensors(b)
    assert metadata["sshs_model_hash"] == first
    assert metadata["modelspec.hash_sha256"] == f"0x{first}"


def test_the_same_weights_and_metadata_give_the_same_file(tmp_path: Path) -> None:
    metadata = {f"ss_{i}": str(i) for i in range(20)}
    backwards = dict(reversed(list(metadata.items())))
    export.save_lora(tmp_path / "a.safetensors", some_weights(), metadata)
    export.save_lora(tmp_path / "b.safetensors", dict(reversed(list(some_weights().items()))), backwards)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_tensors_begin_on_an_eight_byte_boundary_whatever_the_metadatas_length(tmp_path: Path) -> None:
    for length in range(8):
        export.save_lora(tmp_path / "a.safetensors", some_weights(), {"note": "x" * length})
        assert int.from_bytes((tmp_path / "a.safetensors").read_bytes()[:8], "little") % 8 == 0


def test_metadata_survives_whatever_text_it_holds(tmp_path: Path) -> None:
    texts = {"a": 'quote " and \\ and \n', "b": "größe 形 🟥", "c": os.fsdecode(b"not utf-8: \xff"), "d": ""}
    export.save_lora(tmp_path / "a.safetensors", some_weights(), texts)
    _, metadata = export.load_lora(tmp_path / "a.safetensors", some_weights())
    assert {key: metadata[key] for key in "abd"} == {key: texts[key] for key in "abd"}
    assert metadata["c"].startswith("not utf-8: \ufffd")
    assert json.dumps(metadata)


# Numbers, and what cannot be exported


def test_the_delta_norm_is_that_of_the_formed_product(models: Models) -> None:
    weights = adapt(models, EVERYTHING, rank=3, alpha=5)
    layers = [m for model in models.values() for m in model.modules() if isinstance(m, LoraLayer)]
    formed = torch.cat([layer.get_delta_weight("lora").detach().double().flatten() for layer in layers])
    assert export.delta_norm(weights) == pytest.approx(formed.norm().item(), rel=1e-6)
    assert export.delta_norm({k: replace(p, up=torch.zeros_like(p.up)) for k, p in weights.items()}) == 0


def test_the_weight_norm_is_that_of_the_adapted_base_weights(models: Models) -> None:
    adapted = [models["unet"].mid_block.resnets[0].conv1, models["text_encoder"].encoder.layers[1].mlp.fc2]
    formed = torch.cat([layer.weight.detach().double().flatten() for layer in adapted])
    weights = adapt(models, {"unet": ("mid_block.resnets.0.conv1",), "text_encoder": ("layers.1.mlp.fc2",)})
    assert len(weights) == 2
    assert export.weight_norm(models, weights) == pytest.approx(formed.norm().item(), rel=1e-9)


def test_adapter_weights_are_copies(models: Models) -> None:
    weights = adapt(models, {"unet": ("to_q",)})
    before = {name: pair.up.clone() for name, pair in weights.items()}
    for layer in (m for m in models["unet"].modules() if isinstance(m, LoraLayer)):
        layer.lora_B["lora"].weight.data.zero_()
    assert all(torch.equal(weights[name].up, up) and up.any() for name, up in before.items())
    assert export.adapter_weights(models, "another") == {}


@pytest.mark.filterwarnings("ignore:`lora_bias=True`")
@pytest.mark.parametrize(("form", "name"), [("use_dora", "DoRA"), ("use_rslora", "rsLoRA"), ("lora_bias", "bias")])
def test_forms_without_an_exact_kohya_form_are_refused(models: Models, form: str, name: str) -> None:
    with pytest.raises(LabError, match=rf"to_q: .*{name}.* cannot be exported"):
        adapt(models, {"unet": ("to_q",)}, **{form: True})


def test_nothing_to_export_and_unknown_parts_are_errors() -> None:
    with pytest.raises(LabError, match="there is no LoRA to export"):
        export.to_kohya({})
    with pytest.raises(LabError, match="no kohya name for a LoRA on 'vae'"):
        export.to_kohya({"vae.encoder.conv_in": LoraPair(*PAIR, 1)})
