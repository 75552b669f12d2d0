"""The files of a base model in the diffusers layout: which belong to a part, whether all are there, and their hashes.

These files, by name, are all that is read of a model: what is hashed is what is loaded. Whatever else lies in a part's
folder is passed over, but for adapters, which other programs would apply unseen, and which are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import cache_folder, read_text, sha256_file, write_atomic
from loratui.lab.plain import plain
from loratui.lab.safetensorsfile import read_header

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
SCHEDULER = "scheduler/scheduler_config.json"
_STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
WITH_WEIGHTS = tuple(_STEMS)
_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                    "added_tokens.json")  # fmt: skip
_SHARD = "-[0-9]*-of-[0-9]*.safetensors"
_MOST_JSON = 16 << 20  # bytes of a config; the index of the largest models has some hundred thousand
_MOST_SIZE = 10_000_000  # of any number in a config: the largest honest ones are vocabularies
_MOST_LAYERS = 100  # of those that say how often something is built, and of lists


def read_json(path: Path, otherwise: str = "the model is not whole") -> dict[str, Any]:
    """A JSON object of a model. LabError when there is none; `otherwise` is said when the file is missing."""
    try:
        content = json.loads(read_text(path, _MOST_JSON))
    except FileNotFoundError as error:
        raise LabError(f"{plain(path)}: missing; {otherwise}") from error
    except OSError as error:
        raise LabError(f"{plain(path)}: cannot be read: {plain(error.strerror, 200)}") from error
    except (ValueError, RecursionError) as error:
        raise LabError(f"{plain(path)}: cannot be read: {plain(error, 200)}") from error
    if not isinstance(content, dict):
        raise LabError(f"{plain(path)}: is not a JSON object; {otherwise}")
    return content


def read_config(folder: Path, part: str) -> dict[str, Any]:
    """The config of a part with weights. LabError also for a size that no model has: nothing may be built of it."""
    path = folder / part / "config.json"
    config = read_json(path)
    for key, value, most in _numbers(config):
        if value > most:
            raise LabError(
                f"{plain(path)}: {plain(key, 60)} = {plain(value, 40)} cannot be; put the config of the model back"
            )
    return config


def _numbers(config: dict[str, Any]) -> Iterator[tuple[str, float, int]]:
    """All numbers of a config, and the lengths of its lists, with the key they are below and what they may be."""
    rest = [(key, value) for key, value in config.items() if key not in ("id2label", "label2id")]
    while rest:
        key, value = rest.pop()
        if isinstance(value, list):
            yield f"the length of {key}", len(value), _MOST_LAYERS
            rest += [(key, item) for item in value[: _MOST_LAYERS + 1]]
        elif isinstance(value, int | float):
            yield key, value, _MOST_LAYERS if "layers" in key else _MOST_SIZE


def weight_files(folder: Path, part: str, variant: str) -> tuple[Path, ...]:
    """The safetensors files of a part, in order; empty for the tokenizer and the scheduler."""
    if part not in _STEMS:
        return ()
    whole, _ = _weight_names(part, variant)
    if (folder / part / whole).is_file():
        return (folder / part / whole,)
    # Diffusers cuts great weights into shards, named by an index beside them.
    return tuple(sorted((folder / part).glob(whole.removesuffix(".safetensors") + _SHARD)))


def _weight_names(part: str, variant: str) -> tuple[str, str]:
    """The names of a part's weights in one file, and of the index of those in shards."""
    dot = f".{variant}" if variant else ""
    return f"{_STEMS[part]}{dot}.safetensors", f"{_STEMS[part]}.safetensors.index{dot}.json"


def part_files(folder: Path, part: str, variant: str) -> tuple[Path, ...]:
    """All that is read of a part, in the order in which it is hashed."""
    inside = folder / part
    if part == "tokenizer":
        return tuple(inside / name for name in _TOKENIZER_FILES if (inside / name).is_file())
    if part == "scheduler":
        return (folder / SCHEDULER,)
    whole, index = _weight_names(part, variant)
    weights = weight_files(folder, part, variant)
    shards = weights != (inside / whole,)
    return (inside / "config.json", *([inside / index] if shards else []), *weights)


def hub_files(variant: str) -> list[str]:
    """Patterns of just these files: a repository often holds the same weights in five forms."""
    weights = []
    for part in WITH_WEIGHTS:
        whole, index = _weight_names(part, variant)
        names = (whole, index, whole.removesuffix(".safetensors") + _SHARD, "config.json")
        weights += [f"{part}/{name}" for name in names]
    return ["model_index.json", SCHEDULER, *weights, *(f"tokenizer/{name}" for name in _TOKENIZER_FILES)]


# -- are they all there, and whole ------------------------------------------------------------------------------------


