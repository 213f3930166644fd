"""Control characters of foreign names never reach the terminal, and break no line."""

from __future__ import annotations

import io
import json

import pytest

from autoenc.errors import InputError
from autoenc.system.text import EscapingStream, escaped, json_text

_CODES = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
CONTROL = "".join(map(chr, _CODES))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"), ("a\nb", r"a\nb"), ("a\r\tb", r"a\r\tb"), ("\x9b2J", r"\x9b2J"),
        ("\u202etxt", r"\u202etxt"), ("\u2029", r"\u2029"), ("\x7f\x00", r"\x7f\x00"),
        ("Größe, 長さ, שלום", "Größe, 長さ, שלום"), (r"C:\n", r"C:\n"),
    ],
)  # fmt: skip
def test_control_characters_become_visible(name, shown):
    assert escaped(name) == shown
    assert escaped(escaped(name)) == shown


def test_every_control_character_is_escaped():
    assert escaped(CONTROL).isprintable()


def test_json_shows_no_control_character_and_means_the_same():
    value = {CONTROL: [f"Größe {CONTROL}", 1.5], "n": {"deep": None}}
    for indent in (None, 1):
        text = json_text(value, indent)
        assert text.replace("\n", "").isprintable()
        assert json.loads(text) == value
        assert "Größe" in text


def test_a_stream_lets_only_lines_tabs_and_the_returns_of_a_bar_through():
    stream = io.StringIO()
    wrapped = EscapingStream(stream)
    for text in ("\r 3/34 best 64\x1b", "\r", "one\ntwo\t3\n", "a\rb", ""):
        assert wrapped.write(text) == len(text)
    assert stream.getvalue() == "\r 3/34 best 64\\x1b" + "\r" + "one\ntwo\t3\n" + "a\\rb"


def test_an_error_is_one_line():
    error = InputError(["no column 'a\nerror: all is lost'", "b\x1b"])
    assert error.problems == [r"no column 'a\nerror: all is lost'", r"b\x1b"]


@pytest.mark.parametrize("command", ["search", "tune"])
def test_names_of_columns_and_files_are_shown_escaped(call, frame, tmp_path, command):
    evil = CONTROL[1:]  # NUL stands in no CSV file
    folder = tmp_path / "ou\nt\x1b"
    folder.mkdir()
    wide = frame.rename(columns={"north": evil}).assign(**{f"empty{evil}": None})
    path = folder / "ta\nble.csv"
    wide.to_csv(path, index=False)
    options = ["--epochs", 1, "--data_path", path, "--output_dir", folder / "o\x07ut"]
    options += ["--n_trials", 1, "--jobs", 1] if command == "tune" else ["--max_layers", 1, "--verbose"]
    answer = call(command, *options)
    assert answer.code == 0, answer.err
    texts = [answer.out, answer.err]
    again = call("analyze", folder / "o\x07ut")
    wrong = call(command, *options, "--columns", "none\x1b", "--group", "gro\nup")
    assert (again.code, wrong.code) == (0, 2)
    texts += [again.out, again.err, wrong.out, wrong.err]
    for text in texts:
        assert not {*CONTROL} & {*text.replace("\r", "")} - {"\n"}
    assert r"ta\nble.csv" in answer.out
    assert r"empty\x01" in answer.err


def test_a_config_with_control_characters_is_told_escaped(call, tmp_path):
    path = tmp_path / "e\x1b.yaml"
    path.write_text('"a\\eb\\nc": 1\nepochs: "\\e[2J"\ngroup: "\\u202e"\n')
    answer = call("config", "show", "search", "--config", path)
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"error: {escaped(path)}:1: a\\x1bb\\nc is no option of any command",
        f"error: {escaped(path)}:2: epochs must be a whole number, got '\\x1b[2J'",
    ]
    path.write_text('group: "\\u202e\\n"\n')
    assert r"\u202e\n" in call("config", "show", "search", "--config", path).out
