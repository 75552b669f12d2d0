"""What is loaded of a base model is what was hashed: its configs and safetensors, by name, and all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from loratui.engine.families import load_family
from loratui.engine.families.sd1 import StableDiffusion1
from loratui.engine.task import prepare
from loratui.lab.errors import LabError
from loratui.lab.models import inspect_model, model_hash, resolve_model
from loratui.lab.run.record import read_record
from tests.processes import new_run, write_project

TINYWORLD = Path(__file__).parents[2] / "loratui/tinyworld/model"
CPU = torch.device("cpu")
UNET, TEXT = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path, tiny_model: Path) -> Path:
    """A model of one's own to do something to."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def family(folder: Path, dtype: torch.dtype = torch.float32) -> StableDiffusion1:
    found = inspect_model("model", folder)
    return StableDiffusion1(found, model_hash(found), CPU, dtype)


def edit_json(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def edit_weights(file: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    buffers = zip(one.named_buffers(), other.named_buffers(), strict=True)
    return (
        list(a) == list(b)
        and all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)
        and all(name == name_b and torch.equal(x, y) and x.dtype == y.dtype for (name, x), (name_b, y) in buffers)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("which", ["tinyworld", "tiny"])
@torch.no_grad()
def test_an_honest_model_has_the_bits_that_the_libraries_themselves_load(
    tiny_model: Path, which: str, dtype: torch.dtype
) -> None:
    folder = TINYWORLD if which == "tinyworld" else tiny_model
    ours = family(folder, dtype)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).eval()
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype).eval()
    assert same(ours.denoiser, unet)
    assert same(ours.vae, vae)
    assert same(ours.text_encoder, text)
    assert dict(ours.vae.config)["scaling_factor"] == vae.config.scaling_factor
    assert not any(p.requires_grad for part in (ours.denoiser, ours.vae) for p in part.parameters())
    ids = ours.token_ids(["a red circle", ""])
    states = ours.text_encoder(input_ids=ids).last_hidden_state
    assert torch.equal(states, text(input_ids=ids).last_hidden_state)
    noise = torch.randn(2, unet.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    steps = torch.tensor([3, 700])
    assert torch.equal(ours.denoiser(noise, steps, states).sample, unet(noise, steps, states).sample)
    latents = noise[:, : vae.config.latent_channels].float()
    pictures = vae.decode(latents).sample
    assert torch.equal(ours.vae.decode(latents).sample, pictures)
    assert torch.equal(ours.vae.encode(pictures).latent_dist.mean, vae.encode(pictures).latent_dist.mean)


def test_the_hashes_of_the_embedded_model_are_those_of_earlier_records() -> None:
    found = model_hash(resolve_model("tinyworld", Path("/")))
    assert found["text_encoder"].startswith("7c01899f3879")


def test_loading_takes_no_random_numbers(tiny_model: Path) -> None:
    before = torch.get_rng_state()
    ours = family(tiny_model)
    assert ours.denoiser is not None
    assert ours.text_encoder is not None
    assert ours.vae is not None
    assert torch.equal(torch.get_rng_state(), before)


# -- names of older files ---------------------------------------------------------------------------------------------


def test_names_of_older_files_are_understood(model: Path, tiny_model: Path) -> None:
    def old_attention(tensors: dict[str, torch.Tensor]) -> None:
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            for name in [name for name in tensors if f".attentions.0.{new}." in name]:
                tensors[name.replace(new, old)] = tensors.pop(name)

    edit_weights(model / VAE, old_attention)
    assert any(".query." in name for name in load_file(model / VAE))
    edit_weights(
        model / TEXT, lambda tensors: tensors.update({"text_model.embeddings.position_ids": torch.arange(77)[None]})
    )
    ours, theirs = family(model), family(tiny_model)
    assert same(ours.vae, theirs.vae)
    assert same(ours.text_encoder, theirs.text_encoder)
    edit_weights(model / TEXT, lambda tensors: [tensors.update({name[11:]: tensors.pop(name)}) for name in [*tensors]])
    assert same(family(model).text_encoder, theirs.text_encoder)


# -- what does not fit ------------------------------------------------------------------------------------------------


def test_weights_that_do_not_fit_their_config_are_refused_by_name(model: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["conv_in.bias"]
        tensors["evil.weight"] = torch.zeros(2)
        tensors["conv_out.bias"] = torch.zeros(5)

    edit_weights(model / UNET, change)
    with pytest.raises(LabError) as refused:
        assert family(model).denoiser
    for words in (
        f"{model / UNET}: does not fit unet/config.json",
        "1 missing (conv_in.bias)",
        "1 not of this model (evil.weight)",
        "1 of another size (conv_out.bias: (5,) and not (4,))",
    ):
        assert words in str(refused.value)


def test_weights_that_are_whole_numbers_are_refused(model: Path) -> None:
    edit_weights(model / UNET, lambda tensors: tensors.update({"conv_in.bias": torch.ones(32, dtype=torch.int64)}))
    with pytest.raises(LabError, match=rf"{UNET}: conv_in\.bias holds whole numbers"):
        assert family(model).denoiser


def test_a_tensor_under_two_names_is_refused(model: Path) -> None:
    def twice(tensors: dict[str, torch.Tensor]) -> None:
        name = "text_model.final_layer_norm.bias"
        tensors["final_layer_norm.bias"] = torch.ones_like(tensors[name])

    edit_weights(model / TEXT, twice)
    with pytest.raises(LabError, match=r"not of this model .*final_layer_norm\.bias"):
        assert family(model).text_encoder


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("text_encoder", {"hidden_size": 8_000_000}),
        ("text_encoder", {"max_position_embeddings": 9_999_999}),
        ("text_encoder", {"num_hidden_layers": 99}),
        ("unet", {"block_out_channels": [8_000_000, 8_000_000]}),
        ("unet", {"layers_per_block": 50}),
        ("vae", {"block_out_channels": [4_000_000] * 4}),
    ],
)
def test_a_config_of_a_giant_is_refused_before_memory_is_taken(
    model: Path, part: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit_json(model / part / "config.json", **values)
    ours = family(model)
    monkeypatch.setattr("loratui.engine.families.parts.safe_open", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(LabError, match=rf"does not fit {part}/config\.json"):
        assert getattr(ours, {"unet": "denoiser"}.get(part, part))


@pytest.mark.parametrize("values", [{"hidden_size": 30}, {"hidden_act": "evil"}, {"num_attention_heads": 0}])
def test_a_config_that_makes_no_sense_is_refused_by_name(model: Path, values: dict[str, Any]) -> None:
    edit_json(model / "text_encoder/config.json", **values)
    with pytest.raises(LabError, match=r"text_encoder/config\.json: no text_encoder can be built of it: "):
        assert family(model).text_encoder


def test_a_config_cannot_ask_for_code_to_be_fetched(model: Path, tiny_model: Path) -> None:
    edit_json(
        model / "text_encoder/config.json",
        attn_implementation="somebody/kernel",
        _attn_implementation="somebody/kernel",
        auto_map={"AutoModel": "evil.Model"},
        quantization_config={"quant_method": "bitsandbytes"},
    )
    ours = family(model).text_encoder
    assert same(ours, family(tiny_model).text_encoder)
    assert ours.config._attn_implementation == "sdpa"


# -- what lies beside the weights -------------------------------------------------------------------------------------


def add_adapter(folder: Path) -> None:
    """As PEFT writes it: a LoRA that transformers applies by itself to what it loads from this folder."""
    width = json.loads((folder / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 64, "target_modules": ["q_proj"], "task_type": None}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    stem = "base_model.model.encoder.layers.0.self_attn.q_proj"
    ones = {f"{stem}.lora_A.weight": torch.ones(2, width), f"{stem}.lora_B.weight": torch.ones(width, 2)}
    save_file(ones, folder / "adapter_model.safetensors")


def test_an_adapter_in_a_base_model_is_refused(model: Path) -> None:
    add_adapter(model / "text_encoder")
    with pytest.raises(LabError, match=r"text_encoder: holds adapter_config\.json and adapter_model\.safetensors: "
                                       "an adapter in a base model would change it unseen; move it away"):  # fmt: skip
        inspect_model("model", model)


def probe_of(project: Path) -> float:
    record = read_record(new_run(project))
    return prepare(record, load_family(record, CPU, torch.float32), Accelerator(cpu=True), lambda _: None).probe()[0]


def test_an_adapter_that_nobody_refused_changes_neither_the_model_nor_what_others_find_in_the_cache(
    model: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = write_project(tmp_path / "honest", tiny_model)
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "fresh"))
    wanted = probe_of(honest)
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "shared"))
    add_adapter(model / "text_encoder")
    monkeypatch.setattr("loratui.lab.models.refuse_broken", lambda *_: None)
    theirs = CLIPTextModel.from_pretrained(model / "text_encoder")
    ours = family(model)
    assert not same(theirs, ours.text_encoder)  # it really is one that transformers applies
    assert same(ours.text_encoder, family(tiny_model).text_encoder)
    probe_of(write_project(tmp_path / "strange", model))
    assert probe_of(honest) == wanted


