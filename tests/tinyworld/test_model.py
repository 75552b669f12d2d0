"""The embedded model: a plain Stable Diffusion 1.x folder, small enough to ship, that draws what it is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from loratui.lab.models import model_facts, resolve_model
from loratui.tinyworld.scenes import SIZE, draw, scene_at

MODEL = Path(__file__).parents[2] / "loratui" / "tinyworld" / "model"


@pytest.fixture(scope="module")
def pipe() -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline.from_pretrained(MODEL)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_it_is_found_by_its_name_and_by_nothing_else(tmp_path: Path) -> None:
    model = resolve_model("tinyworld", tmp_path)
    assert (model.path, model.family) == (MODEL, "sd1")
    facts = model_facts(model)
    assert (facts.resolution, facts.prediction_type) == (SIZE, "epsilon")


def test_the_weights_fit_into_48_megabytes() -> None:
    weights = list(MODEL.rglob("*.safetensors"))
    assert {path.parent.name for path in weights} == {"unet", "vae", "text_encoder"}
    assert sum(path.stat().st_size for path in weights) <= 48_000_000


def test_the_scheduler_is_stable_diffusions() -> None:
    config = json.loads((MODEL / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    assert (config["beta_start"], config["beta_end"], config["beta_schedule"]) == (0.00085, 0.012, "scaled_linear")
    assert config["prediction_type"] == "epsilon"


def test_the_pipeline_computes_in_full_precision(pipe: StableDiffusionPipeline) -> None:
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {torch.float32}


def test_latents_have_mean_zero_and_variance_one_and_decode_to_the_picture(pipe: StableDiffusionPipeline) -> None:
    scenes = np.stack([np.asarray(draw(scene_at(77, i)[0])) for i in range(100)])
    pixels = torch.from_numpy(scenes).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        latents = pipe.vae.encode(pixels).latent_dist.mean
        back = pipe.vae.decode(latents).sample.clamp(-1, 1)
    scaled = latents * pipe.vae.config.scaling_factor
    assert scaled.mean(dim=(0, 2, 3)).abs().max() < 0.35
    assert 0.8 < scaled.std() < 1.2
    psnr = 10 * torch.log10(4 / (back - pixels).square().mean(dim=(1, 2, 3)))
    assert psnr.mean() >= 27


def test_it_binds_colours_to_things(pipe: StableDiffusionPipeline) -> None:
    """Four prompts, each colour measured as the median of the middle of the picture and of its corners."""
    wanted = {
        "red square, white background": ((222, 26, 34), (252, 252, 252)),
        "blue circle, yellow background": ((30, 76, 222), (255, 226, 28)),
        "green square, black background": ((28, 158, 62), (18, 18, 20)),
        "yellow circle, blue background": ((255, 226, 28), (30, 76, 222)),
    }
    noise = [torch.Generator().manual_seed(seed) for seed in range(4)]
    pictures = pipe(list(wanted), num_inference_steps=25, guidance_scale=4.0, generator=noise, output_type="np").images
    right = 0
    for picture, (thing, ground) in zip(pictures * 255, wanted.values(), strict=True):
        middle = np.median(picture[24:40, 24:40].reshape(-1, 3), axis=0)
        corners = np.median(np.concatenate([picture[:5, :5], picture[:5, -5:]]).reshape(-1, 3), axis=0)
        right += np.abs(middle - thing).max() < 70
        right += np.abs(corners - ground).max() < 70
    assert right >= 7
