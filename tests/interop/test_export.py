"""Exporting a model, by the command and from Python."""

import os

import pytest

import charrnn
from charrnn.errors import CheckpointError, ConfigError
from charrnn.interop import formats
from charrnn.interop.formats import Content, Format
from charrnn.interop.page import Cost
from charrnn.nn.cells import CELLS, RNN
from charrnn.nn.model import ModelConfig
from tests.helpers import assert_refused, random_checkpoint
from tests.tiny import TEXT


@pytest.fixture(scope="module")
def model(model_file):
    return charrnn.load(model_file)


def test_the_command_and_the_call_write_the_same_file(
    cli, model_file, model, corpus_file, tmp_path
):
    options = ("--weights", "i8", "--corpus", corpus_file)
    result = cli("export", model_file, "novel.html", *options)
    assert result.code == 0
    command = (tmp_path / "novel.html").read_bytes()
    call = charrnn.export(
        model, tmp_path / "novel.html", overwrite=True, weights="i8", corpus=corpus_file
    )
    assert (tmp_path / "novel.html").read_bytes() == command
    assert call.size == len(command)
    assert result.out == f"wrote novel.html ({call.size / 1e6:.1f} MB)\n"


def test_the_notice_of_memorized_text_is_printed_once(cli, model_file):
    result = cli("export", model_file, "novel.html")
    assert result.err.count("memorized") == 1


def test_the_cost_of_rounding_is_printed(cli, model_file, corpus_file):
    result = cli("export", model_file, "novel.html", "--corpus", corpus_file)
    assert "storing weights as f16 " in result.err
    assert "nats/char" in result.err


@pytest.mark.parametrize(
    ("after", "notice"),
    [
        (1.50004, "does not change the loss (1.5000 nats/char, measured on 900 characters)"),
        (1.49994, "changes the loss from 1.5000 to 1.4999 nats/char (-0.0001), measured on 900"),
        (1.61, "changes the loss from 1.5000 to 1.6100 nats/char (+0.1100), measured on 900"),
    ],
)
def test_the_cost_of_rounding_is_the_difference_of_the_printed_losses(after, notice):
    assert f"storing weights as f16 {notice}" in Cost(1.50001, after, 900).notice("f16")


def test_a_corpus_and_its_files_give_the_same_page(model, corpus_file, tmp_path):
    pages = [tmp_path / "a" / "novel.html", tmp_path / "b" / "novel.html"]
    for path, corpus in zip(pages, (corpus_file, charrnn.read(corpus_file)), strict=True):
        path.parent.mkdir()
        charrnn.export(model, path, corpus=corpus)
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_an_unknown_suffix_lists_the_known_ones(cli, model_file):
    result = cli("export", model_file, "novel.xyz")
    assert_refused(result, 2, "unknown format '.xyz'; known formats: .html")


def test_an_existing_file_is_replaced_only_if_told(cli, model_file, tmp_path):
    (tmp_path / "novel.html").write_text("precious")
    result = cli("export", model_file, "novel.html")
    assert_refused(result, 1, "novel.html already exists", "--overwrite")
    assert (tmp_path / "novel.html").read_text() == "precious"
    assert cli("export", model_file, "novel.html", "--overwrite").code == 0
    assert (tmp_path / "novel.html").read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("target", ["missing/novel.html", "taken/novel.html"])
def test_a_target_that_cannot_be_written_is_refused(cli, model_file, tmp_path, target):
    (tmp_path / "taken").write_text("a file")
    assert_refused(cli("export", model_file, target), 1, target.split("/")[0])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(cli, model_file, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert_refused(cli("export", model_file, "locked/novel.html"), 1, "locked")


def test_a_folder_in_the_place_of_the_target_is_refused(cli, model_file, tmp_path):
    (tmp_path / "novel.html").mkdir()
    assert_refused(cli("export", model_file, "novel.html", "--overwrite"), 1, "novel.html")


def test_mistakes_are_found_before_any_work(monkeypatch, model, tmp_path):
    def fail(*_, **__):
        raise AssertionError("some work was done")

    format = Format(fail, options=("weights",))
    monkeypatch.setitem(formats.FORMATS, ".toy", format)
    (tmp_path / "there.toy").touch()
    with pytest.raises(CheckpointError):
        charrnn.export(model, tmp_path / "there.toy")
    with pytest.raises(CheckpointError):
        charrnn.export(model, tmp_path / "missing" / "novel.toy")
    with pytest.raises(ConfigError, match=r"^corpus does not apply to \.toy files; omit it$"):
        charrnn.export(model, tmp_path / "novel.toy", corpus="novel.txt")
    assert not (tmp_path / "novel.toy").exists()


def test_a_format_is_a_function_and_an_entry(cli, monkeypatch, model_file, tmp_path):
    def write(checkpoint, name):
        return Content(f"{name}: {checkpoint.config.cell}".encode(), ("a notice",))

    monkeypatch.setitem(formats.FORMATS, ".toy", Format(write))
    result = cli("export", model_file, "novel.TOY")
    assert result.code == 0
    assert "a notice" in result.err
    assert (tmp_path / "novel.TOY").read_text() == "novel: gru"


def test_a_cell_that_pages_lack_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(CELLS, "toy", RNN)
    checkpoint = random_checkpoint(ModelConfig("toy", 4), "ab")
    with pytest.raises(
        ConfigError, match="pages do not support the cell 'toy'; supported cells: rnn, lstm, gru"
    ):
        charrnn.export(checkpoint, tmp_path / "novel.html")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match="checkpoint must be a Checkpoint"):
        charrnn.export(TEXT, tmp_path / "novel.html")
