"""A base model is found by name, folder or hub id, told what it is without torch, and refused in words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

from loratui.lab import modelfiles, models
from loratui.lab.errors import LabError
from loratui.lab.models import ModelAbsent, ModelFolder, model_facts, model_hash, resolve_model
from tests.hollow import hollow_weights

UNET = {"cross_attention_dim": 768, "in_channels": 4, "sample_size": 64, "block_out_channels": [320, 640, 1280, 1280]}
WEIGHTS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")
VAE = {"latent_channels": 4, "block_out_channels": [128, 256, 512, 512]}


def build(folder: Path, unet: dict[str, Any] | None = None, pipeline: str = "StableDiffusionPipeline") -> Path:
    """The layout of SD 1.5, with a few bytes for weights."""
    for part, name, content in (
        ("unet", "config.json", {**UNET, **(unet or {})}),
        ("vae", "config.json", VAE),
        ("text_encoder", "config.json", {"hidden_size": 768, "max_position_embeddings": 77}),
        ("scheduler", "scheduler_config.json", {"prediction_type": "epsilon"}),
        ("tokenizer", "vocab.json", {}),
        ("tokenizer", "merges.txt", {}),
        (".", "model_index.json", {"_class_name": pipeline}),
    ):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / name).write_text(json.dumps(content))
    for file in WEIGHTS:
        (folder / f"{file}.safetensors").write_bytes(hollow_weights(file))
    return folder


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test looks into the person's caches or asks the network."""
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def nowhere(*_: Any, **__: Any) -> str:
        raise FileNotFoundError("no such snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", nowhere)


def snapshot_in(cache: Path, commit: str = "0" * 40) -> Path:
    """Where the hub's library keeps the main branch of owner/name."""
    repository = cache / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    return repository / "snapshots" / commit


class Hub:
    """Stands in for the hub: what was asked for, and a repository that is copied as far as the patterns go."""

    def __init__(self, repository: Path, snapshot: Path) -> None:
        self.repository, self.snapshot = repository, snapshot
        self.asked: list[list[str]] = []

    def __call__(self, repository: str, revision: str | None, allow_patterns: list[str]) -> str:
        self.asked.append(allow_patterns)
        for file in sorted(path for path in self.repository.rglob("*") if path.is_file()):
            name = str(file.relative_to(self.repository))
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                (self.snapshot / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, self.snapshot / name)
        return str(self.snapshot)


def test_a_folder_is_found_relative_to_the_project_absolute_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(tmp_path / "models" / "sd15")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, project in (("models/sd15", tmp_path), (str(folder), Path("/")), ("~/models/sd15", Path("/"))):
        assert resolve_model(name, project) == ModelFolder(name, folder, "sd1")


def test_an_embedded_model_goes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_PACKAGE", tmp_path / "package")
    inside = build(tmp_path / "package" / "tinyworld" / "model")
    build(tmp_path / "project" / "tinyworld")
    assert resolve_model("tinyworld", tmp_path / "project").path == inside
    assert models.embedded_models() == ["tinyworld"]


def test_what_a_model_is_is_read_from_its_configs(tmp_path: Path) -> None:
    facts = model_facts(resolve_model(str(build(tmp_path / "m")), tmp_path))
    assert (facts.resolution, facts.align, facts.vae_factor) == (512, 64, 8)
    assert (facts.prediction_type, facts.scaling_factor, facts.max_tokens, facts.text_width) == (
        "epsilon",
        0.18215,
        77,
        768,
    )
    small = build(tmp_path / "s", {"sample_size": 16, "block_out_channels": [48, 128, 192]})
    (small / "vae" / "config.json").write_text(json.dumps({"latent_channels": 4, "block_out_channels": [32, 64, 64]}))
    facts = model_facts(resolve_model(str(small), tmp_path))
    assert (facts.resolution, facts.align, facts.vae_factor) == (64, 16, 4)


