"""Which tag took in what: the plan asks for the right prompts, and the rule gives each tag what is its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.attribution.attribution import (
    CARRIED,
    UNASKED,
    Attribution,
    attribution_file,
    read_attribution,
    read_attributions,
    write_attribution,
)
from loratui.lab.attribution.picture import attribution_picture
from loratui.lab.attribution.plan import (
    ALONE,
    UNTRAINED_WORDS,
    AttributionPlan,
    Unit,
    find_features,
    plan_prompts,
    untrained_word,
)
from loratui.lab.attribution.rule import Twins, attribute
from loratui.lab.attribution.table import attribution_markdown, summary, view
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.readings import Reading
from loratui.lab.scores.statistics import NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN
from tests.bench.drawings import drawing

DEER = ("deer", "deer nose", "deer glow", "santa hat", "deer, deer nose, deer glow, santa hat")
ABOUT = {"run": "r", "project": "deer", "step": 100, "scale": 1.0, "inference_steps": 25}
TOKENS = Path(__file__).parents[3] / "loratui/tinyworld/model/tokenizer"

Says = Callable[[str, int], str]


def reading(value: str | float, sure: bool = True) -> Reading:
    return Reading(value, 1.0 if sure else 0.2, "" if sure else "too noisy")


def blue_nose() -> AttributionPlan:
    """The plan of the deer's captions, where the nose is blue."""
    untrained, units, prompts, left_out = plan_prompts(DEER, None)
    images = [("deer nose", {"colour": reading("blue")}), ("deer", {"colour": reading("brown")})]
    return AttributionPlan(untrained, units, prompts, find_features(images)[0], left_out)


def drawn(plan: AttributionPlan, lora: Says, base: Says = lambda text, seed: "gray", seeds: int = 20) -> Attribution:
    """Judged from what each prompt and seed shows; "?" is a picture that cannot be measured."""

    def one(says: Says, text: str, seed: int) -> Mapping[str, Reading]:
        return {"colour": reading(says(text, seed), says(text, seed) != "?")}

    shown = {
        asked.text: {seed: Twins(one(base, asked.text, seed), one(lora, asked.text, seed)) for seed in range(seeds)}
        for asked in plan.prompts
    }
    return attribute(plan, shown, ABOUT)


def words(one: Attribution, feature: str = "colour blue") -> dict[str, str]:
    number = [each.words for each in one.features].index(feature)
    return {unit.name: one.cell(unit, number).verdict.verdict for unit in one.units}


def unit(plan: AttributionPlan, name: str) -> Unit:
    return next(one for one in plan.units if one.name == name)


# -- the plan -------------------------------------------------------------------------------------------------------


def test_each_tag_is_drawn_alone_left_out_and_replaced_beside_no_tag_and_an_untrained_word() -> None:
    texts = {asked.text for asked in blue_nose().prompts}
    assert {"", "bird", "deer", "deer nose", "deer glow", "santa hat"} <= texts
    assert "deer, deer nose, deer glow, santa hat" in texts
    assert {"deer, deer nose, deer glow", "deer, deer nose, deer glow, bird"} <= texts


def test_of_tags_that_share_a_word_the_words_are_drawn_too_and_the_shared_one_replaced() -> None:
    plan = blue_nose()
    texts = {asked.text for asked in plan.prompts}
    assert {"nose", "glow", "bird nose", "bird glow", "deer bird"} <= texts
    assert unit(plan, "nose").parents == ("deer nose",)
    # A word that is a tag too is left out wherever it stands: else it would still be there.
    assert unit(plan, "deer").contexts[0].without == "nose, glow, santa hat"
    assert unit(plan, "deer").contexts[0].replaced == "bird, bird nose, bird glow, santa hat"


def test_no_prompt_is_drawn_twice_and_tags_without_a_shared_word_keep_theirs() -> None:
    prompts = plan_prompts(["red monster", "green monster"], None)[2]
    assert len({asked.text for asked in prompts}) == len(prompts)
    _, units, prompts, left_out = plan_prompts(["myshape"] * 3, None)
    assert [asked.text for asked in prompts] == ["", "bird", "myshape"]
    assert (units[2].images, left_out) == (3, ())


def test_a_size_with_spaces_is_one_word() -> None:
    captions = ["2 x 2 apple", "2 x 3 apple", "2 x 2 cube"]
    names = [one.name for one in plan_prompts(captions, None)[1]]
    assert "2 x 2" in names and "apple" in names and "x" not in names


