"""Tunes to assess and to compare with: files, folders and patterns."""

import json
from dataclasses import asdict

import pytest

from charrnn.music.assess import assess
from tests.helpers import assert_refused

TUNE = "X:1\nT:Tune {0}\nM:2/4\nL:1/8\nK:D\nDEFG|A2B{0}|]\n"


@pytest.fixture(autouse=True)
def _folders(tmp_path):
    """Two tunes in new/, and four, a text and a broken tune in old/."""
    for name, count in (("new", 2), ("old", 4)):
        (tmp_path / name).mkdir()
        for number in range(1, count + 1):
            (tmp_path / name / f"{number}.abc").write_text(TUNE.format(number))
    (tmp_path / "old" / "notes.txt").write_text("no tune")
    (tmp_path / "old" / "broken.abc").write_text("X:1\nK:Q\n")


def old(*names):
    return [f"old/{name}.abc" for name in names]


@pytest.mark.parametrize(
    "against",
    ["old", "old/[1-4].abc", "**/old/?.abc", " --against ".join(old(1, 2, 3, 4))],
    ids=["folder", "pattern", "deep", "repeated"],
)
@pytest.mark.parametrize("new", [["new"], ["new/*.abc"], ["new/1.abc", "new/2.abc"]], ids=str)
def test_tunes_come_from_files_folders_and_patterns(cli, new, against):
    result = cli("assess", *new, "--json", "--against", *against.split())
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert printed["figures"]["tunes"] == 2
    assert len(printed["longest"]) == 2
    assert printed == json.loads(cli("assess", "--against", "old", "new", "--json").out)


def test_each_prints_one_line_per_tune(cli):
    head, *lines = cli("assess", "new", "--against", "old", "--each").out.splitlines()
    assert head.split()[:4] == ["title", "key", "meter", "range"]
    assert [line.split()[:6] for line in lines] == [
        ["1", "Tune", "1", "D", "major", "2/4"],
        ["2", "Tune", "2", "D", "major", "2/4"],
    ]
    assert "-  none" not in lines[0]
    summary = cli("assess", "new", "--against", "old").out
    assert "Tune 1" not in summary
    assert "bars that add up" in summary


def test_each_is_the_same_in_json_and_in_python(cli):
    printed = json.loads(cli("assess", "new", "--against", "old", "--each", "--json").out)
    assert printed == json.loads(json.dumps(asdict(assess("new", against="old", each=True))))
    first, second = printed["each"]
    assert (first["title"], first["facts"]["ends on the tonic"]) == ("Tune 1", "no")
    assert first["figures"]["tunes"] == 1
    assert second["figures"]["notes"] == 6
    without = json.loads(cli("assess", "new", "--against", "old", "--json").out)
    assert without == printed | {"each": []}


@pytest.mark.parametrize(
    "arguments",
    [
        ["new/1.abc", "new/2.abc", "--against", *old(1, 2, 3)],
        ["new/1.abc", "--against", *old(1, 2), "--json"],
        ["--json", "new/1.abc", "--against", "new/2.abc", "--against", *old(1, 2)],
    ],
)
def test_a_pattern_that_the_shell_expanded_is_an_error(cli, arguments):
    assert_refused(cli("assess", *arguments), 2, "(--against old)", "(--against 'old/*.abc')")


def test_compose_finds_the_same_mistake(cli):
    result = cli("compose", "m.safetensors", "--against", *old(1, 2))
    assert_refused(
        result, 2, "--against takes one path, but 1 more file follows old/1.abc; name the folder"
    )


def test_the_tunes_may_follow_the_option(cli):
    assert cli("assess", "--against", "old", "new/1.abc", "new/2.abc").code == 0


def test_an_unreadable_file_in_a_folder_is_reported_and_skipped(cli):
    result = cli("assess", "new", "--against", "old")
    assert result.code == 0
    assert "broken.abc" in result.err


def test_tunes_in_several_formats_count_once(cli):
    assert cli("convert", "new/1.abc", "new/1.mid").code == 0
    assert cli("convert", "new/2.abc", "new/2.mid").code == 0
    result = cli("assess", "new", "--json")
    assert json.loads(result.out)["figures"]["tunes"] == 2
    notice = "skipped 2 files that repeat an .abc file of the same name (new/1.mid, new/2.mid)"
    assert result.err == f"charrnn: {notice}\n"


def test_a_folder_without_tunes_is_an_error(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(cli("assess", "empty"), 1, "empty contains no tune files")
    assert_refused(cli("assess", "new", "--against", "no/*.abc"), 1, "no/*.abc does not exist")
