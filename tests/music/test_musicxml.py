"""MusicXML: tunes come back as they were, and of any score the melody is read."""

import io
import sys
import zipfile
from fractions import Fraction
from xml.etree import ElementTree

import pytest

from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.music.abc_parser import read_abc
from charrnn.music.convert import convert
from charrnn.music.formats import read_tunes
from charrnn.music.musicxml import read_musicxml, write_musicxml, write_mxl
from charrnn.music.tune import MODES, Bar, Key, Note, Tune
from tests.helpers import ROOT, assert_refused, needs_data
from tests.music.abc_examples import corpus_files

pytest.importorskip("music21", reason="music21 reads and writes MusicXML")

TUNES = read_abc((ROOT / "corpora" / "tunes.abc").read_text("utf-8")).tunes
HEAD = "X:1\nM:6/8\nL:1/8\nK:D\n"


def back(tune):
    """Return the tune after it was written and read."""
    read, ignored = read_musicxml(write_musicxml(tune), "x.musicxml")
    assert not ignored
    return read


def score(measures, parts="", head=""):
    """Return a score with the measures of a first part, and other parts."""
    listed = "".join(f'<score-part id="P{n}"><part-name/></score-part>' for n in range(1, 4))
    return (
        f"<score-partwise>{head}<part-list>{listed}</part-list>"
        f'<part id="P1">{measures}</part>{parts}</score-partwise>'
    ).encode()


def note(step="C", duration=1, octave=4, more="", before=""):
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{more}</note>"


START = (
    "<attributes><divisions>1</divisions><time><beats>2</beats><beat-type>4</beat-type></time>"
    "</attributes>"
)
SIMPLE = f"<measure>{START}{note('C')}{note('D')}</measure>"


def pitches(data):
    tune, _ = read_musicxml(data, "x.musicxml")
    return [each.pitch for bar in tune.bars for each in bar.notes]


# ---- writing and reading -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "music",
    [
        "A|:d2f faf|(3gfe d2 c>B:|",
        "|:d3 f3|1 e3 c3:|2 e6|]",
        "|:d3 f3|1 e3 c3:|2 e3 d2A|:f6|a6:|",
        "|:A|d3 f2:|:g|a3 d2:|",
        "d6-|d3 ^e2-e|(3:2:2f2-f z3-|=f6|]",
        "d6|[M:9/8]d3 e3 f3|[K:Gm][M:2/4]B2 ^c2|[M:none]A8 z|[M:4/4]A8|]",
        "d5 e|z6|(5defga (2ba|d'6||D,6|]",
    ],
)
def test_notation_comes_back(music):
    tune = read_abc(HEAD + music + "\n").tunes[0]
    assert back(tune).events() == tune.events()
    if "d5" not in music:  # five eighths are written as tied notes
        assert back(tune) == tune


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", ["C", "F#", "Eb"])
def test_keys_come_back(tonic, mode):
    try:
        key = Key(tonic, mode)
    except ConfigError:  # more than seven accidentals
        return
    notes = tuple(Note(pitch, Fraction(1, 4)) for pitch in range(60, 76))
    tune = Tune((Bar(notes, closes=True),), key)
    assert back(tune) == tune


def test_a_tune_without_a_meter_and_with_a_title_comes_back():
    tune = Tune((Bar((Note(60, Fraction(1, 4)),), closes=True),), Key(), None, "Air <&> é")
    assert back(tune) == tune


@pytest.mark.slow
def test_the_project_s_tunes_come_back():
    for tune in TUNES[::12]:
        assert back(tune) == tune


@pytest.mark.slow
@needs_data
def test_people_s_tunes_come_back():
    tunes = [tune for path in corpus_files() for tune in read_abc(path.read_text("utf-8")).tunes]
    for tune in tunes[::80]:
        assert back(tune) == tune


def test_the_same_tune_gives_the_same_file():
    assert write_musicxml(TUNES[0]) == write_musicxml(TUNES[0])
    assert write_mxl(TUNES[0]) == write_mxl(TUNES[0])


def test_pick_ups_are_marked_as_such_for_programs():
    tune = read_abc(HEAD + "A|d6|e5:|\n").tunes[0]
    measures = ElementTree.fromstring(write_musicxml(tune)).findall("part/measure")
    assert [(m.get("number"), m.get("implicit")) for m in measures] == [
        ("0", "yes"),
        ("1", "no"),
        ("2", "no"),
    ]


def test_a_duration_that_music21_cannot_write_is_an_error():
    tune = Tune((Bar((Note(60, Fraction(1, 9973)),)),))
    with pytest.raises(CharRNNError, match="the tune cannot be written as MusicXML"):
        write_musicxml(tune)


# ---- scores of other programs --------------------------------------------------------------------


