"""Base models on disk: finding one by its name, saying what is wrong with it, and telling what it is, without torch.

A base model is a folder in the diffusers layout. Only safetensors are read: other weight files can run code when they
are loaded. Loading weights is the engine's part.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import cache_folder, sha256_file, write_atomic
from loratui.lab.plain import plain
from loratui.lab.schedules import refuse_other_schedule

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_PACKAGE = Path(__file__).resolve().parent.parent
_WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
_CONFIGS = {"unet": "config.json", "vae": "config.json", "text_encoder": "config.json"}
_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                    "added_tokens.json")  # fmt: skip
_SINGLE_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_GIVE = "give an embedded model, a folder in the diffusers layout, or a Hugging Face id (owner/name)"
_SUPPORTED = "SD 1.x models in the diffusers layout are"


@dataclass(frozen=True)
class ModelFolder:
    """A base model that was found and looked at. `name` is as the person wrote it."""

    name: str
    path: Path
    family: str
    variant: str = ""

    def weight_files(self, part: str) -> tuple[Path, ...]:
        """The safetensors files of a part, in order; empty for the tokenizer and the scheduler."""
        return _weight_files(self.path, part, self.variant)


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


def resolve_model(name: str, relative_to: Path, revision: str = "", variant: str = "") -> ModelFolder:
    """The model called `name`: embedded in this package, a folder, or a Hugging Face id (cached, else downloaded).

    `relative_to` is the folder of the project. LabError says what was looked for, and where, or what is missing.
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
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        found, why = _from_hub(name, revision, variant)
        if found is not None:
            return inspect_model(name, found, variant)
        looked += why
    raise LabError(f'base.model = "{plain(name)}" was not found: {"; ".join(looked)}; ' + _GIVE)


def _at_home(name: str) -> Path:
    with contextlib.suppress(RuntimeError):  # ~nobody
        return Path(name).expanduser()
    return Path(name)


def embedded_models() -> list[str]:
    """Names of the models that come with this package."""
    return sorted(path.parent.parent.name for path in _PACKAGE.glob("*/model/model_index.json"))


def inspect_model(name: str, folder: Path, variant: str = "") -> ModelFolder:
    """Check that `folder` holds a supported model in whole. LabError names what is missing or not supported."""
    index = _read_json(folder / "model_index.json", "it is not a model in the diffusers layout")
    pipeline = str(index.get("_class_name", ""))
    if pipeline != "StableDiffusionPipeline":
        raise LabError(f"{folder}: family not supported yet: {plain(pipeline) or 'unnamed'}; {_SUPPORTED}")
    missing = _missing(folder, variant)
    if missing:
        raise LabError(f"{folder}: missing: {'; '.join(missing)}")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    refuse_other_schedule(_read_json(scheduler), scheduler)
    unet, vae = (_read_json(folder / part / "config.json") for part in ("unet", "vae"))
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
        raise LabError(f"{folder}: family not supported yet: {plain(reason)}; {_SUPPORTED}")
    return ModelFolder(name, folder, "sd1", variant)


def model_facts(model: ModelFolder) -> ModelFacts:
    """What the configs of the parts say; values they leave out are the defaults of diffusers."""
    unet, vae, text = (_read_json(model.path / part / "config.json") for part in ("unet", "vae", "text_encoder"))
    scheduler = _read_json(model.path / "scheduler" / "scheduler_config.json")
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
        raise LabError(f"{model.path}: a config holds a value that cannot be: {plain(error)}") from error


def model_hash(model: ModelFolder) -> dict[str, str]:
    """SHA-256 of each part: of the names and contents of the files that are read.

    Contents are hashed once: digests are kept in the cache by path, size and time of change.
    """
    return {part: _part_hash(model, part) for part in PARTS}


