"""Model families, one file each. The rest of the engine knows a model only through `Family`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from loratui.lab.errors import LabError
from loratui.lab.models import inspect_model, refuse_changed

if TYPE_CHECKING:
    from loratui.engine.families.family import Family
    from loratui.lab.run.record import Record


def load_family(record: Record, device: torch.device, dtype: torch.dtype) -> Family:
    """The family object for a run's base model. Nothing heavy is loaded until it is used.

    LabError when the model is not the one in the record any more. A part that is loaded later is looked at again.
    """
    model = inspect_model(record.model.name, record.model.path, record.model.variant)
    refuse_changed(model, record.hashes)
    if model.family == "sd1":
        from loratui.engine.families.sd1 import StableDiffusion1

        return StableDiffusion1(model, record.hashes, device, dtype)
    raise LabError(f"{model.name}: no engine for the model family {model.family!r}; known: sd1")
