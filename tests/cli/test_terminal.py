"""Terminal output: escaping, wrapping, and encodings that lack characters."""

import os
import re
import shutil
import subprocess

import pytest

from charrnn.cli.terminal import printable, quoted, wrapped
from tests.cli.runs import save_constant_model
from tests.helpers import assert_refused


def test_unencodable_characters_are_replaced_with_one_warning(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "é")
    arguments = ["sample", model, "--length", "5", "--seed", "1"]
    result = process(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (result.code, result.out) == (0, "?????")
    assert result.err.count("\n") == 1
    assert "ascii" in result.err


@pytest.mark.parametrize("command", [["info"], ["info", "--json"], ["evaluate"]], ids=" ".join)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_command_fails_for_unencodable_output(process, tmp_path, command, encoding):
    model = save_constant_model(tmp_path / "café.safetensors", "é🎶\n")
    corpus = tmp_path / "café.txt"
    corpus.write_text("é🎶\n" * 10, encoding="utf-8")
    arguments = [*command, model, *([corpus] if command[0] == "evaluate" else [])]
    result = process(*arguments, env={"PYTHONIOENCODING": encoding})
    assert (result.code, result.err) == (0, "")
    assert result.out


def test_control_characters_reach_a_pipe_unchanged(process, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    result = process("sample", model, "--length", "3", "--seed", "1", "--prompt", "\x1b")
    assert (result.code, result.out, result.err) == (0, "\x1b" * 4, "")


def test_control_characters_are_escaped_on_a_terminal(on_terminal, tmp_path):
    model = save_constant_model(tmp_path / "m.safetensors", "\x1b")
    arguments = ["--length", "3", "--seed", "1", "--prompt", "\x1b"]
    result = on_terminal("sample", model, *arguments, stream="stdout")
    assert (result.code, result.err) == (0, "")
    assert result.out == r"\x1b" * 4 + "\r\n"


def test_info_escapes_text_from_a_model_file(cli, tmp_path):
    evil = "\x1b[2J"
    model = save_constant_model(tmp_path / "m.safetensors", "ab" + evil, corpus=evil)
    result = cli("info", model)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert r"\x1b[2J" in result.out


def test_errors_escape_file_names(cli):
    result = cli("info", "a\x1b[2Jb\nc.safetensors")
    assert_refused(result, 1, r"\x1b[2J")


@pytest.mark.parametrize("arguments", [["a\x1b[2J"], ["train", "--\x1b[2J"]], ids=str)
def test_usage_errors_escape_what_was_typed(cli, arguments):
    assert_refused(cli(*arguments), 2, r"\x1b[2J")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    "name", ["a  b", "it's", "\x1b[2J'\\", "tab\tline\n", "é", "\udc80", "\u202e"]
)
def test_quoted_file_names_are_printable_and_read_back_by_a_shell(name):
    word = quoted(name)
    assert printable(word) == word
    assert "\n" not in word
    command = ["bash", "-c", f"printf %s {word}"]
    assert subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout == os.fsencode(name)


# ---- wrapping ------------------------------------------------------------------------------------

LONG = "a message of many words, with " + " ".join(f"--option-{n} {n}" for n in range(20))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_messages_wrap_between_words_and_before_values(width):
    lines = wrapped(LONG, width).splitlines()
    assert " ".join(line.strip() for line in lines) == LONG
    assert max(map(len, lines)) <= width
    assert all(line.startswith("    --option") for line in lines[-3:])
    assert not any(re.search(r"--option-\d+$", line) for line in lines)


@pytest.mark.parametrize(
    "phrase",
    ["67 steps", "(2.276 bits/char)", "of 62", "= 3.733 bits/char", "of 32 x 64 characters"],
)
def test_numbers_stay_with_their_units(phrase):
    for width in range(len(phrase) + 5, 60):
        assert phrase in wrapped(f"a loss of many words and then {phrase} and so on", width)


def test_a_word_wider_than_the_terminal_is_whole_for_pasting_or_cut():
    path = "/" + "long/" * 20
    assert wrapped(f"saved {path} here", 40).split("\n") == ["saved", f"    {path}", "    here"]
    rows = wrapped("    " + "字" * 100, 40, cut=True).split("\n")
    assert {row[:4] for row in rows} == {"    "}
    assert max(len(row) - 4 for row in rows) == 17  # of two columns each
    assert "".join(rows).replace(" ", "") == "字" * 100


def test_an_indented_line_keeps_its_indent():
    assert wrapped("    one two three", 12) == "    one two\n    three"


def test_messages_wrap_on_a_terminal(on_terminal):
    missing = "word " * 30 + ".safetensors"
    result = on_terminal("info", missing, stream="stderr")
    first, *others = result.err.replace("\r", "").splitlines()
    assert first.startswith("charrnn: error: word")
    assert others
    assert all(line.startswith("  ") and len(line) <= 100 for line in others)


def test_messages_stay_on_one_line_in_a_pipe(process):
    assert process("info", "word " * 30).err.count("\n") == 1
