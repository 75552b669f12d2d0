"""What one picture of a run is: its cell, its file, and whether that file holds what would be drawn.

Known without torch, so that whoever asks for pictures hears what is there before anything heavy is loaded. Drawing
is the engine's business.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from loratui import __version__
from loratui.lab.errors import LabError
from loratui.lab.files import atomic_path, open_binary
from loratui.lab.pictures.pictures import PictureFacts, read_facts
from loratui.lab.project.settings import ResolvedPrompt
from loratui.lab.run.record import Record, output_name
from loratui.lab.run.runs import RunFolder
from loratui.lab.safetensorsfile import read_header


@dataclass(frozen=True)
class Cell:
    """One picture. `scale` None is the base model; `number` is the prompt's place in the project."""

    number: int
    prompt: str
    negative_prompt: str
    seed: int
    inference_steps: int
    guidance_scale: float
    width: int
    height: int
    scale: float | None

    @property
    def name(self) -> str:
        scale = "base" if self.scale is None else f"scale{self.scale:g}"
        return f"p{self.number:02d}-seed{self.seed}-steps{self.inference_steps}-{scale}.png"

    @property
    def group(self) -> tuple[object, ...]:
        """Cells of one group may share a batch."""
        return tuple(v for k, v in asdict(self).items() if k != "seed")


@dataclass(frozen=True)
class Drawn:
    """A cell and the file that holds its picture. `step` is 0 for the base; `new` is false where it was there."""

    cell: Cell
    path: Path
    step: int = 0
    new: bool = True


def cells(
    prompts: Sequence[ResolvedPrompt], scales: Sequence[float | None], numbers: Sequence[int] | None = None
) -> list[Cell]:
    """Every picture that the prompts ask for, at every scale, in the order of the contact sheet."""
    return [
        Cell(number, p.text, p.negative_prompt or "", seed, steps, p.guidance_scale, p.width, p.height, scale)
        for number, p in zip(range(len(prompts)) if numbers is None else numbers, prompts, strict=True)
        for seed in p.seeds or ()
        for steps in p.inference_steps or ()
        for scale in scales
    ]


def picture_path(run: RunFolder, cell: Cell, step: int) -> Path:
    """Where the picture of a cell is, or would be."""
    folder = "base" if cell.scale is None else f"step-{step:06d}"
    return run.samples / folder / cell.name


def facts_of(record: Record, run: RunFolder, cell: Cell, step: int, payload: str) -> PictureFacts:
    """What the picture of a cell will say of itself. `payload` is the hash of the LoRA of that step."""
    base = cell.scale is None
    return PictureFacts(
        prompt=cell.prompt,
        negative_prompt=cell.negative_prompt,
        seed=cell.seed,
        inference_steps=cell.inference_steps,
        guidance_scale=cell.guidance_scale,
        width=cell.width,
        height=cell.height,
        model=record.base_name,
        model_hash=record.base_hash,
        lora="" if base else output_name(record, step),
        lora_hash="" if base else payload,
        scale=cell.scale,
        step=0 if base else step,
        run="" if base else run.id,
        version=__version__,
    )


def is_drawn(path: Path, facts: PictureFacts) -> bool:
    """Whether there is a picture that the very same things made, whatever the run's folder is called by now.

    A picture of an earlier training that ended up under the same step is another one: its LoRA's hash differs.
    """
    try:
        found = read_facts(path)
    except LabError:  # absent, or damaged: draw it
        return False
    return found is not None and _nameless(found) == _nameless(facts)


def _nameless(facts: PictureFacts) -> PictureFacts:
    return replace(facts, model="", lora="", run="", version="")


def write_sheets(run: RunFolder, drawn: Sequence[Drawn], title: str, step: int, mark: str = "") -> list[Path]:
    """Contact sheets of one sampling: a row for each prompt and seed, the base beside each LoRA picture.

    `mark` tells those of pictures that somebody asked for from the run's own; see `Gallery.sheets`.
    """
    from loratui.lab.pictures.sheet import arrange, contact_sheets

    pictures = [(facts, d.path) for d in drawn if (facts := read_facts(d.path)) is not None]
    paths = []
    stem = sheet_stem(step, mark)
    for page, sheet in enumerate(contact_sheets(*arrange(pictures), title, f"step {step}")):
        paths.append(run.samples / (stem + (f"-{page + 1}" if page else "") + ".png"))
        with atomic_path(paths[-1]) as part:
            sheet.save(part, format="PNG")
    return paths


def sheet_stem(step: int, mark: str = "") -> str:
    """The name of a contact sheet's first page, without its suffix."""
    return f"sheet-step-{step:06d}" + (f"-asked-{mark}" if mark else "")


def sheet_pages(run: RunFolder, step: int, mark: str = "") -> list[Path]:
    """The pages of a contact sheet that are there, in order."""
    stem = sheet_stem(step, mark)
    found = {int(match[1] or 1): path for path in run.samples.glob(f"{stem}*.png")
             if (match := re.fullmatch(re.escape(stem) + r"(?:-(\d{1,6}))?", path.stem))}  # fmt: skip
    return [found[page] for page in sorted(found)]


def sheet_mark(record: Record, wanted: Sequence[Cell]) -> str:
    """What tells a contact sheet from others of its step; nothing for that of what the run draws by itself."""
    own = cells(record.prompts, (None, *record.settings.sample.scales))
    if set(own) == set(wanted):
        return ""
    names = "\n".join(sorted(cell.name for cell in wanted))
    return hashlib.sha256(names.encode()).hexdigest()[:8]


def payload_hash(path: Path) -> str:
    """sha256 of the tensor bytes alone: the identity of a LoRA, unmoved by edits of its metadata.

    It is kohya's `sshs_model_hash`; its first 12 digits are what A1111 writes under "Lora hashes". LabError when the
    file is malformed.
    """
    digest = hashlib.sha256()
    start = read_header(path).start
    with open_binary(path) as file:
        file.seek(start)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
