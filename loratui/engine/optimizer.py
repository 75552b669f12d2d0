"""Optimisers by name, and the learning rate as a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import redirect_stdout

import torch
from torch import nn

from loratui.engine.adapter import joined
from loratui.lab.errors import LabError
from loratui.lab.project.settings import Train


def rate_factor(step: int, total: int, schedule: str, warmup: int) -> float:
    """What the learning rate is multiplied by at 0-based `step` of `total`."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    match schedule:
        case "linear":
            return 1 - done
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        case _:
            return 1.0


def build(models: Mapping[str, nn.Module], train: Train) -> torch.optim.Optimizer:
    """One parameter group a model part, holding one vector; its own peak rate is kept in the group as `peak`."""
    groups = [
        {
            "params": [joined(model)],
            "lr": rate,
            "peak": rate,
        }
        for prefix, model in models.items()
        for rate in [train.text_encoder_learning_rate if prefix == "text_encoder" else train.learning_rate]
    ]
    match train.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=train.weight_decay, fused=True)
        case "adamw8bit":
            try:
                from bitsandbytes.optim import AdamW8bit
            except ImportError as error:
                raise LabError(_missing("adamw8bit", "bitsandbytes", error)) from error
            return AdamW8bit(groups, weight_decay=train.weight_decay)
        case "prodigy":
            try:
                from prodigyopt import Prodigy
            except ImportError as error:
                raise LabError(_missing("prodigy", "prodigyopt", error)) from error
            with redirect_stdout(None):  # it greets on standard output, which belongs to --json
                return Prodigy(groups, weight_decay=train.weight_decay)
        case other:
            raise LabError(f"train.optimizer: {other!r} is not known; take adamw, adamw8bit or prodigy")


def _missing(name: str, package: str, error: ImportError) -> str:
    remedy = 'install it with pip install "loratui[optimizers]", or take adamw'
    return f"train.optimizer: {name} needs {package} ({error}); {remedy}"


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set every group's learning rate; returns the first group's."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return float(optimizer.param_groups[0]["lr"])
