"""Base models on disk: finding one by its name, saying what is wrong with it, and telling what it is, without torch.

A base model is a folder in the diffusers layout. Only safetensors are read: other weight files can run code when they
are loaded. Loading weights is the engine's part; which files there are is modelfiles.py's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.hub import FetchFailed, cached_snapshot, fetch, hub_cache, is_hub_id
from loratui.lab.modelfiles import (
    PARTS,
    SCHEDULER,
    hub_files,
    missing_files,
    part_hash,
    read_config,
    read_json,
    refuse_broken,
    weight_files,
)
from loratui.lab.plain import plain
from loratui.lab.schedules import refuse_other_schedule

_PACKAGE = Path(__file__).resolve().parent.parent
_SINGLE_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_GIVE = "give an embedded model, a folder in the diffusers layout, or a Hugging Face id (owner/name)"
_SUPPORTED = "SD 1.x models in the diffusers layout are"


class ModelAbsent(LabError):
    """A model of the hub that is not on this machine, or not whole, and was not to be fetched."""


@dataclass(frozen=True)
class ModelFolder:
    """A base model that was found and looked at. `name` is as the person wrote it."""

    name: str
    path: Path
    family: str
    variant: str = ""

    def weight_files(self, part: str) -> tuple[Path, ...]:
        """The safetensors files of a part, in order; empty for the tokenizer and the scheduler."""
        return weight_files(self.path, part, self.variant)


@dataclass(frozen=True)
class ModelFacts:
    """What the configs say. Sizes in pixels, unless they are latent."""

    resolution: int  # side of the square pictures it was trained on
    align: int  # width and height of a training picture must be multiples of this
    vae_factor: int  # pixels for each latent pixel, in each direction
    latent_channels: int
    scaling_factor: float
    prediction_type: str  # epsilon or v_prediction
    train_timesteps: int
    text_width: int
    max_tokens: int  # with the two that mark start and end


def resolve_model(
    name: str, relative_to: Path, revision: str = "", variant: str = "", download: bool = False
) -> ModelFolder:
    """The model called `name`: embedded in this package, a folder, or a Hugging Face id.

    `relative_to` is the folder of the project. Nothing is fetched unless `download`: who only looks must not begin to
    load gigabytes that a stranger's project names. LabError says what was looked for, and where, or what is missing;
    ModelAbsent that it would have to be downloaded.
    """
    embedded = _PACKAGE / name / "model" if name.isidentifier() else None
    folder = relative_to / _at_home(name)
    if embedded is not None and (embedded / "model_index.json").is_file():
        return inspect_model(name, embedded, variant)
    if not name.strip():
        raise LabError(f"base.model is empty; {_GIVE}")
    if folder.is_file() or folder.suffix.lower() in _SINGLE_FILES:
        raise LabError(
            f'base.model = "{plain(name)}": checkpoints in a single file are not read yet; {_SUPPORTED}. '
            "With diffusers, StableDiffusionPipeline.from_single_file(file).save_pretrained(folder) makes such a folder"
        )
    if folder.is_dir():
        return inspect_model(name, folder.resolve(), variant)
    looked = [f"embedded models are {', '.join(embedded_models()) or 'none'}", f"there is no folder {plain(folder)}"]
    if is_hub_id(name):
        return inspect_model(name, _of_hub(name, revision, variant, looked, download), variant)
    raise LabError(f'base.model = "{plain(name)}" was not found: {"; ".join(looked)}; ' + _GIVE)


def _of_hub(name: str, revision: str, variant: str, looked: list[str], download: bool) -> Path:
    """The snapshot of a model of the hub, whole. Of another family no weights are fetched, and none are asked for."""
    snapshot = cached_snapshot(name, revision)
    if snapshot is not None and (snapshot / "model_index.json").is_file():
        _refuse_other_family(snapshot)
    lacks = ["all of it"] if snapshot is None else missing_files(snapshot, variant)
    if snapshot is not None and not lacks:
        return snapshot
    cache = f"the Hugging Face cache {plain(hub_cache())} has no whole copy (missing: {'; '.join(lacks)})"
    if not download:
        raise ModelAbsent(
            f'base.model = "{plain(name)}" is not on this machine yet: {"; ".join([*looked, cache])}. '
            "A look downloads nothing; the start of a run does (loratui --run)"
        )
    try:
        _refuse_other_family(fetch(name, revision, ["model_index.json"]))
        return fetch(name, revision, hub_files(variant))
    except FetchFailed as error:
        raise LabError(f'base.model = "{plain(name)}" was not found: {"; ".join([*looked, cache])}; {error}') from error


def _at_home(name: str) -> Path:
    with contextlib.suppress(RuntimeError):  # ~nobody
        return Path(name).expanduser()
    return Path(name)


def embedded_models() -> list[str]:
    """Names of the models that come with this package."""
    return sorted(path.parent.parent.name for path in _PACKAGE.glob("*/model/model_index.json"))


def inspect_model(name: str, folder: Path, variant: str = "") -> ModelFolder:
    """Check that `folder` holds a supported model in whole. LabError names what is missing, broken or not supported."""
    _refuse_other_family(folder)
    missing = missing_files(folder, variant)
    if missing:
        raise LabError(f"{plain(folder)}: missing: {'; '.join(missing)}")
    _refuse_other_parts(folder)
    refuse_other_schedule(read_json(folder / SCHEDULER), folder / SCHEDULER)
    refuse_broken(folder, variant)
    return ModelFolder(name, folder, "sd1", variant)


def _refuse_other_family(folder: Path) -> None:
    index = read_json(folder / "model_index.json", "it is not a model in the diffusers layout")
    pipeline = str(index.get("_class_name", ""))
    if pipeline != "StableDiffusionPipeline":
        raise LabError(f"{plain(folder)}: family not supported yet: {plain(pipeline, 80) or 'unnamed'}; {_SUPPORTED}")


def _refuse_other_parts(folder: Path) -> None:
    unet, vae, _ = (read_config(folder, part) for part in ("unet", "vae", "text_encoder"))
    reason = ""
    if unet.get("addition_embed_type"):
        reason = f"a UNet with addition_embed_type {unet['addition_embed_type']!r}"
    elif not isinstance(unet.get("cross_attention_dim", 1280), int):
        reason = f"a UNet with cross_attention_dim {unet['cross_attention_dim']!r}"
    elif unet.get("use_linear_projection"):
        reason = "Stable Diffusion 2.x"
    elif unet.get("in_channels", 4) != vae.get("latent_channels", 4):
        reason = f"an inpainting or depth UNet ({unet.get('in_channels')} input channels)"
    if reason:
        raise LabError(f"{plain(folder)}: family not supported yet: {plain(reason, 200)}; {_SUPPORTED}")


def model_facts(model: ModelFolder) -> ModelFacts:
    """What the configs of the parts say; values they leave out are the defaults of diffusers."""
    unet, vae, text = (read_config(model.path, part) for part in ("unet", "vae", "text_encoder"))
    scheduler = read_json(model.path / SCHEDULER)
    try:
        factor = 2 ** (len(vae.get("block_out_channels", (64,))) - 1)
        size = unet.get("sample_size") or 64
        latent_size = max(size) if isinstance(size, list) else int(size)
        return ModelFacts(
            resolution=latent_size * factor,
            align=factor * 2 ** (len(unet.get("block_out_channels", (320, 640, 1280, 1280))) - 1),
            vae_factor=factor,
            latent_channels=int(vae.get("latent_channels", 4)),
            scaling_factor=float(vae.get("scaling_factor", 0.18215)),
            prediction_type=str(scheduler.get("prediction_type", "epsilon")),
            train_timesteps=int(scheduler.get("num_train_timesteps", 1000)),
            text_width=int(text.get("hidden_size", 512)),
            max_tokens=int(text.get("max_position_embeddings", 77)),
        )
    except (TypeError, ValueError) as error:
        raise LabError(f"{plain(model.path)}: a config holds a value that cannot be: {plain(error)}") from error


def model_hash(model: ModelFolder) -> dict[str, str]:
    """SHA-256 of each part: of the names and contents of the files that are read. Contents are hashed once."""
    return {part: part_hash(model.path, part, model.variant) for part in PARTS}


def refuse_changed(model: ModelFolder, hashes: Mapping[str, str], parts: Iterable[str] = PARTS) -> None:
    """LabError, naming the parts, unless these still are the ones whose hashes a run has in its record."""
    changed = [part for part in parts if part_hash(model.path, part, model.variant) != hashes.get(part)]
    if changed:
        raise LabError(
            f"{plain(model.path)}: the base model changed since this run began: its {' and '.join(changed)}; "
            "put the old one back, or start a new run"
        )