def _part_hash(model: ModelFolder, part: str) -> str:
    folder = model.path / part
    if part == "tokenizer":
        files = [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]
    elif part == "scheduler":
        files = [folder / "scheduler_config.json"]
    else:
        files = [folder / _CONFIGS[part], *model.weight_files(part)]
    lines = "".join(f"{file.name} {_cached_hash(file)}\n" for file in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _cached_hash(file: Path) -> str:
    facts = file.stat()
    key = f"{file.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}"
    note = cache_folder() / "hashes" / hashlib.sha256(os.fsencode(key)).hexdigest()
    with contextlib.suppress(OSError, ValueError):
        kept = note.read_text(encoding="ascii")
        if re.fullmatch(r"[0-9a-f]{64}", kept):
            return kept
    digest = sha256_file(file)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(note, digest)
    return digest


def _weight_files(folder: Path, part: str, variant: str) -> tuple[Path, ...]:
    stem = _WEIGHTS.get(part)
    if stem is None:
        return ()
    stem = f"{stem}.{variant}" if variant else stem
    whole = folder / part / f"{stem}.safetensors"
    if whole.is_file():
        return (whole,)
    # Diffusers cuts great weights into shards, named by an index beside them.
    return tuple(sorted((folder / part).glob(f"{stem}-[0-9]*-of-[0-9]*.safetensors")))


def _missing(folder: Path, variant: str) -> list[str]:
    """What a whole model has and this one does not, in words."""
    found = []
    for part in PARTS:
        if not (folder / part).is_dir():
            found.append(f"the folder {part}/")
        elif part == "tokenizer":
            has = {name for name in _TOKENIZER_FILES if (folder / part / name).is_file()}
            if "tokenizer.json" not in has and not {"vocab.json", "merges.txt"} <= has:
                found.append("tokenizer/vocab.json and tokenizer/merges.txt (or tokenizer/tokenizer.json)")
        elif part == "scheduler":
            if not (folder / part / "scheduler_config.json").is_file():
                found.append("scheduler/scheduler_config.json")
        else:
            if not (folder / part / _CONFIGS[part]).is_file():
                found.append(f"{part}/{_CONFIGS[part]}")
            if not _weight_files(folder, part, variant):
                found.append(_no_weights(folder, part, variant))
    return found


def _no_weights(folder: Path, part: str, variant: str) -> str:
    stem = _WEIGHTS[part]
    wanted = f"{part}/{stem}{'.' + variant if variant else ''}.safetensors"
    others = [path.name for path in sorted((folder / part).glob(f"{stem}*.safetensors"))]
    if others:
        names = sorted({name.removeprefix(stem).removesuffix(".safetensors").strip(".") for name in others})
        variants = plain(" or ".join(map(repr, names)))
        return f"{wanted} (there is {plain(', '.join(others))}: set base.variant to {variants})"
    if any((folder / part).glob(f"{stem}*.bin")):
        return f"{wanted} (there are .bin weights, which can run code when loaded and are not read: convert them)"
    return wanted


def _read_json(path: Path, otherwise: str = "the model is not whole") -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabError(f"{path}: missing; {otherwise}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{path}: cannot be read: {plain(error, 200)}") from error
    if not isinstance(content, dict):
        raise LabError(f"{path}: is not a JSON object; {otherwise}")
    return content


def _from_hub(repository: str, revision: str, variant: str) -> tuple[Path | None, list[str]]:
    """The folder of a cached or downloaded snapshot, or None and the reasons why there is none."""
    import huggingface_hub
    from huggingface_hub.constants import HF_HUB_CACHE

    def snapshot(patterns: list[str], local: bool) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision or None, local_files_only=local, allow_patterns=patterns
            )
        )

    cached: Path | None = None
    # Whatever is wrong with the cache or the connection (a dozen kinds of exception), it means: not from there.
    with contextlib.suppress(Exception):
        cached = snapshot(["model_index.json"], local=True)
        if not _missing(cached, variant):
            return cached, []
    why = [f"the Hugging Face cache {HF_HUB_CACHE} has no whole copy"]
    if cached is not None:
        why[0] += f" (missing: {'; '.join(_missing(cached, variant))})"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return None, [*why, "nothing is downloaded while HF_HUB_OFFLINE is set"]
    try:
        return snapshot(_hub_files(variant), local=False), []
    except Exception as error:
        reason = str(error).strip().splitlines()
        return None, [*why, f"downloading failed: {type(error).__name__}: {plain(reason[0] if reason else '', 300)}"]


def _hub_files(variant: str) -> list[str]:
    """Just the files that are read: a repository often holds the same weights in five forms."""
    dot = f".{variant}" if variant else ""
    weights = [
        pattern
        for part, stem in _WEIGHTS.items()
        for pattern in (f"{part}/{stem}{dot}.safetensors", f"{part}/{stem}{dot}-[0-9]*-of-[0-9]*.safetensors")
    ]
    configs = [f"{part}/{name}" for part, name in _CONFIGS.items()]
    return ["model_index.json", "scheduler/scheduler_config.json", *configs, *weights,
            *(f"tokenizer/{name}" for name in _TOKENIZER_FILES)]  # fmt: skip
