"""Text is escaped on a terminal and raw in a pipe; what an encoding lacks is replaced."""

import os
import shutil
import subprocess

import pytest

from charrnn.cli.terminal import printable, quoted, wrapped
from tests.cli.runs import save_constant_model
from tests.helpers import assert_refused


def test_characters_that_the_output_lacks_are_replaced_and_told_once(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "é")
    arguments = ["sample", model, "--length", "5", "--seed", "1"]
    result = process(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.out) == (0, "?????")
    assert result.err.count("\n") == 1
    assert "ascii" in result.err


@pytest.mark.parametrize("command", [["info"], ["info", "--json"], ["evaluate"]], ids=" ".join)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_command_fails_for_what_the_output_lacks(process, tmp_path, command, encoding):
    model = save_constant_model(tmp_path / "café.safetensors", "é🎶\n")
    corpus = tmp_path / "café.txt"
    corpus.write_text("é🎶\n" * 10, encoding="utf-8")
    arguments = [*command, model, *([corpus] if command[0] == "evaluate" else [])]
    result = process(*arguments, env={"PYTHONIOENCODING": encoding})
    assert (result.code, result.err) == (0, "")
    assert result.out


def test_control_characters_go_raw_into_a_pipe(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    result = process("sample", model, "--length", "3", "--seed", "1", "--prompt", "\x1b")
    assert (result.code, result.out, result.err) == (0, "\x1b" * 4, "")


def test_control_characters_are_escaped_on_a_terminal(on_terminal, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    arguments = ["--length", "3", "--seed", "1", "--prompt", "\x1b"]
    result = on_terminal("sample", model, *arguments, stream="stdout")
    assert (result.code, result.err) == (0, "")
    assert result.out == r"\x1b" * 4 + "\r\n"


def test_info_escapes_what_a_model_file_says(cli, tmp_path):
    evil = "\x1b[2J"
    model = save_constant_model(tmp_path / "m.safetensors", "ab" + evil, corpus=evil)
    result = cli("info", model)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert r"\x1b[2J" in result.out


def test_errors_escape_what_they_name(cli):
    result = cli("info", "a\x1b[2Jb\nc.safetensors")
    assert_refused(result, 1, r"\x1b[2J")


def test_lines_wrap_between_words_and_keep_options_with_their_values():
    line = "charrnn: selected for this text: --hidden-size 256 --dropout 0.3 -o out, or not"
    assert wrapped(line, 40).split("\n") == [
        "charrnn: selected for this text:",
        "    --hidden-size 256 --dropout 0.3",
        "    -o out, or not",
    ]
    assert wrapped(line, None) == line


def test_a_word_wider_than_the_terminal_is_whole_for_pasting_or_cut():
    path = "/" + "long/" * 20
    assert wrapped(f"saved {path} here", 40).split("\n") == ["saved", f"    {path}", "    here"]
    rows = wrapped("    " + "字" * 100, 40, cut=True).split("\n")
    assert {row[:4] for row in rows} == {"    "}
    assert max(len(row) - 4 for row in rows) == 17  # of two columns each
    assert "".join(rows).replace(" ", "") == "字" * 100


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    "name", ["a  b", "it's", "\x1b[2J'\\", "tab\tline\n", "é", "\udc80", "\u202e"]
)
def test_a_told_command_names_any_file_and_moves_no_cursor(name):
    word = quoted(name)
    assert printable(word) == word
    assert "\n" not in word
    command = ["bash", "-c", f"printf %s {word}"]
    assert subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout == os.fsencode(name)
