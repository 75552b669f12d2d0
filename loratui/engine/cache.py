"""Latents and text encodings, computed once and kept by content under the cache folder, never in the dataset.

A key holds everything the result depends on: the image's bytes, size and mirroring and the autoencoder's hash; the
final caption and the text encoder's hash. So nothing can go stale: a changed pixel or comma is another key.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from loratui.lab.files import cache_folder, write_atomic

FORMAT = 1  # raise it when what is stored changes its meaning
CHUNK = 16


class TensorCache:
    """float32 arrays by content key, one .npy file each."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.folder = (folder or cache_folder()) / kind

    def key(self, *parts: Hashable) -> str:
        return hashlib.sha256(repr((FORMAT, *parts)).encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def get(self, key: str) -> torch.Tensor | None:
        try:
            return torch.from_numpy(np.load(self._path(key)))
        except (FileNotFoundError, ValueError, EOFError):  # absent, or cut short by a full disk: compute it again
            return None

    def put(self, key: str, value: torch.Tensor) -> None:
        buffer = io.BytesIO()
        np.save(buffer, value.detach().cpu().float().numpy())
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, buffer.getvalue())

    def fill(self, keys: Sequence[str], compute: Callable[[list[int]], Iterable[torch.Tensor]]) -> list[torch.Tensor]:
        """One tensor a key, in order; `compute` is asked, in chunks, for the positions that are not there yet."""
        found: list[torch.Tensor | None] = [self.get(key) for key in keys]
        missing = [i for i, value in enumerate(found) if value is None]
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            for i, value in zip(chunk, compute(chunk), strict=True):
                found[i] = value.detach().cpu().float()
                self.put(keys[i], value)
        return [value for value in found if value is not None]
