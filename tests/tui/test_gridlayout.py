"""Where the pictures of a grid stand: nothing outside its box, nothing on anything else, nothing left out."""

from __future__ import annotations

import pytest

from loratui.tui.gridlayout import GOOD, PAGE_CELLS, arrange
from loratui.tui.slider import place_at, track

BOXES = [(78, 12), (38, 18), (78, 20), (116, 34), (290, 70), (30, 9)]
GRIDS = [([4], 2), ([4, 4], 2), ([3, 1, 5], 3), ([1], 2), ([100], 3), ([4], 6), ([2], 1)]


@pytest.mark.parametrize(("width", "height"), BOXES)
@pytest.mark.parametrize(("groups", "columns"), GRIDS)
@pytest.mark.parametrize("extra", [0, 1])
def test_every_picture_has_a_place_of_its_own(
    width: int, height: int, groups: list[int], columns: int, extra: int
) -> None:
    layout = arrange(width, height, groups, columns, extra=extra)
    wanted = [(g, block, column) for g, n in enumerate(groups) for block in range(n) for column in range(columns)]
    assert sorted((slot.group, slot.block, slot.column) for slot in layout.slots) == wanted
    for page in layout.pages:
        taken: set[tuple[int, int]] = set()
        for heading in page.headings:
            taken |= {(x, heading.y) for x in range(width)}
        for slot in page.slots:
            # Its label above it, a column for its frame on either side.
            own = {(x, y) for x in range(slot.x, slot.x + layout.columns)
                   for y in range(slot.y - 1, slot.y + layout.rows + extra)}  # fmt: skip
            assert not own & taken
            taken |= own
            assert slot.x >= 1
            assert slot.x + layout.columns < width
            assert slot.y + layout.rows + extra <= height
        assert page.headings[0].y == 0
        assert {slot.group for slot in page.slots} == {heading.group for heading in page.headings}


def test_a_page_says_which_prompt_it_goes_on_with() -> None:
    layout = arrange(60, 20, [12, 2], 2)
    continued = [(heading.group, heading.continued) for page in layout.pages for heading in page.headings]
    assert continued[0] == (0, False)
    assert (0, True) in continued
    assert continued.count((1, False)) == 1


def test_all_are_on_one_page_where_something_can_be_seen() -> None:
    layout = arrange(116, 34, [4], 2)
    assert len(layout.pages) == 1
    assert layout.rows >= GOOD


def test_the_base_model_is_beside_the_lora_even_in_little_room() -> None:
    layout = arrange(38, 18, [4], 2)
    first, second = layout.pages[0].slots[:2]
    assert (first.block, second.block) == (0, 0)
    assert first.y == second.y
    assert len(layout.pages[0].slots) >= 4


@pytest.mark.parametrize(("width", "height"), BOXES)
def test_a_page_is_never_dearer_than_allowed(width: int, height: int) -> None:
    for groups, columns in GRIDS:
        layout = arrange(width, height, groups, columns)
        assert all(len(page.slots) * layout.rows * layout.columns <= PAGE_CELLS or len(page.slots) <= columns
                   for page in layout.pages)  # fmt: skip


def test_a_box_without_room_still_has_a_layout() -> None:
    for box in ((1, 1), (3, 2), (10, 3)):
        assert len(arrange(*box, [2], 2).slots) == 4


def test_walking_visits_all_and_stops_at_the_ends() -> None:
    layout = arrange(78, 12, [5, 2], 2)
    here = layout.slots[0]
    assert layout.beside(here, -1, 0) == here
    assert layout.beside(here, 0, -1) == here
    seen = [here]
    while (there := layout.beside(here, 1, 0)) != here:
        here = there
        seen.append(here)
    assert seen == layout.slots
    assert layout.beside(here, 1, 0) == here


def test_up_is_the_picture_above() -> None:
    layout = arrange(78, 30, [4, 4], 2)
    for slot in layout.slots:
        below = layout.beside(slot, 0, 1)
        if below != slot:
            assert below.line == slot.line + 1
            assert abs(below.x - slot.x) <= layout.columns + 2
            assert layout.beside(below, 0, -1).line == slot.line


def test_the_page_of_a_picture_holds_it() -> None:
    layout = arrange(40, 12, [9], 2)
    assert len(layout.pages) > 1
    for slot in layout.slots:
        page = layout.pages[layout.page_of(slot.group, slot.block, slot.column)]
        assert slot in page.slots


@pytest.mark.parametrize(("count", "at"), [(1, 0), (2, 1), (10, 4), (500, 499)])
def test_the_knob_stands_where_a_click_finds_it(count: int, at: int) -> None:
    from rich.style import Style

    segments = track(40, count, at, Style(), Style())
    text = "".join(segment.text for segment in segments)
    assert len(text) == 40
    x = text.index("●")
    assert place_at(40, count, x) == at if count <= 40 else abs(place_at(40, count, x) - at) <= count / 40
