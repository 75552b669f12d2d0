"""A tiny random Stable Diffusion 1.x, laid out on disk as the real one is. Its pictures are noise; its parts,
names, shapes and configuration are what code meets in a real checkpoint.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

TOKENIZER = Path(__file__).parent.parent / "loratui/tinyworld/model/tokenizer"

WIDTH = 32  # of the text encoder's states
RESOLUTION = 64  # pixels; latents are 8x8
SCHEDULER = {  # the file of SD 1.5
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def build_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write the model into `folder` (made here) and return it; the weights are a function of `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet().save_pretrained(folder / "unet")
        autoencoder().save_pretrained(folder / "vae")
        _save_text_encoder(text_encoder(), folder / "text_encoder")
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    (folder / "scheduler").mkdir()
    _write_json(folder / "scheduler/scheduler_config.json", SCHEDULER)
    _write_json(folder / "model_index.json", INDEX)
    return folder


def unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=RESOLUTION // 8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads: diffusers keeps the historical name
    )


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=RESOLUTION,
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
    )


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=0,  # these three are wrong in SD 1.x's own file, and so they are here
            eos_token_id=2,
            pad_token_id=1,
        )
    )


def _save_text_encoder(model: CLIPTextModel, folder: Path) -> None:
    """As real checkpoints have it: names begin with `text_model.`, which transformers 5 no longer writes."""
    folder.mkdir(parents=True)
    model.config.architectures = ["CLIPTextModel"]
    model.config.save_pretrained(folder)
    weights = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