@pytest.mark.parametrize(
    ("unet", "pipeline", "named"),
    [
        ({}, "StableDiffusionXLPipeline", "StableDiffusionXLPipeline"),
        ({}, "FluxPipeline", "FluxPipeline"),
        ({"addition_embed_type": "text_time"}, "StableDiffusionPipeline", "text_time"),
        ({"use_linear_projection": True}, "StableDiffusionPipeline", r"Stable Diffusion 2\.x"),
        ({"in_channels": 9}, "StableDiffusionPipeline", "inpainting"),
    ],
)
def test_another_family_is_refused_by_name(tmp_path: Path, unet: dict[str, Any], pipeline: str, named: str) -> None:
    folder = build(tmp_path / "m", unet, pipeline)
    with pytest.raises(LabError, match=rf"{folder}: family not supported yet: .*{named}.*SD 1\.x models"):
        resolve_model(str(folder), tmp_path)


@pytest.mark.parametrize("name", ["v1-5.safetensors", "models/v1-5.ckpt"])
def test_a_single_file_is_refused_with_a_way_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match=rf"{name}.*single file.*from_single_file"):
        resolve_model(name, tmp_path)


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("model_index.json", r"model_index\.json: missing; it is not a model in the diffusers layout"),
        ("unet/config.json", "missing: unet/config.json"),
        ("vae/diffusion_pytorch_model.safetensors", "missing: vae/diffusion_pytorch_model.safetensors"),
        ("tokenizer/merges.txt", "tokenizer/vocab.json and tokenizer/merges.txt"),
        ("scheduler/scheduler_config.json", "scheduler/scheduler_config.json"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, gone: str, named: str) -> None:
    folder = build(tmp_path / "m")
    (folder / gone).unlink()
    with pytest.raises(LabError, match=named):
        resolve_model(str(folder), tmp_path)


