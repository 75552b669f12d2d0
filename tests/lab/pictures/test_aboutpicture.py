"""What is said about a picture: all that made it, or why that is not known."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from loratui.lab.pictures.aboutpicture import about_image, about_sample, about_sheet, images_beside
from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.run.runs import RunFolder
from tests.pictures import draw_sample


def test_a_sample_tells_what_made_it_and_its_twin_in_the_same_rows(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with_lora = about_sample(draw_sample(run, Where(Spot(0, 25, 3), 0.5, 150)), "colour red")
    rows = dict(with_lora.rows)
    assert with_lora.title == "with the LoRA"
    assert (rows["prompt"], rows["expected"], rows["seed"]) == ("a red circle", "colour red", "3")
    assert rows["LoRA"] == "shapes-000150 at scale 0.5"
    assert (rows["trained"], rows["run"], rows["guidance"]) == ("150 steps", "run", "5")
    base = about_sample(draw_sample(run, Where(Spot(0, 25, 3), None, 0)))
    assert base.title == "base model"
    assert [name for name, _ in base.rows] == [name for name, _ in with_lora.rows]
    assert dict(base.rows)["LoRA"] == "—"


def test_a_broken_and_a_silent_picture_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    assert about_sample(tmp_path / "a.png").title == "broken picture"
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    assert dict(about_sample(tmp_path / "b.png").rows)["made by"] == "it does not say"
    assert "it is gone" in dict(about_sheet(tmp_path / "c.png", 75).rows)["file"]


def test_an_image_tells_its_caption(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    assert dict(about_image(tmp_path / "a.png", (40, 30)).rows)["caption"] == "none: there is no a.txt"
    (tmp_path / "a.txt").write_text("\n  a red circle \n")
    rows = dict(about_image(tmp_path / "a.png", (40, 30)).rows)
    assert (rows["caption"], rows["size"]) == ("a red circle", "40x30")


def test_a_project_s_image_tells_its_tokens(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    (folder / "a.caption").write_text("myshape")
    (tmp_path / "project.toml").write_text(
        '[base]\nmodel = "tinyworld"\n[dataset]\npath = "dataset"\ncaption_extension = ".caption"\n'
    )
    rows = dict(about_image(folder / "a.png", (40, 30), tmp_path).rows)
    assert rows["caption"] == "myshape"
    assert rows["tokens"] == "2 of 75: my shape·"
    (tmp_path / "project.toml").write_text("not TOML at all [")
    assert dict(about_image(folder / "a.png", (40, 30), tmp_path).rows)["caption"] == "none: there is no a.txt"


def test_the_images_beside_are_in_natural_order(tmp_path: Path) -> None:
    for name in ("image 10.png", "image 2.PNG", "image 1.jpg", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    names = [path.name for path in images_beside(tmp_path / "image 2.PNG")]
    assert names == ["image 1.jpg", "image 2.PNG", "image 10.png"]
    assert images_beside(tmp_path / "gone" / "a.png") == [tmp_path / "gone" / "a.png"]
