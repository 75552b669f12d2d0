"""LoRA files read back, their identity, and the numbers taken from their weights."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from loratui.engine import export
from loratui.engine.export import LoraPair
from loratui.lab.errors import LabError
from tests.engine import plain_apply
from tests.engine.loras import (
    EVERYTHING,
    MIXTURES,
    PAIR,
    Models,
    adapt,
    equal,
    module_names,
    outputs,
    same,
    some_weights,
)

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


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 7, 10**6])
def test_a_header_that_lies_about_its_length_is_refused_in_words(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    export.save_lora(path, some_weights(), {})
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    for read in (export.payload_hash, export.load_pairs, lambda path: export.load_lora(path, some_weights())):
        with pytest.raises(LabError, match=r"a\.safetensors: (cannot be read as a \.safetensors file|cut short)"):
            read(path)


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
