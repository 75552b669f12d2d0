"""A picture tells what made it, to this program completely and to other tools in their own form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from loratui.lab.errors import LabError
from loratui.lab.pictures.pictures import PictureFacts, read_facts, save_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
FACTS = PictureFacts(
    prompt="myshape, gray circle",
    negative_prompt="blur",
    seed=7,
    inference_steps=25,
    guidance_scale=5.0,
    width=64,
    height=48,
    model="tinyworld",
    model_hash="ab" * 32,
    lora="myshape-000750",
    lora_hash="0123456789abcdef" * 4,
    scale=0.8,
    step=750,
    run="20250102-030405-myshape-beef",
    version="0.1.0",
)
HOSTILE = 'two\nlines, "quoted": \x1b[31m 灰色 \udcff \0 end, Steps: 1'


def as_other_tools_read_it(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and pairs, by the rules of AUTOMATIC1111: the last line counts if it has three pairs."""
    *lines, last = text.strip().split("\n")
    pairs = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    if len(pairs) < 3:
        lines, pairs = [*lines, last], []
    prompt, negative, in_negative = "", "", False
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            in_negative, line = True, line[16:].strip()
        if in_negative:
            negative += ("\n" if negative else "") + line
        else:
            prompt += ("\n" if prompt else "") + line
    return prompt, negative, {k: json.loads(v) if v.startswith('"') else v for k, v in pairs}


def stored(path: Path) -> str:
    with Image.open(path) as image:
        text = image.info["parameters"]
    assert isinstance(text, str)
    return text


def test_pixels_and_facts_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for facts in (FACTS, replace(FACTS, lora="", lora_hash="", scale=None), replace(FACTS, prompt=HOSTILE, scale=0.0)):
        save_picture(path, PIXELS, facts)
        assert read_facts(path) == facts
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), PIXELS)


def test_other_tools_read_prompt_settings_and_lora(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", PIXELS, FACTS)
    prompt, negative, pairs = as_other_tools_read_it(stored(tmp_path / "a.png"))
    assert prompt == "myshape, gray circle <lora:myshape-000750:0.8>"
    assert negative == "blur"
    assert pairs == {
        "Steps": "25",
        "Sampler": "DDIM",
        "CFG scale": "5",
        "Seed": "7",
        "Size": "64x48",
        "Model hash": "ababababab",
        "Model": "tinyworld",
        "Lora hashes": "myshape-000750: 0123456789ab",
        "RNG": "CPU",
        "Loratui run": "20250102-030405-myshape-beef",
        "Loratui step": "750",
        "Version": "loratui 0.1.0",
    }


def test_a_picture_of_the_base_model_names_no_lora(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", PIXELS, replace(FACTS, lora="", lora_hash="", scale=None, negative_prompt=""))
    prompt, negative, pairs = as_other_tools_read_it(stored(tmp_path / "a.png"))
    assert (prompt, negative) == ("myshape, gray circle", "")
    assert "Lora hashes" not in pairs
    assert pairs["RNG"] == "CPU"


@pytest.mark.parametrize("name", ['a, b: "c"', "C:\\models\\x", "owner/name", "модель, 1"])
def test_names_with_commas_colons_and_quotation_marks_survive(tmp_path: Path, name: str) -> None:
    save_picture(tmp_path / "a.png", PIXELS, replace(FACTS, model=name, prompt="一, 二\nthree"))
    prompt, _, pairs = as_other_tools_read_it(stored(tmp_path / "a.png"))
    assert prompt == "一, 二\nthree <lora:myshape-000750:0.8>"
    assert pairs["Model"] == name
    assert pairs["Seed"] == "7"


def test_text_that_no_chunk_can_hold_is_kept_by_us_and_legible_for_others(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", PIXELS, replace(FACTS, prompt=HOSTILE))
    prompt, _, pairs = as_other_tools_read_it(stored(tmp_path / "a.png"))
    assert prompt.startswith('two\nlines, "quoted": \x1b[31m 灰色 ?  end, Steps: 1')
    assert pairs["Seed"] == "7"


def test_a_picture_from_elsewhere_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    assert read_facts(path) is None
    for foreign in ("not json", "[1]", '{"prompt": "only"}', "[" * 100_000):
        chunks = PngInfo()
        chunks.add_text("loratui", foreign)
        Image.fromarray(PIXELS).save(path, pnginfo=chunks)
        assert read_facts(path) is None


def test_facts_of_a_later_version_are_read_as_far_as_they_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_picture(path, PIXELS, FACTS)
    with Image.open(path) as image:
        chunks = PngInfo()
        chunks.add_text("loratui", json.dumps({**json.loads(image.info["loratui"]), "new": 1}))
        image.save(tmp_path / "b.png", pnginfo=chunks)
    assert read_facts(tmp_path / "b.png") == FACTS


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(LabError, match=r"a\.png: cannot be read as a picture"):
        read_facts(tmp_path / "a.png")
    with pytest.raises(LabError, match=r"b\.png"):
        read_facts(tmp_path / "b.png")
