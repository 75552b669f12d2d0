"""What weights.json tells, in numbers and words: blocks by their known names, growth, directions, repeats as a null."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.alike import Alike
from loratui.lab.weights.layers import KINDS, block_order, blocks_of, kind_of, kind_order
from loratui.lab.weights.weights import (
    Cosine,
    ModuleFacts,
    MovedTokens,
    RunWeights,
    TokenMove,
    growth,
    read_weights,
    weights_file,
    write_weights,
)

# The seventeen blocks by which people weigh LoRAs for SD 1.x, the text encoder's elsewhere called BASE.
SEVENTEEN = ["TEXT", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID",
             "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08", "OUT09", "OUT10", "OUT11"]  # fmt: skip


def module(name: str = "x", norm: float | None = 1.0, block: str = "MID", kind: str = "feed-forward", rank: int = 8,
           effective: float | None = 4.0, rank90: int | None = 3) -> ModuleFacts:  # fmt: skip
    return ModuleFacts(name, block, kind, rank, norm, 10.0, norm, 2.0, effective, rank90)


def weights(*norms: float, **facts: object) -> RunWeights:
    steps = {10 * (i + 1): (module(norm=norm, **facts),) for i, norm in enumerate(norms)}  # type: ignore[arg-type]
    return RunWeights("r", "base", steps, dict.fromkeys(steps, "sha"))


def sd15_attention() -> list[str]:
    places = [f"down_blocks_{i}_attentions_{j}" for i in range(3) for j in range(2)]
    places += ["mid_block_attentions_0"]
    places += [f"up_blocks_{i}_attentions_{j}" for i in range(1, 4) for j in range(3)]
    return [f"lora_unet_{place}_transformer_blocks_0_attn2_to_k" for place in places]


def test_stable_diffusions_blocks_have_their_known_names() -> None:
    names = [*sd15_attention(), "lora_te_text_model_encoder_layers_11_mlp_fc2"]
    assert sorted(blocks_of(names).values(), key=block_order) == SEVENTEEN


def test_convolutions_belong_to_the_blocks_of_the_original_model() -> None:
    names = {"down_blocks_0_downsamplers_0_conv": "IN03", "down_blocks_3_resnets_1_conv2": "IN11",
             "up_blocks_0_resnets_2_conv1": "OUT02", "up_blocks_2_upsamplers_0_conv": "OUT08",
             "mid_block_resnets_1_time_emb_proj": "MID", "time_embedding_linear_1": "other"}  # fmt: skip
    found = blocks_of([*sd15_attention(), *(f"lora_unet_{name}" for name in names)])
    assert {name: found[f"lora_unet_{name}"] for name in names} == names


def test_a_smaller_model_has_blocks_of_the_same_kind() -> None:
    places = ("down_blocks_1_attentions_0", "up_blocks_0_attentions_0", "up_blocks_0_attentions_1")
    names = [f"lora_unet_{place}_transformer_blocks_0_attn1_to_q" for place in places]
    assert list(blocks_of(names).values()) == ["IN03", "OUT00", "OUT01"]


@pytest.mark.parametrize(
    ("name", "kind"),
    {
        "lora_unet_x_attn2_to_v": "cross-attention v",
        "lora_unet_x_attn1_to_out_0": "self-attention out",
        "lora_unet_x_ff_net_0_proj": "feed-forward",
        "lora_unet_x_proj_in": "projection",
        "lora_unet_x_conv_shortcut": "convolution",
        "lora_unet_x_time_emb_proj": "time",
        "lora_te_text_model_encoder_layers_0_self_attn_k_proj": "text encoder k",
        "lora_te_text_model_encoder_layers_0_mlp_fc1": "text encoder ff",
        "lora_unet_x_add_k_proj": "other",
    }.items(),
)
def test_a_layers_name_tells_its_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind_order(kind) == KINDS.index(kind)


def test_growth_is_told_with_where_it_ended() -> None:
    assert weights(1, 2, 3, 4).growth.words == "It still changes in size at the last checkpoint: by +33% since step 30."
    settled = weights(1, 3.9, 4.1, 4)
    assert settled.growth.settled == 20
    assert "from step 20 on" in settled.growth.words
    assert "One checkpoint" in weights(1).growth.words
    assert weights(0, 0).growth.words == "No weight has changed."
    assert "by -50%" in weights(4, 2).growth.words
    assert "from nothing" in weights(0, 2).growth.words


def test_how_many_directions_are_used_is_a_hint_with_its_numbers() -> None:
    def words(**facts: object) -> str:
        saturation = weights(1.0, **facts).saturation()
        assert saturation is not None
        return saturation.words

    assert "a higher rank might hold more" in words(effective=7.6, rank90=6)
    assert "a lower rank might do" in words(effective=3.0, rank90=2)
    assert "unevenly" in words(effective=6.0, rank90=4)
    assert "single direction" in words(rank=1, effective=1.0, rank90=1)
    assert "effective rank 3.0 of 8" in words(effective=3.0, rank90=2)
    assert weights(0.0, effective=None, rank90=None).saturation() is None


def test_layers_that_are_not_finite_are_counted_and_left_out() -> None:
    one = RunWeights("r", "b", {5: (module(norm=3.0), module("y", norm=4.0), module("z", norm=None))}, {5: "s"})
    whole = one.whole()
    assert (whole.layers, whole.broken, whole.norm) == (3, 1, 5.0)
    assert whole.relative == pytest.approx(5 / 200**0.5)
    assert one.growth.steps == ()


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert read_weights(run) is None
    assert growth(run) is None
    token = TokenMove(7, "mon\x1b·", 0.25, 0.5, 1)
    made = RunWeights(
        "r", "base", {5: (module(), module("y", None, effective=None, rank90=None)), 10: (module(norm=2.5),)},
        {5: "a", 10: "b"}, (Cosine("r", "q", 5, 5, None, {"MID": 0.5}, True, False, "a", "c"),),
        MovedTokens(10, "b", 99, 1.5, 0.125, 0.25, (token,), ()), ("a problem",),
    )  # fmt: skip
    write_weights(run, made)
    assert read_weights(run) == made
    assert growth(run) is not None


NO_SUCH_LAYER = """{"version": 1, "run": "r", "base": "b", "layers": [],
                    "steps": {"5": {"sha256": "s", "layers": [[0, 1, 1, 1, 1, 1, 1]]}}}"""


@pytest.mark.parametrize("text", ["{", "[1", '{"version": 1}', NO_SUCH_LAYER])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, text: str) -> None:
    weights_file(RunFolder(tmp_path)).write_text(text)
    with pytest.raises(LabError, match=r"weights\.json: .*delete it, and it is made anew"):
        read_weights(RunFolder(tmp_path))


def test_a_file_of_another_version_counts_for_nothing(tmp_path: Path) -> None:
    weights_file(RunFolder(tmp_path)).write_text(json.dumps({"version": 0}))
    assert read_weights(RunFolder(tmp_path)) is None


def test_a_cosine_is_told_beside_those_of_repeats() -> None:
    def pair(a: str, b: str, value: float | None, **more: bool) -> Cosine:
        return Cosine(a, b, 5, 5, value, {}, **more)

    found = {(0, 1): pair("a", "b", 0.2, repeat=True), (0, 2): pair("a", "c", 0.3, repeat=True),
             (1, 2): pair("b", "c", 0.4, repeat=True), (0, 3): pair("a", "d", 0.1), (1, 3): pair("b", "d", 0.3),
             (2, 3): pair("c", "d", 0.9, same_seed=True)}  # fmt: skip
    alike = Alike(("a", "b", "c", "d"), found, {})
    assert alike.null == (0.2, 0.3, 0.4)
    assert "0.200 to 0.400 (3 pairs)" in alike.words
    assert alike.null_of(0, 3) == (0.2, 0.3)  # how alike trainings are differs from experiment to experiment
    assert alike.words_of(3, 0) == "less alike than repeats are"
    assert alike.words_of(1, 3) == "as alike as repeats are"
    assert alike.words_of(2, 3).startswith("more alike than repeats are; they share train.seed")
    assert alike.words_of(0, 1) == "a repeat: they differ in train.seed alone"
    alone = Alike(("a", "d"), {(0, 1): pair("a", "d", 0.1)}, {})
    assert "train one again with another train.seed" in alone.words
    assert alone.words_of(0, 1) == "no repeats to hold it against"
    assert "no cosine" in Alike(("a", "d"), {(0, 1): pair("a", "d", None)}, {}).words_of(0, 1)
    assert Alike(("a", "d"), {}, {(0, 1): "other layers"}).words_of(1, 0) == "other layers"


def test_the_numbers_are_read_without_numpy() -> None:
    modules = "loratui.lab.weights.weights, loratui.lab.weights.alike, loratui.lab.weights.knockouts"
    script = f"import {modules}, sys; print([m for m in ('numpy', 'torch', 'scipy', 'PIL') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
