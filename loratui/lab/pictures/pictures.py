"""Pictures that carry what made them: a PNG with one text chunk for other tools and one that is complete.

`parameters` is the form of AUTOMATIC1111, which most tools for pictures read; `loratui` is JSON with every field.
Measuring or showing pictures is done elsewhere.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab.dataset.imagefiles import png_chunks
from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import open_binary, read_file, write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 30  # of a contact sheet


@dataclass(frozen=True)
class PictureFacts:
    """All that a picture depends on. `scale` is None, and `lora` empty, for the base model alone."""

    prompt: str
    negative_prompt: str
    seed: int
    inference_steps: int
    guidance_scale: float
    width: int
    height: int
    model: str
    model_hash: str = ""
    lora: str = ""
    lora_hash: str = ""  # sha256 of the LoRA's tensors, as other tools compute it
    scale: float | None = None
    step: int = 0  # training step of the LoRA
    run: str = ""
    sampler: str = "DDIM"
    version: str = ""

    @property
    def parameters(self) -> str:
        """The text that other tools read: prompt, negative prompt, and a last line of `key: value` pairs."""
        lines = [self.prompt if self.scale is None else f"{self.prompt} <lora:{self.lora}:{self.scale:g}>"]
        if self.negative_prompt:
            lines.append(f"Negative prompt: {self.negative_prompt}")
        pairs: dict[str, Any] = {
            "Steps": self.inference_steps,
            "Sampler": self.sampler,
            "CFG scale": f"{self.guidance_scale:g}",
            "Seed": self.seed,
            "Size": f"{self.width}x{self.height}",
            "Model hash": self.model_hash[:10],
            "Model": self.model,
            "Lora hashes": f"{self.lora}: {self.lora_hash[:12]}" if self.lora_hash else "",
            "RNG": "CPU",  # where the noise was drawn; when it is left out, readers take it for the GPU
            "Loratui run": self.run,
            "Loratui step": self.step if self.scale is not None else "",
            "Version": f"loratui {self.version}".strip(),
        }
        lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in pairs.items() if value != ""))
        return "\n".join(lines)


def save_picture(path: Path, array: NDArray[np.uint8], facts: PictureFacts) -> None:
    """Write (height, width, 3) values as a PNG with its facts. The file is whole or not there."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    # A chunk's text ends at a NUL, and UTF-8 has no lone surrogates; the JSON below keeps both.
    legible = facts.parameters.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    chunks.add_text("parameters", legible)
    chunks.add_text("loratui", json.dumps(asdict(facts)))
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG", pnginfo=chunks)
    write_atomic(path, content.getvalue())


def read_facts(path: Path) -> PictureFacts | None:
    """What made the picture; None when it does not say so. The pixels are not read. LabError when it is no picture."""
    from PIL import Image

    try:
        with open_binary(path) as file, Image.open(file) as image:
            text = image.info.get("loratui")
    except (OSError, ValueError, SyntaxError) as error:  # Pillow says SyntaxError of a broken PNG
        raise LabError(f"{path}: cannot be read as a picture: {cause_of(error)}") from error
    if not isinstance(text, str):
        return None
    try:
        values = json.loads(text)
        known = {field.name for field in fields(PictureFacts)}
        return PictureFacts(**{key: value for key, value in values.items() if key in known})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # written by something else that uses our name


def damage_of_picture(path: Path) -> str:
    """What is wrong with a PNG, in words; "" when there is one and the checksums of all its chunks hold."""
    try:
        data = read_file(path, _MOST_BYTES)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return str(error.strerror)
    chunks = png_chunks(data) if data.startswith(b"\x89PNG") else []
    return "" if chunks and chunks[-1].startswith(b"IEND") else "damaged or cut short"


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ',:\n"') else text
