"""Every setting of a run, documented where it is declared.

The errors of project.py, `--explain`, the interface's form and the README's table are all made from the fields below.
Reading files, overrides and checks between settings are in project.py; a 0 that stands for "choose for me" is filled
in where the model and the dataset are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.project.checking import check_document
from loratui.lab.project.prompts import (
    PROMPT_RULES,
    Prompt,
    ResolvedPrompt,
    parse_prompt,
    prompt_to_table,
    read_lines,
    read_tables,
)
from loratui.lab.project.schema import INT_MAX, SEED_MAX, Problem, Rule, rules_of, setting

__all__ = [
    "ALL_RULES",
    "RULES",
    "TABLES",
    "Base",
    "Dataset",
    "Lora",
    "Prompt",
    "ResolvedPrompt",
    "Sample",
    "Settings",
    "Train",
    "build",
    "changed_keys",
    "flat",
    "settings_from_dict",
    "settings_to_dict",
]

_PATH = {"form": r"[^\x00-\x1f\x7f]+", "form_words": "a name or path"}


# Laid out by hand: a field's default and help, then its limits.
# fmt: off
@dataclass(frozen=True)
class Base:
    """[base]: the model the LoRA is trained on."""

    model: str = setting(
        "tinyworld", "The base model, a Stable Diffusion 1.x: tinyworld (built in), a diffusers folder, or a hub id.",
        also=("pretrained_model_name_or_path", "base_model", "base_model_name"), **_PATH,
    )
    revision: str = setting(
        "", "Branch, tag or commit of a hub model; empty for its main branch.",
        form=r"[\w./-]*", form_words="a branch, tag or commit",
    )
    variant: str = setting(
        "", 'Which of a model\'s weight files to read, such as "fp16"; empty for the plain ones.',
        form=r"[\w.-]*", form_words="the name of a weight variant, such as fp16",
    )


@dataclass(frozen=True)
class Dataset:
    """[dataset]: the training images and their captions."""

    path: str = setting(
        "dataset", "Folder of images with captions beside them, relative to project.toml; a kohya folder works too.",
        also=("train_data_dir", "image_dir", "instance_data_dir", "folder_path"), **_PATH,
    )
    caption_extension: str = setting(
        ".txt", "Ending of the caption files: square.png has its caption in square.txt.",
        form=r"\.[^/\\\s]+", form_words='an ending with its dot, such as ".txt"', also=("caption_ext",),
    )
    repeats: int = setting(
        1, "How often each image is seen in one epoch. The N of kohya's N_name folders multiplies it.",
        low=1, high=1_000_000, also=("num_repeats",),
    )
    resolution: int = setting(
        0, "Side of the square whose area the training pictures have.",
        unit="pixels", low=16, high=8192, multiple=8, zero="the model's own",
        also=("train_resolution", "max_resolution"),
    )
    buckets: bool = setting(
        True, "Keep each image near its own aspect ratio, at the same area; off: crop every image to the square.",
        also=("enable_bucket",),
    )
    bucket_step: int = setting(
        0, "Widths and heights of the buckets are multiples of this.",
        unit="pixels", low=8, high=1024, multiple=8, zero="chosen from the model", also=("bucket_reso_steps",),
    )
    shuffle_tags: bool = setting(
        False, "Put the comma-separated tags of a caption in a new order each time it is seen.",
        also=("shuffle_caption", "shuffle_captions"),
    )
    keep_tags: int = setting(
        0, "How many tags at the start of a caption stay in place when shuffle_tags is on.",
        low=0, high=1000, also=("keep_tokens",),
    )
    caption_dropout: float = setting(
        0.0, "Probability that an image is seen with an empty caption.",
        low=0, high=1, also=("caption_dropout_rate",),
    )
    flip: bool = setting(
        False, "See each image mirrored left to right with probability 1/2.", also=("flip_aug", "random_flip")
    )
    trigger: str = setting(
        "", "Words every caption should hold; the check looks for them, and the LoRA's metadata names them.",
        also=("trigger_word", "instance_prompt", "class_tokens"),
    )


@dataclass(frozen=True)
class Lora:
    """[lora]: the size of the low-rank update and the layers it is put on."""

    rank: int = setting(
        8, "Inner dimension of the low-rank update; more can hold more.",
        low=1, high=4096, also=("network_dim", "dim", "r", "lora_rank"),
    )
    alpha: float = setting(
        0.0, "The update is scaled by alpha / rank.",
        above=0, high=100_000, zero="equal to rank", also=("network_alpha", "lora_alpha"),
    )
    dropout: float = setting(
        0.0, "Probability that an input of the update is dropped in a training step.",
        low=0, below=1, also=("network_dropout", "lora_dropout"),
    )
    targets: str = setting(
        "attention", "attention: the q, k, v and out projections; linear: also proj_in, proj_out and feed-forward; "
        "conv: also the 3x3 convolutions.",
        choices=("attention", "linear", "conv"), also=("target_modules", "lora_layers"),
    )
    text_encoder: bool = setting(False, "Train a LoRA on the text encoder too.", also=("train_text_encoder",))

    @property
    def effective_alpha(self) -> float:
        return self.alpha or float(self.rank)


@dataclass(frozen=True)
class Train:
    """[train]: how long, how fast and how exactly."""

    epochs: int = setting(
        10, "Passes over the dataset, repeats included. steps = images x repeats x epochs / batch_size.",
        low=1, high=1_000_000, also=("max_train_epochs", "num_train_epochs", "num_epochs"),
    )
    steps: int = setting(
        0, "Optimizer steps of the whole run, said instead of epochs.",
        low=1, high=INT_MAX, zero="as many as epochs makes", also=("max_train_steps", "max_steps", "train_steps"),
    )
    batch_size: int = setting(1, "Images in one forward pass.", low=1, high=4096, also=("train_batch_size",))
    gradient_accumulation: int = setting(
        1, "Forward passes whose gradients are averaged into one step.",
        low=1, high=4096, also=("gradient_accumulation_steps",),
    )
    learning_rate: float = setting(
        1e-4, "Step size of the optimizer. With prodigy, 1 is its own scale.",
        above=0, high=10, also=("lr", "unet_lr"),
    )
    text_encoder_learning_rate: float = setting(
        5e-5, "Step size for the text encoder's LoRA.",
        above=0, high=10, also=("text_encoder_lr", "te_lr"),
    )
    optimizer: str = setting(
        "adamw", "adamw; adamw8bit: its state in 8 bits (bitsandbytes); prodigy: finds its own step size (prodigyopt).",
        choices=("adamw", "adamw8bit", "prodigy"), also=("optimizer_type", "optim"),
    )
    weight_decay: float = setting(0.01, "Decoupled weight decay of the optimizer.", low=0, high=1)
    schedule: str = setting(
        "constant", "The learning rate after the warm-up: constant, or down to zero in a line or a half cosine.",
        choices=("constant", "linear", "cosine"), also=("lr_scheduler", "scheduler"),
    )
    warmup_steps: int = setting(
        0, "Steps in which the learning rate rises from zero.",
        low=0, high=INT_MAX, also=("lr_warmup_steps", "warmup"),
    )
    min_snr_gamma: float = setting(
        0.0, "Weigh the loss of each timestep by min(SNR, gamma) / SNR, so that nearly clean pictures do not dominate; "
        "5 is usual (arXiv:2303.09556).",
        above=0, high=1000, zero="off", also=("snr_gamma",),
    )
    noise_offset: float = setting(
        0.0,
        "Add to the noise of each channel one random constant of this size, so that overall brightness is learned.",
        low=0, high=1, zero="off",
    )
    max_grad_norm: float = setting(
        1.0, "Gradients longer than this are shortened to it.",
        above=0, high=1_000_000, zero="off", also=("grad_clip",),
    )
    precision: str = setting(
        "auto", "Number format of the forward pass; auto: bf16 where the GPU has it, else fp32. The LoRA stays fp32.",
        choices=("auto", "fp32", "bf16", "fp16"), also=("mixed_precision", "dtype"),
    )
    gradient_checkpointing: bool = setting(
        False, "Compute activations again instead of keeping them: less memory, slower."
    )
    seed: int = setting(
        0, "All randomness of training is a function of this seed and the step.",
        low=0, high=SEED_MAX,
    )
    checkpoint_every: int | str = setting(
        "epoch", "When the LoRA is saved: each epoch, at the end only, or every so many steps.",
        choices=("epoch", "end"), low=1, high=INT_MAX,
        also=("save_every", "save_every_n_epochs", "save_every_n_steps", "checkpointing_steps"),
    )
    max_minutes: float = setting(
        0.0, "Stop, saved, after this long.",
        unit="minutes", above=0, high=1_000_000, zero="no limit",
    )
    log_every: int = setting(10, "Steps from one logged loss to the next.", low=1, high=INT_MAX)
    probe_every: int = setting(
        50,
        "Steps from one probe to the next: the loss at fixed timesteps and noise, which shows what the raw loss hides.",
        low=1, high=INT_MAX, zero="never",
    )
    device: str = setting(
        "auto", "Where to train: auto, cpu, cuda, cuda:1, mps.",
        form=r"auto|cpu|mps|cuda(:\d{1,3})?", form_words='"auto", "cpu", "cuda", "cuda:N" or "mps"',
    )


@dataclass(frozen=True)
class Sample:
    """[sample]: the pictures drawn with and without the LoRA while it is trained."""

    every: int | str = setting(
        "epoch", "When pictures are drawn: each epoch, at the end only, never, or every so many steps.",
        choices=("epoch", "end", "never"), low=1, high=INT_MAX, also=("sample_every_n_epochs", "sample_every_n_steps"),
    )
    seeds: tuple[int, ...] = setting(
        (1, 2, 3, 4), "One picture a seed, each from its own starting noise.",
        low=0, high=SEED_MAX, required=True,
    )
    inference_steps: tuple[int, ...] = setting(
        (25,), "Lengths of the denoising, one picture each; 1 shows what the first step already decides.",
        low=1, high=1000, required=True, also=("num_inference_steps", "sample_steps"),
    )
    guidance_scale: float = setting(
        5.0, "How strongly to follow the prompt (CFG).", low=0, high=100, also=("cfg", "cfg_scale")
    )
    scales: tuple[float, ...] = setting(
        (1.0,), "Strengths of the LoRA to draw at; the base model's picture is always beside them.",
        low=-100, high=100, required=True,
    )
    width: int = setting(
        0, "Width of the pictures.", unit="pixels", low=16, high=8192, multiple=8, zero="the training resolution"
    )
    height: int = setting(
        0, "Height of the pictures.", unit="pixels", low=16, high=8192, multiple=8, zero="the training resolution"
    )
    negative_prompt: str = setting("", "What to steer away from.")
    batch_size: int = setting(8, "Pictures drawn at once.", low=1, high=4096)
    prompts: tuple[str, ...] = setting(
        (), "Prompts, one a string: text --n negative --w width --h height --d seed --l guidance --s steps.",
        also=("sample_prompts", "validation_prompt", "validation_prompts"), read=read_lines,
    )
    prompt: tuple[Prompt, ...] = setting(
        (), "[[sample.prompt]] tables; without these and prompts, up to four of the training captions are drawn.",
        read=read_tables,
    )

    def resolved(self, captions: Sequence[str]) -> tuple[ResolvedPrompt, ...]:
        """All prompts, lines before tables, each field filled in; sizes not given stay 0.

        Without any, the distinct training captions are drawn, at most four.
        """
        prompts = [parse_prompt(line) for line in self.prompts] + list(self.prompt)
        if not prompts:
            distinct = list(dict.fromkeys(caption.strip() for caption in captions))
            texts = [caption for caption in distinct if caption] or distinct
            prompts = [Prompt(text=text) for text in texts[:4]]
        return tuple(self._filled(prompt) for prompt in prompts)

    def _filled(self, prompt: Prompt) -> ResolvedPrompt:
        values = {}
        for name in PROMPT_RULES:
            own = getattr(prompt, name)
            values[name] = own if own is not None else getattr(self, name)
        return ResolvedPrompt(**values)


# fmt: on
@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    question: str = setting("", "What the run is to find out, in a sentence.")
    base: Base = field(default_factory=Base)
    dataset: Dataset = field(default_factory=Dataset)
    lora: Lora = field(default_factory=Lora)
    train: Train = field(default_factory=Train)
    sample: Sample = field(default_factory=Sample)


TABLES: dict[str, type] = {"base": Base, "dataset": Dataset, "lora": Lora, "train": Train, "sample": Sample}

RULES: dict[str, Rule] = {rule.key: rule for rule in rules_of(Settings).values()}
for _table, _class in TABLES.items():
    RULES |= {rule.key: rule for rule in rules_of(_class, _table).values()}
ALL_RULES: dict[str, Rule] = RULES | {rule.key: rule for rule in PROMPT_RULES.values()}


# --- from plain values and back -----------------------------------------------------------------------------------


def build(given: Mapping[str, Any]) -> Settings:
    """Settings from checked values under dotted keys; the rest are defaults."""
    tables = {
        name: table(**{key.split(".")[1]: value for key, value in given.items() if key.startswith(f"{name}.")})
        for name, table in TABLES.items()
    }
    return Settings(question=given.get("question", ""), **tables)


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Plain, complete and writable as TOML: tuples are lists, prompts are tables."""
    document: dict[str, Any] = {"question": settings.question}
    for name in TABLES:
        table = getattr(settings, name)
        document[name] = {member.name: _plain(getattr(table, member.name)) for member in dataclass_fields(table)}
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return prompt_to_table(value) if isinstance(value, Prompt) else value


def settings_from_dict(document: Mapping[str, Any]) -> Settings:
    """What `settings_to_dict` wrote, exactly. Raises LabError, a line a problem, without places."""
    problems: list[Problem] = []
    given = check_document(RULES, document, (), problems)
    if problems:
        raise LabError("\n".join(problem.text for problem in problems))
    return build(given)


def flat(settings: Settings) -> dict[str, Any]:
    """The plain values under their dotted keys, in the order of the schema."""
    document = settings_to_dict(settings)
    return {key: document[rule.table][rule.name] if rule.table else document[key] for key, rule in RULES.items()}


def changed_keys(before: Settings, after: Settings) -> dict[str, tuple[Any, Any]]:
    """The dotted keys in which two settings differ, with both plain values, in the order of the schema."""
    new = flat(after)
    return {key: (old, new[key]) for key, old in flat(before).items() if old != new[key]}