def test_the_top_line_of_the_first_part_is_read_and_the_rest_is_counted():
    chord = note("C") + note("G", before="<chord/>") + note("E", before="<chord/>")
    second = note("D", more="<voice>1</voice><lyric><text>la</text></lyric>")
    lower = f"<backup><duration>2</duration></backup>{note('F', 2, 3, '<voice>2</voice>')}"
    graces = note("A", before="<grace/>").replace("<duration>1</duration>", "")
    others = "".join(f'<part id="P{n}">{SIMPLE}</part>' for n in (2, 3))
    harmony = "<harmony><root><root-step>D</root-step></root><kind>minor</kind></harmony>"
    measure = f"<measure>{START}{harmony}{graces}{chord}{second}{lower}</measure>"
    tune, ignored = read_musicxml(score(measure, others), "x.musicxml")
    assert [each.pitch for each in tune.bars[0].notes] == [67, 62]
    assert ignored == {
        "other part": 2,
        "other voice": 1,
        "lower chord note": 2,
        "grace note": 1,
        "chord symbol": 1,
        "syllable": 1,
    }


def test_a_part_without_notes_is_skipped():
    drums = "<note><unpitched/><duration>2</duration></note>"
    first = f"<measure>{START}{drums}</measure>"
    assert pitches(score(first, f'<part id="P2">{SIMPLE}</part>')) == [60, 62]


@pytest.mark.parametrize("attribute", ['number="1a"', 'number="2" implicit="yes"'])
def test_a_bar_that_is_divided_between_lines_is_one_bar(attribute):
    first, second = f'<measure number="1">{START}{note("C")}', f"<measure {attribute}>{note('D')}"
    end = "</measure>"
    tune, _ = read_musicxml(score(first + end + second + end), "x.musicxml")
    assert [len(bar.notes) for bar in tune.bars] == [2]
    line = '<barline location="right"><bar-style>light-light</bar-style></barline>'
    tune, _ = read_musicxml(score(first + line + end + second + end), "x.musicxml")
    assert [len(bar.notes) for bar in tune.bars] == [1, 1]


def test_rounded_triplets_are_exact():
    """Some programs divide a quarter note into 256."""
    parts = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    more = f"<type>eighth</type>{parts}</time-modification>"
    notes = "".join(note("C", duration, more=more) for duration in (85, 86, 85))
    start = START.replace("<divisions>1<", "<divisions>256<")
    tune, _ = read_musicxml(score(f"<measure>{start}{notes}{note('D', 256)}</measure>"), "x.xml")
    assert [each.duration for each in tune.bars[0].notes] == [Fraction(1, 12)] * 3 + [
        Fraction(1, 4)
    ]


def test_time_without_notes_is_a_rest():
    late = f"<forward><duration>1</duration></forward>{note()}"
    assert pitches(score(f"<measure>{START}{late}</measure>")) == [None, 60]


def test_a_transposing_instrument_is_read_as_it_sounds():
    shift = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"
    assert pitches(score(SIMPLE.replace("</attributes>", shift))) == [58, 60]


