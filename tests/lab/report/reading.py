"""Reads a report as strictly as a program can: what it holds, and whatever a browser would forgive."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from PIL import Image

VOID = {"meta", "img", "br", "link", "input", "hr", "base", "source"}
# In SVG these stand alone, and are closed in place.
DRAWN = {"line", "circle", "path", "rect"}
KNOWN = VOID | DRAWN | set(
    "html head title style body header main footer nav section article figure figcaption details summary div span p ul "
    "li h1 h2 h3 h4 h5 h6 a bdi strong code pre small dl dt dd table caption thead tbody tr th td svg desc text".split()
)  # fmt: skip
EVENT = re.compile(r"^on", re.IGNORECASE)
OUTSIDE = (
    "src",
    "href",
    "srcset",
    "poster",
    "action",
    "formaction",
    "data",
    "background",
    "xlink:href",
    "cite",
    "ping",
)


@dataclass
class Told(HTMLParser):
    """A page that was read: its text, its pictures, and its faults in words."""

    faults: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    pictures: list[tuple[bytes, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.styles = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in DRAWN:
            self.faults.append(f"<{tag}/> is not closed by that in HTML")

    def _look(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in KNOWN:
            self.faults.append(f"<{tag}> has no place in a report")
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> says an attribute twice")
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            if EVENT.match(name):
                self.faults.append(f"{name} is a script")
            if name in OUTSIDE and not value.startswith(("#", "data:image/png;base64,")):
                self.faults.append(f"{name}={value[:80]!r} is from outside")
            if name == "style":
                self.faults.append(f"{name}={value[:80]!r}")
        if "id" in values:
            self.ids.append(values["id"])
        self.links += [values["href"][1:]] if values.get("href", "").startswith("#") else []
        self.links += values.get("aria-labelledby", "").split()
        if tag == "img":
            self._picture(values)

    def _picture(self, values: dict[str, str]) -> None:
        try:
            data = base64.b64decode(values["src"].partition(",")[2], validate=True)
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                if (str(image.width), str(image.height)) != (values["width"], values["height"]):
                    self.faults.append("a picture is not as large as it says")
        except (KeyError, binascii.Error, OSError) as error:
            self.faults.append(f"a picture does not show: {error!r}")
            return
        if not values.get("alt"):
            self.faults.append("a picture has no words for who cannot see it")
        self.pictures.append((data, values.get("alt", "")))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data[:60]!r}")

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def read_page(html: str) -> Told:
    """The page, with every fault that was found in `faults`."""
    told = Told()
    told.feed(html)
    told.close()
    if told.open:
        told.faults.append(f"never closed: {told.open}")
    twice = {one for one in told.ids if told.ids.count(one) > 1}
    if twice:
        told.faults.append(f"ids given twice: {sorted(twice)}")
    told.faults += [f"nothing is called {name!r}" for name in told.links if name not in told.ids]
    if not html.startswith("<!DOCTYPE html>\n"):
        told.faults.append("no doctype")
    for sign in ("url(", "@import", "expression("):
        if sign in told.styles.lower():
            told.faults.append(f"the style says {sign}")
    hidden = [c for c in told.text if ord(c) < 32 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069]
    if hidden:
        told.faults.append(f"characters that hide or reorder: {hidden[:5]!r}")
    for name in ("viewport", "color-scheme"):
        if f'name="{name}"' not in html:
            told.faults.append(f"no {name}")
    return told


def picture_links(markdown: str) -> list[str]:
    """The files that a document shows."""
    return re.findall(r"!\[(?:[^\]\\]|\\.)*\]\(([^)]*)\)", markdown)
