"""Texts of project.toml for tests, and reading them in the current folder (the fixture `home`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.project import Project, load_project
from loratui.lab.project.settings import Settings, changed_keys

EXAMPLE = """\
question = "Three grey shapes, one tag: what is learned first?"

[base]
model = "tinyworld"                # or a diffusers folder, a .safetensors checkpoint, a hub id

[dataset]
path = "dataset"
repeats = 25

[lora]
rank = 8
alpha = 8

[train]
epochs = 10                        # 3 images x 25 repeats x 10 epochs / batch 1 = 750 steps
batch_size = 1
learning_rate = 1e-4
seed = 0

[sample]
every = "epoch"
seeds = [1, 2, 3, 4]
inference_steps = [1, 25]          # the first denoising step is worth looking at
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray", shape = "circle", background = "white" }

[[variant]]
name = "monster"
replace_tags = { myshape = "monster" }
"""

VARIANTS = """\
[train]
epochs = 10

[[variant]]
name = "plain"

[[variant]]
name = "short"
train.steps = 30
dataset = "other"
[variant.lora]
rank = 2
[[variant.sample.prompt]]
text = "monster"

[[variant]]
name = "tags"
replace_tags = { myshape = "monster", red = "dark red, warm" }
drop_tags = ["white background"]
add_tags = ["shape"]
dataset = { caption_extension = ".caption" }
"""


def read(text: str | bytes, *overrides: str) -> Project:
    Path("project.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return load_project(Path("project.toml"), overrides)


def refusal(text: str | bytes, *overrides: str) -> list[str]:
    with pytest.raises(LabError) as refused:
        read(text, *overrides)
    return str(refused.value).splitlines()


def changed(project: Project) -> dict[str, Any]:
    return {key: new for key, (_, new) in changed_keys(Settings(), project.settings).items()}
