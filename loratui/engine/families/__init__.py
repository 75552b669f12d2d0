"""Model families, one file each. The rest of the engine knows a model only through `Family`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from loratui.engine.families.family import Family
    from loratui.lab.models import ModelFolder


def load_family(folder: ModelFolder, device: torch.device, dtype: torch.dtype) -> Family:
    """The family object for a resolved model folder. Nothing heavy is loaded until it is used."""
    if folder.family == "sd1":
        from loratui.engine.families.sd1 import StableDiffusion1

        return StableDiffusion1(folder.path, device, dtype, folder.variant)
    raise LabError(f"{folder.name}: no engine for the model family {folder.family!r}; known: sd1")
