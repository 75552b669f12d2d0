"""The metadata of an exported LoRA is what kohya's tools, A1111 and modelspec readers expect to find."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loratui.engine.metadata import LoraRecord, RecordedImage, lora_metadata, trigger_phrase
from loratui.lab.project.settings import Base, Dataset, Lora, Settings, Train, settings_from_dict

IMAGES = (
    RecordedImage("25_monster", "monster, Red, hat", 25),
    RecordedImage("25_monster", "monster, red", 25),
    RecordedImage("shapes", "blue, monster", 10),
)
RECORD = LoraRecord(
    output_name="step-000750",
    settings=Settings(
        question="Is red learned?",
        base=Base(model="/home/someone/models/dream.safetensors"),
        dataset=Dataset(path="/home/someone/secret/dataset"),
        lora=Lora(rank=4, alpha=8.0, text_encoder=True),
        train=Train(batch_size=2, gradient_accumulation=3, learning_rate=1e-4, seed=5),
    ),
    precision="fp32",
    step=750,
    epoch=10,
    total_steps=1500,
    total_epochs=20,
    batches_per_epoch=30,
    images=IMAGES,
    resolution=(512, 512),
    buckets={(512, 512): 50, (448, 576): 10},
    base_name="/home/someone/models/dream.safetensors",
    base_hashes={"unet": "aa", "vae": "bb"},
    started_at=1_700_000_000.25,
    finished_at=1_700_000_600.75,
    run="20231114-a",
    session_id="1234",
    version="0.1.0",
)


def changed(table: str, **values: object) -> LoraRecord:
    """RECORD with some settings of one table replaced."""
    settings = replace(RECORD.settings, **{table: replace(getattr(RECORD.settings, table), **values)})
    return replace(RECORD, settings=settings)


def test_all_values_are_strings_in_kohyas_conventions() -> None:
    metadata = lora_metadata(RECORD)
    assert all(type(key) is str and type(value) is str for key, value in metadata.items())
    expected = {
        "ss_v2": "False",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "ss_network_alpha": "8.0",
        "ss_network_dropout": "None",
        "ss_output_name": "step-000750",
        "ss_resolution": "(512, 512)",
        "ss_num_train_images": "60",
        "ss_num_reg_images": "0",
        "ss_num_batches_per_epoch": "30",
        "ss_num_epochs": "20",
        "ss_epoch": "10",
        "ss_steps": "750",
        "ss_max_train_steps": "1500",
        "ss_total_batch_size": "6",
        "ss_learning_rate": "0.0001",
        "ss_text_encoder_lr": "5e-05",
        "ss_lr_scheduler": "constant",
        "ss_optimizer": "torch.optim.adamw.AdamW(weight_decay=0.01)",
        "ss_mixed_precision": "no",
        "ss_clip_skip": "None",
        "ss_seed": "5",
        "ss_training_comment": "Is red learned?",
        "ss_training_started_at": "1700000000.25",
        "ss_sd_model_name": "dream.safetensors",
    }
    assert {key: metadata[key] for key in expected} == expected


def test_every_key_worth_writing_is_there() -> None:
    wanted = """session_id training_started_at training_finished_at output_name learning_rate unet_lr text_encoder_lr
        num_train_images num_reg_images num_batches_per_epoch num_epochs epoch steps max_train_steps
        gradient_accumulation_steps gradient_checkpointing lr_scheduler lr_warmup_steps optimizer seed mixed_precision
        network_module network_dim network_alpha network_args network_dropout clip_skip max_token_length noise_offset
        min_snr_gamma loss_type max_grad_norm caption_dropout_rate shuffle_caption keep_tokens resolution enable_bucket
        batch_size_per_device total_batch_size bucket_info dataset_dirs tag_frequency datasets sd_model_name
        new_sd_model_hash training_comment v2 base_model_version"""
    metadata = lora_metadata(replace(changed("lora", targets="conv"), base_hashes={"checkpoint": "cc"}))
    assert not [key for key in wanted.split() if f"ss_{key}" not in metadata]
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "4", "conv_alpha": "8.0"}
    assert metadata["ss_new_sd_model_hash"] == "cc"


def test_keys_that_would_break_or_belie_the_file_are_not_there() -> None:
    metadata = lora_metadata(RECORD)
    assert "lora_adapter_metadata" not in metadata  # diffusers refuses kohya files that have it
    assert "ss_sd_scripts_commit_hash" not in metadata
    assert "ss_new_sd_model_hash" not in metadata  # of one file; this base model is several
    assert "someone" not in "".join(metadata.values())  # no paths of the machine it was made on


def test_what_a1111_shows_of_the_dataset_is_json_in_its_shapes() -> None:
    metadata = lora_metadata(RECORD)
    assert json.loads(metadata["ss_tag_frequency"]) == {
        "25_monster": {"monster": 2, "red": 2, "hat": 1},
        "shapes": {"blue": 1, "monster": 1},
    }
    assert json.loads(metadata["ss_dataset_dirs"]) == {
        "25_monster": {"n_repeats": 25, "img_count": 2},
        "shapes": {"n_repeats": 10, "img_count": 1},
    }
    assert json.loads(metadata["ss_bucket_info"])["buckets"] == {
        "0": {"resolution": [448, 576], "count": 10},
        "1": {"resolution": [512, 512], "count": 50},
    }
    (dataset,) = json.loads(metadata["ss_datasets"])
    assert [subset["image_dir"] for subset in dataset["subsets"]] == ["25_monster", "shapes"]


def test_modelspec_is_complete() -> None:
    metadata = lora_metadata(RECORD)
    assert {key: value for key, value in metadata.items() if key.startswith("modelspec.")} == {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": "step-000750",
        "modelspec.resolution": "512x512",
        "modelspec.description": "Is red learned?",
        "modelspec.date": "2023-11-14T22:23:20+00:00",
        "modelspec.trigger_phrase": "monster",
        "modelspec.prediction_type": "epsilon",
    }
    assert lora_metadata(replace(RECORD, prediction_type="v_prediction"))["modelspec.prediction_type"] == "v"


@pytest.mark.parametrize(
    ("captions", "phrase"),
    [
        (["myshape, a, blue", "blue, b, myshape"], "myshape, blue"),
        (["a, red", "red, b", "c"], "red"),
        (["only one"], "only one"),
        (["", ""], ""),
        ([], ""),
    ],
)
def test_the_trigger_phrase_is_what_the_captions_share(captions: list[str], phrase: str) -> None:
    images = tuple(RecordedImage("d", caption, 1) for caption in captions)
    assert trigger_phrase(replace(RECORD, images=images)) == phrase


def test_the_trigger_phrase_is_the_persons_own_when_given() -> None:
    assert trigger_phrase(changed("dataset", trigger="my monster")) == "my monster"


def test_the_run_is_in_the_file_with_settings_that_can_be_read_back() -> None:
    metadata = lora_metadata(RECORD)
    run = json.loads(metadata["loratui.run"])
    assert (metadata["loratui.version"], run["run"], run["step"]) == ("0.1.0", "20231114-a", 750)
    assert run["base"] == {"name": "dream.safetensors", "sha256": {"unet": "aa", "vae": "bb"}}
    settings = settings_from_dict(run["settings"])
    assert settings.train == RECORD.settings.train
    assert (settings.dataset.path, settings.base.model) == ("dataset", "dream.safetensors")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("tinyworld", "tinyworld"),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
        ("../models/sd15", "sd15"),
        ("~/models/sd15/", "sd15"),
        ("models/dream.safetensors", "dream.safetensors"),
    ],
)
def test_of_a_base_model_the_name_is_kept_and_not_its_path(name: str, kept: str) -> None:
    assert lora_metadata(replace(RECORD, base_name=name))["ss_sd_model_name"] == kept


def test_warm_up_and_switched_off_options_are_said_in_kohyas_words() -> None:
    metadata = lora_metadata(changed("train", warmup_steps=10, min_snr_gamma=5.0, optimizer="prodigy"))
    assert metadata["ss_lr_scheduler"] == "constant_with_warmup"
    assert metadata["ss_min_snr_gamma"] == "5.0"
    assert metadata["ss_noise_offset"] == "None"
    assert metadata["ss_optimizer"] == "prodigyopt.prodigy.Prodigy(weight_decay=0.01)"
    assert lora_metadata(changed("lora", text_encoder=False))["ss_text_encoder_lr"] == "None"
