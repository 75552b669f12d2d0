"""A contact sheet shows every picture where its labels say, pixel for pixel, and always fits on its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from loratui.lab.errors import LabError
from loratui.lab.pictures.pictures import PictureFacts
from loratui.lab.pictures.sheet import Column, SheetRow, arrange, contact_sheet, contact_sheets, dataset_sheet

Pixels = NDArray[np.uint8]


def picture(seed: int, width: int = 64, height: int = 64) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def facts(**changes: Any) -> PictureFacts:
    values = {"prompt": "p", "negative_prompt": "", "seed": 1, "inference_steps": 25, "guidance_scale": 5.0,
              "width": 64, "height": 64, "model": "tinyworld", "lora": "x"}  # fmt: skip
    return PictureFacts(**{**values, **changes})


def find(sheet: Image.Image, wanted: Pixels) -> tuple[int, int] | None:
    """Left and top of the one place where these pixels are."""
    page = np.asarray(sheet)
    height, width = wanted.shape[:2]
    corners = np.argwhere((page == wanted[0, 0]).all(axis=2))
    places = [(int(x), int(y)) for y, x in corners if np.array_equal(page[y : y + height, x : x + width], wanted)]
    return places[0] if len(places) == 1 else None


def enlarged(pixels: Pixels, times: int) -> Pixels:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def text_width(sheet: Image.Image, left: int, right: int) -> int:
    """How many columns between left and right hold ink."""
    return int((np.asarray(sheet.convert("L"))[:, left:right] < 128).any(axis=0).sum())


def test_every_picture_is_where_its_row_and_column_are_without_smoothing() -> None:
    cells = [[picture(10 * row + column) for column in range(3)] for row in range(2)]
    rows = [SheetRow(f"seed {n}", tuple(line), "prompt") for n, line in enumerate(cells)]
    sheet = contact_sheet(rows, [Column("base"), Column("LoRA"), Column("more")], "Title", "run")
    places = [[find(sheet, enlarged(pixels, 2)) for pixels in line] for line in cells]
    assert all(place is not None for line in places for place in line)
    for line in places:
        xs, ys = zip(*line, strict=True)  # type: ignore[arg-type]
        assert list(xs) == sorted(xs)
        assert len(set(ys)) == 1
    assert places[0][0][1] < places[1][0][1]  # type: ignore[index]
    assert sheet.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("side", "times"), [(16, 8), (64, 2), (100, 2), (128, 1), (256, 1)])
def test_small_pictures_are_enlarged_by_a_whole_number_to_128_pixels_at_least(side: int, times: int) -> None:
    pixels = picture(1, side, side)
    sheet = contact_sheet([SheetRow("s", (pixels,))], [Column("base")], "t")
    assert find(sheet, enlarged(pixels, times)) is not None


def test_large_pictures_are_made_smaller_and_keep_their_shape() -> None:
    flat = np.full((512, 1024, 3), (200, 30, 40), dtype=np.uint8)
    page = np.asarray(contact_sheet([SheetRow("s", (flat,))], [Column("base")], "t"))
    ys, xs = np.where((page == (200, 30, 40)).all(axis=2))
    assert (int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1) == (256, 128)


def test_arrays_images_and_files_make_the_same_sheet(tmp_path: Path) -> None:
    pixels = picture(1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sheets = [
        contact_sheet([SheetRow("s", (one,))], [Column("base")], "t").tobytes()
        for one in (pixels, Image.fromarray(pixels), tmp_path / "a.png")
    ]
    assert sheets[0] == sheets[1] == sheets[2]


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(LabError, match=r"a\.png"):
        contact_sheet([SheetRow("s", (tmp_path / "a.png",))], [Column("base")], "t")


def test_a_cell_without_a_picture_stays_empty() -> None:
    sheet = contact_sheet([SheetRow("s", (picture(1), None))], [Column("base"), Column("LoRA")], "t")
    assert find(sheet, enlarged(picture(1), 2)) is not None


def test_many_rows_go_on_further_pages_and_none_is_lost() -> None:
    flat = [np.full((4, 4, 3), (250, n, 5), dtype=np.uint8) for n in range(130)]
    rows = [SheetRow(f"seed {n}", (one,), f"prompt {n // 4}") for n, one in enumerate(flat)]
    pages = contact_sheets(rows, [Column("base")], "t")
    found = [
        [colour[1] for _, colour in page.getcolors(10_000) or [] if colour[0] == 250 and colour[2] == 5]  # type: ignore[index]
        for page in pages
    ]
    assert [sorted(colours) for colours in found] == [[*range(60)], [*range(60, 120)], [*range(120, 130)]]
    with pytest.raises(ValueError, match="3 pages"):
        contact_sheet(rows, [Column("base")], "t")


def test_pages_of_large_pictures_have_fewer_rows() -> None:
    rows = [SheetRow("s", (np.zeros((256, 256, 3), dtype=np.uint8),))] * 60
    assert max(page.height for page in contact_sheets(rows, [Column("base")], "t")) < 13_000


@pytest.mark.parametrize(
    "text", ["", "word " * 2000, "x" * 5000, "灰色の円 🦊", "\x1b[31m\nlines\u202e", "[b]{x}%s", "bad \udcff"]
)
def test_any_text_can_be_drawn_and_stays_on_the_page(text: str) -> None:
    rows = [SheetRow("seed 1", (picture(1),), text)]
    sheet = contact_sheet(rows, [Column(text[:300], text)], text, text)
    assert sheet.width < 700
    assert find(sheet, enlarged(picture(1), 2)) is not None
    assert dataset_sheet([picture(1)], [text], text).width < 700


def test_a_long_prompt_is_cut_before_the_pictures_begin() -> None:
    short = contact_sheet([SheetRow("s", (picture(1),), "p")], [Column("base")], "t")
    long = contact_sheet([SheetRow("s", (picture(1),), "word " * 500)], [Column("base")], "t")
    assert long.size == short.size
    assert text_width(long, 0, 206) > text_width(short, 0, 206)
    assert text_width(long, 206, 214) == text_width(short, 206, 214) == 0


def test_what_the_font_cannot_draw_is_a_question_mark_not_a_box() -> None:
    def drawn(prompt: str) -> bytes:
        return contact_sheet([SheetRow("s", (picture(1),), prompt)], [Column("base")], "t").tobytes()

    assert drawn("灰 circle") == drawn("? circle")
    assert drawn("é ① 2×2") == drawn("e 1 2x2")
    assert drawn("circle") != drawn("square")


def test_nothing_to_show_or_rows_that_do_not_fit_are_mistakes() -> None:
    with pytest.raises(ValueError, match="needs"):
        contact_sheets([], [Column("base")], "t")
    with pytest.raises(ValueError, match="needs"):
        contact_sheets([SheetRow("s", (None, None))], [Column("base")], "t")
    with pytest.raises(ValueError, match="needs"):
        dataset_sheet([], [])


def test_pictures_arrange_themselves_by_what_made_them() -> None:
    made = [
        (facts(prompt=prompt, seed=seed, inference_steps=steps, scale=scale), picture(1))
        for scale in (1.0, 0.5, None)
        for steps in (25, 1)
        for prompt in ("z", "a")
        for seed in (2, 1)
    ]
    rows, columns = arrange(made)
    assert [(row.group, row.label) for row in rows] == [
        ("z", "seed 2"), ("z", "seed 1"), ("a", "seed 2"), ("a", "seed 1"),
    ]  # fmt: skip
    names = ["base", "LoRA, scale 0.5", "LoRA, scale 1"]
    assert [(c.group, c.label) for c in columns] == [
        *(("1 inference step", name) for name in names), *(("25 inference steps", name) for name in names),
    ]  # fmt: skip
    assert all(cell is not None for row in rows for cell in row.cells)


def test_only_what_varies_is_named() -> None:
    rows, columns = arrange([(facts(scale=None), picture(1)), (facts(scale=1.0, step=50), picture(2))])
    assert columns == [Column("base"), Column("LoRA")]
    _, columns = arrange([(facts(scale=1.0, step=step), picture(step)) for step in (100, 50)])
    assert [c.label for c in columns] == ["LoRA, step 50", "LoRA, step 100"]
    _, columns = arrange([(facts(scale=1.0, lora=name), picture(1)) for name in ("a", "b")])
    assert [c.label for c in columns] == ["a", "b"]
    rows, _ = arrange([(facts(negative_prompt=n), picture(1)) for n in ("", "blur")])
    assert [row.group for row in rows] == ["p (negative prompt: none)", "p (negative prompt: blur)"]


def test_a_picture_that_was_not_made_leaves_its_cell_empty() -> None:
    rows, columns = arrange([(facts(seed=1), picture(1)), (facts(seed=2, scale=1.0), picture(2))])
    assert [c.label for c in columns] == ["base", "LoRA"]
    assert [[cell is None for cell in row.cells] for row in rows] == [[False, True], [True, False]]


def test_a_dataset_sheet_shows_each_image_and_no_more_than_sixty() -> None:
    images = [picture(n, 64, 48) for n in range(7)]
    sheet = dataset_sheet(images, ["myshape", ""] + ["a long caption " * 20] * 5, "dataset")
    places = [find(sheet, enlarged(image, 2)) for image in images]
    assert None not in places
    assert len({place[1] for place in places if place}) == 2
    many = dataset_sheet([picture(n, 8, 8) for n in range(70)], [""] * 70)
    assert find(many, enlarged(picture(59, 8, 8), 16)) is not None
    assert find(many, enlarged(picture(60, 8, 8), 16)) is None
