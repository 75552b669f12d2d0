"""The trainer of the base model: a function of its seed, resumable at any save, and what it writes loads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline

from loratui.tinyworld import denoiser, progress, text, train
from loratui.tinyworld.scenes import SIZE

SMALL = ("--scenes", "48", "--text-steps", "3", "--vae-steps", "3", "--device", "cpu")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoiser, "BATCH", 4)
    monkeypatch.setattr(text, "BATCH", 4)


def made(work: Path, folder: Path) -> dict[str, str]:
    """Hashes of the weights of a training of four UNet steps."""
    train.main(["--work", str(work), *SMALL, "--unet-steps", "4", "--export", str(folder)])
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }


def test_the_same_seed_makes_the_same_model_also_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(tmp_path / "a", tmp_path / "model-a")
    assert len(whole) == 3

    step = denoiser.Denoising.loss_at

    def killed(self, number, indices):  # type: ignore[no-untyped-def]
        if number == 2:
            raise KeyboardInterrupt
        return step(self, number, indices)

    with monkeypatch.context() as patch:
        patch.setattr(progress, "SAVE_EVERY", 2)
        patch.setattr(denoiser.Denoising, "loss_at", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "b", tmp_path / "model-b")
    assert torch.load(tmp_path / "b" / "unet.pt", weights_only=True)["step"] == 2
    assert made(tmp_path / "b", tmp_path / "model-b") == whole

    same, other = (denoiser.fresh(seed).conv_in.weight for seed in (0, 1))
    assert not torch.equal(same, other)

    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "model-a")
    pipe.set_progress_bar_config(disable=True)
    assert pipe("red apple", num_inference_steps=1).images[0].size == (SIZE, SIZE)
    report = (tmp_path / "a" / "report.jsonl").read_text(encoding="utf-8")
    assert [name in report for name in ('"text"', '"vae"', '"unet"')] == [True] * 3
