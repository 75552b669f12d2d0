"""What a measure looked at in a picture: the picture with all dimmed that it left out, and what all measures say of it.

Made by a child process, since measuring needs numpy, and kept in the cache folder by the picture's content.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab.apart import answer, ask
from loratui.lab.errors import LabError
from loratui.lab.files import cache_folder, make_folder, read_text, write_atomic
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.scores.readings import VERSION, Measures, digest, measures_of

if TYPE_CHECKING:
    from loratui.lab.measures import Mask, Picture

MOST = 600  # files in the cache
LONGEST = 1024  # pixels of the longer side of a masked picture
DIMMED = 0.22  # of its light is left to what was not measured


@dataclass(frozen=True)
class Measured:
    """What the measures say of a picture, and for each of them the picture of its mask."""

    measures: Measures
    masks: dict[str, Path]


def measure_apart(path: Path, progress: Progress = quiet) -> Measured:
    """From the cache, else by a child. LabError when it is no picture; what `progress` raises ends the child."""
    folder = cache_folder() / "masks"
    index = folder / f"{digest(path)}-{VERSION}.json"
    found = _read(index)
    if found is None:
        ask("loratui.lab.pictures.maskpicture", [path.absolute(), index], f"{path}: measuring it", progress)
        found = _read(index)
    if found is None:
        raise LabError(f"{folder}: what was written there is gone again; is the disk full?")
    return found


def mask_picture(path: Path, measure: str, progress: Progress = quiet) -> Path:
    """The picture of one measure's mask. LabError for a measure that there is none of."""
    masks = measure_apart(path, progress).masks
    if measure not in masks:
        raise LabError(f"there is no measure {plain(measure, 40)}; known: {', '.join(masks)}")
    return masks[measure]


def _read(index: Path) -> Measured | None:
    try:
        table = json.loads(read_text(index))
        masks = {str(name): index.parent / str(file) for name, file in table["masks"].items()}
        if all(file.is_file() for file in masks.values()):
            return Measured(measures_of(table["measures"]), masks)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        pass
    return None


# --- in the child -------------------------------------------------------------------------------------------------


def write_masks(path: Path, index: Path) -> None:
    """Measure a picture, and write the masks beside `index`, which is written last."""
    from loratui.lab.measures import measure
    from loratui.lab.scores.readings import pixels

    picture = pixels(path)
    try:
        told = measure(picture)
    except ValueError as error:
        raise LabError(f"{path}: cannot be measured: {plain(error, 200)}") from error
    make_folder(index.parent)
    files: dict[bytes, str] = {}  # by mask: most measures share one
    masks = {}
    for name, measured in told.items():
        key = measured.mask.tobytes()
        if key not in files:
            files[key] = f"{index.stem}-{name}.png"
            write_atomic(index.parent / files[key], dimmed(picture, measured.mask))
        masks[name] = files[key]
    measures = {name: [_plain(m.value), round(m.confidence, 4), m.reason] for name, m in told.items()}
    write_atomic(index, json.dumps({"measures": measures, "masks": masks}))
    _prune(index.parent)


def _plain(value: Any) -> Any:
    return round(float(value), 6) if isinstance(value, float) else value


def dimmed(picture: Picture, mask: Mask) -> bytes:
    """A PNG in which what lies outside of the mask is dark and grey."""
    import numpy as np
    from PIL import Image

    grey = picture.mean(axis=2, keepdims=True) * DIMMED
    # Hatched, so that black and masked can be told apart.
    height, width = mask.shape
    y, x = np.mgrid[:height, :width]
    hatched = (((x + y) // max(1, min(mask.shape) // 64)) % 4 == 0)[..., None] * 22
    shown = np.where(mask[..., None], picture, grey + hatched)
    image = Image.fromarray(shown.clip(0, 255).astype(np.uint8))
    image.thumbnail((LONGEST, LONGEST))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _prune(folder: Path) -> None:
    """Forget the oldest."""
    with contextlib.suppress(OSError):
        files = sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) - MOST)]:
            file.unlink(missing_ok=True)


def _masked(progress: Progress) -> dict[str, Any]:
    write_masks(Path(sys.argv[1]), Path(sys.argv[2]))
    return {}


if __name__ == "__main__":
    answer(_masked)
