"""A model of Stable Diffusion 1.5's very shapes with random weights: it draws noise, at the real one's pace.

For benchmarks on a GPU where the real weights are not at hand; speed does not depend on what the weights are.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from tests.models import INDEX, SCHEDULER, TOKENIZER


def build_random_sd15(folder: Path, device: torch.device) -> Path:
    """Write a diffusers folder of about 2 GB, in half precision, and return it. Weights are drawn on the device."""
    with torch.random.fork_rng(), device:
        torch.manual_seed(0)
        unet().half().save_pretrained(folder / "unet")
        autoencoder().half().save_pretrained(folder / "vae")
        text_encoder().half().save_pretrained(folder / "text_encoder")
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER), encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps(INDEX), encoding="utf-8")
    return folder


def unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,  # the number of heads: diffusers keeps the historical name
    )


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=512,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            projection_dim=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=77,
        )
    )