def test_many_tags_stay_within_the_number_of_prompts_and_what_is_left_out_is_said() -> None:
    captions = [f"tag{number}, monster" for number in range(60)]
    _, units, prompts, left_out = plan_prompts(captions, None)
    assert len(prompts) <= 40
    assert units[2].name == "monster"  # in every image
    kept = {text for one in units for text in one.texts}
    assert kept <= {asked.text for asked in prompts}  # what is asked is asked in whole
    assert "tags, beyond 40 prompts" in left_out[0] and "more" in left_out[0]


def test_a_sentence_stays_whole() -> None:
    units = plan_prompts(["a small red circle on a plain white background"], None)[1]
    assert [one.name for one in units[2:]] == ["a small red circle on a plain white background"]


def test_the_untrained_word_is_in_no_caption_and_a_single_token() -> None:
    tokenizer = Tokenizer.load(TOKENS)
    for word in UNTRAINED_WORDS:
        assert len(tokenizer.ids(word)) == 1, word
    assert untrained_word(["a bird, chairs"], tokenizer) == "boat"
    with pytest.raises(LabError, match="could stand for an untrained one"):
        untrained_word([", ".join(UNTRAINED_WORDS)], tokenizer)


def test_captions_without_a_tag_are_refused() -> None:
    with pytest.raises(LabError, match="no tags"):
        plan_prompts(["", " , "], None)


def test_features_are_what_training_images_show_and_uncertain_or_empty_answers_are_none() -> None:
    told = [
        ("deer", {"colour": reading("brown"), "shape": reading("other"), "grid": reading("1x1")}),
        ("deer nose", {"colour": reading("blue"), "shape": reading("circle"), "background": reading("white")}),
        ("deer, deer nose", {"colour": reading("yellow", False), "background": reading("white")}),
    ]
    features, left_out = find_features(told)
    assert [(one.words, one.images, one.tags) for one in features] == [
        ("colour brown", 1, ("deer",)),
        ("colour blue", 1, ("deer nose",)),
        ("shape circle", 1, ("deer nose",)),
        ("background white", 2, ("deer nose", "deer")),
    ]
    assert left_out == ()
    assert find_features(told, 2)[1] == ("2 features, beyond 2: background white, colour blue",)


def test_a_number_that_all_images_share_is_a_feature_unless_the_base_shows_it_as_well() -> None:
    soft = [("monster", {"colour": reading("blue"), "edge_steepness": reading(0.1)})] * 3
    plan = AttributionPlan(*plan_prompts(["monster"], None)[:3], find_features(soft)[0], ())
    assert [one.words for one in plan.features] == ["colour blue", "edge steepness 0.08 to 0.12"]

    def judged(of_base: float) -> Attribution:
        base, lora = ({"colour": reading("blue"), "edge_steepness": reading(v)} for v in (of_base, 0.1))
        return attribute(plan, {a.text: dict.fromkeys(range(20), Twins(base, lora)) for a in plan.prompts}, ABOUT)

    assert words(judged(0.3), "edge steepness 0.08 to 0.12")["monster"] == UNASKED
    told = judged(0.11)
    assert [one.words for one in told.features] == ["colour blue"]
    assert told.left_out == ("edge steepness 0.08 to 0.12: 60 of 60 pictures of the base model are so, too",)


# -- the rule -------------------------------------------------------------------------------------------------------


def test_the_word_that_calls_it_up_carries_it_and_the_shared_word_does_not() -> None:
    told = words(drawn(blue_nose(), lambda text, seed: "blue" if "nose" in text and seed else "gray"))
    assert told["nose"] == told["deer nose"] == CARRIED
    assert told["deer"] == told["santa hat"] == told[""] == told["bird"] == NOT_SHOWN


def test_what_is_shown_whatever_the_prompt_says_is_unasked_and_nobodys() -> None:
    told = words(drawn(blue_nose(), lambda text, seed: "blue"))
    assert set(told.values()) == {UNASKED}


def test_what_the_base_shows_as_well_was_not_taken_in() -> None:
    says: Says = lambda text, seed: "blue" if "nose" in text else "gray"  # noqa: E731
    told = drawn(blue_nose(), says, says)
    assert set(words(told).values()) == {NOT_SHOWN}
    assert "carried" not in " ".join(summary(told))


def test_two_words_that_show_it_only_together_have_it_partly() -> None:
    one = drawn(blue_nose(), lambda text, seed: "blue" if "deer nose" in text else "gray")
    told = words(one)
    assert told["deer nose"] == CARRIED
    assert told["deer"] == told["nose"] == PARTLY
    assert "“nose” (0/20 (0–16%), base 0/20; only in company)" in summary(one)[0]


