"""The machine a run trains on: its device, the precision that suits it, and libraries that should keep quiet."""

from __future__ import annotations

import os
import warnings

import torch

from loratui.lab.errors import LabError

PRECISION_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def pick_device(wanted: str) -> torch.device:
    """The torch device for `train.device`. LabError when it is not there."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(wanted)
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }[device.type]
    if (device.index or 0) >= present:
        raise LabError(f'train.device: {wanted!r}: this machine has {present} of these; take "auto" or "cpu"')
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = True
    return device


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """auto: bf16 where a GPU has it, float32 elsewhere."""
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    if precision == "fp16" and device.type == "cpu":
        raise LabError('train.precision: "fp16" does not train on a CPU; take "fp32", "bf16" or "auto"')
    return next(dtype for dtype, name in PRECISION_NAMES.items() if name == precision)


SMALL_STEP = 8 * 128 * 128  # pixels in a forward pass


def settle_threads(device: torch.device, pixels: int) -> None:
    """One thread for small steps on a CPU; OMP_NUM_THREADS, where it is set, is obeyed instead.

    A second thread makes such steps a quarter faster on an idle machine, and up to seventeen times slower when
    another process wants its core: OpenMP's threads spin while they wait for each other. A rule of the run's own
    size, not of the machine's load, because the number of threads is part of what the last bits depend on.
    """
    if device.type == "cpu" and pixels <= SMALL_STEP and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def describe(device: torch.device) -> str:
    """The device in words a person knows it by."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads != 1)}" if device.type == "cpu" else device.type


def quieten() -> None:
    """Libraries may not write on a terminal that shows a run: what matters is in the log."""
    from diffusers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module=r"(diffusers|transformers|peft|accelerate|torch)(\..*)?")
