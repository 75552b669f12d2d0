"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def models(tiny_model: Path) -> Iterator[dict[str, object]]:
    """The tiny model's UNet and text encoder, fresh for each test, as `{"unet": …, "text_encoder": …}`."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # else its load report fills the screen when a test fails
    yield {
        "unet": UNet2DConditionModel.from_pretrained(tiny_model / "unet").eval(),
        "text_encoder": CLIPTextModel.from_pretrained(tiny_model / "text_encoder").eval(),
    }
    logging.set_verbosity(before)
