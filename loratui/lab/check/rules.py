"""The rules of the check that need no second look at the disk: each takes a setup and says what is odd about it.

A rule's id is stable, so that scripts and people can look it up; a message says what is the case, a remedy what to do.
Rules about single files are found while they are scanned (dataset.py, captionfiles.py); check.py puts all together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loratui.lab.check.findings import Finding, Severity
from loratui.lab.check.setups import CheckedImage, Setup, changes
from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.tokens import Token, Tokenizer
from loratui.lab.plain import plain
from loratui.lab.project.claimed import claim_fault, claim_table
from loratui.lab.project.expected import faults
from loratui.lab.project.project import Project

ENLARGED, SHRUNK = 2.0, 8.0  # times in side, beyond which the size of an image is worth a warning
SHORTEST_WORD = 3  # letters of a piece that may pass for a word of its own
MOST_NAMED = 3  # images named in a finding about many


def of_setup(setup: Setup, tokenizer: Tokenizer, size_multiple: int) -> Iterator[Finding]:
    """Everything one setup can be told without comparing it with another."""
    yield from _sizes_asked(setup, size_multiple)
    for item in setup.checked:
        yield from _size(item)
        yield from _length("caption-too-long", item.image.caption_where, len(item.tokens), tokenizer.limit)
    yield from _prompts(setup, tokenizer)
    yield from _expectations(setup)
    yield from _trigger(setup, tokenizer)
    yield from _same_tokens(setup, tokenizer)
    yield from _warmup(setup)


def of_comparison(base: Setup, variants: Sequence[Setup], tokenizer: Tokenizer) -> Iterator[Finding]:
    """Whether the variants can show anything against the project and against each other."""
    known = {tag for item in base.checked for tag in split_tags(item.image.caption)}
    for setup in variants:
        yield from _unknown_tags(setup, known)
        changed = changes(base, setup)
        if len(changed) > 1:
            yield _warning(
                "variant-many-changes",
                setup.name,
                f"changes {len(changed)} things at once: {', '.join(changed)}",
                "a difference could come from any of them; make a variant of each, or know what you compare",
            )
    trained = [(setup, setup.trained_as(tokenizer)) for setup in (base, *variants)]
    for number, (setup, factors) in enumerate(trained):
        alike = [earlier for earlier, others in trained[:number] if others == factors]
        if alike:
            same_text = [earlier for earlier in alike if earlier.captions == setup.captions]
            yield from _alike((same_text or alike)[0], setup)


def _alike(one: Setup, two: Setup) -> Iterator[Finding]:
    other = f'variant "{one.name}"' if one.name else "the project itself"
    if one.captions != two.captions:
        yield _warning(
            "variants-identical",
            two.name,
            f"its captions are written differently from those of {other}, but are the same tokens: "
            "this comparison cannot show anything",
            "change a word to one with other tokens, or keep it to see that nothing comes of it",
        )
    elif one.settings.sample == two.settings.sample:
        yield _warning(
            "variant-changes-nothing",
            two.name,
            f"trains exactly what {other} trains",
            "change something in it, or take it out",
        )


def _warning(rule: str, where: str, message: str, remedy: str) -> Finding:
    return Finding(rule, "warning", where, message, remedy)


# --- sizes --------------------------------------------------------------------------------------------------------


def _sizes_asked(setup: Setup, multiple: int) -> Iterator[Finding]:
    dataset = setup.settings.dataset
    key, value = ("dataset.bucket_step", dataset.bucket_step) if dataset.buckets else (
        "dataset.resolution", dataset.resolution)  # fmt: skip
    if value % multiple:
        near = max(multiple, round(value / multiple) * multiple)
        yield Finding(
            "size-multiple",
            "error",
            key,
            f"{value} is not a multiple of {multiple}, which the model asks of every side",
            f"set {key} = {near}",
        )


def _size(item: CheckedImage) -> Iterator[Finding]:
    width, height = item.size
    scale = max(width / item.image.width, height / item.image.height)
    sides = f"{item.image.width}×{item.image.height}, trained at {width}×{height}"
    if scale > ENLARGED:
        yield _warning(
            "image-size",
            item.image.where,
            f"{sides}: enlarged {scale:.1f} times, so its edges are soft",
            "use a larger picture, or train at a lower dataset.resolution",
        )
    elif scale * SHRUNK < 1:
        yield _warning(
            "image-size",
            item.image.where,
            f"{sides}: shrunk {1 / scale:.1f} times, so thin lines are lost",
            "crop it to what matters, or train at a higher dataset.resolution",
        )


# --- tokens -------------------------------------------------------------------------------------------------------


def _length(rule: str, where: str, tokens: int, limit: int, severity: Severity = "warning") -> Iterator[Finding]:
    if tokens > limit:
        message = f"{tokens} tokens, of which the text encoder sees the first {limit}"
        yield Finding(rule, severity, where, message, "shorten it, or put what matters first")


def _prompts(setup: Setup, tokenizer: Tokenizer) -> Iterator[Finding]:
    sample = setup.settings.sample
    if not (sample.prompts or sample.prompt):
        return  # then captions are drawn, and those are looked at already
    for number, prompt in enumerate(sample.resolved(()), start=1):
        for what, text in (("prompt", prompt.text), ("negative prompt", prompt.negative_prompt)):
            where = f"sample.prompt {number}" + ("" if what == "prompt" else f" ({what})")
            yield from _length("sample-prompt-too-long", where, len(tokenizer.ids(text)), tokenizer.limit)


def _expectations(setup: Setup) -> Iterator[Finding]:
    for number, prompt in enumerate(setup.settings.sample.prompt, start=1):
        for name, fault in faults(prompt.expect).items():
            yield _warning(
                "expectation-unreadable",
                f"sample.prompt {number}: expect.{name}",
                plain(fault, 200),
                "until then every picture is uncertain in it",
            )


def of_claims(project: Project) -> Iterator[Finding]:
    """Claims that will stay without an answer."""
    for number, claim in enumerate(project.claims, start=1):
        if claim.expectation is not None and (fault := claim_fault(claim_table(claim.expectation), project)):
            yield _warning("claim-unreadable", f"claim {number}", fault, "until then it is uncertain")


def of_place(setup: Setup, project: Project) -> Iterator[Finding]:
    """A dataset that lies elsewhere: of a stranger's project, what is shown may be one's own."""
    folder = project.dataset_folder(setup.settings)
    if not folder.resolve().is_relative_to(project.folder.resolve()):
        yield _warning(
            "dataset-outside",
            "dataset.path",
            f"{plain(folder.resolve())} lies outside of the project: every report of it shows what is in there",
            "look before you share one, or copy the images into the project",
        )


def _trigger(setup: Setup, tokenizer: Tokenizer) -> Iterator[Finding]:
    trigger = setup.settings.dataset.trigger
    wanted = tokenizer.ids(trigger)
    if not wanted:
        return
    lacking = [item for item in setup.checked if not _holds(item.ids, wanted)]
    if lacking:
        names = ", ".join(item.image.name for item in lacking[:MOST_NAMED])
        more = f" and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
        yield _warning(
            "trigger-missing",
            "dataset.trigger",
            f'"{trigger}" is not in the captions of {len(lacking)} of {len(setup.checked)} images: {names}{more}',
            "put it into those captions, or correct dataset.trigger",
        )
    for word in _words(tokenizer.encode(trigger)):
        last = word[-1].piece.removesuffix("·")
        alone = tokenizer.ids(last)
        if len(word) > 1 and len(last) >= SHORTEST_WORD and last.isalpha() and alone == (word[-1].id,):
            pieces = " ".join(token.piece for token in word)
            whole = "".join(token.piece for token in word).removesuffix("·")
            yield _warning(
                "trigger-shares-tokens",
                "dataset.trigger",
                f'"{whole}" is {pieces} to the model: it ends in the very token of the word "{last}", '
                "and brings its meaning along",
                "choose a word that is one rare token, such as sks or ohwx, or keep it and expect that",
            )


def _holds(ids: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return any(ids[i : i + len(wanted)] == wanted for i in range(len(ids) - len(wanted) + 1))


def _words(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens grouped into words: a word ends with a piece that is marked so."""
    word: list[Token] = []
    for token in tokens:
        word.append(token)
        if token.piece.endswith("·"):
            yield word
            word = []
    if word:
        yield word