def missing_files(folder: Path, variant: str) -> list[str]:
    """What a whole model has and this one does not, in words."""
    found = []
    for part in PARTS:
        if not (folder / part).is_dir():
            found.append(f"the folder {part}/")
        elif part == "tokenizer":
            has = {path.name for path in part_files(folder, part, variant)}
            if "tokenizer.json" not in has and not {"vocab.json", "merges.txt"} <= has:
                found.append("tokenizer/vocab.json and tokenizer/merges.txt (or tokenizer/tokenizer.json)")
        elif part == "scheduler":
            if not (folder / SCHEDULER).is_file():
                found.append(SCHEDULER)
        else:
            if not (folder / part / "config.json").is_file():
                found.append(f"{part}/config.json")
            found += _missing_weights(folder, part, variant)
    return found


def _missing_weights(folder: Path, part: str, variant: str) -> list[str]:
    whole, index = _weight_names(part, variant)
    weights = weight_files(folder, part, variant)
    if not weights:
        return [_no_weights(folder, part, variant)]
    if weights == (folder / part / whole,):
        return []
    if not (folder / part / index).is_file():
        return [f"{part}/{index}, which says what belongs to {plain(weights[0].name)}"]
    named = set(_weight_map(folder / part / index).values())
    return [f"{part}/{plain(name)}" for name in sorted(named - {file.name for file in weights})]


def _no_weights(folder: Path, part: str, variant: str) -> str:
    stem, wanted = _STEMS[part], f"{part}/{_weight_names(part, variant)[0]}"
    others = [path.name for path in sorted((folder / part).glob(f"{stem}*.safetensors"))]
    if others:
        names = sorted({name.removeprefix(stem).removesuffix(".safetensors").strip(".") for name in others})
        variants = plain(" or ".join(map(repr, names)))
        return f"{wanted} (there is {plain(', '.join(others))}: set base.variant to {variants})"
    if any((folder / part).glob(f"{stem}*.bin")):
        return f"{wanted} (there are .bin weights, which can run code when loaded and are not read: convert them)"
    return wanted


def refuse_broken(folder: Path, variant: str) -> None:
    """LabError when weights are cut short or malformed, shards are not what their index says, or an adapter is there.

    Only the headers of the weights are read. Nothing may be missing; see `missing_files`.
    """
    for part in PARTS:
        adapters = sorted(
            path.name
            for path in (folder / part).iterdir()
            if path.name == "adapter_config.json" or path.name.startswith("adapter_model.")
        )
        if adapters:
            raise LabError(
                f"{plain(folder / part)}: holds {plain(' and '.join(adapters))}: an adapter in a base model would "
                "change it unseen; move it away, or merge it into the weights"
            )
    for part in WITH_WEIGHTS:
        weights = weight_files(folder, part, variant)
        try:
            held = {file.name: set(read_header(file).shapes) for file in weights}
        except OSError as error:
            raise LabError(f"{plain(error.filename or folder)}: cannot be read: {plain(error.strerror)}") from error
        whole, index = _weight_names(part, variant)
        if weights != (folder / part / whole,):
            _refuse_other_shards(folder / part / index, held)


def _refuse_other_shards(index: Path, held: dict[str, set[str]]) -> None:
    named: dict[str, set[str]] = {file: set() for file in held}
    for tensor, file in _weight_map(index).items():
        named.setdefault(file, set()).add(tensor)
    for file, tensors in sorted(named.items()):
        if tensors != held.get(file):
            raise LabError(
                f"{plain(index)}: does not fit {plain(file)} beside it; download or copy the folder {index.parent.name}"
                "/ again, or move away what does not belong to it"
            )


def _weight_map(index: Path) -> dict[str, str]:
    """Which shard holds which tensor. LabError when the index names anything but files beside it."""
    found = read_json(index).get("weight_map")
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise LabError(f"{plain(index)}: has no weight_map from tensors to files; download or copy it again")
    for name in found.values():
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):
            raise LabError(f"{plain(index)}: names the shard {plain(name, 80)!r}, which is no file beside it")
    return found


# -- hashes -----------------------------------------------------------------------------------------------------------


def part_hash(folder: Path, part: str, variant: str) -> str:
    """SHA-256 of the names and contents of the files that are read of a part."""
    lines = "".join(f"{file.name} {_cached_hash(file)}\n" for file in part_files(folder, part, variant))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _cached_hash(file: Path) -> str:
    """Contents are hashed once: digests are kept in the cache by all that a change of the file leaves its trace in."""
    key = _trace(file)
    note = cache_folder() / "hashes" / hashlib.sha256(os.fsencode(key)).hexdigest()
    with contextlib.suppress(OSError, ValueError):
        kept = read_text(note, 64)
        if re.fullmatch(r"[0-9a-f]{64}", kept):
            return kept
    digest = sha256_file(file)
    if _trace(file) != key:  # written to meanwhile: what was read may be neither the old nor the new
        raise LabError(f"{plain(file)}: changed while it was read; wait until it is whole")
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(note, digest)
    return digest


def _trace(file: Path) -> str:
    """The size and the time of change are not enough: copying tools put the time back, but not the inode's own."""
    facts = file.stat()
    numbers = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_dev, facts.st_ino)
    return "\0".join([str(file.resolve()), *map(str, numbers)])
