"""On drawings of known truth, at 64 and 128 pixels, the measures are wrong no oftener than is published."""

from __future__ import annotations

import pytest

from tests.bench.measures import Scores, blurs, drawings, score, table

EACH = 3  # of each kind and size; `python -m tests.bench.measures` draws more
# Of the answers that are told, at most this share is wrong, and at most this share of all is uncertain.
PUBLISHED = {
    "background": (0.01, 0.02),
    "colour": (0.01, 0.03),
    "count": (0.02, 0.08),
    "grid": (0.02, 0.08),
    "shape": (0.03, 0.20),
    "coverage": (0.02, 0.05),
    "centre_bias": (0.02, 0.05),
}
FUSED = "side by side"  # straight sides that touch: known to be read as one object


@pytest.fixture(scope="module")
def scores() -> Scores:
    return score(drawings(EACH))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_measure_is_no_worse_than_published(scores: Scores, name: str) -> None:
    cells = {kind: cell for (measure, kind), cell in scores.items() if measure == name and kind != FUSED}
    print(table(name, {(name, kind): cell for kind, cell in cells.items()}))
    told, wrong = sum(cell.told for cell in cells.values()), sum(cell.wrong for cell in cells.values())
    pictures = sum(cell.pictures for cell in cells.values())
    most_wrong, most_uncertain = PUBLISHED[name]
    assert pictures >= 80
    assert wrong <= most_wrong * told
    assert pictures - told <= most_uncertain * pictures


def test_objects_that_touch_are_told_apart_or_said_to_be_uncertain(scores: Scores) -> None:
    touching = scores["count", "touching"]
    assert touching.wrong <= 0.1 * touching.pictures


def test_an_object_too_small_to_have_a_shape_is_uncertain_and_not_wrong(scores: Scores) -> None:
    tiny = scores["shape", "tiny"]
    assert tiny.wrong <= 0.1 * tiny.told
    assert tiny.uncertain >= 0.3 * tiny.pictures
    assert scores["colour", "tiny"].wrong == 0


def test_blur_is_told_in_spite_of_noise() -> None:
    pairs = blurs(6)
    print(f"blur not told from sharp: {pairs.wrong} of {pairs.told}, {pairs.uncertain} uncertain")
    assert pairs.told >= 11
    assert pairs.wrong == 0