def _same_tokens(setup: Setup, tokenizer: Tokenizer) -> Iterator[Finding]:
    by_ids: dict[tuple[int, ...], list[str]] = {}
    for tag in dict.fromkeys(tag for item in setup.checked for tag in split_tags(item.image.caption)):
        by_ids.setdefault(tokenizer.ids(tag), []).append(tag)
    for ids, tags in by_ids.items():
        if len(tags) > 1:
            quoted = ", ".join(f'"{tag}"' for tag in tags)
            yield _warning(
                "tags-identical-tokens",
                "captions",
                f"{quoted} are the same tokens ({' '.join(map(str, ids))}): one tag to the model",
                "write them alike, or change one to a word with other tokens",
            )


# --- settings -----------------------------------------------------------------------------------------------------


def _warmup(setup: Setup) -> Iterator[Finding]:
    train, made = setup.settings.train, setup.plan
    if made and train.warmup_steps > made.total_steps:
        yield Finding(
            "warmup-too-long",
            "error",
            "train.warmup_steps",
            f"{train.warmup_steps} steps of warm-up in a run of {made.total_steps}: "
            f"the learning rate would never reach {train.learning_rate:g}",
            f"set it to {made.total_steps // 10} (a tenth of the run), or train longer",
        )


# --- variants -----------------------------------------------------------------------------------------------------


def _unknown_tags(setup: Setup, known: set[str]) -> Iterator[Finding]:
    if setup.variant is None:
        return
    own = {tag for image in setup.scan.images for tag in split_tags(image.caption)} | known
    for tag in (*setup.variant.replace_tags, *setup.variant.drop_tags):
        if tag not in own:
            from difflib import get_close_matches

            near = get_close_matches(tag, own, n=1, cutoff=0.5)
            yield _warning(
                "variant-tag-unknown",
                setup.name,
                f'"{tag}" is no tag of any caption, so nothing comes of it',
                f'write "{near[0]}"' if near else "name a whole tag: what stands between two commas",
            )
