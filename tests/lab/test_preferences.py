"""Preferences are read with every fault told, and written without losing what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.preferences import Preferences, config_file, default_folder, read_preferences, write_preference


def test_without_a_file_everything_is_as_it_comes(tmp_path: Path) -> None:
    assert read_preferences(tmp_path / "none.toml") == (Preferences(), ())


def test_every_fault_is_told_with_its_line_and_the_rest_counts(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "nord"\nrefresh = 100\npicture = "kitty"\n[keymap]\n"run.pause" = 3\n"run.stop" = "X"\n')
    preferences, faults = read_preferences(file)
    assert preferences == Preferences(theme="nord", keymap={"run.stop": "X"})
    assert [fault.removeprefix(f"{file}:").split(":")[0] for fault in faults] == ["2", "3", "5"]
    assert "did you mean pictures?" in faults[1]


@pytest.mark.parametrize("content", [b"theme = ", b"\xff\xfe", b"a = [" * 2000])
def test_a_file_that_is_no_toml_stops_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    preferences, faults = read_preferences(file)
    assert preferences == Preferences()
    assert len(faults) == 1
    assert str(file) in faults[0]
    assert file.read_bytes() == content


def test_writing_keeps_comments_and_unknown_lines(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('# mine\ntheme = "nord"  # at night\nsomething = 1\n')
    write_preference("theme", "gruvbox", file)
    write_preference("keymap", {"run.pause": "P"}, file)
    text = file.read_text()
    assert text.startswith('# mine\ntheme = "gruvbox"  # at night\nsomething = 1\n')
    assert read_preferences(file)[0].keymap == {"run.pause": "P"}


def test_writing_makes_the_folder_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "config.toml"
    write_preference("refresh", 4.0, file)
    assert read_preferences(file)[0].refresh == 4.0
    before = file.read_bytes()
    with pytest.raises(LabError, match="refresh"):
        write_preference("refresh", 1000.0, file)
    assert file.read_bytes() == before


def test_a_broken_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("theme = [")
    with pytest.raises(LabError, match="nothing was written"):
        write_preference("theme", "nord", file)
    assert file.read_text() == "theme = ["


def test_where_the_file_and_the_projects_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LORATUI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert config_file() == tmp_path / "config" / "loratui" / "config.toml"
    monkeypatch.chdir(tmp_path)
    assert default_folder(Preferences()) == tmp_path / "data" / "loratui" / "projects"
    assert default_folder(Preferences(folder=str(tmp_path / "mine"))) == tmp_path / "mine"
    (tmp_path / "projects").mkdir()
    assert default_folder(Preferences(folder=str(tmp_path / "mine"))) == tmp_path / "projects"
