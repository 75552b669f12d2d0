"""What there is to say about a picture, in rows for a person: a sample, a contact sheet, or an image of a dataset.

Reads files, so it belongs in a thread; the pixels are not read. Never raises for what the picture's file holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loratui.lab.dataset.captionfiles import read_caption
from loratui.lab.dataset.dataset import natural
from loratui.lab.dataset.imagefiles import FORMATS
from loratui.lab.errors import LabError
from loratui.lab.pictures.pictures import PictureFacts, read_facts

NONE = "—"


@dataclass(frozen=True)
class About:
    """`title` in a few words; `rows` are names and values, in the order of what matters, `""` for a gap."""

    title: str
    rows: tuple[tuple[str, str], ...]
    facts: PictureFacts | None = None


def about_sample(path: Path, expected: str = "") -> About:
    """A picture that carries what made it. With and without the LoRA the rows are the same, so that two compare."""
    try:
        facts = read_facts(path)
    except LabError as error:
        return About("broken picture", (("problem", str(error)), ("file", str(path))))
    if facts is None:
        return About("picture", (("made by", "it does not say"), ("", ""), *_file_rows(path)))
    base = facts.scale is None
    rows = (
        ("prompt", facts.prompt or "(no words)"),
        ("expected", expected or NONE),
        ("", ""),
        ("seed", str(facts.seed)),
        ("steps", f"{facts.inference_steps} inference steps"),
        ("guidance", f"{facts.guidance_scale:g}"),
        ("negative", facts.negative_prompt or NONE),
        ("size", f"{facts.width}x{facts.height}"),
        ("sampler", facts.sampler),
        ("", ""),
        ("LoRA", NONE if facts.scale is None else f"{facts.lora} at scale {facts.scale:g}"),
        ("LoRA hash", NONE if base else facts.lora_hash[:12] or NONE),
        ("trained", NONE if base else f"{facts.step} steps"),
        ("run", NONE if base else facts.run),
        ("model", facts.model),
        ("its hash", facts.model_hash[:12] or NONE),
        ("made by", f"loratui {facts.version}".strip()),
        ("", ""),
        *_file_rows(path),
    )
    return About("base model" if base else "with the LoRA", rows, facts)


def about_sheet(path: Path, step: int | None) -> About:
    """A contact sheet of a run."""
    made = ("step", str(step)) if step is not None else ("step", NONE)
    return About("contact sheet", (made, *_file_rows(path)))


def about_image(path: Path, size: tuple[int, int], project: Path | None = None) -> About:
    """An image of a dataset: its caption, and how many tokens the caption is where the project's model is here."""
    extension, tokens = ".txt", ""
    caption_file = path.with_suffix(extension)
    if project is not None:
        extension, tokens = _of_project(path, project)
        caption_file = path.with_suffix(extension)
    found = caption_file.is_file()
    caption = read_caption(caption_file, caption_file.name)[0] if found else ""
    rows = [
        ("caption", caption or ("(empty)" if found else f"none: there is no {caption_file.name}")),
        ("", ""),
        ("size", f"{size[0]}x{size[1]}" if size[0] else NONE),
        *_file_rows(path),
    ]
    if tokens:
        rows.insert(1, ("tokens", tokens))
    return About("image", tuple(rows))


def images_beside(path: Path) -> list[Path]:
    """The images of the picture's folder, itself among them, in natural order."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix.lower() in FORMATS]
    except OSError:
        names = []
    shown = {name for name in names if not name.startswith(".")} | {path.name}
    return [path.parent / name for name in sorted(shown, key=natural)]


def _of_project(path: Path, project: Path) -> tuple[str, str]:
    """The caption files' extension in a project, and the tokens of this image's caption."""
    from loratui.lab.dataset.tokenview import load_tokenizer, read_caption_tokens
    from loratui.lab.project.project import load_project

    try:
        loaded = load_project(project)
    except (LabError, OSError):
        return ".txt", ""
    extension = "." + loaded.settings.dataset.caption_extension.lstrip(".")
    file = path.with_suffix(extension)
    if not file.is_file():
        return extension, ""
    caption = read_caption(file, file.name)[0]
    try:
        read = read_caption_tokens(load_tokenizer(loaded), caption, 60)
    except (LabError, OSError):
        return extension, ""
    words = f"{read.count} of {read.limit}"
    if read.cut:
        words += f"; the last {read.cut} are never seen"
    return extension, f"{words}: {' '.join(piece.text for piece in read.pieces)}"


def _file_rows(path: Path) -> tuple[tuple[str, str], ...]:
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        return (("file", f"{path.name} (it is gone)"), ("folder", str(path.parent)))
    words = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    return (("file", f"{path.name}, {words}"), ("folder", str(path.parent)))