def test_weights_in_another_variant_are_pointed_out(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    for file in WEIGHTS:
        (folder / f"{file}.safetensors").rename(folder / f"{file}.fp16.safetensors")
    with pytest.raises(LabError, match=r"set base\.variant to 'fp16'"):
        resolve_model(str(folder), tmp_path)
    model = resolve_model(str(folder), tmp_path, variant="fp16")
    assert model.weight_files("unet") == (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors",)
    assert len(model_hash(model)) == 5


def test_weights_that_can_run_code_are_not_read(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(LabError, match=r"\.bin weights, which can run code"):
        resolve_model(str(folder), tmp_path)


def cut_up(folder: Path) -> tuple[Path, dict[str, str]]:
    """The UNet in two shards; returns the path of their index, and its weight_map."""
    whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
    names = [f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for name, tensor in zip(names, "ab", strict=True):
        whole.with_name(name).write_bytes(hollow_weights("x").replace(b"hollow", tensor.encode() * 6))
    whole.unlink()
    index, weight_map = whole.with_name(f"{whole.name}.index.json"), {"a" * 6: names[0], "b" * 6: names[1]}
    index.write_text(json.dumps({"weight_map": weight_map}))
    return index, weight_map


def test_weights_in_shards_are_a_whole_with_their_index(tmp_path: Path) -> None:
    index, weight_map = cut_up(build(tmp_path / "m"))
    model = resolve_model("m", tmp_path)
    assert [file.name[24:29] for file in model.weight_files("unet")] == ["00001", "00002"]
    before = model_hash(model)
    index.write_text(json.dumps({"weight_map": weight_map, "metadata": {}}))
    assert model_hash(model)["unet"] != before["unet"]


def test_shards_that_are_not_what_their_index_says_are_refused(tmp_path: Path) -> None:
    index, weight_map = cut_up(build(tmp_path / "m"))
    first, second = weight_map
    for other, why in (
        ({first: weight_map[first], second: weight_map[first]}, "does not fit"),
        ({first: weight_map[first]}, rf"does not fit {weight_map[second]} beside it"),
        ({**weight_map, "c": "diffusion_pytorch_model-00003-of-00003.safetensors"}, "missing: unet/.*00003-of-00003"),
        ({**weight_map, "c": "../vae/diffusion_pytorch_model.safetensors"}, "names the shard '../vae/.*no file beside"),
        ({**weight_map, "c": "/etc/x.safetensors"}, "which is no file beside it"),
        ({**weight_map, "c": 3}, "has no weight_map"),
        ([], "has no weight_map"),
    ):
        index.write_text(json.dumps({"weight_map": other}))
        with pytest.raises(LabError, match=why):
            resolve_model("m", tmp_path)
    index.unlink()
    with pytest.raises(LabError, match=r"missing: unet/diffusion_pytorch_model\.safetensors\.index\.json, which says"):
        resolve_model("m", tmp_path)


def test_weights_that_are_cut_short_are_found_without_loading_them(tmp_path: Path) -> None:
    weights = build(tmp_path / "m") / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-20])
    told = rf"{weights}: cut short: {len(whole) - 20} of {len(whole)} bytes are there; download or copy"
    with pytest.raises(LabError, match=told):
        resolve_model("m", tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.bin", "adapter_model.safetensors"])
def test_an_adapter_in_a_part_is_refused(tmp_path: Path, part: str, name: str) -> None:
    folder = build(tmp_path / "m")
    (folder / part / name).write_bytes(b"")
    with pytest.raises(LabError, match=rf"m/{part}: holds {name}: an adapter .* move it away, or merge it"):
        resolve_model("m", tmp_path)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"prediction_type": "sample"}, "prediction_type = 'sample' is not supported; epsilon and v_prediction are"),
        ({"prediction_type": None}, "prediction_type = None is not supported"),
        ({"prediction_type": "flow_prediction"}, "prediction_type = 'flow_prediction': a flow model, which is not"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "_class_name = 'FlowMatchEulerDiscreteScheduler': a flow"),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True}, "use_flow_sigmas = True: a flow"),
        ({"_class_name": "EDMEulerScheduler"}, "_class_name = 'EDMEulerScheduler' is not supported"),
        ({"_class_name": ["DDIMScheduler"]}, "is not supported"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule = 'sigmoid' is not supported; linear, scaled_linear and"),
        ({"beta_start": "0.1"}, "beta_start or beta_end cannot be"),
        ({"beta_end": 3}, "beta_start or beta_end cannot be"),
        ({"num_train_timesteps": 1000.5}, "num_train_timesteps = 1000.5 cannot be"),
        ({"num_train_timesteps": 10**12}, "num_train_timesteps = 1000000000000 cannot be"),
        ({"num_train_timesteps": True}, "num_train_timesteps = True cannot be"),
        ({"num_train_timesteps": 3, "trained_betas": [0.1, 0.2]}, "trained_betas cannot be; it is null, or 3 numbers"),
    ],
)
def test_a_schedule_of_another_kind_is_refused_with_the_file_and_the_value(
    tmp_path: Path, values: dict[str, Any], why: str
) -> None:
    file = build(tmp_path / "m") / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(values))
    with pytest.raises(LabError, match=rf"{file}: .*{why}"):
        resolve_model("m", tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "trained_betas": None},
        {"_class_name": "EulerAncestralDiscreteScheduler", "prediction_type": "v_prediction"},
        {"_class_name": "DPMSolverMultistepScheduler", "beta_schedule": "squaredcos_cap_v2", "use_flow_sigmas": False},
        {"num_train_timesteps": 2, "trained_betas": [0.1, 0.2]},
    ],
)
def test_the_schedules_of_ddpm_are_taken_whatever_sampler_they_are_saved_for(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    (build(tmp_path / "m") / "scheduler" / "scheduler_config.json").write_text(json.dumps(values))
    assert resolve_model("m", tmp_path).family == "sd1"


@pytest.mark.parametrize(
    ("part", "values", "why"),
    [
        ("text_encoder", {"hidden_size": 10**9}, "hidden_size = 1000000000 cannot be"),
        ("text_encoder", {"num_hidden_layers": 10**6}, "num_hidden_layers = 1000000 cannot be"),
        ("unet", {"layers_per_block": [2, 101]}, "layers_per_block = 101 cannot be"),
        ("unet", {"transformer_layers_per_block": [1, [2, [10**5]]]}, "transformer_layers_per_block = 100000"),
        ("vae", {"block_out_channels": [1] * 101}, "the length of block_out_channels = 101 cannot be"),
        ("vae", {"scaling_factor": float("inf")}, "scaling_factor = inf cannot be"),
    ],
)
def test_a_config_with_sizes_that_no_model_has_is_refused(
    tmp_path: Path, part: str, values: dict[str, Any], why: str
) -> None:
    file = build(tmp_path / "m") / part / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    with pytest.raises(LabError, match=rf"{file}: {why}"):
        resolve_model("m", tmp_path)


@pytest.mark.parametrize("name", ["unet/config.json", "scheduler/scheduler_config.json", "model_index.json"])
def test_a_fifo_or_a_giant_in_place_of_a_config_is_refused_at_once(tmp_path: Path, name: str) -> None:
    file = build(tmp_path / "m") / name
    with file.open("ab") as giant:
        giant.truncate(1 << 40)
    with pytest.raises(LabError, match=rf"{name}: cannot be read: larger than"):
        resolve_model("m", tmp_path)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(LabError, match=name):
        resolve_model("m", tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", '{"block_out_channels": 3}'])
def test_a_damaged_config_is_named(tmp_path: Path, content: str) -> None:
    folder = build(tmp_path / "m")
    (folder / "vae" / "config.json").write_text(content)
    with pytest.raises(LabError, match=str(folder)):
        model_facts(resolve_model(str(folder), tmp_path))


def test_a_cached_snapshot_is_used_without_asking_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build(snapshot_in(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("the network was asked"))
    for download in (False, True):
        assert resolve_model("owner/name", tmp_path, download=download) == ModelFolder("owner/name", folder, "sd1")
    (tmp_path / "hub/models--owner--name/refs/v1").write_text("1" * 40)
    other = build(tmp_path / "hub/models--owner--name/snapshots" / ("1" * 40))
    for revision in ("v1", "1" * 40):
        assert resolve_model("owner/name", tmp_path, revision=revision).path == other


def test_a_real_hugging_face_cache_is_read_offline_with_its_own_conventions(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--owner--name"
    snapshot = build(repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    script = (
        "import sys; from pathlib import Path; from loratui.lab.models import resolve_model\n"
        "print(resolve_model('owner/name', Path(sys.argv[1])).path)"
    )
    for place in ({"HF_HUB_CACHE": str(tmp_path / "hub")}, {"HF_HOME": str(tmp_path)}):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        out = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True, text=True, env={**kept, "HF_HUB_OFFLINE": "1", **place},
        )  # fmt: skip
        assert out.stdout.strip() == str(snapshot), out.stderr


def test_a_look_at_a_model_never_downloads_it_and_says_who_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("something was downloaded"))
    with pytest.raises(ModelAbsent) as absent:
        resolve_model("owner/name", tmp_path)
    for words in ('base.model = "owner/name" is not on this machine yet', str(tmp_path / "hub"), "missing: all of it",
                  str(tmp_path / "owner/name"), "A look downloads nothing; the start of a run does"):  # fmt: skip
        assert words in str(absent.value)
    (build(snapshot_in(tmp_path / "hub")) / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelAbsent, match=r"missing: unet/diffusion_pytorch_model\.safetensors"):
        resolve_model("owner/name", tmp_path)


def test_just_the_files_that_are_read_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = build(tmp_path / "there")
    wanted = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    wanted = {name.replace(".safetensors", ".fp16.safetensors") for name in wanted}
    for file in WEIGHTS:
        (repository / f"{file}.fp16.safetensors").write_bytes(hollow_weights(file))
    for name in (
        "unet/diffusion_pytorch_model.fp16.bin",
        "unet/diffusion_pytorch_model.non_ema.fp16.safetensors",
        "text_encoder/adapter_config.json",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
    ):
        (repository / name).write_bytes(b"x")
    hub = Hub(repository, snapshot_in(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    model = resolve_model("owner/name", tmp_path, variant="fp16", download=True)
    assert {str(path.relative_to(hub.snapshot)) for path in hub.snapshot.rglob("*") if path.is_file()} == wanted
    assert model.weight_files("unet") == (hub.snapshot / "unet" / "diffusion_pytorch_model.fp16.safetensors",)
    assert resolve_model("owner/name", tmp_path, variant="fp16") == model
    assert len(hub.asked) == 2


def test_shards_are_downloaded_with_their_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_up(build(tmp_path / "there"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", Hub(tmp_path / "there", snapshot_in(tmp_path / "hub")))
    assert len(resolve_model("owner/name", tmp_path, download=True).weight_files("unet")) == 2


def test_of_another_family_no_weights_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(build(tmp_path / "there", pipeline="FluxPipeline"), snapshot_in(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    for download in (True, False):  # the second time its index is here
        with pytest.raises(LabError, match=r"family not supported yet: FluxPipeline; SD 1\.x models"):
            resolve_model("owner/name", tmp_path, download=download)
    assert hub.asked == [["model_index.json"]]


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_model_that_wants_its_terms_accepted_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, wrapped: bool
) -> None:
    def gated(*_: Any, **__: Any) -> str:
        answer: Any = SimpleNamespace(status_code=code, headers={}, request=None)
        refused = GatedRepoError("gated", response=answer)
        if wrapped:
            raise LocalEntryNotFoundError("not on this machine") from refused
        raise refused

    monkeypatch.setattr(huggingface_hub, "snapshot_download", gated)
    with pytest.raises(LabError, match=r"accept its terms on https://huggingface\.co/owner/name, then log in with: "
                                       "hf auth login$"):  # fmt: skip
        resolve_model("owner/name", tmp_path, download=True)


def test_a_model_that_is_nowhere_is_refused_with_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError) as refused:
        resolve_model("owner/name", tmp_path, download=True)
    for word in ("owner/name", "embedded models", str(tmp_path / "owner/name"), "cache", "downloading failed"):
        assert word in str(refused.value)
    assert "Hugging Face id" not in str(refused.value)  # it is one
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LabError, match="HF_HUB_OFFLINE is set; unset it"):
        resolve_model("owner/name", tmp_path, download=True)
    with pytest.raises(LabError) as refused:
        resolve_model("nosuchmodel", tmp_path)
    assert "Hugging Face cache" not in str(refused.value)
    with pytest.raises(LabError, match="empty"):
        resolve_model("", tmp_path)


def test_the_hash_of_a_part_follows_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    model = resolve_model(str(folder), tmp_path)
    before = model_hash(model)
    assert list(before) == ["unet", "vae", "text_encoder", "tokenizer", "scheduler"]
    (folder / "unet" / "README.md").write_text("unread")
    assert model_hash(model) == before
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(hollow_weights("other weights"))
    after = model_hash(model)
    assert [part for part in before if before[part] != after[part]] == ["unet"]
    copy = resolve_model(str(build(tmp_path / "copy")), tmp_path)
    assert model_hash(copy) == before


def test_weights_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = resolve_model(str(build(tmp_path / "m")), tmp_path)
    before = model_hash(model)
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return "0" * 64

    monkeypatch.setattr(modelfiles, "sha256_file", counted)
    assert model_hash(model) == before
    assert read == []
    weights = model.weight_files("unet")[0]
    os.utime(weights, ns=(1, 1))
    assert model_hash(model)["unet"] != before["unet"]
    assert read == [weights]


def test_other_weights_of_the_same_size_and_time_are_noticed(tmp_path: Path) -> None:
    model = resolve_model(str(build(tmp_path / "m")), tmp_path)
    (weights,) = model.weight_files("unet")
    before, facts = model_hash(model), weights.stat()
    content = weights.read_bytes()
    with weights.open("r+b") as file:  # in place, as rsync --inplace
        file.write(content[:-1] + b"!")
    os.utime(weights, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    changed = model_hash(model)
    assert changed["unet"] != before["unet"]
    copy = weights.with_name("copy")  # or another file under the name, as cp -p and mv
    copy.write_bytes(content)
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    copy.replace(weights)
    assert model_hash(model) == before


def test_a_file_that_changes_while_it_is_hashed_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = resolve_model(str(build(tmp_path / "m")), tmp_path)
    (weights,) = model.weight_files("unet")

    def meanwhile(path: Path) -> str:
        if path == weights:
            weights.write_bytes(hollow_weights("longer than it was"))
        return "0" * 64

    monkeypatch.setattr(modelfiles, "sha256_file", meanwhile)
    with pytest.raises(LabError, match=f"{weights}: changed while it was read"):
        model_hash(model)


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    model = resolve_model(str(build(tmp_path / "m")), tmp_path)
    before = model_hash(model)
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "file"))
    assert model_hash(model) == before


def test_looking_at_a_model_needs_no_torch_and_no_hub(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from loratui.lab.models import *\n"
        "model = resolve_model(sys.argv[1], Path('/')); model_facts(model); model_hash(model)\n"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(build(tmp_path / "m"))], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
