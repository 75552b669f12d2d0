"""One change to the text of a TOML document, everything else in it keeping its bytes.

Where things stand is found by the scanner of places.py, and only the characters of the changed value, line or table
are replaced; comments, order, spaces and line ends stay as somebody wrote them. A document says the same in many
forms, so each change is tried in the forms that suit, and the first that reads back as what was meant is taken.
Files are projectfile.py's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.project.fieldtext import key_text, toml_text
from loratui.lab.project.schema import KeyPath, dotted
from loratui.lab.toml.tomllayout import Layout, Pair, newline_of

Document = dict[str, Any]
_SET_APART = re.compile(r"( {2,})#")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def read_document(text: str) -> Document:
    """The document of a text. LabError when it is not valid TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabError(f"not valid TOML: {error}; mend the text first") from None


def set_value(text: str, path: KeyPath, value: Any, written: str = "", order: Sequence[str] = ()) -> str:
    """The text with `path` set to a plain value. `order` names the keys and tables as they are best sorted.

    `written` is how the value is to be written, where it matters. LabError when the text is not valid TOML, or has
    the table in a form that cannot take the key.
    """
    if written:
        value = read_document(f"value = {written}")["value"]  # 8 for 8.0, where it is to be written so
    written = written or toml_text(value)
    return _first(
        text,
        path,
        lambda document: _put(document, path, value),
        lambda layout: _ways_to_set(layout, path, value, written, order),
    )


def unset_value(text: str, path: KeyPath) -> str:
    """The text without `path`; a comment behind the value stays, on a line of its own."""
    return _first(text, path, lambda document: _take(document, path), lambda layout: iter([_removed(layout, path)]))


def add_table(text: str, path: KeyPath, table: Mapping[str, Any], order: Sequence[str] = ()) -> str:
    """The text with one more table at the end of the array at `path` ([[sample.prompt]])."""
    return _first(
        text,
        path,
        lambda document: _append(document, path, dict(table)),
        lambda layout: _ways_to_add(layout, path, table, order),
    )


def remove_table(text: str, path: KeyPath) -> str:
    """The text without the table at `path`, an item of an array, and without the comments directly above it."""
    array = _at(read_document(text), path[:-1])
    if isinstance(array, list) and len(array) == 1:
        return unset_value(text, path[:-1])  # no array is left, not an empty one
    return _first(text, path, lambda document: _take(document, path), lambda layout: iter([_removed(layout, path)]))


def swap_tables(text: str, path: KeyPath, other: int) -> str:
    """The text with two tables of an array in each other's place, each with its comments."""
    array, index = path[:-1], path[-1]

    def exchanged(document: Document) -> None:
        items = _at(document, array)
        items[index], items[other] = items[other], items[index]

    def ways(layout: Layout) -> Iterator[str]:
        first, second = sorted((layout.extent(path), layout.extent((*array, other))))
        a, b = text[slice(*first)], text[slice(*second)]
        yield text[: first[0]] + b + text[first[1] : second[0]] + a + text[second[1] :]

    return _first(text, path, exchanged, ways)


def same_document(one: Document, other: Document) -> bool:
    """Whether two documents say the same: an empty table is none, and nan is nan."""
    return repr(_canonical(one)) == repr(_canonical(other))


# --- the forms a change can have -------------------------------------------------------------------------------------


def _first(
    text: str, path: KeyPath, change: Callable[[Document], None], ways: Callable[[Layout], Iterator[str]]
) -> str:
    meant = read_document(text)
    try:
        change(meant)
    except (KeyError, IndexError, TypeError):
        raise LabError(f"{dotted(path)}: there is no place for it in this text; change it in the text itself") from None
    for way in ways(Layout.of(text)):
        try:
            if same_document(tomllib.loads(way), meant):
                return way
        except (ValueError, RecursionError):
            continue
    raise LabError(
        f"{dotted(path)}: its table is written in a form that cannot take the change; change the text itself"
    )


def _ways_to_set(layout: Layout, path: KeyPath, value: Any, written: str, order: Sequence[str]) -> Iterator[str]:
    text = layout.text
    if path in layout.values:
        start, end = layout.values[path]
        if isinstance(value, Sequence) and not isinstance(value, str) and "\n" in text[start:end]:
            yield from _items_changed(layout, path, value)
        yield text[:start] + written + _realigned(text, end, len(written) - (end - start))
        return
    if layout.holds(path):
        layout = Layout.of(_removed(layout, path))
    yield from _ways_to_insert(layout, path, written, order)


def _realigned(text: str, end: int, longer: int) -> str:
    """The text from `end` on; a comment that was set apart keeps its column, as far as there is room."""
    gap = _SET_APART.match(text, end)
    return text[end:] if gap is None else " " * max(1, len(gap[1]) - longer) + text[gap.end(1) :]