def test_weights_that_can_run_code_are_not_read_where_others_are_there(model: Path, tiny_model: Path) -> None:
    torch.save({}, model / "unet/diffusion_pytorch_model.bin")
    torch.save({}, model / "text_encoder/pytorch_model.bin")
    ours, theirs = family(model), family(tiny_model)
    assert same(ours.denoiser, theirs.denoiser)
    assert same(ours.text_encoder, theirs.text_encoder)
    (model / UNET).rename(model / "unet/diffusion_pytorch_model-00001-of-00001.safetensors")
    with pytest.raises(LabError, match=r"missing: unet/diffusion_pytorch_model\.safetensors\.index\.json"):
        inspect_model("model", model)


def test_shards_with_their_index_are_the_whole(model: Path, tiny_model: Path) -> None:
    UNet2DConditionModel.from_pretrained(tiny_model / "unet").save_pretrained(model / "cut", max_shard_size="300KB")
    shutil.rmtree(model / "unet")
    (model / "cut").rename(model / "unet")
    assert len(list((model / "unet").glob("*-of-*.safetensors"))) > 1
    assert same(family(model).denoiser, family(tiny_model).denoiser)


# -- the record's own model -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_run_refuses_a_base_model_that_is_not_the_one_in_its_record(model: Path, tmp_path: Path, part: str) -> None:
    record = read_record(new_run(write_project(tmp_path / "shapes", model)))
    file = {"tokenizer": "tokenizer/merges.txt", "scheduler": "scheduler/scheduler_config.json"}.get(
        part, f"{part}/config.json"
    )
    with (model / file).open("a", encoding="utf-8") as more:
        more.write("\n")
    with pytest.raises(LabError, match=rf"the base model changed since this run began: its {part}; "
                                       "put the old one back, or start a new run"):  # fmt: skip
        load_family(record, CPU, torch.float32)


def test_a_part_that_is_swapped_after_the_first_look_is_noticed(model: Path, tmp_path: Path) -> None:
    record = read_record(new_run(write_project(tmp_path / "shapes", model)))
    ours = load_family(record, CPU, torch.float32)
    edit_weights(model / UNET, lambda tensors: tensors["conv_in.bias"].add_(1))
    with pytest.raises(LabError, match="the base model changed since this run began: its unet"):
        assert ours.denoiser


def test_what_is_loaded_does_not_lie_in_the_file_any_more(model: Path, tiny_model: Path) -> None:
    ours = family(model).denoiser
    with (model / UNET).open("r+b") as file:
        file.seek(-1000, 2)
        file.write(b"\0" * 1000)
    assert same(ours, family(tiny_model).denoiser)
