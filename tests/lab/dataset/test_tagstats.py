"""Tags are counted by the images that have them."""

from __future__ import annotations

from loratui.lab.dataset.tagstats import TagCount, frequencies, together

CAPTIONS = ["red, circle, red", "circle,white background", "", "Red, circle", " , blue ,"]


def test_frequencies_count_images_and_put_the_most_frequent_first() -> None:
    assert frequencies(CAPTIONS) == [
        TagCount("circle", 3),
        TagCount("blue", 1),
        TagCount("Red", 1),
        TagCount("red", 1),
        TagCount("white background", 1),
    ]
    assert frequencies([]) == []


def test_together_counts_the_images_that_have_both() -> None:
    assert together(CAPTIONS, "circle") == [TagCount("Red", 1), TagCount("red", 1), TagCount("white background", 1)]
    assert together(CAPTIONS, "red") == [TagCount("circle", 1)]
    assert together(CAPTIONS, "no such tag") == []
