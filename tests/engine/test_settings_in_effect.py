"""Settings do what they say, seen in what a run leaves behind or in the numbers it trains on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from loratui.engine import noise
from loratui.engine.export import payload_hash
from loratui.engine.families.sd1 import StableDiffusion1
from loratui.engine.machine import pick_device, pick_dtype
from loratui.engine.optimizer import build, rate_factor
from loratui.lab.errors import LabError
from loratui.lab.models import inspect_model, model_hash
from loratui.lab.project.settings import Train
from loratui.lab.run.runs import RunFolder, read_state
from tests.processes import final_lora, losses, new_run, train, write_project

QUICK = ("sample.every=never", "train.steps=3", "lora.rank=2", "train.log_every=1")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = write_project(tmp_path_factory.mktemp("effects") / "shapes", tiny_model)
    Image.new("RGB", (192, 96), "gray").save(folder / "dataset" / "wide.png")
    return folder


def trained(project: Path, *overrides: str) -> RunFolder:
    run = new_run(project, *QUICK, *overrides)
    assert train(run) == 0, read_state(run).reason
    return run


def keys(path: Path) -> set[str]:
    with safe_open(path, "pt") as file:
        return set(file.keys())


def test_gradient_checkpointing_changes_nothing_but_the_memory(project: Path) -> None:
    plain, saving = trained(project), trained(project, "train.gradient_checkpointing=true")
    assert losses(plain) == losses(saving)
    assert payload_hash(final_lora(plain)) == payload_hash(final_lora(saving))


def test_looking_changes_nothing(project: Path) -> None:
    looking = ("sample.every=1", "sample.seeds=[1]", "sample.inference_steps=[1]", "train.probe_every=1")
    seen, unseen = trained(project, *looking), trained(project, "train.probe_every=0")
    assert losses(seen) == losses(unseen)
    assert payload_hash(final_lora(seen)) == payload_hash(final_lora(unseen))


def test_bf16_trains_near_what_fp32_trains(project: Path) -> None:
    full, half = trained(project, "train.precision=fp32"), trained(project, "train.precision=bf16")
    for step, loss in losses(full).items():
        assert losses(half)[step] == pytest.approx(loss, rel=0.05)
        assert losses(half)[step] != loss


def test_a_trained_text_encoder_is_in_the_file_and_has_moved(project: Path) -> None:
    with safe_open(final_lora(trained(project, "lora.text_encoder=true")), "pt") as file:
        ups = [key for key in file.keys() if key.startswith("lora_te_") and key.endswith("lora_up.weight")]  # noqa: SIM118
        assert ups
        assert all(file.get_tensor(key).abs().max() > 0 for key in ups)


def test_targets_grow_from_attention_to_linear_to_conv(project: Path) -> None:
    attention, linear, conv = (
        keys(final_lora(trained(project, f"lora.targets={kind}"))) for kind in ("attention", "linear", "conv")
    )
    assert attention < linear < conv
    assert any("ff_net_0_proj" in key for key in linear - attention)
    assert any("conv1" in key for key in conv - linear)


def test_buckets_keep_a_wide_image_wide(project: Path) -> None:
    buckets = {image["name"]: image["bucket"] for image in trained(project).read_captions()}
    assert buckets["circle.png"] == [64, 64]
    assert buckets["wide.png"][0] > buckets["wide.png"][1]
    square = {tuple(i["bucket"]) for i in trained(project, "dataset.buckets=false").read_captions()}
    assert square == {(64, 64)}


def test_min_snr_weights_are_the_papers(tiny_model: Path) -> None:
    model = inspect_model("tiny", tiny_model)
    family = StableDiffusion1(model, model_hash(model), torch.device("cpu"), torch.float32)
    timesteps = torch.tensor([0, 250, 500, 999])
    signal = family.scheduler.alphas_cumprod[timesteps]
    snr = signal / (1 - signal)
    expected = torch.minimum(snr, torch.full_like(snr, 5.0)) / snr
    torch.testing.assert_close(family.loss_weights(timesteps, 5.0), expected)
    assert family.loss_weights(timesteps, 5.0)[-1] == 1


def test_noise_and_timesteps_are_functions_of_seed_and_step_alone() -> None:
    shape = (2, 4, 8, 8)
    draw = noise.training_draw(1, 2, 0, shape, 1000, 0.0)
    again = noise.training_draw(1, 2, 0, shape, 1000, 0.0)
    assert torch.equal(draw.noise, again.noise)
    assert torch.equal(draw.timesteps, again.timesteps)
    for other in ((2, 2, 0), (1, 3, 0), (1, 2, 1)):
        assert not torch.equal(noise.training_draw(*other, shape, 1000, 0.0).noise, draw.noise)
    offset = noise.training_draw(1, 2, 0, shape, 1000, 0.5)
    shift = offset.noise - draw.noise
    assert torch.equal(offset.timesteps, draw.timesteps)
    assert (shift - shift.mean(dim=(2, 3), keepdim=True)).abs().max() < 1e-5
    assert shift.abs().max() > 0.01


def test_timesteps_are_uniform() -> None:
    drawn = torch.cat([noise.training_draw(0, step, 0, (8, 1, 1, 1), 1000, 0.0).timesteps for step in range(2000)])
    counts = torch.histc(drawn.float(), bins=10, min=0, max=1000)
    assert (counts - 1600).abs().max() < 5 * math.sqrt(1600)
    assert (drawn.min(), drawn.max()) == (0, 999)


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [("constant", 0, 0.25), ("constant", 3, 1.0), ("constant", 50, 1.0), ("linear", 4, 1.0), ("linear", 52, 0.5),
     ("cosine", 4, 1.0), ("cosine", 52, 0.5), ("cosine", 99, 0.5 * (1 + math.cos(math.pi * 95 / 96)))],
)  # fmt: skip
def test_the_learning_rate_is_a_function_of_the_step(schedule: str, step: int, factor: float) -> None:
    assert rate_factor(step, 100, schedule, warmup=4) == pytest.approx(factor)


def test_the_text_encoder_has_its_own_learning_rate() -> None:
    models = {"unet": torch.nn.Linear(2, 2), "text_encoder": torch.nn.Linear(2, 2)}
    groups = build(models, Train(learning_rate=1e-3, text_encoder_learning_rate=1e-5)).param_groups
    assert [group["lr"] for group in groups] == [1e-3, 1e-5]


def test_an_optimizer_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
    with pytest.raises(LabError, match="adamw8bit needs bitsandbytes"):
        build({"unet": torch.nn.Linear(2, 2)}, Train(optimizer="adamw8bit"))


def test_devices_that_are_not_there_are_refused() -> None:
    missing = "cuda:7" if torch.cuda.is_available() else "cuda"
    with pytest.raises(LabError, match=r"train\.device"):
        pick_device(missing)
    with pytest.raises(LabError, match=r"train\.precision"):
        pick_dtype("fp16", torch.device("cpu"))
