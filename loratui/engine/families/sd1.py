"""Stable Diffusion 1.x in the diffusers layout: epsilon or v prediction, one CLIP text encoder, a KL autoencoder.

Sampling is DDIM with eta 0 and trailing spacing whatever scheduler the model ships, so that a picture is a function
of its starting noise alone and the first step of many is the only step of one.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import nn

from loratui.engine.families.parts import Rename, clip_names, diffusers_names, load_part
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.modelfiles import SCHEDULER, read_json
from loratui.lab.models import ModelFolder, model_facts, refuse_changed

CONTEXT = 77
BOS, EOS = 49406, 49407

CLIP_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers",
              "num_attention_heads", "max_position_embeddings", "hidden_act", "layer_norm_eps", "attention_dropout",
              "initializer_range", "initializer_factor", "pad_token_id", "bos_token_id", "eos_token_id")  # fmt: skip

_ATTENTION = r"attn\d\.(to_q|to_k|to_v|to_out\.0)"
_LINEAR = _ATTENTION + r"|ff\.net\.0\.proj|ff\.net\.2|proj_in|proj_out"
_CONV = _LINEAR + r"|conv1|conv2|conv_shortcut|time_emb_proj|(down|up)samplers\.0\.conv"
_TEXT_ATTENTION = r"self_attn\.(q_proj|k_proj|v_proj|out_proj)"
TARGETS = {
    "attention": {"unet": _ATTENTION, "text_encoder": _TEXT_ATTENTION},
    "linear": {"unet": _LINEAR, "text_encoder": _TEXT_ATTENTION + r"|mlp\.(fc1|fc2)"},
    "conv": {"unet": _CONV, "text_encoder": _TEXT_ATTENTION + r"|mlp\.(fc1|fc2)"},
}


class StableDiffusion1:
    """See `Family`."""

    name = "sd1"

    def __init__(self, model: ModelFolder, hashes: Mapping[str, str], device: torch.device, dtype: torch.dtype) -> None:
        self.model, self.hashes, self.device, self.dtype = model, hashes, device, dtype
        self.scheduler = DDIMScheduler.from_config(
            read_json(model.path / SCHEDULER), timestep_spacing="trailing", clip_sample=False
        )
        refuse_changed(model, hashes, ["scheduler"])
        facts = model_facts(model)
        self.train_timesteps, self.latent_channels = facts.train_timesteps, facts.latent_channels
        self.vae_factor = facts.vae_factor
        self.signal = self.scheduler.alphas_cumprod.to(device=device, dtype=torch.float32)
        self.velocity = facts.prediction_type == "v_prediction"

    # -- parts, loaded when first used ------------------------------------------------------------------

    @cached_property
    def denoiser(self) -> Any:
        return self._load("unet", self.dtype, UNet2DConditionModel.from_config, diffusers_names)

    @cached_property
    def text_encoder(self) -> Any:
        from transformers.models.clip.configuration_clip import CLIPTextConfig
        from transformers.models.clip.modeling_clip import CLIPTextModel

        def build(config: Mapping[str, Any]) -> nn.Module:
            # What else a config may hold is for transformers' own loader, as the name of code to be fetched.
            return CLIPTextModel(CLIPTextConfig(**{key: config[key] for key in CLIP_SIZES if key in config}))

        return self._load("text_encoder", self.dtype, build, clip_names)

    @cached_property
    def vae(self) -> Any:
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        # float32 always: SD 1.x's decoder overflows in half precision on some pictures.
        return self._load("vae", torch.float32, AutoencoderKL.from_config, diffusers_names)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.load(self.model.path / "tokenizer")
        refuse_changed(self.model, self.hashes, ["tokenizer"])
        return tokenizer

    def _load(
        self, part: str, dtype: torch.dtype, build: Callable[[Mapping[str, Any]], nn.Module], rename: Rename
    ) -> Any:
        module = load_part(self.model, self.hashes, part, dtype, build, rename)
        return module.requires_grad_(False).eval().to(self.device)

    def release(self) -> None:
        self.__dict__.pop("vae", None)
        encoder = self.__dict__.get("text_encoder")
        if encoder is not None and not any(p.requires_grad for p in encoder.parameters()):
            del self.__dict__["text_encoder"]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # -- LoRA ---------------------------------------------------------------------------------------------

    def adapted(self, text_encoder: bool) -> dict[str, nn.Module]:
        return {"unet": self.denoiser} | ({"text_encoder": self.text_encoder} if text_encoder else {})

    def lora_targets(self, kind: str) -> dict[str, str]:
        return {prefix: rf"(.*\.)?({names})" for prefix, names in TARGETS[kind].items()}

    # -- encoding -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def encode_images(self, pixels: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(np.array(pixels)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        # The posterior's mean: the same latents every time, and no noise that a LoRA could learn.
        return (self.vae.encode(x).latent_dist.mean * self.vae.config.scaling_factor).cpu()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> np.ndarray:
        x = self.vae.decode(latents.to(self.device, torch.float32) / self.vae.config.scaling_factor).sample
        x = ((x / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return x.permute(0, 2, 3, 1).cpu().numpy()

    def token_ids(self, texts: Sequence[str]) -> torch.Tensor:
        # SD 1.x pads with the end token; what stands after the first one still steers the picture.
        rows = [[BOS, *self.tokenizer.ids(text)[: CONTEXT - 2]] for text in texts]
        return torch.tensor([row + [EOS] * (CONTEXT - len(row)) for row in rows], device=self.device)

    def encode_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        return self.text_encoder(input_ids=ids).last_hidden_state

    # -- diffusion --------------------------------------------------------------------------------------------

    def _levels(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        signal = self.signal[timesteps][:, None, None, None]
        return signal.sqrt(), (1 - signal).sqrt()

    def add_noise(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        signal, sigma = self._levels(timesteps)
        return signal * latents + sigma * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        if not self.velocity:
            return noise
        signal, sigma = self._levels(timesteps)
        return signal * noise - sigma * latents

    def loss_weights(self, timesteps: torch.Tensor, min_snr_gamma: float) -> torch.Tensor:
        signal = self.signal[timesteps]
        snr = signal / (1 - signal)
        return snr.clamp(max=min_snr_gamma) / (snr + 1 if self.velocity else snr)

    def predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        return self.denoiser(noisy, timesteps, states, return_dict=False)[0].float()

    @torch.no_grad()
    def sample(self, noise: torch.Tensor, states: torch.Tensor, empty: torch.Tensor, steps: int,
               guidance_scale: float) -> torch.Tensor:  # fmt: skip
        self.scheduler.set_timesteps(steps, device=self.device)
        latents = noise.to(self.device, torch.float32)
        guided = guidance_scale != 1.0
        context = torch.cat([empty, states]) if guided else states
        for t in self.scheduler.timesteps:
            doubled = torch.cat([latents, latents]) if guided else latents
            out = self.predict(doubled.to(self.dtype), t.expand(len(doubled)), context.to(self.dtype))
            if guided:
                unconditional, conditional = out.chunk(2)
                out = unconditional + guidance_scale * (conditional - unconditional)
            latents = self.scheduler.step(out, t, latents, return_dict=False)[0]
        return latents

    # -- the machine --------------------------------------------------------------------------------------------

    def gradient_checkpointing(self) -> None:
        # diffusers recomputes only in training mode; this UNet has no dropout of its own that the mode would wake.
        self.denoiser.train()
        self.denoiser.enable_gradient_checkpointing()

    def autocast(self) -> AbstractContextManager[None]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, dtype=self.dtype)

    def memory(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def facts(self) -> Mapping[str, object]:
        return {
            "family": self.name,
            "prediction_type": "v_prediction" if self.velocity else "epsilon",
            "train_timesteps": self.train_timesteps,
            "latent_channels": self.latent_channels,
            "vae_factor": self.vae_factor,
        }
