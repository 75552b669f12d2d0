"""A part of a base model, built of its own config and its own weights and of nothing else that lies beside them.

The libraries' own loaders look around in a folder: they apply an adapter that is there, fall back to files that can run
code, fetch what a config names, and pass over tensors that do not fit. Here what is read is what was hashed, by name,
and everything has to fit before memory is taken: shapes are compared on a module without any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError, safe_open
from torch import nn

from loratui.lab.errors import LabError
from loratui.lab.modelfiles import read_config
from loratui.lab.models import ModelFolder, refuse_changed
from loratui.lab.plain import plain
from loratui.lab.safetensorsfile import read_header

Named = dict[str, Any]  # by a tensor's name: its shape, or itself
Rename = Callable[[nn.Module, Named], Named]


def load_part(
    model: ModelFolder,
    hashes: Mapping[str, str],
    part: str,
    dtype: torch.dtype,
    build: Callable[[Mapping[str, Any]], nn.Module],
    rename: Rename,
) -> nn.Module:
    """The part on the CPU, its numbers cast to `dtype`. `build` makes it of a config, `rename` turns names of older
    files into the module's own.

    LabError when the weights do not fit the config, or are not those of `hashes`, also when they changed meanwhile.
    """
    config = read_config(model.path, part)
    try:
        with torch.device("meta"):
            module = build(config)
    except Exception as error:  # whatever the libraries say of a config that makes no sense
        raise LabError(
            f"{plain(model.path / part)}/config.json: no {part} can be built of it: {_words(error)}"
        ) from error
    _refuse_misfit(model, part, module, rename(module, _shapes(model, part)))
    if any(owner._non_persistent_buffers_set for owner in module.modules()):
        with init_empty_weights(include_buffers=False):  # numbers that no file holds are made as it is built
            module = build(config)
    tensors: Named = {}
    try:
        for weights in model.weight_files(part):
            with safe_open(weights, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  # it is no mapping
                    # A copy: a tensor that still lies in the file would change with it.
                    found = opened.get_tensor(name)
                    tensors[name] = found.to(dtype if found.is_floating_point() else found.dtype, copy=True)
    except SafetensorError as error:
        raise LabError(f"{plain(weights)}: cannot be read as a .safetensors file: {_words(error)}") from error
    refuse_changed(model, hashes, [part])
    tensors = rename(module, tensors)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise LabError(f"{plain(_place(model, part))}: {plain(name, 80)} holds whole numbers; weights never do")
    module.load_state_dict(tensors, strict=True, assign=True)
    return module


def _place(model: ModelFolder, part: str) -> Path:
    """What to name for a part's weights: their file, or the folder of several."""
    files = model.weight_files(part)
    return files[0] if len(files) == 1 else model.path / part


def _words(error: Exception) -> str:
    return plain(" ".join(str(error).split()), 200)


def _shapes(model: ModelFolder, part: str) -> Named:
    shapes: Named = {}
    for file in model.weight_files(part):
        for name, shape in read_header(file).shapes.items():
            if name in shapes:
                raise LabError(f"{plain(file)}: holds {plain(name, 80)}, which another file of {part}/ holds, too")
            shapes[name] = shape
    return shapes


def _refuse_misfit(model: ModelFolder, part: str, module: nn.Module, shapes: Named) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    other = [name for name in wanted if name in shapes and shapes[name] != wanted[name]]
    faults = [
        f"{len(names):,} {what} ({plain(', '.join(names[:3]), 300)}{', …' if len(names) > 3 else ''})"
        for what, names in (
            ("missing", sorted(wanted.keys() - shapes.keys())),
            ("not of this model", sorted(shapes.keys() - wanted.keys())),
            ("of another size", [f"{name}: {shapes[name]} and not {wanted[name]}" for name in other]),
        )
        if names
    ]
    if faults:
        raise LabError(
            f"{plain(_place(model, part))}: does not fit {part}/config.json: tensors "
            f"{'; '.join(faults)}; download or copy the model again"
        )


def clip_names(module: nn.Module, named: Named) -> Named:
    """The names of a CLIP text encoder: some versions of transformers begin them with text_model, and old ones also
    kept the numbers of the positions."""
    prefix = "text_model." if any(name.startswith("text_model.") for name in module.state_dict()) else ""
    found: Named = {}
    for name, value in named.items():
        own = prefix + name.removeprefix("text_model.")
        if own != f"{prefix}embeddings.position_ids":
            found[name if own in found else own] = value
    return found


def diffusers_names(module: Any, named: Named) -> Named:
    """The names of a UNet or an autoencoder, whose attention was called otherwise in old files."""
    found: Named = module._fix_state_dict_keys_on_load(dict(named))
    return found