def test_a_repeat_without_a_start_goes_back_to_the_beginning():
    end = '<barline location="right"><repeat direction="backward"/></barline></measure>'
    (bar,) = read_musicxml(score(SIMPLE.replace("</measure>", end)), "x.musicxml")[0].bars
    assert (bar.opens, bar.repeats) == (True, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_any_encoding_and_document_type_is_read(encoding):
    doctype = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "x">'
    title = "<work><work-title>Fáinne</work-title></work>"
    text = f"<?xml version='1.0' encoding='{encoding}'?>{doctype}"
    text += score(SIMPLE, head=title).decode()
    assert read_musicxml(text.encode(encoding), "x.musicxml")[0].title == "Fáinne"


# ---- hostile and damaged files -------------------------------------------------------------------


def packed(members, method=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


CONTAINER = "<container><rootfiles><rootfile full-path='a.xml'/></rootfiles></container>"


def mxl(content, container=CONTAINER, method=zipfile.ZIP_DEFLATED):
    return packed({"META-INF/container.xml": container, "a.xml": content}, method)


LAUGHS = (
    "<!DOCTYPE s [<!ENTITY a 'ha'>"
    + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><score-partwise><work><work-title>&i;</work-title></work></score-partwise>"
)
LYING = mxl(score(SIMPLE))
LYING = LYING.replace(
    len(score(SIMPLE)).to_bytes(4, "little"), (len(score(SIMPLE)) - 9).to_bytes(4, "little")
)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.musicxml", b"", "is damaged or not a MusicXML file"),
        ("x.musicxml", b"\0\xff" * 99, "is damaged or not a MusicXML file"),
        ("x.musicxml", score(SIMPLE)[:-30], "is damaged or not a MusicXML file"),
        ("x.musicxml", b"<html/>", "is not a score; export it as MusicXML"),
        ("x.musicxml", b"<score-timewise/>", "is not a score; export it as MusicXML"),
        ("x.musicxml", score(""), "has no notes; use a file with a melody"),
        ("x.musicxml", LAUGHS.encode(), "it declares XML entities"),
        ("x.musicxml", b"<a>" * 1_000_000, "is damaged or not a MusicXML file"),
        ("x.musicxml", b" " * (17 << 20), "is larger than 16 MB, the limit"),
        ("x.musicxml", score(SIMPLE * 1001), "1,001 <measure> elements; the limit is 1,000"),
        ("x.musicxml", score(SIMPLE.replace(">2<", ">9999<")), "its <beats> is '9999'"),
        ("x.musicxml", score(f"<measure>{note('B', octave=9)}</measure>"), "the range of MIDI"),
        ("x.musicxml", score(SIMPLE.replace("<step>C", "<step>H")), "its <step> is 'H'"),
        (
            "x.musicxml",
            score(SIMPLE.replace("</time>", "</time><key><fifths>99999999</fifths></key>")),
            "its <fifths> is '99999999'",
        ),
        ("x.mxl", b"", "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(score(SIMPLE))[:-40], "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(score(SIMPLE), ""), "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(score(SIMPLE), "<container/>"), "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(score(SIMPLE), LAUGHS), "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(score(SIMPLE), CONTAINER.replace("a.xml", "../a.xml")), "is damaged or not"),
        ("x.mxl", mxl(score(SIMPLE), method=zipfile.ZIP_LZMA), "is damaged or not"),
        (
            "x.mxl",
            mxl(score(SIMPLE), "<rootfile " * (1 << 22)),
            "is damaged or not a MusicXML file",
        ),
        ("x.mxl", packed({"a.xml": "x"}), "is damaged or not a MusicXML file"),
        ("x.mxl", mxl(b" " * (1 << 26)), "is larger than 16 MB, the limit"),
        ("x.mxl", mxl(LAUGHS), "it declares XML entities"),
        ("x.mxl", LYING, "is damaged or not a MusicXML file"),
        ("x.mxl", b"PK" + b"x" * (5 << 20), "is larger than 4 MB, the limit"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:30],
)
def test_hostile_and_damaged_files_are_errors(name, data, words):
    with pytest.raises(CorpusError, match=words) as error:
        read_musicxml(data, name)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "number", [b"1-100000000", b"1" * 9000], ids=["range of endings", "long number"]
)
def test_numbers_in_attributes_are_harmless(number):
    """music21 would list all numbers of a range."""
    ending = f'<barline location="left"><ending number="{number.decode()}" type="start"/></barline>'
    assert pitches(score(SIMPLE.replace(START, START + ending))) == [60, 62]


@pytest.mark.parametrize("cut", range(0, 700, 23))
def test_a_truncated_file_is_an_error(cut):
    for name, data in (("x.musicxml", score(SIMPLE)), ("x.mxl", mxl(score(SIMPLE)))):
        with pytest.raises(CorpusError, match="is damaged or not"):
            read_musicxml(data[: min(cut, len(data) - 1)], name)


# ---- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["musicxml", "mxl"])
def test_convert_reads_and_writes_musicxml(tmp_path, suffix):
    (tmp_path / "tune.abc").write_text(HEAD + "~d2(f f)af|d6|]\n", "utf-8")
    found = convert(tmp_path / "tune.abc", tmp_path / f"tune.{suffix}")
    assert found.ignored == {"ornament": 1, "slur": 2}
    assert read_tunes(tmp_path / f"tune.{suffix}").tunes == found.tunes
    again = convert(tmp_path / f"tune.{suffix}", tmp_path / "again.abc")
    assert (again.tunes, again.ignored) == (found.tunes, {})


def test_a_model_trains_on_musicxml_and_composes_it(cli, tmp_path):
    (tmp_path / "tunes").mkdir()
    for number, tune in enumerate(TUNES[:6]):
        (tmp_path / "tunes" / f"{number}.musicxml").write_bytes(write_musicxml(tune))
    options = ("--max-steps", 5, "--hidden-size", 8, "--batch-size", 2, "--seq-len", 16)
    result = cli("train", "tunes", "-o", "m.safetensors", "--seed", 1, *options)
    assert result.code == 0, result.err
    assert "6 tunes" in result.err
    made = cli("compose", "m.safetensors", "--seed", 1, "--formats", "abc,mxl", "-o", "new")
    assert made.code == 0, made.err
    (one,), (same,) = (read_tunes(tmp_path / "new" / f"01.{kind}").tunes for kind in ("abc", "mxl"))
    assert one.events() == same.events()
    assert cli("assess", "new/01.mxl", "--against", "tunes").code == 0


@pytest.mark.parametrize(
    "command",
    [("convert", "x.musicxml", "y.abc"), ("convert", "x.abc", "y.mxl"), ("assess", "x.musicxml")],
    ids=" ".join,
)
def test_without_music21_the_error_names_the_extra(cli, tmp_path, monkeypatch, command):
    (tmp_path / "x.musicxml").write_bytes(score(SIMPLE))
    (tmp_path / "x.abc").write_text(HEAD + "d6|]\n", "utf-8")
    monkeypatch.setitem(sys.modules, "music21", None)
    monkeypatch.setattr("charrnn.music.musicxml.find_spec", lambda _: None)
    assert_refused(cli(*command), 2, "install it with pip install 'charrnn[musicxml]'")
