"""A Stable Diffusion 1.x with everything but weights: what lab reads of a model, in milliseconds and without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

TOKENIZER = Path(__file__).parent.parent / "loratui/tinyworld/model/tokenizer"
CONFIGS = {
    "model_index.json": {"_class_name": "StableDiffusionPipeline"},
    "unet/config.json": {"sample_size": 8, "block_out_channels": [32, 64], "cross_attention_dim": 32},
    "vae/config.json": {"latent_channels": 4, "block_out_channels": [8, 8, 16, 16]},
    "text_encoder/config.json": {"hidden_size": 32, "max_position_embeddings": 77},
    "scheduler/scheduler_config.json": {"prediction_type": "epsilon"},
}
WEIGHTS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")


def hollow_weights(text: str) -> bytes:
    """A safetensors file that is in order, and no weights: its one tensor is the bytes of a text."""
    tensor = {"dtype": "U8", "shape": [len(text)], "data_offsets": [0, len(text)]}
    header = json.dumps({"hollow": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + text.encode()


def build_hollow_model(folder: Path) -> Path:
    """Its pictures are 64 pixels wide, in multiples of 16."""
    for name, content in CONFIGS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    for name in WEIGHTS:
        (folder / f"{name}.safetensors").write_bytes(hollow_weights(name))
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    return folder
