"""Trains the UNet to predict noise on the latents of rendered scenes, given the frozen text encoder's states.

SD 1.x's objective, with the usual remedies for a short training: min-SNR weights, one caption in ten empty, an
average of the weights, and noise offset, without which backgrounds follow the mean of the starting noise.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from loratui.tinyworld import anatomy, text
from loratui.tinyworld.progress import autocast, generator
from loratui.tinyworld.scenes import captioned, scene_at

BATCH = 40
MIN_SNR_GAMMA = 5.0
NOISE_OFFSET = 0.1
EMPTY = 0.1


class Denoising:
    """The loss of a step: a pure function of (seed, step) and the weights."""

    def __init__(self, unet: UNet2DConditionModel, encoder: CLIPTextModel, tokenizer: CLIPTokenizer,
                 latents: torch.Tensor, seed: int, device: torch.device) -> None:  # fmt: skip
        self.unet, self.encoder, self.tokenizer = unet, encoder.to(device).eval().requires_grad_(False), tokenizer
        self.latents, self.seed, self.device = latents, seed, device
        self.signal = anatomy.scheduler().alphas_cumprod.to(device)
        if device.type == "cpu":
            # On these small grids plain matrix products train 1.4 times as fast as the fused kernel.
            unet.set_attn_processor(AttnProcessor())

    def captions(self, indices: torch.Tensor, step: int) -> torch.Tensor:
        rng = np.random.Generator(np.random.Philox(key=[self.seed + 202, step]))
        texts = []
        for index in indices.tolist():
            said = captioned(scene_at(self.seed, index)[0], rng).text
            texts.append("" if rng.random() < EMPTY else said)
        return text.tokenise(self.tokenizer, texts, rng)

    def loss_at(self, step: int, indices: torch.Tensor) -> dict[str, torch.Tensor]:
        g = generator(self.seed, step, stream=3)
        clean = self.latents[indices].float().to(self.device)
        noise = torch.randn(clean.shape, generator=g)
        noise += NOISE_OFFSET * torch.randn((len(clean), clean.shape[1], 1, 1), generator=g)
        noise = noise.to(self.device)
        # Stratified: each batch covers all noise levels, which makes its loss far less a matter of luck.
        places = (torch.arange(len(clean)) + torch.rand(len(clean), generator=g)) / len(clean)
        t = (places * 1000).long().clamp(max=999).to(self.device)
        a = self.signal[t][:, None, None, None]
        states = text.encode(self.encoder, self.captions(indices, step).to(self.device))
        with autocast(self.device):
            predicted = self.unet(a.sqrt() * clean + (1 - a).sqrt() * noise, t, states).sample
        error = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
        snr = (a / (1 - a)).flatten()
        return {"loss": (error * (snr.clamp(max=MIN_SNR_GAMMA) / snr)).mean(), "mse": error.mean().detach(),
                "mse_noisy": error[t >= 750].mean().detach()}  # fmt: skip


def fresh(seed: int) -> UNet2DConditionModel:
    torch.manual_seed(generator(seed, 0, stream=4).initial_seed() % 2**31)
    return anatomy.unet()
