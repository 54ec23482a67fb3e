"""Converting never loses a file: not the source, and no other without `overwrite`."""

import os

import pytest

from charrnn.errors import CheckpointError, ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.convert import convert
from charrnn.music.synth import GAP, RATE
from tests.helpers import assert_refused

TUNE = "X:1\nT:Air\nC:Someone\nM:2/4\nL:1/8\nK:D\n~DE{a}FG|A2d2|AGFE|D4|]\nw:la la\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "air.abc"
    path.write_text(TUNE, "utf-8")
    return path


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "alias",
    [
        lambda source: source,
        lambda source: source.parent / "." / "sub" / ".." / source.name,
        lambda source: symlink(source),
        lambda source: hardlink(source),
    ],
    ids=["itself", "spelling", "symlink", "hardlink"],
)
def test_the_source_is_never_replaced(source, alias, overwrite):
    (source.parent / "sub").mkdir()
    target = alias(source)
    with pytest.raises(ConfigError, match="is the source itself; choose another target"):
        convert(source, target, overwrite=overwrite)
    assert source.read_text("utf-8") == target.read_text("utf-8") == TUNE


def symlink(source):
    link = source.with_name("link.abc")
    link.symlink_to(source)
    return link


def hardlink(source):
    link = source.with_name("hard.abc")
    os.link(source, link)
    return link


def test_an_existing_target_is_replaced_only_with_overwrite(source, cli, tmp_path):
    target = tmp_path / "air.mid"
    target.write_text("mine")
    assert_refused(cli("convert", source, target), 1, "already exists; pass --overwrite")
    with pytest.raises(CheckpointError, match="pass overwrite=True to replace it"):
        convert(source, target)
    assert target.read_text() == "mine"
    assert cli("convert", source, target, "--overwrite").code == 0
    assert target.read_bytes().startswith(b"MThd")


def test_a_set_of_tunes_becomes_one_wave_file(source, tmp_path):
    source.write_text(TUNE + "\n" + TUNE, "utf-8")
    convert(source, tmp_path / "set.wav")
    convert(source, tmp_path / "one.wav", tune=2)
    one, both = ((tmp_path / name).stat().st_size for name in ("one.wav", "set.wav"))
    assert both - 44 == 2 * (one - 44) + 2 * RATE * GAP
    with pytest.raises(
        ConfigError, match=r"\.mid files hold one tune, but there are 2; select one with tune"
    ):
        convert(source, tmp_path / "set.mid")
    assert not (tmp_path / "set.mid").exists()


def test_a_tune_that_is_too_long_leaves_no_file(source, tmp_path):
    source.write_text(TUNE.replace("M:2/4", "M:none").replace("D4", "D500|" * 8), "utf-8")
    with pytest.raises(ConfigError, match="the limit is 600 s"):
        convert(source, tmp_path / "air.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["air.abc"]


def test_swing_is_played(source, cli, tmp_path):
    for name in ("air.mid", "air.html"):
        assert cli("convert", source, tmp_path / f"even-{name}").code == 0
        assert cli("convert", source, tmp_path / f"swung-{name}", "--swing", "1.5").code == 0
        even, swung = ((tmp_path / f"{how}-{name}").read_bytes() for how in ("even", "swung"))
        assert even != swung


def test_swing_that_cannot_be_heard_or_is_out_of_range_is_an_error(source, cli):
    result = cli("convert", source, "other.abc", "--swing", "1.5")
    assert_refused(result, 2, "--swing has no effect on .abc files; convert to .mid, .wav or")
    result = cli("convert", source, "other.abc", "--chords")
    assert_refused(
        result, 2, "--chords has no effect on .abc files; convert to .mid, .wav or .html"
    )
    result = cli("convert", source, "air.mid", "--swing", "4")
    assert_refused(result, 2, "--swing must be between 1 and 2.5, got 4")


def test_the_target_is_checked_before_the_source_is_read(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown format '\.doc'"):
        convert(tmp_path / "missing.abc", tmp_path / "target.doc")


def test_from_abc_to_abc_a_tune_keeps_its_text(source, cli, tmp_path):
    result = cli("convert", source, "copy.abc")
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "copy.abc").read_text("utf-8") == TUNE + "\n"


def test_to_other_formats_the_notation_that_is_lost_is_counted(source, cli):
    result = cli("convert", source, "air.mid")
    assert result.err.endswith(
        "air.abc: ignored 1 ornament, 1 grace note and 1 lyric line (not part of the melody)\n"
    )


def test_a_folder_becomes_one_book_in_utf_8(source, cli, tmp_path):
    """Tunes of different encodings and formats, with numbers from 1."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.abc").write_text(TUNE, "utf-8")
    (tmp_path / "folder" / "b.abc").write_text(TUNE.replace("Air", "Fáinne"), "latin-1")
    assert cli("convert", source, "folder/c.mid").code == 0
    assert cli("convert", "folder", "book.abc").code == 0
    book = (tmp_path / "book.abc").read_text("utf-8")
    assert [tune.title for tune in read_abc(book).tunes] == ["Air", "Fáinne", "Air"]
    assert [line for line in book.splitlines() if line[:2] == "X:"] == ["X:1", "X:2", "X:3"]
    assert book.count("w:la la\n") == 2


def test_one_tune_of_a_book_keeps_its_number(cli, tmp_path):
    (tmp_path / "book.abc").write_text(TUNE + "\n" + TUNE.replace("X:1", "X:25"), "utf-8")
    assert cli("convert", "book.abc", "second.abc", "--tune", 2).code == 0
    assert (tmp_path / "second.abc").read_text("utf-8").startswith("X:25\nT:Air\nC:Someone\n")
