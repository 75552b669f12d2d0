"""What is told of ΔW is what a naive SVD of ΔW itself would tell; what is told of two runs, their naive cosine."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from loratui.engine.export import KOHYA_PREFIX, LoraPair, load_pairs
from loratui.engine.tokens import moved_tokens
from loratui.engine.weights import analyse, cosine, cosines, describe_layer, inner_product, singular_values
from loratui.lab.errors import LabError
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.weights import ModuleFacts, read_weights, weights_file
from tests.models import build_tiny_model
from tests.processes import new_run, train, write_project

NAME = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
EVERYTHING = ("lora.targets='conv'", "lora.text_encoder=true", "lora.rank=3", "lora.alpha=2",
              "train.text_encoder_learning_rate=0.01")  # fmt: skip
SHORT = ("train.steps=4", "train.checkpoint_every=2", "sample.every='never'", "train.learning_rate=0.01")


def draw(rank: int, out: int, into: tuple[int, ...], alpha: float = 5.0, seed: int = 0) -> LoraPair:
    noise = torch.Generator().manual_seed(seed)
    up = torch.randn(out, rank, *([1] * (len(into) - 1)), generator=noise)
    return LoraPair(torch.randn(rank, *into, generator=noise), up, alpha)


def formed(pair: LoraPair) -> torch.Tensor:
    """ΔW itself, as a matrix."""
    return pair.alpha / pair.rank * pair.up.double().flatten(1) @ pair.down.double().flatten(1)


def describe(pair: LoraPair, base: float | None = 2.0) -> ModuleFacts:
    return describe_layer(NAME, "MID", pair, base)


PAIRS = {
    "linear": draw(4, 30, (20,)),
    "rank 1": draw(1, 30, (20,)),
    "convolution": draw(4, 12, (6, 3, 3)),
    "wider than the layer": draw(16, 5, (7,)),
    "great and small": LoraPair(draw(4, 30, (20,)).down * torch.tensor([[1e4], [1.0], [1e-2], [0.0]]),
                                draw(4, 30, (20,)).up, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_singular_values_are_those_of_the_formed_matrix(pair: LoraPair) -> None:
    naive = torch.linalg.svdvals(formed(pair))
    found = singular_values(pair)
    assert found is not None
    n = min(len(naive), len(found))
    assert torch.allclose(found[:n], naive[:n], rtol=1e-9, atol=1e-12 * naive[0].item())
    assert all(value < 1e-12 * naive[0].item() for value in naive[n:].tolist())


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_what_is_told_of_a_layer_follows_from_its_singular_values(pair: LoraPair) -> None:
    naive = torch.linalg.svdvals(formed(pair))
    facts = describe(pair)
    shares = naive / naive.sum()
    entropy = -(shares * shares.clamp(min=1e-300).log()).sum().item()
    energy = naive.square().cumsum(0) / naive.square().sum()
    assert facts.norm == pytest.approx(torch.linalg.norm(formed(pair)).item(), rel=1e-9)
    assert facts.spectral == pytest.approx(naive[0].item(), rel=1e-9)
    assert facts.stable_rank == pytest.approx((naive.square().sum() / naive[0] ** 2).item(), rel=1e-9)
    assert facts.effective_rank == pytest.approx(math.exp(entropy), rel=1e-6)
    assert facts.rank90 == int((energy < 0.9).sum()) + 1
    assert facts.relative == pytest.approx(torch.linalg.norm(formed(pair)).item() / 2, rel=1e-9)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_the_same_lora_written_otherwise_is_the_same(pair: LoraPair) -> None:
    other = LoraPair(pair.down * 16, pair.up / 16, pair.alpha)  # a power of two: the very same numbers
    for name in ("norm", "spectral", "stable_rank", "effective_rank", "rank90"):
        assert getattr(describe(other), name) == pytest.approx(getattr(describe(pair), name), rel=1e-9), name
    tenth = LoraPair(pair.down * 10, pair.up / 10, pair.alpha)
    assert describe(tenth).norm == pytest.approx(describe(pair).norm, rel=1e-6)  # the file's float32 rounds


def test_alpha_scales_the_size_and_nothing_else() -> None:
    pair = PAIRS["linear"]
    one, three = describe(pair), describe(replace(pair, alpha=3 * pair.alpha))
    assert three.norm == pytest.approx(3 * (one.norm or 0), rel=1e-12)
    assert three.spectral == pytest.approx(3 * (one.spectral or 0), rel=1e-12)
    assert (three.stable_rank, three.effective_rank) == pytest.approx((one.stable_rank, one.effective_rank), rel=1e-12)


def test_equal_directions_count_in_full() -> None:
    pair = LoraPair(torch.eye(10), torch.eye(10), 10.0)
    facts = describe(pair)
    assert facts.effective_rank == pytest.approx(10)
    assert facts.stable_rank == pytest.approx(10)
    assert facts.rank90 == 9


def test_a_lora_that_is_zero_has_no_direction() -> None:
    facts = describe(LoraPair(torch.randn(4, 20), torch.zeros(30, 4), 4.0))
    assert (facts.norm, facts.relative, facts.spectral) == (0.0, 0.0, 0.0)
    assert facts.stable_rank is facts.effective_rank is facts.rank90 is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["up", "down", "alpha"])
def test_numbers_that_are_not_finite_are_said(bad: float, where: str) -> None:
    pair = draw(4, 30, (20,))
    if where == "alpha":
        pair = replace(pair, alpha=bad)
    else:
        getattr(pair, where)[1, 1] = bad
    facts = describe(pair)
    assert facts.norm is facts.spectral is facts.relative is None


@pytest.mark.parametrize(("one", "two"), [("linear", "rank 1"), ("linear", "great and small")])
def test_the_inner_product_is_that_of_the_formed_matrices(one: str, two: str) -> None:
    a, b = PAIRS[one], replace(PAIRS[two], up=PAIRS[two].up.flip(0))
    naive = (formed(a) * formed(b)).sum().item()
    assert inner_product(a, b) == pytest.approx(naive, rel=1e-9)


# -- real runs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return write_project(tmp_path_factory.mktemp("weights") / "shapes", tiny_model)


@pytest.fixture(scope="module")
def runs(project: Path) -> list[RunFolder]:
    """Two that differ in their seed alone, and one with another learning rate."""
    changes = (("train.seed=1",), ("train.seed=2",), ("train.seed=1", "train.learning_rate=0.02"))
    made = [new_run(project, *SHORT, *EVERYTHING, *more) for more in changes]
    assert [train(run) for run in made] == [0, 0, 0]
    return made


@pytest.fixture
def run(runs: list[RunFolder]) -> RunFolder:
    weights_file(runs[0]).unlink(missing_ok=True)
    return runs[0]


def test_a_run_is_told_layer_by_layer_beside_its_base_model(run: RunFolder) -> None:
    found = analyse(run)
    assert list(found.steps) == [2, 4]
    assert found.problems == ()
    pairs, sha = load_pairs(run.checkpoint_file(4))
    facts = {one.name: one for one in found.steps[4]}
    assert facts.keys() == pairs.keys()
    assert found.shas[4] == sha
    model = read_record(run).model.path
    base = {f"unet.{k}": v for k, v in load_file(model / "unet/diffusion_pytorch_model.safetensors").items()}
    base |= {f"text_encoder.{k.removeprefix('text_model.')}": v
             for k, v in load_file(model / "text_encoder/model.safetensors").items()}  # fmt: skip
    norms = {KOHYA_PREFIX[key.split(".")[0]] + key.split(".", 1)[1].removesuffix(".weight").replace(".", "_"):
             torch.linalg.norm(value.double()).item() for key, value in base.items()}  # fmt: skip
    for name, pair in pairs.items():
        assert facts[name].norm == pytest.approx(torch.linalg.norm(formed(pair)).item(), rel=1e-9)
        assert facts[name].base == pytest.approx(norms[name], rel=1e-9)
    assert {one.block for one in facts.values()} == {"TEXT", "IN01", "IN02", "IN03", "MID", "OUT00", "OUT01", "OUT02",
                                                     "OUT03"}  # fmt: skip
    assert {"cross-attention v", "convolution", "feed-forward", "projection", "time", "text encoder ff"} <= {
        one.kind for one in facts.values()
    }
    assert not any(one.kind == "other" for one in facts.values())


def test_parts_add_as_squares_to_the_whole(run: RunFolder) -> None:
    found = analyse(run)
    whole = found.whole(4)
    for parts in (found.blocks(4), found.kinds(4)):
        assert math.hypot(*(part.norm for part in parts)) == pytest.approx(whole.norm)
        assert sum(part.share or 0 for part in parts) == pytest.approx(1)
        assert sum(part.layers for part in parts) == whole.layers
    assert [part.name for part in found.blocks(4)][:2] == ["TEXT", "IN01"]
    assert 0 < (found.keys_and_values(4).share or 0) < 1


def test_what_is_known_is_kept_and_not_computed_again(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    analyse(run, [2])
    first = read_weights(run)
    assert first is not None
    assert list(first.steps) == [2]
    both = analyse(run)
    read = read_weights(run)
    assert read is not None
    assert read.steps.keys() == both.steps.keys() == {2, 4}
    monkeypatch.setattr("loratui.engine.weights.describe_layer", lambda *_: pytest.fail("computed again"))
    assert analyse(run).steps == read.steps


def test_a_checkpoint_that_became_another_is_looked_at_again(run: RunFolder) -> None:
    before = analyse(run).whole(4).norm
    file = run.checkpoint_file(4)
    kept = file.read_bytes()
    try:
        save_file({k: v * 2 if k.endswith("up.weight") else v for k, v in load_file(file).items()}, file)
        assert analyse(run).whole(4).norm == pytest.approx(2 * before, rel=1e-6)
    finally:
        file.write_bytes(kept)


def test_a_damaged_checkpoint_is_told_and_the_others_are_looked_at(run: RunFolder) -> None:
    file = run.checkpoint_file(2)
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[: len(kept) // 2])
        found = analyse(run)
        assert list(found.steps) == [4]
        assert str(file) in found.problems[0]
        weights_file(run).unlink()
        with pytest.raises(LabError, match=r"step-000002\.safetensors: cut short: .* bytes are there"):
            analyse(run, [2])
    finally:
        file.write_bytes(kept)


def test_weights_that_are_not_finite_are_said_and_do_not_spoil_the_sums(run: RunFolder) -> None:
    file = run.checkpoint_file(4)
    kept = file.read_bytes()
    try:
        tensors = load_file(file)
        broken = next(key for key in tensors if key.endswith("lora_up.weight"))
        tensors[broken][0] = math.nan
        save_file(tensors, file)
        whole = analyse(run).whole(4)
        assert whole.broken == 1
        assert math.isfinite(whole.norm)
        assert "NaN" not in weights_file(run).read_text()
        assert cosine(run, run).overall is None
    finally:
        file.write_bytes(kept)


def test_a_damaged_weights_file_is_made_anew(run: RunFolder) -> None:
    whole = analyse(run)
    weights_file(run).write_text('{"version": 1, "layers": 3}')
    with pytest.raises(LabError, match="delete it, and it is made anew"):
        read_weights(run)
    assert analyse(run).steps == whole.steps


def test_a_step_without_a_checkpoint_is_refused_with_those_there_are(run: RunFolder) -> None:
    with pytest.raises(LabError, match="no checkpoint of step 3; there are 2, 4"):
        analyse(run, [3])


def test_without_its_base_model_sizes_stand_alone(run: RunFolder) -> None:
    text = run.record_file.read_text(encoding="utf-8")
    try:
        path = str(read_record(run).model.path)
        run.record_file.write_text(text.replace(path, "/nowhere/at-all"), encoding="utf-8")
        found = analyse(run)
        assert found.whole(4).relative is None
        assert found.whole(4).norm > 0
        assert "/nowhere/at-all" in found.problems[0]
    finally:
        run.record_file.write_text(text, encoding="utf-8")


def test_the_cosine_is_that_of_the_formed_matrices(runs: list[RunFolder]) -> None:
    found = cosine(runs[0], runs[1])
    a, b = (load_pairs(run.checkpoint_file(4))[0] for run in runs[:2])
    left, right = (torch.cat([formed(side[name]).flatten() for name in a]) for side in (a, b))
    assert found.overall == pytest.approx(torch.dot(left, right).item() / (left.norm() * right.norm()).item(), rel=1e-9)
    names = [name for name in a if "mid_block" in name]
    left, right = (torch.cat([formed(side[name]).flatten() for name in names]) for side in (a, b))
    assert found.blocks["MID"] == pytest.approx(torch.dot(left, right).item() / (left.norm() * right.norm()).item())
    assert found.repeat
    assert not found.same_seed
    assert cosine(runs[0], runs[0]).overall == pytest.approx(1)
    assert cosine(runs[0], runs[0], 2, 4).overall < 1  # type: ignore[operator]


def test_of_several_runs_the_repeats_are_marked_and_the_cosines_kept(runs: list[RunFolder]) -> None:
    for run in runs:
        analyse(run)
    found = cosines(runs)
    assert {pair: one.repeat for pair, one in found.cosines.items()} == {(0, 1): True, (0, 2): False, (1, 2): False}
    assert found.cosines[0, 2].same_seed
    assert found.null == (found.cosines[0, 1].overall,)
    assert "a repeat" in found.words_of(1, 0)
    assert "share train.seed" in found.words_of(0, 2)
    kept = read_weights(runs[2])
    assert kept is not None
    assert {(one.a, one.b) for one in kept.cosines} == {(runs[0].id, runs[2].id), (runs[1].id, runs[2].id)}
    assert analyse(runs[2]).cosines == kept.cosines


def test_runs_on_other_base_models_or_other_layers_are_refused(
    runs: list[RunFolder], project: Path, tmp_path: Path
) -> None:
    attention = new_run(project, *SHORT, "lora.rank=3")
    other_base = new_run(write_project(tmp_path / "shapes", build_tiny_model(tmp_path / "model", seed=1)), *SHORT)
    assert [train(attention), train(other_base)] == [0, 0]
    with pytest.raises(LabError, match=r"change different layers \(\d+ only in .*lora.targets"):
        cosine(runs[0], attention)
    with pytest.raises(LabError, match="different base models"):
        cosine(attention, other_base)
    assert "different layers" in cosines([runs[0], attention]).words_of(0, 1)


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_the_tokens_that_moved_most_are_those_of_the_whole_vocabulary_one_by_one(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loratui.engine.adapter import strength
    from loratui.engine.later import Later

    found = moved_tokens(run, limit=600).tokens
    assert found is not None
    assert len(found.most) == 100
    assert found.step == 4
    assert [move.place for move in found.most] == list(range(1, 101))
    assert {"my", "shape·", "circle·"} <= {move.text for move in found.trained}
    with Later(run) as later, torch.no_grad():  # the same through the layers themselves, and with all 77 places
        later.use(4)
        move = found.most[0]
        ids = later.family.token_ids([""])
        ids[0, 1] = move.id
        states = []
        for scale in (None, 1.0):
            with strength(later.models, scale):
                states.append(later.family.encode_tokens(ids)[0, 1:3].flatten().double())
    before, after = states
    assert move.distance == pytest.approx(1 - torch.cosine_similarity(before, after, dim=0).item(), rel=1e-3)
    assert move.relative == pytest.approx(((after - before).norm() / before.norm()).item(), rel=1e-3)
    assert move.distance > found.median_distance > 0
    monkeypatch.setattr("loratui.engine.tokens.encode_alone", lambda *_: pytest.fail("computed again"))
    assert moved_tokens(run, limit=600).tokens == found
    assert json.loads(weights_file(run).read_text())["tokens"]["of"] == found.of


def test_without_a_trained_text_encoder_there_is_no_token_to_ask_for(project: Path) -> None:
    with pytest.raises(LabError, match=r"lora\.text_encoder is false"):
        moved_tokens(new_run(project, *SHORT))