def test_a_tag_that_is_not_missed_in_the_full_caption_has_it_partly() -> None:
    told = drawn(blue_nose(), lambda text, seed: "blue" if "nose" in text or "glow" in text else "gray")
    assert words(told)["deer nose"] == PARTLY
    number = [one.words for one in told.features].index("colour blue")
    assert "stays when it is left out" in told.cell(unit(blue_nose(), "deer nose"), number).verdict.why


def test_a_tag_that_shows_it_in_some_pictures_only_has_it_partly() -> None:
    told = words(drawn(blue_nose(), lambda text, seed: "blue" if "nose" in text and seed < 9 else "gray"))
    assert told["deer nose"] == PARTLY


def test_what_the_base_changes_in_the_same_way_is_no_work_of_the_lora() -> None:
    """Both draw blue for "nose", the base in half of the pictures; the LoRA adds blue to everything."""
    base: Says = lambda text, seed: "blue" if "nose" in text and seed < 10 else "gray"  # noqa: E731
    lora: Says = lambda text, seed: "blue" if "nose" in text or seed >= 10 else "gray"  # noqa: E731
    told = drawn(blue_nose(), lora, base)
    number = [one.words for one in told.features].index("colour blue")
    cell = told.cell(unit(blue_nose(), "nose"), number)
    assert (cell.lora.k, cell.base.k) == (20, 10)
    assert cell.verdict.verdict == UNASKED  # the LoRA adds the same seeds to "bird"


def test_a_word_for_which_the_base_shows_it_already_is_no_measure_of_what_the_lora_does_unasked() -> None:
    base: Says = lambda text, seed: "blue" if "bird" in text else "gray"  # noqa: E731
    lora: Says = lambda text, seed: "blue" if "bird" in text or "nose" in text else "gray"  # noqa: E731
    told = drawn(blue_nose(), lora, base)
    assert words(told)["nose"] == UNCERTAIN and words(told)["bird"] == NOT_SHOWN
    number = [one.words for one in told.features].index("colour blue")
    assert "There the base shows it by itself" in told.cell(unit(blue_nose(), "nose"), number).verdict.why


def test_few_pictures_decide_nothing_and_pictures_that_cannot_be_measured_are_uncertain() -> None:
    says: Says = lambda text, seed: "blue" if "nose" in text else "gray"  # noqa: E731
    assert words(drawn(blue_nose(), says, seeds=3))["nose"] == TOO_FEW
    unsure = words(drawn(blue_nose(), lambda text, seed: "?" if seed > 5 else says(text, seed)))
    assert unsure["nose"] == UNCERTAIN


def test_a_feature_that_no_caption_shows_is_carried_by_what_shows_it_alone_and_that_is_said() -> None:
    told = drawn(blue_nose(), lambda text, seed: "blue" if "nose" in text and "," not in text else "gray")
    number = [one.words for one in told.features].index("colour blue")
    cell = told.cell(unit(blue_nose(), "deer nose"), number)
    assert cell.verdict.verdict == CARRIED
    assert "No caption that has it shows this feature" in cell.verdict.why


def test_units_that_were_not_drawn_are_left_out_and_said() -> None:
    plan = blue_nose()
    look = {"colour": reading("blue")}
    shown = {a.text: dict.fromkeys(range(5), Twins(look, look)) for a in plan.prompts if a.text != "santa hat"}
    told = attribute(plan, shown, ABOUT)
    assert "santa hat" not in [one.name for one in told.units]
    assert told.left_out[-1].startswith("not drawn: santa hat")
    with pytest.raises(LabError, match="none of the tags was drawn"):
        attribute(plan, {}, ABOUT)


def test_the_measures_of_drawn_pictures_are_attributed() -> None:
    """From pixels to words: drawings of known truth stand for what the LoRA draws, and for what the base does."""
    from loratui.lab.measures import MEASURES

    def measured(*shapes: str) -> list[Mapping[str, Reading]]:
        drawings = (drawing("clean", 64, number) for number in range(200))
        some = itertools.islice((one for one in drawings if one.truth.get("shape") in shapes), 9)
        told = (MEASURES["shape"](one.picture) for one in some)
        return [{"shape": Reading(one.value, one.confidence, one.reason)} for one in told]

    circles, others = measured("circle"), measured("square", "triangle")
    untrained, units, prompts, _ = plan_prompts(["round thing"], None)
    plan = AttributionPlan(untrained, units, prompts, find_features([("round thing", circles[0])])[0], ())
    shown = {
        asked.text: {
            seed: Twins(others[seed], (circles if "round" in asked.text else others)[seed]) for seed in range(9)
        }
        for asked in prompts
    }
    told = words(attribute(plan, shown, ABOUT), "shape circle")
    assert told["round"] == told["round thing"] == CARRIED
    assert told["thing"] == told["bird"] == TOO_FEW  # 0 of 9, where nine are too few to say never


