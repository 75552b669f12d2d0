"""A LoRA trained by the method of diffusers' own text-to-image example, the thing most people would start from.

Every step opens its images, transforms them, tokenises their captions and runs autoencoder and text encoder; the
model is prepared by accelerate and gradients accumulate in its context; two numbers are read off the device in each
step, the gathered loss and the one shown on the progress bar. Validation, trackers and checkpoints are left out, in
its favour. Nothing here is shared with loratui's engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from peft import LoraConfig
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging

from loratui.lab.run.record import Record

Item = dict[str, torch.Tensor]


class Pictures(Dataset[Item]):
    """Images and captions as they are on disk, each as often as it repeats."""

    def __init__(self, record: Record, tokenizer: Any) -> None:
        self.images = [image for image in record.images for _ in range(image.repeats)]
        self.resolution, self.tokenizer = record.resolution, tokenizer

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        image = self.images[index]
        with Image.open(image.path) as file:
            picture = file.convert("RGB")
        scale = self.resolution / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        left, top = (size[0] - self.resolution) // 2, (size[1] - self.resolution) // 2
        picture = picture.crop((left, top, left + self.resolution, top + self.resolution))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        words = self.tokenizer(
            image.caption,
            max_length=self.tokenizer.model_max_length,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        )
        return {"pixel_values": (pixels - 0.5) / 0.5, "input_ids": words.input_ids[0]}


def collate(items: Sequence[Item]) -> Item:
    return {key: torch.stack([item[key] for item in items]).contiguous() for key in items[0]}


class Script:
    """That method on the data, model and settings of a frozen run, in `dtype` mixed precision."""

    def __init__(self, record: Record, device: torch.device, dtype: torch.dtype) -> None:
        self._loop = self._training(record, device, dtype)

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            next(self._loop)

    def _training(self, record: Record, device: torch.device, dtype: torch.dtype) -> Iterator[None]:
        train, lora, folder = record.settings.train, record.settings.lora, record.model.path
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        accelerator = Accelerator(cpu=device.type == "cpu", gradient_accumulation_steps=train.gradient_accumulation)
        noise_scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").requires_grad_(False).to(device, dtype)
        vae = AutoencoderKL.from_pretrained(folder / "vae").requires_grad_(False).to(device, dtype)
        unet = UNet2DConditionModel.from_pretrained(folder / "unet").requires_grad_(False).to(device, dtype)
        unet.add_adapter(
            LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha or lora.rank,
                init_lora_weights="gaussian",
                target_modules=["to_k", "to_q", "to_v", "to_out.0"],
            )
        )
        trained = [p for p in unet.parameters() if p.requires_grad]
        for parameter in trained:
            parameter.data = parameter.data.float()
        optimizer = torch.optim.AdamW(trained, lr=train.learning_rate, weight_decay=train.weight_decay)
        pictures = Pictures(record, CLIPTokenizer.from_pretrained(folder / "tokenizer"))
        loader = DataLoader(pictures, batch_size=train.batch_size, shuffle=True, collate_fn=collate)
        schedule = get_scheduler("constant", optimizer=optimizer)
        unet, optimizer, loader, schedule = accelerator.prepare(unet, optimizer, loader, schedule)

        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            progress = tqdm(file=nowhere)
            while True:
                unet.train()
                for batch in loader:
                    with accelerator.accumulate(unet):
                        pixels = batch["pixel_values"].to(device, dtype)
                        latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
                        noise = torch.randn_like(latents)
                        timesteps = torch.randint(
                            0, noise_scheduler.config.num_train_timesteps, (len(latents),), device=device
                        ).long()
                        noisy = noise_scheduler.add_noise(latents, noise, timesteps)
                        states = text_encoder(batch["input_ids"].to(device), return_dict=False)[0]
                        with _autocast(device, dtype):
                            predicted = unet(noisy, timesteps, states, return_dict=False)[0]
                        loss = F.mse_loss(predicted.float(), noise.float(), reduction="mean")
                        mean = accelerator.gather(loss.repeat(train.batch_size)).mean()
                        mean.item()
                        accelerator.backward(loss)
                        if accelerator.sync_gradients:
                            accelerator.clip_grad_norm_(trained, train.max_grad_norm)
                        optimizer.step()
                        schedule.step()
                        optimizer.zero_grad()
                    progress.update(1)
                    progress.set_postfix(step_loss=loss.detach().item(), lr=schedule.get_last_lr()[0])
                    yield


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    # accelerate would wrap the model in this itself, but knows only one mixed precision a process, and loratui's is it.
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