def _ways_to_insert(layout: Layout, path: KeyPath, written: str, order: Sequence[str]) -> Iterator[str]:
    text = layout.text
    for length in range(len(path) - 1, 0, -1):
        place = layout.values.get(path[:length])
        if place and text[place[0]] == "{":
            empty = not text[place[0] + 1 : place[1] - 1].strip()
            entry = f"{key_text(_names(path[length:]))} = {written}"
            inside = text[place[0] + 1 : place[1] - 1].rstrip(" \t")
            yield f"{text[: place[0] + 1]}{' ' if empty else inside + ', '}{entry} {text[place[1] - 1 :]}"
            return
    sibling = _sibling(layout, path, order)
    if sibling is not None:
        entry = f"{key_text(_names(path[len(layout.header_of(sibling)) :]))} = {written}"
        yield layout.line_added(layout.line_end(sibling.end), layout.indent(sibling.start) + entry)
    for header in layout.headers:
        if header.path == path[:-1]:
            yield layout.line_added(
                layout.line_end(header.end), f"{layout.indent(header.start)}{key_text(_names(path[-1:]))} = {written}"
            )
    if len(path) == 1:
        yield layout.block_added(layout.root_end(), f"{key_text(_names(path))} = {written}")
    elif not any(isinstance(part, int) for part in path[:-1]):
        lines = [f"[{key_text(_names(path[:-1]))}]", f"{key_text(_names(path[-1:]))} = {written}"]
        yield layout.block_added(layout.place_for(path[:-1], order), newline_of(text).join(lines))
        # Where the table is made by dotted keys only, it cannot have a header.
        yield layout.block_added(layout.root_end(), f"{key_text(_names(path))} = {written}")


def _sibling(layout: Layout, path: KeyPath, order: Sequence[str]) -> Pair | None:
    """The line behind which a new key of the same table belongs: of the one before it in `order`, else the last."""
    siblings = [pair for pair in layout.pairs if pair.path[:-1] == path[:-1] and not pair.inline]
    ranks = {name: rank for rank, name in enumerate(order)}
    own = ranks.get(dotted(path), len(ranks))
    before = [pair for pair in siblings if ranks.get(dotted(pair.path), len(ranks)) < own]
    return max(before, key=lambda pair: ranks[dotted(pair.path)]) if before else siblings[-1] if siblings else None


def _items_changed(layout: Layout, path: KeyPath, value: Sequence[Any]) -> Iterator[str]:
    """A list over several lines, item by item, so that the comments beside items stay."""
    text, old = layout.text, layout.items(path)
    if not old or not value:
        return
    written = [toml_text(item) for item in value]
    result = text
    for index in range(len(old) - 1, len(written) - 1, -1):
        result = _removed(Layout.of(result), (*path, index))
    for (start, end), new in reversed(list(zip(old, written, strict=False))):
        if text[start:end] != new:
            result = result[:start] + new + result[end:]
    if len(written) > len(old):
        yield from _items_appended(Layout.of(result), path, written[len(old) :])
    else:
        yield result


def _items_appended(layout: Layout, path: KeyPath, written: Sequence[str]) -> Iterator[str]:
    """A list with more items, each on a line below the last one and its comment."""
    text = layout.text
    start, end = layout.items(path)[-1]
    comma = _COMMA.match(text, end)
    line_end = text.find("\n", end)
    if line_end >= 0:
        at = line_end - 1 if text[line_end - 1] == "\r" else line_end
        more = "".join(f"{newline_of(text)}{layout.indent(start)}{item}," for item in written)
        yield text[:end] + ("" if comma else ",") + text[end:at] + more + text[at:]


def _ways_to_add(layout: Layout, path: KeyPath, table: Mapping[str, Any], order: Sequence[str]) -> Iterator[str]:
    text, names = layout.text, _names(path)
    if path in layout.values and text[layout.values[path][0]] == "[":
        start, end = layout.values[path]
        items = layout.items(path)
        if not items:
            yield f"{text[:start]}[{toml_text(table)}]{text[end:]}"
            return
        if "\n" in text[start:end]:
            yield from _items_appended(layout, path, [toml_text(table)])
        yield f"{text[: items[-1][1]]}, {toml_text(table)}{text[items[-1][1] :]}"
        return
    line = newline_of(text)
    lines = [f"[[{key_text(names)}]]", *(f"{key_text([name])} = {toml_text(item)}" for name, item in table.items())]
    yield layout.block_added(layout.place_for(path, order, array=True), line.join(lines))
    yield from _ways_to_insert(layout, path, f"[{toml_text(table)}]", order)


def _removed(layout: Layout, path: KeyPath) -> str:
    """Without everything that is written of `path`, whether as a value, an item, dotted keys or tables."""
    for start, end, comment in reversed(layout.written_of(path)):
        layout = Layout.of(layout.text[:start] + comment + layout.text[end:])
    return layout.text


# --- the same changes to a document ----------------------------------------------------------------------------------


def _put(document: Document, path: KeyPath, value: Any) -> None:
    table: Any = document
    for part in path[:-1]:
        table = table.setdefault(part, {}) if isinstance(table, dict) else table[part]
    table[path[-1]] = list(value) if isinstance(value, tuple) else value


def _take(document: Document, path: KeyPath) -> None:
    del _at(document, path[:-1])[path[-1]]


def _append(document: Document, path: KeyPath, table: Document) -> None:
    parent: Any = document
    for part in path[:-1]:
        parent = parent.setdefault(part, {})
    parent.setdefault(path[-1], []).append(table)


def _at(document: Document, path: KeyPath) -> Any:
    value: Any = document
    for part in path:
        value = value[part]
    return value


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        filled = {key: _canonical(item) for key, item in value.items()}
        return {key: filled[key] for key in sorted(filled) if filled[key] != {}}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return value


def _names(path: KeyPath) -> list[str]:
    return [part for part in path if isinstance(part, str)]