# -- the file, the words, the picture -------------------------------------------------------------------------------


@pytest.fixture
def judged() -> Attribution:
    return drawn(blue_nose(), lambda text, seed: "blue" if "nose" in text and seed else "gray")


def test_the_file_gives_back_what_was_written_and_keeps_several_steps(tmp_path: Path, judged: Attribution) -> None:
    from dataclasses import replace

    run = RunFolder(tmp_path)
    assert read_attribution(run) is None
    later = replace(judged, step=200)
    for one in (later, judged, later):
        write_attribution(run, one)
    assert read_attributions(run) == (judged, later)
    assert read_attribution(run) == later and read_attribution(run, 100) == judged
    assert read_attribution(run, 300) is None


def test_a_damaged_file_names_itself_and_is_made_anew(tmp_path: Path, judged: Attribution) -> None:
    run = RunFolder(tmp_path)
    for text in ("{", '{"version": 1, "tables": [{}]}', '{"version": 1}'):
        attribution_file(run).write_text(text, encoding="utf-8")
        with pytest.raises(LabError, match=r"attribution\.json: .*delete it"):
            read_attribution(run)
    write_attribution(run, judged)
    assert read_attribution(run) == judged
    attribution_file(run).write_text(json.dumps({"version": 99}), encoding="utf-8")
    assert read_attribution(run) is None


def test_reading_words_and_markdown_need_no_numpy() -> None:
    code = (
        "import sys, loratui.lab.attribution.attribution, loratui.lab.attribution.table, "
        "loratui.lab.attribution.rule; print([m for m in ('numpy', 'scipy', 'PIL') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_rate_is_told_with_its_interval_and_the_bases(judged: Attribution) -> None:
    for row in view(judged).rows:
        for cell in row.cells:
            assert "/20 (" in cell.lora and "/20 (" in cell.base and cell.why and cell.sign
    assert "carried by “deer nose” (19/20 (76–99%), base 0/20) and “nose”" in summary(judged)[0]


def test_markdown_shows_captions_as_text() -> None:
    untrained, units, prompts, _ = plan_prompts(["<b>|x|</b>"], None)
    look = {"colour": reading("blue")}
    plan = AttributionPlan(untrained, units, prompts, find_features([("<b>|x|</b>", look)])[0], ("[link](x)",))
    told = attribute(plan, {a.text: dict.fromkeys(range(5), Twins(look, look)) for a in prompts}, ABOUT)
    text = attribution_markdown(told)
    assert "<b>" not in text.replace("\\<b", "") and "\\[link\\]" in text
    assert all(line.replace("\\|", "").count("|") == 3 for line in text.splitlines() if line.startswith("| (no tag)"))


def test_the_picture_is_as_wide_as_its_columns_and_survives_missing_pictures_and_odd_letters(
    tmp_path: Path, judged: Attribution
) -> None:
    from dataclasses import replace

    from loratui.lab.attribution.attribution import Example

    base = replace(judged, examples=())
    (tmp_path / "red.png").parent.mkdir(exist_ok=True)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    odd = replace(judged, project="\x1b[31m ⛄ é", examples=(Example("deer", 1, "gone.png", "red.png"),))
    plain, shown = (attribution_picture(RunFolder(tmp_path), one) for one in (base, odd))
    assert plain.size == shown.size and plain.width >= 900
    red = sum(count for count, colour in shown.getcolors(1 << 20) or [] if colour == (255, 0, 0))
    assert red == 64 * 64
    wide = replace(judged, features=judged.features * 4, cells=judged.cells)
    wide = replace(wide, cells=tuple(replace(c, feature=c.feature + 2 * n) for c in judged.cells for n in range(4)))
    assert attribution_picture(RunFolder(tmp_path), wide).width > plain.width


def test_alone_is_the_prompt_of_every_row(judged: Attribution) -> None:
    alone = {asked.text for asked in judged.prompts if asked.kind == ALONE}
    assert alone <= {asked.text for asked in judged.prompts}
    assert all(one.name in {shown.text for shown in judged.shown} for one in judged.units)
