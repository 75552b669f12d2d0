"""`loratui [FOLDER]`: where the bench opens, and what is said where it cannot; the same in a browser."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loratui.cli.bench import where
from loratui.lab.errors import LabError
from loratui.tui.places import Place
from tests.commands import LIMIT, Bench, controls
from tests.commands import Terminal as CommandTerminal
from tests.processes import new_run, write_project
from tests.tui.terminal import Terminal


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("opening"))


@pytest.fixture(scope="module")
def project(bench: Bench, tiny_model: Path) -> Path:
    return write_project(bench.home / "projects" / "shapes", tiny_model)


# -- in a terminal -----------------------------------------------------------------------------------------------------


def test_without_a_terminal_it_says_what_works_instead(bench: Bench, project: Path) -> None:
    for words in ([], ["projects"], ["--readonly"]):
        told = bench.refuses(*words)
        assert "the bench needs a terminal" in told
        assert "loratui --status" in told
    assert bench.refuses("--readonly", "--status").startswith("loratui: --readonly goes with the bench itself")


def test_a_terminal_that_cannot_move_its_cursor_is_none(bench: Bench, project: Path) -> None:
    terminal = CommandTerminal(Bench(bench.home, {"TERM": "dumb"}), "projects")
    assert terminal.end() == 2
    assert "the bench needs a terminal" in terminal.seen
    assert "\x1b" not in terminal.seen


def test_a_folder_that_is_not_there_is_named(bench: Bench) -> None:
    terminal = CommandTerminal(bench, "nowhere\x1b[2J")
    assert terminal.end() == 2
    assert "nowhere␛[2J: there is no such folder; give a folder of projects, a project or a run" in terminal.seen
    assert controls(terminal.seen) <= {"\r"}


def test_a_project_or_a_run_opens_on_its_page_above_the_projects_around_it(project: Path) -> None:
    run = new_run(project)
    assert where(project.parent) == (project.parent, None)
    for path in (project, project / "project.toml"):
        assert where(path) == (project.parent, Place("dataset", project))
    for path in (run.path, run.record_file):
        assert where(path) == (project.parent, Place("run", project, (run.path,)))
    with pytest.raises(LabError, match=r"captions\.toml: there is no such folder"):
        where(run.captions_file)


@pytest.mark.parametrize(("path", "seen"), [("projects", "1 Projects"), ("projects/shapes", "circle.png")])
def test_the_bench_opens_where_it_is_told_to_and_leaves_nothing(
    bench: Bench, project: Path, path: str, seen: str
) -> None:
    command = [sys.executable, "-m", "loratui", path, "--readonly"]
    with Terminal(command, cwd=bench.home, env=bench.environment) as terminal:
        terminal.wait_for(seen)
        terminal.press("ctrl+q")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.text()


# -- in a browser ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until_it_listens(port: int) -> None:
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline


@pytest.fixture(scope="module")
def server(bench: Bench, project: Path) -> Iterator[int]:
    """The port of a bench that is served, and ended by ctrl-c."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "loratui", "--serve", "projects", "--port", str(port), "--readonly"], cwd=bench.home,
        env=bench.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"the bench is at http://localhost:{port} ")
    until_it_listens(port)
    yield port
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT)
    assert (process.returncode, errors) == (0, "")


def ask(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    return connection.getresponse()


SOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13",
          "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip


def test_its_own_page_has_the_bench(server: int) -> None:
    page = ask(server, "/")
    assert page.status == 200
    assert f"ws://localhost:{server}/ws" in page.read().decode()
    answer = ask(server, "/ws?width=80&height=24", Origin=f"http://localhost:{server}", **SOCKET)
    assert answer.status == 101


def test_other_pages_and_other_names_are_refused(server: int) -> None:
    for origin in ("http://evil.example", "null", f"http://localhost:{server + 1}", f"https://localhost:{server}"):
        assert ask(server, "/ws", Origin=origin, **SOCKET).status == 403, origin
    for host in ("evil.example", f"evil.example:{server}", "localhost"):
        assert ask(server, "/ws", Host=host, **SOCKET).status == 403, host
        assert ask(server, "/", Host=host).status == 403, host


def test_only_this_machine_is_listened_to(server: int) -> None:
    listening = subprocess.run(
        [sys.executable, "-c", "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)",
         socket.gethostbyname(socket.gethostname()), str(server)], capture_output=True, text=True,
    )  # fmt: skip
    if socket.gethostbyname(socket.gethostname()).startswith("127."):  # its name means loopback too
        assert listening.returncode == 0
    else:
        assert "ConnectionRefusedError" in listening.stderr


def test_a_port_that_cannot_be_had_is_named(bench: Bench, project: Path, server: int) -> None:
    told = bench.refuses("--serve", "projects", "--port", str(server))
    assert told == f"port {server} of localhost cannot be had: Address already in use; choose another with --port\n"
    assert "a port is a number from 1 to 65535" in bench.refuses("--serve", "projects", "--port", "70000")
    assert "nowhere: there is no such folder" in bench.refuses("--serve", "nowhere")
    assert "--port goes with --serve" in bench.refuses("--port", "1")


def test_without_textual_serve_it_says_how_to_get_it(bench: Bench, project: Path) -> None:
    script = "import sys; sys.modules['textual_serve'] = None; from loratui.cli import main; main(['--serve'])"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=bench.home,
                             env=bench.environment, timeout=LIMIT)  # fmt: skip
    assert outcome.returncode == 2
    assert outcome.stderr == "--serve needs textual-serve, which is not installed: pip install 'loratui[serve]'\n"
