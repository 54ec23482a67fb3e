"""Prompts: ABC in lines, and in one line as in previews of a model."""

import pytest

from charrnn.cli.terminal import one_line, wrapped
from charrnn.errors import CharRNNError, ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import TuneReading
from charrnn.music.prompt import as_text, begun_by, require_regular
from tests.helpers import ROOT

LINES = "M:6/8\nK:Dmaj\n|:A2d fdA|G2"
TUNES = read_abc((ROOT / "corpora" / "tunes.abc").read_text("utf-8")).tunes[::8]


@pytest.mark.parametrize(
    "prompt",
    [
        "M:6/8 K:Dmaj |:A2d fdA|G2",
        "  M:6/8  K:Dmaj   |:A2d fdA|G2",
        "[M:6/8][K:Dmaj]|:A2d fdA|G2",
        "[M:6/8] [K:Dmaj] |:A2d fdA|G2",
        "M:6/8 [K:Dmaj] |:A2d fdA|G2",
        "M:6/8\nK:Dmaj |:A2d fdA|G2",
        "M:6/8 K:Dmaj\n    |:A2d fd\n    A|G2",
    ],
)
def test_one_line_is_read_like_lines(prompt):
    assert as_text(prompt).strip() == LINES


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ("K:A dorian", "Ador"),
        ("K:Bb", "Bbmaj"),
        ("K:F#m", "F#min"),
        ("K:D clef=treble", "Dmaj"),
        ("K:none", "Cmaj"),
        ("T:The Kerry: a Jig R:jig K:E min", "Emin"),
    ],
)
def test_the_key_ends_where_the_music_begins(fields, key):
    (tune,) = read_abc(as_text(f"M:2/4 L:1/4 {fields} Ad|Bc|")).tunes
    assert str(tune.key) == key
    assert [len(bar.notes) for bar in tune.bars] == [2, 2]


def test_the_unit_note_length_in_one_line_is_that_of_canonical_text():
    """In lines it depends on the meter, as in ABC."""
    assert read_abc(as_text("M:2/4 K:C cdef|")).tunes[0].irregular_bars() == []
    assert read_abc(as_text("M:2/4\nK:C\nc2d2e2f2|")).tunes[0].irregular_bars() == []


@pytest.mark.parametrize(
    "prompt",
    [
        "M:6/8\nK:D exp _b ^f\n|:A2d fdA|G2",
        "X:3\nT:Air\nM:6/8\nK:D % in D\nA2d fdA|\nM:9/8\nA3|",
        "% a comment\nM:6/8\nK:D\nA2d fdA|",
    ],
)
def test_lines_stay_as_they_are(prompt):
    assert as_text(prompt) == ("" if prompt.startswith("X:") else "X:1\n") + prompt


@pytest.mark.parametrize("tune", TUNES, ids=lambda tune: tune.title)
@pytest.mark.parametrize("width", [None, 41])
def test_previews_can_be_pasted(tune, width):
    """Cut anywhere in the music, divided into rows, and followed by another tune."""
    for reading in (TuneReading(), TuneReading("none", keep_titles=True, bar_marks="none")):
        text = reading.text(tune)
        begin = text.index("\n", text.index("K:")) + 5
        for end in (begin, begin + 9, len(text) - 4):
            preview = wrapped("    " + one_line(text[:end]), width, "    ", cut=True)
            assert as_text(preview) == text[:end].rstrip()
        preview = wrapped("    " + one_line(text + reading.text(TUNES[0])), width, "    ", cut=True)
        assert as_text(preview) == text.rstrip()


@pytest.mark.parametrize("prompt", ["ABc", "M:6/8", "M:6/8 |:A2d", "K", "[M:6/8]A"])
def test_a_prompt_without_a_key_is_an_error(prompt):
    with pytest.raises(ConfigError, match="no key; begin it with fields such as M:6/8 and K:D"):
        as_text(prompt)


@pytest.mark.parametrize("prompt", ["M:6/8 K:D", "K:", "K: K: K:", "M:6/8 K:D |"])
def test_a_prompt_without_notes_is_an_error(prompt):
    with pytest.raises(CharRNNError, match="no tunes found"):
        read_abc(as_text(prompt))


@pytest.mark.parametrize(
    ("music", "opens"),
    [
        ("|:c4|d4", [0]),
        ("c4|d4", []),
        ("c4|:d4|e4", [1]),
        ("c4:|d4|e4", [0]),
        ("|:c4::d4|e4", [0, 1]),
        ("|:c4:||:d4|e4|", [0, 1]),
        ("|:c4|1d4:|2e4||f4", [0]),
    ],
)
def test_a_repeat_that_is_not_closed_yet_is_open(music, opens):
    for text in (as_text(f"M:2/4 K:C {music}"), as_text(f"M:2/4\nL:1/8\nK:C\n{music}\n")):
        assert [n for n, bar in enumerate(begun_by(text).bars) if bar.opens] == opens


def test_the_first_bar_that_does_not_add_up_is_named():
    with pytest.raises(ConfigError, match="bar 2 of the prompt does not add up; correct it"):
        require_regular(read_abc(as_text("M:2/4 K:C |:G2|c2d2|c3|G2c2|")).tunes[0])
    require_regular(read_abc(as_text("M:2/4 K:C |:G2|c2d2|c3")).tunes[0])
