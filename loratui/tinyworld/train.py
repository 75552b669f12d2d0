"""Trains tinyworld from nothing: `python -m loratui.tinyworld.train --work DIR`.

Five stages, each resumable and skipped when done: draw the scenes; train the text encoder; train the autoencoder;
encode the scenes; train the UNet. `--export FOLDER` writes what there is as a diffusers folder at any moment.
The same seed and the same machine give the same weights.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from loratui.tinyworld import anatomy, autoencoder, denoiser, text
from loratui.tinyworld.progress import Stage, autocast, batches, generator
from loratui.tinyworld.scenes import SIZE, draw, scene_at

STAGES = ("scenes", "text", "vae", "latents", "unet")


def draw_scenes(work: Path, seed: int, count: int) -> Path:
    """Render scenes 0..count-1 to one uint8 array file (count, 64, 64, 3)."""
    path, part = work / "scenes.npy", work / "scenes.part.npy"
    if not path.exists():
        out = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3))
        with multiprocessing.get_context("spawn").Pool() as pool:
            jobs = ((seed, start, min(start + 500, count)) for start in range(0, count, 500))
            for start, images in pool.imap_unordered(_some_scenes, jobs):
                out[start : start + len(images)] = images
        out.flush()
        part.replace(path)
    return path


def _some_scenes(job: tuple[int, int, int]) -> tuple[int, np.ndarray]:
    seed, start, end = job
    return start, np.stack([np.asarray(draw(scene_at(seed, i)[0])) for i in range(start, end)])


def train_text(work: Path, seed: int, steps: int, device: torch.device, deadline: float) -> text.Reader:
    reader = text.fresh(seed).to(device)
    stage = Stage("text", reader, steps, 1e-3, work / "text.pt", weight_decay=0.0)
    tokenizer = anatomy.tokenizer()

    def loss_at(step: int) -> dict[str, torch.Tensor]:
        ids, classes = text.batch_at(tokenizer, seed, step)
        with autocast(device):
            return text.losses(reader, ids.to(device), {k: v.to(device) for k, v in classes.items()})

    stage.run(loss_at, work / "report.jsonl", deadline)
    return reader.eval()


def train_vae(
    work: Path, seed: int, steps: int, device: torch.device, deadline: float, scenes: np.ndarray
) -> AutoencoderKL:
    vae = autoencoder.fresh(seed).to(device)
    stage = Stage("vae", vae, steps, 1e-3, work / "vae.pt", average_decay=0.995)
    pick = batches(seed + 1, len(scenes), autoencoder.BATCH, stage.step)

    def loss_at(step: int) -> dict[str, torch.Tensor]:
        pixels = autoencoder.to_pixels(scenes[next(pick).sort().values.numpy()]).to(device)
        with autocast(device):
            return autoencoder.losses(vae, pixels, generator(seed, step, stream=5))

    stage.run(loss_at, work / "report.jsonl", deadline)
    vae.load_state_dict(stage.finished())
    autoencoder.centre(vae.eval(), autoencoder.to_pixels(scenes[:2000]).to(device))
    return vae


def encode_scenes(work: Path, vae: AutoencoderKL, scenes: np.ndarray, device: torch.device) -> torch.Tensor:
    path, part = work / "latents.npy", work / "latents.part"
    if not path.exists():
        encoded = torch.cat(
            [autoencoder.latents_of(vae, scenes[i : i + 200], device) for i in range(0, len(scenes), 200)]
        )
        with part.open("wb") as file:
            np.save(file, encoded.numpy())
        part.replace(path)
    return torch.from_numpy(np.load(path))


def train_unet(
    work: Path,
    seed: int,
    steps: int,
    device: torch.device,
    deadline: float,
    encoder: CLIPTextModel,
    latents: torch.Tensor,
) -> UNet2DConditionModel:
    unet = denoiser.fresh(seed).to(device)
    stage = Stage("unet", unet, steps, 7e-4, work / "unet.pt", average_decay=0.999)
    task = denoiser.Denoising(unet, encoder, anatomy.tokenizer(), latents, seed, device)
    pick = batches(seed + 2, len(latents), denoiser.BATCH, stage.step)
    stage.run(lambda step: task.loss_at(step, next(pick)), work / "report.jsonl", deadline)
    unet.load_state_dict(stage.finished())
    return unet.eval()


def export(folder: Path, reader: text.Reader, vae: AutoencoderKL, unet: UNet2DConditionModel) -> None:
    """Write a diffusers folder, in half precision on disk; the parts themselves are left as they are."""
    for name, part in (("text_encoder", reader.encoder), ("vae", vae), ("unet", unet)):
        halves = type(part).from_config(part.config) if name != "text_encoder" else type(part)(part.config)
        halves.load_state_dict(part.state_dict())
        halves.half().save_pretrained(folder / name)
    # transformers would compute in the precision that the config names, and on a CPU that must be the full one.
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")
    anatomy.scheduler().save_pretrained(folder / "scheduler")
    if (folder / "tokenizer").resolve() != anatomy.TOKENIZER.resolve():
        shutil.copytree(anatomy.TOKENIZER, folder / "tokenizer", dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m loratui.tinyworld.train", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for scenes, latents and resumable states")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", choices=STAGES, default="unet", help="last stage to run")
    parser.add_argument("--scenes", type=int, default=80_000, help="how many scenes to draw")
    parser.add_argument("--text-steps", type=int, default=1000)
    parser.add_argument("--vae-steps", type=int, default=3000)
    parser.add_argument("--unet-steps", type=int, default=9_500)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop, saved, after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export", type=Path, help="write the diffusers folder here at the end")
    args = parser.parse_args(argv)

    args.work.mkdir(parents=True, exist_ok=True)
    device, deadline = torch.device(args.device), time.monotonic() + 60 * args.minutes
    last = STAGES.index(args.until)
    scenes = np.load(draw_scenes(args.work, args.seed, args.scenes), mmap_mode="r")
    if last < 1:
        return
    reader = train_text(args.work, args.seed, args.text_steps, device, deadline)
    if last < 2:
        return
    vae = train_vae(args.work, args.seed, args.vae_steps, device, deadline, scenes)
    if last < 3:
        return
    latents = encode_scenes(args.work, vae, scenes, device)
    if last < 4:
        return
    unet = train_unet(args.work, args.seed, args.unet_steps, device, deadline, reader.encoder, latents)
    if args.export:
        export(args.export, reader, vae, unet)


if __name__ == "__main__":
    main()
