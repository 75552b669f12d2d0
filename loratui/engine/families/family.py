"""What the loop, the cache, the sampler and the checkpoint ask of a model: nothing else may know one by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn


class Family(Protocol):
    """One base model on one device. Heavy parts load on first use and can be let go of again."""

    name: str
    device: torch.device
    dtype: torch.dtype
    train_timesteps: int
    latent_channels: int

    @property
    def vae_factor(self) -> int:
        """Pixels per latent cell, along one side."""

    @property
    def denoiser(self) -> Any:
        """The network that LoRA adapts, frozen, on the device."""

    @property
    def text_encoder(self) -> Any:
        """The text encoder, frozen, on the device."""

    def adapted(self, text_encoder: bool) -> dict[str, nn.Module]:
        """Modules that take LoRA layers, by the prefix their weights are exported under."""

    def lora_targets(self, kind: str) -> dict[str, str]:
        """Per prefix, a regular expression that names every module to adapt; kind: attention, linear, conv."""

    def encode_images(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (n, height, width, 3) -> scaled latents (n, channels, h, w), float32 on the CPU."""

    def token_ids(self, texts: Sequence[str]) -> torch.Tensor:
        """Padded token ids (n, 77), int64 on the device. Longer texts are cut."""

    def encode_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        """Token ids -> hidden states (n, 77, width); keeps gradients when the encoder is being trained."""

    def add_noise(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """The noised input of the denoiser."""

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """What the denoiser should answer."""

    def loss_weights(self, timesteps: torch.Tensor, min_snr_gamma: float) -> torch.Tensor:
        """Min-SNR weight of each sample (n,), Hang et al. 2023, for this model's kind of prediction."""

    def predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """The denoiser's answer, float32."""

    def sample(self, noise: torch.Tensor, states: torch.Tensor, empty: torch.Tensor, steps: int,
               guidance_scale: float) -> torch.Tensor:  # fmt: skip
        """Denoise (n, channels, h, w) in `steps` deterministic steps, with classifier-free guidance; latents out."""

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """Scaled latents -> uint8 pictures (n, height, width, 3)."""

    def gradient_checkpointing(self) -> None:
        """Trade time for memory: recompute activations in the backward pass."""

    def release(self) -> None:
        """Let go of the parts that training does not need (the autoencoder, a frozen text encoder)."""

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision on the device when dtype is not float32."""

    def memory(self) -> int:
        """Bytes: the device's peak so far, or the process's on a CPU."""

    def facts(self) -> Mapping[str, object]:
        """What a run records about the model it loaded."""
