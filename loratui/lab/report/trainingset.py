"""The training set of an article: its images with their captions, and what the text encoder makes of those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.files import sha256_file
from loratui.lab.plain import plain
from loratui.lab.report.album import Album
from loratui.lab.report.article import (
    Block,
    Code,
    Details,
    Paragraph,
    Piece,
    Plate,
    Plates,
    Said,
    Section,
    Table,
    Words,
)
from loratui.lab.report.material import Material, Told

MOST = 24  # images shown
CAPTIONS = 60  # different captions told with their tokens


@dataclass(frozen=True)
class _Image:
    name: str
    path: Path
    sha256: str  # "" where no run froze it
    caption: str
    repeats: int


def training_section(material: Material, album: Album) -> Section:
    images, tokenizer, why = _of_run(material.main) if material.main else _of_folder(material)
    if not images:
        words = why or "There are no images in the folder of the dataset yet."
        return Section("training", "What it was shown", (Paragraph(words, "note"),))
    views = {image.repeats for image in images}
    each = f", each seen {_times(next(iter(views)))} an epoch" if len(views) == 1 else ", not all seen equally often"
    shown = images[:MOST]
    rest = f" The first {MOST} are shown." if len(images) > MOST else ""
    count = f"{len(images)} image{'s' if len(images) != 1 else ''}{each}."
    frozen = " Captions are those that the run was trained with." if material.main else " No run has frozen them yet."
    blocks: list[Block] = [
        Plates(
            tuple(_plate(number, image, album) for number, image in enumerate(shown, 1)),
            f"The training set: {count}{rest}{frozen}",
        )
    ]
    blocks += _tokens(images, tokenizer, why)
    return Section("training", "What it was shown", tuple(blocks))


def _of_run(told: Told) -> tuple[list[_Image], Tokenizer | None, str]:
    record = told.record
    assert record is not None
    images = [_Image(i.name, Path(i.path), i.sha256, i.caption, i.repeats) for i in record.images]
    try:
        return images, Tokenizer.load(record.model.path / "tokenizer"), ""
    except LabError as error:
        return images, None, str(error)


def _of_folder(material: Material) -> tuple[list[_Image], Tokenizer | None, str]:
    """What would be trained now, for a project without runs."""
    from loratui.lab.dataset.captionfiles import read_caption
    from loratui.lab.dataset.dataset import list_images
    from loratui.lab.models import ModelAbsent, resolve_model

    project = material.project
    if project is None:
        return [], None, "The project cannot be read, and no run tells what it was shown."
    folder, base = project.dataset_folder(), project.settings.base
    images = []
    try:
        for one in list_images(folder, project.settings.dataset):
            caption = read_caption(one.caption_path, one.name)[0] if one.caption_path else one.words or ""
            images.append(_Image(one.name, one.path, "", caption, one.repeats))
    except (LabError, OSError) as error:
        return [], None, str(error)
    try:
        model = resolve_model(base.model, project.folder, base.revision, base.variant)
        return images, Tokenizer.load(model.path / "tokenizer"), ""
    except ModelAbsent:
        return images, None, ""
    except LabError as error:
        return images, None, str(error)


def _plate(number: int, image: _Image, album: Album) -> Plate:
    words: Words = (Said(image.caption),) if image.caption.strip() else "no caption"
    missing = ""
    try:
        if image.sha256 and sha256_file(image.path) != image.sha256:
            missing = "changed since it was trained"
    except OSError:
        missing = "not there any more"
    alt = f"training image {plain(image.name, 80)}: {plain(image.caption, 120) or 'no caption'}"
    picture = None if missing else album.take(image.path, f"training-{number:02d}", alt)
    return Plate(picture, words, (Said(image.name),), missing or ("" if picture else "cannot be shown"))


def _tokens(images: Sequence[_Image], tokenizer: Tokenizer | None, why: str) -> list[Block]:
    captions = Counter(image.caption.strip() for image in images)
    if tokenizer is None:
        words = "How the captions tokenise is not told: the base model's tokenizer "
        return [Paragraph(f"{words}{'cannot be read: ' + why if why else 'is not on this machine.'}", "note")]
    rows: list[tuple[Words, ...]] = []
    same: dict[tuple[int, ...], list[str]] = {}
    for caption, count in captions.items():
        tokens = tokenizer.encode(caption)
        same.setdefault(tuple(token.id for token in tokens), []).append(caption)
        if len(rows) < CAPTIONS:
            shown: list[Piece] = []
            for token in tokens[: tokenizer.limit]:
                shown += [Code(plain(token.piece)), " "]
            if len(tokens) > tokenizer.limit:
                shown.append(f"and {len(tokens) - tokenizer.limit} more that the text encoder does not see")
            rows.append((_caption(caption), str(count), str(len(tokens)), tuple(shown) or "nothing"))
    blocks: list[Block] = [
        Paragraph("The text encoder does not read letters. It reads these tokens; a dot marks the end of a word."),
        Table(("caption", "images", "tokens", "as tokens"), tuple(rows), "", frozenset({1, 2})),
    ]
    if len(captions) > CAPTIONS:
        blocks.append(Paragraph(f"{len(captions) - CAPTIONS} more captions are not listed.", "note"))
    twins = [group for group in same.values() if len(group) > 1]
    for group in twins[:5]:
        listed: list[Piece] = ["Different captions that are the same tokens, and so one caption to the model: "]
        for index, caption in enumerate(group[:4]):
            listed += [", " if index else "", "“", Said(caption), "”"]
        blocks.append(Paragraph((*listed, "."), "warning"))
    if len(rows) > 8:
        return [blocks[0], Details("The captions as tokens", tuple(blocks[1:]))]
    return blocks


def _caption(caption: str) -> Words:
    return (Said(caption),) if caption else "no caption"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
