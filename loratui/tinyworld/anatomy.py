"""The sizes of tinyworld's parts: Stable Diffusion 1.x made small, with every organ in its place.

The text encoder, the autoencoder and the UNet are the very classes a real SD 1.x checkpoint uses; only the
widths differ. Nothing here trains or draws.
"""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from loratui.tinyworld.scenes import SIZE

MODEL = Path(__file__).parent / "model"
TOKENIZER = MODEL / "tokenizer"
CONTEXT = 77  # tokens a caption is padded to, as in SD 1.x
WIDTH = 128  # of the text encoder, so of the UNet's cross-attention
LATENT_CHANNELS = 8
LATENT_SIZE = SIZE // 4  # two halvings
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
GUIDANCE = 4.0  # what the judged pictures are drawn with


def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(TOKENIZER)


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=16,
        sample_size=SIZE,
        scaling_factor=0.5,
    )


def unet() -> UNet2DConditionModel:
    # Attention starts at 8x8: on the full 16x16 grid it would take more than half of every step.
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(48, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads: diffusers keeps the historical name
        norm_num_groups=16,
    )


def scheduler() -> DDIMScheduler:
    """SD 1.x's betas and epsilon-prediction. Trailing spacing, so that sampling starts where noise is noise."""
    return DDIMScheduler(
        **BETAS,
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="trailing",
    )
