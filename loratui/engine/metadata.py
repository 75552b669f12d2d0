"""What an exported LoRA says about itself: kohya's `ss_*` keys, modelspec 1.0.1, and loratui's own record.

Every value is a string, as safetensors wants it, and kohya's conventions are kept: str(value), "None", nested things
as JSON. Only base names of folders and files go in, never paths. Hashes of the tensors are added by export.save_lora.
`lora_adapter_metadata` must not be among the keys: with it, diffusers refuses a file in kohya form.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from loratui.lab.dataset.captions import join_tags, split_tags
from loratui.lab.project.settings import Settings, settings_to_dict

OPTIMIZERS = {  # as kohya writes them: the class's full name
    "adamw": "torch.optim.adamw.AdamW",
    "adamw8bit": "bitsandbytes.optim.adamw.AdamW8bit",
    "prodigy": "prodigyopt.prodigy.Prodigy",
}
PRECISIONS = {"fp32": "no"}
PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v"}


@dataclass(frozen=True)
class RecordedImage:
    """One training image, as far as the metadata tells of it."""

    folder: str  # base name of the folder it lies in
    caption: str
    repeats: int


@dataclass(frozen=True)
class LoraRecord:
    """All that the metadata of one checkpoint is made from."""

    output_name: str  # the file's stem: A1111 takes it as the LoRA's alias, so two files must not share one
    settings: Settings  # fully resolved
    precision: str  # of the forward pass, resolved: fp32, bf16 or fp16
    step: int  # optimizer steps done
    epoch: int  # epochs done
    total_steps: int
    total_epochs: int
    batches_per_epoch: int
    images: tuple[RecordedImage, ...]
    resolution: tuple[int, int]  # width, height in pixels
    buckets: Mapping[tuple[int, int], int]  # (width, height) -> images in it, repeats included
    base_name: str
    base_hashes: Mapping[str, str]  # part of the base model -> sha256
    started_at: float  # Unix time, as the next
    finished_at: float
    run: str
    session_id: str
    version: str  # of loratui
    prediction_type: str = "epsilon"  # diffusers' word for it: epsilon or v_prediction


def lora_metadata(record: LoraRecord) -> dict[str, str]:
    """The safetensors `__metadata__` of a checkpoint, without the hashes of its tensors."""
    values = {**_training(record), **_lora(record), **_dataset(record), **_base(record), **_modelspec(record)}
    values["loratui.version"] = record.version
    values["loratui.run"] = _json(_run(record))
    return {key: str(value) for key, value in values.items()}


def trigger_phrase(record: LoraRecord) -> str:
    """dataset.trigger, else the tags that all captions share, else the most frequent tag; "" without captions."""
    if record.settings.dataset.trigger:
        return record.settings.dataset.trigger
    captions = [split_tags(image.caption) for image in record.images]
    if not captions:
        return ""
    shared = [tag for tag in dict.fromkeys(captions[0]) if all(tag in tags for tags in captions)]
    if shared:
        return join_tags(shared)
    counts = Counter(tag for tags in captions for tag in dict.fromkeys(tags))
    return counts.most_common(1)[0][0] if counts else ""


def _training(record: LoraRecord) -> dict[str, object]:
    train = record.settings.train
    text_encoder_rate = train.text_encoder_learning_rate if record.settings.lora.text_encoder else None
    return {
        "ss_session_id": record.session_id,
        "ss_training_started_at": record.started_at,
        "ss_training_finished_at": record.finished_at,
        "ss_training_comment": record.settings.question or None,
        "ss_output_name": record.output_name,
        "ss_learning_rate": train.learning_rate,
        "ss_unet_lr": train.learning_rate,
        "ss_text_encoder_lr": text_encoder_rate,
        "ss_num_batches_per_epoch": record.batches_per_epoch,
        "ss_num_epochs": record.total_epochs,
        "ss_epoch": record.epoch,
        "ss_steps": record.step,
        "ss_max_train_steps": record.total_steps,
        "ss_batch_size_per_device": train.batch_size,
        "ss_total_batch_size": train.batch_size * train.gradient_accumulation,
        "ss_gradient_accumulation_steps": train.gradient_accumulation,
        "ss_gradient_checkpointing": train.gradient_checkpointing,
        "ss_lr_scheduler": _scheduler(train.schedule, train.warmup_steps),
        "ss_lr_warmup_steps": train.warmup_steps,
        "ss_optimizer": f"{OPTIMIZERS[train.optimizer]}(weight_decay={train.weight_decay})",
        "ss_max_grad_norm": train.max_grad_norm,
        "ss_seed": train.seed,
        "ss_mixed_precision": PRECISIONS.get(record.precision, record.precision),
        "ss_full_fp16": False,
        "ss_noise_offset": train.noise_offset or None,
        "ss_min_snr_gamma": train.min_snr_gamma or None,
        "ss_loss_type": "l2",
        "ss_clip_skip": None,
        "ss_max_token_length": None,
        "ss_cache_latents": True,
        "ss_lowram": False,
    }


def _lora(record: LoraRecord) -> dict[str, object]:
    lora = record.settings.lora
    alpha = lora.effective_alpha
    values: dict[str, object] = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": lora.rank,
        "ss_network_alpha": alpha,
        "ss_network_dropout": lora.dropout or None,
    }
    if lora.targets == "conv":  # kohya's own way to say that 3x3 convolutions are adapted too
        values["ss_network_args"] = _json({"conv_dim": str(lora.rank), "conv_alpha": str(alpha)})
    return values


def _dataset(record: LoraRecord) -> dict[str, object]:
    dataset = record.settings.dataset
    # kohya lower-cases tags, and counts images, not how often they are seen.
    frequency: dict[str, Counter[str]] = {}
    folders: dict[str, dict[str, int]] = {}
    for image in record.images:
        frequency.setdefault(image.folder, Counter()).update(tag.lower() for tag in split_tags(image.caption))
        folders.setdefault(image.folder, {"n_repeats": image.repeats, "img_count": 0})["img_count"] += 1
    seen = sum(image.repeats for image in record.images)
    buckets = {
        "buckets": {
            str(i): {"resolution": list(size), "count": record.buckets[size]}
            for i, size in enumerate(sorted(record.buckets))
        }
    }
    subsets = [
        {"image_dir": name, "img_count": info["img_count"], "num_repeats": info["n_repeats"], "is_reg": False,
         "shuffle_caption": dataset.shuffle_tags, "keep_tokens": dataset.keep_tags, "flip_aug": dataset.flip}
        for name, info in folders.items()
    ]  # fmt: skip
    whole = {
        "is_dreambooth": True, "batch_size_per_device": record.settings.train.batch_size, "num_train_images": seen,
        "num_reg_images": 0, "resolution": list(record.resolution), "enable_bucket": dataset.buckets,
        "tag_frequency": frequency, "bucket_info": buckets, "subsets": subsets,
    }  # fmt: skip
    return {
        "ss_num_train_images": seen,
        "ss_num_reg_images": 0,
        "ss_resolution": record.resolution,
        "ss_enable_bucket": dataset.buckets,
        "ss_bucket_info": _json(buckets),
        "ss_shuffle_caption": dataset.shuffle_tags,
        "ss_keep_tokens": dataset.keep_tags,
        "ss_caption_dropout_rate": dataset.caption_dropout,
        "ss_flip_aug": dataset.flip,
        "ss_color_aug": False,
        "ss_random_crop": False,
        "ss_dataset_dirs": _json(folders),
        "ss_reg_dataset_dirs": _json({}),
        "ss_tag_frequency": _json(frequency),
        "ss_datasets": _json([whole]),
    }


def _base(record: LoraRecord) -> dict[str, object]:
    values: dict[str, object] = {
        "ss_v2": False,
        "ss_base_model_version": "sd_v1",
        "ss_sd_model_name": _base_name(record.base_name),
    }
    if len(record.base_hashes) == 1:  # of one file, as kohya means it; a folder's parts are in loratui.run
        values["ss_new_sd_model_hash"] = next(iter(record.base_hashes.values()))
    return values


def _modelspec(record: LoraRecord) -> dict[str, object]:
    width, height = record.resolution
    values = {
        "sai_model_spec": "1.0.1",
        "architecture": "stable-diffusion-v1/lora",  # A1111 and Forge show the SD1 badge for exactly this
        "implementation": "diffusers",
        "title": record.output_name,
        "resolution": f"{width}x{height}",
        "description": record.settings.question,
        "date": datetime.fromtimestamp(int(record.finished_at), UTC).isoformat(),
        "trigger_phrase": trigger_phrase(record),
        "prediction_type": PREDICTIONS.get(record.prediction_type, record.prediction_type),
    }
    return {f"modelspec.{key}": value for key, value in values.items() if value}


def _run(record: LoraRecord) -> dict[str, Any]:
    settings = settings_to_dict(record.settings)
    settings["dataset"]["path"] = PurePath(settings["dataset"]["path"]).name
    settings["base"]["model"] = _base_name(settings["base"]["model"])
    return {
        "run": record.run,
        "step": record.step,
        "base": {"name": _base_name(record.base_name), "sha256": dict(record.base_hashes)},
        "settings": settings,
    }


def _scheduler(schedule: str, warmup_steps: int) -> str:
    return "constant_with_warmup" if schedule == "constant" and warmup_steps else schedule


def _base_name(model: str) -> str:
    """The last part of a path. What may be a hub id (owner/name) stays whole."""
    may_be_hub_id = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", model) and not model.endswith((".safetensors", ".ckpt"))
    return model if may_be_hub_id else PurePath(model).name


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
