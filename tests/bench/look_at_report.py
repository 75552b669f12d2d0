"""Looks at a report in a real Chromium, light and dark, at the width of a desk and of a phone, and on paper.

    python -m tests.bench.look_at_report projects/basic-grey/report/report.html pictures-go-here

Which browser: LORATUI_CHROMIUM, else the first of the usual names on the PATH. Spoken to over a pipe, in the DevTools
protocol, so nothing has to be installed. Ends with 1 when the page asks for anything from outside, scrolls sideways,
has a picture that does not show, or says anything on its console.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell", "chrome-headless-shell")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
TALLEST = 8000  # pixels of one picture; browsers cannot draw any height at once
_SEEN = """(() => ({
  wide: document.documentElement.scrollWidth, inside: window.innerWidth, high: document.documentElement.scrollHeight,
  broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length, pictures: document.images.length,
  scripts: document.scripts.length, charts: document.querySelectorAll('svg.chart').length,
}))()"""


def chromium() -> str:
    """The browser to look with; leaves with what to do where there is none."""
    found = os.environ.get("LORATUI_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise SystemExit(f"no browser: set LORATUI_CHROMIUM, or put one of {', '.join(NAMES)} on the PATH")
    return found


class Browser:
    """A Chromium at the other end of two pipes; messages are JSON and end with a NUL."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read = write, read
        self.session = ""
        self.events: list[dict[str, Any]] = []
        self._rest = b""
        self._number = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command, and wait for its answer; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']}")
                return dict(got["result"])
            self.events.append(got)

    def wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self.read, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser ended")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


@contextmanager
def started() -> Iterator[Browser]:
    """A browser with one empty page."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    def put_in_place() -> None:
        # The browser reads from 3 and writes to 4. Moved away first: one pipe may lie where the other has to go.
        ends = [os.dup(theirs_in), os.dup(theirs_out)]
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [chromium(), "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            preexec_fn=put_in_place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            browser = Browser(ours_out, ours_in)
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "Log"):
                browser.ask(f"{domain}.enable")
            yield browser
        finally:
            process.kill()
            process.wait()


def look(browser: Browser, page: Path, out: Path) -> list[str]:
    """Pictures of the page at each size, light and dark, and a PDF; what is wrong, in words."""
    faults: list[str] = []
    for name, (width, height) in SIZES.items():
        for colours in ("light", "dark"):
            browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                        mobile=name == "phone")  # fmt: skip
            browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])
            browser.events.clear()
            browser.ask("Page.navigate", url=page.absolute().as_uri())
            browser.wait_for("Page.loadEventFired")
            seen = browser.ask("Runtime.evaluate", expression=_SEEN, returnByValue=True)["result"]["value"]
            faults += [f"{name}, {colours}: {fault}" for fault in _faults(seen, browser.events, page)]
            for part, top in enumerate(range(0, min(seen["high"], 40_000), TALLEST)):
                tall = min(TALLEST, seen["high"] - top)
                clip = {"x": 0, "y": top, "width": width, "height": tall, "scale": 1}
                shot = browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
                (out / f"{name}-{colours}-{part}.png").write_bytes(base64.b64decode(shot))
            print(f"{name}, {colours}: {seen}")
    browser.ask("Emulation.clearDeviceMetricsOverride")
    paper = browser.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
    (out / "paper.pdf").write_bytes(base64.b64decode(paper))
    return faults


def _faults(seen: dict[str, Any], events: list[dict[str, Any]], page: Path) -> Iterator[str]:
    if seen["wide"] > seen["inside"]:
        yield f"scrolls sideways: {seen['wide']} pixels in {seen['inside']}"
    if seen["broken"]:
        yield f"{seen['broken']} of {seen['pictures']} pictures do not show"
    if seen["scripts"]:
        yield "has scripts"
    for event in events:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            url = str(params["request"]["url"])
            if not url.startswith("data:") and url != page.absolute().as_uri():
                yield f"asks for {url[:200]}"
        elif event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            yield f"says {json.dumps(params)[:300]}"


def main() -> int:
    if len(sys.argv) != 3:
        raise SystemExit("python -m tests.bench.look_at_report REPORT.html FOLDER")
    page, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with started() as browser:
        faults = look(browser, page, out)
    for fault in faults:
        print(f"! {fault}", file=sys.stderr)
    print(f"pictures in {out}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
