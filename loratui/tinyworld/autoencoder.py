"""Trains the autoencoder, then centres and scales its latents by folding two numbers into its 1x1 convolutions.

Mean squared error plus a little absolute error and a whisper of KL: these pictures are flat colours and edges, and
a pixel loss is all they need. After training, each latent channel is shifted to mean 0 and all are scaled together
so that `scaling_factor` gives them unit variance: the diffusion process assumes both.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

from loratui.tinyworld import anatomy
from loratui.tinyworld.progress import generator

BATCH = 16


def to_pixels(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) to float (n, 3, h, w) in -1..1."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def losses(vae: AutoencoderKL, pixels: torch.Tensor, noise: torch.Generator) -> dict[str, torch.Tensor]:
    posterior = vae.encode(pixels).latent_dist
    std = torch.exp(0.5 * posterior.logvar)
    latents = posterior.mean + std * torch.randn(std.shape, generator=noise).to(std)
    out = vae.decode(latents).sample.float()
    square, absolute = F.mse_loss(out, pixels), F.l1_loss(out, pixels)
    kl = 0.5 * (posterior.mean.float() ** 2 + posterior.logvar.float().exp() - 1 - posterior.logvar.float()).mean()
    psnr = 10 * torch.log10(4 / square.detach())
    return {"loss": square + 0.1 * absolute + 1e-5 * kl, "psnr": psnr, "kl": kl}


@torch.no_grad()
def centre(vae: AutoencoderKL, pixels: torch.Tensor) -> None:
    """Fold into quant_conv and post_quant_conv what makes latents * scaling_factor zero-mean and unit-variance."""
    means = torch.cat([vae.encode(p).latent_dist.mean for p in pixels.split(100)])
    mean = means.mean(dim=(0, 2, 3))
    scale = 1 / (vae.config.scaling_factor * (means - mean[:, None, None]).std())
    channels = anatomy.LATENT_CHANNELS
    into, back = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] *= scale
    into.bias[:channels] = (into.bias[:channels] - mean) * scale
    into.bias[channels:] += 2 * torch.log(scale)  # the second half is the log-variance
    back.bias += (back.weight[:, :, 0, 0] * mean).sum(1)
    back.weight /= scale


@torch.no_grad()
def latents_of(vae: AutoencoderKL, images: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 images to scaled latents (n, channels, 16, 16) in half precision: the posterior's mean."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu"):
        means = vae.encode(to_pixels(images).to(device)).latent_dist.mean
    return (means * vae.config.scaling_factor).half().cpu()


def fresh(seed: int) -> AutoencoderKL:
    torch.manual_seed(generator(seed, 0, stream=2).initial_seed() % 2**31)
    return anatomy.autoencoder()
